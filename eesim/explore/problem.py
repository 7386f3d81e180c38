"""What a search asks of a problem: genomes in, objectives and violations out.

A genome is a row of allele numbers, one per gene. Objectives are minimised. Constraints are kept apart from them: a
violation is the relative excess over the limit, so that violations of different constraints can be added, and a
genome is feasible when all of its violations are zero.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]


class Evaluations(NamedTuple):
    """What a batch of n genomes turned out to be.

    Attributes
    ----------
    objectives
        (n, M), all minimised; infinite where there is no value, never NaN.
    violations
        (n, C), at least 0; 0 where the constraint is met, else the excess relative to the limit.
    """

    objectives: FloatArray
    violations: FloatArray


class Problem(Protocol):
    """A space of genomes and the way to judge them."""

    @property
    def n_alleles(self) -> IntArray:
        """Number of alleles of each gene, (G,), at least 1."""

    @property
    def objective_names(self) -> tuple[str, ...]:
        """Names of the M objectives."""

    @property
    def constraint_names(self) -> tuple[str, ...]:
        """Names of the C constraints; may be empty."""

    def evaluate(self, genomes: IntArray) -> Evaluations:
        """Judge a batch, (n, G). The same genome always gets the same answer; threads inside are welcome."""

    def is_allowed(self, genomes: IntArray) -> BoolArray:
        """Whether each genome of a batch may be evaluated at all, (n,); cheap."""
