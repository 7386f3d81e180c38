"""`fit_exits`: which model of exits explains a trace, with intervals and goodness of fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.fitting.copula import copula_interval, fit_copula, simulate_copula
from eesim.fitting.exit_fit import Candidate, ExitFit
from eesim.fitting.goodness import Draw, block_bootstrap, goodness
from eesim.fitting.hidden import Hidden, fit_hidden, simulate_hidden
from eesim.fitting.read import Trace, read_trace
from eesim.metrics.statistics import Estimate

NAMES = {2: ("easy", "hard"), 3: ("easy", "medium", "hard")}

REGIMES = (2, 3)
"""Numbers of regimes that are tried."""

MOST_REFITS = 99
"""Traces that intervals of regimes are made from, at most."""


def fit_exits(
    trace: Trace,
    *,
    first: int = 1,
    n_exits: int | None = None,
    column: str = "exit",
    bootstrap: int = 199,
    seed: int = 1,
    confidence: float = 0.95,
) -> ExitFit:
    """Fit models of exits to a trace and choose between them.

    Independent draws, a latent difficulty that is an AR(1) process (`CorrelatedExits`) and regime switching with two or
    three regimes (`RegimeExits`) are fitted by maximum likelihood; the least BIC is best.

    Parameters
    ----------
    trace
        Exits in order of the frames: an array, or the path of a CSV or Parquet file.
    first
        Number of the first exit: 1, or 0 for traces that count from 0.
    n_exits
        Exits of the network; by default up to the largest one seen.
    column
        Column of a file.
    bootstrap
        Traces to draw for p-values, and resamples for intervals of shares. The best model's other parameters get their
        intervals from at most 99 traces drawn from it and fitted again; the other models' get none.
    seed
        Of the draws.
    confidence
        Of the intervals.

    Raises
    ------
    InputError
        If the trace cannot be read, or holds exits that do not exist.
    """
    exits, count = read_trace(trace, first=first, n_exits=n_exits, column=column)
    counts = np.bincount(exits, minlength=count)
    shares = counts / len(exits)
    rng = np.random.default_rng(seed)
    resampled = block_bootstrap(exits, count, bootstrap, rng)
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    found = [_independent(exits, counts, bootstrap, rng)]
    intervals: dict[str, Callable[[], dict[str, Estimate]]] = {}
    if (counts > 0).sum() > 1:
        lag_1, correlated = _correlated(exits, counts, bootstrap, rng)
        found.append(correlated)
        refits = min(bootstrap, MOST_REFITS)
        intervals[correlated.name] = lambda: {
            "autocorrelation": copula_interval(shares, lag_1, len(exits), refits, confidence, seed)
        }
        for n in REGIMES:
            hidden, regimes = _regimes(exits, count, n, bootstrap, rng)
            found.append(regimes)
            intervals[regimes.name] = partial(_regime_intervals, hidden, len(exits), refits, confidence, seed)
    found.sort(key=lambda candidate: candidate.bic)
    if found[0].name in intervals:
        found[0] = replace(found[0], parameters=intervals[found[0].name]())
    return ExitFit(
        n_frames=len(exits),
        counts=tuple(counts.tolist()),
        shares=tuple(Estimate(float(s), float(a), float(b)) for s, a, b in zip(shares, low, high, strict=True)),
        candidates=tuple(found),
    )


def _candidate(
    exits: IntArray,
    name: str,
    written: dict[str, Any],
    likelihood: tuple[float, int],
    parameters: dict[str, Estimate],
    tests: dict[str, float],
) -> Candidate:
    value, n_parameters = likelihood
    bic = n_parameters * math.log(len(exits)) - 2 * value
    return Candidate(name, written, value, n_parameters, bic, parameters, tests)


def _independent(exits: IntArray, counts: IntArray, bootstrap: int, rng: np.random.Generator) -> Candidate:
    shares = counts / len(exits)
    used = counts > 0
    likelihood = float(np.sum(counts[used] * np.log(shares[used])))
    draw: Draw = lambda r: r.choice(len(shares), len(exits), p=shares).astype(np.int64)  # noqa: E731
    tests = goodness(exits, shares, draw, bootstrap, rng)
    written = {"kind": "shares", "shares": _written_shares(shares)}
    return _candidate(exits, "independent", written, (likelihood, int(used.sum()) - 1), {}, tests)


def _correlated(exits: IntArray, counts: IntArray, bootstrap: int, rng: np.random.Generator) -> tuple[float, Candidate]:
    shares = counts / len(exits)
    lag_1, likelihood = fit_copula(exits, shares)
    tests = goodness(exits, shares, lambda r: simulate_copula(shares, lag_1, len(exits), r), bootstrap, rng)
    written = {"kind": "correlated", "counts": counts.tolist(), "autocorrelation": round(lag_1, 6)}
    parameters = {"autocorrelation": Estimate(lag_1)}
    n_parameters = int((counts > 0).sum())
    return lag_1, _candidate(exits, "correlated", written, (likelihood, n_parameters), parameters, tests)


def _regimes(
    exits: IntArray, n_exits: int, n_regimes: int, bootstrap: int, rng: np.random.Generator
) -> tuple[Hidden, Candidate]:
    model, likelihood = fit_hidden(exits, n_exits, n_regimes)
    tests = goodness(
        exits, model.start @ model.emission, lambda r: simulate_hidden(model, len(exits), r), bootstrap, rng
    )
    names = NAMES[n_regimes]
    parameters = {name: Estimate(value) for name, value in _numbers(model).items()}
    written = {"kind": "regimes", "regimes": {name: _written_regime(model, i) for i, name in enumerate(names)}}
    n_parameters = n_regimes * (int((np.bincount(exits) > 0).sum()) - 1) + n_regimes * (n_regimes - 1)
    fitted = (likelihood, n_parameters)
    return model, _candidate(exits, f"regimes ({n_regimes})", written, fitted, parameters, tests)


def _numbers(model: Hidden) -> dict[str, float]:
    """Parameters of a hidden Markov model by name."""
    out = {}
    for i, name in enumerate(NAMES[len(model.step)]):
        out[f"dwell of {name}"] = float(model.dwells()[i])
        for k, share in enumerate(model.emission[i].tolist(), 1):
            out[f"share of exit {k} in {name}"] = share
    return out


def _regime_intervals(model: Hidden, n: int, times: int, confidence: float, seed: int) -> dict[str, Estimate]:
    """Percentile intervals from traces drawn from the model and fitted again."""
    rng, (n_regimes, n_exits) = np.random.default_rng(seed), model.emission.shape
    again = [_numbers(fit_hidden(simulate_hidden(model, n, rng), n_exits, n_regimes, model)[0]) for _ in range(times)]
    return {
        name: _interval(value, [numbers[name] for numbers in again], confidence)
        for name, value in _numbers(model).items()
    }


def _interval(value: float, samples: list[float], confidence: float) -> Estimate:
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail]) if samples else (None, None)
    return Estimate(float(value), None if low is None else float(low), None if high is None else float(high))


def _written_regime(model: Hidden, i: int) -> dict[str, Any]:
    names = NAMES[len(model.step)]
    dwell = float(min(max(round(float(model.dwells()[i]), 3), 1.0), 1e9))
    out: dict[str, Any] = {"shares": _written_shares(model.emission[i]), "dwell": dwell}
    if len(names) > 2:
        leaving = np.delete(model.step[i], i)
        others = [name for j, name in enumerate(names) if j != i]
        total = leaving.sum()
        following = _written_shares(leaving / total if total > 0 else np.full(len(others), 1 / len(others)))
        out["next"] = dict(zip(others, following, strict=True))
    return out


def _written_shares(shares: FloatArray) -> list[float]:
    """Return shares rounded to whole millionths that add up to 1."""
    millionths = np.rint(shares / shares.sum() * 1_000_000).astype(np.int64)
    millionths[int(np.argmax(millionths))] += 1_000_000 - int(millionths.sum())
    return [float(Fraction(int(m), 1_000_000)) for m in millionths]
