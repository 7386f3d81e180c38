"""Pairs of normal numbers against scipy's integral and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eesim.fitting.normal import both_below, exit_autocorrelation, joint_shares, rank_correlation_of


@pytest.mark.parametrize("r", [-0.9, -0.3, 0.0, 0.5, 0.95])
@pytest.mark.parametrize("h", [-1.5, 0.0, 0.7])
@pytest.mark.parametrize("k", [-0.4, 0.0, 2.0])
def test_both_below_is_the_bivariate_normal(h: float, k: float, r: float) -> None:
    expected = stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([h, k])
    assert float(both_below(h, k, r)) == pytest.approx(expected, abs=1e-7)


def test_both_negative_is_sheppards_formula() -> None:
    assert float(both_below(0, 0, 0.6)) == pytest.approx(0.25 + math.asin(0.6) / (2 * math.pi))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5).filter(lambda x: sum(x) > 0.01), st.floats(-0.99, 0.99))
def test_joint_shares_have_their_margins(weights: list[float], r: float) -> None:
    shares = np.array(weights) / sum(weights)
    table = joint_shares(shares, shares[::-1], r)
    np.testing.assert_allclose(table.sum(axis=1), shares, atol=1e-7)
    np.testing.assert_allclose(table.sum(axis=0), shares[::-1], atol=1e-7)


def test_two_equal_exits_have_the_arcsine_correlation() -> None:
    assert exit_autocorrelation(np.array([0.5, 0.5]), 0.8) == pytest.approx(2 / math.pi * math.asin(0.8))
    assert exit_autocorrelation(np.array([0.5, 0.5]), 0.8, 3) == pytest.approx(2 / math.pi * math.asin(0.8**3))


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, (2, 500))
    b = np.where(rng.random(500) < 0.6, a, b)
    table = np.zeros((4, 4))
    np.add.at(table, (a, b), 1)
    assert rank_correlation_of(table) == pytest.approx(stats.spearmanr(a, b).statistic)
