"""The compiled engine: hands the stream to the kernel block by block and collects what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from time import thread_time
from typing import overload

import numpy as np

from eesim.engine import layout as c
from eesim.engine.arena import Arena
from eesim.engine.jit import WarmOnce
from eesim.engine.kernel_counters import row_width, totals
from eesim.engine.kernels import advance
from eesim.engine.protocol import NO_MARKS, Counters, Memory
from eesim.errors import SimulationDeadlock
from eesim.plan.plan import Draws, IntArray, Plan

_advance = WarmOnce(advance)

BLOCK_FRAMES = 16_384
"""Frames handed to the kernel at a time: enough to hide the cost of a call, few enough to bound memory."""


class CompiledEngine:
    """One plan under simulation by the numba kernel; see `eesim.engine.protocol.Engine`.

    Parameters
    ----------
    plan
        What to simulate.
    log
        Keep the event log (about four rows per task).
    memory
        Memory to use again, for callers that simulate one point after the other.
    """

    def __init__(self, plan: Plan, *, log: bool = False, memory: Memory | None = None) -> None:
        self._memory = Memory() if memory is None else memory
        self._arena = Arena(plan, log=log, memory=memory)
        self._shape = plan.n_nodes, plan.n_states
        self._width = row_width(plan.n_nodes, plan.n_states, plan.n_resources)
        self._first = 0
        self._records: list[IntArray] = []
        self._log: list[IntArray] = []

    def feed(self, draws: Draws, *, final: bool, marks: IntArray = NO_MARKS) -> Sequence[Counters]:
        """Simulate up to the arrival of the last frame in ``draws``, or to the end; see `Engine.feed`."""
        total = len(draws.arrival_ns)
        rows = np.empty((len(marks), self._width), np.int64)
        done, begin_s = 0, thread_time()
        for begin in range(0, max(total, 1), BLOCK_FRAMES):
            end = min(begin + BLOCK_FRAMES, total)
            part = Draws(*(np.ascontiguousarray(array[begin:end], np.int64) for array in draws))
            upto = int(np.searchsorted(marks, self._first + end - begin, side="right"))
            self._advance(part, final and end == total, marks[done:upto], rows[done:upto])
            done = upto
            self._memory.engine_s += thread_time() - begin_s
            self._collect()
            begin_s = thread_time()
        return _Totals(rows, *self._shape)

    def _advance(self, draws: Draws, final: bool, marks: IntArray, rows: IntArray) -> None:
        frames, arena = len(draws.arrival_ns), self._arena
        arena.reserve(frames)
        arena.keep_draws(self._first, draws)
        stream = arena.stream_offsets[draws.stream]
        arena.m[c.MARKED] = 0
        status = c.CRAMPED
        while status == c.CRAMPED:
            status = _advance(arena.m, draws.arrival_ns, draws.exit, stream, self._first, final, marks, rows)
            if status == c.CRAMPED:
                arena.add_slots()
        self._first += frames
        if status == c.STUCK:
            self._collect()
            raise SimulationDeadlock(int(arena.m[c.IN_FLIGHT]), self._blocked(), self._held())

    def _collect(self) -> None:
        m, rows = self._arena.m, self._arena.rows
        found = rows(int(m[c.RECORDS]), int(m[c.N_RECORDS]), c.RECORD_WIDTH)
        if self._memory.sink:
            self._memory.sink(found)
        else:
            self._records.append(found.copy())
        if m[c.N_LOG]:
            self._log.append(rows(int(m[c.LOG]), int(m[c.N_LOG]), c.LOG_WIDTH).copy())
        m[c.N_RECORDS] = m[c.N_LOG] = 0

    def _blocked(self) -> list[tuple[int, int, int]]:
        m = self._arena.m
        found = []
        for row in self._arena.server_rows:
            if row[c.SERVER_BLOCKED]:
                task = int(row[c.SERVER_TASK])
                frame = m[m[task + c.TASK_SLOT] + c.SLOT_FRAME]
                found.append((int(row[c.SERVER_INDEX]), int(frame), int(m[m[task + c.TASK_NODE] + c.NODE_INDEX])))
        return found

    def _held(self) -> list[tuple[int, int, int, int]]:
        m = self._arena.m
        found = []
        for row in self._arena.resource_rows:
            if row[c.RES_WAITING] and row[c.RES_IDLE]:
                task = int(m[row[c.RES_HEAP]])
                node = int(m[m[task + c.TASK_NODE] + c.NODE_INDEX])
                section = int(self._arena.plan.node_enter[node])
                if section >= 0 and m[m[c.PLACES] + section] == 0:
                    frame = int(m[m[task + c.TASK_SLOT] + c.SLOT_FRAME])
                    found.append((int(row[c.RES_INDEX]), frame, node, section))
        return found

    def take_records(self) -> IntArray:
        """Records of the frames that ended since the last call, in that order, (n, 8)."""
        parts, self._records = self._records, []
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, c.RECORD_WIDTH), np.int64), *parts])

    def take_log(self) -> IntArray:
        """Event log since the last call, (n, 5)."""
        out = np.concatenate([np.empty((0, c.LOG_WIDTH), np.int64), *self._log])
        self._log.clear()
        return out

    def counters(self) -> Counters:
        """Totals up to now, the elapsed part of what is under way included."""
        row = np.empty(self._width, np.int64)
        totals(self._arena.m, row)
        return _Totals(row[None], *self._shape)[0]


class _Totals(Sequence[Counters]):
    """Rows of totals that become `Counters` when they are looked at: most never are.

    Parameters
    ----------
    rows
        (M, W) totals as `eesim.engine.kernel_counters` writes them.
    n_nodes, n_states
        Sizes of the plan.
    """

    def __init__(self, rows: IntArray, n_nodes: int, n_states: int) -> None:
        self._rows = rows
        self._shape = n_nodes, n_states

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Counters: ...

    @overload
    def __getitem__(self, index: slice) -> list[Counters]: ...

    def __getitem__(self, index: int | slice) -> Counters | list[Counters]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row, (n, v) = self._rows[index], self._shape
        busy, wasted = row[1 : 1 + n * v].reshape(n, v), row[1 + n * v : 1 + n * v + n]
        blocked, batches, batched = row[1 + n * v + n :].reshape(3, -1)
        return Counters(int(row[0]), busy, wasted, blocked, batches, batched)
