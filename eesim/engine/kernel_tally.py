"""Compiled counting of frames: records are spread over the stream, summed by batch, and ranked for quantiles.

Numbers are exact integers, so that what is counted here is what `eesim.metrics.tally.Tally` counts record by record. A
frame that answered is in a *cell*: its exit and its level, as one number. Frames of several streams are counted stream
by stream.
"""

from __future__ import annotations

import numpy as np

from eesim.engine.jit import WarmOnce, kernel, pointer
from eesim.plan.plan import RECORD_COLUMNS, Basis, IntArray, Status

(
    FRAME, ARRIVAL, FINISH, EXIT, STATUS, QUEUEING, SERVICE, TRANSFER, STREAM, LEVEL, PLACE, BASIS
) = range(len(RECORD_COLUMNS))  # fmt: skip
WIDTH = len(RECORD_COLUMNS)
ANSWERED = int(Status.ANSWERED)
BUDGET = int(Basis.BUDGET)

(
    N_ANSWERED, N_DROPPED, N_MISSED, SUM_QUEUEING, SUM_SERVICE, SUM_TRANSFER, SUM_LATENCY, FIRST_ANSWER, LAST_ANSWER,
    FIRST_ARRIVAL, LAST_ARRIVAL, LARGEST,
) = range(12)  # fmt: skip
SUMS_WIDTH = 12

LATENCY, FINISHED, QUEUED, SERVED, MOVED, CELL = range(6)
N_FACTS = 6
"""What is kept of each frame; a row for each."""
NO_ANSWER = -1
"""In place of a cell, minus ``((status * places) + place + 1) * streams + stream``: the frame was dropped so, there."""
STILL_THERE = -(1 << 40)
"""In place of a cell: the frame has not ended."""

NEVER = np.iinfo(np.int64).max


