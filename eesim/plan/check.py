"""What the sections and batches of a plan must be like for the engines to keep them."""

from __future__ import annotations

import numpy as np

from eesim.plan.plan import PURE_DELAY, UNBOUNDED, Cancellation, Plan, WhenFull


def check_sections(plan: Plan) -> None:
    """Hold that every frame that enters a section of ``plan`` can leave it (see `Plan`).

    Raises
    ------
    ValueError
        Names everything that is wrong.
    """
    if not len(plan.section_places) and max(plan.node_enter.max(), plan.node_leave.max()) < 0:
        return
    wrong = [f"section {z} has {places} places" for z, places in enumerate(plan.section_places) if places < 1]
    if plan.stage_full != WhenFull.BLOCK and limits_stages(plan):
        wrong.append("stage queues that drop cannot be combined with sections")
    known = range(-1, len(plan.section_places))
    for name, column in (("node_enter", plan.node_enter), ("node_leave", plan.node_leave)):
        wrong += [f"{name} of node {n} is {z}" for n, z in enumerate(column.tolist()) if z not in known]
    for g in range(plan.n_streams):
        wrong += _wrong_in_stream(plan, g)
    wrong += [f"section {z} has no enter node" for z in known[1:] if z not in plan.node_enter]
    if wrong:
        raise ValueError("; ".join(wrong))


def check_batches(plan: Plan) -> None:
    """Hold that nothing holds up or stops single tasks of what is served together (see `Plan`).

    Raises
    ------
    ValueError
        Names everything that is wrong.
    """
    nodes = np.flatnonzero(plan.node_batch != 1)
    if not len(nodes):
        return
    wrong = [f"node {n} has batches of {plan.node_batch[n]}" for n in nodes[plan.node_batch[nodes] < 1]]
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources)
    for r in np.unique(plan.node_resource[nodes]).tolist():
        if r == PURE_DELAY:
            wrong.append("a pure delay has batches")
        elif servers[r] != 1:
            wrong.append(f"resource {r} has batches and {servers[r]} servers")
        elif plan.resource_group[r] >= 0:
            wrong.append(f"resource {r} has batches and is in an exclusive group")
    if plan.node_batch.max() > plan.batch_work_ns.shape[2] + 1:
        wrong.append("no work is known of the largest batch")
    if (plan.batch_wait_ns < 0).any():
        wrong.append("a wait for batches is negative")
    if plan.stage_full == WhenFull.BLOCK and limits_stages(plan):
        wrong.append("stage queues that block cannot be combined with batches")
    if len(plan.section_places):
        wrong.append("sections cannot be combined with batches")
    for g in np.unique(plan.node_stream[nodes]):
        if plan.cancellation[g] >= Cancellation.RUNNING_AT_KERNEL:
            wrong.append(f"stream {g} has batches and stops what runs")
    if wrong:
        raise ValueError("; ".join(wrong))


def limits_stages(plan: Plan) -> bool:
    """Whether the queue of any resource can be full."""
    return bool((plan.stage_capacity != UNBOUNDED).any() or (plan.stage_bytes != UNBOUNDED).any())


def _wrong_in_stream(plan: Plan, g: int) -> list[str]:
    """Say what is wrong with the sections of stream ``g``."""
    nodes = np.arange(plan.stream_node[g], plan.stream_node[g + 1])
    used = sorted({*plan.node_enter[nodes].tolist(), *plan.node_leave[nodes].tolist()} - {-1})
    wrong = []
    if used and plan.cancellation[g] != Cancellation.NONE:
        wrong.append(f"stream {g} has sections and cancels")
    if used and plan.reuse_patience[g]:
        wrong.append(f"stream {g} has sections and uses answers again")
    if used and (plan.level_last[g] < plan.stream_exit[g + 1] - 1).any():
        wrong.append(f"stream {g} has sections and gives frames up")
    for z in used:
        enter, leave = (nodes[column[nodes] == z].tolist() for column in (plan.node_enter, plan.node_leave))
        if len(enter) != 1 or len(leave) != 1:
            wrong.append(f"section {z} has enter nodes {enter} and leave nodes {leave} in stream {g}")
        elif leave[0] not in _from(plan, enter[0]):
            wrong.append(f"section {z}: leave node {leave[0]} does not follow enter node {enter[0]}")
        wrong += [f"section {z}: enter node {n} is a pure delay" for n in enter if plan.node_resource[n] == PURE_DELAY]
    return wrong


def _from(plan: Plan, node: int) -> set[int]:
    """Nodes that ``node`` leads to, itself included."""
    found, ahead = {node}, [node]
    for at in ahead:
        new = set(plan.succ[plan.succ_ptr[at] : plan.succ_ptr[at + 1]].tolist()) - found
        found |= new
        ahead += sorted(new)
    return found
