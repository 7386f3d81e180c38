"""A genetic algorithm for one objective: islands in a ring, each keeping the best of its parents and children.

Survival of the best of both generations, without duplicates, is elitism at its strongest; the islands, which hear of
each other only through a few migrants, keep it from settling on one idea. All islands are bred, and evaluated, in
one batch.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np

from eesim.base import IntArray
from eesim.explore.breeding import Variation
from eesim.explore.evolution import Evolution
from eesim.explore.problem import Problem
from eesim.explore.search import SearchOptions
from eesim.explore.sorting import best_of_pool


class GeneticAlgorithm(Evolution):
    """Minimises one objective; feasible genomes come before infeasible ones, these in order of total violation.

    Of genomes that are equally good the newest comes first, so that the population drifts over plateaus.

    Parameters
    ----------
    problem
        What to minimise.
    population
        Places, over all islands.
    islands
        Number of islands.
    migration_interval
        Generations from one migration to the next.
    migrants
        How many of the best of each island are copied to the next island of the ring.
    variation
        Choices of the operators.
    options
        ``budget``, ``seed``, ``start``, ``memo`` and ``reference`` of `eesim.explore.search.Search`.

    Raises
    ------
    ValueError
        If the problem has several objectives, or a setting makes no sense.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        population: int = 100,
        islands: int = 4,
        migration_interval: int = 10,
        migrants: int = 1,
        variation: Variation = Variation(),  # noqa: B008 (frozen)
        **options: Unpack[SearchOptions],
    ) -> None:
        if len(problem.objective_names) != 1:
            raise ValueError(f"a genetic algorithm minimises one objective, not {len(problem.objective_names)}")
        if migration_interval < 1 or migrants < 0:
            raise ValueError(f"cannot send {migrants} migrants every {migration_interval} generations")
        settings = {"migration_interval": migration_interval, "migrants": migrants}
        super().__init__(problem, population, islands, variation, settings, **options)
        self._migration_interval = migration_interval
        self._migrants = migrants

    def _survivors(self, rows: IntArray, island: IntArray) -> tuple[IntArray, IntArray]:
        if len(self.history) % self._migration_interval == 0:
            away = within_group(self._island) < self._migrants
            rows = np.concatenate([rows, self._rows[away]])
            island = np.concatenate([island, (self._island[away] + 1) % self._islands])
        n, sizes = len(rows), self._sizes
        spare = np.empty((n, 4)), np.empty(n, np.int64), np.empty(n, np.int64)
        out = np.empty((2, n), np.int64)
        values = self.memo.visited.objectives[:, 0], self.memo.violation
        kept = best_of_pool(rows, island, *values, sizes, *spare, out)
        return out[0, :kept].copy(), out[1, :kept].copy()


def within_group(groups: IntArray) -> IntArray:
    """Place of each element within its group, where equal numbers stand together in ascending order, (n,)."""
    sizes = np.bincount(groups)
    return np.arange(len(groups)) - (np.cumsum(sizes) - sizes)[groups]
