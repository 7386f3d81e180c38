"""What models of exits have in common."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated

import numpy as np
from pydantic import Field

from eesim.base import FloatArray, IntArray
from eesim.units import Share
from eesim.wording import DataPath

Accuracies = Annotated[tuple[Share, ...], Field(min_length=1)]
Counts = Annotated[tuple[Annotated[int, Field(ge=0, le=10_000_000)], ...], Field(min_length=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1)]

MAX_PASS = 10_000_000
"""Frames of a test set that is dealt pass by pass."""


def counts_findings(counts: Sequence[int]) -> list[tuple[DataPath, str]]:
    """What is wrong with counts as a whole."""
    if sum(counts) == 0:
        return [(("counts",), "must not all be 0")]
    if sum(counts) > MAX_PASS:
        return [(("counts",), "add up to more than 10,000,000: use shares")]
    return []


def shares_findings(shares: Sequence[Fraction]) -> list[tuple[DataPath, str]]:
    """What is wrong with shares as a whole."""
    total = float(sum(shares))
    return [(("shares",), f"must add up to 1, not {total:.6g}")] if abs(total - 1) > 1e-6 else []


def edges_of(shares: Sequence[Fraction]) -> FloatArray:
    """Upper edges of the exits' parts of the unit interval; what rounding leaves goes to the last exit with any."""
    edges = np.cumsum([float(share) for share in shares])
    edges[edges >= edges[-1]] = np.inf
    return np.asarray(edges, np.float64)


def by_edges(edges: FloatArray, u: FloatArray) -> IntArray:
    """Exits of uniform numbers, one row of edges (K,) for all or one each (n, K)."""
    if edges.ndim == 1:
        return np.searchsorted(edges, u, side="right").astype(np.int64)
    return np.asarray((u[:, None] >= edges).sum(axis=1), np.int64)
