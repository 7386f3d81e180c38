"""Sections of plans: what is refused before an engine starts, and how streams keep their own."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.plan.check import check_sections
from eesim.plan.merge import merge_plans
from eesim.plan.plan import PURE_DELAY, UNBOUNDED, Cancellation, Plan, WhenFull
from tests.plans import Step, build

STEPS = [Step(0, 2), Step(0, 1, [0], enter=0), Step(1, 9, [1], leave=0), Step(2, 1, [1]), Step(2, 3, [2, 3], exit=0)]


def plan_with(**rules: Any) -> Plan:
    """A plan with one section, from node 1 to node 2."""
    return build(STEPS, **{"cancellation": Cancellation.NONE, "section_places": [2], **rules})


@pytest.mark.parametrize(
    "plan",
    [
        plan_with(),
        plan_with(stage_capacity=1),
        plan_with(stage_full=WhenFull.DROP_NEWEST),  # no queue can be full
        plan_with(node_enter=[-1, 0, -1, -1, -1], node_leave=[-1, 0, -1, -1, -1]),
        plan_with(node_enter=[1, 0, -1, -1, -1], node_leave=[-1, -1, 1, 0, -1], section_places=[1, 3]),
        plan_with(node_enter=[-1] * 5, node_leave=[-1] * 5, section_places=[], cancellation=Cancellation.QUEUED),
        plan_with(node_leave=[-1, -1, -1, -1, 0]),
    ],
)
def test_sections_that_every_frame_leaves(plan: Plan) -> None:
    check_sections(plan)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"cancellation": Cancellation.QUEUED}, "stream 0 has sections and cancels"),
        ({"level_last": [[-1]]}, "stream 0 has sections and gives frames up"),
        ({"stage_capacity": [UNBOUNDED, 1, 1], "stage_full": WhenFull.DROP_OLDEST}, "stage queues that drop"),
        ({"section_places": [0]}, "section 0 has 0 places"),
        ({"section_places": []}, "node_enter of node 1 is 0; node_leave of node 2 is 0"),
        ({"section_places": [1, 1]}, "section 1 has no enter node"),
        ({"node_leave": [-1] * 5}, r"section 0 has enter nodes \[1\] and leave nodes \[\] in stream 0"),
        ({"node_enter": [-1] * 5}, r"section 0 has enter nodes \[\] and leave nodes \[2\] in stream 0"),
        ({"node_enter": [0, 0, -1, -1, -1]}, r"enter nodes \[0, 1\]"),
        ({"node_leave": [-1, -1, 0, -1, 0]}, r"leave nodes \[2, 4\]"),
        ({"node_leave": [0, -1, -1, -1, -1]}, "leave node 0 does not follow enter node 1"),
        ({"node_enter": [-1, -1, -1, 0, -1]}, "leave node 2 does not follow enter node 3"),
        ({"node_resource": [0, PURE_DELAY, 1, 2, 2]}, "enter node 1 is a pure delay"),
    ],
)
def test_sections_that_could_not_be_kept(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_sections(plan_with(**rules))


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"0 places; .* drop .*; stream 0 .* cancels; section 0: leave node 0"):
        check_sections(
            plan_with(
                section_places=[0],
                stage_capacity=1,
                stage_full=WhenFull.DROP_NEWEST,
                cancellation=Cancellation.RUNNING_AT_ONCE,
                node_leave=[0, -1, -1, -1, -1],
            )
        )


def test_merged_streams_keep_their_own_sections() -> None:
    one = plan_with()
    two = plan_with(node_enter=[1, 0, -1, -1, -1], node_leave=[-1, -1, 1, 0, -1], section_places=[1, 3])
    none = plan_with(
        node_enter=[-1] * 5, node_leave=[-1] * 5, section_places=[], cancellation=Cancellation.RUNNING_AT_ONCE
    )
    merged = merge_plans([one, none, two], [0, 1, 0])
    assert merged.section_places.tolist() == [2, 1, 3]
    assert merged.node_enter.tolist() == [-1, 0, -1, -1, -1] + [-1] * 5 + [2, 1, -1, -1, -1]
    assert merged.node_leave.tolist() == [-1, -1, 0, -1, -1] + [-1] * 5 + [-1, -1, 2, 1, -1]
    # A stream that cancels does not matter where it has no sections.
    check_sections(merged)
    with pytest.raises(ValueError, match="stream 2 has sections and cancels"):
        check_sections(merge_plans([one, none, two._replace(cancellation=none.cancellation)], [0, 1, 0]))
