"""Constrained dominance, the ranks it makes, and crowding.

Following Deb et al. (2002, NSGA-II): a feasible genome comes before an infeasible one; of two infeasible ones the
smaller total violation comes first; two feasible ones are compared by Pareto dominance. Violations never enter the
objectives. Genomes with equal violations above zero share a rank.

The sort visits genomes in lexicographic order, so that nobody is dominated by a later one, and finds the first front
without anyone who dominates the newcomer by bisection (Zhang et al. 2015, ENS-BS): with two objectives the last
member of each front decides, O(n log n); with three, members are compared one by one, latest first.
"""

from __future__ import annotations

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.explore.sorting import sort_rows


@kernel
def alike(objectives: FloatArray, violation: FloatArray, a: int, b: int) -> bool:
    """Whether two rows are equal in every respect that counts."""
    if violation[a] != violation[b]:
        return False
    if violation[a] > 0:
        return True
    equal = True
    for m in range(objectives.shape[1]):
        equal = equal and objectives[a, m] == objectives[b, m]
    return equal


@kernel
def rank_rows(objectives: FloatArray, violation: FloatArray, order: IntArray, ranks: IntArray) -> None:
    """Give each row its rank, 0 best, visiting rows in order of violation, then lexicographically."""
    n, n_objectives = objectives.shape
    second, third = np.zeros(n), np.zeros(n)
    latest, before = np.empty(n, np.int64), np.empty(n, np.int64)
    n_fronts = 0
    for p in range(n):
        i = order[p]
        if p > 0 and alike(objectives, violation, i, order[p - 1]):
            ranks[i] = ranks[order[p - 1]]
            continue
        second[p] = objectives[i, 1] if n_objectives > 1 else 0.0
        third[p] = objectives[i, 2] if n_objectives > 2 else 0.0
        low, high = (0 if violation[i] == 0 else n_fronts), n_fronts
        while low < high:
            middle = (low + high) >> 1
            q = latest[middle]
            # With up to two objectives the second falls along a front: only its last member can dominate.
            while q >= 0 and (second[q] > second[p] or third[q] > third[p]):
                q = before[q] if n_objectives > 2 else -1
            if q >= 0:
                low = middle + 1
            else:
                high = middle
        before[p] = latest[low] if low < n_fronts else -1
        latest[low] = p
        ranks[i] = low
        n_fronts = max(n_fronts, low + 1)


@kernel
def gap(left: float, right: float, width: float) -> float:
    """Distance from ``left`` up to ``right`` relative to ``width``; infinite if one of them is."""
    if left == right:
        return 0.0
    return (right - left) / width if np.isfinite(left) and np.isfinite(right) else np.inf


@kernel
def crowd(objectives: FloatArray, ranks: IntArray, orders: IntArray, out: FloatArray) -> None:
    """Add up over the objectives the gap between the neighbours of each row in its rank, relative to the range.

    Column m of ``orders`` visits the rows by objective m, ascending.
    """
    n, n_ranks = len(ranks), ranks.max() + 1
    low, high = np.empty(n_ranks), np.empty(n_ranks)
    last, last_but_one = np.empty(n_ranks, np.int64), np.empty(n_ranks, np.int64)
    out[:] = 0.0
    for m in range(objectives.shape[1]):
        low[:] = np.inf
        high[:] = -np.inf
        for i in range(n):
            if np.isfinite(objectives[i, m]):
                low[ranks[i]] = min(low[ranks[i]], objectives[i, m])
                high[ranks[i]] = max(high[ranks[i]], objectives[i, m])
        last[:] = -1
        last_but_one[:] = -1
        for position in range(n):
            i = orders[position, m]
            rank = ranks[i]
            if last[rank] < 0:
                out[i] = np.inf
            elif last_but_one[rank] >= 0:
                left, right = objectives[last_but_one[rank], m], objectives[i, m]
                out[last[rank]] += gap(left, right, high[rank] - low[rank])
            last_but_one[rank] = last[rank]
            last[rank] = i
        for rank in range(n_ranks):
            if last[rank] >= 0:
                out[last[rank]] = np.inf


