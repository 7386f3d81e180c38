"""Regime switching fitted to a trace of exits: a hidden Markov model by expectation maximisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.fitting.kernels import expected_counts

_STAYS = (0.6, 0.9, 0.99)
"""Probabilities of staying in a regime to start from."""

_TOLERANCE = 1e-6
"""Gain in log likelihood, relative, below which the climb is over."""

_MOST_ITERATIONS = 1000


class Hidden(NamedTuple):
    """A hidden Markov model: easier regimes first."""

    step: FloatArray
    """(R, R) transition probabilities."""
    emission: FloatArray
    """(R, K) exit shares in each regime."""

    @property
    def start(self) -> FloatArray:
        """Stationary distribution of the regimes."""
        n = len(self.step)
        balance = np.vstack([self.step.T - np.eye(n), np.ones(n)])
        found = np.maximum(np.linalg.lstsq(balance, np.append(np.zeros(n), 1.0), rcond=None)[0], 0)
        return np.asarray(found / found.sum(), np.float64)

    def dwells(self) -> FloatArray:
        """Mean frames that each regime lasts."""
        return np.asarray(1 / np.maximum(1 - np.diag(self.step), 1e-9), np.float64)


def fit_hidden(exits: IntArray, n_exits: int, n_regimes: int, begin: Hidden | None = None) -> tuple[Hidden, float]:
    """Return the most likely hidden Markov model and its log likelihood.

    Parameters
    ----------
    exits
        What was seen, 0-based.
    n_exits, n_regimes
        Exits and regimes.
    begin
        Model to start from; None: several, from short to long dwells, of which the best is kept.
    """
    starts = [begin] if begin is not None else [_start(exits, n_exits, n_regimes, stay) for stay in _STAYS]
    found = [_climb(exits, model) for model in starts]
    model, likelihood = max(found, key=lambda pair: pair[1])
    order = np.argsort(model.emission @ np.arange(n_exits), kind="stable")
    return Hidden(model.step[np.ix_(order, order)], model.emission[order]), likelihood


def _start(exits: IntArray, n_exits: int, n_regimes: int, stay: float) -> Hidden:
    """Return regimes whose shares are the trace's, tilted towards early and late exits."""
    shares = (np.bincount(exits, minlength=n_exits) + 1) / (len(exits) + n_exits)
    tilt = np.linspace(-1, 1, n_regimes)[:, None] * np.linspace(-1, 1, max(n_exits, 2))[None, :n_exits]
    emission = shares * np.exp(tilt)
    step = np.full((n_regimes, n_regimes), (1 - stay) / max(n_regimes - 1, 1))
    np.fill_diagonal(step, stay)
    return Hidden(step, emission / emission.sum(axis=1, keepdims=True))


def _climb(exits: IntArray, model: Hidden) -> tuple[Hidden, float]:
    last = -np.inf
    for _ in range(_MOST_ITERATIONS):
        moves, seen = np.zeros_like(model.step), np.zeros_like(model.emission)
        likelihood = float(expected_counts(model.start, model.step, model.emission, exits, moves, seen))
        if likelihood - last < _TOLERANCE * abs(likelihood):
            break
        last = likelihood
        better = Hidden(
            moves / np.maximum(moves.sum(axis=1, keepdims=True), 1e-300),
            seen / np.maximum(seen.sum(axis=1, keepdims=True), 1e-300),
        )
        if not np.isfinite(better.start).all():
            break
        model = better
    return model, likelihood


def simulate_hidden(model: Hidden, n: int, rng: np.random.Generator) -> IntArray:
    """Draw a trace of exits."""
    rows = np.cumsum(model.step, axis=1).tolist()
    now = int(np.searchsorted(np.cumsum(model.start), rng.random() * (1 - 1e-12), side="right"))
    regimes = []
    for u in rng.random(n).tolist():
        regimes.append(now)
        row = rows[now]
        now = 0
        while u >= row[now] and now < len(row) - 1:
            now += 1
    edges = np.cumsum(model.emission, axis=1)[np.array(regimes)]
    edges[:, -1] = np.inf
    return np.asarray((rng.random(n)[:, None] >= edges).sum(axis=1), np.int64)
