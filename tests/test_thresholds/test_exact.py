"""The exact searches against counting every setting the slow way."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.thresholds.boxes import search_boxes
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.enumerate import UNREACHED, enumerate_all, front_of
from eesim.thresholds.goal import Goal
from eesim.thresholds.levels import Levels, all_levels, never, on_grid, shortest
from tests.test_thresholds.tables import cascades, correlated


def slowly(cascade: Cascade, levels: Levels) -> dict[tuple[int, int], tuple[float, ...]]:
    """(right answers, cost) of every setting, one sample after the other."""
    found = {}
    for thresholds in product(*levels.values):
        right = cost = 0
        for sure, good in zip(cascade.confidence, cascade.correct, strict=True):
            exit_ = next((k for k, t in enumerate(thresholds) if sure[k] >= t), cascade.n_early)
            right += int(good[exit_])
            cost += int(cascade.cost[exit_])
        found[right, cost] = thresholds
    return found


@given(cascades())
@settings(max_examples=60, deadline=None)
def test_every_setting_is_counted(cascade: Cascade) -> None:
    levels = all_levels(cascade)
    table, slow = enumerate_all(cascade, levels), slowly(cascade, levels)
    assert table.settings == levels.settings == np.prod([len(v) for v in levels.values])
    for right in range(cascade.n_samples + 1):
        costs = [cost for r, cost in slow if r == right]
        assert table.best[right] == min(costs, default=UNREACHED)
        if costs:
            outcome = cascade.outcome(levels.at(table.where[right]))
            assert (outcome.right, outcome.cost) == (right, min(costs))


@given(cascades(most_early=2))
@settings(max_examples=40, deadline=None)
def test_all_levels_leave_nothing_out(cascade: Cascade) -> None:
    """No threshold between the levels does anything that no level does."""
    coarse = slowly(cascade, all_levels(cascade))
    fine = slowly(cascade, on_grid(cascade, [np.linspace(-0.05, 1.25, 27)] * cascade.n_early))
    assert set(fine) <= set(coarse)


@given(cascades())
@settings(max_examples=40, deadline=None)
def test_the_front_is_what_nothing_beats(cascade: Cascade) -> None:
    levels = all_levels(cascade)
    table, slow = enumerate_all(cascade, levels), set(slowly(cascade, levels))
    wanted = {(r, c) for r, c in slow if not any(r2 >= r and c2 <= c and (r2, c2) != (r, c) for r2, c2 in slow)}
    assert {(int(r), int(table.best[r])) for r in front_of(table)} == wanted


GOALS = st.sampled_from(["least cost", "most accuracy", "weighted"])


@given(cascades(), GOALS, st.integers(0, 12), st.integers(0, 9), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_boxes_find_what_counting_finds(
    cascade: Cascade, kind: str, right: int, budget: int, ask: bool, limit: bool
) -> None:
    n = cascade.n_samples
    accuracy = Fraction(min(right, n), n) if ask else None
    goal = Goal(kind, n, 9, accuracy, Fraction(budget) if limit else None)
    levels = all_levels(cascade)
    table = enumerate_all(cascade, levels)
    best, feasible = goal.pick(table.best)
    found = search_boxes(cascade, levels, goal, boxes=10_000, counted=0)
    chosen, also = goal.pick(found.table.best)
    assert found.complete
    assert also == feasible
    if feasible:
        value = goal.value_of(int(table.best[best]), best)
        assert goal.value_of(int(found.table.best[chosen]), chosen) == pytest.approx(value, abs=1e-12)
        assert found.lower_bound == pytest.approx(value, abs=1e-12)


def test_boxes_prove_what_is_too_much_to_count() -> None:
    cascade = correlated(400, 4, seed=3, rank=0.6, digits=3)
    levels = all_levels(cascade)
    goal = Goal("least cost", 400, 160, Fraction(88, 100))
    table = enumerate_all(cascade, levels)
    best, feasible = goal.pick(table.best)
    assert feasible
    found = search_boxes(cascade, levels, goal, boxes=3000, counted=400_000)
    assert levels.settings > 5_000_000
    assert found.complete
    assert found.table.settings < levels.settings / 2
    chosen, _ = goal.pick(found.table.best)
    assert found.table.best[chosen] == table.best[best]


def test_a_search_that_is_cut_short_says_how_far_it_may_be_off() -> None:
    cascade = correlated(400, 4, seed=3, rank=0.6)
    levels = all_levels(cascade)
    goal = Goal("least cost", 400, 160, Fraction(88, 100))
    table = enumerate_all(cascade, levels)
    best, _ = goal.pick(table.best)
    found = search_boxes(cascade, levels, goal, boxes=20, counted=1000)
    assert not found.complete
    assert found.lower_bound <= table.best[best] <= found.table.best[goal.pick(found.table.best)[0]]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.5, 0.75, 0.7), (0.61, 0.62, 0.62), (0.123456, 0.123457, 0.123457), (-1.5, -0.2, -0.2), (0.0, 1.0, 1.0)],
)
def test_thresholds_have_few_digits(low: float, high: float, told: float) -> None:
    assert shortest(low, high) == told
    assert low < shortest(low, high) <= high


@pytest.mark.parametrize(("highest", "told"), [(1.0, 1.1), (0.999, 1.1), (0.41, 0.6), (-0.25, -0.1)])
def test_a_level_that_nobody_reaches(highest: float, told: float) -> None:
    assert never(highest) == pytest.approx(told)
    assert never(highest) > highest


def test_of_what_is_out_of_reach_the_nearest_is_told() -> None:
    cascade = correlated(200, 3, seed=1, rank=0.5)
    levels = all_levels(cascade)
    table = enumerate_all(cascade, levels)
    most = int(front_of(table)[-1])
    assert Goal("least cost", 200, 90, Fraction(most, 200)).pick(table.best) == (most, True)
    assert Goal("least cost", 200, 90, Fraction(most + 1, 200)).pick(table.best) == (most, False)
    least = int(table.best.min())
    right, feasible = Goal("most accuracy", 200, 90, None, Fraction(least - 1, 200)).pick(table.best)
    assert not feasible
    assert table.best[right] == least
