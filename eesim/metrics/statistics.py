"""Warm-up removal and confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray

MSER_BATCH = 5
"""Observations per batch of the MSER-5 rule."""

MIN_FOR_WARMUP = 50
"""Shorter runs keep every frame: there is nothing to tell a transient from."""


class Estimate(NamedTuple):
    """A value and its confidence interval; the ends are None where there is nothing to estimate them from."""

    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Return ``{"value": ..., "ci_low": ..., "ci_high": ...}``."""
        return {"value": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high}


def mser5(values: FloatArray | IntArray, *, compiled: bool = False) -> int:
    """Number of leading observations to remove as warm-up.

    The MSER-5 rule (White, Cobb and Spratt 2000): over means of five observations, cut where the squared standard
    error of the rest is smallest, ``sum((x_i - mean)^2) / (n - d)^2``, searching the first half of the run.

    Parameters
    ----------
    values
        (n,) observations in order.
    compiled
        Do it in compiled code where the values are whole numbers; the answer is the same.

    Returns
    -------
    int
        Observations to remove; 0 for runs shorter than `MIN_FOR_WARMUP`.
    """
    if len(values) < MIN_FOR_WARMUP:
        return 0
    if compiled and values.dtype == np.int64:
        from eesim.engine.kernel_tally import mser

        return int(mser(np.ascontiguousarray(values), MSER_BATCH)) * MSER_BATCH
    batches = len(values) // MSER_BATCH
    sums_of_five = np.asarray(values[: batches * MSER_BATCH]).reshape(batches, MSER_BATCH).sum(axis=1)
    # Measured from the last batch: exact for integers, and a constant tail has an error of exactly 0.
    means = (sums_of_five - sums_of_five[-1]) / MSER_BATCH
    left = np.arange(batches, 0, -1)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    error = np.maximum(squares - sums**2 / left, 0) / left.astype(np.float64) ** 2
    return int(np.argmin(error[: batches // 2 + 1])) * MSER_BATCH


@cache
def t_quantile(confidence: float, degrees: int) -> float:
    """Half-width of a two-sided interval of Student's t distribution, in standard errors."""
    # scipy.stats says the same, and takes long to load.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def t_interval(samples: Sequence[float], confidence: float) -> Estimate:
    """Mean of independent samples with Student's t interval; no interval for a single one."""
    known = [x for x in samples if x is not None and math.isfinite(x)]
    if not known:
        return Estimate(None)
    if len(known) == 1:
        return Estimate(float(known[0]))
    if min(known) == max(known):
        return Estimate(known[0], known[0], known[0])
    mean = float(np.mean(known))
    half = float(t_quantile(confidence, len(known) - 1) * (np.std(known, ddof=1) / np.sqrt(len(known))))
    return Estimate(mean, mean - half, mean + half)


def t_intervals(rows: Sequence[Sequence[float] | FloatArray], confidence: float) -> list[Estimate]:
    """`t_interval` of each row: those without gaps are computed together.

    Parameters
    ----------
    rows
        Samples; as many in each row.
    confidence
        Level of the intervals.
    """
    table = np.array(rows, np.float64)
    n = table.shape[1] if table.ndim == 2 else 0
    if n < 2:
        return [t_interval(list(row), confidence) for row in rows]
    with np.errstate(invalid="ignore"):
        means, errors = table.mean(axis=1), table.std(axis=1, ddof=1) / np.sqrt(n)
    first, is_same = table[:, 0], (table == table[:, :1]).all(axis=1)
    means, halves = np.where(is_same, first, means), np.where(is_same, 0.0, t_quantile(confidence, n - 1) * errors)
    columns = means.tolist(), (means - halves).tolist(), (means + halves).tolist()
    whole = np.asarray(np.isfinite(table).all(axis=1)).tolist()
    return [
        Estimate(mean, low, high) if is_whole else t_interval(row.tolist(), confidence)
        for mean, low, high, is_whole, row in zip(*columns, whole, table, strict=True)
    ]


def worst_of(samples: Sequence[float]) -> Estimate:
    """Worst of the replications' worst values.

    The interval is from the smallest to the largest of them: with n replications it covers the median of a
    replication's worst value with probability 1 - 2^(1 - n) (order statistics), whatever the distribution.
    """
    known = [x for x in samples if x is not None and math.isfinite(x)]
    if not known:
        return Estimate(None)
    return Estimate(max(known), min(known), max(known)) if len(known) > 1 else Estimate(known[0])
