"""Tallies of a whole run and of its batches from all its records at once: what `Tally` counts, in compiled passes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from eesim.base import IntArray
from eesim.engine import kernel_tally as k
from eesim.metrics.histogram import EXACT_LIMIT
from eesim.metrics.tally import Tally

NO_DEADLINE = np.iinfo(np.int64).max


def latencies_in_order(records: IntArray, n_frames: int) -> tuple[IntArray, IntArray]:
    """Frames that answered, ascending, and their latencies, ns."""
    size = min(n_frames, int(records[:, k.FRAME].max(initial=-1)) + 1)
    latency = np.full(size, -1, np.int64)
    k.scatter(records, latency)
    frames = np.flatnonzero(latency >= 0)
    return frames, latency[frames] if len(frames) < size else latency


def tally_records(
    records: IntArray, *, cut: int, n_frames: int, n_exits: int, deadline_ns: int | None, n_batches: int
) -> tuple[Tally, list[Tally]]:
    """Count the frames from ``cut`` on.

    Parameters
    ----------
    records
        (F, 8) records in the order in which frames ended.
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
    Tally, list of Tally
        Of all frames, and of each batch.
    """
    rows = max(n_batches, 1)
    sums = np.zeros((rows, k.SUMS_WIDTH), np.int64)
    by_group = np.zeros((rows * n_exits, 2), np.int64)
    latency, group = np.empty((2, len(records)), np.int64)
    deadline = NO_DEADLINE if deadline_ns is None else deadline_ns
    found = k.count(records, cut, max(n_frames - cut, 1), deadline, n_exits, sums, by_group, latency, group)
    whole = _whole(sums)
    grouped = by_group.reshape(rows, n_exits, 2)
    in_order, group_in_order = _sorted(latency[:found], group[:found], len(by_group))
    sizes = [by_group[:, 0], grouped[:, :, 0].sum(axis=1), grouped[:, :, 0].sum(axis=0)]
    starts = [np.concatenate([[0], np.cumsum(size)]) for size in sizes]
    parts = np.empty((3, found), np.int64)
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


def _sorted(latency: IntArray, group: IntArray, n_groups: int) -> tuple[IntArray, IntArray]:
    """Latencies ascending, each with its group; packed into one number where both fit."""
    bits = max(n_groups - 1, 1).bit_length()
    if len(latency) and int(latency.max()) >> (62 - bits):
        order = np.argsort(latency, kind="stable")
        return latency[order], group[order]
    packed = latency << bits
    packed |= group
    packed.sort()
    return packed >> bits, packed & ((1 << bits) - 1)
