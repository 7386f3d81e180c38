"""The non-dominated part of a large set, and the hypervolume that it dominates.

Hypervolume is the measure of what lies between the points and a fixed reference point (Zitzler and Thiele 1999);
points that do not improve on the reference in every objective add nothing. Both questions are answered by one sweep
along the first objective, with a *staircase* of the points met so far in the other two: sorted by the second
objective, so that the third falls along it. Objectives that are not there count as 0, with a reference of 1.
"""

from __future__ import annotations

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.explore.problem import BoolArray

MAX_OBJECTIVES = 3


@kernel
def stairs_up_to(xs: FloatArray, size: int, x: float) -> int:
    """Number of stairs at or left of ``x``."""
    low, high = 0, size
    while low < high:
        middle = (low + high) >> 1
        if xs[middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def gain(
    xs: FloatArray, ys: FloatArray, size: int, place: int, x: float, y: float, x_end: float, y_end: float
) -> float:
    """Area that a point entering at ``place`` adds to what the stairs dominate, up to the corner (x_end, y_end)."""
    height, area = ys[place - 1] if place > 0 else y_end, 0.0
    while place < size and ys[place] >= y:
        area += (xs[place] - x) * (height - y)
        x, height = xs[place], ys[place]
        place += 1
    right = xs[place] if place < size else x_end
    return area + (right - x) * (height - y)


@kernel
def enter(xs: FloatArray, ys: FloatArray, size: int, place: int, x: float, y: float) -> int:
    """Add a point at ``place`` and drop the stairs behind it; returns the number of stairs."""
    end = place
    while end < size and ys[end] >= y:
        end += 1
    if end == place:
        for i in range(size, place, -1):
            xs[i], ys[i] = xs[i - 1], ys[i - 1]
    elif end > place + 1:
        for i in range(end, size):
            xs[place + 1 + i - end], ys[place + 1 + i - end] = xs[i], ys[i]
    xs[place], ys[place] = x, y
    return size + 1 - (end - place)


@kernel
def merge(objectives: FloatArray, ordered: int, rest: IntArray, out: IntArray) -> None:
    """Merge rows 0 .. ``ordered`` - 1 and then ``rest``, each in lexicographic order; equal rows in this order."""
    n, m = objectives.shape
    left, right = 0, 0
    for i in range(n):
        later = right == n - ordered
        if left < ordered and not later:
            for k in range(m):
                a, b = objectives[left, k], objectives[rest[right], k]
                if a != b:
                    later = a < b
                    break
                later = k == m - 1
        if later:
            out[i] = left
            left += 1
        else:
            out[i] = rest[right]
            right += 1


@kernel
def find_front(objectives: FloatArray, order: IntArray, out: IntArray) -> int:
    """List rows that no row before them in lexicographic ``order`` equals or dominates; returns how many."""
    n, m = objectives.shape
    xs, ys = np.empty(n), np.empty(n)
    size, found = 0, 0
    for i in order:
        x = objectives[i, 1] if m > 1 else 0.0
        y = objectives[i, 2] if m > 2 else 0.0
        place = stairs_up_to(xs, size, x)
        if place > 0 and ys[place - 1] <= y:
            continue
        size = enter(xs, ys, size, place, x, y)
        out[found] = i
        found += 1
    return found


@kernel
def swept_volume(points: FloatArray, reference: FloatArray) -> float:
    """Hypervolume of points that are sorted by the first objective."""
    n, m = points.shape
    xs, ys = np.empty(n), np.empty(n)
    x_end = reference[1] if m > 1 else 1.0
    y_end = reference[2] if m > 2 else 1.0
    size, area, volume = 0, 0.0, 0.0
    for i in range(n):
        if points[i, 0] >= reference[0]:
            break
        x = points[i, 1] if m > 1 else 0.0
        y = points[i, 2] if m > 2 else 0.0
        place = stairs_up_to(xs, size, x)
        if x < x_end and y < y_end and not (place > 0 and ys[place - 1] <= y):
            area += gain(xs, ys, size, place, x, y, x_end, y_end)
            size = enter(xs, ys, size, place, x, y)
        end = min(points[i + 1, 0], reference[0]) if i + 1 < n else reference[0]
        volume += area * (end - points[i, 0])
    return volume


_merge = WarmOnce(merge)
_find_front = WarmOnce(find_front)
_swept_volume = WarmOnce(swept_volume)


def sorted_front(objectives: FloatArray, ordered: int = 0) -> IntArray:
    """Rows that no other row dominates, in lexicographic order of their objectives; of equal rows, the first.

    Takes O(n log n) time with up to two objectives; with three, also the length of the staircase for each row found.

    Parameters
    ----------
    objectives
        (n, M) with M of 1, 2 or 3, minimised.
    ordered
        So many rows at the beginning come in lexicographic order already.
    """
    values = np.ascontiguousarray(objectives, np.float64)
    _check(values.shape[1])
    order, out = np.empty(len(values), np.int64), np.empty(len(values), np.int64)
    _merge(values, ordered, ordered + np.lexsort(values[ordered:].T[::-1]), order)
    return out[: _find_front(values, order, out)]


def nondominated(objectives: FloatArray) -> BoolArray:
    """Mark the rows that no other row dominates; of equal rows, the first, (n,). See `sorted_front`."""
    keep = np.zeros(len(objectives), np.bool_)
    keep[sorted_front(objectives)] = True
    return keep


def hypervolume(objectives: FloatArray, reference: FloatArray, *, is_sorted: bool = False) -> float:
    """Volume that the rows dominate, up to the reference point.

    Parameters
    ----------
    objectives
        (n, M) with M of 1, 2 or 3, minimised; dominated and equal rows change nothing.
    reference
        (M,).
    is_sorted
        The rows come in lexicographic order.
    """
    values = np.ascontiguousarray(objectives, np.float64)
    _check(values.shape[1])
    if not is_sorted:
        values = values[np.lexsort(values.T[::-1])]
    return float(_swept_volume(values, np.array(reference, np.float64)))


def _check(n_objectives: int) -> None:
    if not 1 <= n_objectives <= MAX_OBJECTIVES:
        raise ValueError(f"fronts of {n_objectives} objectives are not supported, only 1 to {MAX_OBJECTIVES}")
