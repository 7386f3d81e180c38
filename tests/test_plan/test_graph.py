"""Task graphs: order strings as CO-UP runs them, transfers, gates, blocking, disabled exits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from eesim.mapping.policy import PolicyChange, resolve_policy
from eesim.plan.graph import TaskGraph, build_graph
from eesim.workload.network import Network
from tests.scenarios import CHARGES, PAIR, RESNET, network_of

DEEP = (
    {"name": "b1"},
    {"name": "e1a", "after": "b1"},
    {"name": "e1b", "after": "e1a", "exit": "early"},
    {"name": "b2", "exit": "final"},
)
FORKED = (
    {"name": "b1"},
    {"name": "stem", "after": "b1"},
    {"name": "left", "after": "stem", "exit": "one"},
    {"name": "right", "after": "stem", "exit": "two"},
    {"name": "b2", "exit": "final"},
)


def graph(
    pes: str,
    policy: str | dict[str, Any] = "cooperative",
    *,
    charge: str = "",
    enabled: Sequence[bool] = (),
    of: Sequence[dict[str, Any]] = RESNET,
) -> TaskGraph:
    network: Network = network_of(*of)
    change = PolicyChange.model_validate(policy) if isinstance(policy, dict) else policy
    on = tuple(enabled) or (True,) * len(network.exit_names)
    return build_graph(network, tuple(pes), on, resolve_policy(change), charge)


def names(found: TaskGraph, numbers: Any = None) -> list[str]:
    return [found.nodes[i].name for i in (range(len(found.nodes)) if numbers is None else sorted(numbers))]


def before(found: TaskGraph) -> dict[str, list[str]]:
    """For each node, in dispatch order, what it waits for."""
    return {node.name: names(found, node.before) for node in found.nodes}


def subgraphs(found: TaskGraph) -> list[list[str]]:
    """Segments of each serial unit, in the order in which they run."""
    units: dict[int, list[str]] = {}
    for node in found.nodes:
        if not node.is_transfer:
            units.setdefault(node.unit, []).append(node.name)
    return list(units.values())


def gated(found: TaskGraph) -> list[str]:
    return [node.name for node, gate in zip(found.nodes, found.gate, strict=True) if gate]


# -- CO-UP's orders -----------------------------------------------------------------------------------------

ORDERS = {
    "BGLGLGL": ["b1", "e1", "b2", "e2", "b3", "e3", "b4"],
    "BBGGLLB": ["b1 e1", "b2 e2", "b3 e3", "b4"],
    "BGGLLGL": ["b1", "b2 e1", "b3 e2", "e3", "b4"],
    "BGGGGGG": ["b1", "b2 e2 b3 e3 b4 e1"],
    "BBBBBBB": ["b1 e1 b2 e2 b3 e3 b4"],
}
"""Subgraphs of EE-ResNet18 and the order inside each, from the released runtime's graph builder [CO 3.4]."""


@pytest.mark.parametrize("order", ORDERS)
def test_subgraphs_of_coup_orders(order: str) -> None:
    assert subgraphs(graph(order, "coup-switch")) == [unit.split() for unit in ORDERS[order]]


@pytest.mark.parametrize("order", ORDERS)
def test_a_subgraph_is_one_thread(order: str) -> None:
    found = graph(order, "coup-switch")
    waits = before(found)
    for unit in subgraphs(found):
        for first, second in pairwise(unit):
            assert waits[second] == [first]


@pytest.mark.parametrize("order", ORDERS)
def test_exit_first_keeps_the_order_of_construction(order: str) -> None:
    found = graph(order, {"preset": "coup-switch", "merge_order": "exit_first"})
    construction = [segment["name"] for segment in RESNET]
    assert [name for unit in subgraphs(found) for name in unit] == construction


def test_what_waits_for_what_with_after_segment() -> None:
    assert before(graph("BGLGLGL")) == {
        "b1": [],
        "e1": ["b1"],
        "b2": ["b1"],
        "e2": ["b2"],
        "b3": ["b2"],
        "e3": ["b3"],
        "b4": ["b3"],
    }


