"""Tallies of a whole run and of its batches from all its records at once: what `Tally` counts, in compiled passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import overload

import numpy as np

from eesim.base import IntArray
from eesim.engine import kernel_tally as k
from eesim.metrics.histogram import Summary, rank_of
from eesim.metrics.tally import Tally

SHARES = (0.50, 0.90, 0.95, 0.99)
EXIT_SHARE = 0.99
"""Quantiles that are found of all latencies, and of those at each exit."""

NO_DEADLINE = np.iinfo(np.int64).max


class Workspace:
    """Memory for `tally_records` that is used again; what it returns lies there.

    Parameters
    ----------
    frames
        Frames to have room for.
    """

    def __init__(self, frames: int) -> None:
        self.packed: IntArray = np.zeros(frames, np.int64)
        self.latency: IntArray = np.zeros(frames, np.int64)


def latencies_in_order(
    records: Sequence[IntArray], n_frames: int, workspace: Workspace | None = None
) -> tuple[IntArray | None, IntArray]:
    """Frames that answered, ascending, and their latencies, ns.

    Parameters
    ----------
    records
        Parts of the records, in any order.
    n_frames
        All frames have smaller numbers.
    workspace
        Memory to use again.

    Returns
    -------
    frames, latencies
        No frames where all answered: they are 0, 1, 2, ...
    """
    fits = workspace is not None and n_frames <= len(workspace.latency)
    latency = workspace.latency[:n_frames] if fits and workspace is not None else np.empty(n_frames, np.int64)
    if sum(k.scatter(part, latency) for part in records) == n_frames:
        return None, latency
    latency.fill(-1)
    for part in records:
        k.scatter(part, latency)
    frames = np.flatnonzero(latency >= 0)
    return frames, latency[frames]


def tally_records(
    records: Sequence[IntArray],
    *,
    cut: int,
    n_frames: int,
    n_exits: int,
    deadline_ns: int | None,
    n_batches: int,
    workspace: Workspace | None = None,
) -> tuple[Tally, Batches] | None:
    """Count the frames from ``cut`` on.

    Parameters
    ----------
    records
        Parts of the (F, 8) records, in the order in which frames ended.
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
    workspace
        Memory to use again.

    Returns
    -------
    Tally, Batches
        Of all frames, and of each batch; None if a latency is too long to be counted here (days).
    """
    rows = max(n_batches, 1)
    sums = np.zeros((rows, k.SUMS_WIDTH), np.int64)
    by_group = np.zeros((rows * n_exits, 2), np.int64)
    size = sum(map(len, records))
    fits = workspace is not None and size <= len(workspace.packed)
    packed = workspace.packed if fits and workspace is not None else np.empty(size, np.int64)
    deadline = NO_DEADLINE if deadline_ns is None else deadline_ns
    bits = (rows - 1).bit_length(), (n_exits - 1).bit_length()
    span, found = max(n_frames - cut, 1), 0
    for part in records:
        more = k.count(part, cut, span, deadline, n_exits, sums, by_group, packed[found:], *bits)
        if more < 0:
            return None
        found += more
    packed = packed[:found]
    packed.sort()
    whole = _whole(sums)
    grouped = by_group.reshape(rows, n_exits, 2)
    counts = np.concatenate([grouped, grouped.sum(axis=0)[None]])
    ranks = np.stack([_ranks(share, sums[:, k.N_ANSWERED]) for share in SHARES], axis=1)
    exit_ranks = _ranks(EXIT_SHARE, counts[:, :, 0])
    quantiles, exit_quantiles = np.zeros_like(ranks), np.zeros_like(exit_ranks)
    seen = np.zeros((rows, 2), np.int64), np.zeros_like(exit_ranks)
    k.pick(packed, *bits, ranks, exit_ranks, quantiles, exit_quantiles, *seen)
    of_all = [float(packed[rank_of(share, found) - 1] >> sum(bits)) for share in SHARES] if found else []
    whole[k.LARGEST] = int(packed[-1] >> sum(bits)) if found else 0
    batches = Batches(sums.tolist(), counts.tolist(), quantiles.tolist(), exit_quantiles.tolist())
    total = _tally(whole, of_all, batches.by_exit[-1], batches.exit_p99[-1])
    return total, batches if n_batches else NO_BATCHES


class Batches(Sequence[Tally]):
    """Tallies of batches, as rows of numbers; a `Tally` is made of a row when it is looked at.

    Parameters
    ----------
    sums
        What `eesim.engine.kernel_tally.count_records` counted, for each batch.
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


def _ranks(share: float, n: IntArray) -> IntArray:
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
