"""Tallies of a whole run and of its batches from all its records at once: what `Tally` counts, in compiled passes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from eesim.base import IntArray
from eesim.engine import kernel_tally as k
from eesim.metrics.histogram import EXACT_LIMIT
from eesim.metrics.tally import Tally

NO_DEADLINE = np.iinfo(np.int64).max


class Workspace:
    """Memory for `tally_records` that is used again; what it returns lies there.

    Parameters
    ----------
    frames
        Frames to have room for.
    """

    def __init__(self, frames: int) -> None:
        self.rows: IntArray = np.zeros((6, frames), np.int64)


def latencies_in_order(records: Sequence[IntArray], n_frames: int) -> tuple[IntArray, IntArray]:
    """Frames that answered, ascending, and their latencies, ns; ``records`` as for `tally_records`."""
    size = min(n_frames, 1 + max((int(part[:, k.FRAME].max()) for part in records if len(part)), default=-1))
    latency = np.full(size, -1, np.int64)
    for part in records:
        k.scatter(part, latency)
    frames = np.flatnonzero(latency >= 0)
    return frames, latency[frames] if len(frames) < size else latency


def tally_records(
    records: Sequence[IntArray],
    *,
    cut: int,
    n_frames: int,
    n_exits: int,
    deadline_ns: int | None,
    n_batches: int,
    workspace: Workspace | None = None,
) -> tuple[Tally, list[Tally]]:
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
    Tally, list of Tally
        Of all frames, and of each batch.
    """
    rows = max(n_batches, 1)
    sums = np.zeros((rows, k.SUMS_WIDTH), np.int64)
    by_group = np.zeros((rows * n_exits, 2), np.int64)
    size = sum(map(len, records))
    fits = workspace is not None and size <= workspace.rows.shape[1]
    space = workspace.rows if fits and workspace is not None else np.empty((6, size), np.int64)
    latency, group = space[0], space[1]
    deadline = NO_DEADLINE if deadline_ns is None else deadline_ns
    span, found = max(n_frames - cut, 1), 0
    for part in records:
        found += k.count(part, cut, span, deadline, n_exits, sums, by_group, latency[found:], group[found:])
    whole = _whole(sums)
    grouped = by_group.reshape(rows, n_exits, 2)
    in_order, group_in_order = _sorted(latency[:found], group[:found], len(by_group), space[2])
    sizes = [by_group[:, 0], grouped[:, :, 0].sum(axis=1), grouped[:, :, 0].sum(axis=0)]
    starts = [np.concatenate([[0], np.cumsum(size)]) for size in sizes]
    parts = [row[:found] for row in space[3:]]
    k.deal(in_order, group_in_order, n_exits, *(start[:-1].copy() for start in starts), *parts)
    groups, batches, exits = (
        [part[a:b] for a, b in pairwise(start.tolist())] for part, start in zip(parts, starts, strict=True)
    )
    totals = grouped[:, :, 1].tolist()
    total = Tally.of(
        n_exits, deadline_ns, whole, in_order, exits, [sum(column) for column in zip(*totals, strict=True)]
    )
    if not n_batches:
        return total, []
    limit = EXACT_LIMIT // n_batches
    cells = [groups[b * n_exits : (b + 1) * n_exits] for b in range(rows)]
    return total, [
        Tally.of(n_exits, deadline_ns, row, batches[b], cells[b], totals[b], limit)
        for b, row in enumerate(sums.tolist())
    ]


def _whole(sums: IntArray) -> list[int]:
    """Sums of all batches, as one row of exact integers."""
    rows = [row for row in sums.tolist() if row[k.N_ANSWERED]] or sums[:1].tolist()
    out = [sum(column) for column in zip(*sums.tolist(), strict=True)]
    for column, choose in ((k.FIRST_ARRIVAL, min), (k.LAST_ARRIVAL, max), (k.FIRST_ANSWER, min), (k.LAST_ANSWER, max)):
        out[column] = choose(row[column] for row in rows)
    return out


def _sorted(latency: IntArray, group: IntArray, n_groups: int, space: IntArray) -> tuple[IntArray, IntArray]:
    """Latencies ascending, each with its group; packed into one number where both fit. May change its arguments."""
    bits = max(n_groups - 1, 1).bit_length()
    if len(latency) and int(latency.max()) >> (62 - bits):
        order = np.argsort(latency, kind="stable")
        return latency[order], group[order]
    packed = space[: len(latency)]
    np.left_shift(latency, bits, out=packed)
    packed |= group
    packed.sort()
    return np.right_shift(packed, bits, out=latency), np.bitwise_and(packed, (1 << bits) - 1, out=group)
