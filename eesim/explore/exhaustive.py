"""Exhaustive search: every allowed genome, in order. What it finds is proven."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from eesim.explore.outcome import Status
from eesim.explore.search import Search, SearchOptions
from eesim.explore.space import Space


class Exhaustive(Search):
    """Evaluates the whole space, block by block.

    Parameters
    ----------
    problem
        What to minimise; a `Space` must stand behind it.
    space
        What to enumerate.
    batch
        Genomes per step.
    options
        ``budget``, ``seed``, ``start``, ``memo`` and ``reference`` of `eesim.explore.search.Search`.
    """

    def __init__(self, problem: Any, space: Space, *, batch: int = 4096, **options: Unpack[SearchOptions]) -> None:
        super().__init__(problem, {"batch": batch}, **options)
        self._space = space
        self._batch = batch
        self._position = 0

    @property
    def status(self) -> Status:
        """Whether the enumeration goes on."""
        if self._position >= self._space.size:
            return Status.EXHAUSTED
        return Status.BUDGET if self.evaluations >= self.budget else Status.RUNNING

    def _advance(self) -> None:
        if not self.history:
            self._claim(self._start, self._left)
        end = min(self._position + self._batch, self._space.size)
        genomes = self._space.at(np.arange(self._position, end))
        rows, _ = self._claim(genomes, self._left)
        beyond = np.flatnonzero((rows < 0) & self.problem.is_allowed(genomes))
        self.memo.evaluate()
        # What the budget has no room for was not visited: nothing is proven about it.
        self._position = self._position + int(beyond[0]) if len(beyond) else end

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on; see `Search.state`."""
        return {**super().state(), "position": self._position}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or on, to where ``state`` was taken; see `Search.restore`."""
        super().restore(state)
        self._position = int(state["position"])
