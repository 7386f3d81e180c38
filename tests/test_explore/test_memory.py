"""Limits of memory: counted by hand, kept by the answer, refused where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.errors import InputError
from eesim.explore.exploration import explore
from eesim.scenario.load import load
from tests.scenarios import CAMERA
from tests.test_explore.spaces import FAR_APART, camera, camera_space

SEGMENTS = {"b1": ["B", "G"], "b4": ["B", "G"]}


def by_hand(explored: Any, genome: Any) -> dict[str, int]:
    """Bytes on each PE of a genome's design."""
    scenario = explored.space.scenario_of(genome)
    network, mapping = scenario.network, scenario.mapping
    needed = set()
    for on, segment in zip(mapping.enabled_exits, network.exit_segments, strict=True):
        at = segment if on else -1
        while at >= 0:
            needed.add(at)
            at = network.sources[at]
    used = dict.fromkeys(scenario.board.pes, 0)
    for at in needed:
        used[mapping.pes[at]] += (network.segments[at].weights or 0) + network.segments[at].output
    return used


def test_what_a_pe_holds_is_the_weights_and_outputs_of_its_segments() -> None:
    limits = {"B": "3 MB", "G": "8 MB"}
    found = camera_space(FAR_APART, {"segments": ["B", "L", "G"], "exits": "any", "memory": limits})
    assert found.evaluator.constraint_names[-3:] == ("memory.B", "memory.G", "runs")
    genomes = found.at_random(60, 1)
    violations = found.evaluator.evaluate(genomes).violations[:, -3:-1]
    for genome, row in zip(genomes, violations, strict=True):
        used = by_hand(found, genome)
        assert row == pytest.approx([max(used["B"] / 3e6 - 1, 0), max(used["G"] / 8e6 - 1, 0)])
    assert (violations > 0).any(axis=0).all()
    assert (violations == 0).any(axis=0).all()


def test_the_best_design_fits() -> None:
    scenario = camera({**FAR_APART, "explore": {"segments": ["B", "L", "G"], "memory": {"G": "6 MB", "B": "6 MB"}}})
    found = explore(scenario, confirm=False)
    free = explore(camera({**FAR_APART, "explore": {"segments": ["B", "L", "G"]}}), confirm=False)
    used = by_hand(found, found.found.genomes[0])
    assert max(used["G"], used["B"]) <= 6_000_000
    assert found.rejected["memory.G"] > 0
    assert free.found.objectives[0, 0] <= found.found.objectives[0, 0]


def test_nothing_fits_in_no_memory() -> None:
    scenario = camera({**FAR_APART, "explore": {"segments": ["B", "G"], "memory": {"B": "0 B", "G": "0 B"}}})
    found = explore(scenario, confirm=False)
    assert not found.found.is_feasible
    assert found.describe()["violations"].keys() <= {"memory.B", "memory.G"}


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="no PE 'Q'"):
        explore(camera({**FAR_APART, "explore": {"segments": ["B"], "memory": {"Q": "1 MB"}}}))
    scenario = load(CAMERA.parent / "psoc6_ecg.yaml", {"explore": {"memory": {"F": "9 kB"}}})
    with pytest.raises(InputError, match=f"network {scenario.network.name} does not say how large the weights of"):
        explore(scenario)


def test_a_disabled_exit_keeps_nothing() -> None:
    found = camera_space(FAR_APART, {"segments": ["B"], "exits": "any", "memory": {"B": "1 B"}})
    genomes = found.at_random(40, 2)
    violations = found.evaluator.evaluate(genomes).violations[:, -2]
    enabled = found.evaluator.columns.genes(genomes).enabled
    assert violations[enabled.all(axis=1)].min() == violations.max()
    assert violations[~enabled.all(axis=1)].max() < violations.max()
