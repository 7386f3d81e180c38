"""What is wanted of a threshold setting: least cost, most accuracy or a weighted sum, and what must be kept.

All goals are told in whole samples and whole costs, so that a requirement met exactly is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.thresholds.enumerate import UNREACHED


@dataclass(frozen=True)
class Goal:
    """An objective over (cost, right answers), and limits.

    Attributes
    ----------
    kind
        ``least cost``, ``most accuracy`` or ``weighted``.
    n_samples
        Samples that right answers are counted over.
    original
        Cost of a sample without early exits; the unit of the weighted sum.
    accuracy, budget
        Least share of right answers; most cost per sample; None for no limit.
    efficiency_weight, accuracy_weight
        Of the weighted sum.
    """

    kind: str
    n_samples: int
    original: int
    accuracy: Fraction | None = None
    budget: Fraction | None = None
    efficiency_weight: float = 0.9
    accuracy_weight: float = 0.1

    @property
    def least_right(self) -> int:
        """Right answers that are needed."""
        return ceil(self.accuracy * self.n_samples) if self.accuracy is not None else 0

    @property
    def most_cost(self) -> int:
        """Sum of costs that is allowed."""
        return floor(self.budget * self.n_samples) if self.budget is not None else UNREACHED - 1

    @property
    def prices(self) -> tuple[float, float]:
        """What a unit of cost and what a wrong answer adds to the objective."""
        if self.kind == "weighted":
            return (
                self.efficiency_weight / (self.n_samples * max(self.original, 1)),
                self.accuracy_weight / self.n_samples,
            )
        return (1.0, 0.0) if self.kind == "least cost" else (0.0, 1.0)

    def value(self, cost: IntArray, right: IntArray) -> FloatArray:
        """Objective, to be minimised."""
        per_cost, per_wrong = self.prices
        return per_cost * np.asarray(cost, np.float64) + per_wrong * (self.n_samples - np.asarray(right, np.float64))

    def value_of(self, cost: int, right: int) -> float:
        """Objective of one setting."""
        return float(self.value(np.array([cost]), np.array([right]))[0])

    def violation(self, cost: IntArray, right: IntArray) -> FloatArray:
        """Relative excess over the limits, added up; 0 where all are kept."""
        lacking = np.maximum(self.least_right - np.asarray(right), 0) / max(self.least_right, 1)
        over = np.maximum(np.asarray(cost, np.float64) - self.most_cost, 0) / max(self.most_cost, 1)
        return np.asarray(lacking + over, np.float64)

    def pick(self, best: IntArray) -> tuple[int, bool]:
        """Return the best number of right answers, given the least cost of each, and whether it keeps the limits.

        Where nothing keeps them it is the nearest. Of equal objectives the more accurate one wins, or the cheaper.
        """
        right = np.flatnonzero(best < UNREACHED)
        cost = best[right]
        violation = self.violation(cost, right)
        order = np.lexsort((cost, -right, self.value(cost, right), violation))
        return int(right[order[0]]), bool(violation[order[0]] == 0)
