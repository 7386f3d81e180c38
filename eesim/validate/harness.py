"""The numbers that the pipeline harness of the board prints, read off an event log.

Each stage runs a warm-up frame and then ten frames that it times (Pipe-All with an NPU, n-pipe harness). It prints

* the period: for each stage the time from its own start to the end of its tenth frame, divided by ten, waiting
  included; the largest counts;
* the latency of one frame, the sixth of the ten, from the start of its first stage to the end of its last;
* the power between the start of the first stage and the end of the first stage that is done with its ten frames.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.plan.chain_pipeline import Pipeline
from eesim.plan.plan import EventKind, Plan

TIMED = 10
FRAMES = 1 + TIMED
"""The first is the warm-up."""
LATENCY_FRAME = 6

NS_PER_MS = 1e6


class Readings(NamedTuple):
    """What the harness prints.

    Attributes
    ----------
    period_ms, latency_ms, power_mw
        As above.
    slowest
        Stage whose period counts.
    utilisation
        Work of the stages' PEs at full speed in the power window, mean over stages, per unit of its length.
    """

    period_ms: float
    latency_ms: float
    power_mw: float
    slowest: int
    utilisation: float


def read_harness(plan: Plan, pipeline: Pipeline, log: IntArray) -> Readings:
    """Read the harness's numbers off the event log of `FRAMES` frames that arrive at once.

    A slowed task costs no more energy than one that is not: what counts is its work at full speed.
    """
    start, finish = (event_times(log, kind, plan.n_nodes) for kind in (EventKind.START, EventKind.FINISH))
    ends = _stage_ends(pipeline, finish)
    periods = (ends[TIMED] - ends[0]) / TIMED
    load = _loads(plan, start, finish, *_window(ends))
    return Readings(
        period_ms=float(periods.max()) / NS_PER_MS,
        latency_ms=float(finish[LATENCY_FRAME, -1] - start[LATENCY_FRAME, 0]) / NS_PER_MS,
        power_mw=(plan.base_uw + float(load @ plan.node_power_uw[:, 0])) / 1e3,
        slowest=int(periods.argmax()),
        utilisation=float(load.sum()) / ends.shape[1],
    )


def event_times(log: IntArray, kind: EventKind, nodes: int) -> IntArray:
    """Instant of an event for each of the harness's frames and each node, (F, N)."""
    rows = log[log[:, 1] == kind]
    out = np.zeros((FRAMES, nodes), np.int64)
    out[rows[:, 2], rows[:, 3]] = rows[:, 0]
    return out


def loads(plan: Plan, pipeline: Pipeline, log: IntArray) -> FloatArray:
    """Work of each task at full speed in the power window, per unit of its length, (N,)."""
    start, finish = (event_times(log, kind, plan.n_nodes) for kind in (EventKind.START, EventKind.FINISH))
    return _loads(plan, start, finish, *_window(_stage_ends(pipeline, finish)))


def _stage_ends(pipeline: Pipeline, finish: IntArray) -> IntArray:
    """Instant at which each stage's thread is done with each frame, (F, stages)."""
    stage = np.array(pipeline.stage)
    ends = finish[:, np.flatnonzero(np.append(np.diff(stage), 1))].copy()
    if pipeline.enter >= 0 and pipeline.places > 1:
        # The NPU's thread is done with a frame when it hands over, not when its device is.
        handed = finish[:, pipeline.enter].copy()
        handed[1:] = np.maximum(handed[1:], finish[:-1, pipeline.leave])
        ends[:, stage[pipeline.leave] - 1] = handed
    return ends


def _window(ends: IntArray) -> tuple[int, int]:
    begin, end = int(ends[0, 0]), int(ends[TIMED].min())
    # A stage far ahead of the others may be done before the first has begun to be timed: then the whole run counts.
    return (begin, end) if end > begin else (begin, int(ends[TIMED].max()))


def _loads(plan: Plan, start: IntArray, finish: IntArray, begin: int, end: int) -> FloatArray:
    taken = finish - start
    inside = np.clip(np.minimum(finish, end) - np.maximum(start, begin), 0, None)
    share = np.divide(inside, taken, out=np.zeros(taken.shape), where=taken > 0)
    return np.asarray(share.sum(axis=0) * plan.node_work_ns[:, 0] / (end - begin), np.float64)