def test_what_waits_for_what_with_after_subgraph() -> None:
    # b2 -> e1 are one subgraph: b3 -> e2 gets b2's output only when e1 is done, too.
    assert before(graph("BGGLLGL", "coup-switch")) == {
        "b1": [],
        "b2": ["b1"],
        "e1": ["b2"],
        "b3": ["e1"],
        "e2": ["b3"],
        "e3": ["e2"],
        "b4": ["e2"],
    }


def test_a_subgraph_runs_the_consumers_of_what_it_receives_in_reverse_each_with_its_descendants() -> None:
    extra = {"name": "x1", "after": "b1", "exit": "extra"}
    found = graph("BGGGLLLL", "coup-switch", of=(*RESNET[:2], extra, *RESNET[2:]))
    # G gets b1's output for e1, x1 and b2; L gets b2's for e2 and b3, and e3 and b4 follow b3 in their own order.
    assert subgraphs(found) == [["b1"], ["b2", "x1", "e1"], ["b3", "e3", "b4", "e2"]]


def test_the_subgraph_that_is_fed_by_the_input_keeps_the_order_of_construction() -> None:
    # The branch goes on after b2: depth first, e1b would come before b2.
    of = (*DEEP[:2], {"name": "b2"}, DEEP[2], {"name": "b3", "exit": "final"})
    assert subgraphs(graph("BBBBB", "coup-switch", of=of)) == [["b1", "e1a", "b2", "e1b", "b3"]]
    # Fed by a receiver: the last consumer of b1's output first, then the branch to its end.
    assert subgraphs(graph("BGGGG", "coup-switch", of=of)) == [["b1"], ["b2", "b3", "e1a", "e1b"]]


# -- transfers ----------------------------------------------------------------------------------------------


def test_no_transfers_where_nothing_crosses_or_nothing_is_charged() -> None:
    assert names(graph("BBBBBBB", charge="sender")) == [segment["name"] for segment in RESNET]
    assert not any(node.is_transfer for node in graph("BGLGLGL").nodes)


@pytest.mark.parametrize("charge", CHARGES)
def test_a_tensor_that_crosses_is_copied_between_producer_and_consumer(charge: str) -> None:
    waits = before(graph("BGLGLGL", charge=charge))
    assert waits["b1>G"] == waits["b1>L"] == ["b1"]
    assert waits["e1"] == ["b1>G"]
    assert waits["b2"] == ["b1>L"]
    # b2 and b3 are both on L.
    assert waits["b3"] == ["b2"]


def test_the_exits_copy_comes_first() -> None:
    assert names(graph("BGLGLGL", charge="sender"))[:3] == ["b1", "b1>G", "b1>L"]


def test_consumers_on_one_pe_share_a_copy() -> None:
    waits = before(graph("BGG", charge="sender", of=PAIR))
    assert waits == {"b1": [], "b1>G": ["b1"], "e1": ["b1>G"], "b2": ["b1>G"]}


def test_a_copy_for_each_subgraph() -> None:
    two = (PAIR[0], PAIR[1], {"name": "x1", "after": "b1", "exit": "extra"}, PAIR[2])
    # e1 and b2 are both on G, but x1 on L stands between them: two subgraphs.
    shared, separate = (graph("BGLG", {"send_policy": policy}, charge="sender", of=two) for policy in SEND)
    assert sorted(names(shared)) == ["b1", "b1>G", "b1>L", "b2", "e1", "x1"]
    # The second copy to the same PE is numbered.
    assert sorted(names(separate)) == ["b1", "b1>G", "b1>G#2", "b1>L", "b2", "e1", "x1"]
    waits = before(separate)
    assert (waits["e1"], waits["b2"]) == (["b1>G"], ["b1>G#2"])


SEND = ("after_segment", "after_subgraph")


def test_a_subgraph_sends_only_when_all_its_segments_are_done() -> None:
    waits = before(graph("BBGGLLB", "coup-switch", charge="sender"))
    assert waits["b1>G"] == ["e1"]
    assert waits["b2>L"] == ["e2"]
    assert waits["b3>B"] == ["e3"]
    assert waits["b2"] == ["b1>G"]


def test_a_thread_sends_one_copy_after_the_other() -> None:
    waits = before(graph("BGLGLGL", "coup-switch", charge="sender"))
    assert waits["b1>L"] == ["b1", "b1>G"]
    # A link or a receiver does not keep the sending thread.
    for charge in ("link", "delay", "receiver"):
        assert before(graph("BGLGLGL", "coup-switch", charge=charge))["b1>L"] == ["b1"]


