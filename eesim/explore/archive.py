"""What a search has to show: the best of everything in the memo.

With one objective that is the best feasible genome, with several the non-dominated feasible ones; of genomes with
equal objectives, the one evaluated first. As long as nothing is feasible it is the genome with the least total
violation. All of it follows from the memo alone and is never part of a saved state.
"""

from __future__ import annotations

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.explore.front import MAX_OBJECTIVES, hypervolume, sorted_front
from eesim.explore.memo import Memo

_NOTHING = np.empty(0, np.int64)


class Archive:
    """The best rows of a memo.

    Parameters
    ----------
    memo
        Where genomes and values are.
    reference
        Reference point of the hypervolume, (M,), or None.

    Attributes
    ----------
    rows
        Rows of the memo, in lexicographic order of their objectives.
    feasible
        Number of feasible genomes in the memo.
    """

    def __init__(self, memo: Memo, reference: FloatArray | None) -> None:
        n_objectives = memo.visited.objectives.shape[1]
        if n_objectives > MAX_OBJECTIVES:
            raise ValueError(f"searches take 1 to {MAX_OBJECTIVES} objectives, not {n_objectives}")
        self._memo = memo
        self._reference = None if reference is None else np.array(reference, np.float64)
        if self._reference is not None and not (
            self._reference.shape == (n_objectives,) and np.isfinite(self._reference).all()
        ):
            raise ValueError(f"the reference point needs {n_objectives} finite values, not {reference}")
        self.clear()

    @property
    def reference(self) -> FloatArray | None:
        """Reference point of the hypervolume, (M,); None as long as there is none."""
        return self._reference

    def refer(self, first: FloatArray) -> None:
        """Take the worst finite values of some genomes, (n, M), as reference point, if there is none yet."""
        if self._reference is None and first.shape[1] > 1 and np.isfinite(first).any(axis=0).all():
            self._reference = np.where(np.isfinite(first), first, -np.inf).max(axis=0)

    def clear(self) -> None:
        """Forget what was seen of the memo."""
        self.rows: IntArray = _NOTHING
        self.feasible = 0
        self._seen = 0
        self._hypervolume = 0.0

    def update(self) -> None:
        """Take account of what the memo learned since the last update."""
        begin, end = self._seen, self._memo.evaluated
        if begin == end:
            return
        self._seen = end
        feasible = begin + (self._memo.violation[begin:end] == 0).nonzero()[0]
        if len(feasible):
            known = self.rows if self.feasible else _NOTHING
            self.feasible += len(feasible)
            self._keep(np.concatenate([known, feasible]), len(known))
        elif not self.feasible:
            self.rows = self._least_violating(np.concatenate([self.rows, np.arange(begin, end)]))

    def _keep(self, candidates: IntArray, ordered: int) -> None:
        objectives = self._memo.visited.objectives[candidates]
        front = sorted_front(objectives, ordered)
        if self._reference is not None and not np.array_equal(candidates[front], self.rows):
            self._hypervolume = hypervolume(objectives[front], self._reference, is_sorted=True)
        self.rows = candidates[front]

    def _least_violating(self, candidates: IntArray) -> IntArray:
        objectives = self._memo.visited.objectives[candidates]
        order = np.lexsort((candidates, *objectives.T[::-1], self._memo.violation[candidates]))
        return candidates[order[:1]]

    @property
    def violation(self) -> float:
        """Total violation of the best genome; 0 once one is feasible, infinite before the first."""
        return float(self._memo.violation[self.rows[0]]) if len(self.rows) else float("inf")

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the feasible front; NaN without a reference point."""
        return self._hypervolume if self._reference is not None else float("nan")
