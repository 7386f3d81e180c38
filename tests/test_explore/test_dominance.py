"""Ranks, crowding, fronts and hypervolumes against naive code, brute force and pymoo."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eesim.base import FloatArray, IntArray
from eesim.explore.dominance import best_spread, crowding_distance, nondominated_ranks
from eesim.explore.front import hypervolume, nondominated, sorted_front
from tests.test_explore.toys import dominates

INF = float("inf")


# Few different values, so that ties are common.
FEW = st.integers(0, 5).map(float)
SOME_ENDLESS = st.sampled_from([0.0, 1.0, 2.5, 3.0, INF, -INF])


def points(values: st.SearchStrategy[float]) -> st.SearchStrategy[FloatArray]:
    """At most 12 rows of one to three objectives."""
    shape = st.tuples(st.integers(0, 12), st.integers(1, 3))
    return hnp.arrays(np.float64, shape, elements=values)


def naive_ranks(values: FloatArray, violation: FloatArray) -> list[int]:
    def beats(a: int, b: int) -> bool:
        if violation[a] > 0 or violation[b] > 0:
            return bool(violation[a] < violation[b])
        return dominates(values[a], values[b])

    ranks, left = [-1] * len(values), set(range(len(values)))
    for rank in itertools.count():
        if not left:
            return ranks
        best = {b for b in left if not any(beats(a, b) for a in left)}
        for i in best:
            ranks[i] = rank
        left -= best
    raise AssertionError


def naive_crowding(values: FloatArray, ranks: IntArray) -> FloatArray:
    """Finite values only."""
    out = np.zeros(len(ranks))
    for rank, column in itertools.product(set(ranks.tolist()), values.T):
        order = sorted(np.flatnonzero(ranks == rank).tolist(), key=lambda i: column[i])
        width = column[order[-1]] - column[order[0]]
        out[[order[0], order[-1]]] = INF
        for left, i, right in zip(order, order[1:], order[2:], strict=False):
            out[i] += (column[right] - column[left]) / width if column[right] > column[left] else 0.0
    return out


# -- ranks --------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(values=points(SOME_ENDLESS), data=st.data())
def test_ranks_agree_with_the_definition(values: FloatArray, data: st.DataObject) -> None:
    n = len(values)
    violation = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.0, 0.1, 0.4, INF]), min_size=n, max_size=n)))
    assert nondominated_ranks(values, violation).tolist() == naive_ranks(values, violation)


@pytest.mark.parametrize("n_objectives", [1, 2, 3])
def test_ranks_of_many(n_objectives: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 30, (300, n_objectives)).astype(float)
    violation = np.maximum(0, rng.integers(-6, 4, 300)) / 10
    assert nondominated_ranks(values, violation).tolist() == naive_ranks(values, violation)


def test_a_feasible_genome_comes_before_a_better_infeasible_one() -> None:
    values, violation = np.array([[9.0, 9.0], [0.0, 0.0], [1.0, 1.0]]), np.array([0.0, 0.2, 0.1])
    assert nondominated_ranks(values, violation).tolist() == [0, 2, 1]


# -- crowding -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(values=points(st.integers(0, 20).map(float)), data=st.data())
def test_crowding_agrees_with_the_definition(values: FloatArray, data: st.DataObject) -> None:
    n = len(values)
    ranks = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int64)
    assert crowding_distance(values, ranks) == pytest.approx(naive_crowding(values, ranks), rel=1e-12)


def test_crowding_with_values_that_are_not_there() -> None:
    values = np.array([[0.0], [2.0], [4.0], [INF], [INF], [INF]])
    assert crowding_distance(values, np.zeros(6, np.int64)).tolist() == [INF, 1.0, INF, INF, 0.0, INF]


# -- fronts -------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(values=points(SOME_ENDLESS), data=st.data())
def test_fronts_agree_with_the_definition(values: FloatArray, data: st.DataObject) -> None:
    rows = [tuple(row) for row in values.tolist()]
    expected = [not any(dominates(a, b) for a in values) and rows.index(rows[i]) == i for i, b in enumerate(values)]
    assert nondominated(values).tolist() == expected
    ordered = data.draw(st.integers(0, len(values)))
    values[:ordered] = values[:ordered][np.lexsort(values[:ordered].T[::-1])]
    front = sorted_front(values, ordered)
    assert sorted(front.tolist()) == np.flatnonzero(nondominated(values)).tolist()
    assert [tuple(row) for row in values[front].tolist()] == sorted(tuple(row) for row in values[front].tolist())


@pytest.mark.parametrize("n_objectives", [2, 3])
def test_the_front_of_a_large_set(n_objectives: int) -> None:
    values = np.random.default_rng(4).integers(0, 1000, (3000, n_objectives)).astype(float)
    front = set(sorted_front(values).tolist())
    for i, value in enumerate(values):
        better = ((values <= value).all(axis=1) & (values < value).any(axis=1)).any()
        assert (i in front) == (not better and not (values[:i] == value).all(axis=1).any())


@settings(deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(0, 40), n_objectives=st.integers(1, 3), places=st.integers(1, 30))
def test_survivors_are_the_best_by_rank_then_the_least_crowded(
    seed: int, n: int, n_objectives: int, places: int
) -> None:
    rng = np.random.default_rng(seed)
    objectives, violation = rng.integers(0, 5, (25, n_objectives)).astype(float), rng.integers(0, 3, 25) / 2
    rows, out = np.sort(rng.integers(0, 25, n)), np.empty(n, np.int64)
    kept = best_spread(rows, objectives, violation, places, out)
    distinct = np.unique(rows)
    ranks = nondominated_ranks(objectives[distinct], violation[distinct])
    order = np.lexsort((-crowding_distance(objectives[distinct], ranks), ranks))
    assert out[:kept].tolist() == distinct[order][:places].tolist()


# -- hypervolume --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(values=points(FEW), data=st.data())
def test_hypervolume_counts_the_dominated_cells_of_a_grid(values: FloatArray, data: st.DataObject) -> None:
    m = values.shape[1]
    corner = np.array(data.draw(st.lists(st.integers(1, 7), min_size=m, max_size=m)), float)
    cells = np.array(list(itertools.product(*(range(int(end)) for end in corner))), float)
    covered = np.zeros(len(cells), bool)
    for value in values:
        covered |= (cells >= value).all(axis=1)
    assert hypervolume(values, corner) == covered.sum()


def test_hypervolume_of_three_objectives_against_monte_carlo() -> None:
    rng = np.random.default_rng(8)
    values = rng.random((60, 3)) ** 0.5
    corner = np.array([0.95, 1.0, 1.1])
    darts = rng.random((40_000, 3)) * corner
    share = np.mean([(values <= dart).all(axis=1).any() for dart in darts])
    volume = hypervolume(values, corner) / corner.prod()
    assert abs(volume - share) < 4 * np.sqrt(volume * (1 - volume) / 40_000)


def test_points_at_or_beyond_the_reference_add_nothing() -> None:
    inside = np.array([[1.0, 2.0, 3.0]])
    beyond = np.array([[0.0, 0.0, 4.0], [5.0, 0.0, 0.0], [0.0, INF, 0.0], [0.0, 4.0, 0.0]])
    assert hypervolume(np.concatenate([inside, beyond]), np.array([4.0, 4.0, 4.0])) == 6.0
    assert hypervolume(beyond, np.array([4.0, 4.0, 4.0])) == 0.0
    assert hypervolume(np.empty((0, 2)), np.array([1.0, 1.0])) == 0.0


@pytest.mark.parametrize("n_objectives", [2, 3])
def test_hypervolume_agrees_with_pymoo(n_objectives: int) -> None:
    indicator = pytest.importorskip("pymoo.indicators.hv").HV
    rng = np.random.default_rng(2)
    for n in (1, 10, 200):
        values = rng.random((n, n_objectives))
        corner = np.full(n_objectives, 0.9)
        assert hypervolume(values, corner) == pytest.approx(float(indicator(ref_point=corner)(values)), rel=1e-9)


@pytest.mark.parametrize("function", [nondominated, lambda values: hypervolume(values, np.ones(4))])
def test_four_objectives_are_refused(function: Any) -> None:
    with pytest.raises(ValueError, match="4 objectives are not supported"):
        function(np.zeros((2, 4)))
