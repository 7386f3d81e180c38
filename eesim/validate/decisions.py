"""What it costs to deploy the configuration that the simulator ranks first, in choices that people really make.

The single best of thousands of measured runs is mostly the luckiest reading. Here repeats of a configuration count with
their mean, and the choice is among alternatives: the clocks of one order, or the order at given clocks and hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.validate.budget import SUITES
from eesim.validate.runs import Quantity, Run, Suite
from eesim.validate.scores import regret
from eesim.validate.suites import Prediction

COSTS: dict[Suite, tuple[Quantity, ...]] = {"switch": ("time", "energy"), "pipeline": ("period", "latency", "energy")}
"""Quantities that somebody would minimise."""


class Decision(NamedTuple):
    """Regret over many choices of one kind.

    Attributes
    ----------
    suite, graph, quantity
        Of what.
    choice
        ``clocks_of_an_order``, ``order_at_given_clocks`` or ``any`` (one choice among all configurations).
    choices, alternatives
        How many choices, and configurations to choose from in the mean.
    mean_regret_pct, p95_regret_pct, worst_regret_pct
        By how much the configuration that is predicted best is worse than the one that is best.
    random_regret_pct
        The same for a random choice, in the mean.
    """

    suite: Suite
    graph: str
    quantity: Quantity
    choice: str
    choices: int
    alternatives: float
    mean_regret_pct: float
    p95_regret_pct: float
    worst_regret_pct: float
    random_regret_pct: float


class Repeats(NamedTuple):
    """Configurations that were measured several times.

    Attributes
    ----------
    suite, quantity
        Of what.
    configurations, runs
        How many.
    spread_pct
        Mean distance of a reading from the mean of its configuration, corrected for the small number of readings.
    """

    suite: Suite
    quantity: Quantity
    configurations: int
    runs: int
    spread_pct: float


Key = Callable[[Run], Hashable]


def _order(run: Run) -> Hashable:
    return run.order


def _setting(run: Run) -> Hashable:
    """Clocks and hosts of the PEs that take part; in switch mode only where each has one clock."""
    if run.pe_hz:
        return run.pe_hz, run.hosts
    clocks = {(pe, *clock) for pe, clock in zip(run.order, run.clocks, strict=True)}
    used = {pe for pe, _, _ in clocks}
    return (tuple(sorted(clocks)), run.used_hosts) if len(clocks) == len(used) else None


def _everything(_: Run) -> Hashable:
    return "any"


CHOICES: dict[str, Key] = {
    "clocks_of_an_order": _order,
    "order_at_given_clocks": _setting,
    "any": _everything,
}


def decisions(runs: Sequence[Run], predictions: Sequence[Prediction]) -> list[Decision]:
    """Regret by suite, network, quantity and kind of choice; choices of one alternative are none."""
    found = []
    for suite in SUITES:
        for graph in sorted({run.graph for run in runs if run.suite == suite}):
            for quantity in COSTS[suite]:
                configurations = _configurations(runs, predictions, suite, graph, quantity)
                for choice, key in CHOICES.items():
                    found += list(_decision(configurations, key, suite, graph, quantity, choice))
    return found


Configuration = tuple[Run, float, float]
"""One of its runs, its prediction and its mean measurement."""


def _configurations(
    runs: Sequence[Run], predictions: Sequence[Prediction], suite: Suite, graph: str, quantity: Quantity
) -> list[Configuration]:
    measured: dict[Hashable, list[float]] = {}
    first: dict[Hashable, tuple[Run, float]] = {}
    for run, prediction in zip(runs, predictions, strict=True):
        if run.suite == suite and run.graph == graph and quantity in run.measured and quantity in prediction.values:
            measured.setdefault(run.configuration, []).append(run.measured[quantity])
            first.setdefault(run.configuration, (run, prediction.values[quantity]))
    return [(*first[key], float(np.mean(values))) for key, values in measured.items()]


def _decision(
    configurations: Sequence[Configuration], key: Key, suite: Suite, graph: str, quantity: Quantity, choice: str
) -> Iterator[Decision]:
    groups: dict[Hashable, list[tuple[float, float]]] = {}
    for run, predicted, measured in configurations:
        own = key(run)
        if own is not None:
            groups.setdefault(own, []).append((predicted, measured))
    tables = [np.array(group) for group in groups.values() if len(group) > 1]
    if not tables:
        return
    chosen = np.array([regret(table[:, 0], table[:, 1]) for table in tables])
    blind = np.array([_random(table[:, 1]) for table in tables])
    yield Decision(
        suite,
        graph,
        quantity,
        choice,
        choices=len(tables),
        alternatives=float(np.mean([len(table) for table in tables])),
        mean_regret_pct=float(chosen.mean()),
        p95_regret_pct=float(np.percentile(chosen, 95)),
        worst_regret_pct=float(chosen.max()),
        random_regret_pct=float(blind.mean()),
    )


def _random(measured: FloatArray) -> float:
    return float((measured.mean() / measured.min() - 1) * 100)


def repeats(runs: Sequence[Run]) -> list[Repeats]:
    """Say how far readings of one configuration are apart; nothing where every configuration was measured once."""
    found = []
    for suite in SUITES:
        for quantity in (*COSTS[suite], "power"):
            readings: dict[Hashable, list[float]] = {}
            for run in runs:
                if run.suite == suite and quantity in run.measured:
                    readings.setdefault(run.configuration, []).append(run.measured[quantity])
            several = [np.array(values) for values in readings.values() if len(values) > 1]
            if several:
                # Of n readings, the mean of squares about their own mean is (n - 1) / n of that about the true one.
                sizes = [
                    np.abs(values / values.mean() - 1) * np.sqrt(len(values) / (len(values) - 1)) for values in several
                ]
                found.append(
                    Repeats(
                        suite, quantity, len(several), sum(map(len, several)), float(np.concatenate(sizes).mean() * 100)
                    )
                )
    return found
