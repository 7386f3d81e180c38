"""What a search may claim, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.explore.branch_and_bound import BranchAndBound
from eesim.explore.certificate import Certificate, certify
from eesim.explore.exhaustive import Exhaustive
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.random_search import RandomSearch
from tests.scenarios import FAR_APART
from tests.test_explore.spaces import ISSUE, Explored, camera_space, issue_space


@pytest.fixture(scope="module")
def issue() -> Explored:
    return issue_space()


def certificate(found: Explored, kind: str, budget: int) -> Certificate:
    options: dict[str, Any] = {"budget": budget, "seed": 1}
    search = {
        "exhaustive": lambda: Exhaustive(found.evaluator, found.space, **options),
        "bounded": lambda: BranchAndBound(found.evaluator, **options),
        "ga": lambda: GeneticAlgorithm(found.evaluator, **options),
        "random": lambda: RandomSearch(found.evaluator, **options),
    }[kind]()
    return certify(search, search.run(), found.space.size)


@pytest.mark.parametrize("kind", ["exhaustive", "bounded", "ga", "random"])
def test_whoever_saw_everything_has_proven_it(issue: Explored, kind: str) -> None:
    got = certificate(issue, kind, 2187)
    assert got.kind == "proven optimum"
    assert got.proven_optimal
    assert got.lower_bound == pytest.approx(15.168241)
    assert got.gap == 0
    assert got.space_size == 2187


@pytest.mark.parametrize("kind", ["exhaustive", "ga", "random"])
@pytest.mark.parametrize("budget", [1, 100, 2000, 2186])
def test_whoever_did_not_has_proven_nothing(issue: Explored, kind: str, budget: int) -> None:
    got = certificate(issue, kind, budget)
    assert got.kind == "best of n evaluations"
    assert not got.proven_optimal
    assert (got.lower_bound, got.gap) == (None, None)
    assert got.evaluated == budget


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 30, 100, 300, 1000])
def test_a_bound_is_claimed_only_if_it_is_true(issue: Explored, budget: int) -> None:
    got = certificate(issue, "bounded", budget)
    assert got.evaluated <= budget
    if got.proven_optimal:
        assert got.lower_bound == pytest.approx(15.168241)
    elif got.lower_bound is not None:
        assert got.lower_bound <= 15.168242


def test_a_front_is_proven_without_a_bound() -> None:
    got = certificate(issue_space({"objective": ["mean_latency", "energy"]}), "exhaustive", 2187)
    assert (got.kind, got.proven_optimal, got.lower_bound) == ("proven front", True, None)


@pytest.mark.parametrize("kind", ["exhaustive", "bounded", "ga"])
def test_infeasibility_is_proven(kind: str) -> None:
    got = certificate(issue_space({"constraints": {"worst_latency": "10 ms"}}), kind, 2187)
    assert got.kind == "proven infeasible"


def test_an_unfinished_search_without_a_feasible_design_proves_nothing() -> None:
    got = certificate(issue_space({"constraints": {"worst_latency": "10 ms"}}), "random", 50)
    assert got.kind == "best of n evaluations"


def test_it_is_told_in_one_sentence() -> None:
    counts = (1000, 50, 7)
    assert str(Certificate("within gap", False, 9.5, 0.05, *counts)) == "within 5 % of the bound 9.5"
    assert str(Certificate("best of n evaluations", False, None, None, *counts)) == "best of 50 evaluations of 1,000"
    assert "50 of 1,000" in str(Certificate("proven optimum", True, 1.0, 0.0, *counts))
    assert Certificate("proven optimum", True, 1.0, 0.0, *counts).as_dict().keys() == {
        "kind", "proven_optimal", "lower_bound", "gap", "space_size", "evaluated", "pruned"
    }  # fmt: skip


def test_forbidden_genomes_need_not_be_seen() -> None:
    found = camera_space(FAR_APART, {**ISSUE, "forbid": [{"b1": "L"}]})
    assert certificate(found, "exhaustive", 3**6 * 2).kind == "proven optimum"
