"""Which thresholds are tried: all that make a difference on the samples, or a grid."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from math import prod

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.thresholds.cascade import Cascade

LOWEST, HIGHEST = 0.4, 1.0
"""Ends of an evenly spaced grid; with 13 levels its step is 0.05. The published search does not state its levels."""


@dataclass(frozen=True)
class Levels:
    """Thresholds of every early exit, ascending, and where the samples lie among them.

    Attributes
    ----------
    values
        Thresholds of each early exit.
    passed
        (N, E) number of levels that each sample's confidence reaches: it answers at level ``g`` if ``g < passed``.
    """

    values: tuple[FloatArray, ...]
    passed: IntArray

    @property
    def sizes(self) -> IntArray:
        """(E,) number of levels."""
        return np.array([len(values) for values in self.values], np.int64)

    @property
    def settings(self) -> int:
        """Number of threshold settings."""
        return prod(len(values) for values in self.values)

    def at(self, index: IntArray) -> FloatArray:
        """Thresholds of a setting, given the level of each exit."""
        return np.array([values[int(g)] for values, g in zip(self.values, index, strict=True)])


def evenly(count: int) -> FloatArray:
    """Return so many levels from `LOWEST` to `HIGHEST`, rounded to six digits."""
    return np.round(np.linspace(LOWEST, HIGHEST, count), 6)


def on_grid(cascade: Cascade, grids: list[FloatArray]) -> Levels:
    """Levels from a list per exit, doubles removed."""
    values = tuple(np.unique(np.asarray(grid, np.float64)) for grid in grids)
    return Levels(values, _passed(cascade, values))


def all_levels(cascade: Cascade) -> Levels:
    """Every level that makes a difference: one for each distinct confidence, and one that no sample reaches.

    Each is written with as few digits as tell it from its neighbours.
    """
    values = []
    for k in range(cascade.n_early):
        distinct = np.unique(cascade.confidence[:, k])
        below = [-np.inf, *distinct[:-1]]
        short = [shortest(low, high) for low, high in zip(below, distinct, strict=True)]
        values.append(np.array([*short, never(float(distinct[-1]))]))
    return Levels(tuple(values), _passed(cascade, tuple(values)))


def _passed(cascade: Cascade, values: tuple[FloatArray, ...]) -> IntArray:
    columns = [np.searchsorted(v, cascade.confidence[:, k], side="right") for k, v in enumerate(values)]
    return np.stack(columns, axis=1).astype(np.int64)


def shortest(low: float, high: float) -> float:
    """Return the decimal with the fewest digits above ``low`` and not above ``high``."""
    top = Decimal(repr(float(high)))
    for digits in range(1, 18):
        step = Decimal(1).scaleb(-digits)
        found = float((top / step).to_integral_value(rounding="ROUND_FLOOR") * step)
        if low < found <= high:
            return found
    return float(high)


def never(highest: float) -> float:
    """Return a threshold that nothing reaches: a tenth above the highest confidence, rounded up."""
    return float(Decimal(repr(highest)).quantize(Decimal("0.1"), rounding=ROUND_CEILING) + Decimal("0.1"))
