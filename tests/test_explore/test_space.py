"""The design space: genes, genomes, what may not be, and the way back to a scenario."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.errors import InputError
from tests.scenarios import CAMERA, FAR_APART, camera
from tests.test_explore.spaces import ANYWHERE, BUSY, RICH, Explored, camera_space, explored, scenario_of_genome


@pytest.fixture(scope="module")
def rich() -> Explored:
    return camera_space(BUSY, RICH)


def test_what_is_not_mentioned_stays_as_the_scenario_says() -> None:
    found = camera_space(FAR_APART, {})
    assert found.space.size == 1
    own = camera(FAR_APART)
    again = scenario_of_genome(found.space, found.everything()[0])
    assert again.mapping == own.mapping
    assert again.policy == own.policy


def test_the_size_is_the_product_of_the_choices(rich: Explored) -> None:
    assert rich.space.size == 3**7 * 8 * 5 * 2**3 * 3 * 3 * 2
    assert [gene.name for gene in rich.space.genes[-3:]] == ["frames_in_flight", "queue_capacity", "policy"]


def test_enumeration_meets_every_genome_once_the_last_gene_fastest() -> None:
    space = camera_space(FAR_APART, {"segments": {"b1": ANYWHERE, "e1": ["B", "G"]}, "exits": ["exit2"]}).space
    every = np.concatenate(list(space.batches(5)))
    assert len(np.unique(every, axis=0)) == len(every) == space.size == 12
    assert (every < space.n_alleles).all()
    assert every.tolist() == sorted(every.tolist())


def test_numbers_beyond_64_bits_are_genomes_too() -> None:
    opp = {"B": "all", "L": "all", "G": "all"}
    space = camera_space(FAR_APART, {**RICH, "opp": opp, "frames_in_flight": list(range(1, 2**14))}).space
    numbers = np.array([0, space.size - 1], object if space.size >= 2**62 else np.int64)
    first, last = space.at(numbers)
    assert not first.any()
    assert (last == space.n_alleles - 1).all()


def test_a_genome_and_its_scenario_are_the_same_design(rich: Explored) -> None:
    for genome in rich.at_random(20):
        scenario = scenario_of_genome(rich.space, genome)
        choice = rich.space.choice(genome)
        assert tuple(choice[name] for name in scenario.network.segment_names) == scenario.mapping.pes
        assert choice["opp.B"] == scenario.mapping.pe_opp_hz["B"]
        assert choice["exit.exit2"] == scenario.mapping.enabled_exits[1]
        assert choice["frames_in_flight"] == scenario.policy.frames_in_flight
        assert choice["queue_capacity"] == scenario.policy.queue.capacity
        assert choice["policy"] == scenario.policy.preset


def test_the_scenario_of_a_genome_has_that_genome(rich: Explored) -> None:
    for genome in rich.at_random(20):
        scenario = scenario_of_genome(rich.space, genome)
        np.testing.assert_array_equal(rich.space.genome_of(scenario), genome)


def test_a_changed_policy_survives_the_way_to_a_scenario_and_back() -> None:
    change = {"preset": "cooperative", "cancellation": "none", "queue": {"capacity": 3, "full": "drop_oldest"}}
    found = camera_space({**BUSY, "policy": change}, {"segments": ANYWHERE, "queue_capacity": [1, 3]})
    own = camera({**BUSY, "policy": change})
    genome = found.space.genome_of(own)
    assert genome is not None
    again = scenario_of_genome(found.space, genome)
    assert again.policy == own.policy
    assert "explore" not in found.space.document(genome).data


def test_a_scenario_outside_the_space_has_no_genome() -> None:
    found = camera_space(FAR_APART, {"segments": ["L", "G"]})
    assert found.space.genome_of(camera(FAR_APART)) is None


def test_forbidden_combinations_are_not_allowed() -> None:
    space = camera_space(FAR_APART, {"segments": ANYWHERE, "forbid": [{"b1": "B", "e1": "G"}, {"b2": "L"}]}).space
    every = space.at(np.arange(space.size))
    choices = [space.choice(genome) for genome in every]
    wanted = [not ((c["b1"] == "B" and c["e1"] == "G") or c["b2"] == "L") for c in choices]
    np.testing.assert_array_equal(space.is_allowed(every), wanted)
    assert sum(wanted) == 8 * 2 * 3**4


def test_required_combinations_all_hold() -> None:
    explore = {"segments": ANYWHERE, "exits": "any", "require": [{"b1": "B", "exit.exit1": "False"}, {"b2": "G"}]}
    space = camera_space(FAR_APART, explore).space
    every = space.at(np.arange(space.size))
    choices = [space.choice(genome) for genome in every]
    wanted = [c["b1"] == "B" and not c["exit.exit1"] and c["b2"] == "G" for c in choices]
    np.testing.assert_array_equal(space.is_allowed(every), wanted)


@pytest.mark.parametrize(
    ("explore", "words"),
    [
        ({"segments": ["B", "X"]}, ["'X'"]),
        ({"segments": {"b9": ["B"]}}, ["b9"]),
        ({"opp": {"Q": "all"}}, ["'Q'"]),
        ({"opp": {"B": ["1801 MHz"]}}, ["1801 MHz", "1800 MHz"]),
        ({"exits": ["exit9"]}, ["exit9"]),
        ({"exits": ["final"]}, ["final"]),
        ({"forbid": [{"bb": "B"}]}, ["no such decision"]),
        ({"segments": ANYWHERE, "forbid": [{"b1": "X"}]}, ["'X'"]),
        ({"segments": ["B", "X"], "opp": {"Q": "all"}, "exits": ["exit9"]}, ["'X'", "'Q'", "exit9"]),
    ],
)
def test_what_does_not_exist_is_refused_all_at_once(explore: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        explored(camera(FAR_APART), explore)
    told = str(caught.value)
    assert all(word in told for word in words), told


def test_documents_keep_the_rest_of_the_scenario(rich: Explored) -> None:
    genome = rich.at_random(1)[0]
    data = rich.space.document(genome).data
    assert data["stream"]["arrivals"]["rate"] == "90 Hz"
    assert CAMERA.is_file()
