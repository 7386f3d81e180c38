"""Watch one replication: keep its frames, or only what fits in bounded memory, and cut its warm-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.engine.protocol import Counters
from eesim.metrics.correctness import UNKNOWN, AnswerKey
from eesim.metrics.histogram import EXACT_LIMIT, Histogram
from eesim.metrics.statistics import mser5
from eesim.plan.plan import NEVER, RECORD_COLUMNS, Basis, Status

PILOT_FRAMES = 1 << 17
"""Frames at the start of a run on which the warm-up is found; they are always kept until it is."""

BATCHES = 20
"""Batches of consecutive frames that give a single replication its intervals."""

PARTS = ("queueing", "service", "transfer", "contention")

(
    FRAME, ARRIVAL, FINISH, EXIT, STATUS, QUEUEING, SERVICE, TRANSFER, STREAM, LEVEL, PLACE, BASIS
) = range(len(RECORD_COLUMNS))  # fmt: skip


class Snapshot(NamedTuple):
    """Counters when ``frame`` frames had arrived."""

    frame: int
    counters: Counters


class Tally:
    """Running totals of measured frames, of one replication or of one batch of it.

    Parameters
    ----------
    n_exits
        Exits that can answer.
    deadlines_ns
        For each stream, the latency beyond which an answer is a miss; None if it has no deadline.
    limit
        Latencies that are kept as they are.
    by_stream
        Count each stream by itself, too.

    Attributes
    ----------
    streams
        Totals of each stream by itself, if asked for.
    taken
        (exit, level) to the number of answers there.
    reused
        (exit, level) to the number of answers from there that frames of the same scene got, too.
    stale, forced
        Answers that frames of another scene got, and answers that a budget forced.
    lost
        (`Status`, resource or -1) to the number of frames that were dropped so.
    right
        Exit to the number of right answers there; only exits of streams whose answers are known one by one.
    """

    def __init__(
        self,
        n_exits: int,
        deadlines_ns: Sequence[int | None],
        limit: int = EXACT_LIMIT,
        *,
        by_stream: bool = False,
    ) -> None:
        self.latency = Histogram(limit)
        self.by_exit = [Histogram(limit) for _ in range(n_exits)]
        self.parts_ns = dict.fromkeys(PARTS, 0)
        self.answered = 0
        self.dropped = 0
        self.missed = 0
        self.first_answer_ns = -1
        self.last_answer_ns = -1
        self.first_arrival_ns = -1
        self.last_arrival_ns = -1
        self.taken: Counter[tuple[int, int]] = Counter()
        self.right: Counter[int] = Counter()
        self.reused: Counter[tuple[int, int]] = Counter()
        self.stale = 0
        self.forced = 0
        self.lost: Counter[tuple[int, int]] = Counter()
        self._deadlines_ns = np.array([NEVER if d is None else d for d in deadlines_ns], np.int64)
        self.streams = [Tally(n_exits, deadlines_ns, limit) for _ in deadlines_ns] if by_stream else []

    def add(self, records: IntArray, right: IntArray | None = None) -> None:
        """Count frames, in the order in which they ended, and right answers, where they are known (`AnswerKey`)."""
        for g, stream in enumerate(self.streams):
            mine = records[:, STREAM] == g
            stream.add(records[mine], None if right is None else right[mine])
        if right is not None:
            self._count_right(records[:, EXIT], right)
        answers = records[records[:, STATUS] == Status.ANSWERED]
        if len(answers) < len(records):
            self._count_lost(records[records[:, STATUS] != Status.ANSWERED])
        if not len(answers):
            return
        latency = answers[:, FINISH] - answers[:, ARRIVAL]
        self.latency.add(latency)
        own = (answers[:, BASIS] == Basis.OWN) | (answers[:, BASIS] == Basis.BUDGET)
        self.forced += int((answers[:, BASIS] == Basis.BUDGET).sum())
        for exit_, histogram in enumerate(self.by_exit):
            histogram.add(latency[own & (answers[:, EXIT] == exit_)])
        sums = answers[:, [QUEUEING, SERVICE, TRANSFER]].sum(axis=0)
        for part, value in zip(PARTS, [*sums, latency.sum() - sums.sum()], strict=True):
            self.parts_ns[part] += int(value)
        self.answered += len(answers)
        self.missed += int((latency > self._deadlines_ns[answers[:, STREAM]]).sum())
        self.stale += int((answers[:, BASIS] == Basis.STALE).sum())
        for tally, whose in ((self.taken, Basis.OWN), (self.reused, Basis.SAME_SCENE)):
            _count_places(tally, answers[answers[:, BASIS] == whose])
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


def _count_places(tally: Counter[tuple[int, int]], answers: IntArray) -> None:
    """Count answers by exit and level."""
    width = int(answers[:, LEVEL].max(initial=0)) + 1
    counts = np.bincount(answers[:, EXIT] * width + answers[:, LEVEL])
    for place in np.flatnonzero(counts).tolist():
        tally[place // width, place % width] += int(counts[place])


class Observation(NamedTuple):
    """What one replication showed after its warm-up."""

    warmup_frames: int
    tally: Tally
    batches: list[Tally]
    begin: Counters
    """Totals when the first measured frame was about to arrive."""
    end: Counters
    frames: IntArray | None
    """(F, 12) records of all frames, warm-up included, in frame order; None if they were not kept."""


class Observer:
    """Collects what an engine hands out while it runs.

    Parameters
    ----------
    n_frames
        Frames that will be simulated.
    n_exits
        Exits that can answer.
    warmup
        ``"auto"`` (MSER-5 on latency), ``"none"`` or a number of frames.
    deadlines_ns
        Deadline of each stream, if there is one.
    keep
        Keep every frame's record.
    batches
        Tally `BATCHES` batches, too: the only replication needs them for its intervals.
    step
        Frames between snapshots: an automatic warm-up ends at one of them.
    by_stream
        Tally each stream by itself, too.
    key
        Knows which answers are right; None if nobody does.
    """

    def __init__(
        self,
        n_frames: int,
        n_exits: int,
        *,
        warmup: str | int,
        deadlines_ns: Sequence[int | None],
        keep: bool,
        batches: bool,
        step: int = 1,
        by_stream: bool = False,
        key: AnswerKey | None = None,
    ) -> None:
        self._n_frames = n_frames
        self._step = step
        self._key = key
        self._keep = keep
        self._kept: list[IntArray] = []
        self._pilot: list[IntArray] = []
        self._pilot_size = 0
        self._cut: int | None = None if warmup == "auto" else 0 if warmup == "none" else int(warmup)
        self._snapshots: list[Snapshot] = []
        self._tally = Tally(n_exits, deadlines_ns, by_stream=by_stream)
        self._batches = [
            Tally(n_exits, deadlines_ns, EXACT_LIMIT // BATCHES, by_stream=by_stream)
            for _ in range(BATCHES if batches else 0)
        ]

    def snapshot(self, frame: int, counters: Counters) -> None:
        """Note the totals when ``frame`` frames have arrived; a warm-up can end at any of these."""
        if self._cut is None or frame <= self._cut or not self._snapshots:
            self._snapshots.append(Snapshot(frame, counters))

    def add(self, records: IntArray) -> None:
        """Take the records of frames that ended, in that order."""
        if self._keep:
            self._kept.append(records)
        if self._cut is not None:
            self._count(records)
            return
        self._pilot.append(records)
        self._pilot_size += len(records)
        if self._pilot_size >= min(PILOT_FRAMES, self._n_frames):
            self._decide(min(PILOT_FRAMES, self._n_frames))

    def _decide(self, size: int) -> None:
        """Find the warm-up on the first ``size`` frames that ended, and round it up to where a snapshot is taken."""
        seen = np.concatenate([np.zeros((0, len(RECORD_COLUMNS)), np.int64), *self._pilot])
        pilot = seen[:size]
        answers = pilot[pilot[:, STATUS] == Status.ANSWERED]
        answers = answers[np.argsort(answers[:, FRAME], kind="stable")]
        cut = mser5(answers[:, FINISH] - answers[:, ARRIVAL])
        frame = int(answers[cut, FRAME]) if cut else 0
        self._cut = -(-frame // self._step) * self._step
        self._pilot = []
        self._count(seen)

    def _count(self, records: IntArray) -> None:
        counts = records[:, FRAME] >= (self._cut or 0)
        measured = records[counts]
        right = None if self._key is None else self._key.check(records)[counts]
        self._tally.add(measured, right)
        if not self._batches:
            return
        span = max(self._n_frames - (self._cut or 0), 1)
        batch = (measured[:, FRAME] - (self._cut or 0)) * BATCHES // span
        for b in np.unique(batch):
            mine = batch == b
            self._batches[b].add(measured[mine], None if right is None else right[mine])

    def finish(self, counters: Counters) -> Observation:
        """The run is over."""
        if self._cut is None:
            self._decide(PILOT_FRAMES)
        cut = self._cut or 0
        begin = max((s for s in self._snapshots if s.frame <= cut), key=lambda s: s.frame)
        frames = None
        if self._keep:
            frames = np.concatenate([np.zeros((0, len(RECORD_COLUMNS)), np.int64), *self._kept])
            frames = frames[np.argsort(frames[:, FRAME], kind="stable")]
        return Observation(cut, self._tally, self._batches, begin.counters, counters, frames)
