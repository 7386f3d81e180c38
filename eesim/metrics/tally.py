"""Running totals of measured frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.metrics.correctness import UNKNOWN
from eesim.metrics.histogram import EXACT_LIMIT, Histogram, Summary
from eesim.plan.plan import NEVER, RECORD_COLUMNS, Basis, Plan, Status

PARTS = ("queueing", "service", "transfer", "contention")

(
    FRAME, ARRIVAL, FINISH, EXIT, STATUS, QUEUEING, SERVICE, TRANSFER, STREAM, LEVEL, PLACE, BASIS
) = range(len(RECORD_COLUMNS))  # fmt: skip


class Cells(NamedTuple):
    """What frames of a plan can come to, and what is asked of them.

    A cell is an exit and a level: ``exit * n_levels + level``. Where frames can get the answers of others, those have
    exits of their own: the plan's once more for answers of the same scene, and again for stale ones. Where a budget can
    force answers, those have levels of their own likewise.
    """

    exit_stream: tuple[int, ...]
    """Stream of each exit."""
    n_levels: int
    """Levels, level 0 included."""
    deadlines_ns: tuple[int | None, ...]
    """Deadline of each stream, if there is one."""
    by_stream: bool
    """Whether each stream is tallied by itself, too."""
    n_places: int = 1
    """Places where frames can be lost: the resources, and nowhere (-1)."""
    plan_exits: int = 0
    """Exits of the plan, where there are more here; else 0."""
    plan_levels: int = 0
    """Levels of the plan, where there are more here; else 0."""

    @property
    def n_exits(self) -> int:
        """Exits of all streams."""
        return len(self.exit_stream)

    @property
    def limits_ns(self) -> IntArray:
        """(G,) latency of each stream beyond which an answer is a miss."""
        return np.array([NEVER if d is None else d for d in self.deadlines_ns], np.int64)


def cells_of(plan: Plan, deadlines_ns: tuple[int | None, ...], *, by_stream: bool) -> Cells:
    """Return what frames of ``plan`` can come to."""
    again, forced = bool(plan.reuse_patience.any()), bool(plan.bucket_most.any())
    return Cells(
        tuple(plan.exit_stream.tolist()) * (3 if again else 1),
        (plan.n_levels + 1) * (2 if forced else 1),
        deadlines_ns,
        by_stream,
        plan.n_resources + 1,
        plan.n_exits if again else 0,
        plan.n_levels + 1 if forced else 0,
    )


def places_of(answers: IntArray, of: Cells) -> tuple[IntArray, IntArray]:
    """Return the exit and the level of the cell of each answer."""
    is_forced = answers[:, BASIS] == Basis.BUDGET
    exits = answers[:, EXIT] + of.plan_exits * np.where(is_forced, 0, answers[:, BASIS])
    return exits, answers[:, LEVEL] + of.plan_levels * is_forced


def plan_places(exits: IntArray, levels: IntArray, of: Cells) -> tuple[IntArray, IntArray, IntArray]:
    """Return exit and level in the plan, and basis, of answers in cells: the way back from `places_of`."""
    basis = np.zeros_like(exits)
    if of.plan_exits:
        basis, exits = np.divmod(exits, of.plan_exits)
    if of.plan_levels:
        is_forced, levels = np.divmod(levels, of.plan_levels)
        basis = np.where(is_forced, int(Basis.BUDGET), basis)
    return exits, levels, basis


class Tally:
    """Running totals of measured frames, of one replication or of one batch of it.

    Parameters
    ----------
    cells
        What frames can come to.
    limit
        Latencies that are kept as they are.

    Attributes
    ----------
    streams
        Totals of each stream by itself, if asked for.
    taken
        (exit, level) to the number of answers there.
    lost
        (`Status`, resource or -1) to the number of frames that were dropped so.
    right
        Exit to the number of right answers there; only exits of streams whose answers are known one by one.
    """

    def __init__(self, cells: Cells, limit: int = EXACT_LIMIT) -> None:
        self.latency: Histogram | Summary = Histogram(limit)
        self.by_exit: Sequence[Histogram | Summary] = [Histogram(limit) for _ in range(cells.n_exits)]
        self.parts_ns = dict.fromkeys(PARTS, 0)
        self._cells = cells
        self.answered = 0
        self.dropped = 0
        self.missed = 0
        self.first_answer_ns = -1
        self.last_answer_ns = -1
        self.first_arrival_ns = -1
        self.last_arrival_ns = -1
        self.taken: Counter[tuple[int, int]] = Counter()
        self.right: Counter[int] = Counter()
        self.lost: Counter[tuple[int, int]] = Counter()
        self._deadlines_ns = cells.limits_ns
        alone = cells._replace(by_stream=False)
        self.streams: Sequence[Tally] = [Tally(alone, limit) for _ in cells.deadlines_ns if cells.by_stream]

    @classmethod
    def of(
        cls,
        sums: Sequence[int],
        latency: Summary,
        by_exit: Sequence[Summary],
        taken: Counter[tuple[int, int]],
        right: Counter[int],
        lost: Counter[tuple[int, int]],
        streams: Sequence[Tally] = (),
    ) -> Tally:
        """Return a tally of what has been counted already; nothing can be added to it.

        Parameters
        ----------
        sums
            (SUMS_WIDTH,) what `eesim.engine.kernel_tally.count_frames` counted.
        latency, by_exit
            Latencies of all answers, and of those at each exit.
        taken, right, lost, streams
            The attributes.
        """
        tally = cls.__new__(cls)
        tally.latency, tally.by_exit, tally.taken, tally.right, tally.streams = latency, by_exit, taken, right, streams
        tally.lost = lost
        answered, dropped, missed, queueing, service, transfer, total, *instants, _ = sums
        tally.answered, tally.dropped, tally.missed = answered, dropped, missed
        contention = total - queueing - service - transfer
        tally.parts_ns = dict(zip(PARTS, (queueing, service, transfer, contention), strict=True))
        tally.first_answer_ns, tally.last_answer_ns, tally.first_arrival_ns, tally.last_arrival_ns = (
            instants if answered else (-1, -1, -1, -1)
        )
        return tally

    def add(self, records: IntArray, right: IntArray | None = None) -> None:
        """Count frames, in the order in which they ended, and right answers, where they are known (`AnswerKey`)."""
        for g, stream in enumerate(self.streams):
            mine = records[:, STREAM] == g
            stream.add(records[mine], None if right is None else right[mine])
        if right is not None:
            self._count_right(places_of(records, self._cells)[0], right)
        answers = records[records[:, STATUS] == Status.ANSWERED]
        if len(answers) < len(records):
            self._count_lost(records[records[:, STATUS] != Status.ANSWERED])
        if not len(answers):
            return
        latency = answers[:, FINISH] - answers[:, ARRIVAL]
        exits, levels = places_of(answers, self._cells)
        for histogram, values in (
            (self.latency, latency),
            *((histogram, latency[exits == exit_]) for exit_, histogram in enumerate(self.by_exit)),
        ):
            assert not isinstance(histogram, Summary), "a tally that was counted elsewhere is complete"
            histogram.add(values)
        sums = answers[:, [QUEUEING, SERVICE, TRANSFER]].sum(axis=0)
        for part, value in zip(PARTS, [*sums, latency.sum() - sums.sum()], strict=True):
            self.parts_ns[part] += int(value)
        self.answered += len(answers)
        self.missed += int((latency > self._deadlines_ns[answers[:, STREAM]]).sum())
        width = int(levels.max()) + 1
        counts = np.bincount(exits * width + levels)
        for place in np.flatnonzero(counts).tolist():
            self.taken[place // width, place % width] += int(counts[place])
        if self.first_answer_ns < 0:
            self.first_answer_ns = int(answers[0, FINISH])
            self.first_arrival_ns = int(answers[0, ARRIVAL])
        self.first_arrival_ns = min(self.first_arrival_ns, int(answers[:, ARRIVAL].min()))
        self.last_answer_ns = int(answers[-1, FINISH])
        self.last_arrival_ns = max(self.last_arrival_ns, int(answers[:, ARRIVAL].max()))

    def _count_lost(self, records: IntArray) -> None:
        self.dropped += len(records)
        kinds, counts = np.unique(records[:, [STATUS, PLACE]], axis=0, return_counts=True)
        for (status, place), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            self.lost[status, place] += count

    def _count_right(self, exits: IntArray, right: IntArray) -> None:
        judged = right != UNKNOWN
        for exit_ in np.unique(exits[judged]):
            self.right[int(exit_)] += int(right[judged & (exits == exit_)].sum())

    @property
    def frames(self) -> int:
        """Frames that ended, with an answer or without."""
        return self.answered + self.dropped

    @property
    def lag_ns(self) -> int:
        """How much longer the answers took than the arrivals: what latency has grown by."""
        return self.last_answer_ns - self.first_answer_ns - (self.last_arrival_ns - self.first_arrival_ns)

    @property
    def deadline_misses(self) -> int:
        """Frames without an answer in time: late or dropped."""
        return self.missed + self.dropped
