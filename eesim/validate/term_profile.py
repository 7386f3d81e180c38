"""How sure the runs are of one term: the error of the fit with the term held at given values.

The objective is that of the calibration (soft L1 of relative errors), on a model linearised by `eesim.validate.fit`.
Held alone, the other terms keep their values; refitted, they may make up for it. Where the refitted objective is flat,
the runs do not tell the term.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.validate.fit import SOFTNESS, Linear, bootstrap, solve


class TermFit(NamedTuple):
    """The value of a term that fits best, and its 95 % interval by bootstrap over orders."""

    value: float
    low: float
    high: float


def held(linear: Linear, term: int, value: float) -> FloatArray:
    """Values that fit best with one term held, (p,)."""
    moved = _moved(linear, term, value)
    rest = np.delete(np.arange(len(linear.values)), term)
    out = moved.values.copy()
    out[rest] = solve(_only(moved, rest), np.full(len(rest), np.inf))
    return out


def alone(linear: Linear, term: int, seed: int, times: int) -> TermFit:
    """Fit one term, the others where they are."""
    return _fitted(_only(linear, np.array([term])), 0, seed, times)


def among(linear: Linear, term: int, seed: int, times: int) -> TermFit:
    """Fit one term together with all others of the linear model."""
    return _fitted(linear, term, seed, times)


def _fitted(linear: Linear, term: int, seed: int, times: int) -> TermFit:
    upper = np.full(len(linear.values), np.inf)
    low, high = np.percentile(bootstrap(linear, upper, seed, times)[:, term], [2.5, 97.5])
    return TermFit(float(solve(linear, upper)[term]), float(low), float(high))


def _moved(linear: Linear, term: int, value: float) -> Linear:
    values = linear.values.copy()
    values[term] = value
    return replace(linear, values=values, at=linear.predicted(values))


def _only(linear: Linear, terms: FloatArray | np.ndarray) -> Linear:
    return replace(linear, values=linear.values[terms], slope=linear.slope[:, terms])


def objective(predicted: FloatArray, measured: FloatArray) -> float:
    """Mean soft L1 of relative errors, in the square of a relative error; what the calibration minimises."""
    errors = (predicted / measured - 1) / SOFTNESS
    return float(np.mean(2 * (np.sqrt(1 + errors**2) - 1))) * SOFTNESS**2
