"""What the genetic searches have in common: a population, offspring that were never seen, and fresh blood.

A generation breeds one child for each place of the population. A child that is not allowed starts again from its
mother; one that was evaluated before, or twice bred, steps aside by a gene, a few times if need be; places that are
still empty go to random genomes. So a generation costs as many evaluations as there are places, and none is wasted,
until the space is used up. Children that were known already still compete, at no cost.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Unpack

import numpy as np

from eesim.base import IntArray
from eesim.explore.breeding import Breeder, Variation
from eesim.explore.problem import BoolArray, Problem
from eesim.explore.search import Search, SearchOptions

STEPS_ASIDE = 4
"""How often a child that is not new may change a gene before a random genome takes its place."""


class Evolution(Search):
    """Base of the genetic searches; the population may be divided among islands that breed apart.

    Parameters
    ----------
    problem
        What to minimise.
    population
        Places, over all islands.
    islands
        Number of islands.
    variation
        Choices of the operators.
    settings
        Further choices of the search, as plain values.
    options
        Of `eesim.explore.search.Search`.
    """

    def __init__(
        self,
        problem: Problem,
        population: int,
        islands: int,
        variation: Variation,
        settings: Mapping[str, Any],
        **options: Unpack[SearchOptions],
    ) -> None:
        if not 1 <= islands <= population:
            raise ValueError(f"{population} individuals cannot live on {islands} islands")
        own = {"population": population, "islands": islands, **asdict(variation), **settings}
        super().__init__(problem, own, **options)
        self._breeder = Breeder(self._n_alleles, variation, self._rng)
        self._islands = islands
        self._places = np.sort(np.arange(population) % islands)
        self._sizes = np.bincount(self._places)
        self._rows = self._island = np.empty(0, np.int64)

    @property
    def population(self) -> IntArray:
        """Rows of the memo that live now, island by island, the best of each first."""
        return self._rows

    def _advance(self) -> None:
        rows, island = self._offspring() if self.history else self._founders()
        self.memo.evaluate()
        self._rows, self._island = self._survivors(rows, island)

    @abstractmethod
    def _survivors(self, rows: IntArray, island: IntArray) -> tuple[IntArray, IntArray]:
        """Choose the next population, island by island and best first, from rows that may repeat."""

    def _founders(self) -> tuple[IntArray, IntArray]:
        rows, _ = self._claim(self._start, self._left)
        rows = rows[np.sort(np.unique(rows, return_index=True)[1])]
        rows = np.concatenate([rows, self._claim_random(len(self._places) - len(rows))])
        return rows, np.arange(len(rows)) % self._islands

    def _offspring(self) -> tuple[IntArray, IntArray]:
        """Parents, children and newcomers, and the islands on which they compete; rows may repeat."""
        places, begin, size, empty = self._groups()
        born, rows, fresh = self._children(begin, size)
        vacant = np.concatenate([places[~fresh], empty])
        newcomers = self._claim_random(len(vacant))
        known, settled = (born >= 0) & (born != rows), rows >= 0
        pool = self._rows, born[known], rows[settled], newcomers
        island = self._island, places[known], places[settled], vacant[: len(newcomers)]
        return np.concatenate(pool), np.concatenate(island)

    def _groups(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Places on islands with parents, where those parents begin and how many they are; places on empty islands."""
        if self._islands == 1 and len(self._rows):
            return self._places, self._places, np.full(len(self._places), len(self._rows)), self._places[:0]
        sizes = np.bincount(self._island, minlength=self._islands)
        inhabited = sizes[self._places] > 0
        places = self._places[inhabited]
        return places, (np.cumsum(sizes) - sizes)[places], sizes[places], self._places[~inhabited]

    def _children(self, begin: IntArray, size: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
        """One child for each place: the row it was born as, the row it ended as, and whether that is new."""
        parents = self.memo.genomes(self._rows)
        children, mothers = self._breeder.breed(parents, begin, size)
        born, fresh = self._claim(children, self._left)
        rows = born.copy()
        for _ in range(STEPS_ASIDE):
            (stale,) = (~fresh).nonzero()
            if not len(stale) or not self._left:
                break
            barred = stale[rows[stale] < 0]
            children[barred] = parents[mothers[barred]]
            rows[stale], fresh[stale] = self._claim(self._breeder.step_aside(children, stale), self._left)
        return born, rows, fresh

    def state(self) -> dict[str, Any]:
        """All that the next generations depend on; see `Search.state`."""
        return {**super().state(), "population_rows": self._rows, "population_island": self._island}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or on, to where ``state`` was taken; see `Search.restore`."""
        super().restore(state)
        self._rows = np.array(state["population_rows"], np.int64)
        self._island = np.array(state["population_island"], np.int64)
