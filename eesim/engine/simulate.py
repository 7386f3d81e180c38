"""Choose an engine and drive it over a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np

from eesim.base import IntArray
from eesim.engine.protocol import Counters, Engine, Memory
from eesim.plan.plan import Draws, Plan

EngineName = Literal["compiled", "reference"]
ENGINES: tuple[EngineName, ...] = ("compiled", "reference")


class Watcher(Protocol):
    """What follows a run (see `eesim.metrics.observe.Observer`)."""

    def snapshots(self, frames: IntArray, totals: Sequence[Counters]) -> None:
        """So many frames have arrived; these were the totals each time."""
        ...

    def add(self, records: IntArray) -> None:
        """More frames have ended."""
        ...


def make_engine(name: EngineName, plan: Plan, *, log: bool = False, memory: Memory | None = None) -> Engine:
    """Return an engine for ``plan``; numba is imported only for the compiled one, which alone uses ``memory``.

    Raises
    ------
    ValueError
        If there is no engine of this name.
    """
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}: choose {' or '.join(ENGINES)}")
    if name == "reference":
        from eesim.engine.reference import ReferenceEngine

        return ReferenceEngine(plan, log=log)
    from eesim.engine.compiled import CompiledEngine

    return CompiledEngine(plan, log=log, memory=memory)


def drive(
    engine: Engine,
    blocks: Iterable[Draws],
    watcher: Watcher,
    *,
    step: int,
    stop_at: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Counters:
    """Feed an engine to the end of the stream and let ``watcher`` see counters and records on the way.

    Parameters
    ----------
    engine
        A fresh engine.
    blocks
        The stream.
    watcher
        Sees a snapshot before the first frame, after every ``step`` frames, and after ``stop_at`` frames.
    step
        Frames between snapshots.
    stop_at
        One more frame count at which a snapshot is wanted.
    progress
        Called with the number of frames fed since its last call.

    Returns
    -------
    Counters
        Totals at the end.
    """
    watcher.snapshots(np.zeros(1, np.int64), [engine.counters()])
    fed = width = 0
    for block in blocks:
        width = block.noise_ppm.shape[1]
        begin, fed = fed, fed + len(block.arrival_ns)
        marks = np.arange(begin // step * step + step, fed + 1, step, dtype=np.int64)
        if begin < stop_at <= fed:
            marks = np.union1d(marks, [stop_at])
        for part, of_part in [(block, marks)] if progress is None else _parts(block, begin, marks):
            watcher.snapshots(of_part, engine.feed(part, final=False, marks=of_part))
            watcher.add(engine.take_records())
            if progress is not None:
                progress(len(part.arrival_ns))
    empty = np.zeros(0, np.int64)
    engine.feed(Draws(empty, empty, np.zeros((0, width), np.int64)), final=True)
    watcher.add(engine.take_records())
    return engine.counters()


def _parts(block: Draws, begin: int, marks: IntArray) -> Iterator[tuple[Draws, IntArray]]:
    """Cut a block, whose first frame is ``begin``, at the marks, for those who want to know how far it is."""
    size = len(block.arrival_ns)
    for first, end in pairwise(np.unique([0, *(marks - begin), size]).tolist()):
        yield Draws(*(array[first:end] for array in block)), marks[marks == begin + end]
