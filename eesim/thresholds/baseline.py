"""The published search beside the exact one: what it believes about its setting, and what is true."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from eesim.thresholds.cascade import Cascade
from eesim.thresholds.costs import KINDS
from eesim.thresholds.enumerate import enumerate_all
from eesim.thresholds.goal import Goal
from eesim.thresholds.levels import Levels
from eesim.thresholds.outcome import Baseline, Independence, Measured, measure
from eesim.thresholds.shortest_path import Independent, shortest_path
from eesim.thresholds.task import Task

MOST_SETTINGS = 20_000


def make_baseline(task: Task, levels: Levels, goal: Goal) -> Baseline:
    """Run the published search on a grid of levels, and the exact one on the same grid for the same weighted sum.

    Parameters
    ----------
    task
        Samples and costs.
    levels
        Levels of the graph.
    goal
        Its weights are used; its limits are not, as in the paper.
    """
    cascade, kind = task.calibration, task.spec.cost
    path = shortest_path(cascade, levels, (goal.efficiency_weight, goal.accuracy_weight), task.costs.original)
    thresholds = levels.at(path.index)
    weighted = replace(goal, kind="weighted", accuracy=None, budget=None)
    table = enumerate_all(cascade, levels)
    right, _ = weighted.pick(table.best)
    best = levels.at(table.where[right])
    found, exact = cascade.outcome(thresholds), cascade.outcome(best)
    n = cascade.n_samples
    predicted = path.prediction
    guessed = goal.efficiency_weight * predicted.cost / max(task.costs.original, 1)
    guessed += goal.accuracy_weight * (1 - predicted.accuracy)
    conditional = Independent(cascade, levels)
    believed = (*(float(conditional.right[k][g]) for k, g in enumerate(path.index)), conditional.final)
    return Baseline(
        thresholds=tuple(float(t) for t in thresholds),
        nodes=path.nodes,
        edges=path.edges,
        predicted=Measured(
            n,
            predicted.accuracy,
            predicted.cost / KINDS[kind].per_unit,
            tuple(float(share) for share in predicted.shares),
            tuple(r if share else None for r, share in zip(believed, predicted.shares, strict=True)),
        ),
        actual=measure(cascade, thresholds, kind),
        test=None if task.test is None else measure(task.test, thresholds, kind),
        exact=measure(cascade, best, kind),
        exact_thresholds=tuple(float(t) for t in best),
        weighted={
            "predicted": guessed,
            "actual": weighted.value_of(found.cost, found.right),
            "exact": weighted.value_of(exact.cost, exact.right),
        },
        independence=independence(cascade, levels),
    )


def independence(cascade: Cascade, levels: Levels) -> Independence | None:
    """Compare what independence predicts with what is true, over all settings; None for more than `MOST_SETTINGS`."""
    if levels.settings > MOST_SETTINGS:
        return None
    model, n = Independent(cascade, levels), cascade.n_samples
    rows = []
    for index in product(*(range(int(size)) for size in levels.sizes)):
        at = np.array(index, np.int64)
        predicted, true = model.predict(at), cascade.outcome(levels.at(at))
        cost = true.cost / n
        rows.append((predicted.accuracy - true.right / n, (predicted.cost - cost) / cost if cost else 0.0))
    off = np.array(rows)
    mean, worst = off.mean(axis=0), np.abs(off).max(axis=0)
    return Independence(len(rows), float(mean[0]), float(worst[0]), float(mean[1]), float(worst[1]))
