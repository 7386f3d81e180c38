"""Bursty, scheduled and superposed arrivals: closed forms, exact means, the same draws however the stream is cut."""

from __future__ import annotations

import time
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
from eesim.errors import InputError
from eesim.workload.arrivals import Arrivals, ArrivalSampler, mean_rate

EMPTY = np.zeros(0, np.int64)
S = 10**9
MS = 10**6

TWO_STATES = {"calm": {"rate": "10 fps", "dwell": "2 s"}, "burst": {"rate": "90 fps", "dwell": "500 ms"}}
BURSTY = {"kind": "mmpp", "states": TWO_STATES}
RAMP = {"kind": "schedule", "points": [{"at": "0 s"}, {"at": "10 s", "rate": "100 fps"}], "period": "20 s"}
CAMERAS = {
    "kind": "superposed",
    "sources": [
        {"kind": "periodic", "rate": "30 fps"},
        {"kind": "periodic", "rate": "30 fps", "phase": "10 ms"},
        {"kind": "poisson", "rate": "2 fps"},
    ],
}


def model(**written: Any) -> Any:
    return TypeAdapter(Arrivals).validate_python(written)


def drawn(sizes: list[int], seed: int = 1, **written: Any) -> IntArray:
    source = ArrivalSampler(model(**written), np.random.default_rng(seed), EMPTY)
    return np.concatenate([EMPTY, *(source.draw(size) for size in sizes)])


# -- Markov-modulated ----------------------------------------------------------------------------------------


def test_mean_rate_and_dispersion_of_two_states_are_the_closed_forms() -> None:
    found = model(**BURSTY)
    assert float(found.mean_rate) == pytest.approx((10 * 2 + 90 * 0.5) / 2.5)
    # Two states with leaving rates a, b: 1 + 2 (l1 - l2)^2 a b / ((a + b)^2 (l1 b + l2 a)).
    a, b = 0.5, 2.0
    assert found.dispersion == pytest.approx(1 + 2 * 80**2 * a * b / ((a + b) ** 2 * (10 * b + 90 * a)))


def test_states_of_equal_rate_are_a_poisson_process() -> None:
    states = {name: {"rate": "20 fps", "dwell": "1 s"} for name in "abc"}
    assert model(kind="mmpp", states=states).dispersion == pytest.approx(1)
    gaps = np.diff(drawn([50_000], kind="mmpp", states=states)) / S * 20
    assert stats.kstest(gaps, "expon").pvalue > 1e-4


