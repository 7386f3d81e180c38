"""Warm-up removal and intervals against definitions, closed forms and their own promises."""

from __future__ import annotations

from math import nan, pi, sqrt, tan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eesim
from eesim.base import FloatArray
from eesim.metrics.replication import Replication
from eesim.metrics.result import combine
from eesim.metrics.statistics import MIN_FOR_WARMUP, Estimate, mser5, t_interval, worst_of
from eesim.scenario.load import Scenario
from tests.scenarios import board_data, network_data, scenario_of


def mser5_as_defined(values: FloatArray) -> int:
    """White, Cobb and Spratt's rule, word by word."""
    means = [float(np.mean(values[i : i + 5])) for i in range(0, len(values) - len(values) % 5, 5)]
    errors = []
    for d in range(len(means) // 2 + 1):
        rest = means[d:]
        mean = sum(rest) / len(rest)
        errors.append(sum((x - mean) ** 2 for x in rest) / len(rest) ** 2)
    return 5 * errors.index(min(errors))


# -- warm-up ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("transient", "cut"), [(0, 0), (100, 100), (103, 105), (399, 400)])
def test_a_step_is_cut_where_it_ends(transient: int, cut: int) -> None:
    values = np.full(1000, 7.0)
    values[:transient] = 50
    assert mser5(values) == cut


def test_a_step_in_noise_is_cut_close_to_where_it_ends() -> None:
    values = np.random.default_rng(1).normal(10, 1, 2000)
    values[:300] += 20
    assert 300 <= mser5(values) <= 330


def test_an_exponential_transient_is_cut_when_it_has_died_away() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 5000)
    found = mser5(noise + 50 * np.exp(-np.arange(5000) / 100))
    # The transient has the size of the noise's standard error over the run between 4 and 8 time constants.
    assert 350 <= found <= 900


def test_white_noise_is_left_as_it_is() -> None:
    rng = np.random.default_rng(1)
    cuts = [mser5(rng.normal(0, 1, 2000)) for _ in range(200)]
    # The rule may cut a few batches that are off by chance, never much of the run.
    assert np.median(cuts) <= 0.02 * 2000
    assert np.mean(cuts) <= 0.1 * 2000


def test_a_run_that_never_settles_is_cut_in_the_middle() -> None:
    # What is left of a ramp of m values has the squared standard error m / 12: the shorter, the better.
    assert mser5(np.arange(1000.0)) == 500


def test_short_runs_and_constant_runs_keep_everything() -> None:
    values = np.r_[np.full(20, 100.0), np.zeros(MIN_FOR_WARMUP - 21)]
    assert mser5(values) == 0
    assert mser5(np.r_[values, 0.0]) == 20
    assert mser5(np.zeros(1000)) == mser5(np.zeros(0)) == 0


@given(hnp.arrays(np.float64, st.integers(50, 120), elements=st.integers(0, 20).map(float)))
def test_the_rule_is_the_published_one(values: FloatArray) -> None:
    found, defined = mser5(values), mser5_as_defined(values)
    if found != defined:
        # Two cuts that are equally good but for rounding.
        def error(cut: int) -> float:
            rest = values[cut : len(values) - len(values) % 5].reshape(-1, 5).mean(axis=1)
            return float(((rest - rest.mean()) ** 2).sum() / len(rest) ** 2)

        assert error(found) == pytest.approx(error(defined), rel=1e-9, abs=1e-12)


@given(hnp.arrays(np.int64, st.integers(50, 120), elements=st.integers(0, 1000)))
def test_an_offset_does_not_matter(values: np.ndarray) -> None:  # type: ignore[type-arg]
    # Latencies are large integers whose differences are small.
    assert mser5(values) == mser5(values + 10**12)


# -- intervals ----------------------------------------------------------------------------------------------


def test_the_interval_of_two_samples_has_a_closed_form() -> None:
    # Student's t with one degree of freedom is Cauchy: its quantile is tan(pi (p - 1/2)).
    # Mean 2, standard deviation sqrt(2), standard error 1.
    half = tan(pi * (0.975 - 0.5))
    found = t_interval([1.0, 3.0], 0.95)
    assert found == pytest.approx((2, 2 - half, 2 + half))


