"""Tallies of a whole run and of its batches, when all its frames are over: what `Tally` counts, in compiled passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import overload

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import kernel_tally as k
from eesim.metrics.histogram import Summary, rank_of
from eesim.metrics.tally import Tally
from eesim.plan.plan import RECORD_COLUMNS, Status

SHARES = (0.50, 0.90, 0.95, 0.99)
_SHARES: FloatArray = np.array(SHARES)
EXIT_SHARE = 0.99
"""Quantiles that are found of all latencies, and of those at each exit."""

NO_DEADLINE = np.iinfo(np.int64).max


class Frames:
    """What the frames of one run came to, frame by frame; memory that can be used again.

    Parameters
    ----------
    size
        Frames to have room for.
    """

    def __init__(self, size: int) -> None:
        self._times: IntArray = np.zeros((k.N_TIMES, size), np.int64)
        self._exits: k.Exits = np.full(size, k.STILL_THERE, np.int16)
        self._packed: IntArray = np.zeros(size, np.int64)
        self._n_answers = 0

    @property
    def size(self) -> int:
        """Frames that there is room for."""
        return len(self._exits)

    def clear(self, n_frames: int) -> None:
        """Forget all frames; so many may come."""
        self._exits[:n_frames] = k.STILL_THERE
        self._n_answers = 0

    def take(self, records: IntArray) -> None:
        """Take (n, 8) records, in any order."""
        self._n_answers += k.spread(records, self._times, self._exits)

    def latencies(self, n_frames: int) -> tuple[IntArray | None, IntArray]:
        """Frames that answered, ascending, and their latencies, ns; no frames where all did."""
        latency = self._times[k.LATENCY, :n_frames]
        if self._n_answers == n_frames:
            return None, latency
        frames = np.flatnonzero(self._exits[:n_frames] >= 0)
        return frames, latency[frames]

    def records(self, n_frames: int) -> IntArray:
        """Return the records of all frames, in the order of their answers."""
        exits, times = self._exits[:n_frames], self._times[:, :n_frames]
        out = np.zeros((n_frames, len(RECORD_COLUMNS)), np.int64)
        out[:, k.FRAME], out[:, k.EXIT] = np.arange(n_frames), np.maximum(exits, k.NO_ANSWER)
        out[:, k.STATUS] = np.where(exits < 0, Status.DROPPED, Status.ANSWERED)
        out[:, k.ARRIVAL], out[:, k.FINISH] = times[k.FINISHED] - times[k.LATENCY], times[k.FINISHED]
        out[:, k.QUEUEING], out[:, k.SERVICE], out[:, k.TRANSFER] = times[k.QUEUED], times[k.SERVED], times[k.MOVED]
        return out[np.argsort(out[:, k.FINISH], kind="stable")]

    def tallies(
        self, *, cut: int, n_frames: int, n_exits: int, deadline_ns: int | None, n_batches: int
    ) -> tuple[Tally, Batches] | None:
        """Count the frames from ``cut`` on.

        Parameters
        ----------
        cut
            First frame that counts.
        n_frames
            Frames of the run.
        n_exits
            Exits that can answer.
        deadline_ns
            Deadline, if there is one.
        n_batches
            Batches of consecutive frames to tally, too; 0 for none.

        Returns
        -------
        Tally, Batches
            Of all frames, and of each batch; None if a latency is too long to be counted here (days).
        """
        rows = max(n_batches, 1)
        sums, by_exit = np.zeros((rows, k.SUMS_WIDTH), np.int64), np.zeros((rows, n_exits, 2), np.int64)
        deadline = NO_DEADLINE if deadline_ns is None else deadline_ns
        bits = (rows - 1).bit_length(), (n_exits - 1).bit_length()
        found = k.count(self._times, self._exits, cut, n_frames, deadline, sums, by_exit, self._packed, *bits)
        if found < 0:
            return None
        packed = self._packed[:found]
        packed.sort()
        total, batches = _ranked(packed, sums, by_exit, bits)
        return total, batches if n_batches else NO_BATCHES


def _ranked(packed: IntArray, sums: IntArray, by_exit: IntArray, bits: tuple[int, int]) -> tuple[Tally, Batches]:
    """Find the quantiles that are asked for among sorted latencies."""
    found = len(packed)
    whole = _whole(sums)
    counts = np.concatenate([by_exit, by_exit.sum(axis=0)[None]])
    ranks, exit_ranks = _ranks(_SHARES, sums[:, k.N_ANSWERED, None]), _ranks(EXIT_SHARE, counts[:, :, 0])
    quantiles, exit_quantiles = np.zeros_like(ranks), np.zeros_like(exit_ranks)
    seen = np.zeros((len(sums), 2), np.int64), np.zeros_like(exit_ranks)
    k.pick(packed, *bits, ranks, exit_ranks, quantiles, exit_quantiles, *seen)
    of_all = [float(packed[rank_of(share, found) - 1] >> sum(bits)) for share in SHARES] if found else []
    whole[k.LARGEST] = int(packed[-1] >> sum(bits)) if found else 0
    batches = Batches(sums.tolist(), counts.tolist(), quantiles.tolist(), exit_quantiles.tolist())
    total = _tally(whole, of_all, batches.by_exit[-1], batches.exit_p99[-1])
    return total, batches


class Batches(Sequence[Tally]):
    """Tallies of batches, as rows of numbers; a `Tally` is made of a row when it is looked at.

    Parameters
    ----------
    sums
        What `eesim.engine.kernel_tally.count_frames` counted, for each batch.
    by_exit
        Answers and their summed latency, for each batch and exit; one more row for the whole.
    quantiles
        Quantiles (`SHARES`) of each batch's latencies, ns.
    exit_p99
        The 0.99 quantile at each exit of each batch, ns; one more row for the whole.
    """

    def __init__(
        self,
        sums: list[list[int]],
        by_exit: list[list[list[int]]],
        quantiles: list[list[int]],
        exit_p99: list[list[int]],
    ) -> None:
        self.sums = sums
        self.by_exit = by_exit
        self.quantiles = quantiles
        self.exit_p99 = exit_p99

    def __len__(self) -> int:
        return len(self.sums)

    @overload
    def __getitem__(self, index: int) -> Tally: ...

    @overload
    def __getitem__(self, index: slice) -> list[Tally]: ...

    def __getitem__(self, index: int | slice) -> Tally | list[Tally]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        quantiles = [float(value) for value in self.quantiles[index]]
        return _tally(self.sums[index], quantiles, self.by_exit[index], self.exit_p99[index])


NO_BATCHES = Batches([], [], [], [])


def _tally(
    sums: Sequence[int], quantiles: Sequence[float], by_exit: Sequence[Sequence[int]], exit_p99: Sequence[int]
) -> Tally:
    latency = Summary(
        sums[k.N_ANSWERED], sums[k.SUM_LATENCY], sums[k.LARGEST], dict(zip(SHARES, quantiles, strict=False))
    )
    exits = [Summary(n, total, 0, {EXIT_SHARE: float(p99)}) for (n, total), p99 in zip(by_exit, exit_p99, strict=True)]
    return Tally.of(sums, latency, exits)


def _ranks(share: float | FloatArray, n: IntArray) -> IntArray:
    """`rank_of` the quantile of each of several numbers of values; 0 where there are none."""
    ranks = np.maximum(np.ceil(share * n - 1e-9), 1).astype(np.int64)
    return np.where(n > 0, ranks, 0)


CHOSEN: tuple[tuple[int, Callable[[Iterable[int]], int]], ...] = (
    (k.FIRST_ANSWER, min),
    (k.LAST_ANSWER, max),
    (k.FIRST_ARRIVAL, min),
    (k.LAST_ARRIVAL, max),
)
"""Columns of the sums that are no sums, and what makes one number of several."""


def _whole(sums: IntArray) -> list[int]:
    """Sums of all batches, as one row of exact integers."""
    rows = [row for row in sums.tolist() if row[k.N_ANSWERED]] or sums[:1].tolist()
    out = [sum(column) for column in zip(*sums.tolist(), strict=True)]
    for column, choose in CHOSEN:
        out[column] = choose(row[column] for row in rows)
    return out
