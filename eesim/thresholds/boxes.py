"""Branch and bound over boxes of thresholds, for tables whose settings are too many to count one by one.

In a box of levels some samples surely answer at an exit, some surely do not, and the others may: letting each of these
choose its exit for itself, whatever a common threshold would allow, cannot be beaten by any setting of the box. A limit
on accuracy or cost enters with a price (Lagrangian relaxation; the best of a few prices counts). Small boxes are
counted setting by setting (`eesim.thresholds.enumerate`), so the answer is exact when no open box can beat it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from eesim.base import IntArray
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.enumerate import Table, work_of
from eesim.thresholds.goal import Goal
from eesim.thresholds.levels import Levels
from eesim.workload.confidences import BoolArray

COUNTED = 20_000_000
"""Boxes that take at most so many elementary steps are counted setting by setting."""

PILOT_LEVELS = 24
"""Levels of each exit that give the first incumbent."""

FACTORS = (0.0, 0.25, 0.5, 0.8, 1.0, 1.25, 2.0, 4.0)
"""Prices that bounds try, relative to the one that the pilot suggests."""

SLACK = 1 - 1e-12


@dataclass(frozen=True)
class BoxSearch:
    """What the search found and showed.

    Attributes
    ----------
    table
        Least costs over all settings that were counted.
    lower_bound
        Objective that no setting can beat.
    complete
        Whether no box is left that could hold something better.
    boxes, pruned
        Boxes that were bounded, and dropped by their bounds.
    """

    table: Table
    lower_bound: float
    complete: bool
    boxes: int
    pruned: int


def search_boxes(cascade: Cascade, levels: Levels, goal: Goal, *, boxes: int, counted: int | None = None) -> BoxSearch:
    """Find the best setting for a goal.

    Parameters
    ----------
    cascade, levels, goal
        What is searched, and what for.
    boxes
        Boxes that may be bounded; when they are used up, the gap to the lowest open bound remains.
    counted
        Steps up to which a box is counted setting by setting; None for `COUNTED`.
    """
    steps = COUNTED if counted is None else counted
    table = _pilot(cascade, levels)
    bound = _Bound(cascade, levels, goal, _price(table, goal))
    low, high = np.zeros(cascade.n_early, np.int64), levels.sizes - 1
    open_: list[tuple[float, int, IntArray, IntArray]] = [(bound.of(low, high), 0, low, high)]
    used, pruned = 1, 0
    while open_ and used < boxes:
        lowest, _, low, high = open_[0]
        if lowest * SLACK >= _incumbent(table, goal):
            break
        heapq.heappop(open_)
        if (low == high).all() or work_of(high - low + 1, cascade.n_samples) <= steps:
            table.add(low, high)
            continue
        for part in bound.split(low, high):
            used += 1
            value = bound.of(*part)
            if value * SLACK < _incumbent(table, goal):
                heapq.heappush(open_, (value, used, *part))
            else:
                pruned += 1
    best = _incumbent(table, goal)
    left = [item for item in open_ if item[0] * SLACK < best]
    lower = min([best, *(item[0] for item in left)])
    return BoxSearch(table, lower, not left, used, pruned + len(open_) - len(left))


def _incumbent(table: Table, goal: Goal) -> float:
    right, feasible = goal.pick(table.best)
    return goal.value_of(int(table.best[right]), right) if feasible else np.inf


def _pilot(cascade: Cascade, levels: Levels) -> Table:
    """Count a coarse grid of levels, and note its results as levels of the fine one."""
    picked = [np.unique(np.linspace(0, size - 1, PILOT_LEVELS).astype(np.int64)) for size in levels.sizes]
    coarse = Levels(
        tuple(values[at] for values, at in zip(levels.values, picked, strict=True)),
        np.stack([np.searchsorted(at, levels.passed[:, k], side="left") for k, at in enumerate(picked)], axis=1),
    )
    table = Table(cascade, levels)
    rough = Table(cascade, coarse)
    rough.add(np.zeros(cascade.n_early, np.int64), coarse.sizes - 1)
    table.best[:] = rough.best
    table.settings = rough.settings
    table.where[:] = np.stack([at[rough.where[:, k]] for k, at in enumerate(picked)], axis=1)
    return table


def _price(table: Table, goal: Goal) -> float:
    """Objective that a unit of the limited quantity is worth, from the pilot's front."""
    right = np.flatnonzero(table.best < np.iinfo(np.int64).max)
    cost = table.best[right].astype(np.float64)
    span = float(right.max() - right.min())
    per_right = (cost.max() - cost.min()) / span if span else 1.0
    return float(max(per_right, 1e-9)) if goal.kind == "least cost" else float(1 / max(per_right, 1e-9))


class _Bound:
    """Lower bounds of the objective over boxes of levels."""

    def __init__(self, cascade: Cascade, levels: Levels, goal: Goal, price: float) -> None:
        self._passed = levels.passed
        per_cost, per_wrong = goal.prices
        wrong = 1.0 - cascade.correct
        cost = cascade.cost.astype(np.float64)[None]
        n = cascade.n_samples
        # (P, N, E + 1) objective plus price x limited quantity, and what the limit gives back at each price.
        limits = []
        if goal.accuracy is not None:
            limits.append((wrong, float(n - goal.least_right)))
        if goal.budget is not None:
            limits.append((np.broadcast_to(cost, wrong.shape), float(goal.most_cost)))
        plain = per_cost * cost + per_wrong * wrong
        self._weights, self._back = [plain], [0.0]
        for quantity, limit in limits:
            for factor in FACTORS[1:]:
                self._weights.append(plain + factor * price * quantity)
                self._back.append(factor * price * limit)

    def of(self, low: IntArray, high: IntArray) -> float:
        """Objective that no setting of a box can beat."""
        best = -np.inf
        may, reached = self._choices(low, high)
        for weights, back in zip(self._weights, self._back, strict=True):
            least = np.where(may & reached, weights, np.inf).min(axis=1)
            best = max(best, float(least.sum()) - back)
        return best

    def _choices(self, low: IntArray, high: IntArray) -> tuple[BoolArray, BoolArray]:
        """Whether each sample may answer at each exit at some level of the box, and may get there, (N, E + 1)."""
        n, early = self._passed.shape
        may = np.ones((n, early + 1), np.bool_)
        may[:, :-1] = self._passed > low
        goes_on = np.ones((n, early + 1), np.bool_)
        # A sample that passes even the highest level never gets further.
        goes_on[:, 1:] = np.cumprod(self._passed <= high, axis=1).astype(np.bool_)
        return may, goes_on

    def split(self, low: IntArray, high: IntArray) -> list[tuple[IntArray, IntArray]]:
        """Cut a box in two at the exit that is open for most samples."""
        open_ = ((self._passed > low) & (self._passed <= high)).sum(axis=0)
        k = int(np.argmax(np.where(high > low, open_ + 1, 0)))
        inside = self._passed[(self._passed[:, k] > low[k]) & (self._passed[:, k] <= high[k]), k]
        middle = int(np.median(inside)) - 1 if len(inside) else int(low[k] + high[k]) // 2
        middle = min(max(middle, int(low[k])), int(high[k]) - 1)
        left, right = high.copy(), low.copy()
        left[k], right[k] = middle, middle + 1
        return [(low, left), (right, high)]
