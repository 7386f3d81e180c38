"""The published shortest-path search: its graph, its own optimum, and where its assumption misleads."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.thresholds.baseline import independence
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.enumerate import enumerate_all
from eesim.thresholds.goal import Goal
from eesim.thresholds.levels import Levels, evenly, on_grid
from eesim.thresholds.shortest_path import CORRECTIONS, LEVELS, Independent, shortest_path
from tests.test_thresholds.tables import cascades, correlated


def grid(cascade: Cascade, count: int = LEVELS) -> Levels:
    return on_grid(cascade, [evenly(count)] * cascade.n_early)


def test_the_graph_has_the_published_size() -> None:
    """Two exits: 28 nodes, at most 169 settings (arXiv 2403.07957, sections 3.2 and 4.3)."""
    cascade = correlated(100, 3, seed=0, rank=0.5)
    path = shortest_path(cascade, grid(cascade), (0.9, 0.1), 90)
    assert path.nodes == 28
    assert grid(cascade).settings == 169
    assert path.edges == 13 + 13 * 13 + 13
    assert CORRECTIONS == (1, 2 / 3, 1 / 2)


@given(cascades(), st.sampled_from([(0.9, 0.1), (0.1, 0.9), (0.0, 1.0), (1.0, 0.0)]))
@settings(max_examples=60, deadline=None)
def test_the_path_is_the_best_setting_if_exits_were_independent(cascade: Cascade, weights: tuple[float, float]) -> None:
    levels = grid(cascade, 4)
    model = Independent(cascade, levels)

    def weighted(index: tuple[int, ...]) -> float:
        guess = model.predict(np.array(index))
        return weights[0] * guess.cost / 9 - weights[1] * guess.accuracy

    path = shortest_path(cascade, levels, weights, 9)
    every = [weighted(index) for index in product(*(range(int(size)) for size in levels.sizes))]
    assert weighted(tuple(map(int, path.index))) == pytest.approx(min(every), abs=1e-12)
    alone = weights[0] * cascade.cost[-1] / 9 - weights[1] * model.final
    assert path.length == pytest.approx(min(every) - alone, abs=1e-12)


def test_one_exit_needs_no_assumption() -> None:
    cascade = correlated(500, 2, seed=4, rank=0.9)
    levels = grid(cascade)
    wrong = independence(cascade, levels)
    assert wrong is not None
    # Nothing comes before the only exit; what it leaves to the final one is still guessed by the average sample.
    assert wrong.cost_worst == pytest.approx(0, abs=1e-12)
    assert wrong.accuracy_worst > 0.01


@pytest.mark.parametrize(("rank", "least", "most"), [(0.0, 0.0, 0.03), (0.9, 0.05, 1.0)])
def test_independence_is_right_about_independent_exits_only(rank: float, least: float, most: float) -> None:
    cascade = correlated(5000, 3, seed=2, rank=rank)
    wrong = independence(cascade, grid(cascade))
    assert wrong is not None
    assert wrong.settings == 169
    assert least <= wrong.accuracy_worst <= most
    assert least <= wrong.cost_worst <= most


def test_the_baseline_promises_more_than_it_keeps_where_difficulty_is_shared() -> None:
    cascade = correlated(5000, 3, seed=2, rank=0.9)
    levels = grid(cascade)
    weights = (0.3, 0.7)
    path = shortest_path(cascade, levels, weights, 90)
    goal = Goal("weighted", 5000, 90, efficiency_weight=weights[0], accuracy_weight=weights[1])
    true = cascade.outcome(levels.at(path.index))
    table = enumerate_all(cascade, levels)
    right, _ = goal.pick(table.best)
    found = goal.value_of(true.cost, true.right)
    assert goal.value_of(int(table.best[right]), right) <= found
    predicted = weights[0] * path.prediction.cost / 90 + weights[1] * (1 - path.prediction.accuracy)
    assert predicted < found
    assert path.prediction.accuracy > true.right / 5000


def test_thirteen_levels_in_steps_of_a_twentieth() -> None:
    np.testing.assert_allclose(evenly(13), np.arange(8, 21) / 20)
