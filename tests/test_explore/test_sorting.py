"""Sorting inside kernels, against numpy's; survivors, against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.explore.sorting import best_of_pool, sorted_rows


@settings(deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 60), values=st.integers(1, 5))
def test_rows_are_sorted_as_numpy_does_and_stably(seed: int, n: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, values, (80, 3)).astype(float)
    columns[rng.random(columns.shape) < 0.1] = np.inf
    order = rng.permutation(80)[:n]
    expected = order[np.lexsort(columns[order].T[::-1])]
    sorted_rows(columns, order, np.empty(n, np.int64))
    assert order.tolist() == expected.tolist()


@pytest.mark.parametrize("islands", [1, 3])
@settings(deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 60))
def test_survivors_are_the_best_of_each_island_without_repetition(islands: int, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    objective, violation = rng.integers(0, 4, 20).astype(float), rng.integers(0, 2, 20).astype(float)
    rows, island = rng.integers(0, 20, n), rng.integers(0, islands, n)
    places, out = rng.integers(1, 7, islands), np.full((2, n), -1)
    spare = np.empty((n, 4)), np.empty(n, np.int64), np.empty(n, np.int64)
    kept = best_of_pool(rows, island, objective, violation, places, *spare, out)
    expected = []
    for one in range(islands):
        there = sorted(set(rows[island == one].tolist()), key=lambda row: (violation[row], objective[row], -row))
        expected += [(row, one) for row in there[: places[one]]]
    assert list(zip(*out[:, :kept].tolist(), strict=True)) == expected
