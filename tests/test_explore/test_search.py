"""What every search has to keep, whatever its method: budget, small spaces, constraints, start genomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eesim.base import IntArray
from eesim.explore.breeding import Variation
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.memo import Memo
from eesim.explore.nsga2 import Nsga2
from eesim.explore.outcome import Status
from eesim.explore.random_search import RandomSearch
from eesim.explore.search import PATIENCE, Search
from tests.test_explore.searches import Make, at_random, every_search, genetic, nsga2
from tests.test_explore.toys import Barred, Hopeless, Knapsack, OneMax, Tradeoff, through_files

# -- budget and counts --------------------------------------------------------------------------------------


@every_search
@pytest.mark.parametrize("budget", [1, 19, 20, 21, 137])
def test_the_budget_is_spent_exactly(make: Make, budget: int) -> None:
    problem = OneMax([3] * 12)
    search = make(problem, budget=budget)
    found = search.run()
    assert (found.status, found.evaluations, len(problem.log)) == (Status.BUDGET, budget, budget)
    assert [row.evaluations for row in search.history] == [*range(20, budget, 20), budget]
    problem.assert_nothing_twice()


@every_search
def test_history_tells_what_the_memo_holds(make: Make) -> None:
    problem = Knapsack(12)
    search = make(problem, budget=100, reference=np.array([0.0]))
    while search.status is Status.RUNNING:
        row = search.step()
        visited = problem.evaluate(np.array(problem.log))
        feasible = visited.violations[:, 0] == 0
        assert (row.feasible, row.violation, row.front) == (feasible.sum(), 0, 1)
        assert row.best == -row.hypervolume == visited.objectives[feasible].min()
        del problem.log[row.evaluations :]
    assert [row.generation for row in search.history] == [0, 1, 2, 3, 4]


# -- small and awkward spaces -------------------------------------------------------------------------------


@every_search
@pytest.mark.parametrize("n_alleles", [[1], [1, 1, 1], [2], [1, 3, 1], [2, 2, 2], [4, 5, 3], [9, 9, 9]], ids=str)
def test_a_small_space_is_visited_to_the_end(make: Make, n_alleles: list[int]) -> None:
    problem = OneMax(n_alleles)
    found = make(problem, budget=5000).run()
    assert (found.status, found.evaluations) == (Status.EXHAUSTED, np.prod(n_alleles))
    assert found.objectives.tolist() == [[0.0]]
    assert found.genomes.tolist() == [[n - 1 for n in n_alleles]]
    problem.assert_nothing_twice()


@every_search
@pytest.mark.parametrize("n_alleles", [[2, 2, 2], [3, 3, 3, 3], [4] * 6], ids=str)
def test_a_space_with_forbidden_genomes_is_visited_to_the_end(make: Make, n_alleles: list[int]) -> None:
    problem = Barred(n_alleles)
    allowed = problem.everything()
    found = make(problem, budget=50_000).run()
    assert (found.status, found.evaluations) == (Status.EXHAUSTED, len(allowed))
    assert found.objectives.tolist() == [[float((allowed != np.array(n_alleles) - 1).sum(axis=1).min())]]
    problem.assert_nothing_twice()


class Needle(OneMax):
    """One genome in a thousand is allowed."""

    def is_allowed(self, genomes: IntArray) -> Any:
        return (genomes[:, :3] == 7).all(axis=1)


@every_search
@pytest.mark.parametrize("genes", [12, 40])
def test_genomes_that_are_rarely_allowed_are_found(make: Make, genes: int) -> None:
    problem = Needle([10] * genes)
    assert make(problem, budget=100).run().evaluations == 100
    assert (np.array(problem.log)[:, :3] == 7).all()


class Nothing(OneMax):
    def is_allowed(self, genomes: IntArray) -> Any:
        return np.zeros(len(genomes), np.bool_)


@every_search
def test_a_space_where_nothing_is_allowed(make: Make) -> None:
    search = make(Nothing([3, 3]), budget=10)
    found = search.run()
    assert (found.status, found.evaluations, found.is_feasible, len(found.genomes)) == (Status.EXHAUSTED, 0, False, 0)
    assert search.history[-1].violation == np.inf


@every_search
def test_a_search_gives_up_in_the_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eesim.explore.search._LONG_WALK", 1000)
    search = make(Nothing([2] * 70), budget=10)
    for _ in range(4):
        search.step()
    rest = make(Nothing([2] * 70), budget=10)
    rest.restore(through_files(search.state()))
    assert rest.run().status is search.run().status is Status.STALLED
    assert len(rest.history) == len(search.history) == PATIENCE


def test_children_that_are_not_allowed_are_repaired() -> None:
    # Every second gene is mutated: seven children of eight leave the region that is allowed.
    variation = Variation(mutation_rate=0.5)
    search = Nsga2(Needle([10] * 12), population=20, variation=variation, budget=400, seed=1)
    search.run()
    assert len(search.history) <= 22


# -- constraints --------------------------------------------------------------------------------------------


@every_search
def test_if_nothing_is_feasible_the_least_violating_genome_is_returned(make: Make) -> None:
    problem = Hopeless([4, 4, 4, 4])
    search = make(problem, budget=256, reference=np.array([9.0]))
    found = search.run()
    every = problem.violations(problem.everything()).sum(axis=1)
    assert not found.is_feasible
    assert found.violations.sum() == every.min() == search.history[-1].violation
    assert (search.history[-1].front, search.history[-1].hypervolume, search.history[-1].feasible) == (0, 0, 0)
    # Of equally violating genomes, the one with the best objective.
    tied = problem.everything()[every == every.min()]
    assert found.objectives[0, 0] == problem.objectives(tied).min()


def test_the_first_feasible_genome_replaces_an_infeasible_one() -> None:
    problem = Knapsack(6)
    search = RandomSearch(problem, batch=1, budget=64, seed=2, start=np.ones((1, 6), np.int64))
    while search.status is Status.RUNNING:
        row, genomes = search.step(), np.array(problem.log)
        violation, values = problem.violations(genomes), problem.objectives(genomes)
        assert row.violation == violation.min()
        if violation.min() == 0:
            assert row.best == values[violation == 0].min()
        else:
            assert row.best == values[violation.argmin()]
    assert not search.history[1].feasible
    assert search.history[-1].feasible


# -- what is handed in --------------------------------------------------------------------------------------


@every_search
def test_start_genomes_come_first_and_are_never_lost(make: Make) -> None:
    problem = OneMax([8] * 16)
    start = np.array([[7] * 15 + [0], [0] * 16, [7] * 15 + [0], [7] * 14 + [1, 2]])
    search = make(problem, budget=40, start=start)
    found = search.run()
    assert problem.log[:3] == [tuple(start[i].tolist()) for i in (0, 1, 3)]
    assert found.objectives[0, 0] <= 1
    assert [row.evaluations for row in search.history] == [20, 40]


@every_search
def test_more_start_genomes_than_places_are_all_evaluated(make: Make) -> None:
    problem = OneMax([8] * 16)
    start = np.random.default_rng(3).integers(0, 8, (50, 16))
    search = make(problem, budget=100, start=start)
    search.step()
    assert problem.log == [tuple(genome) for genome in start.tolist()]
    assert search.run().evaluations == 100


@every_search
@pytest.mark.parametrize(
    ("start", "match"),
    [
        ([[0, 1, 0], [0, 3, 0]], "start genome 1 is outside the space"),
        ([[0, -1, 0]], "start genome 0 is outside"),
        ([[0, 1, 0], [1, 1, 0]], "start genome 1 is not allowed"),
        ([[0, 1, 0], [0, 1, 2], [2, 1, 2]], "more start genomes than the budget of 2"),
    ],
)
def test_start_genomes_that_cannot_be_evaluated(make: Make, start: list[list[int]], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make(Barred([3, 3, 3]), budget=2, start=np.array(start))


@every_search
def test_searches_that_share_a_memo_never_ask_twice(make: Make) -> None:
    problem = Knapsack(10)
    memo = Memo(problem)
    first = at_random(problem, budget=200, memo=memo, seed=5).run()
    second = make(problem, budget=200, memo=memo).run()
    assert (first.evaluations, second.evaluations, memo.evaluated) == (200, 200, 400)
    assert second.objectives[0, 0] <= first.objectives[0, 0]
    rest = make(problem, budget=9999, memo=memo, seed=6).run()
    assert (rest.status, rest.evaluations) == (Status.EXHAUSTED, 624)
    problem.assert_nothing_twice()
    # Everything is known by now: the answer costs nothing.
    last = make(problem, budget=10, memo=memo, seed=7).run()
    assert (last.evaluations, last.objectives.tolist()) == (0, rest.objectives.tolist())
    problem.assert_nothing_twice()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: genetic(OneMax([2]), budget=0), "budget of 0"),
        (lambda: RandomSearch(OneMax([2]), batch=0, budget=1, seed=1), "a batch needs"),
        (lambda: GeneticAlgorithm(OneMax([2]), population=3, islands=4, budget=1, seed=1), "3 individuals"),
        (lambda: GeneticAlgorithm(OneMax([2]), migration_interval=0, budget=1, seed=1), "every 0 generations"),
        (lambda: GeneticAlgorithm(Tradeoff([2]), budget=1, seed=1), "one objective, not 2"),
        (lambda: nsga2(Tradeoff([2]), budget=1, reference=np.ones(3)), "needs 2 finite values"),
        (lambda: nsga2(Tradeoff([2]), budget=1, reference=np.array([1, np.inf])), "needs 2 finite values"),
        (lambda: nsga2(OneMax([2]), budget=1, memo=Memo(OneMax([2]))), "memo is of another problem"),
    ],
)
def test_settings_that_make_no_sense(call: Callable[[], Search], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()


def test_four_objectives_are_too_many() -> None:
    problem = Tradeoff([2, 2])
    problem.objective_names = ("a", "b", "c", "d")
    with pytest.raises(ValueError, match="1 to 3 objectives, not 4"):
        nsga2(problem, budget=1)
