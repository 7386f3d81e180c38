"""Random search without replacement: the baseline that any other search has to beat."""

from __future__ import annotations

from typing import Unpack

from eesim.explore.problem import Problem
from eesim.explore.search import Search, SearchOptions


class RandomSearch(Search):
    """Evaluates the start genomes, then genomes drawn uniformly from those that were never evaluated.

    Parameters
    ----------
    problem
        What to minimise.
    batch
        New genomes per step.
    options
        ``budget``, ``seed``, ``start``, ``memo`` and ``reference`` of `eesim.explore.search.Search`.
    """

    def __init__(self, problem: Problem, *, batch: int = 200, **options: Unpack[SearchOptions]) -> None:
        if batch < 1:
            raise ValueError(f"a batch needs a genome, not {batch}")
        super().__init__(problem, {"batch": batch}, **options)
        self._batch = batch

    def _advance(self) -> None:
        if not self.history:
            self._claim(self._start, self._left)
        self._claim_random(self._batch - self.memo.pending)
        self.memo.evaluate()
