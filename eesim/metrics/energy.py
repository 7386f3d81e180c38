"""Energy by term, from exact service times and the plan's powers."""

from __future__ import annotations

from typing import NamedTuple

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
    )


def per_resource(plan: Plan, node_ns: IntArray) -> list[int]:
    """Add up a per-node time by resource; pure delays belong to none."""
    out = [0] * plan.n_resources
    for resource, value in zip(plan.node_resource, node_ns, strict=True):
        if resource != PURE_DELAY:
            out[int(resource)] += int(value)
    return out


def energy_of(plan: Plan, spent: Counters) -> Energy:
    """Energy of a window (see `window`), mJ. Sums are exact Python integers until the last division."""
    compute = host = transfer = 0
    for n in range(plan.n_nodes):
        for v in range(plan.n_states):
            time = int(spent.busy_ns[n, v])
            host += time * int(plan.node_host_uw[n, v])
            if plan.node_kind[n] == NodeKind.TRANSFER:
                transfer += time * int(plan.node_power_uw[n, v])
            else:
                compute += time * int(plan.node_power_uw[n, v])
    servers = [int((plan.server_resource == r).sum()) for r in range(plan.n_resources)]
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
