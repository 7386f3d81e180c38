"""The latent AR(1) difficulty fitted to a trace of exits by maximum likelihood."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr
from scipy.stats import norm

from eesim.base import FloatArray, IntArray
from eesim.fitting.kernels import banded_log_likelihood
from eesim.fitting.normal import thresholds
from eesim.metrics.statistics import Estimate
from eesim.workload.correlated import ar1

LOWEST, HIGHEST = -0.95, 0.9995
"""Autocorrelations that are looked at."""

_FAR = 5.0
_COARSE = 0.12
"""Width of a cell of the latent difficulty, in standard deviations; finer where the innovations are small."""


def copula_log_likelihood(exits: IntArray, shares: FloatArray, lag_1: float, width: float = _COARSE) -> float:
    """Log likelihood of exits under a latent AR(1) difficulty with autocorrelation ``lag_1``.

    The latent value is followed on a grid of cells (a hidden Markov chain), whose edges include the thresholds between
    exits; a cell's mass starts from its middle. With cells of a third of the innovations' standard deviation this
    adds 1 % to their variance.
    """
    used = np.flatnonzero(shares > 0)
    number = np.zeros(len(shares), np.int64)
    number[used] = np.arange(len(used))
    inner = thresholds(shares[used])[1:-1]
    edges, first = [], [0]
    bounds = [min(-_FAR, *(inner - 1)), *inner, max(_FAR, *(inner + 1))] if len(inner) else [-_FAR, _FAR]
    for a, b in pairwise(bounds):
        cells = max(math.ceil((b - a) / width), 2)
        edges += np.linspace(a, b, cells, endpoint=False).tolist()
        first.append(first[-1] + cells)
    grid = np.array([*edges, bounds[-1]])
    middle = (grid[1:] + grid[:-1]) / 2
    grid[0], grid[-1] = -np.inf, np.inf
    spread = math.sqrt(1 - lag_1 * lag_1)
    step = np.diff(ndtr((grid[None, :] - lag_1 * middle[:, None]) / spread), axis=1)
    near = step > 1e-14
    low = np.argmax(near, axis=1)
    high = len(middle) - np.argmax(near[:, ::-1], axis=1)
    start = np.diff(ndtr(grid))
    return float(banded_log_likelihood(start, step, low, high, np.array(first, np.int64), number[exits]))


def fit_copula(exits: IntArray, shares: FloatArray, around: float | None = None) -> tuple[float, float]:
    """Return the most likely autocorrelation of the latent difficulty and the log likelihood there.

    The thresholds are those that give the trace's own shares.

    Parameters
    ----------
    exits, shares
        The trace, 0-based, and its shares.
    around
        Value to look near; None: look everywhere.
    """

    def cost(z: float, width: float) -> float:
        return -copula_log_likelihood(exits, shares, math.tanh(z), width)

    ends = math.atanh(LOWEST), math.atanh(HIGHEST)
    if around is None:
        rough = float(minimize_scalar(cost, (), ends, (_COARSE,), "bounded", options={"xatol": 0.02}).x)
    else:
        rough = min(max(math.atanh(around), ends[0]), ends[1])
    width = min(_COARSE, math.sqrt(1 - math.tanh(rough) ** 2) / 3)
    near = max(rough - 0.3, ends[0]), min(rough + 0.3, ends[1])
    best = minimize_scalar(cost, (), near, (width,), "bounded", options={"xatol": 1e-3})
    return math.tanh(best.x), -float(best.fun)


def copula_interval(shares: FloatArray, lag_1: float, n: int, times: int, confidence: float, seed: int) -> Estimate:
    """Interval of a fitted autocorrelation, from traces drawn from the model and fitted again.

    The normal interval of Fisher's z. The profile likelihood would be too narrow: it takes the thresholds as known,
    but the shares of a correlated trace are not (at an autocorrelation of 0.9 it covered 31 of 40 times).
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(times):
        trace = simulate_copula(shares, lag_1, n, rng)
        own = np.bincount(trace, minlength=len(shares)) / n
        found.append(math.atanh(fit_copula(trace, own, lag_1)[0]))
    if len(found) < 2:
        return Estimate(lag_1)
    half = float(norm.ppf((1 + confidence) / 2) * np.std(found, ddof=1))
    return Estimate(lag_1, math.tanh(math.atanh(lag_1) - half), math.tanh(math.atanh(lag_1) + half))


def simulate_copula(shares: FloatArray, lag_1: float, n: int, rng: np.random.Generator) -> IntArray:
    """Draw a trace of exits from a latent AR(1) difficulty; shares are met on average, not exactly."""
    latent = ar1(float(rng.standard_normal()), lag_1, rng.standard_normal(n))
    return np.searchsorted(thresholds(shares)[1:-1], latent, side="right").astype(np.int64)
