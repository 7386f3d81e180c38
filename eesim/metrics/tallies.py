"""Tallies of a whole run and of its batches, when all its frames are over: what `Tally` counts, in compiled passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import kernel_tally as k
from eesim.metrics.correctness import UNKNOWN
from eesim.metrics.histogram import Summary, rank_of
from eesim.metrics.tally import Cells, Tally
from eesim.plan.plan import RECORD_COLUMNS, Status

SHARES = (0.50, 0.90, 0.95, 0.99)
EXIT_SHARE = 0.99
"""Quantiles that are found of all latencies, and of those at each exit."""


class Frames:
    """What the frames of one run came to, frame by frame; memory that can be used again.

    Parameters
    ----------
    size
        Frames to have room for.
    """

    def __init__(self, size: int) -> None:
        self._facts: IntArray = np.zeros((k.N_FACTS, size), np.int64)
        self._packed: IntArray = np.zeros(size, np.int64)
        self._right: IntArray | None = None
        self._n_answers = 0
        self._n_levels = 1

    @property
    def size(self) -> int:
        """Frames that there is room for."""
        return len(self._packed)

    def clear(self, n_frames: int, n_levels: int) -> None:
        """Forget all frames; so many may come, at so many levels."""
        self._facts[k.CELL, :n_frames] = k.STILL_THERE
        self._right = None
        self._n_answers, self._n_levels = 0, n_levels

    def take(self, records: IntArray) -> None:
        """Take (n, 10) records, in any order."""
        self._n_answers += k.spread(records, self._facts, self._n_levels)

    def mark(self, frames: IntArray, right: IntArray) -> None:
        """Note which frames got a right answer (`eesim.metrics.correctness.AnswerKey.check`)."""
        if self._right is None:
            self._right = np.full(self.size, UNKNOWN, np.int64)
        self._right[frames] = right

    def latencies(self, n_frames: int) -> tuple[IntArray | None, IntArray]:
        """Frames that answered, ascending, and their latencies, ns; no frames where all did."""
        latency = self._facts[k.LATENCY, :n_frames]
        if self._n_answers == n_frames:
            return None, latency
        frames = np.flatnonzero(self._facts[k.CELL, :n_frames] >= 0)
        return frames, latency[frames]

    def records(self, n_frames: int, cells: Cells) -> tuple[IntArray, IntArray | None]:
        """Return the records of all frames that ended, in the order of their ends, and which answers were right."""
        facts = self._facts[:, :n_frames]
        frames = np.flatnonzero(facts[k.CELL] != k.STILL_THERE)
        latency, finish, queued, served, moved, cell = facts[:, frames]
        answered = cell >= 0
        exits, levels = np.divmod(np.where(answered, cell, 0), cells.n_levels)
        streams = np.where(answered, np.array(cells.exit_stream)[exits], k.NO_ANSWER - cell)
        status = np.where(answered, Status.ANSWERED, Status.DROPPED)
        columns = [frames, finish - latency, finish, np.where(answered, exits, -1), status, queued, served, moved]
        out = np.column_stack([*columns, streams, levels])
        assert out.shape[1] == len(RECORD_COLUMNS)
        order = np.argsort(finish, kind="stable")
        return out[order], None if self._right is None else self._right[frames][order]

    def tallies(self, cells: Cells, *, cut: int, n_frames: int, n_batches: int) -> tuple[Tally, list[Tally]] | None:
        """Count the frames from ``cut`` on.

        Parameters
        ----------
        cells
            What they can come to.
        cut
            First frame that counts.
        n_frames
            Frames of the run.
        n_batches
            Batches of consecutive frames to tally, too; 0 for none.

        Returns
        -------
        Tally, list of Tally
            Of all frames, and of each batch; None if a latency is too long to be counted here (hours).
        """
        rows = max(n_batches, 1)
        exits = np.repeat(np.arange(cells.n_exits), cells.n_levels)
        n_streams = len(cells.deadlines_ns)
        streams = np.array(cells.exit_stream)[exits]
        sums = np.zeros((rows, n_streams, k.SUMS_WIDTH), np.int64)
        by_cell = np.zeros((rows, len(exits), 2), np.int64)
        bits = (rows * n_streams - 1).bit_length(), (cells.n_exits - 1).bit_length()
        found = k.count(self._facts, cut, n_frames, cells.limits_ns, exits, streams, sums, by_cell, self._packed, *bits)
        if found < 0:
            return None
        packed = self._packed[:found]
        packed.sort()
        right = _right(self._facts[k.CELL], self._right, cells, cut, n_frames, rows)
        counted = _Counted(cells, sums, by_cell, packed, bits, right)
        return counted.whole(), [counted.batch(b) for b in range(n_batches)]


class _Counted:
    """Makes tallies of what was counted.

    Parameters
    ----------
    cells
        What frames can come to.
    sums, by_cell, packed
        As `eesim.engine.kernel_tally.count_frames` fills them; ``packed`` is sorted.
    bits
        Of a row and of an exit.
    right
        Right answers at each exit: of each batch, then of the whole.
    """

    def __init__(
        self,
        cells: Cells,
        sums: IntArray,
        by_cell: IntArray,
        packed: IntArray,
        bits: tuple[int, int],
        right: list[Counter[int]],
    ) -> None:
        self._cells, self._right = cells, right
        self._sums = sums.tolist()
        self._n_batches, self._n_streams = sums.shape[:2]
        self._taken: list[list[list[int]]] = np.concatenate([by_cell, by_cell.sum(axis=0)[None]]).tolist()
        by_exit = by_cell.reshape(self._n_batches, cells.n_exits, cells.n_levels, 2).sum(axis=2)
        by_exit = np.concatenate([by_exit, by_exit.sum(axis=0)[None]])
        self._by_exit = by_exit.tolist()
        counts = sums[:, :, k.N_ANSWERED]
        groups = [counts.sum(axis=1)]
        if self._n_streams > 1:
            groups += [counts.ravel(), counts.sum(axis=0)]
        ranks, exit_ranks = _ranks(SHARES, np.concatenate(groups)[:, None]), _ranks(EXIT_SHARE, by_exit[:, :, 0])
        quantiles, exit_p99 = np.zeros_like(ranks), np.zeros_like(exit_ranks)
        seen = np.zeros((len(ranks), 2), np.int64), np.zeros_like(exit_ranks)
        k.pick(packed, *bits, self._n_streams, ranks, exit_ranks, quantiles, exit_p99, *seen)
        self._quantiles = quantiles.tolist()
        self._exit_p99 = exit_p99.tolist()
        n = len(packed)
        self._of_all = [int(packed[rank_of(share, n) - 1] >> sum(bits)) for share in SHARES] if n else [0] * len(SHARES)

    def whole(self) -> Tally:
        """Tally of all frames."""
        own = [_together(row[g] for row in self._sums) for g in range(self._n_streams)]
        first = self._n_batches * (self._n_streams + 1)
        return self._tally(self._n_batches, own, self._of_all, first)

    def batch(self, b: int) -> Tally:
        """Tally of one batch."""
        return self._tally(b, self._sums[b], self._quantiles[b], self._n_batches + b * self._n_streams)

    def _tally(self, row: int, of_streams: list[Sequence[int]], quantiles: Sequence[int], first: int) -> Tally:
        """Tally of a row, with those of each stream if they are wanted, whose quantiles begin at ``first``."""
        own = []
        if self._cells.by_stream:
            alone = self._n_streams == 1
            own = [
                self._part(row, sums, quantiles if alone else self._quantiles[first + g], g)
                for g, sums in enumerate(of_streams)
            ]
        return self._part(row, _together(of_streams), quantiles, None, own)

    def _part(
        self, row: int, sums: Sequence[int], quantiles: Sequence[int], stream: int | None, own: Sequence[Tally] = ()
    ) -> Tally:
        """Tally of a batch (the last row: of the whole), or of one stream's part in it."""
        levels, right = self._cells.n_levels, self._right[row] if self._right else {}
        found = dict(zip(SHARES, map(float, quantiles), strict=True))
        latency = Summary(sums[k.N_ANSWERED], sums[k.SUM_LATENCY], sums[k.LARGEST], found)
        exits = [
            Summary(n, total, 0, {EXIT_SHARE: float(p99)})
            for (n, total), p99 in zip(self._by_exit[row], self._exit_p99[row], strict=True)
        ]
        taken = {divmod(cell, levels): n for cell, (n, _) in enumerate(self._taken[row]) if n}
        if stream is not None and self._n_streams > 1:
            mine = [of == stream for of in self._cells.exit_stream]
            exits = [exit_ if mine[e] else NO_ANSWERS for e, exit_ in enumerate(exits)]
            taken = {(e, level): n for (e, level), n in taken.items() if mine[e]}
            right = {e: n for e, n in right.items() if mine[e]}
        return Tally.of(sums, latency, exits, Counter(taken), Counter(right), own)


