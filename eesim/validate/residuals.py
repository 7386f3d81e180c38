"""Errors by features of the runs: where the physics that is modelled ends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from eesim.validate.budget import SUITES
from eesim.validate.runs import HOSTED, Quantity, Run, Suite
from eesim.validate.suites import QUANTITIES, Prediction, columns

CHANGE_BINS = (0, 1, 2, 3, 4, 6, 9, 15, 30)
LOAD_BINS = (0, 20, 40, 50, 60, 70, 80, 90)
CLUSTERS = ("B", "L")


class ResidualRow(NamedTuple):
    """Errors of the runs that share a feature, in per cent of the measurement.

    Attributes
    ----------
    suite, quantity
        Of what.
    feature, level
        Name of the feature, and its value or range.
    n
        Number of runs.
    bias_pct, median_pct
        Mean and median signed error; negative where the prediction is too low.
    mape_pct, p95_ape_pct
        Mean and 95th percentile of the absolute error.
    """

    suite: Suite
    quantity: Quantity
    feature: str
    level: str
    n: int
    bias_pct: float
    median_pct: float
    mape_pct: float
    p95_ape_pct: float


Levelled = Callable[[Run, Prediction], tuple[float, str] | None]
"""Place of a level among the others, and its name; None where the feature says nothing about a run."""


def _binned(value: float, bins: Sequence[int], unit: str = "") -> tuple[float, str]:
    k = bisect_right(bins, value) - 1
    low = bins[k]
    if k + 1 == len(bins):
        return low, f"{low}{unit} and more"
    if bins[k + 1] == low + 1:
        return low, f"{low}{unit}"
    # Whole numbers are counted to the last one in the bin, shares to where the next bin begins.
    return low, f"{low} to {bins[k + 1] - (not unit)}{unit}"


def _changes(run: Run, _: Prediction) -> tuple[float, str] | None:
    return _binned(run.changes, CHANGE_BINS)


def _slowest(_: Run, prediction: Prediction) -> tuple[float, str] | None:
    return 0, prediction.slowest


def _hosts(run: Run, _: Prediction) -> tuple[float, str] | None:
    text = ", ".join(f"{pe} on {at}" for pe, at in run.used_hosts)
    return len(run.used_hosts), text or "no hosted PE"


def _clock(run: Run, prediction: Prediction) -> tuple[float, str] | None:
    """Clock of the slowest PE; of its host, where it has none of its own."""
    if not run.pe_hz:
        return None
    pe = prediction.slowest
    at = pe if dict(run.pe_hz)[pe] else dict(run.hosts)[pe]
    mhz = dict(run.pe_hz)[at] / 1e6
    return mhz, f"{pe} {mhz:.0f} MHz" if at == pe else f"{pe}, {at} at {mhz:.0f} MHz"


def _utilisation(_: Run, prediction: Prediction) -> tuple[float, str] | None:
    load = prediction.utilisation * 100
    return None if np.isnan(load) else _binned(load, LOAD_BINS, " %")


def _driver(run: Run, _: Prediction) -> tuple[float, str] | None:
    """Whether a cluster computes while driver threads sit on it."""
    hosting = {at for pe, at in run.used_hosts if pe in HOSTED}
    shared = sorted(hosting & set(run.order))
    return len(shared), " and ".join(shared) or "none"


def _campaign(run: Run, _: Prediction) -> tuple[float, str] | None:
    return (0, run.campaign) if run.suite == "switch" else None


FEATURES: dict[str, Levelled] = {
    "PE changes": _changes,
    "slowest PE": _slowest,
    "clock of the slowest PE": _clock,
    "mean utilisation": _utilisation,
    "hosts": _hosts,
    "computes and hosts": _driver,
    "campaign": _campaign,
}


def residual_rows(runs: Sequence[Run], predictions: Sequence[Prediction]) -> list[ResidualRow]:
    """Errors by suite, feature, level and quantity."""
    found = []
    for suite in SUITES:
        own = [i for i, run in enumerate(runs) if run.suite == suite and predictions[i].values]
        for feature, level_of in FEATURES.items():
            levels: dict[tuple[float, str], list[int]] = {}
            for i in own:
                level = level_of(runs[i], predictions[i])
                if level is not None:
                    levels.setdefault(level, []).append(i)
            for quantity in QUANTITIES:
                for (_, name), members in sorted(levels.items()):
                    found += _row(runs, predictions, members, suite, quantity, feature, name)
    return found


def _row(
    runs: Sequence[Run],
    predictions: Sequence[Prediction],
    members: Sequence[int],
    suite: Suite,
    quantity: Quantity,
    feature: str,
    level: str,
) -> list[ResidualRow]:
    chosen = [i for i in members if quantity in runs[i].measured and quantity in predictions[i].values]
    if not chosen:
        return []
    predicted, measured = columns(runs, predictions, chosen, quantity)
    error = (predicted / measured - 1) * 100
    size = np.abs(error)
    told = float(error.mean()), float(np.median(error)), float(size.mean()), float(np.percentile(size, 95))
    return [ResidualRow(suite, quantity, feature, level, len(chosen), *told)]
