"""Scores of predicted runs by suite, network and quantity: the rows that `eesim validate` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from eesim.base import FloatArray
from eesim.validate.runs import Quantity, Run, order_groups
from eesim.validate.scores import Score, regret, score

QUANTITIES: tuple[Quantity, ...] = ("time", "period", "latency", "energy", "power")
CNN_POOL = "cnn"
ALL_POOL = "all"
PLAUSIBLE = 0.85
"""A frame's time as a share of the sum of its layers below which the measurement is not believed."""
NOT_CNN = frozenset({"yolov3"})
UNITS: dict[Quantity, str] = {"time": "ms", "period": "ms", "latency": "ms", "energy": "mJ", "power": "mW"}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the simulator says about one measured run.

    Attributes
    ----------
    values
        Predicted quantities: ms, mJ, mW; empty where nothing could be predicted.
    terms_ms
        What the time (or the slowest stage) consists of, by physical term, ms.
    outside
        In what the run lies outside what the board was fitted or measured for; empty inside.
    failure
        Why nothing could be predicted; empty if something was.
    slowest
        PE of the slowest stage; in switch mode the PE with most of the time.
    utilisation
        Mean share of the time that the PEs of a pipeline work, from 0 to 1; NaN in switch mode.
    """

    values: dict[Quantity, float] = field(default_factory=dict)
    terms_ms: dict[str, float] = field(default_factory=dict)
    outside: tuple[str, ...] = ()
    failure: str = ""
    slowest: str = ""
    utilisation: float = float("nan")


@dataclass(frozen=True, slots=True)
class Row:
    """Score of one quantity over the runs of a network (or a pool of networks) in one suite."""

    suite: str
    graph: str
    quantity: Quantity
    score: Score


def pools(graphs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Networks of each row: each alone, the CNNs together, and all."""
    names = sorted(set(graphs))
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    found[CNN_POOL] = tuple(name for name in names if name not in NOT_CNN)
    found[ALL_POOL] = tuple(names)
    return {pool: members for pool, members in found.items() if members}


def rows_of(runs: Sequence[Run], predictions: Sequence[Prediction]) -> Iterator[Row]:
    """Score predicted runs, suite by suite; runs without a prediction (or a measurement) are left out."""
    for suite in ("switch", "pipeline"):
        chosen = [i for i, run in enumerate(runs) if run.suite == suite]
        for pool, members in pools([runs[i].graph for i in chosen]).items():
            inside = [i for i in chosen if runs[i].graph in members]
            for quantity in QUANTITIES:
                found = _score(runs, predictions, inside, quantity)
                if found is not None:
                    yield Row(suite, pool, quantity, found)


def _score(
    runs: Sequence[Run], predictions: Sequence[Prediction], chosen: Sequence[int], quantity: Quantity
) -> Score | None:
    both = [i for i in chosen if quantity in runs[i].measured and quantity in predictions[i].values]
    if not both:
        return None
    predicted, measured = columns(runs, predictions, both, quantity)
    found = score(predicted, measured, order_groups(runs[i] for i in both))
    # Nobody chooses among different networks, nor among builds of the runtime: each is a choice of its own.
    menus: dict[tuple[str, str], list[int]] = {}
    for k, i in enumerate(both):
        if not is_implausible(runs[i], predictions[i]):
            menus.setdefault((runs[i].graph, runs[i].build), []).append(k)
    regrets = [regret(predicted[menu], measured[menu]) for menu in menus.values()]
    if not regrets:
        return found._replace(top1_regret_pct=float("nan"), worst_top1_regret_pct=float("nan"))
    return found._replace(top1_regret_pct=float(np.mean(regrets)), worst_top1_regret_pct=max(regrets))


def is_implausible(run: Run, prediction: Prediction) -> bool:
    """Whether a frame in switch mode was measured well below the sum of its own layers: lines of its log are lost.

    Such a run counts among the errors. It is no choice: nobody would get that time.
    """
    parts = [prediction.terms_ms.get(name, 0.0) for name in ("input", "layers", "profiling")]
    return run.suite == "switch" and "N" not in run.order and run.measured["time"] < PLAUSIBLE * sum(parts)


def columns(
    runs: Sequence[Run], predictions: Sequence[Prediction], chosen: Sequence[int], quantity: Quantity
) -> tuple[FloatArray, FloatArray]:
    """Predicted and measured values of some runs, (n,) each."""
    predicted = np.array([predictions[i].values[quantity] for i in chosen], np.float64)
    return predicted, np.array([runs[i].measured[quantity] for i in chosen], np.float64)