def test_the_interval_of_three_samples_has_a_closed_form() -> None:
    # Two degrees of freedom: t = (2 p - 1) sqrt(2 / (4 p (1 - p))); mean 2, standard error 1 / sqrt(3).
    p = 0.95
    half = (2 * p - 1) * sqrt(2 / (4 * p * (1 - p))) / sqrt(3)
    found = t_interval([1.0, 2.0, 3.0], 0.9)
    assert found == pytest.approx((2, 2 - half, 2 + half))


def test_a_higher_confidence_gives_a_wider_interval() -> None:
    widths = []
    for confidence in (0.8, 0.9, 0.99):
        found = t_interval([1.0, 2.0, 4.0], confidence)
        assert found.ci_low is not None
        assert found.ci_high is not None
        widths.append(found.ci_high - found.ci_low)
    assert widths == sorted(set(widths))


def test_what_cannot_be_estimated_has_no_interval() -> None:
    assert t_interval([], 0.95) == t_interval([nan, nan], 0.95) == Estimate(None)
    assert t_interval([5.0], 0.95) == t_interval([nan, 5.0], 0.95) == Estimate(5.0)
    assert t_interval([0.1, 0.1, 0.1], 0.95) == Estimate(0.1, 0.1, 0.1)


def test_t_intervals_cover_as_often_as_they_promise() -> None:
    rng, hits, n = np.random.default_rng(1), 0, 2000
    for _ in range(n):
        found = t_interval(rng.normal(3, 2, 5).tolist(), 0.9)
        assert found.ci_low is not None
        assert found.ci_high is not None
        hits += found.ci_low <= 3 <= found.ci_high
    # Binomial with p = 0.9: four standard errors.
    assert abs(hits / n - 0.9) < 4 * sqrt(0.9 * 0.1 / n)


def test_the_worst_of_several_runs() -> None:
    assert worst_of([3.0, 9.0, 5.0]) == Estimate(9.0, 3.0, 9.0)
    assert worst_of([4.0, nan]) == Estimate(4.0)
    assert worst_of([nan]) == Estimate(None)


# -- metrics over replications ------------------------------------------------------------------------------


def replication(**values: float) -> Replication:
    """A replication with these metrics and nothing else."""
    return eesim.run(queue(10, 1)).replications[0]._replace(values=values)


def test_replications_are_averaged_and_maxima_are_not() -> None:
    found = combine(
        [replication(**{"a": 1.0, "latency_ms.max": 5.0}), replication(**{"a": 3.0, "latency_ms.max": 7.0})], 0.95
    )
    assert found["a"] == t_interval([1.0, 3.0], 0.95)
    assert found["latency_ms.max"] == Estimate(7.0, 5.0, 7.0)


def test_a_single_replication_keeps_its_value_and_gets_the_interval_of_its_batches() -> None:
    found = combine([replication(a=5.0, b=1.0, c=nan)], 0.95, {"a": np.array([1.0, 3.0, nan])})
    half = tan(pi * (0.975 - 0.5))
    assert found["a"] == pytest.approx((5, 5 - half, 5 + half))
    # b has no batches, c no value.
    assert found["b"] == Estimate(1.0)
    assert found["c"] == Estimate(None)


# -- coverage of a queue whose mean is known ----------------------------------------------------------------


def queue(frames: int, replications: int) -> Scenario:
    """M/M/1: 2 ms of service on average, a frame every 4 ms: a mean stay of 1 / (1/2 - 1/4) = 4 ms."""
    board = board_data("B")
    stream = {
        "arrivals": {"kind": "poisson", "rate": "250 Hz"},
        "exits": {"kind": "fixed", "exit": 1},
        "noise": {"kind": "exponential"},
    }
    run = {"frames": frames, "replications": replications, "warmup": "auto"}
    return scenario_of(
        board, network_data({"name": "all", "exit": "final"}), {"all": {"B": "2 ms"}}, "B", stream=stream, run=run
    )


@pytest.mark.parametrize(("frames", "replications"), [(20_000, 1), (4000, 5)])
def test_intervals_of_a_simulated_queue_cover_its_mean(frames: int, replications: int) -> None:
    scenario, runs, hits = queue(frames, replications), 60, 0
    for seed in range(runs):
        found = eesim.run(scenario, seed=seed).estimates["latency_ms.mean"]
        assert found.value == pytest.approx(4, rel=0.3)
        assert found.ci_low is not None
        assert found.ci_high is not None
        hits += found.ci_low <= 4 <= found.ci_high
    # At 95 %, fewer than 49 of 60 has a probability below 10^-4; all 60 would not be suspicious.
    assert hits >= 49
