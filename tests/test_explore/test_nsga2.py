"""NSGA-II against the true front of enumerable problems."""

from __future__ import annotations

import numpy as np
import pytest

from eesim.explore.dominance import nondominated_ranks
from eesim.explore.front import hypervolume
from eesim.explore.nsga2 import Nsga2
from eesim.explore.outcome import Status
from eesim.explore.random_search import RandomSearch
from tests.test_explore.toys import Knapsack, OneMax, Tradeoff, front_of


def feasible_front(problem: Tradeoff) -> set[tuple[float, ...]]:
    every = problem.everything()
    values = np.asarray(problem.objectives(every), float)
    return front_of(values[problem.violations(every) == 0])


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
def test_the_archive_is_the_front_of_everything_evaluated(n_objectives: int) -> None:
    problem = Tradeoff([4] * 8, n_objectives, limit=13)
    reference = np.full(n_objectives, 300.0)
    search = Nsga2(problem, population=30, budget=400, seed=1, reference=reference)
    while search.status is Status.RUNNING:
        row = search.step()
        genomes = np.array(problem.log)
        values = np.asarray(problem.objectives(genomes), float)
        feasible = problem.violations(genomes) == 0
        front = search.memo.visited.objectives[search.archive.rows]
        assert {tuple(value) for value in front.tolist()} == front_of(values[feasible])
        assert row.front == len(front) == len(np.unique(front, axis=0))
        assert row.feasible == feasible.sum()
        assert row.hypervolume == pytest.approx(hypervolume(values[feasible], reference), rel=1e-12)
    volumes = [row.hypervolume for row in search.history]
    assert volumes == sorted(volumes)
    found = search.found()
    assert found.objectives.tolist() == sorted(found.objectives.tolist())
    assert np.array_equal(problem.objectives(found.genomes), found.objectives)
    problem.assert_nothing_twice()


@pytest.mark.parametrize("seed", range(4))
def test_most_of_the_true_front_long_before_enumeration(seed: int) -> None:
    problem = Tradeoff([4] * 8, 2, limit=13)
    front, corner = np.array(sorted(feasible_front(problem))), np.array([300.0, 300.0])
    found = Nsga2(problem, population=100, budget=4**8 // 10, seed=seed).run()
    assert found.is_feasible
    assert hypervolume(found.objectives, corner) > 0.99 * hypervolume(front, corner)


def test_the_whole_front_of_a_space_that_is_used_up() -> None:
    problem = Tradeoff([3] * 6, 3, limit=9)
    found = Nsga2(problem, population=40, budget=9999, seed=1).run()
    assert (found.status, found.evaluations) == (Status.EXHAUSTED, 3**6)
    assert {tuple(value) for value in found.objectives.tolist()} == feasible_front(problem)


def test_better_than_random_search() -> None:
    problem, corner = Tradeoff([5] * 20, 2), np.array([900.0, 900.0])
    spread = [Nsga2(problem, budget=2000, seed=seed).run().objectives for seed in range(3)]
    random = [RandomSearch(problem, budget=2000, seed=seed).run().objectives for seed in range(3)]
    assert min(hypervolume(front, corner) for front in spread) > max(hypervolume(front, corner) for front in random)


def test_the_population_comes_rank_by_rank_without_duplicates() -> None:
    search = Nsga2(Tradeoff([4] * 10, 2, limit=12), population=30, budget=600, seed=3)
    while search.status is Status.RUNNING:
        search.step()
        rows = search.population
        assert len(set(rows.tolist())) == 30
        ranks = nondominated_ranks(search.memo.visited.objectives[rows], search.memo.violation[rows])
        assert (np.diff(ranks) >= 0).all()
        assert ranks[0] == 0


def test_of_a_crowded_front_the_ends_and_the_lonely_survive() -> None:
    class Line(OneMax):
        objective_names = ("a", "b")

        def objectives(self, genomes: np.ndarray) -> object:
            return np.stack([genomes[:, 0], 100 - genomes[:, 0]], axis=1)

    places = [0, 1, 2, 3, 50, 97, 98, 99]
    search = Nsga2(Line([100]), population=4, budget=8, seed=1, start=np.array(places)[:, None])
    search.step()
    assert sorted(search.memo.genomes(search.population)[:, 0].tolist()) == [0, 3, 50, 99]
    assert len(search.archive.rows) == 8


def test_one_objective_with_a_limit() -> None:
    problem = Knapsack(14)
    every = problem.everything()
    best = problem.objectives(every)[problem.violations(every) == 0].min()
    assert Nsga2(problem, budget=2**13, seed=1).run().objectives.tolist() == [[best]]
