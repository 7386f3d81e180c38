"""What matched pairs say: medians and slowdowns while busy, with intervals over whole orders.

The runs of one order are repeats of each other under other clocks, not independent evidence: the bootstrap draws
orders with replacement, and an order comes with all its pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.validate.fit import SOFTNESS

TIMES = 1000
ROUNDS = 30

Statistic = Callable[[FloatArray, FloatArray], FloatArray]
"""Of (n,) values drawn ``counts`` times each, (r, n): (r,)."""


class Effect(NamedTuple):
    """A relative effect with its 95 % interval.

    Attributes
    ----------
    pairs, orders
        How many pairs, of how many orders.
    value, low, high
        Relative: 0.03 is 3 % longer. The interval is NaN with fewer than two orders.
    """

    pairs: int
    orders: int
    value: float
    low: float
    high: float


def median_effect(ratio: FloatArray, groups: IntArray, *, seed: int = 1) -> Effect:
    """Median of ratios, less 1.

    Parameters
    ----------
    ratio
        (n,), 1 for no effect.
    groups
        Order of each pair, (n,).
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    order = np.argsort(ratio, kind="stable")
    return _effect(ratio[order], groups[order], seed, _weighted_medians)


def while_busy(ratio: FloatArray, share: FloatArray, groups: IntArray, *, seed: int = 1) -> Effect:
    """By how much longer the victim takes *while* the other is busy, relative.

    If all work takes 1 + s times as long during a share u of the (longer) time, then 1 - 1 / ratio = u s / (1 + s).
    The line through the origin is fitted with soft L1, as all terms are (`eesim.validate.fit`).

    Parameters
    ----------
    ratio
        (n,).
    share
        u of each pair, (n,).
    groups
        Order of each pair, (n,).
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there is no pair, or no pair has the other busy.
    """
    if not (share > 0).any():
        raise ValueError("nothing was busy beside the bottleneck in any pair")

    def slowdowns(values: FloatArray, counts: FloatArray) -> FloatArray:
        slope = _soft_slopes(share, 1 - 1 / values, counts)
        return slope / (1 - slope)

    return _effect(ratio, groups, seed, lambda values, counts: 1 + slowdowns(values, counts))


def _effect(values: FloatArray, groups: IntArray, seed: int, statistic: Statistic) -> Effect:
    """Statistic of values, less 1, with an interval."""
    if len(values) == 0:
        raise ValueError("an effect needs pairs")
    names, index = np.unique(groups, return_inverse=True)
    value = float(statistic(values, np.ones((1, len(values))))[0]) - 1
    if len(names) < 2:
        return Effect(len(values), len(names), value, float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), TIMES)
    low, high = np.nanpercentile(statistic(values, drawn[:, index].astype(np.float64)), [2.5, 97.5]) - 1
    return Effect(len(values), len(names), value, float(low), float(high))


def _weighted_medians(ascending: FloatArray, counts: FloatArray) -> FloatArray:
    """Medians of values drawn ``counts`` times each, (r,)."""
    reached = counts.cumsum(axis=1)
    half = reached[:, -1:] / 2
    lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
    return np.asarray((ascending[lower] + ascending[upper]) / 2, np.float64)


def _soft_slopes(x: FloatArray, y: FloatArray, counts: FloatArray) -> FloatArray:
    """Slopes through the origin by iteratively reweighted least squares, (r,); NaN where no x was drawn."""
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = counts @ (x * y) / (counts @ (x * x))
        for _ in range(ROUNDS):
            weight = counts / np.sqrt(1 + ((y - slope[:, None] * x) / SOFTNESS) ** 2)
            slope = weight @ (x * y) / (weight @ (x * x))
    return np.asarray(slope, np.float64)
