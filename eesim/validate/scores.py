"""How wrong predictions are: errors in per cent of the measurement, rank agreement, and what a wrong choice costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray


class Score(NamedTuple):
    """Agreement of predictions with measurements; errors in per cent of the measured value.

    Attributes
    ----------
    n
        Number of runs.
    mape_pct
        Mean absolute error.
    mape_low, mape_high
        95 % interval of the mean, by bootstrap over groups (whole orders); NaN with fewer than two groups.
    median_ape_pct, p95_ape_pct
        Median and 95th percentile of the absolute error.
    bias_pct
        Mean signed error; negative where the prediction is too low.
    r2
        ``1 - sum (p - m)^2 / sum (m - mean m)^2``; NaN where all measurements are equal.
    spearman
        Rank correlation; NaN where either side is constant.
    top1_regret_pct
        By how much the run that is predicted best is worse than the one that is best, in per cent of that; in the mean
        where there are several choices.
    worst_top1_regret_pct
        The same of the worst choice.
    """

    n: int
    mape_pct: float
    mape_low: float
    mape_high: float
    median_ape_pct: float
    p95_ape_pct: float
    bias_pct: float
    r2: float
    spearman: float
    top1_regret_pct: float
    worst_top1_regret_pct: float


BOOTSTRAP = 1000
TIE = 1e-12


def score(predicted: FloatArray, measured: FloatArray, groups: IntArray, *, seed: int = 1) -> Score:
    """Compare predictions with measurements.

    Parameters
    ----------
    predicted, measured
        (n,), the same unit; lower is better.
    groups
        Runs of one order are repeats of each other, not independent evidence: the bootstrap draws whole groups, (n,).
    seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        If there is no run, or a measurement is not positive.
    """
    if len(measured) == 0 or not (measured > 0).all():
        raise ValueError("errors in per cent need runs, and measurements above 0")
    error = (predicted / measured - 1) * 100
    size = np.abs(error)
    low, high = _interval(size, groups, seed)
    spread = ((measured - measured.mean()) ** 2).sum()
    return Score(
        n=len(measured),
        mape_pct=float(size.mean()),
        mape_low=low,
        mape_high=high,
        median_ape_pct=float(np.median(size)),
        p95_ape_pct=float(np.percentile(size, 95)),
        bias_pct=float(error.mean()),
        r2=float(1 - ((predicted - measured) ** 2).sum() / spread) if spread > 0 else float("nan"),
        spearman=spearman(predicted, measured),
        top1_regret_pct=regret(predicted, measured),
        worst_top1_regret_pct=regret(predicted, measured),
    )


def _interval(size: FloatArray, groups: IntArray, seed: int) -> tuple[float, float]:
    _, index = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(index, size), np.bincount(index)
    if len(counts) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), BOOTSTRAP)
    low, high = np.percentile(drawn @ sums / (drawn @ counts), [2.5, 97.5])
    return float(low), float(high)


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Rank correlation, ties sharing their mean rank; NaN where either side is constant."""
    x, y = (_ranks(v) for v in (a, b))
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else float("nan")


def _ranks(values: FloatArray) -> FloatArray:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[index]


def regret(predicted: FloatArray, measured: FloatArray) -> float:
    """Per cent by which the choice of the lowest prediction is worse than the lowest measurement.

    Where several runs share the lowest prediction (repeats of a configuration, or configurations that the simulator
    cannot tell apart), the mean of their measurements counts.
    """
    chosen = measured[predicted <= predicted.min() * (1 + TIE)].mean()
    return float((chosen / measured.min() - 1) * 100)
