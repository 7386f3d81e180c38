"""Sorting rows by several columns, inside kernels."""

from __future__ import annotations

from eesim.base import FloatArray, IntArray
from eesim.engine.jit import WarmOnce, kernel


@kernel
def comes_first(columns: FloatArray, a: int, b: int) -> bool:
    """Whether row ``a`` is lexicographically below row ``b``."""
    for k in range(columns.shape[1]):
        if columns[a, k] != columns[b, k]:
            return bool(columns[a, k] < columns[b, k])
    return False


@kernel
def sort_rows(columns: FloatArray, order: IntArray, spare: IntArray) -> None:
    """Put ``order``, which names rows of ``columns``, into lexicographic order; stable.

    A merge sort that begins with the runs that are in order already: a population that was sorted costs next to
    nothing, only what is new does.

    Parameters
    ----------
    columns
        (N, K), no NaN.
    order
        (n,) rows, sorted in place.
    spare
        (n,), overwritten.
    """
    n = len(order)
    sorted_all = n < 2
    while not sorted_all:
        sorted_all = True
        begin = 0
        while begin < n:
            middle = begin + 1
            while middle < n and not comes_first(columns, order[middle], order[middle - 1]):
                middle += 1
            if middle == n:
                break
            sorted_all = False
            end = middle + 1
            while end < n and not comes_first(columns, order[end], order[end - 1]):
                end += 1
            left, right = begin, middle
            for i in range(begin, end):
                later = right < end and (left == middle or comes_first(columns, order[right], order[left]))
                if later:
                    spare[i] = order[right]
                    right += 1
                else:
                    spare[i] = order[left]
                    left += 1
            for i in range(begin, end):
                order[i] = spare[i]
            begin = end


@kernel
def keep_best(
    rows: IntArray,
    island: IntArray,
    objective: FloatArray,
    violation: FloatArray,
    places: IntArray,
    columns: FloatArray,
    order: IntArray,
    spare: IntArray,
    out: IntArray,
) -> int:
    """Choose, on each island, the best of a pool without repetitions; of equally good ones the newest.

    Parameters
    ----------
    rows, island
        (n,) rows of the memo, which may repeat, and where they compete.
    objective, violation
        Of all rows of the memo.
    places
        Places on each island.
    columns, order, spare
        (n, 4), (n,) and (n,), overwritten.
    out
        (2, n) rows and islands of the survivors, island by island, the best of each first.

    Returns
    -------
    int
        How many survive.
    """
    for i in range(len(rows)):
        columns[i, 0] = island[i]
        columns[i, 1] = violation[rows[i]]
        columns[i, 2] = objective[rows[i]]
        columns[i, 3] = -rows[i]
        order[i] = i
    sort_rows(columns, order, spare)
    kept, here = 0, 0
    for place in range(len(order)):
        i = order[place]
        if kept > 0 and island[i] == out[1, kept - 1]:
            if rows[i] == out[0, kept - 1]:
                continue
        else:
            here = 0
        if here == places[island[i]]:
            # The rest of the island is worse; its last survivor is known, so repetitions of it do no harm.
            continue
        out[0, kept], out[1, kept] = rows[i], island[i]
        kept += 1
        here += 1
    return kept


sorted_rows = WarmOnce(sort_rows)
best_of_pool = WarmOnce(keep_best)
