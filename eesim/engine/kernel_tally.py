"""Compiled counting of frame records: one pass for the sums of every batch, one over sorted latencies for quantiles.

Numbers are exact integers, so that what is counted here is
what `eesim.metrics.observe.Tally` counts record by record.
"""

from __future__ import annotations

import numpy as np

from eesim.engine.jit import WarmOnce, kernel
from eesim.plan.plan import IntArray, Status

FRAME, ARRIVAL, FINISH, EXIT, STATUS, QUEUEING, SERVICE, TRANSFER = range(8)
ANSWERED = int(Status.ANSWERED)

(
    N_ANSWERED, N_DROPPED, N_MISSED, SUM_QUEUEING, SUM_SERVICE, SUM_TRANSFER, SUM_LATENCY, FIRST_ANSWER, LAST_ANSWER,
    FIRST_ARRIVAL, LAST_ARRIVAL, LARGEST,
) = range(12)  # fmt: skip
SUMS_WIDTH = 12


@kernel
def scatter_latencies(records: IntArray, latency: IntArray) -> int:
    """Write the latency of each answered frame to its place in the stream; return how many there are."""
    found = 0
    for i in range(records.shape[0]):
        if records[i, STATUS] == ANSWERED:
            latency[records[i, FRAME]] = records[i, FINISH] - records[i, ARRIVAL]
            found += 1
    return found


@kernel
def mser_cut(values: IntArray, batch: int) -> int:
    """Batches to remove by the rule of `eesim.metrics.statistics.mser5`, whose numbers these are to the bit."""
    batches = values.shape[0] // batch
    last = 0
    for i in range(batch):
        last += values[(batches - 1) * batch + i]
    total = squares = 0.0
    best, least = 0, np.inf
    for d in range(batches - 1, -1, -1):
        sum_of_batch = 0
        for i in range(d * batch, d * batch + batch):
            sum_of_batch += values[i]
        mean = (sum_of_batch - last) / batch
        total += mean
        squares += mean * mean
        if d <= batches // 2:
            left = float(batches - d)
            error = max(squares - total * total / left, 0.0) / (left * left)
            if error <= least:
                best, least = d, error
    return best


@kernel
def count_records(
    records: IntArray,
    cut: int,
    span: int,
    deadline_ns: int,
    n_exits: int,
    sums: IntArray,
    by_group: IntArray,
    packed: IntArray,
    batch_bits: int,
    exit_bits: int,
) -> int:
    """Count the frames from ``cut`` on, batch by batch.

    Parameters
    ----------
    records
        (F, 8) records in the order in which frames ended.
    cut, span
        First frame that counts, and how many count; they are cut into as many batches as ``sums`` has rows.
    deadline_ns
        Latency above which an answer is a miss.
    n_exits
        Exits that can answer.
    sums
        (B, SUMS_WIDTH) zeros; filled.
    by_group
        (B * K, 2) zeros; answers and their summed latency.
    packed
        (F,) latency of each answer, followed by its batch and its exit in so many bits; filled from the start.
    batch_bits, exit_bits
        Their numbers.

    Returns
    -------
    int
        Answers; -1 if a latency does not leave room for the bits.
    """
    room = 1 << (62 - batch_bits - exit_bits)
    n_batches = sums.shape[0]
    found = b = begin = end = 0
    for i in range(records.shape[0]):
        frame = records[i, FRAME] - cut
        if frame < 0:
            continue
        if frame < begin or frame >= end:
            # Division is slow: frames [begin, end) are of the same batch.
            b = frame * n_batches // span
            begin, end = -(-b * span // n_batches), -(-(b + 1) * span // n_batches)
        if records[i, STATUS] != ANSWERED:
            sums[b, N_DROPPED] += 1
            continue
        arrival, finish = records[i, ARRIVAL], records[i, FINISH]
        took = finish - arrival
        if sums[b, N_ANSWERED] == 0:
            sums[b, FIRST_ANSWER] = finish
            sums[b, FIRST_ARRIVAL] = sums[b, LAST_ARRIVAL] = arrival
        sums[b, N_ANSWERED] += 1
        sums[b, N_MISSED] += took > deadline_ns
        sums[b, SUM_QUEUEING] += records[i, QUEUEING]
        sums[b, SUM_SERVICE] += records[i, SERVICE]
        sums[b, SUM_TRANSFER] += records[i, TRANSFER]
        sums[b, SUM_LATENCY] += took
        sums[b, LAST_ANSWER] = finish
        sums[b, LARGEST] = max(sums[b, LARGEST], took)
        sums[b, FIRST_ARRIVAL] = min(sums[b, FIRST_ARRIVAL], arrival)
        sums[b, LAST_ARRIVAL] = max(sums[b, LAST_ARRIVAL], arrival)
        g = b * n_exits + records[i, EXIT]
        by_group[g, 0] += 1
        by_group[g, 1] += took
        if took >= room:
            return -1
        packed[found] = took << batch_bits + exit_bits | b << exit_bits | records[i, EXIT]
        found += 1
    return found


@kernel
def pick_ranks(
    packed: IntArray,
    batch_bits: int,
    exit_bits: int,
    ranks: IntArray,
    exit_ranks: IntArray,
    found: IntArray,
    exit_found: IntArray,
    seen: IntArray,
    exit_seen: IntArray,
) -> None:
    """Find latencies by their ranks within every batch, and within every exit of it and of the whole.

    Parameters
    ----------
    packed
        (A,) latencies, ascending, each followed by its batch and its exit in so many bits.
    batch_bits, exit_bits
        Their numbers.
    ranks
        (B, Q) ranks from 1, ascending; 0 for none.
    exit_ranks
        (B + 1, K) one rank for each exit of each batch; the last row is for the whole.
    found, exit_found
        As the two before; filled.
    seen, exit_seen
        (B, 2) and (B + 1, K) zeros: counts on the way.
    """
    whole = ranks.shape[0]
    for i in range(packed.shape[0]):
        value = packed[i] >> (batch_bits + exit_bits)
        b = (packed[i] >> exit_bits) & ((1 << batch_bits) - 1)
        e = packed[i] & ((1 << exit_bits) - 1)
        seen[b, 0] += 1
        while seen[b, 1] < ranks.shape[1] and ranks[b, seen[b, 1]] <= seen[b, 0]:
            found[b, seen[b, 1]] = value
            seen[b, 1] += 1
        exit_seen[b, e] += 1
        if exit_seen[b, e] == exit_ranks[b, e]:
            exit_found[b, e] = value
        exit_seen[whole, e] += 1
        if exit_seen[whole, e] == exit_ranks[whole, e]:
            exit_found[whole, e] = value


scatter = WarmOnce(scatter_latencies)
mser = WarmOnce(mser_cut)
count = WarmOnce(count_records)
pick = WarmOnce(pick_ranks)
