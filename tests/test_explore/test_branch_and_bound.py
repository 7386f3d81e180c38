"""Branch and bound finds what enumeration finds, and its bounds are true."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from eesim.explore.branch_and_bound import BOUNDED, BranchAndBound
from eesim.explore.certificate import certify
from eesim.explore.exhaustive import Exhaustive
from eesim.explore.outcome import Status
from tests.scenarios import FAR_APART
from tests.test_explore.spaces import ANYWHERE, BUSY, Explored, camera_space
from tests.test_explore.toys import through_files

DROPS = {"preset": "cooperative", "queue": {"capacity": 1, "full": "drop_newest"}, "frames_in_flight": 1}
SLOW = {**BUSY, "stream.arrivals.rate": "40 Hz"}
FIVE = {"b1": ["B", "G"], "e1": ["L", "G"], "b2": ANYWHERE, "e2": ["L", "G"], "b3": ANYWHERE, "b4": ANYWHERE}
SPACES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "far apart": (FAR_APART, {"segments": FIVE, "opp": {"G": "all"}}),
    "exits": (FAR_APART, {"segments": FIVE, "exits": "any"}),
    "busy": (SLOW, {"segments": FIVE, "frames_in_flight": [1, 2, "unbounded"]}),
    "drops": ({**SLOW, "policy": DROPS}, {"segments": FIVE, "queue_capacity": [0, 2]}),
    "no decision": ({**SLOW, "policy": {"preset": "cooperative", "exit_decision": "none"}}, {"segments": FIVE}),
    "latency within": (SLOW, {"segments": FIVE, "opp": {"B": "all"}, "constraints": {"worst_latency": "50 ms"}}),
    "energy within": (FAR_APART, {"segments": FIVE, "opp": {"B": "all"}, "constraints": {"p99_latency": "40 ms"}}),
    "floor": (SLOW, {"segments": FIVE, "constraints": {"throughput": "39 fps", "p90_latency": "60 ms"}}),
    "forbidden": (FAR_APART, {"segments": FIVE, "forbid": [{"b1": "B", "b2": "L"}, {"b4": "L"}]}),
}


def searches(found: Explored, budget: int | None = None) -> tuple[Exhaustive, BranchAndBound]:
    size = found.space.size
    every = Exhaustive(found.evaluator, found.space, budget=size, seed=1)
    return every, BranchAndBound(found.evaluator, budget=budget or size, seed=1)


@pytest.mark.parametrize("objective", BOUNDED)
@pytest.mark.parametrize("name", SPACES)
def test_it_finds_what_enumeration_finds(name: str, objective: str) -> None:
    changes, explore = SPACES[name]
    found = camera_space(changes, {"frames": 120, **explore, "objective": objective})
    every, bounded = searches(found)
    best, mine = every.run(), bounded.run()
    assert mine.is_feasible == best.is_feasible
    assert best.is_feasible
    assert mine.objectives[0, 0] == best.objectives[0, 0]
    assert certify(bounded, mine, found.space.size).kind == certify(every, best, found.space.size).kind
    assert bounded.evaluations <= every.evaluations


def test_it_cuts() -> None:
    found = camera_space(FAR_APART, {"segments": ANYWHERE, "opp": {"G": "all", "B": "all"}})
    search = BranchAndBound(found.evaluator, budget=5000, seed=1)
    search.run()
    assert search.status is Status.EXHAUSTED
    assert search.pruned > 0
    assert search.evaluations < found.space.size / 10


@pytest.mark.parametrize("constraints", [{"worst_latency": "10 ms"}, {"energy": "1 mJ"}, {"throughput": "1000 fps"}])
def test_what_no_design_meets_is_proven_infeasible(constraints: dict[str, Any]) -> None:
    found = camera_space({**SLOW, "run.frames": 120}, {"segments": FIVE, "constraints": constraints, "frames": 120})
    search = BranchAndBound(found.evaluator, budget=found.space.size, seed=1)
    outcome = search.run()
    certificate = certify(search, outcome, found.space.size)
    assert not outcome.is_feasible
    assert certificate.kind == "proven infeasible"
    assert outcome.violations.sum() > 0


@pytest.mark.parametrize("budget", [1, 20, 60])
@pytest.mark.parametrize("objective", ["mean_latency", "energy", "energy_delay"])
def test_a_budget_that_ends_leaves_a_true_bound_and_a_gap(
    objective: str, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eesim.explore.branch_and_bound.LEAVES", 8)
    monkeypatch.setattr("eesim.explore.branch_and_bound.EXPANDED", 4)
    found = camera_space(SLOW, {"segments": ANYWHERE, "frames": 120, "objective": objective})
    every, bounded = searches(found, budget)
    best, mine = every.run(), bounded.run()
    optimum = best.objectives[0, 0]
    certificate = certify(bounded, mine, found.space.size)
    assert bounded.status is Status.BUDGET
    assert bounded.evaluations <= budget
    assert not certificate.proven_optimal
    assert certificate.kind == "within gap"
    assert certificate.lower_bound is not None
    assert certificate.lower_bound <= optimum <= mine.objectives[0, 0]
    assert certificate.gap == pytest.approx(1 - certificate.lower_bound / mine.objectives[0, 0])


@pytest.mark.parametrize("leaves", [1, 7, 256])
def test_a_budget_that_ends_anywhere_proves_nothing_false(leaves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eesim.explore.branch_and_bound.LEAVES", leaves)
    found = camera_space(SLOW, {"segments": FIVE, "frames": 120, "objective": "energy_delay"})
    optimum = Exhaustive(found.evaluator, found.space, budget=found.space.size, seed=1).run().objectives[0, 0]
    for budget in (2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 200):
        search = BranchAndBound(found.evaluator, budget=budget, seed=1)
        mine = search.run()
        certificate = certify(search, mine, found.space.size)
        if certificate.proven_optimal:
            assert mine.objectives[0, 0] == optimum, budget
        elif certificate.lower_bound is not None:
            assert certificate.lower_bound <= optimum, budget


def test_restoring_at_any_step_gives_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eesim.explore.branch_and_bound.LEAVES", 2)
    monkeypatch.setattr("eesim.explore.branch_and_bound.EXPANDED", 4)
    found = camera_space(SLOW, {"segments": FIVE, "frames": 120, "objective": "energy_delay"})
    whole = BranchAndBound(found.evaluator, budget=500, seed=1)
    states = [through_files(whole.state())]
    while whole.status is Status.RUNNING:
        whole.step()
        states.append(through_files(whole.state()))
    assert len(states) > 4
    for state in states:
        again = BranchAndBound(found.evaluator, budget=500, seed=1)
        again.restore(state)
        again.run()
        mine, wanted = again.state(), whole.state()
        assert mine.keys() == wanted.keys()
        for key, value in wanted.items():
            assert np.array_equal(mine[key], value, equal_nan=key == "history"), key


def test_the_proven_bound_never_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eesim.explore.branch_and_bound.LEAVES", 8)
    monkeypatch.setattr("eesim.explore.branch_and_bound.EXPANDED", 8)
    found = camera_space(SLOW, {"segments": FIVE, "frames": 120})
    search = BranchAndBound(found.evaluator, budget=500, seed=1)
    bounds = []
    while search.status is Status.RUNNING:
        search.step()
        bounds.append(search.lower_bound)
    assert all(b >= a for a, b in itertools.pairwise(bounds))
    assert bounds[-1] == search.found().objectives[0, 0]


@pytest.mark.parametrize("objective", ["throughput", "period", "power", ["energy", "mean_latency"]])
def test_objectives_without_a_bound_are_refused(objective: Any) -> None:
    found = camera_space(FAR_APART, {"objective": objective})
    with pytest.raises(ValueError, match="branch and bound"):
        BranchAndBound(found.evaluator, budget=1, seed=1)
