"""Watch one replication: keep its frames, or only what fits in bounded memory, and cut its warm-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.engine.kernel_tally import ARRIVAL, EXIT, FINISH, FRAME, QUEUEING, SERVICE, STATUS, TRANSFER
from eesim.engine.protocol import Counters
from eesim.metrics.histogram import EXACT_LIMIT
from eesim.metrics.statistics import mser5
from eesim.metrics.tallies import Frames
from eesim.metrics.tally import PARTS, Tally
from eesim.plan.plan import RECORD_COLUMNS, Status

__all__ = [
    "ARRIVAL", "BATCHES", "EXIT", "FINISH", "FRAME", "PARTS", "QUEUEING", "SERVICE", "STATUS", "TRANSFER",
    "Observation", "Observer",
]  # fmt: skip

PILOT_FRAMES = 1 << 17
"""Frames at the start of a run on which the warm-up is found; they are always kept until it is."""

BATCHES = 20
"""Batches of consecutive frames that give a single replication its intervals."""

NOTHING: IntArray = np.zeros((0, len(RECORD_COLUMNS)), np.int64)


class Observation(NamedTuple):
    """What one replication showed after its warm-up."""

    warmup_frames: int
    tally: Tally
    batches: Sequence[Tally]
    begin: Counters
    """Totals when the first measured frame was about to arrive."""
    end: Counters
    frames: IntArray | None
    """(F, 8) records of all frames, warm-up included, in frame order; None if they were not kept."""


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
    deadline_ns
        Deadline, if there is one.
    keep
        Keep every frame's record.
    batches
        Tally `BATCHES` batches, too: the only replication needs them for its intervals.
    step
        Frames between snapshots: an automatic warm-up ends at one of them.
    frames
        Memory to use again, for runs that fit.
    compiled
        Count in compiled code what can be; the numbers are the same.
    """

    def __init__(
        self,
        n_frames: int,
        n_exits: int,
        *,
        warmup: str | int,
        deadline_ns: int | None,
        keep: bool,
        batches: bool,
        step: int = 1,
        frames: Frames | None = None,
        compiled: bool = True,
    ) -> None:
        self._n_frames = n_frames
        self._step = step
        self._keep = keep
        self._batches = BATCHES if batches else 0
        self._n_exits = n_exits
        self._deadline_ns = deadline_ns
        self._compiled = compiled
        self._at_once = compiled and n_frames <= PILOT_FRAMES
        fits = frames is not None and n_frames <= frames.size
        self._frames = frames if fits and frames is not None else Frames(n_frames if self._at_once else 0)
        if self._at_once:
            self._frames.clear(n_frames)
        self._kept: list[IntArray] = []
        self._pilot: list[IntArray] = []
        self._pilot_size = 0
        self._cut: int | None = None if warmup == "auto" else 0 if warmup == "none" else int(warmup)
        self._snapshots: list[tuple[IntArray, Sequence[Counters]]] = []
        limit = EXACT_LIMIT // BATCHES
        self._tally = Tally(n_exits, deadline_ns)
        self._batch_tallies: Sequence[Tally] = [
            Tally(n_exits, deadline_ns, limit) for _ in range(0 if self._at_once else self._batches)
        ]

    def snapshots(self, frames: IntArray, totals: Sequence[Counters]) -> None:
        """Note the totals when so many frames have arrived; a warm-up can end at any of these."""
        if len(frames):
            self._snapshots.append((frames, totals))

    def _totals_at(self, cut: int) -> Counters:
        """Totals at the last snapshot that is not later than ``cut``."""
        frames, totals = max((s for s in self._snapshots if s[0][0] <= cut), key=lambda s: int(s[0][0]))
        return totals[int(np.searchsorted(frames, cut, side="right")) - 1]

    @property
    def sink(self) -> Callable[[IntArray], None] | None:
        """Takes records while they are hot, in any order and without keeping them; None if they must go to `add`."""
        return self._frames.take if self._at_once and not self._keep else None

    def add(self, records: IntArray) -> None:
        """Take the records of frames that ended, in that order; those that went to `sink` are not among them."""
        if self._keep:
            self._kept.append(records)
        if self._at_once:
            self._frames.take(records)
            return
        if self._cut is not None:
            self._count(records)
            return
        self._pilot.append(records)
        self._pilot_size += len(records)
        if self._pilot_size >= PILOT_FRAMES:
            seen = np.concatenate([NOTHING, *self._pilot])
            self._pilot = []
            self._decide(seen[:PILOT_FRAMES])
            self._count(seen)

    def _decide(self, pilot: IntArray) -> None:
        """Find the warm-up on frames that ended first."""
        if not self._compiled:
            answers = pilot[pilot[:, STATUS] == Status.ANSWERED]
            answers = answers[np.argsort(answers[:, FRAME], kind="stable")]
            self._cut_at(answers[:, FRAME], answers[:, FINISH] - answers[:, ARRIVAL])
            return
        size = 1 + int(pilot[:, FRAME].max(initial=-1))
        frames = Frames(size)
        frames.take(pilot)
        self._cut_at(*frames.latencies(size))

    def _cut_at(self, frames: IntArray | None, latency: IntArray) -> None:
        """Find the warm-up on latencies in the order of their frames, and round it up to where a snapshot is taken."""
        cut = mser5(latency, compiled=self._compiled)
        frame = cut if frames is None or not cut else int(frames[cut])
        self._cut = -(-frame // self._step) * self._step

    def _count(self, records: IntArray) -> None:
        measured = records[records[:, FRAME] >= (self._cut or 0)]
        self._tally.add(measured)
        if not self._batches:
            return
        span = max(self._n_frames - (self._cut or 0), 1)
        batch = (measured[:, FRAME] - (self._cut or 0)) * BATCHES // span
        for b in np.unique(batch):
            self._batch_tallies[b].add(measured[batch == b])

    def _count_all(self) -> None:
        """Find the warm-up of a run that is short enough to be looked at as a whole, and count the rest of it."""
        if self._cut is None:
            self._cut_at(*self._frames.latencies(self._n_frames))
        found = self._frames.tallies(
            cut=self._cut or 0,
            n_frames=self._n_frames,
            n_exits=self._n_exits,
            deadline_ns=self._deadline_ns,
            n_batches=self._batches,
        )
        if found is not None:
            self._tally, self._batch_tallies = found
            return
        limit = EXACT_LIMIT // BATCHES
        self._batch_tallies = [Tally(self._n_exits, self._deadline_ns, limit) for _ in range(self._batches)]
        self._count(self._frames.records(self._n_frames))

    def finish(self, counters: Counters) -> Observation:
        """The run is over."""
        if self._at_once:
            self._count_all()
        elif self._cut is None:
            seen = np.concatenate([NOTHING, *self._pilot])
            self._decide(seen[:PILOT_FRAMES])
            self._count(seen)
        cut = self._cut or 0
        frames = None
        if self._keep:
            frames = np.concatenate([NOTHING, *self._kept])
            frames = frames[np.argsort(frames[:, FRAME], kind="stable")]
        return Observation(cut, self._tally, self._batch_tallies, self._totals_at(cut), counters, frames)
