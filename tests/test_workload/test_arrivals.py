"""Arrivals: exact instants, the right distributions, and the same draws however the stream is cut."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from eesim.base import IntArray
from eesim.workload.arrivals import NS_PER_S, Arrivals, ArrivalSampler
from tests.scenarios import MS

EMPTY = np.zeros(0, np.int64)


def model(**written: Any) -> Any:
    return TypeAdapter(Arrivals).validate_python(written)


def sampler(seed: int = 1, trace: IntArray = EMPTY, **written: Any) -> ArrivalSampler:
    return ArrivalSampler(model(**written), np.random.default_rng(seed), trace)


def drawn(sizes: list[int], seed: int = 1, **written: Any) -> IntArray:
    source = sampler(seed, **written)
    return np.concatenate([EMPTY, *(source.draw(size) for size in sizes)])


# -- periodic -----------------------------------------------------------------------------------------------


def test_thirty_hertz_do_not_drift_over_ten_million_frames() -> None:
    source, block = sampler(kind="periodic", rate="30 Hz"), 1_000_000
    for begin in range(0, 10 * block, block):
        found = source.draw(block)
        for k in (0, 1, 2, block - 1):
            # Frame k is due at k / 30 s, cut to whole nanoseconds.
            assert found[k] == (begin + k) * NS_PER_S // 30
        # A third of a nanosecond is left over in each period: steps differ by one.
        assert set(np.diff(found).tolist()) == {NS_PER_S // 30, NS_PER_S // 30 + 1}


@pytest.mark.parametrize("rate", ["29.97 Hz", "29.97002997 Hz", "29.97002997002997 Hz", "1 /h", "1000000 kHz"])
def test_any_rate_that_can_be_written_is_exact(rate: str) -> None:
    exact = model(kind="periodic", rate=rate).exact_rate
    found = drawn([70_000, 30_000], kind="periodic", rate=rate)
    wanted = [int(k * NS_PER_S / exact) for k in range(0, 100_000, 997)]
    assert found[::997].tolist() == wanted


def test_a_rate_with_very_many_digits_is_exact() -> None:
    rate = "29.97002997002997002997002997 Hz"
    found = drawn([1000], kind="periodic", rate=rate)
    assert found[999] == int(999 * NS_PER_S / Fraction(rate.split()[0]))


def test_period_and_rate_say_the_same() -> None:
    by_rate = drawn([1000], kind="periodic", rate="50 Hz")
    by_period = drawn([1000], kind="periodic", period="20 ms")
    assert by_rate.tolist() == by_period.tolist() == [k * 20 * MS for k in range(1000)]


def test_phase_shifts_every_frame() -> None:
    plain = drawn([100], kind="periodic", rate="30 Hz")
    assert (drawn([100], kind="periodic", rate="30 Hz", phase="5 ms") - plain == 5 * MS).all()


@pytest.mark.parametrize("jitter", ["2 ms", "200 ms"])
def test_jitter_delays_up_to_its_width_and_keeps_the_order(jitter: str) -> None:
    due = drawn([20_000], kind="periodic", rate="100 Hz")
    found = drawn([20_000], kind="periodic", rate="100 Hz", jitter=jitter)
    late = found - due
    assert (np.diff(found) >= 0).all()
    assert late.min() >= 0
    assert late.max() <= int(jitter.split()[0]) * MS


def test_jitter_below_the_period_is_uniform() -> None:
    due = drawn([20_000], kind="periodic", rate="100 Hz")
    late = drawn([20_000], kind="periodic", rate="100 Hz", jitter="2 ms") - due
    assert stats.kstest(late / (2 * MS), "uniform").pvalue > 1e-4


def test_jitter_includes_both_ends() -> None:
    late = drawn([1000], kind="periodic", period="1 us", jitter="2 ns") - 1000 * np.arange(1000)
    assert set(late.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"rate": "30 Hz", "period": "33 ms"}, "give either rate or period"),
        ({}, "give either rate or period"),
        ({"period": "0 ms"}, "must be above 0 ns"),
        ({"rate": "0 Hz"}, "must be above 0"),
        ({"rate": "-1 Hz"}, "negative"),
        ({"rate": 30}, "needs a unit"),
    ],
)
def test_periods_that_make_no_sense(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        model(kind="periodic", **written)


# -- Poisson, closed loop, trace ----------------------------------------------------------------------------


def test_poisson_gaps_are_exponential() -> None:
    n, mean = 200_000, NS_PER_S / 40
    gaps = np.diff(drawn([n + 1], kind="poisson", rate="40 Hz"))
    # The mean of n exponentials has the standard error mean / sqrt(n), their variance that of mean^2 sqrt(8 / n).
    assert abs(gaps.mean() - mean) < 4 * mean / np.sqrt(n)
    assert abs(gaps.var() - mean**2) < 4 * mean**2 * np.sqrt(8 / n)
    assert stats.kstest(gaps / mean, "expon").pvalue > 1e-4
    # Independent: neighbours are not correlated.
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / np.sqrt(n)


def test_poisson_counts_in_a_window_are_poisson() -> None:
    arrivals = drawn([100_000], kind="poisson", rate="40 Hz")
    windows = int(arrivals[-1] // NS_PER_S)
    counts = np.bincount(arrivals // NS_PER_S, minlength=windows)[:windows]
    # Mean and variance are both 40; the standard error of the variance of counts is about 40 sqrt(2 / windows).
    assert abs(counts.mean() - 40) < 4 * np.sqrt(40 / windows)
    assert abs(counts.var() - 40) < 4 * 40 * np.sqrt(2.1 / windows)


def test_a_closed_loop_offers_every_frame_at_once() -> None:
    assert drawn([3, 2], kind="closed_loop").tolist() == [0] * 5


def test_a_trace_is_replayed_as_it_is() -> None:
    source = sampler(trace=np.array([0, 3, 3, 9], np.int64), kind="trace", path="a.csv")
    assert [source.draw(2).tolist(), source.draw(2).tolist()] == [[0, 3], [3, 9]]


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "periodic", "rate": "30 Hz", "jitter": "90 ms"},
        {"kind": "periodic", "rate": "29.97 Hz"},
        {"kind": "poisson", "rate": "30 Hz"},
    ],
)
@given(cuts=st.lists(st.integers(0, 400), max_size=4), seed=st.integers(0, 2**32))
def test_arrivals_do_not_depend_on_how_the_stream_is_cut(written: dict[str, Any], cuts: list[int], seed: int) -> None:
    edges = [0, *sorted(cuts), 400]
    parts = drawn([b - a for a, b in pairwise(edges)], seed, **written)
    assert np.array_equal(parts, drawn([400], seed, **written))
    assert (np.diff(parts) >= 0).all()
