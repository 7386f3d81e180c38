"""What the reference engine writes down: the event log, the frame records and the running totals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from eesim.engine import invariants
from eesim.engine.frames import Frame, Node, Task
from eesim.engine.protocol import Counters
from eesim.engine.servers import Server
from eesim.engine.timeline import Timeline
from eesim.plan.plan import LOG_COLUMNS, RECORD_COLUMNS, EventKind, IntArray, NodeKind


class Ledger:
    """The books of one run.

    Parameters
    ----------
    nodes
        The task graph.
    n_resources
        Number of resources.
    timeline
        Tells the present instant.
    log
        Whether to keep the event log.

    Attributes
    ----------
    busy_ns
        Per node and state found, the service of ended tasks.
    wasted_ns
        Per node, the service of ended tasks that their frames did not need.
    blocked_ns
        Per resource, the time its servers were blocked, ended spells only.
    batches, batched
        Per resource, batches that have begun, and the tasks in them.
    """

    def __init__(self, nodes: tuple[Node, ...], n_resources: int, timeline: Timeline, *, log: bool) -> None:
        self._timeline = timeline
        self._keeps_log = log
        self._log: list[tuple[int, ...]] = []
        self._records: list[tuple[int, ...]] = []
        self._last_ns = 0
        self.busy_ns = [[0] * len(node.work_ns) for node in nodes]
        self.wasted_ns = [0] * len(nodes)
        self.blocked_ns = [0] * n_resources
        self.batches = [0] * n_resources
        self.batched = [0] * n_resources
        # For Little's law: frames that have arrived and neither answered nor been dropped, the integral of
        # their number over time, and the sum over the records of the time from arrival to answer or drop.
        self._present = 0
        self._present_since = 0
        self._presence_ns = 0
        self._sojourn_ns = 0

    def note(self, kind: EventKind, frame: Frame, node: int = -1, place: int = -1) -> None:
        """Add a row to the event log."""
        now = self._timeline.now
        invariants.check_time(self._last_ns, now)
        self._last_ns = now
        if self._keeps_log:
            self._log.append((now, kind, frame.number, node, place))

    def arrived(self) -> None:
        """Count a frame that arrives."""
        self._count_presence(1)

    def served(self, task: Task) -> None:
        """Count the service of a task that has just ended."""
        self.busy_ns[task.node.number][task.state] += task.service_ns
        if task.frame.wastes(task.node):
            self.wasted_ns[task.node.number] += task.service_ns

    def answered(self, frame: Frame, last: Task) -> None:
        """Write the record of a frame that answers at the end of the task ``last``."""
        parts = split_latency(last)
        invariants.check_split(self._timeline.now - frame.arrival_ns, parts)
        self._record(frame, parts[:3])

    def dropped(self, frame: Frame) -> None:
        """Write the record of a frame that is dropped."""
        self._record(frame, (0, 0, 0))

    def take_records(self) -> IntArray:
        """Hand over the records since the last call."""
        rows, self._records = self._records, []
        return np.array(rows, dtype=np.int64).reshape(-1, len(RECORD_COLUMNS))

    def take_log(self) -> IntArray:
        """Hand over the log rows since the last call."""
        rows, self._log = self._log, []
        return np.array(rows, dtype=np.int64).reshape(-1, len(LOG_COLUMNS))

    def counters(self, under_way: Iterable[Task], blocked: Iterable[Server]) -> Counters:
        """Add up the totals and the elapsed parts of the tasks under way and the blocked servers."""
        now = self._timeline.now
        busy_ns = np.array(self.busy_ns, dtype=np.int64)
        wasted_ns = np.array(self.wasted_ns, dtype=np.int64)
        blocked_ns = np.array(self.blocked_ns, dtype=np.int64)
        for task in under_way:
            busy_ns[task.node.number, task.state] += now - task.start_ns
        for server in blocked:
            blocked_ns[server.resource] += now - server.blocked_since
        batches, batched = (np.array(counts, dtype=np.int64) for counts in (self.batches, self.batched))
        return Counters(now, busy_ns, wasted_ns, blocked_ns, batches, batched)

    def check_end(self) -> None:
        """Hold the totals of a finished run against Little's law."""
        invariants.check_end(self._present, self._presence_ns, self._sojourn_ns)

    def _record(self, frame: Frame, parts: tuple[int, ...]) -> None:
        now = self._timeline.now
        exit_, level = frame.told or (frame.answer, frame.level)
        head = (frame.number, frame.arrival_ns, now, exit_, frame.status)
        row = (*head, *parts, frame.stream, level, frame.place, frame.basis)
        self._records.append(row)
        self._sojourn_ns += now - frame.arrival_ns
        self._count_presence(-1)
        # What the frame has done so far; `served` counts the tasks that end later.
        for task in frame.tasks:
            if task.has_ended() and frame.wastes(task.node):
                self.wasted_ns[task.node.number] += task.service_ns

    def _count_presence(self, change: int) -> None:
        now = self._timeline.now
        self._presence_ns += self._present * (now - self._present_since)
        self._present_since = now
        self._present += change


def split_latency(last: Task) -> tuple[int, int, int, int]:
    """Split the time from arrival to the end of ``last``: queueing, service, transfer and contention."""
    queueing = service = transfer = contention = 0
    task: Task | None = last
    while task is not None:
        caused = task.frame.arrival_ns if task.cause is None else task.cause.end_ns
        queueing += task.start_ns - caused
        if task.node.kind is NodeKind.TRANSFER:
            transfer += task.full_speed_ns
        else:
            service += task.full_speed_ns
        contention += task.end_ns - task.start_ns - task.full_speed_ns
        task = task.cause
    return queueing, service, transfer, contention
