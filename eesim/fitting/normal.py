"""Probabilities of pairs of correlated normal numbers, and what they make of two ordinal observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, owens_t

from eesim.base import FloatArray

_FAR = 38.0
"""Beyond, a normal distribution function is 0 or 1 in double precision."""

_TINY = 1e-12


def thresholds(shares: FloatArray) -> FloatArray:
    """Return the (K + 1,) normal quantiles between which the exits lie, from -inf to inf."""
    edges = np.concatenate([[0.0], np.cumsum(shares)])
    return np.asarray(ndtri(np.clip(edges / edges[-1], 0, 1)), np.float64)


def both_below(h: Any, k: Any, r: float) -> FloatArray:
    """P(X < h, Y < k) of standard normal X, Y with correlation r.

    By Owen's T function (Owen, *Tables for computing bivariate normal probabilities*, Annals of Mathematical
    Statistics 27, 1956).
    """
    h, k = (np.clip(np.asarray(x, np.float64), -_FAR, _FAR) for x in (h, k))
    h, k = (np.where(np.abs(x) < _TINY, _TINY, x) for x in (h, k))
    s = np.sqrt(1 - r * r)
    apart = np.where(h * k < 0, 0.5, 0.0)
    inner = owens_t(h, (k - r * h) / (h * s)) + owens_t(k, (h - r * k) / (k * s))
    return np.asarray((ndtr(h) + ndtr(k)) / 2 - inner - apart, np.float64)


def joint_shares(a: FloatArray, b: FloatArray, r: float) -> FloatArray:
    """Probability of each pair of exits whose latent values have correlation r.

    Parameters
    ----------
    a, b
        (K,) shares of the exits on both sides.
    r
        Correlation of the latent values.

    Returns
    -------
    array
        (K, L), adds up to 1.
    """
    h, k = thresholds(a), thresholds(b)
    corners = both_below(h[:, None], k[None, :], r)
    return np.maximum(np.diff(np.diff(corners, axis=0), axis=1), 0)


def correlation_of(table: FloatArray, x: FloatArray, y: FloatArray) -> float:
    """Correlation of scores x of the rows and y of the columns under a table of probabilities; nan for a constant."""
    table = table / table.sum()
    p, q = table.sum(axis=1), table.sum(axis=0)
    dx, dy = x - p @ x, y - q @ y
    scale = np.sqrt((p @ dx**2) * (q @ dy**2))
    return float(dx @ table @ dy / scale) if scale > 0 else float("nan")


def rank_correlation_of(table: FloatArray) -> float:
    """Spearman's rank correlation (with mean ranks for ties) under a table of probabilities or counts."""
    p, q = table.sum(axis=1), table.sum(axis=0)
    return correlation_of(np.asarray(table, np.float64), np.cumsum(p) - p / 2, np.cumsum(q) - q / 2)


def exit_autocorrelation(shares: FloatArray, lag_1: float, lag: int = 1) -> float:
    """Autocorrelation of the exit's number where a latent AR(1) difficulty decides it.

    It is smaller than that of the latent difficulty itself, ``lag_1 ** lag``: the exit says little about it.

    Parameters
    ----------
    shares
        (K,) share of each exit.
    lag_1
        Autocorrelation of the latent difficulty from a frame to the next.
    lag
        Frames between the two.
    """
    shares = np.asarray(shares, np.float64)
    number = np.arange(len(shares), dtype=np.float64)
    return correlation_of(joint_shares(shares, shares, lag_1**lag), number, number)
