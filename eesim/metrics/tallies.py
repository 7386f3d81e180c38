"""Tallies of a whole run and of its batches, when all its frames are over: what `Tally` counts, in compiled passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import kernel_tally as k
from eesim.metrics.correctness import UNKNOWN
from eesim.metrics.histogram import Summary, rank_of
from eesim.metrics.rows import EXIT_SHARE, QUANTILES, Rows, of_plan
from eesim.metrics.tally import Cells, Tally, plan_places
from eesim.plan.plan import NEVER, RECORD_COLUMNS, Status

SHARES = tuple(QUANTILES.values())
"""Quantiles that are found of all latencies."""


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
        self._sizes = 1, 1, 1, 0, 0

    @property
    def size(self) -> int:
        """Frames that there is room for."""
        return len(self._packed)

    def clear(self, n_frames: int, cells: Cells) -> None:
        """Forget all frames; so many may come."""
        self._facts[k.CELL, :n_frames] = k.STILL_THERE
        self._right = None
        self._n_answers, self._sizes = (
            0,
            (cells.n_levels, cells.n_places, len(cells.deadlines_ns), cells.plan_exits, cells.plan_levels),
        )

    def take(self, records: IntArray) -> None:
        """Take (n, 12) records, in any order."""
        self._n_answers += k.spread(records, self._facts, *self._sizes)

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
        exits, levels, basis = plan_places(*np.divmod(np.where(answered, cell, 0), cells.n_levels), cells)
        status, place, stream = _how(np.where(answered, k.NO_ANSWER, cell), cells)
        streams = np.where(answered, np.array(cells.exit_stream)[exits], stream)
        columns = [frames, finish - latency, finish, np.where(answered, exits, -1), status, queued, served, moved]
        levels, places = np.where(answered, levels, 0), np.where(answered, -1, place)
        out = np.column_stack([*columns, streams, levels, places, basis])
        assert out.shape[1] == len(RECORD_COLUMNS)
        order = np.argsort(finish, kind="stable")
        return out[order], None if self._right is None else self._right[frames][order]

    def tallies(
        self, cells: Cells, *, cut: int, n_frames: int, n_batches: int
    ) -> tuple[Tally, Rows, tuple[Rows, ...]] | None:
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
        Tally, Rows, tuple of Rows
            Tally of all frames; rows of it and of each batch; the same of each stream, if wanted. None if a latency
            is too long to be counted here (hours).
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
        lost = np.zeros((rows + 1, n_streams, len(Status), cells.n_places), np.int64)
        if sums[:, :, k.N_DROPPED].any():
            lost = _lost(self._facts[k.CELL], cells, cut, n_frames, rows)
        counted = _Counted(cells, sums, by_cell, packed, bits, right, lost)
        end = n_batches + 1
        own = range(n_streams if cells.by_stream else 0)
        return counted.whole(), counted.rows(None, end), tuple(counted.rows(g, end) for g in own)


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
        Right answers at each exit: of the whole, then of each batch.
    lost
        (B + 1, G, S, P) dropped frames by how and where, likewise.
    """

    def __init__(
        self,
        cells: Cells,
        sums: IntArray,
        by_cell: IntArray,
        packed: IntArray,
        bits: tuple[int, int],
        right: list[Counter[int]],
        lost: IntArray,
    ) -> None:
        self._cells, self._right, self._lost = cells, right, lost
        self._n_batches, self._n_streams = sums.shape[:2]
        # Row 0 is the whole, then come the batches.
        self._sums = np.concatenate([_merged(sums, 0)[None], sums])
        self._by_cell = np.concatenate([by_cell.sum(axis=0)[None], by_cell])
        self._by_exit = self._by_cell.reshape(-1, cells.n_exits, cells.n_levels, 2).sum(axis=2)
        counts = sums[:, :, k.N_ANSWERED]
        groups = [counts.sum(axis=1)]
        if self._n_streams > 1:
            groups += [counts.ravel(), counts.sum(axis=0)]
        ranks, exit_ranks = _ranks(SHARES, np.concatenate(groups)[:, None]), _ranks(EXIT_SHARE, self._by_exit[:, :, 0])
        exit_ranks = np.roll(exit_ranks, -1, axis=0)
        quantiles, exit_p99 = np.zeros_like(ranks), np.zeros_like(exit_ranks)
        seen = np.zeros((len(ranks), 2), np.int64), np.zeros_like(exit_ranks)
        k.pick(packed, *bits, self._n_streams, ranks, exit_ranks, quantiles, exit_p99, *seen)
        self._exit_p99 = np.roll(exit_p99, 1, axis=0)
        n = len(packed)
        of_all = [int(packed[rank_of(share, n) - 1] >> sum(bits)) for share in SHARES] if n else [0] * len(SHARES)
        batches, rest = quantiles[: self._n_batches], quantiles[self._n_batches :]
        self._quantiles = np.concatenate([[of_all], batches])
        if self._n_streams > 1:
            own = rest.reshape(self._n_batches + 1, self._n_streams, len(SHARES))
            self._own_quantiles = np.roll(own, 1, axis=0)
        else:
            self._own_quantiles = self._quantiles[:, None]

    def rows(self, stream: int | None, end: int) -> Rows:
        """Rows of the whole and of the batches before ``end``, of all streams or of one."""
        sums = (_merged(self._sums, 1) if stream is None else self._sums[:, stream])[:end]
        mine = np.array([stream in (None, of) for of in self._cells.exit_stream])
        by_cell = self._by_cell[:end, :, 0].reshape(len(sums), self._cells.n_exits, self._cells.n_levels)
        parts = sums[:, [k.SUM_QUEUEING, k.SUM_SERVICE, k.SUM_TRANSFER]]
        contention = sums[:, k.SUM_LATENCY] - parts.sum(axis=1)
        right = np.zeros((len(sums), self._cells.n_exits))
        for row, found in enumerate(self._right[:end]):
            right[row, list(found)] = list(found.values())
        judged = np.zeros(self._cells.n_exits)
        judged[list(self._right[0] if self._right else ())] = 1
        own = of_plan(np.where(mine[:, None], by_cell, 0).astype(float), np.where(mine, judged, 0), self._cells)
        n_exits = len(own.judged)
        return Rows(
            sums[:, k.N_ANSWERED].astype(float),
            sums[:, k.N_DROPPED].astype(float),
            sums[:, k.N_MISSED].astype(float),
            sums[:, k.SUM_LATENCY].astype(float),
            sums[:, k.LARGEST].astype(float),
            (self._quantiles if stream is None else self._own_quantiles[:, stream])[:end].astype(float),
            np.column_stack([parts, contention]).astype(float),
            (sums[:, k.LAST_ANSWER] - sums[:, k.FIRST_ANSWER]).astype(float),
            own.cells,
            np.where(mine, self._by_exit[:end, :, 1], 0)[:, :n_exits].astype(float),
            self._exit_p99[:end, :n_exits].astype(float),
            own.judged,
            np.where(mine, right, 0).sum(axis=1),
            (self._lost.sum(axis=1) if stream is None else self._lost[:, stream])[:end].astype(float),
            own.again,
            own.stale,
            own.forced,
        )

    def whole(self) -> Tally:
        """Tally of all frames."""
        own: list[Tally] = []
        if self._cells.by_stream:
            own = [self._tally(self._sums[0, g], self._own_quantiles[0, g], g) for g in range(self._n_streams)]
        return self._tally(_merged(self._sums[0], 0), self._quantiles[0], None, own)

    def _tally(self, row: IntArray, quantiles: IntArray, stream: int | None, own: Sequence[Tally] = ()) -> Tally:
        """Tally of all frames, or of one stream's."""
        levels, right = self._cells.n_levels, self._right[0] if self._right else {}
        mine = [stream in (None, of) for of in self._cells.exit_stream]
        sums = row.tolist()
        found = dict(zip(SHARES, map(float, quantiles), strict=True))
        latency = Summary(sums[k.N_ANSWERED], sums[k.SUM_LATENCY], sums[k.LARGEST], found)
        exits = [
            Summary(n, total, 0, {EXIT_SHARE: float(p99)}) if is_mine else NO_ANSWERS
            for is_mine, (n, total), p99 in zip(mine, self._by_exit[0].tolist(), self._exit_p99[0], strict=True)
        ]
        cells = {divmod(cell, levels): n for cell, n in enumerate(self._by_cell[0, :, 0].tolist()) if n}
        taken = Counter({(e, level): n for (e, level), n in cells.items() if mine[e]})
        own_right = Counter({e: n for e, n in right.items() if mine[e]})
        lost = self._lost[0].sum(axis=0) if stream is None else self._lost[0, stream]
        dropped = Counter(
            {(int(status), int(place) - 1): int(lost[status, place]) for status, place in np.argwhere(lost)}
        )
        return Tally.of(sums, latency, exits, taken, own_right, dropped, own)


