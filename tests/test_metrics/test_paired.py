"""Paired differences against SciPy, textbook examples and their own promises."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eesim.metrics.paired import differences, holm, p_value, paired, wilson

shares = st.floats(0, 1, allow_nan=False)


def test_it_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(10, 1, 12)
    b = a + rng.normal(0.3, 0.2, 12)
    found = paired(list(a), list(b), 0.95)
    reference = stats.ttest_rel(b, a)
    interval = reference.confidence_interval(0.95)
    assert found.difference.value == pytest.approx(np.mean(b - a))
    assert (found.difference.ci_low, found.difference.ci_high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(reference.pvalue)
    assert found.pairs == 12


def test_what_replications_have_in_common_cancels() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(10, 5, 20)
    found = paired(list(common), list(common + 0.1 + rng.normal(0, 0.01, 20)), 0.95)

    def width(low: float | None, high: float | None) -> float:
        assert low is not None
        assert high is not None
        return high - low

    assert width(*found.difference[1:]) < width(*found.a[1:]) / 100
    assert found.difference.ci_low is not None
    assert found.difference.ci_low > 0


def test_the_same_difference_everywhere_leaves_no_doubt() -> None:
    # Powers of two: the differences are the same to the bit.
    found = paired([1.0, 2.0, 4.0], [1.5, 2.5, 4.5], 0.95)
    assert found.difference == (0.5, 0.5, 0.5)
    assert found.p_value == 0


def test_nothing_differs() -> None:
    found = paired([1.0, 2.0], [1.0, 2.0], 0.95)
    assert (found.difference.value, found.p_value) == (0.0, 1.0)


def test_rounding_is_no_difference() -> None:
    assert differences([0.3, 1e9], [0.1 + 0.2, 1e9 * (1 + 3e-16)]) == [0.0, 0.0]
    assert differences([1.0], [1.0 + 1e-9]) != [0.0]


def test_pairs_without_a_value_do_not_count() -> None:
    found = paired([1.0, nan, 3.0], [2.0, 2.0, nan], 0.95)
    assert (found.difference.value, found.pairs, found.p_value) == (1.0, 1, None)
    assert paired([nan], [nan], 0.95).difference.value is None


def test_one_pair_says_nothing() -> None:
    assert p_value([1.0]) is None


def test_holm_is_holm() -> None:
    # Worked by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and never below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]


@given(st.lists(shares, min_size=1, max_size=12))
def test_holm_lies_between_the_plain_value_and_bonferroni(values: list[float]) -> None:
    found = holm(values)
    for plain, adjusted in zip(values, found, strict=True):
        assert adjusted is not None
        assert plain <= adjusted <= min(1.0, plain * len(values)) or adjusted <= 1.0
        assert adjusted >= plain
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(found, float)[order]) >= 0)


def test_false_alarms_stay_below_the_level() -> None:
    """Twenty metrics without any difference: one or more alarms in at most 5 % of comparisons."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(150):
        found = holm([p_value(list(row)) for row in rng.normal(0, 1, (20, 10))])
        alarms += any(p is not None and p < 0.05 for p in found)
    # Binomial(150, 0.05): 7.5 expected, 17 is beyond 3.5 standard deviations.
    assert alarms <= 17


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (93, 100, 0.8625, 0.9657), (10, 10, 0.7225, 1.0)],
)
def test_wilson_is_wilson(successes: int, trials: int, low: float, high: float) -> None:
    # SciPy's own: stats.binomtest(...).proportion_ci(method="wilson").
    found = wilson(successes, trials, 0.95)
    reference = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx((successes / trials, reference.low, reference.high))
    assert found[1:] == pytest.approx((low, high), abs=5e-5)


def test_no_trials_no_share() -> None:
    assert wilson(0, 0, 0.95).value is None
