"""`algorithm: dp` against looking at every design, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eesim.errors import InputError
from eesim.explore.exploration import Exploration, explore
from tests.test_cli.commands import eesim
from tests.test_explore.spaces import camera

ONE_BY_ONE: dict[str, Any] = {
    "mapping.exits": ["final"],
    "stream.arrivals": {"kind": "periodic", "rate": "20 Hz"},
    "stream.exits": {"kind": "fixed", "exit": 4},
    "requirements": {},
    "run.warmup": 10,
}
SPACE: dict[str, Any] = {
    "segments": {"b1": ["B", "G"], "b2": ["B", "G"], "b3": ["B", "L", "G"], "b4": ["B", "G"]},
    "opp": {"b1": ["1800 MHz", "800 MHz", "600 MHz"], "b3": ["1800 MHz", "1416 MHz", "600 MHz"]},
    "frames": 1500,
}
IN_TIME = {"constraints": {"worst_latency": "45 ms"}}
LOOP = {"stream.arrivals": {"kind": "closed_loop"}}


def searched(algorithm: str, space: dict[str, Any], changes: dict[str, Any]) -> Exploration:
    scenario = camera({**ONE_BY_ONE, **changes, "explore": {**SPACE, **space, "algorithm": algorithm}})
    return explore(scenario, confirm=False)


@pytest.mark.parametrize(
    "space",
    [
        {"objective": "energy", **IN_TIME},
        {"objective": "mean_latency"},
        {"objective": ["worst_latency", "energy"], **IN_TIME},
        {"objective": ["energy", "mean_latency"], **IN_TIME},
        {"objective": "energy", "constraints": {"deadline": "40 ms"}},
        {"objective": "energy", "constraints": {"p99_latency": "22 ms"}},
        {"objective": "energy", **IN_TIME, "opp": {"B": ["1800 MHz", "1200 MHz"], "b2": ["1200 MHz", "800 MHz"]}},
    ],
    ids=["energy", "latency", "front", "front by energy", "deadline", "infeasible", "PE clocks"],
)
@pytest.mark.parametrize(
    "changes",
    [{}, LOOP, {"physics.dvfs_delay": False}, {"physics.transfers": False}, {"board.transfers.charge": "receiver"}],
    ids=["periodic", "closed loop", "no delay", "no transfers", "receiver"],
)
def test_the_same_as_looking_at_every_design(space: dict[str, Any], changes: dict[str, Any]) -> None:
    if changes and space["objective"] != "energy":
        changes = {**LOOP, **changes} if "board.transfers.charge" in changes else changes
    found, truth = searched("dp", space, changes), searched("exhaustive", space, changes)
    assert found.found.is_feasible == truth.found.is_feasible
    assert found.certificate.kind == truth.certificate.kind
    assert found.certificate.proven_optimal
    if found.found.is_feasible:
        # A simulated run begins and ends somewhere: up to one period of idle power over all its frames.
        assert found.found.objectives == pytest.approx(truth.found.objectives, rel=2e-4)
    else:
        assert found.describe()["violations"] == truth.describe()["violations"]
    assert found.search.evaluations < truth.search.evaluations


def test_clocks_that_change_are_found_where_they_pay() -> None:
    # Without a delay each block has its best clock; with it, changing back and forth on one PE costs milliseconds.
    space = {
        "segments": ["G"],
        "opp": {"b1": ["800 MHz", "200 MHz"], "b2": ["800 MHz", "200 MHz"], "b3": ["800 MHz", "200 MHz"]},
        "objective": "energy",
        "constraints": {"worst_latency": "49 ms"},
    }
    free, real = (searched("dp", space, {"physics.dvfs_delay": delayed}) for delayed in (False, True))
    assert free.certificate.proven_optimal
    assert real.certificate.proven_optimal
    assert free.found.objectives[0, 0] <= real.found.objectives[0, 0]


@pytest.mark.parametrize(
    ("space", "changes", "words"),
    [
        ({"exits": "any"}, {}, "early exits are enabled"),
        ({}, {"mapping.exits": "all"}, "early exits are enabled"),
        ({"forbid": [{"b1": "G"}]}, {}, "combinations are forbidden"),
        ({}, {"stream.noise": {"kind": "lognormal", "cv": 0.1}}, "noisy"),
        ({"objective": "accuracy"}, {}, "dp minimises one latency, energy, or both"),
        ({"constraints": {"energy": "300 mJ"}}, {}, "dp takes limits of latency, not of energy"),
        ({"objective": "energy"}, {}, "a latency limit of at most 50 ms"),
        ({}, {"stream.arrivals": {"kind": "periodic", "rate": "60 Hz"}}, "frames meet"),
        ({"opp": {f"b{i}": "all" for i in range(1, 5)}, "segments": ["B", "L", "G", "N"]}, {}, "has no time on N"),
    ],
)
def test_what_does_not_add_up_is_refused(space: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        searched("dp", space, changes)


def test_auto_takes_it_where_it_can() -> None:
    wide = {"segments": ["B", "L", "G"], "opp": {}, "objective": "energy", **IN_TIME}
    found = searched("auto", wide, {})
    assert (found.algorithm, found.certificate.kind) == ("dp", "proven optimum")
    assert "time and energy add up" in found.why
    assert searched("auto", wide, {"mapping.exits": "all"}).algorithm == "exhaustive"


def test_the_command_says_what_it_proved() -> None:
    options = [f"--set={key}={json.dumps(value)}" for key, value in {**ONE_BY_ONE, **LOOP, "explore": SPACE}.items()]
    result = eesim("explore", "scenarios/ee_resnet18_camera.yaml", "--algorithm", "dp", "--json", *options)
    assert result.status == 0, result.err
    told = result.json()
    assert told["certificate"]["proven_optimal"]
    assert told["engines_agree"]
    assert told["by_general_road"] == told["evaluations"]
    assert told["confirmation"]["latency_ms"]["mean"]["value"] == pytest.approx(told["best"]["mean_latency"], rel=1e-12)
