"""Scores against closed forms, and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from eesim.validate.scores import regret, score, spearman

MEASURED = np.array([100.0, 200.0, 400.0, 50.0])
PREDICTED = np.array([110.0, 190.0, 400.0, 40.0])
"""Errors +10, -5, 0, -20 %."""
APART = np.arange(4)


def test_errors_are_the_closed_forms() -> None:
    found = score(PREDICTED, MEASURED, APART)
    assert found.n == 4
    assert found.mape_pct == pytest.approx(35 / 4)
    assert found.median_ape_pct == pytest.approx(7.5)
    assert found.bias_pct == pytest.approx(-15 / 4)
    assert found.p95_ape_pct == pytest.approx(np.percentile([10, 5, 0, 20], 95))
    mean = MEASURED.mean()
    assert found.r2 == pytest.approx(1 - (10**2 + 10**2 + 10**2) / ((MEASURED - mean) ** 2).sum())


def test_interval_draws_whole_groups() -> None:
    # Two orders whose errors are 0 and 10 %: a draw has none, one or both of them.
    measured = np.full(100, 10.0)
    predicted = np.repeat([10.0, 11.0], 50)
    found = score(predicted, measured, np.repeat([0, 1], 50))
    assert (found.mape_low, found.mape_high) == pytest.approx((0, 10))
    single = score(predicted, measured, np.arange(100))
    assert 2.5 < single.mape_low < 4.5
    assert 5.5 < single.mape_high < 7.5


def test_interval_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(3)
    measured = np.full(400, 100.0)
    predicted = measured * (1 + np.abs(rng.normal(0, 0.05, 400)))
    found = score(predicted, measured, np.arange(400))
    half = 1.96 * np.std(predicted - 100, ddof=1) / 20
    assert found.mape_low == pytest.approx(found.mape_pct - half, abs=0.1 * half)
    assert found.mape_high == pytest.approx(found.mape_pct + half, abs=0.1 * half)


def test_nothing_is_made_up_for_one_order_and_equal_values() -> None:
    found = score(np.array([1.0, 2.0]), np.array([3.0, 3.0]), np.zeros(2, np.int64))
    assert all(math.isnan(value) for value in (found.mape_low, found.mape_high, found.r2, found.spearman))


@pytest.mark.parametrize("measured", [[], [1.0, 0.0], [-1.0, 1.0], [math.nan, 1.0]])
def test_errors_need_measurements(measured: list[float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        score(np.ones(len(measured)), np.array(measured), np.arange(len(measured)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_spearman_is_scipy_s(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, np.float64).T
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(spearman(a, b))
    else:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


def test_regret_of_the_right_and_the_wrong_choice() -> None:
    measured = np.array([10.0, 12.0, 20.0])
    assert regret(np.array([1.0, 2.0, 3.0]), measured) == 0
    assert regret(np.array([2.0, 1.0, 3.0]), measured) == pytest.approx(20)


def test_regret_of_repeats_is_that_of_their_mean() -> None:
    assert regret(np.array([5.0, 5.0, 9.0]), np.array([10.0, 14.0, 11.0])) == pytest.approx(20)
