"""Quantiles: exact while values are kept, within 0.05 % once they are counted."""

from __future__ import annotations

from fractions import Fraction
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eesim.base import IntArray
from eesim.metrics.histogram import EXACT_LIMIT, RELATIVE_ERROR, Histogram
from tests.plans import ints

SHARES = (0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


LIMIT = 100
"""Values that are kept as they are, in these tests."""


def filled(values: IntArray, cuts: list[int] | None = None, limit: int = LIMIT) -> Histogram:
    found = Histogram(limit)
    for part in np.split(values, cuts or []):
        found.add(part)
    return found


def exact(values: IntArray, share: float) -> float:
    """Smallest value that at least this share of the values do not exceed."""
    return float(np.quantile(values, share, method="inverted_cdf"))


def test_error_and_limit_are_the_documented_ones() -> None:
    assert RELATIVE_ERROR <= 0.0005
    assert EXACT_LIMIT == 2**20
    assert filled(np.zeros(EXACT_LIMIT, np.int64), limit=EXACT_LIMIT).is_exact


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=100))
def test_quantiles_are_exact_below_the_limit(values: list[int]) -> None:
    found = filled(ints(values))
    assert found.is_exact
    for share in SHARES:
        at_least = sorted(values)[max(int(np.ceil(share * len(values) - 1e-9)), 1) - 1]
        assert found.quantile(share) == float(at_least)


def test_quantiles_are_those_of_the_empirical_distribution() -> None:
    values = np.random.default_rng(1).integers(0, 10**9, 777)
    found = filled(values, limit=777)
    assert [found.quantile(share) for share in SHARES] == [exact(values, share) for share in SHARES]


@pytest.mark.parametrize("share", ["0.07", "0.28", "0.55", "0.9", "0.95", "0.99"])
def test_ranks_are_those_of_decimal_shares(share: str) -> None:
    # In binary, 0.07 x 100 is 7.000000000000001: the rank is 7 all the same.
    assert filled(ints(range(1, 101))).quantile(float(share)) == Fraction(share) * 100


@pytest.mark.parametrize("size", [100, 101])
def test_the_limit_is_the_last_size_that_is_kept(size: int) -> None:
    assert filled(ints(range(size))).is_exact == (size <= LIMIT)


@pytest.mark.parametrize("top", [2**11, 2**31, 2**53, 2**62])
def test_quantiles_are_within_the_error_above_the_limit(top: int) -> None:
    values = np.random.default_rng(1).integers(0, top, 5000)
    found = filled(values)
    assert not found.is_exact
    for share in SHARES:
        assert found.quantile(share) == pytest.approx(exact(values, share), rel=RELATIVE_ERROR)


def test_small_values_have_bins_of_their_own() -> None:
    values = np.random.default_rng(1).integers(0, 2048, 5000)
    found = filled(values)
    assert [found.quantile(share) for share in SHARES] == [exact(values, share) for share in SHARES]


@given(st.integers(0, 2**62))
def test_any_value_is_found_again_within_the_error(value: int) -> None:
    # The smallest and largest values do not help: they are elsewhere.
    found = filled(ints([0, value, value, value, 2**62]), limit=2)
    assert not found.is_exact
    assert found.quantile(0.5) == pytest.approx(value, rel=RELATIVE_ERROR)


def test_a_quantile_is_never_outside_of_the_values() -> None:
    found = filled(np.full(1000, 123_456_789))
    assert {found.quantile(share) for share in SHARES} == {123_456_789.0}


@given(st.lists(st.integers(0, 10**12), max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_the_cutting_into_chunks_does_not_matter(values: list[int], cuts: list[int]) -> None:
    whole, parts = filled(ints(values), limit=30), filled(ints(values), sorted(cuts), limit=30)
    assert whole.is_exact == parts.is_exact == (len(values) <= 30)
    for name in ("n", "total", "smallest", "largest"):
        assert getattr(whole, name) == getattr(parts, name)
    if values:
        assert [whole.quantile(share) for share in SHARES] == [parts.quantile(share) for share in SHARES]


def test_quantiles_may_be_asked_for_in_between() -> None:
    found = filled(ints([5, 1, 3]))
    assert found.quantile(0.5) == 3
    found.add(ints([0, 0, 0]))
    assert found.quantile(0.5) == 0


def test_sum_and_extremes_stay_exact() -> None:
    values = ints([2**61 + 1, 1, 2**60 + 7] + [3] * 200)
    found = filled(values)
    assert (found.n, found.total) == (203, sum(values.tolist()))
    assert (found.smallest, found.largest) == (1, 2**61 + 1)
    assert found.mean == sum(values.tolist()) / 203


def test_nothing_has_no_quantiles() -> None:
    found = filled(ints([]))
    assert isnan(found.quantile(0.5))
    assert isnan(found.mean)
    assert (found.n, found.total) == (0, 0)
