"""One latent factor behind the exits of several networks: correlations, likelihood, goodness of fit.

What was seen is a table of images by the exit that each network took, one axis for each network.
"""

from __future__ import annotations

from itertools import combinations
from typing import Literal

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import ndtr

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError, Problem
from eesim.fitting.normal import joint_shares, rank_correlation_of, thresholds

Match = Literal["rank", "likelihood"]

_LARGEST = 0.999

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
"""Gauss-Hermite quadrature over difficulty."""
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def one_factor(latent: FloatArray) -> FloatArray:
    """Loadings whose products are nearest to the correlations of the latent values; equal ones for two networks."""
    width = len(latent)
    above = np.triu_indices(width, 1)

    def miss(z: FloatArray) -> float:
        loadings = np.broadcast_to(np.tanh(z), (width,))
        return float(np.sum((np.outer(loadings, loadings)[above] - latent[above]) ** 2))

    found = minimize(miss, np.full(1 if width == 2 else width, 1.0), tol=1e-14).x
    return np.array(np.broadcast_to(np.clip(np.tanh(found), -_LARGEST, _LARGEST), (width,)))


def latent_correlation(a: FloatArray, b: FloatArray, rank_correlation: float, pair: str = "") -> float:
    """Correlation of two latent values whose exits have a given rank correlation."""

    def beyond(r: float) -> float:
        return rank_correlation_of(joint_shares(a, b, r)) - rank_correlation

    if beyond(_LARGEST) < 0:
        if not pair:
            return _LARGEST
        message = f"must be at most {rank_correlation + beyond(_LARGEST):.3f}: their shares allow no more"
        raise InputError([Problem("rank_correlations", 0, pair, message)])
    return float(brentq(beyond, 0.0, _LARGEST)) if beyond(0.0) < 0 else 0.0


def tabulate(exits: IntArray, shape: tuple[int, ...]) -> FloatArray:
    """Images per combination of exits, one axis for each network."""
    flat = np.bincount(np.ravel_multi_index(tuple(exits.T), shape), minlength=int(np.prod(shape)))
    return flat.reshape(shape).astype(np.float64)


def margins_of(table: FloatArray) -> list[FloatArray]:
    """Images per exit of each network."""
    axes = range(table.ndim)
    return [np.asarray(table.sum(axis=tuple(a for a in axes if a != j)), np.float64) for j in axes]


def pairs_of(table: FloatArray) -> list[tuple[int, int]]:
    """Pairs of networks."""
    return list(combinations(range(table.ndim), 2))


def pair_ranks(table: FloatArray, a: int, b: int) -> float:
    """Spearman's correlation of two networks' exits."""
    others = tuple(axis for axis in range(table.ndim) if axis not in (a, b))
    return rank_correlation_of(np.asarray(table.sum(axis=others), np.float64))


def cuts_of(table: FloatArray) -> list[FloatArray]:
    """Thresholds that give each network its own shares."""
    return [thresholds(margin / margin.sum()) for margin in margins_of(table)]


def expected_shares(cuts: list[FloatArray], loadings: FloatArray) -> FloatArray:
    """Probability of each combination of exits under the model."""
    out = _WEIGHTS
    for own, loading in zip(cuts, loadings.tolist(), strict=True):
        given = np.diff(ndtr((own - loading * _NODES[:, None]) / np.sqrt(1 - loading**2)), axis=1)
        out = out[..., None] * given.reshape((len(_NODES),) + (1,) * (out.ndim - 1) + (given.shape[1],))
    return np.asarray(out.sum(axis=0), np.float64)


def fit_loadings(table: FloatArray, by: Match, begin: FloatArray | None = None) -> FloatArray:
    """Loadings that give the rank correlations that were seen, or that make the table most likely."""
    if by == "rank":
        margins, latent = margins_of(table), np.eye(table.ndim)
        for a, b in pairs_of(table):
            seen = max(pair_ranks(table, a, b), 0.0)
            latent[a, b] = latent[b, a] = latent_correlation(
                margins[a] / table.sum(), margins[b] / table.sum(), seen, ""
            )
        return one_factor(latent)
    cuts, width = cuts_of(table), table.ndim

    def spread(z: FloatArray) -> FloatArray:
        return np.broadcast_to(np.clip(np.tanh(z), -_LARGEST, _LARGEST), (width,))

    def cost(z: FloatArray) -> float:
        return -log_likelihood_of(table, cuts, spread(z))

    free = 1 if width == 2 else width
    start = np.full(free, 1.0) if begin is None else np.arctanh(begin[:free])
    found = minimize(cost, start, method="L-BFGS-B", tol=1e-9)
    loadings = spread(found.x)
    return np.array(loadings * (np.sign(loadings.sum()) or 1.0))


def log_likelihood_of(table: FloatArray, cuts: list[FloatArray], loadings: FloatArray) -> float:
    """Log likelihood of a table."""
    seen = table > 0
    return float(np.sum(table[seen] * np.log(np.maximum(expected_shares(cuts, loadings)[seen], 1e-300))))


def resampled(table: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Images drawn with replacement."""
    n = int(table.sum())
    return rng.multinomial(n, (table / n).ravel()).reshape(table.shape).astype(np.float64)


def _chi_square(table: FloatArray, expected: FloatArray) -> float:
    wanted = expected * table.sum()
    possible = wanted > 1e-9
    return float(np.sum((table[possible] - wanted[possible]) ** 2 / wanted[possible]))


def p_value_of(table: FloatArray, loadings: FloatArray, by: Match, bootstrap: int, rng: np.random.Generator) -> float:
    """How often images drawn from the model, fitted again, are at least as far from it."""
    model = expected_shares(cuts_of(table), loadings)
    seen, as_far = _chi_square(table, model), 1
    for _ in range(bootstrap):
        drawn = resampled(model * table.sum() / model.sum(), rng)
        as_far += _chi_square(drawn, expected_shares(cuts_of(drawn), fit_loadings(drawn, by, loadings))) >= seen
    return as_far / (bootstrap + 1)
