"""What a search tells: why it ended, how it went, what it found."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from eesim.base import FloatArray, IntArray


class Status(StrEnum):
    """Why a search goes on or ended."""

    RUNNING = "running"
    BUDGET = "budget spent"
    EXHAUSTED = "space exhausted"
    STALLED = "no new genome found"


class Progress(NamedTuple):
    """One step of a search.

    Attributes
    ----------
    generation
        Steps before this one.
    evaluations
        New evaluations so far, this step included.
    feasible
        Feasible genomes in the memo.
    violation
        Total violation of the best genome; 0 once one is feasible.
    best
        Objective of the best genome; NaN where there are several objectives.
    front
        Non-dominated feasible genomes.
    hypervolume
        Of the front; NaN without a reference point.
    """

    generation: int
    evaluations: int
    feasible: int
    violation: float
    best: float
    front: int
    hypervolume: float


class Found(NamedTuple):
    """What a search found.

    Attributes
    ----------
    status
        Why it ended.
    evaluations
        New evaluations it made.
    hits
        Genomes it asked for again, and got from the memo.
    is_feasible
        Whether the genomes meet all constraints; if not, there is one: the least violating.
    genomes, objectives, violations
        The best genome, or the front, in lexicographic order of the objectives: (n, G), (n, M), (n, C).
    """

    status: Status
    evaluations: int
    hits: int
    is_feasible: bool
    genomes: IntArray
    objectives: FloatArray
    violations: FloatArray
