"""A cascade of exits over a table of samples: what a threshold setting means, counted sample by sample.

Columns are the exits in the order in which they may answer; the last one always does. Costs are whole numbers, so that
sums over samples are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray


class Outcome(NamedTuple):
    """What a threshold setting does to the samples."""

    counts: IntArray
    """(E + 1,) samples that answer at each exit."""
    right: int
    """Samples that are answered rightly."""
    cost: int
    """Sum of the costs."""


@dataclass(frozen=True)
class Cascade:
    """N samples, E early exits and the final one.

    Attributes
    ----------
    confidence
        (N, E) confidence of each early exit.
    correct
        (N, E + 1) whether each exit is right.
    cost
        (E + 1,) cost of a sample that answers at each exit, a whole number of ``unit / per_unit``.
    """

    confidence: FloatArray
    correct: npt.NDArray[np.bool_]
    cost: IntArray

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.correct)

    @property
    def n_early(self) -> int:
        """Number of early exits."""
        return int(self.confidence.shape[1])

    def exits(self, thresholds: npt.ArrayLike) -> IntArray:
        """Exit of each sample, (N,): the first whose confidence is at least its threshold."""
        sure = np.ones((self.n_samples, self.n_early + 1), np.bool_)
        sure[:, :-1] = self.confidence >= np.asarray(thresholds, np.float64)
        return np.asarray(np.argmax(sure, axis=1), np.int64)

    def outcome(self, thresholds: npt.ArrayLike) -> Outcome:
        """Count what a setting does."""
        exits = self.exits(thresholds)
        counts = np.bincount(exits, minlength=self.n_early + 1).astype(np.int64)
        right = int(self.correct[np.arange(self.n_samples), exits].sum())
        return Outcome(counts, right, int(counts @ self.cost))
