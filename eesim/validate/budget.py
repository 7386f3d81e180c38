"""Error budget: what each physical term contributes, and where it errs.

A term is switched off and everything is predicted again. The difference is the term's effect ``x``; what remains to
the measurement with the term on is the residual ``y``. The slope of ``y`` on ``x`` (with an intercept: a bias that has
nothing to do with the term must not count) says by how much the term alone would have to be scaled to explain the
residual: ``scale = 1 + slope``. Both are in per cent of the measurement; residuals are clipped, so that a few lost
lines of a log do not bend the slope.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.validate.pool import PredictionPool
from eesim.validate.runs import Quantity, Run, Suite, order_groups
from eesim.validate.suites import ALL_POOL, CNN_POOL, NOT_CNN, QUANTITIES, Prediction, columns, pools
from eesim.validate.terms import BY_SUITE

SUITES: tuple[Suite, ...] = ("switch", "pipeline")
LEAST_PER_NETWORK = 20
CLIPPED_PCT = 10.0
BOOTSTRAP = 1000
TOUCHED_PCT = 1e-6
"""Effects below this are rounding."""
SAME = 1e-9
"""Relative variance below which a term has the same effect on all runs."""


class BudgetRow(NamedTuple):
    """What one term does to one quantity, on the runs of the sample.

    Attributes
    ----------
    suite, graph, quantity, term
        Of what; ``graph`` is a network or a pool.
    n, n_touched
        Runs, and those that the term changes.
    mape_pct, mape_off_pct
        Mean absolute error with all terms, and without this one.
    share_pct
        Mean share of the prediction that vanishes with the term; negative where the term takes away.
    scale, scale_low, scale_high
        Factor on the term that fits the residuals best, alone, with its 95 % interval by bootstrap over orders; 1 is
        right, NaN where the term changes nothing, or all runs alike.
    """

    suite: Suite
    graph: str
    quantity: Quantity
    term: str
    n: int
    n_touched: int
    mape_pct: float
    mape_off_pct: float
    share_pct: float
    scale: float
    scale_low: float
    scale_high: float


def budget_sample(runs: Sequence[Run], predictions: Sequence[Prediction], size: int, seed: int) -> list[int]:
    """Draw whole orders of every network until each has its part of about ``size`` runs of each suite.

    Networks count in proportion to their runs, but with at least `LEAST_PER_NETWORK`.
    """
    rng, kept = np.random.default_rng(seed), []
    for suite in SUITES:
        known = [i for i, run in enumerate(runs) if run.suite == suite and predictions[i].values]
        for graph in sorted({runs[i].graph for i in known}):
            own = [i for i in known if runs[i].graph == graph]
            wanted = 0 if size == 0 else max(round(size * len(own) / len(known)), LEAST_PER_NETWORK)
            orders: dict[str, list[int]] = {}
            for i in own:
                orders.setdefault(runs[i].order, []).append(i)
            names = sorted(orders)
            drawn: list[int] = []
            for k in rng.permutation(len(names)).tolist():
                if len(drawn) >= wanted:
                    break
                drawn += orders[names[k]]
            kept += drawn
    return sorted(kept)


def error_budget(
    pool: PredictionPool,
    runs: Sequence[Run],
    predictions: Sequence[Prediction],
    sample: Sequence[int],
    off: Sequence[str],
    seed: int,
) -> list[BudgetRow]:
    """Predict a sample again without each term.

    Parameters
    ----------
    pool
        Of ``runs``.
    runs, predictions
        All of them, with the terms in ``off`` switched off already.
    sample
        Indices of runs.
    seed
        Of the bootstrap.
    """
    found = []
    for suite in SUITES:
        own = [i for i in sample if runs[i].suite == suite]
        for term in BY_SUITE[suite]:
            if own and term not in off:
                without = dict(zip(own, pool.predict(own, off=(*off, term)), strict=True))
                found += list(_rows(runs, predictions, without, suite, term, seed))
    order = {term: k for k, term in enumerate(BY_SUITE["switch"] + BY_SUITE["pipeline"])}
    return sorted(found, key=lambda r: (SUITES.index(r.suite), r.graph, QUANTITIES.index(r.quantity), order[r.term]))


def _rows(
    runs: Sequence[Run],
    predictions: Sequence[Prediction],
    without: dict[int, Prediction],
    suite: Suite,
    term: str,
    seed: int,
) -> Iterator[BudgetRow]:
    graphs = [runs[i].graph for i in without]
    for pool, members in _parts(graphs).items():
        for quantity in QUANTITIES:
            both = [
                i
                for i, other in without.items()
                if runs[i].graph in members
                and quantity in runs[i].measured
                and quantity in predictions[i].values
                and quantity in other.values
            ]
            if not both:
                continue
            on, measured = columns(runs, predictions, both, quantity)
            gone = np.array([without[i].values[quantity] for i in both])
            groups = order_groups(runs[i] for i in both)
            yield BudgetRow(suite, pool, quantity, term, *_effects(on, gone, measured, groups, seed))


def _parts(graphs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Pools that differ: the CNNs and the others, or all."""
    found = pools(graphs)
    if len(found[ALL_POOL]) == len(found.get(CNN_POOL, ())):
        return {ALL_POOL: found[ALL_POOL]}
    return {pool: members for pool, members in found.items() if pool == CNN_POOL or pool in NOT_CNN}


def _effects(
    on: FloatArray, gone: FloatArray, measured: FloatArray, groups: IntArray, seed: int
) -> tuple[int, int, float, float, float, float, float, float]:
    effect = (on - gone) / measured * 100
    residual = np.clip((measured - on) / measured * 100, -CLIPPED_PCT, CLIPPED_PCT)
    touched = np.abs(effect) > TOUCHED_PCT
    return (
        len(on),
        int(touched.sum()),
        float(np.abs(on / measured - 1).mean() * 100),
        float(np.abs(gone / measured - 1).mean() * 100),
        float(((on - gone) / on).mean() * 100),
        *_scale(effect, residual, groups, seed),
    )


def _scale(x: FloatArray, y: FloatArray, groups: IntArray, seed: int) -> tuple[float, float, float]:
    """``1 +`` slope of y on x, with its interval by bootstrap over groups; NaN where x does not vary."""
    nothing = float("nan")
    _, index = np.unique(groups, return_inverse=True)
    sums = np.stack([np.bincount(index, part) for part in (np.ones(len(x)), x, y, x * x, x * y)])
    scale = 1 + _slopes(sums.sum(axis=1, keepdims=True))
    if not np.isfinite(scale[0]) or sums.shape[1] < 2:
        return float(scale[0]), nothing, nothing
    n = sums.shape[1]
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), BOOTSTRAP)
    samples = 1 + _slopes(np.asarray(sums @ drawn.T, np.float64))
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return float(scale[0]), float(low), float(high)


def _slopes(sums: FloatArray) -> FloatArray:
    """Slopes from ``n, sum x, sum y, sum x^2, sum x y``, (5, k) to (k,)."""
    n, x, y, xx, xy = sums
    spread = n * xx - x * x
    varies = spread > SAME * n * np.maximum(xx, SAME)
    out = np.full(len(n), np.nan)
    np.divide(n * xy - x * y, spread, out=out, where=varies)
    return out