def test_a_subgraph_receives_everything_before_it_begins() -> None:
    # e1 on G needs b1, e2 on G needs b2: but with x between them only one order makes them one subgraph.
    of = (RESNET[0], RESNET[2], RESNET[1], RESNET[3], {"name": "b3", "exit": "final"})
    found = graph("BLGGB", {"send_policy": "after_subgraph"}, charge="sender", of=of)
    waits = before(found)
    # The subgraph e1 e2 on G: its first segment waits for both tensors.
    assert waits["e1"] == ["b1>G", "b2>G"]
    assert waits["e2"] == ["e1"]


def test_what_a_receiver_pays_for_is_dispatched_just_before_its_consumer() -> None:
    order = names(graph("BGLGLGL", charge="receiver"))
    for copy, consumer in (("b1>G", "e1"), ("b1>L", "b2"), ("b2>G", "e2"), ("b3>G", "e3")):
        assert order.index(copy) + 1 == order.index(consumer)


# -- gates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "order", "expected"),
    [
        ("open", "BGLGLGL", ""),
        ("all", "BGLGLGL", "b1 b1>G b1>L e1 b2 b2>G e2 b3 b3>G e3 b4"),
        ("first_subgraph", "BGLGLGL", "b1 b1>G b1>L"),
        ("first_subgraph", "BBGGLLB", "b1 e1 b1>G"),
        ("last_subgraph", "BGLGLGL", "b4"),
        ("last_subgraph", "BGLGLLL", "b3 e3 b4"),
        ("last_subgraph", "BGLGLGG", "b4 e3"),
        ("last_subgraph", "BBBBBBB", "b1 e1 b2 e2 b3 e3 b4"),
    ],
)
def test_gates(gate: str, order: str, expected: str) -> None:
    found = graph(order, {"preset": "coup-switch", "frame_gate": gate}, charge="sender")
    assert sorted(gated(found)) == sorted(expected.split())


def test_a_copy_that_the_receiver_pays_for_does_not_close_the_senders_gate() -> None:
    found = graph("BGLGLGL", {"preset": "coup-pipeline"}, charge="receiver")
    assert gated(found) == ["b1"]


# -- blocking -----------------------------------------------------------------------------------------------


def test_the_next_segment_waits_for_the_decision() -> None:
    waits = before(graph("BGLGLGL", "sequential"))
    assert waits["b2"] == ["b1", "e1"]
    assert waits["b3"] == ["b2", "e2"]
    assert waits["b4"] == ["b3", "e3"]
    assert waits["e2"] == ["b2"]


def test_the_transfer_to_the_next_segment_waits_for_the_decision() -> None:
    waits = before(graph("BGLGLGL", "sequential", charge="sender"))
    assert waits["b1>G"] == ["b1"]
    assert waits["b1>L"] == ["b1", "e1"]
    assert waits["b2"] == ["b1>L"]


def test_a_copy_that_the_exit_needs_too_does_not_wait() -> None:
    waits = before(graph("BGG", "sequential", charge="sender", of=PAIR))
    assert waits["b1>G"] == ["b1"]
    assert waits["b2"] == ["b1>G", "e1"]


def test_blocking_waits_for_the_end_of_the_branch() -> None:
    waits = before(graph("BGGL", "sequential", of=DEEP))
    assert waits["b2"] == ["b1", "e1b"]
    assert waits["e1b"] == ["e1a"]


def test_branches_of_one_segment_wait_for_each_other() -> None:
    two = (PAIR[0], PAIR[1], {"name": "x1", "after": "b1", "exit": "extra"}, PAIR[2])
    assert before(graph("BGLB", "sequential", of=two)) == {
        "b1": [],
        "e1": ["b1"],
        "x1": ["b1", "e1"],
        "b2": ["b1", "x1"],
    }


def test_nothing_waits_for_a_disabled_exit() -> None:
    waits = before(graph("BGLGLGL", "sequential", enabled=(False, True, True, True)))
    assert waits["b2"] == ["b1"]
    assert waits["b3"] == ["b2", "e2"]


# -- exits --------------------------------------------------------------------------------------------------