NO_ANSWERS = Summary(0, 0, 0, {})

CHOSEN = (
    (k.FIRST_ANSWER, np.minimum, NEVER),
    (k.LAST_ANSWER, np.maximum, 0),
    (k.FIRST_ARRIVAL, np.minimum, NEVER),
    (k.LAST_ARRIVAL, np.maximum, 0),
)
"""Columns of the sums that are instants: what makes one of several, and what stands in where there is none."""


def _merged(sums: IntArray, axis: int) -> IntArray:
    """Add up rows of sums along an axis; exact, because `eesim.engine.kernel_tally.count_frames` sees to the room."""
    if sums.shape[axis] == 1:
        return np.asarray(sums.take(0, axis))
    out: IntArray = np.asarray(sums.sum(axis=axis))
    out[..., k.LARGEST] = sums[..., k.LARGEST].max(axis=axis)
    has_answers = sums[..., k.N_ANSWERED] > 0
    for column, choose, neutral in CHOSEN:
        instants = choose.reduce(np.where(has_answers, sums[..., column], neutral), axis=axis)
        out[..., column] = np.where(out[..., k.N_ANSWERED] > 0, instants, 0)
    return out


def _ranks(share: float | Sequence[float], n: IntArray) -> IntArray:
    """`rank_of` the quantile of each of several numbers of values; 0 where there are none."""
    shares: FloatArray = np.array(share)
    return np.where(n > 0, np.maximum(np.ceil(shares * n - 1e-9), 1), 0).astype(np.int64)


