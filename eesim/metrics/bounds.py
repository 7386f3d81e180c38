"""Analytical bounds that stand beside every simulated result: no simulation may beat them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray
from eesim.plan.plan import PURE_DELAY, Plan

NS_PER_MS = 1e6
NS_PER_S = 1e9


class Bounds(NamedTuple):
    """What no schedule can beat, contention and queueing left out."""

    exit_latency_ns: IntArray
    """(K,) critical path to each exit: longest chain of tasks, every PE found free and at full speed."""
    mean_latency_ns: float
    """Mean of the critical paths under the exit shares."""
    throughput_fps: float
    """Rate at which the busiest resource does nothing but work that answers need; inf if nothing needs work."""
    bottleneck: int
    """Index of that resource; -1 if there is none."""
    demand_ns: FloatArray
    """(R,) mean service that a frame's answer needs from each resource."""


def shortest_work_ns(plan: Plan) -> IntArray:
    """Least service time of each node over the states in which its resource can be found."""
    return np.asarray(plan.node_work_ns.min(axis=1), np.int64)


def _least_share_ns(plan: Plan) -> FloatArray:
    """Least service time that each node takes of its resource per task, in whatever batch, (N,)."""
    least = shortest_work_ns(plan).astype(np.float64)
    for size in range(2, plan.batch_work_ns.shape[2] + 2):
        together = plan.batch_work_ns[:, :, size - 2].min(axis=1) / size
        least = np.where(plan.node_batch >= size, np.minimum(least, together), least)
    return least


def critical_paths_ns(plan: Plan) -> IntArray:
    """Earliest end of each node in an empty, uncontended system, (N,)."""
    work = shortest_work_ns(plan)
    start = np.zeros(plan.n_nodes, np.int64)
    missing = plan.node_missing.copy()
    ready = [int(n) for n in np.flatnonzero(missing == 0)]
    end = np.zeros(plan.n_nodes, np.int64)
    while ready:
        n = ready.pop()
        end[n] = start[n] + work[n]
        for follower in plan.succ[plan.succ_ptr[n] : plan.succ_ptr[n + 1]]:
            start[follower] = max(start[follower], end[n])
            missing[follower] -= 1
            if missing[follower] == 0:
                ready.append(int(follower))
    return end


def _needed(plan: Plan, shares: FloatArray, reused: float) -> FloatArray:
    """Share of frames whose answer needs each node, (N,)."""
    needed = np.zeros(plan.n_nodes)
    for g in range(plan.n_streams):
        begin, end = int(plan.stream_exit[g]), int(plan.stream_exit[g + 1])
        nodes = slice(int(plan.stream_node[g]), int(plan.stream_node[g + 1]))
        if not plan.first_confident[g]:
            # In order, a node is needed by every frame that answers at its exit or later.
            later = np.append(np.cumsum(shares[begin:end][::-1])[::-1], 0.0)
            needed[nodes] = later[plan.node_need[nodes] - begin]
            continue
        # First confident: only what leads to the exit that answers.
        for k in range(begin, end):
            needed += shares[k] * _leading_to(plan, plan.node_exit == k)
    if reused and plan.n_streams == 1:
        needed += reused * _leading_to(plan, plan.node_detects > 0)
    return needed


def _leading_to(plan: Plan, leads: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Nodes that lead to the given ones, themselves included, (N,)."""
    source = np.repeat(np.arange(plan.n_nodes), np.diff(plan.succ_ptr))
    for _ in range(plan.n_nodes):
        more = leads.copy()
        np.logical_or.at(more, source, leads[plan.succ])
        if (more == leads).all():
            break
        leads = more
    return leads


class Paths(NamedTuple):
    """What bounds are made of, whatever the stream."""

    exit_latency_ns: IntArray
    """(K,) critical path to each exit."""
    detected_ns: int
    """Critical path to where a frame is compared with another one."""
    work_ns: FloatArray
    """(N,) least service time that each node takes of its resource per task: a share of the best batch it may be in."""
    servers: IntArray
    """(R,) servers of each resource."""


def paths_of(plan: Plan) -> Paths:
    """Compute the paths of a plan, for several calls of `bounds`."""
    ends = critical_paths_ns(plan)
    exits = np.array([max(ends[plan.node_exit == k], default=0) for k in range(plan.n_exits)], np.int64)
    for g in np.flatnonzero(plan.first_confident == 0):
        # In order: an exit's answer waits until every earlier exit has declined.
        own = slice(int(plan.stream_exit[g]), int(plan.stream_exit[g + 1]))
        exits[own] = np.maximum.accumulate(exits[own])
    detected = int(ends[plan.node_detects > 0].max(initial=0)) if plan.n_streams == 1 else 0
    return Paths(exits, detected, _least_share_ns(plan), np.bincount(plan.server_resource, minlength=plan.n_resources))


def bounds(
    plan: Plan, shares: FloatArray, *, mean_noise: float = 1.0, paths: Paths | None = None, reused: float = 0.0
) -> Bounds:
    """Compute the bounds of a plan.

    Parameters
    ----------
    plan
        What is simulated.
    shares
        (K,) share of frames that take each exit.
    mean_noise
        Mean factor on service times. Paths are bounds on means only where it is 1 or more (Jensen: the mean of a
        longest path is at least the longest path of means).
    paths
        Of the plan, if they are known.
    reused
        Share of frames that get the answer of another one. Of several streams nobody says which: then they count for
        nothing.
    """
    exits, detected, least_ns, servers = paths or paths_of(plan)
    needed = _needed(plan, shares, reused)
    work = least_ns * mean_noise
    demand = np.zeros(plan.n_resources)
    served = plan.node_resource != PURE_DELAY
    np.add.at(demand, plan.node_resource[served], (work * needed)[served])
    load = demand / servers
    bottleneck = int(np.argmax(load)) if load.max(initial=0) > 0 else -1
    rate = NS_PER_S / load[bottleneck] if bottleneck >= 0 else float("inf")
    return Bounds(exits, float(exits @ shares) + reused * detected, rate, bottleneck, demand)
