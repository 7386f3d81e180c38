"""Energy by term, from exact service times and the plan's powers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.engine.protocol import Counters
from eesim.plan.plan import PURE_DELAY, NodeKind, Plan

UW_NS_PER_MJ = 10**12
"""One millijoule is 10^12 microwatt nanoseconds."""

TERMS = ("base", "idle", "compute", "host", "transfer")


class Energy(NamedTuple):
    """Energy of a window, mJ, by term; the total is the sum of the terms."""

    base: float
    """Power of the board that does nothing x time."""
    idle: float
    """Idle power of every resource, while it serves nothing."""
    compute: float
    """Active power of segments x service time at the operating point."""
    host: float
    """Host threads of GPU and NPU."""
    transfer: float
    """Active power of the PE that pays for a transfer."""

    @property
    def total(self) -> float:
        """Sum of all terms, mJ."""
        return sum(self)


def window(begin: Counters, end: Counters) -> Counters:
    """Return what happened between two totals."""
    return Counters(
        end.now_ns - begin.now_ns,
        end.busy_ns - begin.busy_ns,
        end.wasted_ns - begin.wasted_ns,
        end.blocked_ns - begin.blocked_ns,
        end.batches - begin.batches,
        end.batched - begin.batched,
    )


def per_resource(plan: Plan, node_ns: IntArray) -> list[int]:
    """Add up a per-node time by resource; pure delays belong to none."""
    out = [0] * plan.n_resources
    for resource, value in zip(plan.node_resource.tolist(), node_ns.tolist(), strict=True):
        if resource != PURE_DELAY:
            out[resource] += value
    return out


def energy_of(plan: Plan, spent: Counters) -> Energy:
    """Energy of a window (see `window`), mJ. Sums are exact Python integers until the last division."""
    compute = host = transfer = 0
    rows = zip(
        spent.busy_ns.tolist(),
        plan.node_host_uw.tolist(),
        plan.node_power_uw.tolist(),
        plan.node_kind.tolist(),
        strict=True,
    )
    for times, hosts, powers, kind in rows:
        host += sum(time * power for time, power in zip(times, hosts, strict=True))
        own = sum(time * power for time, power in zip(times, powers, strict=True))
        if kind == NodeKind.TRANSFER:
            transfer += own
        else:
            compute += own
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources).tolist()
    busy = per_resource(plan, spent.busy_ns.sum(axis=1))
    idle = sum(
        # A resource with several servers idles by shares: each server carries an equal part.
        int(plan.resource_idle_uw[r]) * (spent.now_ns - busy[r] / servers[r])
        for r in range(plan.n_resources)
    )
    return Energy(
        base=plan.base_uw * spent.now_ns / UW_NS_PER_MJ,
        idle=idle / UW_NS_PER_MJ,
        compute=compute / UW_NS_PER_MJ,
        host=host / UW_NS_PER_MJ,
        transfer=transfer / UW_NS_PER_MJ,
    )