def _how(cell: IntArray, cells: Cells) -> tuple[IntArray, IntArray, IntArray]:
    """How, where and in which stream frames were dropped; see `eesim.engine.kernel_tally.NO_ANSWER`."""
    how, stream = np.divmod(k.NO_ANSWER - cell, len(cells.deadlines_ns))
    status, place = np.divmod(how, cells.n_places)
    return status, place - 1, stream


def _edges(cut: int, n_frames: int, n_batches: int) -> list[int]:
    """Where batches begin, and where the last one ends."""
    span = max(n_frames - cut, 1)
    return [cut - (-b * span // n_batches) for b in range(n_batches)] + [n_frames]


def _lost(cell: IntArray, cells: Cells, cut: int, n_frames: int, n_batches: int) -> IntArray:
    """Dropped frames by stream, how and where: of the whole, then of each batch."""
    frames = cut + np.flatnonzero((cell[cut:n_frames] < 0) & (cell[cut:n_frames] != k.STILL_THERE))
    batch = np.searchsorted(_edges(cut, n_frames, n_batches)[1:-1], frames, side="right")
    status, place, stream = _how(cell[frames], cells)
    out = np.zeros((n_batches + 1, len(cells.deadlines_ns), len(Status), cells.n_places), np.int64)
    np.add.at(out, (batch + 1, stream, status, place + 1), 1)
    out[0] = out[1:].sum(axis=0)
    return out


def _right(
    cells: IntArray, right: IntArray | None, layout: Cells, cut: int, n_frames: int, n_batches: int
) -> list[Counter[int]]:
    """Right answers at each exit whose answers are judged: of the whole, then of each batch."""
    if right is None:
        return []
    edges = _edges(cut, n_frames, n_batches)
    return [
        _right_between(cells[begin:end], right[begin:end], layout.n_levels)
        for begin, end in ((cut, n_frames), *pairwise(edges))
    ]


def _right_between(cells: IntArray, right: IntArray, n_levels: int) -> Counter[int]:
    judged = (right != UNKNOWN) & (cells >= 0)
    exits = cells[judged] // n_levels
    counts = np.bincount(exits, weights=right[judged])
    return Counter({int(e): int(counts[e]) for e in np.unique(exits)})
