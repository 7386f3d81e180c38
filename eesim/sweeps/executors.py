"""Who simulates chunks: this process, processes on this machine, or (`eesim.sweeps.dask_executor`) a cluster.

All have one small interface, `Executor`; what comes out never depends on which one it was.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from eesim.errors import EesimError
from eesim.sweeps.worker import Chunk, Context, Finished, Outcome, Simulator, Spent

MAX_FAILURES = 3
"""Processes may be replaced so often before any of them has done anything."""


class Executor(Protocol):
    """Takes chunks and hands them back with their rows, in any order."""

    @property
    def workers(self) -> int:
        """How many chunks are simulated at a time."""
        ...

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        ...

    def finished(self, timeout_s: float) -> list[Finished]:
        """Chunks that came back, after waiting for at least one, but no longer than ``timeout_s``."""
        ...

    def close(self) -> None:
        """Stop; what has not come back is given up."""
        ...


class Inline:
    """Simulates in this process, when results are waited for."""

    workers = 1

    def __init__(self, context: Context) -> None:
        self._simulator = Simulator(context)
        self._waiting: deque[Chunk] = deque()

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        self._waiting.append(chunk)

    def finished(self, timeout_s: float) -> list[Finished]:  # noqa: ARG002
        """Simulate the next chunk."""
        if not self._waiting:
            return []
        chunk = self._waiting.popleft()
        return [Finished(chunk, *self._simulator.run(chunk))]

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()


_SIMULATORS: list[Simulator] = []
"""The simulator of a worker process; empty elsewhere."""


def _start(context: Context) -> None:
    """Prepare a worker process, which must not outlive the one that started it."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def leave() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=leave, daemon=True).start()
    _SIMULATORS[:] = [Simulator(context)]


def _run(chunk: Chunk) -> Outcome:
    return _SIMULATORS[0].run(chunk)


class Processes:
    """Simulates in processes on this machine; one that dies is replaced, and its chunk reported as lost.

    Parameters
    ----------
    context
        For the workers.
    workers
        How many processes.
    """

    def __init__(self, context: Context, workers: int) -> None:
        self.workers = workers
        self._context = context
        self._pool = self._new_pool()
        self._under_way: dict[Future[Outcome], Chunk] = {}
        self._lost: list[Finished] = []
        self._has_worked = False
        self._failures = 0

    def _new_pool(self) -> ProcessPoolExecutor:
        # spawn: a fork of a process with threads may never wake up.
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.workers, mp_context=spawn, initializer=_start, initargs=(self._context,))

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk."""
        try:
            self._under_way[self._pool.submit(_run, chunk)] = chunk
        except BrokenProcessPool as error:
            self._lost.append(Finished(chunk, None, Spent(), str(error)))
            self._replace_pool()

    def _replace_pool(self) -> None:
        """Start again: with one process, the pool has lost all that was under way."""
        if not self._has_worked:
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                raise EesimError("worker processes die as soon as they start: try --workers 1 to see why")
        self._lost += [Finished(chunk, None, Spent(), "its worker was replaced") for chunk in self._under_way.values()]
        self._under_way.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._new_pool()

    def finished(self, timeout_s: float) -> list[Finished]:
        """Chunks that came back, or were lost with a process."""
        if not self._lost and self._under_way:
            wait(self._under_way, timeout=timeout_s, return_when=FIRST_COMPLETED)
        done = [future for future in self._under_way if future.done()]
        out = []
        is_broken = False
        for future in sorted(done, key=lambda future: self._under_way[future].number):
            chunk = self._under_way.pop(future)
            try:
                out.append(Finished(chunk, *future.result()))
                self._has_worked = True
            except BrokenProcessPool as error:
                is_broken = True
                self._lost.append(Finished(chunk, None, Spent(), str(error)))
        if is_broken:
            self._replace_pool()
        lost, self._lost = self._lost, []
        return out + lost

    def close(self) -> None:
        """Stop the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def local_executor(context: Context, workers: int) -> Executor:
    """Return an executor for so many workers on this machine."""
    return Inline(context) if workers == 1 else Processes(context, workers)
