"""Watch one replication: keep its frames, or only what fits in bounded memory, and cut its warm-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.engine.protocol import Counters
from eesim.metrics.correctness import AnswerKey
from eesim.metrics.histogram import EXACT_LIMIT
from eesim.metrics.rows import Rows, rows_of
from eesim.metrics.statistics import mser5
from eesim.metrics.tally import (
    ARRIVAL,
    EXIT,
    FINISH,
    FRAME,
    LEVEL,
    PARTS,
    PLACE,
    QUEUEING,
    SERVICE,
    STATUS,
    STREAM,
    TRANSFER,
    Cells,
    Tally,
)
from eesim.plan.plan import RECORD_COLUMNS, Status

if TYPE_CHECKING:
    from eesim.metrics.tallies import Frames

__all__ = [
    "ARRIVAL", "BATCHES", "EXIT", "FINISH", "FRAME", "LEVEL", "PARTS", "PLACE", "QUEUEING", "SERVICE", "STATUS",
    "STREAM", "TRANSFER", "Observation", "Observer",
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
    rows: Rows
    """What the frames say: of the whole, then of each batch."""
    stream_rows: tuple[Rows, ...]
    """The same of each stream by itself; nothing where there is one without a name."""
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
    cells
        What frames can come to.
    warmup
        ``"auto"`` (MSER-5 on latency), ``"none"`` or a number of frames.
    keep
        Keep every frame's record.
    batches
        Tally `BATCHES` batches, too: the only replication needs them for its intervals.
    step
        Frames between snapshots: an automatic warm-up ends at one of them.
    key
        Knows which answers are right; None if nobody does.
    frames
        Memory to use again, for runs that fit.
    compiled
        Count in compiled code what can be; the numbers are the same.
    """

    def __init__(
        self,
        n_frames: int,
        cells: Cells,
        *,
        warmup: str | int,
        keep: bool,
        batches: bool,
        step: int = 1,
        key: AnswerKey | None = None,
        frames: Frames | None = None,
        compiled: bool = True,
    ) -> None:
        self._n_frames = n_frames
        self._cells = cells
        self._step = step
        self._key = key
        self._keep = keep
        self._compiled = compiled
        self._n_batches = BATCHES if batches else 0
        self._kept: list[IntArray] = []
        self._pilot: list[IntArray] = []
        self._pilot_size = 0
        self._cut: int | None = None if warmup == "auto" else 0 if warmup == "none" else int(warmup)
        self._snapshots: list[tuple[IntArray, Sequence[Counters]]] = []
        self._frames = self._room(frames) if compiled and n_frames <= PILOT_FRAMES else None
        self._tally = Tally(cells)
        self._batches = [] if self._frames else self._empty_batches()
        self._rows: Rows | None = None
        self._stream_rows: tuple[Rows, ...] = ()

    def _room(self, frames: Frames | None) -> Frames:
        """Room for all frames: short runs are counted as a whole when they are over."""
        from eesim.metrics.tallies import Frames

        room = frames if frames is not None and self._n_frames <= frames.size else Frames(self._n_frames)
        room.clear(self._n_frames, self._cells)
        return room

    def _empty_batches(self) -> list[Tally]:
        return [Tally(self._cells, EXACT_LIMIT // BATCHES) for _ in range(self._n_batches)]

    def snapshots(self, frames: IntArray, totals: Sequence[Counters]) -> None:
        """Note the totals when so many frames have arrived; a warm-up can end at any of these."""
        if len(frames) and (self._cut is None or frames[0] <= self._cut or not self._snapshots):
            self._snapshots.append((frames, totals))

    def _totals_at(self, cut: int) -> Counters:
        """Totals at the last snapshot that is not later than ``cut``."""
        frames, totals = max((s for s in self._snapshots if s[0][0] <= cut), key=lambda s: int(s[0][0]))
        return totals[int(np.searchsorted(frames, cut, side="right")) - 1]

    @property
    def sink(self) -> Callable[[IntArray], None] | None:
        """Takes records while they are hot, without keeping them; None if they must go to `add`."""
        return None if self._frames is None or self._keep else self._spread

    def _spread(self, records: IntArray) -> None:
        assert self._frames is not None
        self._frames.take(records)
        if self._key is not None:
            self._frames.mark(records[:, FRAME], self._key.check(records))

    def add(self, records: IntArray) -> None:
        """Take the records of frames that ended, in that order; those that went to `sink` are not among them."""
        if self._keep:
            self._kept.append(records)
        if self._frames is not None:
            self._spread(records)
            return
        if self._cut is not None:
            self._count(records)
            return
        self._pilot.append(records)
        self._pilot_size += len(records)
        if self._pilot_size >= min(PILOT_FRAMES, self._n_frames):
            self._decide(min(PILOT_FRAMES, self._n_frames))

    def _decide(self, size: int) -> None:
        """Find the warm-up on the first ``size`` frames that ended."""
        seen = np.concatenate([NOTHING, *self._pilot])
        pilot = seen[:size]
        answers = pilot[pilot[:, STATUS] == Status.ANSWERED]
        answers = answers[np.argsort(answers[:, FRAME], kind="stable")]
        self._cut_at(answers[:, FRAME], answers[:, FINISH] - answers[:, ARRIVAL])
        self._pilot = []
        self._count(seen)

    def _cut_at(self, frames: IntArray | None, latency: IntArray) -> None:
        """Find the warm-up on latencies in the order of their frames, and round it up to where a snapshot is taken."""
        cut = mser5(latency, compiled=self._compiled)
        frame = cut if frames is None or not cut else int(frames[cut])
        self._cut = -(-frame // self._step) * self._step

    def _count(self, records: IntArray, right: IntArray | None = None) -> None:
        counts = records[:, FRAME] >= (self._cut or 0)
        measured = records[counts]
        if right is None and self._key is not None:
            right = self._key.check(records)
        right = None if right is None else right[counts]
        self._tally.add(measured, right)
        if not self._batches:
            return
        span = max(self._n_frames - (self._cut or 0), 1)
        batch = (measured[:, FRAME] - (self._cut or 0)) * BATCHES // span
        for b in np.unique(batch):
            mine = batch == b
            self._batches[b].add(measured[mine], None if right is None else right[mine])

    def _count_all(self, frames: Frames) -> None:
        """Find the warm-up of a run that is looked at as a whole, and count the rest of it."""
        if self._cut is None:
            self._cut_at(*frames.latencies(self._n_frames))
        found = frames.tallies(self._cells, cut=self._cut or 0, n_frames=self._n_frames, n_batches=self._n_batches)
        if found is not None:
            self._tally, self._rows, self._stream_rows = found
            return
        self._batches = self._empty_batches()
        self._count(*frames.records(self._n_frames, self._cells))

    def finish(self, counters: Counters) -> Observation:
        """The run is over."""
        if self._frames is not None:
            self._count_all(self._frames)
        elif self._cut is None:
            self._decide(PILOT_FRAMES)
        if self._rows is None:
            tallies = [self._tally, *self._batches]
            self._rows = rows_of(tallies, self._cells)
            own = range(len(self._tally.streams))
            self._stream_rows = tuple(rows_of([t.streams[g] for t in tallies], self._cells) for g in own)
        cut = self._cut or 0
        frames = None
        if self._keep:
            frames = np.concatenate([NOTHING, *self._kept])
            frames = frames[np.argsort(frames[:, FRAME], kind="stable")]
        return Observation(cut, self._tally, self._rows, self._stream_rows, self._totals_at(cut), counters, frames)
