"""Networks: a backbone with branches, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from eesim.errors import InputError
from eesim.findings import findings_of
from eesim.spec import validate_document
from eesim.wording import dotted
from eesim.workload.network import Network
from eesim.yamldoc import parse_document
from tests.scenarios import PAIR, RESNET, camera, network_data, network_of

DEEP = (
    {"name": "b1"},
    {"name": "e1a", "after": "b1"},
    {"name": "e1b", "after": "e1a"},
    {"name": "b2"},
    {"name": "e1c", "after": "e1b", "exit": "early"},
    {"name": "b3", "exit": "final"},
)
"""A branch of three segments, one of which is built after the next backbone segment."""

FORKED = (
    {"name": "b1"},
    {"name": "e1", "after": "b1"},
    {"name": "left", "after": "e1", "exit": "one"},
    {"name": "right", "after": "e1", "exit": "two"},
    {"name": "b2", "exit": "final"},
)


def findings(*segments: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        network_of(*segments)
    return [
        f"{dotted(path)}: {message}" + (f" ({hint}?)" if hint else "")
        for path, message, hint in findings_of(caught.value)
    ]


# -- shapes -------------------------------------------------------------------------------------------------


def test_the_shipped_network_is_a_backbone_of_four_with_three_branches() -> None:
    network = camera().network
    assert network.segment_names == ("b1", "e1", "b2", "e2", "b3", "e3", "b4")
    assert network.sources == (-1, 0, 0, 2, 2, 4, 4)
    assert network.exit_names == ("exit1", "exit2", "exit3", "final")
    assert [network.segment_names[i] for i in network.exit_segments] == ["e1", "e2", "e3", "b4"]


def test_a_branch_may_have_several_segments_built_in_any_order() -> None:
    network = network_of(*DEEP)
    # b1 feeds e1a and b2; e1a feeds e1b, which feeds e1c; b2 feeds b3.
    assert network.sources == (-1, 0, 1, 0, 2, 3)
    assert network.exit_segments == (4, 5)
    assert network.exit_names == ("early", "final")


def test_a_branch_may_fork() -> None:
    network = network_of(*FORKED)
    assert network.sources == (-1, 0, 1, 1, 0)
    assert network.exit_names == ("one", "two", "final")


def test_several_branches_may_start_at_one_segment() -> None:
    network = network_of(PAIR[0], PAIR[1], {"name": "e2", "after": "b1", "exit": "other"}, PAIR[2])
    assert network.sources == (-1, 0, 0, 0)
    assert network.exit_names == ("early", "other", "final")


def test_the_final_exit_comes_last_even_if_a_branch_is_built_after_it() -> None:
    network = network_of(PAIR[0], PAIR[2], PAIR[1])
    assert network.sources == (-1, 0, 0)
    assert network.exit_segments == (2, 1)
    assert network.exit_names == ("early", "final")


def test_a_network_may_be_one_segment() -> None:
    network = network_of({"name": "all", "exit": "final"})
    assert (network.sources, network.exit_segments) == ((-1,), (0,))


# -- what is no network -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (({"name": "b1"},), "segments.0.exit: the last backbone segment must end in the final exit: name it"),
        ((*RESNET[:3],), "segments.2.exit: the last backbone segment must end in the final exit: name it"),
        (
            ({"name": "b1", "exit": "early"}, {"name": "b2", "exit": "final"}),
            "segments.0.exit: 'b1' ends in an exit, but something follows it",
        ),
        (
            (PAIR[0], {"name": "e1", "after": "b1"}, PAIR[2]),
            "segments.1.exit: the branch that ends in 'e1' has no exit",
        ),
        (
            (*PAIR, {"name": "e2", "after": "b2", "exit": "late"}),
            "segments.2.exit: nothing can follow the final exit",
        ),
        ((PAIR[0], PAIR[0] | {"exit": "final"}), "segments.1.name: segment 'b1' appears twice"),
        (
            (PAIR[0], PAIR[1], {"name": "b2", "exit": "early"}),
            "segments.2.exit: exit 'early' appears twice",
        ),
        (
            (PAIR[0], {"name": "e1", "after": "b2", "exit": "early"}, PAIR[2]),
            "segments.1.after: 'b2' is not an earlier segment (b1?)",
        ),
        (
            (PAIR[0], {"name": "e1", "after": "e1", "exit": "early"}, PAIR[2]),
            "segments.1.after: 'e1' is not an earlier segment (b1?)",
        ),
        (({"name": "e1", "after": "b1", "exit": "early"},), "segments.0.after: 'b1' is not an earlier segment"),
        ((), "segments: must not be empty"),
        ((*PAIR[:2], {"name": "2nd", "exit": "x"}), "segments.2.name: must match the pattern ^[A-Za-z][A-Za-z0-9_]*$"),
        ((*PAIR[:2], {"name": "b2", "exit": "x", "kernels": 0}), "segments.2.kernels: must be at least 1"),
    ],
)
def test_shapes_that_are_refused(segments: tuple[dict[str, Any], ...], expected: str) -> None:
    # 'b2' suggests 'b1', but 'e1' is no typing error for 'b1': only the tail of the message may differ.
    assert [found.removesuffix(" (b1?)") for found in findings(*segments)] == [expected.removesuffix(" (b1?)")]


def test_a_typing_error_in_after_gets_a_suggestion() -> None:
    segments = ({"name": "block1"}, {"name": "e1", "after": "blok1", "exit": "early"}, {"name": "b2", "exit": "final"})
    assert findings(*segments) == ["segments.1.after: 'blok1' is not an earlier segment (block1?)"]


def test_all_problems_of_a_network_are_reported_with_their_lines() -> None:
    text = """\
eesim: 1
name: net
origin: {kind: assumed}
input: 1 kB
segments:
  - {name: b1, output: 1 kB}
  - {name: e1, after: b1, output: 1 kB}
  - {name: e2, after: b1, output: 1 kB}
  - {name: b2, output: 1 kB}
"""
    with pytest.raises(InputError) as caught:
        validate_document(Network, parse_document(text, "net.yaml"))
    assert [str(problem) for problem in caught.value.problems] == [
        "net.yaml:7: segments.1.exit: the branch that ends in 'e1' has no exit",
        "net.yaml:8: segments.2.exit: the branch that ends in 'e2' has no exit",
        "net.yaml:9: segments.3.exit: the last backbone segment must end in the final exit: name it",
    ]


def test_a_wrong_segment_is_not_a_missing_one() -> None:
    assert findings({"name": "all", "exit": "x", "kernels": 0}) == ["segments.0.kernels: must be at least 1"]


def test_the_limit_on_segments() -> None:
    chain = [{"name": f"b{k}"} for k in range(4096)]
    with pytest.raises(ValidationError, match="at most 4,096 items"):
        Network.model_validate(network_data(*chain, {"name": "last", "exit": "final"}))
    network = Network.model_validate(network_data(*chain[1:], {"name": "last", "exit": "final"}))
    assert network.sources == tuple(range(-1, 4095))
