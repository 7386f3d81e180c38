"""Random sections for lowered plans: no document can ask for them in all the ways that a plan allows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from eesim.plan.plan import PURE_DELAY, Cancellation, Plan
from tests.plans import ints
from tests.properties.documents import Document, worlds


@st.composite
def keeping_worlds(draw: st.DrawFn) -> dict[str, Document]:
    """Worlds in which sections can be kept: most streams cancel nothing, and full stage queues block."""
    world = draw(worlds())
    scenario = world["scenario"]
    entries = [scenario, *scenario.get("streams", [])]
    keep = draw(st.integers(0, len(entries) - 1))
    for number, entry in enumerate(entries):
        policy = entry["policy"]
        policy["stage_queue"] = {**policy["stage_queue"], "full": "block"}
        # What is served together cannot be held up one by one.
        policy["batching"] = None
        if number in (0, keep) or draw(st.sampled_from([True, True, False])):
            policy["cancellation"] = "none"
            # What gives frames up, or answers them before their time, would leave with places taken.
            if number == keep:
                policy["reuse"] = None
            if number == keep and policy.get("adaptive"):
                policy["adaptive"] = {**policy["adaptive"], "give_up_after": []}
    # One PE beside another in an exclusive group is where a held head matters most.
    pes = list(world["board"]["pes"])
    if draw(st.integers(0, 2)) == 0:
        world["board"]["exclusive"] = [pes[:2]]
    return world


def reachable(plan: Plan, node: int) -> list[int]:
    """Nodes that ``node`` leads to, itself first."""
    found = [node]
    for at in found:
        found += [after for after in plan.succ[slice(*plan.succ_ptr[at : at + 2])].tolist() if after not in found]
    return found


def with_sections(plan: Plan, rng: np.random.Generator) -> Plan:
    """The plan with up to three random sections in each stream that can have some, a few of them shared."""
    enter, leave = np.full(plan.n_nodes, -1), np.full(plan.n_nodes, -1)
    places: list[int] = []
    leaves_early = (plan.level_last < plan.stream_exit[1:, None] - 1).any(axis=1) | (plan.reuse_patience > 0)
    for g in np.flatnonzero((plan.cancellation == Cancellation.NONE) & ~leaves_early):
        shared = iter(rng.permutation(len(places)).tolist())
        for _ in range(rng.integers(1, 4)):
            nodes = range(plan.stream_node[g], plan.stream_node[g + 1])
            first = [n for n in nodes if plan.node_resource[n] != PURE_DELAY and enter[n] < 0]
            if not first:
                break
            n = rng.choice(first)
            last = [later for later in reachable(plan, int(n)) if leave[later] < 0]
            if not last:
                continue
            section = next(shared, None) if rng.random() < 0.3 else None
            if section is None:
                section = len(places)
                places.append(int(rng.choice([1, 1, 2, 3])))
            enter[n] = leave[rng.choice(last)] = section
    return plan._replace(node_enter=ints(enter), node_leave=ints(leave), section_places=ints(places))


def seeds() -> st.SearchStrategy[Any]:
    """Seeds for `with_sections`."""
    return st.integers(0, 1_000_000)
