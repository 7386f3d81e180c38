"""Bounds of partial genomes never exceed the value of any completion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.base import IntArray
from eesim.engine import candidate_runs as cr
from eesim.explore.partial_bounds import OPEN, PartialBounds
from eesim.scenario.load import Scenario
from tests.scenarios import FAR_APART, camera
from tests.test_explore.spaces import ANYWHERE, BUSY, RICH, Explored, explored, simulated

DROPS = {"preset": "cooperative", "queue": {"capacity": 1, "full": "drop_oldest"}, "frames_in_flight": 1}
LATE = {"preset": "cooperative", "exit_decision": "none"}
ALL = {"B": "all", "L": "all", "G": "all"}
WORLDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "frames far apart": (FAR_APART, {"segments": ANYWHERE, "opp": ALL, "exits": "any"}),
    "everything varies": (BUSY, RICH),
    "overload": ({**BUSY, "stream.arrivals.rate": "300 Hz"}, {"segments": ANYWHERE, "opp": ALL}),
    "drops": (
        {**BUSY, "policy": DROPS},
        {"segments": ANYWHERE, "opp": {"B": "all"}, "exits": "any", "queue_capacity": [0, 1, 4]},
    ),
    "drops within a limit": (
        {**BUSY, "policy": DROPS, "stream.arrivals.rate": "45 Hz"},
        {"segments": ANYWHERE, "queue_capacity": [1, 4], "constraints": {"drop_rate": 0.2}},
    ),
    "no decision": ({**BUSY, "policy": LATE}, {"segments": ANYWHERE, "exits": "any", "opp": {"G": "all"}}),
    "a decision or none": (
        BUSY,
        {"segments": ANYWHERE, "exits": "any", "opp": {"B": "all"}, "policy": ["cooperative", LATE, "sequential"]},
    ),
    "a decision or none, far apart": (
        FAR_APART,
        {"segments": ANYWHERE, "exits": "any", "opp": {"B": "all"}, "policy": [LATE, "cooperative"]},
    ),
    "idle power": (
        {
            **BUSY,
            "board.pes.B.idle_power.value": "900 mW",
            "board.pes.L.idle_power.value": "400 mW",
            "board.pes.G.idle_power.value": "300 mW",
        },
        {"segments": ANYWHERE, "opp": ALL},
    ),
    "one exit alone": ({**BUSY, "stream.exits": {"kind": "fixed", "exit": 2}}, {"segments": ANYWHERE, "exits": "any"}),
    "a limit on latency": (
        {**BUSY, "stream.arrivals.rate": "30 Hz"},
        {"segments": ANYWHERE, "opp": {"B": "all", "G": "all"}, "constraints": {"worst_latency": "45 ms"}},
    ),
    "a limit on a quantile": (
        FAR_APART,
        {"segments": ANYWHERE, "opp": {"B": "all", "G": "all"}, "constraints": {"p99_latency": "50 ms"}},
    ),
}


def partial(genomes: IntArray, rng: np.random.Generator) -> IntArray:
    """Genomes of which any part is undecided."""
    share = rng.random((len(genomes), 1))
    return np.where(rng.random(genomes.shape) < share, OPEN, genomes)


def check(found: Explored, rounds: int, seed: int = 0) -> int:
    """Compare bounds with feasible completions; return how many were compared."""
    rng = np.random.default_rng(seed)
    genomes = found.at_random(rounds, seed)
    bounds = PartialBounds(found.evaluator)
    known = partial(genomes, rng)
    known[: rounds // 4] = genomes[: rounds // 4]
    below = bounds.metrics(known)
    compared = 0
    for values in (found.evaluator.metrics(genomes), simulated(found, genomes)):
        violations = found.evaluator.judge(genomes, values).violations.sum(axis=1)
        feasible = (values["status"] == cr.SIMULATED) & (violations == 0)
        for name, bound in below.items():
            judged = feasible & np.isfinite(values[name])
            excess = bound[judged] * (1 - 1e-9) - values[name][judged]
            worst = int(excess.argmax()) if judged.any() else -1
            assert worst < 0 or excess[worst] <= 0, (name, known[judged][worst], genomes[judged][worst], excess[worst])
            compared += int(judged.sum())
    return compared


@pytest.mark.parametrize("world", WORLDS)
def test_no_completion_beats_its_bound(world: str) -> None:
    changes, explore = WORLDS[world]
    found = explored(camera(changes), {"frames": 300, **explore})
    assert check(found, 400) > 100


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seed", range(1, 6))
def test_no_completion_beats_its_bound_at_length(world: str, seed: int) -> None:
    changes, explore = WORLDS[world]
    found = explored(camera(changes), {"frames": 300, **explore})
    assert check(found, 4000, seed) > 1000


def test_the_bound_of_a_complete_genome_is_its_latency_where_nothing_waits() -> None:
    scenario: Scenario = camera({**FAR_APART, "mapping.segments": "BGLGLGL"})
    found = explored(scenario, {"segments": ["B", "L"]})
    genomes = found.everything()
    values = found.evaluator.metrics(genomes)["latency_ms.max"]
    bound = PartialBounds(found.evaluator).metrics(genomes)["latency_ms.max"]
    assert (bound <= values * (1 + 1e-9)).all()
    assert (bound > 0.4 * values).all()
    assert np.isclose(bound, values).any()


def test_deciding_a_gene_never_lowers_the_bound() -> None:
    changes, explore = WORLDS["everything varies"]
    found = explored(camera(changes), explore)
    rng = np.random.default_rng(3)
    genomes = found.at_random(300)
    bounds = PartialBounds(found.evaluator)
    known = np.full_like(genomes, OPEN)
    before = bounds.metrics(known)
    for gene in rng.permutation(genomes.shape[1]):
        known[:, gene] = genomes[:, gene]
        after = bounds.metrics(known)
        for name, values in after.items():
            assert (values >= before[name] * (1 - 1e-9)).all(), (name, gene)
        before = after
