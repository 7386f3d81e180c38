"""Counted exits of correlated difficulty: marginals exact, autocorrelation as asked for."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import signal, stats

from eesim.base import IntArray
from eesim.fitting.normal import exit_autocorrelation
from eesim.workload.correlated import CorrelatedDeck, CorrelatedExits, ar1
from tests.scenarios import COUNTS

EMPTY = np.zeros(0, np.int64)
SHARES = np.array(COUNTS) / sum(COUNTS)


def dealt(counts: tuple[int, ...], lag_1: float, sizes: list[int], seed: int = 1) -> IntArray:
    deck = CorrelatedDeck(counts, lag_1, np.random.default_rng(seed))
    return np.concatenate([EMPTY, *(deck.draw(size) for size in sizes)])


def lagged(x: IntArray, lag: int = 1) -> float:
    return float(np.corrcoef(x[lag:], x[:-lag])[0, 1])


# -- marginals -----------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5).filter(any),
    st.floats(-0.999, 0.999999),
    st.lists(st.integers(0, 200), max_size=4),
    st.integers(0, 2**32),
)
def test_every_pass_has_exactly_the_counts_however_the_stream_is_cut(
    counts: list[int], lag_1: float, cuts: list[int], seed: int
) -> None:
    size = 3 * sum(counts)
    edges = [0, *sorted(min(cut, size) for cut in cuts), size]
    found = dealt(tuple(counts), lag_1, [b - a for a, b in pairwise(edges)], seed)
    assert np.array_equal(found, dealt(tuple(counts), lag_1, [size], seed))
    for one in found.reshape(3, -1):
        assert np.bincount(one, minlength=len(counts)).tolist() == counts


def test_a_pass_longer_than_a_block_is_exact() -> None:
    counts = (100_000, 50_000)
    assert np.bincount(dealt(counts, 0.95, [65_536, 65_536, 150_000 - 2 * 65_536])).tolist() == list(counts)


def test_without_correlation_it_is_a_shuffled_deck() -> None:
    passes = dealt(COUNTS, 0.0, [40_000]).reshape(4, -1)
    n = passes.shape[1]
    for one in passes:
        assert abs(lagged(one)) < 4 / math.sqrt(n)
        hard = np.flatnonzero(one == 3) / n
        assert stats.kstest(hard, "uniform").pvalue > 1e-4


# -- correlation ---------------------------------------------------------------------------------------------


def test_the_latent_process_is_the_autoregression_of_the_books() -> None:
    noise = np.random.default_rng(1).standard_normal(200_000)
    found = ar1(0.3, 0.9, noise)
    scale = math.sqrt(1 - 0.81)
    by_filter, _ = signal.lfilter([scale], [1, -0.9], noise, zi=np.array([0.9 * 0.3]))
    np.testing.assert_allclose(found, by_filter, atol=1e-12)
    assert abs(found.std() - 1) < 0.02
    # The same numbers, to the bit, in pieces of any size.
    parts = [ar1(0.3, 0.9, noise[:70_000])]
    parts.append(ar1(float(parts[0][-1]), 0.9, noise[70_000:]))
    assert np.array_equal(np.concatenate(parts), found)


@pytest.mark.parametrize("lag_1", [-0.5, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("lag", [1, 2, 5])
def test_exits_are_as_correlated_as_two_normal_numbers_make_them(lag_1: float, lag: int) -> None:
    found = dealt(COUNTS, lag_1, [400_000])
    expected = exit_autocorrelation(SHARES, lag_1, lag)
    # Effective sample size of an autocorrelation estimate: n (1 - r^2) / (1 + r^2), as Bartlett's formula for an AR(1).
    error = math.sqrt((1 + lag_1**2) / (1 - lag_1**2) / len(found))
    assert abs(lagged(found, lag) - expected) < 5 * error + 1e-3


def test_autocorrelation_grows_with_the_parameter() -> None:
    found = [lagged(dealt(COUNTS, r, [100_000])) for r in (-0.8, 0.0, 0.3, 0.6, 0.9, 0.99)]
    assert all(a < b - 0.01 for a, b in pairwise(found))


def test_correlation_goes_on_across_the_seam_of_two_passes() -> None:
    # Passes of 50 frames, half of them hard: pairs across a seam against pairs within passes.
    passes = dealt((25, 25), 0.9, [50 * 20_000]).reshape(20_000, 50)
    across = np.corrcoef(passes[:-1, -1], passes[1:, 0])[0, 1]
    within = np.corrcoef(passes[:, 24], passes[:, 25])[0, 1]
    # Cutting each pass at its own median costs some correlation; without the link it would be 0.
    assert across > 0.4
    assert abs(across - within) < 0.2


def test_the_three_ways_to_say_it_are_one() -> None:
    written = {"kind": "correlated", "counts": [3, 1]}
    by_frames = CorrelatedExits.model_validate(written | {"correlation_frames": 10})
    by_time = CorrelatedExits.model_validate(written | {"correlation_time": "500 ms"})
    direct = CorrelatedExits.model_validate(written | {"autocorrelation": 0.25})
    assert by_frames.lag_1(None) == math.exp(-0.1)
    assert by_time.lag_1(Fraction(20)) == math.exp(-0.1)
    assert by_time.lag_1(Fraction(40)) == math.exp(-0.05)
    assert direct.lag_1(None) == 0.25


def test_a_million_frames_take_well_below_a_second() -> None:
    begin = time.process_time()
    dealt(COUNTS, 0.9, [65_536] * 16)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"counts": [1, 2]}, "give one of autocorrelation, correlation_frames, correlation_time"),
        ({"counts": [1], "autocorrelation": 0.5, "correlation_frames": 2}, "give one of"),
        ({"counts": [1], "autocorrelation": 1}, "must be below 1"),
        ({"counts": [1], "correlation_time": "0 s"}, "must be above 0"),
        ({"counts": [0, 0], "autocorrelation": 0.5}, "must not all be 0"),
        ({"counts": [1], "autocorelation": 0.5}, "unknown key"),
    ],
)
def test_what_makes_no_sense(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CorrelatedExits.model_validate({"kind": "correlated"} | written)