def test_counts_have_the_rate_and_the_dispersion() -> None:
    found, wide = drawn([65_536] * 12, **BURSTY), 50 * S
    counts = np.bincount(found // wide)[:-1]
    expected = model(**BURSTY)
    mean = float(expected.mean_rate) * 50
    n = len(counts)
    spread = np.sqrt(expected.dispersion * mean)
    assert n > 500
    assert abs(counts.mean() - mean) < 4 * spread / np.sqrt(n)
    # 50 s are 50 times the memory of the states; the variance's own error is about sqrt(2 / n).
    assert counts.var() / counts.mean() == pytest.approx(expected.dispersion, rel=5 * np.sqrt(2 / n) + 0.03)


def test_bursts_begin_in_equilibrium() -> None:
    # From the first second on, as many frames come as later.
    first = [int((drawn([400], seed, **BURSTY) < S).sum()) for seed in range(1500)]
    assert abs(np.mean(first) - 26) < 4 * np.std(first) / np.sqrt(len(first))


def test_a_silent_state_is_silent() -> None:
    states = {"on": {"rate": "1000 fps", "dwell": "1 s"}, "off": {"dwell": "3 s"}}
    found = model(kind="mmpp", states=states)
    assert float(found.mean_rate) == pytest.approx(250)
    gaps = np.diff(drawn([200_000], kind="mmpp", states=states))
    # Gaps of the on state are about 1 ms; those over 20 ms are off phases.
    off = gaps[gaps > 20 * MS]
    assert stats.kstest((off - off.min()) / (3 * S), "expon").pvalue > 1e-4


# -- on and off ----------------------------------------------------------------------------------------------


def test_fixed_phases_have_exactly_their_duty_cycle() -> None:
    written = {"kind": "on_off", "rate": "60 fps", "on": "2 s", "off": "3 s", "phases": "fixed"}
    found = drawn([700, 500], **written)
    assert model(**written).mean_rate == 24
    for cycle in range(10):
        mine = found[120 * cycle : 120 * (cycle + 1)] - 5 * S * cycle
        assert mine.tolist() == [round(Fraction(k * S, 60)) for k in range(120)]


def test_what_is_left_of_a_gap_is_waited_for_after_the_silence() -> None:
    found = drawn([6], kind="on_off", rate="10 fps", on="250 ms", off="1 s", phases="fixed")
    # 0, 100, 200 ms; 50 ms of the next gap are left when the source goes off at 250 ms.
    assert found.tolist() == [0, 100 * MS, 200 * MS, 1300 * MS, 1400 * MS, 2500 * MS]


@pytest.mark.parametrize("process", ["periodic", "poisson"])
def test_exponential_phases_have_the_duty_cycle_on_average(process: str) -> None:
    written = {"kind": "on_off", "rate": "50 fps", "on": "1 s", "off": "1 s", "process": process}
    found = drawn([65_536] * 4, **written)
    rate = len(found) * S / found[-1]
    # About 5,000 cycles: the share of time on varies by 0.5 / sqrt(2 x 5,000).
    assert rate == pytest.approx(float(model(**written).mean_rate), rel=4 / np.sqrt(10_000))
    near = np.diff(found)
    near = near[near < 20.5 * MS]
    if process == "periodic":
        assert near.min() >= 20 * MS - 1
    else:
        assert near.min() < MS


# -- schedules -----------------------------------------------------------------------------------------------


def test_a_ramp_up_and_down_has_the_mean_of_its_area() -> None:
    # From 0 to 100 fps in 10 s and back to 0 by the next period.
    assert model(**RAMP).mean_rate == 50
    found = drawn([10_000], process="periodic", **RAMP)
    # Frame k comes where k frames of area are behind it: t^2 x 5 = k on the way up.
    up = np.arange(500)
    np.testing.assert_allclose(found[:500], np.sqrt(up / 5) * S, atol=2)
    for cycle in range(10):
        assert ((found >= 20 * S * cycle) & (found < 20 * S * (cycle + 1))).sum() == 1000


def test_poisson_counts_follow_the_schedule() -> None:
    found = drawn([65_536] * 4, **RAMP) % (20 * S)
    counts = np.bincount(found // S, minlength=20)
    up = np.arange(10) * 10 + 5
    expected = np.concatenate([up, up[::-1]])
    assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-4


def test_without_a_period_the_last_rate_stays() -> None:
    points = [{"at": "1 s", "rate": "10 fps"}, {"at": "1 s", "rate": "100 fps"}]
    written = {"kind": "schedule", "points": points, "process": "periodic"}
    found = drawn([1010], **written)
    assert found[:11].tolist() == [k * 100 * MS for k in range(11)]
    assert np.diff(found[10:]).tolist() == [10 * MS] * 999
    assert model(**written).mean_rate == 100


def test_frames_that_never_come_are_an_error() -> None:
    points = [{"at": "0 s", "rate": "1 /h"}]
    with pytest.raises(InputError, match="longer than 9,000,000 s"):
        drawn([10_000], kind="schedule", points=points)


# -- superposition -------------------------------------------------------------------------------------------


def test_sources_are_merged_in_order_and_keep_their_names() -> None:
    source = ArrivalSampler(model(**CAMERAS), np.random.default_rng(1), EMPTY)
    found, owners = [], []
    for _ in range(5):
        found.append(source.draw(3000))
        owners.append(source.sources)
    instants, owner = np.concatenate(found), np.concatenate(owners)
    assert (np.diff(instants) >= 0).all()
    for number, phase in ((0, 0), (1, 10 * MS)):
        mine = instants[owner == number]
        assert mine.tolist() == [k * S // 30 + phase for k in range(len(mine))]
    gaps = np.diff(instants[owner == 2]) * 2 / S
    assert stats.kstest(gaps, "expon").pvalue > 1e-4
    assert float(mean_rate(model(**CAMERAS), EMPTY) or 0) == 62


def test_at_one_instant_the_first_source_goes_first() -> None:
    same = {"kind": "periodic", "period": "1 ms"}
    source = ArrivalSampler(model(kind="superposed", sources=[same, same, same]), np.random.default_rng(1), EMPTY)
    source.draw(1)
    assert source.sources.tolist() == [0]
    source.draw(8)
    assert source.sources.tolist() == [1, 2, 0, 1, 2, 0, 1, 2]


def test_one_source_alone_is_itself() -> None:
    one = {"kind": "periodic", "rate": "29.97 fps"}
    assert np.array_equal(drawn([5000], kind="superposed", sources=[one]), drawn([5000], **one))


# -- all of them ---------------------------------------------------------------------------------------------

ALL: list[dict[str, Any]] = [
    BURSTY,
    {"kind": "on_off", "rate": "60 fps", "on": "200 ms", "off": "300 ms"},
    {"kind": "on_off", "rate": "60 fps", "on": "200 ms", "off": "300 ms", "phases": "fixed", "process": "poisson"},
    RAMP,
    RAMP | {"process": "periodic"},
    CAMERAS,
]


@pytest.mark.parametrize("written", ALL, ids=lambda written: written["kind"])
@given(cuts=st.lists(st.integers(0, 3000), max_size=4), seed=st.integers(0, 2**32))
def test_arrivals_do_not_depend_on_how_the_stream_is_cut(written: dict[str, Any], cuts: list[int], seed: int) -> None:
    edges = [0, *sorted(cuts), 3000]
    parts = drawn([b - a for a, b in pairwise(edges)], seed, **written)
    assert np.array_equal(parts, drawn([3000], seed, **written))
    assert (np.diff(parts) >= 0).all()


@pytest.mark.parametrize("written", ALL, ids=lambda written: written["kind"])
def test_a_million_arrivals_take_well_below_a_second(written: dict[str, Any]) -> None:
    begin = time.process_time()
    drawn([65_536] * 16, **written)
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"kind": "mmpp", "states": {"a": {"dwell": "1 s"}, "b": {"dwell": "1 s"}}}, "at least one state needs a rate"),
        ({"kind": "mmpp", "states": {"a": {"rate": "1 fps", "dwell": "1 s"}}}, "at least 2"),
        ({"kind": "mmpp", "states": TWO_STATES | {"x": {"dwell": "0 s"}}}, "states.x.dwell: must be above 0"),
        (
            {"kind": "mmpp", "states": TWO_STATES | {"x": {"dwell": "1 s", "next": {"brust": 1}}}},
            "states.x.next.brust: there is no",
        ),
        ({"kind": "on_off", "rate": "1 fps", "on": "0 s", "off": "0 s"}, "on: must be above 0.*off: must be above 0"),
        ({"kind": "schedule", "points": [{"at": "0 s"}], "period": "1 s"}, "at least one point needs a rate"),
        (
            {"kind": "schedule", "points": [{"at": "0 s", "rate": "1 fps"}, {"at": "1 s"}]},
            "the last point needs a rate",
        ),
        ({"kind": "superposed", "sources": []}, "must not be empty"),
        ({"kind": "superposed", "sources": [{"kind": "closed_loop"}]}, "'closed_loop' is not one of"),
        ({"kind": "supperposed", "sources": []}, "is not one of.*superposed"),
    ],
)
def test_arrivals_that_make_no_sense(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=f"(?s){message}"):
        model(**written)