@kernel
def spread_records(
    records: IntArray, facts: IntArray, n_levels: int, n_places: int, n_streams: int, plan_exits: int, plan_levels: int
) -> int:
    """Write what is counted later to each frame's place in the stream; return how many frames answered.

    Parameters
    ----------
    records
        (n, 12) records, in any order.
    facts
        (6, F) rows `LATENCY`, `FINISHED`, `QUEUED`, `SERVED`, `MOVED`, `CELL`; the last one alone is written where a
        frame was dropped.
    n_levels, n_places, n_streams
        Levels (level 0 included), places (-1 included), streams.
    plan_exits, plan_levels
        Of the plan, where cells have more; else 0 (see `eesim.metrics.tally.Cells`).
    """
    latency, finished, queued = pointer(facts[LATENCY]), pointer(facts[FINISHED]), pointer(facts[QUEUED])
    served, moved, cells = pointer(facts[SERVED]), pointer(facts[MOVED]), pointer(facts[CELL])
    record = pointer(records.reshape(-1))
    answered = 0
    for row in range(0, records.size, WIDTH):
        frame = record[row + FRAME]
        if record[row + STATUS] != ANSWERED:
            how = record[row + STATUS] * n_places + record[row + PLACE] + 1
            cells[frame] = NO_ANSWER - how * n_streams - record[row + STREAM]
            continue
        exit_, level, basis = record[row + EXIT], record[row + LEVEL], record[row + BASIS]
        if basis == BUDGET:
            level += plan_levels
        else:
            exit_ += basis * plan_exits
        cells[frame] = exit_ * n_levels + level
        latency[frame] = record[row + FINISH] - record[row + ARRIVAL]
        finished[frame] = record[row + FINISH]
        queued[frame] = record[row + QUEUEING]
        served[frame] = record[row + SERVICE]
        moved[frame] = record[row + TRANSFER]
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
    facts: IntArray,
    cut: int,
    end: int,
    deadlines_ns: IntArray,
    exit_of: IntArray,
    stream_of: IntArray,
    sums: IntArray,
    by_cell: IntArray,
    packed: IntArray,
    row_bits: int,
    exit_bits: int,
) -> int:
    """Count frames ``cut`` to ``end - 1``, batch by batch and stream by stream.

    Parameters
    ----------
    facts
        (6, F) as `spread_records` writes them.
    cut, end
        Frames that count; they are cut into as many batches as ``sums`` says.
    deadlines_ns
        (G,) latency above which an answer of each stream is a miss.
    exit_of, stream_of
        (C,) exit and stream of each cell.
    sums
        (B, G, SUMS_WIDTH) zeros; filled.
    by_cell
        (B, C, 2) zeros; answers and their summed latency in each cell.
    packed
        (F,) latency of each answer, followed by its row (batch x G + stream) and its exit in so many bits; filled from
        the start.
    row_bits, exit_bits
        Their numbers.

    Returns
    -------
    int
        Answers; -1 if a latency is so long that it leaves no room for the bits, or that sums could overflow.
    """
    n_batches, n_streams, n_cells, span = sums.shape[0], sums.shape[1], by_cell.shape[1], max(end - cut, 1)
    latency, finished, queueing = pointer(facts[LATENCY]), pointer(facts[FINISHED]), pointer(facts[QUEUED])
    service, transfer, cells = pointer(facts[SERVED]), pointer(facts[MOVED]), pointer(facts[CELL])
    counts, exits, streams, out = pointer(by_cell.reshape(-1)), pointer(exit_of), pointer(stream_of), pointer(packed)
    room = min(1 << (62 - row_bits - exit_bits), NEVER // span)
    found = 0
    for row in range(n_batches * n_streams):
        b, g = row // n_streams, row % n_streams
        # A frame belongs to batch (frame - cut) * n_batches // span.
        begin, stop = cut - (-b * span // n_batches), min(cut - (-(b + 1) * span // n_batches), end)
        before, deadline = found, deadlines_ns[g]
        dropped = missed = queued = served = moved = total = largest = last_answer = last_arrival = 0
        first_answer = first_arrival = NEVER
        for frame in range(begin, stop):
            cell = cells[frame]
            if cell < 0:
                dropped += cell != STILL_THERE and (NO_ANSWER - cell) % n_streams == g
                continue
            if streams[cell] != g:
                continue
            took, finish = latency[frame], finished[frame]
            total += took
            queued += queueing[frame]
            served += service[frame]
            moved += transfer[frame]
            missed += took > deadline
            largest = max(largest, took)
            first_answer, last_answer = min(first_answer, finish), max(last_answer, finish)
            first_arrival, last_arrival = min(first_arrival, finish - took), max(last_arrival, finish - took)
            counts[2 * (b * n_cells + cell)] += 1
            counts[2 * (b * n_cells + cell) + 1] += took
            out[found] = took << row_bits + exit_bits | row << exit_bits | exits[cell]
            found += 1
        if largest >= room:
            return -1
        of = sums[b, g]
        of[N_ANSWERED], of[N_DROPPED], of[N_MISSED] = found - before, dropped, missed
        of[SUM_QUEUEING], of[SUM_SERVICE], of[SUM_TRANSFER] = queued, served, moved
        of[SUM_LATENCY], of[LARGEST] = total, largest
        if found > before:
            of[FIRST_ANSWER], of[LAST_ANSWER] = first_answer, last_answer
            of[FIRST_ARRIVAL], of[LAST_ARRIVAL] = first_arrival, last_arrival
    return found


@kernel
def meet(group: int, value: int, n_ranks: int, wanted: IntArray, got: IntArray, at: IntArray) -> None:
    """Count one more value of a group, and note it at each rank that it has."""
    at[2 * group] += 1
    while at[2 * group + 1] < n_ranks and wanted[group * n_ranks + at[2 * group + 1]] <= at[2 * group]:
        got[group * n_ranks + at[2 * group + 1]] = value
        at[2 * group + 1] += 1


@kernel
def pick_ranks(
    packed: IntArray,
    row_bits: int,
    exit_bits: int,
    n_streams: int,
    ranks: IntArray,
    exit_ranks: IntArray,
    found: IntArray,
    exit_found: IntArray,
    seen: IntArray,
    exit_seen: IntArray,
) -> None:
    """Find latencies by their ranks within batches, streams, streams of batches, and exits.

    Parameters
    ----------
    packed
        (A,) latencies, ascending, each followed by its row and its exit in so many bits.
    row_bits, exit_bits
        Their numbers.
    n_streams
        G. With one stream, groups are the B batches. With more, they are B batches, B x G streams of batches (in the
        order of the rows), and G streams.
    ranks
        (groups, Q) ranks from 1, ascending; 0 for none.
    exit_ranks
        (B + 1, K) one rank for each exit of each batch; the last row is for the whole.
    found, exit_found
        As the two before; filled.
    seen, exit_seen
        (groups, 2) and (B + 1, K) zeros: counts on the way.
    """
    n_ranks, n_exits, n_batches = ranks.shape[1], exit_ranks.shape[1], exit_ranks.shape[0] - 1
    whole, several = n_batches * n_exits, n_streams > 1
    values, wanted = pointer(packed), pointer(ranks.reshape(-1))
    got, at = pointer(found.reshape(-1)), pointer(seen.reshape(-1))
    exit_wanted, exit_got = pointer(exit_ranks.reshape(-1)), pointer(exit_found.reshape(-1))
    exit_at = pointer(exit_seen.reshape(-1))
    for i in range(packed.shape[0]):
        value = values[i] >> (row_bits + exit_bits)
        row = (values[i] >> exit_bits) & ((1 << row_bits) - 1)
        e = values[i] & ((1 << exit_bits) - 1)
        b = row
        if several:
            b = row // n_streams
            meet(n_batches + row, value, n_ranks, wanted, got, at)
            meet(n_batches * (n_streams + 1) + row % n_streams, value, n_ranks, wanted, got, at)
        meet(b, value, n_ranks, wanted, got, at)
        for group in (b * n_exits + e, whole + e):
            exit_at[group] += 1
            if exit_at[group] == exit_wanted[group]:
                exit_got[group] = value


spread = WarmOnce(spread_records)
mser = WarmOnce(mser_cut)
count = WarmOnce(count_frames)
pick = WarmOnce(pick_ranks)