def test_every_exit_is_known_when_its_classifier_is_done() -> None:
    found = graph("BGLGLGL")
    assert [names(found, nodes) for nodes in found.exit_nodes] == [["e1"], ["e2"], ["e3"], ["b4"]]
    assert found.exit_of == found.exit_labels == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("enabled", "kept", "exit_of", "labels"),
    [
        ((True, True, True, True), "b1 e1 b2 e2 b3 e3 b4", (0, 1, 2, 3), (0, 1, 2, 3)),
        ((False, True, True, True), "b1 b2 e2 b3 e3 b4", (0, 0, 1, 2), (1, 2, 3)),
        ((True, False, False, True), "b1 e1 b2 b3 b4", (0, 1, 1, 1), (0, 3)),
        ((False, False, False, True), "b1 b2 b3 b4", (0, 0, 0, 0), (3,)),
    ],
)
def test_a_frame_of_a_disabled_exit_leaves_at_the_next_enabled_one(
    enabled: tuple[bool, ...], kept: str, exit_of: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    found = graph("BGLGLGL", enabled=enabled)
    assert names(found) == kept.split()
    assert found.exit_of == exit_of
    assert found.exit_labels == labels


def test_disabling_an_exit_joins_the_subgraphs_beside_it() -> None:
    # Without e1, b1 and b2 on B are adjacent.
    assert subgraphs(graph("BGBGLGL", "coup-switch", enabled=(False, True, True, True)))[0] == ["b1", "b2"]


def test_a_branch_of_several_segments_is_disabled_as_a_whole() -> None:
    assert names(graph("BGGL", of=DEEP)) == ["b1", "e1a", "e1b", "b2"]
    assert names(graph("BGGL", of=DEEP, enabled=(False, True))) == ["b1", "b2"]


def test_a_stem_stays_as_long_as_one_of_its_exits_is_enabled() -> None:
    assert names(graph("BGGGL", of=FORKED, enabled=(False, True, True))) == ["b1", "stem", "right", "b2"]
    assert names(graph("BGGGL", of=FORKED, enabled=(False, False, True))) == ["b1", "b2"]


def test_a_node_is_needed_by_the_first_exit_that_it_leads_to() -> None:
    found = graph("BGLGLGL", charge="sender")
    need = dict(zip(names(found), found.need, strict=True))
    assert need == {
        "b1": 0, "b1>G": 0, "e1": 0,
        "b1>L": 1, "b2": 1, "b2>G": 1, "e2": 1,
        "b3": 2, "b3>G": 2, "e3": 2,
        "b4": 3,
    }  # fmt: skip


def test_a_stem_is_needed_by_the_first_of_its_exits() -> None:
    found = graph("BGGGL", of=FORKED)
    assert dict(zip(names(found), found.need, strict=True)) == {"b1": 0, "stem": 0, "left": 0, "right": 1, "b2": 2}


@pytest.mark.parametrize("policy", ["coup-switch", {"exit_decision": "none"}])
def test_without_decisions_every_frame_is_answered_by_the_final_classifier(policy: Any) -> None:
    found = graph("BGLGLGL", policy)
    assert [names(found, nodes) for nodes in found.exit_nodes] == [["b4"]]
    assert found.exit_of == (0, 0, 0, 0)
    assert found.exit_labels == (3,)
    # The final classifier needs none of the branches: one past the last exit.
    need = dict(zip(names(found), found.need, strict=True))
    assert need == {"b1": 0, "e1": 1, "b2": 0, "e2": 1, "b3": 0, "e3": 1, "b4": 0}


def test_a_thread_answers_when_its_last_task_is_done() -> None:
    # BGGGGGG runs e1 last: the runtime takes the time when the last subgraph has ended [CO 1.2].
    found = graph("BGGGGGG", "coup-switch")
    assert names(found, found.exit_nodes[0]) == ["b2", "e2", "b3", "e3", "b4", "e1"]


@pytest.mark.parametrize("policy", ["coup-switch", "coup-pipeline", {"exit_decision": "none"}])
def test_the_final_classifier_answers_even_if_a_branch_is_built_after_it(policy: Any) -> None:
    found = graph("BLG", policy, of=(PAIR[0], PAIR[2], PAIR[1]))
    assert "b2" in names(found, found.exit_nodes[0])