@kernel
def sort_columns(values: FloatArray, order: IntArray, spare: IntArray, out: IntArray) -> None:
    """Sort rows by each objective by itself; equal ones stay in order. ``order`` and ``spare`` are overwritten."""
    column = np.empty((len(values), 1))
    for m in range(values.shape[1]):
        for i in range(len(values)):
            order[i] = i
            column[i, 0] = values[i, m]
        sort_rows(column, order, spare)
        for i in range(len(values)):
            out[i, m] = order[i]


@kernel
def orders_of_fronts(values: FloatArray, order: IntArray, out: IntArray) -> None:
    """Orders for `crowd` of two objectives, from the lexicographic one: along a front one rises as the other falls.

    Only the order within each rank counts there, and rows of a rank that are equal in one objective are equal in both:
    those stay in order.
    """
    n = len(order)
    end = n
    while end > 0:
        begin = end - 1
        while (
            begin > 0
            and values[order[begin - 1], 0] == values[order[begin], 0]
            and (values[order[begin - 1], 1] == values[order[begin], 1])
        ):
            begin -= 1
        for i in range(begin, end):
            out[i, 0] = order[i]
            out[n - end + i - begin, 1] = order[i]
        end = begin


@kernel
def keep_spread(rows: IntArray, objectives: FloatArray, violation: FloatArray, places: int, out: IntArray) -> int:
    """Choose the best of a pool by rank, and within a rank the least crowded, without repetitions.

    Parameters
    ----------
    rows
        (n,) rows of the memo in ascending order; they may repeat.
    objectives, violation
        Of all rows of the memo.
    places
        How many may survive.
    out
        (n,) survivors, the best first; of equally good ones, the row that was evaluated first.

    Returns
    -------
    int
        How many survive.
    """
    n_objectives = objectives.shape[1]
    distinct = np.empty(len(rows), np.int64)
    n = 0
    for row in rows:
        if n == 0 or distinct[n - 1] != row:
            distinct[n] = row
            n += 1
    if n == 0:
        return 0
    values, total = np.empty((n, n_objectives)), np.empty(n)
    columns = np.empty((n, n_objectives + 1))
    order, spare = np.arange(n), np.empty(n, np.int64)
    for i in range(n):
        total[i] = columns[i, 0] = violation[distinct[i]]
        for m in range(n_objectives):
            values[i, m] = columns[i, m + 1] = objectives[distinct[i], m]
    sort_rows(columns, order, spare)
    ranks, distance = np.empty(n, np.int64), np.empty(n)
    rank_rows(values, total, order, ranks)
    orders = np.empty((n, n_objectives), np.int64)
    if n_objectives == 2 and total.max() == 0.0:
        orders_of_fronts(values, order, orders)
    else:
        sort_columns(values, order, spare, orders)
    crowd(values, ranks, orders, distance)
    quality = np.empty((n, 2))
    for i in range(n):
        order[i] = i
        quality[i, 0], quality[i, 1] = ranks[i], -distance[i]
    sort_rows(quality, order, spare)
    kept = min(n, places)
    for i in range(kept):
        out[i] = distinct[order[i]]
    return kept


best_spread = WarmOnce(keep_spread)
_rank_rows = WarmOnce(rank_rows)
_crowd = WarmOnce(crowd)


def nondominated_ranks(objectives: FloatArray, violation: FloatArray) -> IntArray:
    """Rank rows by constrained dominance.

    Parameters
    ----------
    objectives
        (n, M) with M of 1, 2 or 3, minimised.
    violation
        Total violation, (n,); 0 is feasible.

    Returns
    -------
    ranks : (n,)
        0 for rows that nobody dominates, 1 for those that only rank 0 dominates, and so on.
    """
    values = np.ascontiguousarray(objectives, np.float64)
    total = np.ascontiguousarray(violation, np.float64)
    ranks = np.empty(len(total), np.int64)
    _rank_rows(values, total, np.lexsort((*values.T[::-1], total)), ranks)
    return ranks


def crowding_distance(objectives: FloatArray, ranks: IntArray) -> FloatArray:
    """Distance of each row to its neighbours of the same rank, (n,).

    Infinite at the ends of each objective. The sort is stable, so rows with equal values count as neighbours in the
    order in which they are given.
    """
    out = np.empty(len(ranks))
    if not len(ranks):
        return out
    values = np.ascontiguousarray(objectives, np.float64)
    _crowd(values, np.ascontiguousarray(ranks, np.int64), np.argsort(values, axis=0, kind="stable"), out)
    return out
