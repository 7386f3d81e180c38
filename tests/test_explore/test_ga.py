"""The genetic algorithm on problems whose optimum is known by enumeration."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from eesim.explore.breeding import Variation
from eesim.explore.ga import GeneticAlgorithm, within_group
from eesim.explore.memo import Memo
from eesim.explore.outcome import Status
from eesim.explore.random_search import RandomSearch
from tests.test_explore.toys import Barred, Knapsack, OneMax, Toy, Trap

SEEDS = range(5)


def optimum(problem: Toy) -> float:
    every = problem.everything()
    values, violations = problem.evaluate(every)
    problem.log.clear()
    return float(values[violations.sum(axis=1) == 0].min())


def evaluations_to(problem: Toy, target: float, **options: Any) -> int:
    """New evaluations until the target is met; the budget has to be enough."""
    search = GeneticAlgorithm(problem, **options)
    while search.status is Status.RUNNING:
        row = search.step()
        if row.feasible and row.best <= target:
            problem.assert_nothing_twice()
            return row.evaluations
    raise AssertionError(f"{search.history[-1]} misses {target}")


# -- optima -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_onemax_takes_a_sliver_of_the_space(seed: int) -> None:
    assert evaluations_to(OneMax([4] * 20), 0, budget=6000, seed=seed) < 6000


@pytest.mark.parametrize("islands", [1, 4])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_deceptive_trap_is_solved_long_before_enumeration(seed: int, islands: int) -> None:
    problem = Trap(5)
    variation = Variation(crossover="one-point")
    spent = evaluations_to(problem, 0, budget=2**18, seed=seed, islands=islands, variation=variation)
    assert spent < 2**20 / 8


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_load_within_a_limit(seed: int) -> None:
    problem = Knapsack(16)
    assert evaluations_to(problem, optimum(problem), budget=2**16, seed=seed) < 2**16 / 8


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_of_the_allowed(seed: int) -> None:
    problem = Barred([3] * 9)
    allowed = len(problem.everything())
    assert evaluations_to(problem, optimum(problem), budget=allowed, seed=seed, population=30) < allowed


def test_better_than_random_search() -> None:
    budget, problem = 2000, Knapsack(40)
    genetic = [GeneticAlgorithm(problem, budget=budget, seed=seed).run().objectives[0, 0] for seed in SEEDS]
    random = [RandomSearch(problem, budget=budget, seed=seed).run().objectives[0, 0] for seed in SEEDS]
    assert max(genetic) < min(random)


# -- populations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("islands", [1, 3, 7])
def test_islands_keep_their_size_their_order_and_no_duplicates(islands: int) -> None:
    search = GeneticAlgorithm(Knapsack(30), population=40, islands=islands, budget=2000, seed=1)
    while search.status is Status.RUNNING:
        search.step()
        rows, island = search.population, search.state()["population_island"]
        assert np.bincount(island).tolist() == [len(part) for part in np.array_split(np.arange(40), islands)]
        assert (np.diff(island) >= 0).all()
        violation, objective = search.memo.violation[rows], search.memo.visited.objectives[rows, 0]
        for one in range(islands):
            mine = island == one
            assert len(set(rows[mine].tolist())) == mine.sum()
            keys = list(zip(violation[mine], objective[mine], strict=True))
            assert keys == sorted(keys)


def test_no_island_ever_loses_its_best() -> None:
    search = GeneticAlgorithm(Knapsack(30), population=40, islands=4, budget=3000, seed=2)
    search.step()
    best = [(np.inf, np.inf)] * 4
    while search.status is Status.RUNNING:
        island = search.state()["population_island"]
        for one in range(4):
            row = search.population[island == one][0]
            now = float(search.memo.violation[row]), float(search.memo.visited.objectives[row, 0])
            assert now <= best[one]
            best[one] = now
        search.step()


def test_the_best_migrate_around_the_ring() -> None:
    problem = OneMax([4] * 30)
    start = np.concatenate([np.full((1, 30), 3), np.zeros((39, 30), np.int64)])
    rng = np.random.default_rng(1)
    start[1:] = rng.integers(0, 2, (39, 30))
    search = GeneticAlgorithm(
        problem, population=40, islands=4, migration_interval=3, budget=4000, seed=1, start=start, migrants=1
    )
    arrived: dict[int, int] = {}
    for generation in range(12):
        search.step()
        for one in search.state()["population_island"][search.population == 0].tolist():
            arrived.setdefault(one, generation)
    # The optimum is born on island 0 and copied to the next one every third generation.
    assert arrived == {0: 0, 1: 3, 2: 6, 3: 9}


def test_nobody_migrates_if_told_so() -> None:
    start = np.full((1, 30), 3)
    search = GeneticAlgorithm(OneMax([4] * 30), migrants=0, migration_interval=1, budget=900, seed=1, start=start)
    search.run()
    assert search.state()["population_island"][search.population == 0].tolist() == [0]


def test_a_converged_population_still_finds_new_genomes() -> None:
    # Without mutation every child is a copy of one of two parents: all that is new comes from steps aside.
    problem = OneMax([2] * 16)
    search = GeneticAlgorithm(
        problem,
        population=10,
        islands=1,
        budget=500,
        seed=1,
        variation=Variation(crossover_rate=0.0, mutation_rate=0.0),
    )
    found = search.run()
    assert found.evaluations == 500
    assert found.hits >= 490
    assert [row.evaluations for row in search.history] == [*range(10, 510, 10)]
    problem.assert_nothing_twice()


def test_children_that_are_known_already_compete_at_no_cost() -> None:
    problem = OneMax([2] * 12)
    memo = Memo(problem)
    every = problem.everything()
    memo.claim(every[200:], len(every))
    memo.evaluate()
    search = GeneticAlgorithm(problem, population=10, islands=2, budget=150, seed=1, memo=memo, start=every[200:210])
    search.run()
    # The optimum was not evaluated by this search, which came upon it from poor beginnings.
    assert memo.find(every[-1:])[0] in search.population


def test_ties_go_to_the_newest() -> None:
    class Flat(OneMax):
        def objectives(self, genomes: Any) -> Any:
            return np.zeros(len(genomes))

    search = GeneticAlgorithm(Flat([4] * 20), population=10, islands=1, budget=100, seed=1)
    search.run()
    assert search.population.tolist() == list(range(99, 89, -1))
    assert search.archive.rows.tolist() == [0]


def test_places_within_groups() -> None:
    assert within_group(np.array([0, 0, 2, 2, 2, 3])).tolist() == list(itertools.chain(range(2), range(3), range(1)))
    assert within_group(np.empty(0, np.int64)).tolist() == []
