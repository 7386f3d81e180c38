"""What a plan with sections must keep for the engines to be right about it."""

from __future__ import annotations

import numpy as np

from eesim.plan.plan import PURE_DELAY, UNBOUNDED, Cancellation, Plan, WhenFull


def check_sections(plan: Plan) -> Plan:
    """Return the plan.

    Raises
    ------
    ValueError
        If a section is not entered once and left once by nodes of one stream, if a pure delay enters one (it has no
        queue to hold), or if frames can lose their tasks on the way (cancellation, stage queues that drop): their
        places would never be given back.
    """
    if not len(plan.section_places):
        return plan
    if plan.section_places.min() < 1:
        raise ValueError("a section without a place lets nobody through")
    if (plan.cancellation != Cancellation.NONE).any():
        raise ValueError("sections and cancellation exclude each other")
    if plan.stage_full != WhenFull.BLOCK and (plan.stage_capacity != UNBOUNDED).any():
        raise ValueError("sections and stage queues that drop exclude each other")
    for section in range(len(plan.section_places)):
        enters, leaves = (np.flatnonzero(nodes == section) for nodes in (plan.node_enter, plan.node_leave))
        if len(enters) != 1 or len(leaves) != 1 or plan.node_stream[enters[0]] != plan.node_stream[leaves[0]]:
            raise ValueError(f"section {section} is not entered once and left once")
        if plan.node_resource[enters[0]] == PURE_DELAY:
            raise ValueError(f"section {section} is entered by a pure delay")
    return plan
