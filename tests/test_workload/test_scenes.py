"""Regimes that switch and schedules of shares: stationary from the first frame, exact in the long run."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from eesim.base import IntArray
from eesim.workload.exits import ExitSampler
from eesim.workload.scenes import RegimeExits, RegimeSampler, ScheduledExits
from eesim.workload.switching import SwitchingPath, dwell_law, switching

EMPTY = np.zeros(0, np.int64)
DAY, NIGHT = {"shares": [0.9, 0.1], "dwell": 300}, {"shares": [0.4, 0.6], "dwell": 100}
S = 10**9


def regimes(**named: Any) -> RegimeExits:
    return RegimeExits.model_validate({"kind": "regimes", "regimes": named or {"day": DAY, "night": NIGHT}})


def scheduled(points: list[dict[str, Any]], **more: Any) -> ScheduledExits:
    return ScheduledExits.model_validate({"kind": "schedule", "points": points} | more)


def drawn(model: Any, sizes: list[int], gap_ns: int = S // 100, seed: int = 1) -> IntArray:
    source, begin, parts = ExitSampler(model, np.random.default_rng(seed), EMPTY), 0, [EMPTY]
    for size in sizes:
        parts.append(source.draw(size, (begin + np.arange(size)) * gap_ns))
        begin += size
    return np.concatenate(parts)


# -- switching -----------------------------------------------------------------------------------------------


def test_shares_of_regimes_are_those_of_the_visits_times_their_dwell() -> None:
    process = switching([10.0, 20.0, 5.0], [{"b": 1}, {"a": 0.5, "c": 0.5}, {"a": 1}], "abc")
    # Visits: b follows every a, c follows half of the b: 1 : 1 : 1/2.
    np.testing.assert_allclose(process.shares, np.array([10, 20, 2.5]) / 32.5)


@pytest.mark.parametrize("dwell", [7.0, (7.0,), (2.0, 12.0), 1.0])
def test_dwells_have_their_mean_and_paths_begin_in_equilibrium(dwell: Any) -> None:
    law = dwell_law(dwell)
    rng = np.random.default_rng(5)
    lengths = law.draw(rng.random(100_000))
    assert lengths.min() >= 1
    assert abs(lengths.mean() - law.mean) < 0.1
    process = switching([dwell, 3.0], [None, None], ["a", "b"])
    # Many paths, looked at early and late: the share of the first regime is the same.
    for position in (0, 1, 5, 40):
        at = np.array([position])
        seen = [int(SwitchingPath(process, np.random.default_rng(s)).at(at)[0]) for s in range(1500)]
        expected = process.shares[0]
        assert abs(np.mean(np.array(seen) == 0) - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 1500)


def test_geometric_dwells_are_geometric() -> None:
    lengths = dwell_law(4.0).draw(np.random.default_rng(2).random(50_000))
    counts = np.bincount(np.minimum(lengths, 15), minlength=16)[1:]
    expected = stats.geom(0.25).pmf(np.arange(1, 16))
    expected[-1] = 1 - expected[:-1].sum()
    assert stats.chisquare(counts, expected * len(lengths)).pvalue > 1e-4


def test_exponential_dwells_in_time_are_exponential() -> None:
    lengths = dwell_law(2 * S).draw(np.random.default_rng(2).random(50_000))
    assert stats.kstest(lengths / (2 * S), "expon").pvalue > 1e-4


def test_what_is_left_of_a_given_dwell_is_length_biased() -> None:
    law = dwell_law((1.0, 9.0))
    rng = np.random.default_rng(3)
    left = np.array([law.remaining(rng.random(2)) for _ in range(20_000)])
    # One time in ten the short dwell is met, else each of the nine frames of the long one is as likely.
    expected = np.array([0.1 + 0.1, *[0.1] * 8])
    assert stats.chisquare(np.bincount(left, minlength=10)[1:], expected * len(left)).pvalue > 1e-4


# -- regimes -------------------------------------------------------------------------------------------------


def test_exits_have_the_shares_of_the_regimes_in_the_long_run() -> None:
    model = regimes()
    np.testing.assert_allclose(model.shares, [0.775, 0.225])
    found = np.bincount(drawn(model, [65_536] * 16)) / (65_536 * 16)
    # Regimes make the error larger than that of independent draws: about 2 x 75 frames are alike.
    np.testing.assert_allclose(found, model.shares, atol=4 * np.sqrt(0.19 * 0.06 * 150 / 1e6) + 0.002)


def test_autocorrelation_is_that_of_the_hidden_chain() -> None:
    found = drawn(regimes(), [1_000_000])
    spread, total = 0.75 * 0.25 * 0.5**2, 0.775 * 0.225
    for lag in (1, 20, 75):
        expected = spread / total * (1 - 1 / 300 - 1 / 100) ** lag
        assert abs(np.corrcoef(found[lag:], found[:-lag])[0, 1] - expected) < 0.02


def test_dwells_in_time_follow_the_clock_not_the_frames() -> None:
    model = regimes(day=DAY | {"dwell": ["2 s"]}, night=NIGHT | {"dwell": ["1 s"], "shares": [0, 1]})
    assert not model.in_frames
    for gap in (S // 100, S // 7):
        found = drawn(model, [60_000], gap)
        night = found == 1
        assert abs(night.mean() - (1 / 3 + 2 / 3 * 0.1)) < 0.02
    sampler = RegimeSampler(model, np.random.default_rng(1))
    regime = sampler._path.at(np.arange(30_000) * (S // 100))
    runs = np.diff(np.flatnonzero(np.append(regime[1:] != regime[:-1], True)))
    assert set(runs[:-1].tolist()) <= {99, 100, 101, 199, 200, 201}


@given(cuts=st.lists(st.integers(0, 3000), max_size=4), seed=st.integers(0, 2**32), timed=st.booleans())
def test_regimes_do_not_depend_on_how_the_stream_is_cut(cuts: list[int], seed: int, timed: bool) -> None:
    unit: dict[str, Any] = {"dwell": "40 ms"} if timed else {"dwell": 3}
    model = regimes(day=DAY | unit, night=NIGHT | unit)
    edges = [0, *sorted(cuts), 3000]
    parts = drawn(model, [b - a for a, b in pairwise(edges)], seed=seed)
    assert np.array_equal(parts, drawn(model, [3000], seed=seed))


def test_a_million_frames_of_short_scenes_take_well_below_a_second() -> None:
    model = regimes(day=DAY | {"dwell": 2}, night=NIGHT | {"dwell": 2})
    begin = time.process_time()
    drawn(model, [65_536] * 16)
    assert time.process_time() - begin < 1.5


# -- schedules -----------------------------------------------------------------------------------------------


def shares_at(model: ScheduledExits, seconds: float) -> float:
    """Share of the first exit at an instant."""
    return float(model.edges_at(np.array([round(seconds * S)]))[0, 0])


def test_shares_are_linear_between_points_and_stay_after_the_last() -> None:
    model = scheduled([{"at": "10 s", "shares": [0.8, 0.2]}, {"at": "20 s", "shares": [0.4, 0.6]}])
    for seconds, expected in ((0, 0.8), (10, 0.8), (12.5, 0.7), (20, 0.4), (1000, 0.4)):
        assert shares_at(model, seconds) == pytest.approx(expected)


def test_a_period_closes_the_line() -> None:
    points = [{"at": "2 s", "shares": [0.8, 0.2]}, {"at": "6 s", "shares": [0.4, 0.6]}]
    model = scheduled(points, period="8 s")
    # From 6 s (0.4) the line goes to 10 s = 2 s of the next period (0.8): 0.6 at the seam.
    for seconds, expected in ((0, 0.6), (1, 0.7), (2, 0.8), (4, 0.6), (7, 0.5), (8, 0.6), (25, 0.7)):
        assert shares_at(model, seconds) == pytest.approx(expected)


def test_two_points_at_one_instant_are_a_step() -> None:
    points = [
        {"at": "0 s", "shares": [0.8, 0.2]},
        {"at": "5 s", "shares": [0.8, 0.2]},
        {"at": "5 s", "shares": [0.1, 0.9]},
        {"at": "9 s", "shares": [0.1, 0.9]},
    ]
    for model in (scheduled(points), scheduled(points, period="9 s")):
        assert [shares_at(model, t) for t in (0, 4.999999, 5, 8)] == pytest.approx([0.8, 0.8, 0.1, 0.1])
    assert shares_at(scheduled(points, period="9 s"), 9) == pytest.approx(0.8)


def test_exits_follow_the_schedule() -> None:
    model = scheduled([{"at": "0 s", "shares": [1, 0]}, {"at": "100 s", "shares": [0, 1]}])
    found = drawn(model, [100_000], gap_ns=S // 1000)
    for part, section in enumerate(found.reshape(10, -1)):
        assert abs(section.mean() - (part + 0.5) / 10) < 4.5 * np.sqrt(0.25 / len(section))


def test_a_share_of_zero_is_never_drawn() -> None:
    model = scheduled([{"at": "0 s", "shares": [0.33333333, 0.66666666, 0]}])
    assert set(drawn(model, [50_000]).tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"regimes": {"day": DAY}}, "at least 2"),
        ({"regimes": {"day": DAY, "night": NIGHT | {"shares": [0.5, 0.4]}}}, "night.shares: must add up to 1, not 0.9"),
        ({"regimes": {"day": DAY, "night": NIGHT | {"dwell": "3 s"}}}, "night.dwell: is in another unit"),
        (
            {"regimes": {"day": DAY, "night": NIGHT | {"dwell": [3, "3 s"]}}},
            "dwell.1: is in another unit than the first",
        ),
        ({"regimes": {"day": DAY, "night": NIGHT | {"dwell": [3.5]}}}, "must be a whole number of frames, not 3.5"),
        ({"regimes": {"day": DAY, "night": NIGHT | {"dwell": "0 s"}}}, "must be above 0"),
        ({"regimes": {"day": DAY, "night": NIGHT | {"dwell": 0.5}}}, "must be at least 1"),
        ({"regimes": {"day": DAY | {"next": {"nigth": 1}}, "night": NIGHT}}, "there is no.*nigth"),
        ({"regimes": {"day": DAY | {"next": {"day": 1}}, "night": NIGHT}}, "cannot follow itself"),
        ({"regimes": {"day": DAY | {"next": {"night": 0.5}}, "night": NIGHT}}, "day.next: must add up to 1, not 0.5"),
        (
            {"regimes": {"a": DAY, "b": NIGHT | {"next": {"c": 1}}, "c": DAY | {"next": {"b": 1}}}},
            "b: is never followed by a",
        ),
    ],
)
def test_regimes_that_make_no_sense(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RegimeExits.model_validate({"kind": "regimes"} | written)


@pytest.mark.parametrize(
    ("points", "more", "message"),
    [
        ([], {}, "must not be empty"),
        ([{"at": "2 s", "shares": [1]}, {"at": "1 s", "shares": [1]}], {}, "points.1.at: is earlier than the point"),
        ([{"at": "2 s", "shares": [1]}], {"period": "1 s"}, "period: must be above 0, and no point"),
        ([{"at": "0 s", "shares": [1]}], {"period": "0 s"}, "period: must be above 0"),
        ([{"at": "0 s", "shares": [0.5]}], {}, "points.0.shares: must add up to 1"),
        ([{"at": "0 s", "shares": [1]}, {"at": "0 s", "shares": [1, 0]}], {}, "has 2 entries, but the first point 1"),
    ],
)
def test_schedules_that_make_no_sense(points: list[dict[str, Any]], more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        scheduled(points, **more)
