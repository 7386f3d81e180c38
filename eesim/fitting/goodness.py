"""How well a model of exits explains a trace: statistics of the trace against those of traces drawn from the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eesim.base import FloatArray, IntArray

SECTIONS = 10
"""Parts of a trace whose shares are compared with the model's."""

LAGS = 20
"""Lags of the autocorrelation that are compared."""

Draw = Callable[[np.random.Generator], IntArray]


def autocorrelation(exits: IntArray, lags: int = LAGS) -> FloatArray:
    """Sample autocorrelation of the exit's number at lags 1 to ``lags``; zeros for a constant trace."""
    x = exits - exits.mean()
    power = float(x @ x)
    lags = min(lags, len(x) - 1)
    if power == 0:
        return np.zeros(lags)
    return np.array([float(x[k:] @ x[:-k]) / power for k in range(1, lags + 1)])


def run_lengths(exits: IntArray) -> FloatArray:
    """Share of runs of frames with the same exit that are 1, 2, 3-4, 5-8, 9-16, ... frames long."""
    ends = np.flatnonzero(np.append(exits[1:] != exits[:-1], True))
    lengths = np.diff(np.append(-1, ends))
    found = np.bincount(np.ceil(np.log2(lengths)).astype(np.int64), minlength=20)
    return np.asarray(found / len(lengths), np.float64)


def section_chi_square(exits: IntArray, shares: FloatArray) -> float:
    """Chi-square distance of the counts in ten sections of a trace from what a model's shares expect there."""
    used = shares > 0
    total = 0.0
    for part in np.array_split(exits, min(SECTIONS, len(exits))):
        counts = np.bincount(part, minlength=len(shares))
        if counts[~used].any():
            return float("inf")
        expected = shares[used] * len(part)
        total += float(np.sum((counts[used] - expected) ** 2 / expected))
    return total


def goodness(exits: IntArray, shares: FloatArray, draw: Draw, times: int, rng: np.random.Generator) -> dict[str, float]:
    """P-values of a model by parametric bootstrap: how often a trace drawn from it is at least as odd.

    Parameters
    ----------
    exits
        The trace.
    shares
        The model's exit shares.
    draw
        Draws a trace of the same length from the model.
    times
        Traces to draw.
    rng
        Random stream.

    Returns
    -------
    dict
        ``shares``: chi-square of the counts in ten sections of the trace; ``autocorrelation``: squared distance at lags
        1 to 20 from the model's mean; ``run_lengths``: the same for the shares of runs by length. The least p-value
        possible is 1 / (times + 1).
    """
    drawn = [draw(rng) for _ in range(times)]
    out = {}
    squares = [section_chi_square(trace, shares) for trace in (exits, *drawn)]
    out["shares"] = _p_value(np.array(squares))
    for name, statistic in (("autocorrelation", autocorrelation), ("run_lengths", run_lengths)):
        rows = np.array([statistic(trace) for trace in (exits, *drawn)])
        out[name] = _p_value(np.sum((rows - rows[1:].mean(axis=0)) ** 2, axis=1))
    return out


def _p_value(values: FloatArray) -> float:
    """Return how often a drawn value is at least the first one, that one included."""
    return float(np.mean(values >= values[0] * (1 - 1e-12)))


def block_bootstrap(exits: IntArray, n_exits: int, times: int, rng: np.random.Generator) -> FloatArray:
    """Shares of each exit in resampled traces, (times, K), that keep the trace's dependence.

    The stationary bootstrap (Politis and Romano, *The stationary bootstrap*, JASA 89, 1994): blocks of geometric
    length, around the end of the trace. The mean length is twice the integrated autocorrelation time, at least
    the cube root of the trace's length.
    """
    n = len(exits)
    lags = min(n - 1, 1000)
    found = autocorrelation(exits, lags)
    quiet = np.flatnonzero(found < 2 / np.sqrt(n))
    time = 1 + 2 * float(found[: quiet[0] if len(quiet) else lags].sum())
    restart = 1 / min(max(2 * time, n ** (1 / 3), 1.0), n)
    shares = np.empty((times, n_exits))
    for b in range(times):
        fresh = rng.random(n) < restart
        fresh[0] = True
        begin = rng.integers(0, n, int(fresh.sum()))
        block = np.cumsum(fresh) - 1
        index = (begin[block] + np.arange(n) - np.flatnonzero(fresh)[block]) % n
        shares[b] = np.bincount(exits[index], minlength=n_exits) / n
    return shares
