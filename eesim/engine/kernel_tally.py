"""Compiled counting of frame records: one pass for the sums of every batch, one for latencies in order by group.

A group is a batch and an exit, ``batch * n_exits + exit``. Numbers are exact integers, so that what is counted here is
what `eesim.metrics.observe.Tally` counts record by record.
"""

from __future__ import annotations

from eesim.engine.jit import WarmOnce, kernel
from eesim.plan.plan import IntArray, Status

FRAME, ARRIVAL, FINISH, EXIT, STATUS, QUEUEING, SERVICE, TRANSFER = range(8)
ANSWERED = int(Status.ANSWERED)

(
    N_ANSWERED, N_DROPPED, N_MISSED, SUM_QUEUEING, SUM_SERVICE, SUM_TRANSFER, SUM_LATENCY, FIRST_ANSWER, LAST_ANSWER,
    FIRST_ARRIVAL, LAST_ARRIVAL,
) = range(11)  # fmt: skip
SUMS_WIDTH = 11


@kernel
def scatter_latencies(records: IntArray, latency: IntArray) -> None:
    """Write the latency of each answered frame to its place in the stream; other places stay as they are."""
    for i in range(records.shape[0]):
        if records[i, STATUS] == ANSWERED:
            latency[records[i, FRAME]] = records[i, FINISH] - records[i, ARRIVAL]


@kernel
def count_records(
    records: IntArray,
    cut: int,
    span: int,
    deadline_ns: int,
    n_exits: int,
    sums: IntArray,
    by_group: IntArray,
    latency: IntArray,
    group: IntArray,
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
    latency, group
        (F,) latency and group of each answer, filled from the start.

    Returns
    -------
    int
        Answers.
    """
    n_batches = sums.shape[0]
    found = 0
    for i in range(records.shape[0]):
        frame = records[i, FRAME] - cut
        if frame < 0:
            continue
        b = frame * n_batches // span
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
        sums[b, FIRST_ARRIVAL] = min(sums[b, FIRST_ARRIVAL], arrival)
        sums[b, LAST_ARRIVAL] = max(sums[b, LAST_ARRIVAL], arrival)
        g = b * n_exits + records[i, EXIT]
        by_group[g, 0] += 1
        by_group[g, 1] += took
        latency[found] = took
        group[found] = g
        found += 1
    return found


@kernel
def deal_out(
    latency: IntArray,
    group: IntArray,
    n_exits: int,
    at_group: IntArray,
    at_batch: IntArray,
    at_exit: IntArray,
    by_group: IntArray,
    by_batch: IntArray,
    by_exit: IntArray,
) -> None:
    """Copy ascending latencies group by group, batch by batch and exit by exit; ``at_*`` say where each begins."""
    for i in range(latency.shape[0]):
        value, g = latency[i], group[i]
        b = g // n_exits
        e = g - b * n_exits
        by_group[at_group[g]] = value
        at_group[g] += 1
        by_batch[at_batch[b]] = value
        at_batch[b] += 1
        by_exit[at_exit[e]] = value
        at_exit[e] += 1


scatter = WarmOnce(scatter_latencies)
count = WarmOnce(count_records)
deal = WarmOnce(deal_out)