NO_ANSWERS = Summary(0, 0, 0, {})

CHOSEN = {k.FIRST_ANSWER: min, k.LAST_ANSWER: max, k.FIRST_ARRIVAL: min, k.LAST_ARRIVAL: max, k.LARGEST: max}
"""Columns of the sums that are no sums, and what makes one number of several."""


def _together(rows: Iterable[Sequence[int]]) -> Sequence[int]:
    """Sums of several rows, as one row of exact integers."""
    rows = list(rows)
    if len(rows) == 1:
        return rows[0]
    out = [sum(column) for column in zip(*rows, strict=True)]
    with_answers = [row for row in rows if row[k.N_ANSWERED]] or rows[:1]
    for column, choose in CHOSEN.items():
        out[column] = choose(row[column] for row in with_answers)
    return out


def _ranks(share: float | Sequence[float], n: IntArray) -> IntArray:
    """`rank_of` the quantile of each of several numbers of values; 0 where there are none."""
    shares: FloatArray = np.array(share)
    return np.where(n > 0, np.maximum(np.ceil(shares * n - 1e-9), 1), 0).astype(np.int64)


def _right(
    cells: IntArray, right: IntArray | None, layout: Cells, cut: int, n_frames: int, n_batches: int
) -> list[Counter[int]]:
    """Right answers at each exit whose answers are judged: of each batch, then of the whole."""
    if right is None:
        return []
    span = max(n_frames - cut, 1)
    edges = [cut - (-b * span // n_batches) for b in range(n_batches)] + [n_frames]
    return [
        _right_between(cells[begin:end], right[begin:end], layout.n_levels)
        for begin, end in (*pairwise(edges), (cut, n_frames))
    ]


def _right_between(cells: IntArray, right: IntArray, n_levels: int) -> Counter[int]:
    judged = (right != UNKNOWN) & (cells >= 0)
    exits = cells[judged] // n_levels
    counts = np.bincount(exits, weights=right[judged])
    return Counter({int(e): int(counts[e]) for e in np.unique(exits)})
