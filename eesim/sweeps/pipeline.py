"""From points to rows in the store: look up, cut into chunks, hand out, take in, write.

Chunks hold about `CHUNK_S` seconds of work, by the rate of those that came back, and each worker has one to do and one
to go on with. What a kill costs is what was not written yet, about two seconds of work.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from eesim.errors import InputError
from eesim.sweeps.executors import Executor, Inline
from eesim.sweeps.keys import Keys
from eesim.sweeps.points import Changes, Sections
from eesim.sweeps.store import Store
from eesim.sweeps.study import Study
from eesim.sweeps.worker import Chunk, Finished, Row, Spent, Task

CHUNK_S = 0.5
MAX_CHUNK = 4096
FLUSH_WORK_S, FLUSH_S, FLUSH_LATEST_S = 2.0, 0.5, 5.0
"""Rows are written when they took the workers so much processor time, but not more often, and not later, than this."""
TELL_S = 1.0
MAX_LOSSES = 2
"""A chunk that was lost so often is cut into single points that run alone, to find the one that kills its worker."""


class Progress(NamedTuple):
    """How far a sweep is."""

    points: int
    done: int
    """Points whose row is written or was there; failed ones included."""
    failed: int
    cached: int
    seconds: float
    per_second: float
    """Points simulated per second since the first came back."""

    @property
    def seconds_left(self) -> float:
        """Estimate; nan as long as nothing was simulated."""
        return (self.points - self.done) / self.per_second if self.per_second else math.nan


class Pipeline:
    """Runs the points of a study.

    Parameters
    ----------
    study
        The points.
    store
        Locked; where rows are looked up and written.
    progress
        Called about once a second.

    Attributes
    ----------
    keys
        Key of each point; None for one that cannot be resolved.
    reasons
        Why points have no key.
    deadly
        Why keys have no row in the store: what became of the workers.
    simulated, cached
        Points that were simulated, and that were not because their row is known.
    spent
        Time that the workers took.
    coordinator_s
        Processor time that looking up, handing out and writing took here.
    """

    def __init__(self, study: Study, store: Store, progress: Callable[[Progress], None] | None = None) -> None:
        self.keys: list[bytes | None] = []
        self.reasons: dict[int, str] = {}
        self.deadly: dict[bytes, str] = {}
        self.simulated = self.cached = self.failed = self.crashed = 0
        self.workers = 0
        self.spent = Spent()
        self.coordinator_s = 0.0
        self._study = study
        self._store = store
        self._progress = progress
        self._known = store.keys()
        self._asked: set[bytes] = set()
        self._rows: list[Row] = []
        self._first_row_s = math.nan
        self._begin = self._flushed = time.monotonic()
        self._chunks = 0
        self._unwritten_s = 0.0
        self._under_way = 0
        self._per_point_s = math.nan
        self._losses: dict[int, int] = {}
        self._suspects: deque[Task] = deque()

    # -- points -------------------------------------------------------------------------------------------

    def _tasks(self) -> Iterator[Task]:
        """Points that have to be simulated."""
        digests, sections = Keys(), Sections(self._study.base)
        for point in range(self._study.design.size):
            changes: Changes = tuple((s.path, s.value) for s in self._study.design.at(point))
            try:
                key = digests.key(sections.scenario(changes))
            except InputError as error:
                self.keys.append(None)
                self.reasons[point] = " ".join(str(error).split())
                self.failed += 1
                continue
            self.keys.append(key)
            if key in self._asked or key in self._known:
                self.cached += 1
                continue
            self._asked.add(key)
            yield Task(point, key, changes)

    # -- the loop -----------------------------------------------------------------------------------------

    def run(self, make: Callable[[], Executor]) -> None:
        """Simulate what is not known yet; ``make`` is called if there is anything of that sort."""
        begin_s = time.process_time()
        tasks = self._tasks()
        first = next(tasks, None)
        if first is None:
            return
        executor = make()
        try:
            self._submit(executor, [first])
            self._loop(executor, tasks)
        finally:
            self._flush()
            self.workers = max(self.workers, executor.workers)
            executor.close()
            # One worker works in this process.
            own_s = self.spent.cpu_s if isinstance(executor, Inline) else 0.0
            self.coordinator_s = time.process_time() - begin_s - own_s

    def _loop(self, executor: Executor, tasks: Iterator[Task]) -> None:
        is_over = False
        while True:
            self.workers = max(self.workers, executor.workers)
            while not is_over and not self._suspects and self._under_way < 2 * executor.workers:
                batch = list(islice(tasks, self._chunk_size(executor.workers)))
                is_over = not batch
                if batch:
                    self._submit(executor, batch)
            if self._suspects and not self._under_way:
                self._submit(executor, [self._suspects.popleft()])
            if not self._under_way:
                break
            for finished in executor.finished(TELL_S):
                self._take(executor, finished)
            if self._is_due():
                self._flush()

    def _is_due(self) -> bool:
        """Whether rows should be written: that costs the same for few as for many."""
        since_s = time.monotonic() - self._flushed
        return since_s >= FLUSH_LATEST_S or (since_s >= FLUSH_S and self._unwritten_s >= FLUSH_WORK_S)

    def _chunk_size(self, workers: int) -> int:
        """Points in the next chunk: half a second's worth, and never so many that others have nothing to do."""
        if math.isnan(self._per_point_s):
            return 1
        left = self._study.design.size - len(self.keys)
        fair = max(left // (2 * workers), 1)
        return max(min(int(CHUNK_S / max(self._per_point_s, 1e-6)), fair, MAX_CHUNK), 1)

    def _submit(self, executor: Executor, tasks: list[Task]) -> None:
        self._chunks += 1
        self._under_way += 1
        executor.submit(Chunk(self._chunks, tuple(tasks)))

    def _take(self, executor: Executor, finished: Finished) -> None:
        self._under_way -= 1
        if finished.rows is None:
            self._lost(executor, finished)
            return
        self.spent = self.spent.plus(finished.spent)
        self._unwritten_s += finished.spent.cpu_s
        each = finished.spent.wall_s / len(finished.rows)
        self._per_point_s = each if math.isnan(self._per_point_s) else 0.7 * self._per_point_s + 0.3 * each
        self._rows += finished.rows
        if math.isnan(self._first_row_s):
            self._first_row_s = time.monotonic() - finished.spent.wall_s

    def _lost(self, executor: Executor, finished: Finished) -> None:
        """Try again what was lost with its worker; a point that is lost alone is what killed it."""
        tasks = finished.chunk.tasks
        losses = max(self._losses.get(task.point, 0) for task in tasks) + 1
        self._losses |= dict.fromkeys((task.point for task in tasks), losses)
        if losses <= MAX_LOSSES:
            self._submit(executor, list(tasks))
        elif len(tasks) > 1 or losses == MAX_LOSSES + 1:
            self._suspects.extend(tasks)
        else:
            self.crashed += 1
            self.failed += 1
            told = f"its worker died {losses} times ({finished.reason}); --resume tries again"
            self.deadly[tasks[0].key] = told

    def _flush(self) -> None:
        """Write the rows that came in."""
        self._flushed = time.monotonic()
        self._unwritten_s = 0.0
        if self._rows:
            rows, self._rows = self._rows, []
            self._store.add(rows)
            self._known.add(row.key for row in rows)
            self._asked.difference_update(row.key for row in rows)
            self.simulated += len(rows)
            self.failed += sum(row.status == "failed" for row in rows)
            self._store.compact_small()
        if self._progress is not None:
            self._progress(self.state())

    def why(self, point: int) -> str:
        """Say why a point has no row in the store."""
        key = self.keys[point]
        return self.reasons[point] if key is None else self.deadly[key]

    def state(self) -> Progress:
        """Return how far it is."""
        now = time.monotonic()
        unresolved = len(self.reasons) + self.crashed
        done = self.simulated + self.cached + unresolved
        # Workers take a while to start: that is no part of their rate.
        rate = self.simulated / max(now - self._first_row_s, 1e-9) if self.simulated else 0.0
        return Progress(self._study.design.size, done, self.failed, self.cached, now - self._begin, rate)
