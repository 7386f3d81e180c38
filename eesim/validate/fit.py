"""Robust least squares on the terms of a runtime, through the simulator.

The simulator is linearised around the present values (finite differences, one term at a time, over the runs that the
term touches), the robust problem on the linear model is solved within bounds, and that is repeated. In switch mode the
model is linear in its terms, so that one round is exact. Errors are relative to the measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from eesim.base import FloatArray, IntArray

SOFTNESS = 0.03
"""Relative error beyond which a run counts less: a few lost log lines must not bend the terms."""
STEP = 0.02
SMALLEST_STEP = 0.01
FOLDS = 5

Model = Callable[[FloatArray], FloatArray]
"""Predictions at given values, (n,) or (n, q)."""


@dataclass(frozen=True, slots=True)
class Linear:
    """``predicted(x) = at + slope (x - values)``, with what it is compared to.

    Attributes
    ----------
    values
        Where the model was linearised, (p,).
    at
        Predictions there, (m,); one row per run and quantity.
    slope
        (m, p).
    measured
        (m,).
    groups
        Order of each row, (m,).
    weights
        (m,).
    """

    values: FloatArray
    at: FloatArray
    slope: FloatArray
    measured: FloatArray
    groups: IntArray
    weights: FloatArray

    def predicted(self, values: FloatArray) -> FloatArray:
        """Predictions of the linear model."""
        return self.at + self.slope @ (values - self.values)

    def rows(self, chosen: IntArray) -> Linear:
        """The same model of some rows."""
        return Linear(
            self.values,
            self.at[chosen],
            self.slope[chosen],
            self.measured[chosen],
            self.groups[chosen],
            self.weights[chosen],
        )


def linearise(model: Model, values: FloatArray, measured: FloatArray, groups: IntArray, weights: FloatArray) -> Linear:
    """Differentiate a model by each of its values.

    Parameters
    ----------
    model
        Predictions as ``measured``.
    values
        Where, (p,).
    measured, groups, weights
        (m,) each.
    """
    at = model(values)
    slope = np.empty((len(at), len(values)))
    for k, value in enumerate(values):
        step = max(STEP * value, SMALLEST_STEP)
        moved = values.copy()
        moved[k] += step
        slope[:, k] = (model(moved) - at) / step
    return Linear(values, at, slope, measured, groups, weights)


def solve(linear: Linear, upper: FloatArray) -> FloatArray:
    """Values between 0 and ``upper`` that fit best: soft L1 of the relative errors, (p,)."""
    scale = np.maximum(linear.values, SMALLEST_STEP)
    root = np.sqrt(linear.weights)
    design = linear.slope * scale * (root / linear.measured)[:, None]
    start = (linear.at - linear.slope @ linear.values) / linear.measured - 1

    def errors(x: FloatArray) -> FloatArray:
        return np.asarray(design @ x + start * root, np.float64)

    def slope(_: FloatArray) -> FloatArray:
        return design

    result = least_squares(
        errors,
        # Not at 0, even where a term is: at its bound the solver can stand still.
        np.minimum(1.0, upper / scale),
        jac=slope,
        bounds=(0, upper / scale),
        loss="soft_l1",
        f_scale=SOFTNESS,
        x_scale=1.0,
    )
    return np.asarray(result.x, np.float64) * scale


def folds(groups: IntArray, seed: int) -> IntArray:
    """Fold of each row: whole orders together, (m,)."""
    names = np.unique(groups)
    fold = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    return fold[np.searchsorted(names, groups)]


def cross_validated(linear: Linear, upper: FloatArray, seed: int) -> FloatArray:
    """Predictions of each row by values fitted without its order, (m,)."""
    fold, out = folds(linear.groups, seed), np.empty(len(linear.at))
    for k in range(FOLDS):
        test = np.flatnonzero(fold == k)
        out[test] = linear.rows(test).predicted(solve(linear.rows(np.flatnonzero(fold != k)), upper))
    return out


def bootstrap(linear: Linear, upper: FloatArray, seed: int, times: int) -> FloatArray:
    """Values fitted to orders drawn with replacement, (times, p)."""
    names, index = np.unique(linear.groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), times)
    found = []
    for counts in drawn:
        kept = np.flatnonzero(counts[index])
        part = linear.rows(kept)
        weighted = Linear(
            part.values, part.at, part.slope, part.measured, part.groups, part.weights * counts[index[kept]]
        )
        found.append(solve(weighted, upper))
    return np.array(found)


def inseparable(samples: FloatArray, names: Sequence[str], limit: float = 0.8) -> list[tuple[str, str, float]]:
    """Pairs of terms whose estimates move together over the bootstrap: the data fix a combination, not each."""
    spread = samples.std(axis=0)
    live = np.flatnonzero(spread > 0)
    if len(live) < 2:
        return []
    matrix = np.atleast_2d(np.corrcoef(samples[:, live], rowvar=False))
    rows, columns = np.nonzero(np.triu(np.abs(matrix) > limit, 1))
    pairs = [(names[live[i]], names[live[j]], float(matrix[i, j])) for i, j in zip(rows, columns, strict=True)]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))
