"""Every threshold setting, counted: the least cost for each number of right answers.

The last exit's levels are swept with running sums, so a setting costs a few additions and no setting is left out.
"""

from __future__ import annotations

import numpy as np

from eesim.base import IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.levels import Levels

UNREACHED = np.iinfo(np.int64).max
"""Cost where no setting has this number of right answers."""


@kernel
def sweep(
    passed: IntArray, correct: IntArray, cost: IntArray, low: IntArray, high: IntArray, best: IntArray, where: IntArray
) -> int:
    """Go through the settings of a box of levels; return how many there are.

    Parameters
    ----------
    passed
        (N, E) levels that each sample reaches.
    correct
        (N, E + 1) 1 where an exit is right.
    cost
        (E + 1,) costs.
    low, high
        (E,) first and last level of each exit.
    best, where
        (N + 1,) least cost for each number of right answers, and (N + 1, E) the levels that have it; updated.
    """
    n, last = passed.shape[0], passed.shape[1] - 1
    width = high[last] - low[last] + 1
    level = low.copy()
    taken, right, right_later = np.zeros(width, np.int64), np.zeros(width, np.int64), np.zeros(width, np.int64)
    settings = 0
    while True:
        taken[:], right[:], right_later[:] = 0, 0, 0
        spent, good, left, good_later = 0, 0, 0, 0
        for i in range(n):
            k = 0
            while k < last and passed[i, k] <= level[k]:
                k += 1
            if k < last:
                spent += cost[k]
                good += correct[i, k]
                continue
            left += 1
            good_later += correct[i, last + 1]
            # The sample answers here at the levels below the one that it does not reach.
            g = min(passed[i, last] - low[last], width) - 1
            if g >= 0:
                taken[g] += 1
                right[g] += correct[i, last]
                right_later[g] += correct[i, last + 1]
        here, good_here, spared = 0, 0, 0
        for g in range(width - 1, -1, -1):
            here += taken[g]
            good_here += right[g]
            spared += right_later[g]
            total = good + good_here + good_later - spared
            price = spent + here * cost[last] + (left - here) * cost[last + 1]
            if price < best[total]:
                best[total] = price
                for k in range(last):
                    where[total, k] = level[k]
                where[total, last] = low[last] + g
        settings += width
        k = last - 1
        while k >= 0 and level[k] == high[k]:
            level[k] = low[k]
            k -= 1
        if k < 0:
            return settings
        level[k] += 1


_sweep = WarmOnce(sweep)


class Table:
    """Least cost for each number of right answers, over the settings seen so far.

    Attributes
    ----------
    best
        (N + 1,) least cost, `UNREACHED` where there is none.
    where
        (N + 1, E) levels of a setting that has it.
    settings
        How many settings were counted.
    """

    def __init__(self, cascade: Cascade, levels: Levels) -> None:
        n, early = levels.passed.shape
        self._data = (np.ascontiguousarray(levels.passed), cascade.correct.astype(np.int64), cascade.cost)
        self.best = np.full(n + 1, UNREACHED)
        self.where = np.zeros((n + 1, early), np.int64)
        self.settings = 0

    def add(self, low: IntArray, high: IntArray) -> None:
        """Count all settings of a box of levels, ends included."""
        self.settings += _sweep(*self._data, low.copy(), high.copy(), self.best, self.where)


def work_of(sizes: IntArray, n_samples: int) -> int:
    """Elementary steps that an enumeration takes."""
    outer = 1
    for size in sizes[:-1]:
        outer *= int(size)
    return outer * (n_samples + int(sizes[-1]))


def enumerate_all(cascade: Cascade, levels: Levels) -> Table:
    """Count every setting."""
    table = Table(cascade, levels)
    table.add(np.zeros(cascade.n_early, np.int64), levels.sizes - 1)
    return table


def front_of(table: Table) -> IntArray:
    """Numbers of right answers on the front of cost and accuracy, ascending."""
    kept: list[int] = []
    cheapest = UNREACHED
    for right in range(len(table.best) - 1, -1, -1):
        if table.best[right] < cheapest:
            cheapest = table.best[right]
            kept.append(right)
    return np.array(kept[::-1], np.int64)
