"""Statistics of comparisons: paired differences, many tests at once, shares of wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from eesim.metrics.statistics import Estimate, t_interval

ROUNDING = 1e-12
"""Differences below this share of the values are rounding of double arithmetic, and count as none."""


class Paired(NamedTuple):
    """Two scenarios' values of one metric, replication by replication, and what their difference says."""

    a: Estimate
    b: Estimate
    difference: Estimate
    """Mean of b - a with Student's t interval of the differences."""
    p_value: float | None
    """Two-sided p-value of the paired t test that the mean difference is 0; None where there are fewer than two
    pairs."""
    pairs: int
    """Replications in which both have a value."""


def differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Return b - a of every pair of which both values exist, 0 where only rounding tells them apart."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if math.isfinite(x) and math.isfinite(y)]
    return [0.0 if abs(y - x) <= ROUNDING * max(abs(x), abs(y)) else y - x for x, y in pairs]


def paired(a: Sequence[float], b: Sequence[float], confidence: float) -> Paired:
    """Compare two scenarios by the differences of their replications.

    Under common random numbers, replication r of both sees the same frames. What the frames have in common cancels in
    the difference, so its interval is narrower than those of the values (Law, Simulation Modeling and Analysis, section
    11.2).

    Parameters
    ----------
    a, b
        (n,) values of each replication; nan where there is none.
    confidence
        Level of the intervals.
    """
    found = differences(a, b)
    return Paired(
        t_interval(list(a), confidence),
        t_interval(list(b), confidence),
        t_interval(found, confidence),
        p_value(found),
        len(found),
    )


def p_value(found: Sequence[float]) -> float | None:
    """Two-sided p-value of the t test that the mean of differences is 0; None for fewer than two.

    Differences that are the same in every replication leave no doubt: 1 if they are 0, else 0.
    """
    if len(found) < 2:
        return None
    if min(found) == max(found):
        return 1.0 if found[0] == 0 else 0.0
    t = abs(float(np.mean(found))) / float(stats.sem(found))
    return float(2 * stats.t.sf(t, len(found) - 1))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for their number: Holm's step-down method (Scandinavian Journal of Statistics 6, 1979).

    If all that is below ``alpha`` after the adjustment is called significant, the chance of one or more false alarms
    among all of them is at most ``alpha``, however they depend on each other. None stays None and does not count.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    out: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, i) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        out[i] = least
    return out


def wilson(successes: int, trials: int, confidence: float) -> Estimate:
    """Share of successes with Wilson's score interval (Journal of the American Statistical Association 22, 1927)."""
    if trials == 0:
        return Estimate(None)
    share = successes / trials
    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))
