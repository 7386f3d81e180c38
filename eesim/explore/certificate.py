"""How good the answer is: proven, within a gap, or the best of so many."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from eesim.explore.branch_and_bound import BranchAndBound
from eesim.explore.dynamic_programming import DynamicProgramming
from eesim.explore.exhaustive import Exhaustive
from eesim.explore.outcome import Found, Status
from eesim.explore.search import Search


class Certificate(NamedTuple):
    """What a search has shown about its answer.

    Attributes
    ----------
    kind
        ``proven optimum``, ``proven front``, ``proven infeasible``, ``within gap`` or ``best of n evaluations``.
    proven_optimal
        Whether nothing in the space is better, on the frames that the search simulated.
    lower_bound
        Objective that nothing in the space can beat; None if the search has none.
    gap
        Relative distance of the best value to it; None without a bound.
    space_size, evaluated, pruned
        Genomes in the space, genomes evaluated, partial genomes dropped by bounds.
    """

    kind: str
    proven_optimal: bool
    lower_bound: float | None
    gap: float | None
    space_size: int
    evaluated: int
    pruned: int

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as plain data."""
        return self._asdict()

    def __str__(self) -> str:
        """One sentence."""
        if self.kind == "within gap":
            return f"within {100 * (self.gap or 0):.3g} % of the bound {self.lower_bound:.6g}"
        if self.kind == "best of n evaluations":
            return f"best of {self.evaluated:,} evaluations of {self.space_size:,}"
        if self.evaluated < self.space_size and not self.pruned:
            return f"{self.kind} (by dynamic programming over {self.space_size:,}; {self.evaluated:,} simulated)"
        return f"{self.kind} ({self.evaluated:,} of {self.space_size:,} evaluated, {self.pruned:,} branches cut)"


def certify(search: Search, found: Found, space_size: int) -> Certificate:
    """Say what a search that has ended has shown."""
    pruned = search.pruned if isinstance(search, BranchAndBound) else 0
    counts = (space_size, search.evaluations, pruned)
    solved = isinstance(search, DynamicProgramming) and search.solved
    complete = search.status is Status.EXHAUSTED and isinstance(search, Exhaustive | BranchAndBound)
    if solved or complete or search.memo.evaluated == space_size:
        if not found.is_feasible:
            return Certificate("proven infeasible", True, None, None, *counts)
        several = found.objectives.shape[1] > 1
        best = None if several else float(found.objectives[0, 0])
        return Certificate("proven front" if several else "proven optimum", True, best, 0.0, *counts)
    if isinstance(search, BranchAndBound) and found.is_feasible and math.isfinite(search.lower_bound):
        best, bound = float(found.objectives[0, 0]), search.lower_bound
        gap = (best - bound) / abs(best) if best else 0.0
        return Certificate("within gap", gap <= 0, bound, max(gap, 0.0), *counts)
    return Certificate("best of n evaluations", False, None, None, *counts)
