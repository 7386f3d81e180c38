"""Compiled counting of frames: records are spread over the stream, summed by batch, and ranked for quantiles.

Numbers are exact integers, so that what is counted here is
what `eesim.metrics.observe.Tally` counts record by record.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from eesim.engine.jit import WarmOnce, kernel, pointer
from eesim.plan.plan import IntArray, Status

FRAME, ARRIVAL, FINISH, EXIT, STATUS, QUEUEING, SERVICE, TRANSFER = range(8)
WIDTH = 8
ANSWERED = int(Status.ANSWERED)

(
    N_ANSWERED, N_DROPPED, N_MISSED, SUM_QUEUEING, SUM_SERVICE, SUM_TRANSFER, SUM_LATENCY, FIRST_ANSWER, LAST_ANSWER,
    FIRST_ARRIVAL, LAST_ARRIVAL, LARGEST,
) = range(12)  # fmt: skip
SUMS_WIDTH = 12

LATENCY, FINISHED, QUEUED, SERVED, MOVED = range(5)
N_TIMES = 5
NO_ANSWER = -1
STILL_THERE = -2
"""In place of an exit: the frame was dropped, or has not ended."""

NEVER = np.iinfo(np.int64).max
Exits: TypeAlias = npt.NDArray[np.int16]


@kernel
def spread_records(records: IntArray, times: IntArray, exits: Exits) -> int:
    """Write what is counted later to each frame's place in the stream; return how many frames answered.

    Parameters
    ----------
    records
        (n, 8) records, in any order.
    times
        (5, F) rows `LATENCY`, `FINISHED`, `QUEUED`, `SERVED`, `MOVED`; written where a frame answered.
    exits
        (F,) the exit that answered, or `NO_ANSWER`.
    """
    latency, finished = pointer(times[LATENCY]), pointer(times[FINISHED])
    queueing, service, transfer = pointer(times[QUEUED]), pointer(times[SERVED]), pointer(times[MOVED])
    exit_of, record = pointer(exits), pointer(records.reshape(-1))
    answered = 0
    for row in range(0, records.size, WIDTH):
        frame = record[row + FRAME]
        if record[row + STATUS] != ANSWERED:
            exit_of[frame] = NO_ANSWER
            continue
        exit_of[frame] = record[row + EXIT]
        latency[frame] = record[row + FINISH] - record[row + ARRIVAL]
        finished[frame] = record[row + FINISH]
        queueing[frame] = record[row + QUEUEING]
        service[frame] = record[row + SERVICE]
        transfer[frame] = record[row + TRANSFER]
        answered += 1
    return answered


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
def count_frames(
    times: IntArray,
    exits: Exits,
    cut: int,
    end: int,
    deadline_ns: int,
    sums: IntArray,
    by_exit: IntArray,
    packed: IntArray,
    batch_bits: int,
    exit_bits: int,
) -> int:
    """Count frames ``cut`` to ``end - 1``, batch by batch.

    Parameters
    ----------
    times, exits
        As `spread_records` writes them.
    cut, end
        Frames that count; they are cut into as many batches as ``sums`` has rows.
    deadline_ns
        Latency above which an answer is a miss.
    sums
        (B, SUMS_WIDTH) zeros; filled.
    by_exit
        (B, K, 2) zeros; answers and their summed latency at each exit.
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
    n_batches, n_exits, span = sums.shape[0], by_exit.shape[1], max(end - cut, 1)
    latency, finished = pointer(times[LATENCY]), pointer(times[FINISHED])
    queueing, service, transfer = pointer(times[QUEUED]), pointer(times[SERVED]), pointer(times[MOVED])
    exit_of, cells, out = pointer(exits), pointer(by_exit.reshape(-1)), pointer(packed)
    found = 0
    for b in range(n_batches):
        # A frame belongs to batch (frame - cut) * n_batches // span.
        begin, stop = cut - (-b * span // n_batches), min(cut - (-(b + 1) * span // n_batches), end)
        before = found
        dropped = missed = queued = served = moved = total = largest = last_answer = last_arrival = 0
        first_answer = first_arrival = NEVER
        for frame in range(begin, stop):
            e = int(exit_of[frame])
            if e < 0:
                dropped += e == NO_ANSWER
                continue
            took, finish = latency[frame], finished[frame]
            total += took
            queued += queueing[frame]
            served += service[frame]
            moved += transfer[frame]
            missed += took > deadline_ns
            largest = max(largest, took)
            first_answer, last_answer = min(first_answer, finish), max(last_answer, finish)
            first_arrival, last_arrival = min(first_arrival, finish - took), max(last_arrival, finish - took)
            cells[2 * (b * n_exits + e)] += 1
            cells[2 * (b * n_exits + e) + 1] += took
            out[found] = took << batch_bits + exit_bits | b << exit_bits | e
            found += 1
        if largest >= room:
            return -1
        sums[b, N_ANSWERED], sums[b, N_DROPPED], sums[b, N_MISSED] = found - before, dropped, missed
        sums[b, SUM_QUEUEING], sums[b, SUM_SERVICE], sums[b, SUM_TRANSFER] = queued, served, moved
        sums[b, SUM_LATENCY], sums[b, LARGEST] = total, largest
        if found > before:
            sums[b, FIRST_ANSWER], sums[b, LAST_ANSWER] = first_answer, last_answer
            sums[b, FIRST_ARRIVAL], sums[b, LAST_ARRIVAL] = first_arrival, last_arrival
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
    n_ranks, n_exits = ranks.shape[1], exit_ranks.shape[1]
    whole = ranks.shape[0] * n_exits
    values, wanted = pointer(packed), pointer(ranks.reshape(-1))
    got, at = pointer(found.reshape(-1)), pointer(seen.reshape(-1))
    exit_wanted, exit_got = pointer(exit_ranks.reshape(-1)), pointer(exit_found.reshape(-1))
    exit_at = pointer(exit_seen.reshape(-1))
    for i in range(packed.shape[0]):
        value = values[i] >> (batch_bits + exit_bits)
        b = (values[i] >> exit_bits) & ((1 << batch_bits) - 1)
        e = values[i] & ((1 << exit_bits) - 1)
        at[2 * b] += 1
        while at[2 * b + 1] < n_ranks and wanted[b * n_ranks + at[2 * b + 1]] <= at[2 * b]:
            got[b * n_ranks + at[2 * b + 1]] = value
            at[2 * b + 1] += 1
        for g in (b * n_exits + e, whole + e):
            exit_at[g] += 1
            if exit_at[g] == exit_wanted[g]:
                exit_got[g] = value


spread = WarmOnce(spread_records)
mser = WarmOnce(mser_cut)
count = WarmOnce(count_frames)
pick = WarmOnce(pick_ranks)
