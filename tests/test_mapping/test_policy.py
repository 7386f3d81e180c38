"""Policies: presets as the semantics page lists them, single switches, contradictions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import eesim
from eesim.findings import SpecError
from eesim.mapping.policy import Policy, PolicyChange, PresetName, resolve_policy

PRESETS = get_args(PresetName)
PAGE = Path(eesim.__file__).parents[1] / "docs" / "semantics.md"


def changed(**written: Any) -> Policy:
    return resolve_policy(PolicyChange.model_validate(written))


def preset_table() -> dict[str, dict[str, str]]:
    """The table of presets on the semantics page: preset to switch to value."""
    section = PAGE.read_text().partition("### Presets")[2].partition("\nAll:")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    names = [re.findall("`(.*?)`", cell)[0] for cell in rows[0][1:]]
    return {
        name: {row[0].strip("`"): row[column + 1] for row in rows[2:]}
        for column, name in enumerate(names)
    }  # fmt: skip


@pytest.mark.skipif(not PAGE.exists(), reason="the semantics page is not part of an installed package")
def test_presets_are_those_of_the_semantics_page() -> None:
    table = preset_table()
    assert set(table) == set(PRESETS)
    for name, switches in table.items():
        assert len(switches) == 7
        found = resolve_policy(name).model_dump()
        assert {key: found[key] for key in switches} == switches, name


@pytest.mark.parametrize("name", PRESETS)
def test_presets_leave_everything_else_open(name: str) -> None:
    policy = resolve_policy(name)
    assert policy.preset == name
    assert policy.frames_in_flight == policy.queue.capacity == policy.stage_queue.capacity == "unbounded"
    assert (policy.dispatch, policy.abort_at) == ("oldest_frame", "kernel")


def test_the_default_is_cooperative() -> None:
    assert changed() == resolve_policy("cooperative") == Policy()


SWITCHES = {
    "exit_decision": "none",
    "cancellation": "running",
    "abort_at": "once",
    "send_policy": "after_subgraph",
    "merge_order": "coup_dfs",
    "frame_gate": "all",
    "frames_in_flight": 3,
    "dispatch": "fifo",
    "speculation": "blocking",
    "exit_order": "first_confident",
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_one_switch_changes_nothing_else(switch: str) -> None:
    before, after = Policy().model_dump(), changed(**{switch: SWITCHES[switch]}).model_dump()
    assert after == before | {switch: SWITCHES[switch]}


def test_every_switch_can_be_changed() -> None:
    assert set(PolicyChange.model_fields) == set(Policy.model_fields)
    others = {"preset", "queue", "stage_queue", "adaptive", "reuse", "budget", "batching"}
    assert set(SWITCHES) | others == set(Policy.model_fields)


@pytest.mark.parametrize("queue", ["queue", "stage_queue"])
def test_the_capacity_of_a_queue_does_not_change_what_a_full_one_does(queue: str) -> None:
    before, after = Policy().model_dump(), changed(**{queue: {"capacity": 2}}).model_dump()
    assert after == before | {queue: before[queue] | {"capacity": 2}}


def test_a_preset_with_a_switch_keeps_its_other_switches() -> None:
    policy = changed(preset="coup-switch", exit_decision="decide")
    assert policy.model_dump() == resolve_policy("coup-switch").model_dump() | {"exit_decision": "decide"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"speculation": "blocking", "merge_order": "coup_dfs"}, ["speculation"]),
        ({"speculation": "blocking", "exit_decision": "none"}, ["speculation"]),
        ({"exit_order": "first_confident", "exit_decision": "none"}, ["exit_order"]),
        ({"preset": "coup-switch", "speculation": "blocking"}, ["speculation", "speculation"]),
        (
            {"preset": "sequential", "exit_decision": "none", "exit_order": "first_confident"},
            ["speculation", "exit_order"],
        ),
    ],
)
def test_switches_that_contradict_each_other(written: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        changed(**written)
    assert [path[0] for path, _, _ in caught.value.findings] == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"preset": "coup-swich"}, "'coup-swich' is not one of"),
        ({"frames_in_flight": 0}, "at least 1"),
        ({"queue": {"capacity": -1}}, "at least 0"),
        ({"queue": {"full": "drop"}}, "'drop' is not one of"),
        ({"speculate": "blocking"}, "unknown key"),
    ],
)
def test_switches_that_do_not_exist(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PolicyChange.model_validate(written)
