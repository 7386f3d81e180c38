"""The compiled engine: hands the stream to the kernel block by block and collects what it leaves behind."""

from __future__ import annotations

import numpy as np

from eesim.engine import layout as c
from eesim.engine.arena import Arena
from eesim.engine.jit import WarmOnce
from eesim.engine.kernels import advance
from eesim.engine.protocol import Counters
from eesim.errors import SimulationDeadlock
from eesim.plan.plan import Draws, IntArray, Plan

_advance = WarmOnce(advance)

BLOCK_FRAMES = 4096
"""Frames handed to the kernel at a time: enough to hide the cost of a call, few enough to bound memory."""


class CompiledEngine:
    """One plan under simulation by the numba kernel; see `eesim.engine.protocol.Engine`.

    Parameters
    ----------
    plan
        What to simulate.
    log
        Keep the event log (about four rows per task).
    """

    def __init__(self, plan: Plan, *, log: bool = False) -> None:
        self._arena = Arena(plan, log=log)
        self._first = 0
        self._records: list[IntArray] = []
        self._log: list[IntArray] = []

    def feed(self, draws: Draws, *, final: bool) -> None:
        """Simulate up to the arrival of the last frame in ``draws``, or to the end."""
        total = len(draws.arrival_ns)
        for begin in range(0, max(total, 1), BLOCK_FRAMES):
            end = min(begin + BLOCK_FRAMES, total)
            part = Draws(*(np.ascontiguousarray(array[begin:end], np.int64) for array in draws))
            self._advance(part, final and end == total)

    def _advance(self, draws: Draws, final: bool) -> None:
        frames = len(draws.arrival_ns)
        self._arena.reserve(frames)
        self._arena.keep_draws(self._first, draws)
        stream = self._arena.stream_offsets[draws.stream]
        status = c.CRAMPED
        while status == c.CRAMPED:
            status = _advance(self._arena.m, draws.arrival_ns, draws.exit, stream, self._first, final)
            if status == c.CRAMPED:
                self._arena.add_slots()
        self._first += frames
        self._collect()
        if status == c.STUCK:
            m = self._arena.m
            raise SimulationDeadlock(int(m[c.IN_FLIGHT]), self._blocked(), self._held())

    def _collect(self) -> None:
        m, rows = self._arena.m, self._arena.rows
        self._records.append(rows(int(m[c.RECORDS]), int(m[c.N_RECORDS]), c.RECORD_WIDTH).copy())
        self._log.append(rows(int(m[c.LOG]), int(m[c.N_LOG]), c.LOG_WIDTH).copy())
        m[[c.N_RECORDS, c.N_LOG]] = 0

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
        out = np.concatenate([np.empty((0, c.RECORD_WIDTH), np.int64), *self._records])
        self._records.clear()
        return out

    def take_log(self) -> IntArray:
        """Event log since the last call, (n, 5)."""
        out = np.concatenate([np.empty((0, c.LOG_WIDTH), np.int64), *self._log])
        self._log.clear()
        return out

    def counters(self) -> Counters:
        """Totals up to now, the elapsed part of what is under way included."""
        arena, m = self._arena, self._arena.m
        now = int(m[c.NOW])
        busy = arena.busy_ns()
        blocked = arena.resource_rows[:, c.RES_BLOCKED_NS].copy()
        under_way = list(m[m[c.DELAYS] : m[c.DELAYS] + m[c.N_DELAYS]])
        for row in arena.server_rows:
            if row[c.SERVER_BLOCKED]:
                blocked[m[row[c.SERVER_RESOURCE] + c.RES_INDEX]] += now - row[c.SERVER_SINCE]
            elif row[c.SERVER_TASK] != c.NOBODY:
                under_way.append(row[c.SERVER_TASK])
        for task in under_way:
            node = m[m[task + c.TASK_NODE] + c.NODE_INDEX]
            busy[node, m[task + c.TASK_FOUND]] += now - m[task + c.TASK_START]
        return Counters(now, busy, arena.node_rows[:, c.NODE_WASTED].copy(), blocked)
