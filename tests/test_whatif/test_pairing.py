"""What streams have in common, against what is really drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.scenario.load import Scenario
from eesim.whatif.pairing import Pairing, StreamPairing, pairing
from tests.scenarios import camera, cameras, digits

NOISE = {"stream.noise": {"kind": "lognormal", "cv": 0.1}}


def drawn(scenario: Scenario) -> Any:
    return next(scenario.stream.blocks(300, seed=5, replication=3))


CASES = [
    ({}, {}, Pairing(True, "same", "same", "none")),
    ({}, {"board.pes.G.host": "L", "mapping.segments": "GGGGGGG"}, Pairing(True, "same", "same", "none")),
    ({}, {"run.frames": 300}, Pairing(False, "same", "same", "none")),
    ({}, {"stream.arrivals.rate": "60 Hz"}, Pairing(True, "same random numbers", "same", "none")),
    ({}, {"stream.arrivals.jitter": "1 ms"}, Pairing(True, "different", "same", "none")),
    ({}, {"stream.exits.counts.3": 470}, Pairing(True, "same", "different", "none")),
    ({}, {"stream.exits.counts": [7222, 2015, 294, 469]}, Pairing(True, "same", "same random numbers", "none")),
    (NOISE, NOISE, Pairing(True, "same", "same", "same")),
    (NOISE, {"stream.noise": {"kind": "lognormal", "cv": 0.2}}, Pairing(True, "same", "same", "same random numbers")),
    (NOISE, {"stream.noise": {"kind": "exponential"}}, Pairing(True, "same", "same", "different")),
    ({}, NOISE, Pairing(True, "same", "same", "different")),
]


@pytest.mark.parametrize(("first", "second", "expected"), CASES)
def test_what_is_common(first: dict[str, Any], second: dict[str, Any], expected: Pairing) -> None:
    a, b = camera(first), camera(second)
    found = pairing(a, b)
    assert found == expected
    x, y = drawn(a), drawn(b)
    assert np.array_equal(x.arrival_ns, y.arrival_ns) == (found.arrivals == "same")
    assert np.array_equal(x.exit, y.exit) == (found.exits == "same")
    if found.noise in ("same", "none"):
        assert np.array_equal(x.noise_ppm, y.noise_ppm)


def test_poisson_gaps_of_another_rate_are_the_same_numbers_on_another_scale() -> None:
    a = camera({"stream.arrivals": {"kind": "poisson", "rate": "30 Hz"}})
    b = camera({"stream.arrivals": {"kind": "poisson", "rate": "60 Hz"}})
    assert pairing(a, b).arrivals == "same random numbers"
    assert drawn(a).arrival_ns == pytest.approx(2 * drawn(b).arrival_ns, abs=600)


def test_shares_move_single_frames() -> None:
    a = camera({"stream.exits": {"kind": "shares", "shares": [0.8, 0.1, 0.05, 0.05]}})
    b = camera({"stream.exits": {"kind": "shares", "shares": [0.7, 0.2, 0.05, 0.05]}})
    assert pairing(a, b).exits == "same random numbers"
    # Only frames between the two edges leave elsewhere.
    assert np.mean(drawn(a).exit != drawn(b).exit) == pytest.approx(0.1, abs=0.06)


@pytest.mark.parametrize(
    ("exits", "same"), [({"kind": "fixed", "exit": 2}, "same"), ({"kind": "fixed", "exit": 3}, "different")]
)
def test_fixed_exits(exits: dict[str, Any], same: str) -> None:
    a = camera({"stream.exits": {"kind": "fixed", "exit": 2}})
    assert pairing(a, camera({"stream.exits": exits})).exits == same


def test_a_closed_loop_has_no_arrivals_to_share() -> None:
    loop = {"stream.arrivals": {"kind": "closed_loop"}, "requirements": {}}
    assert pairing(camera(loop), camera(loop)).arrivals == "none"
    assert pairing(camera(loop), camera()).arrivals == "different"


def test_it_says_when_frames_are_not_the_same() -> None:
    words = pairing(camera(), camera({"stream.exits.counts.3": 470})).words()
    assert "exits: different" in words
    assert "still paired" in words
    assert "still paired" not in pairing(camera(), camera()).words()


ON_OFF = {"kind": "on_off", "rate": "60 Hz", "on": "1 s", "off": "1 s"}
MMPP = {
    "kind": "mmpp",
    "states": {"calm": {"rate": "20 Hz", "dwell": "2 s"}, "rush": {"rate": "50 Hz", "dwell": "1 s"}},
}
RAMP = {"kind": "schedule", "points": [{"at": "0 s", "rate": "20 Hz"}, {"at": "5 s", "rate": "40 Hz"}], "period": "9 s"}
TWO = {"kind": "superposed", "sources": [{"kind": "poisson", "rate": "9 Hz"}, ON_OFF]}


@pytest.mark.parametrize(
    ("first", "change", "common"),
    [
        (MMPP, {}, "same"),
        (MMPP, {"states": {**MMPP["states"], "rush": {"rate": "90 Hz", "dwell": "1 s"}}}, "same random numbers"),
        (ON_OFF, {"rate": "50 Hz"}, "same random numbers"),
        (ON_OFF, {"process": "poisson"}, "different"),
        ({**ON_OFF, "phases": "fixed"}, {}, "same"),
        ({**ON_OFF, "phases": "fixed"}, {"rate": "50 Hz"}, "different"),
        ({**ON_OFF, "phases": "fixed", "process": "poisson"}, {"rate": "50 Hz"}, "same random numbers"),
        (RAMP, {}, "same"),
        (RAMP, {"period": "8 s"}, "same random numbers"),
        ({**RAMP, "process": "periodic"}, {"period": "8 s"}, "different"),
        (TWO, {}, "same"),
        (TWO, {"sources": [{"kind": "poisson", "rate": "8 Hz"}, ON_OFF]}, "same random numbers"),
        (TWO, {"sources": [{"kind": "poisson", "rate": "9 Hz"}]}, "different"),
        (MMPP, None, "different"),
    ],
)
def test_arrivals_that_remember(first: dict[str, Any], change: dict[str, Any] | None, common: str) -> None:
    a = camera({"stream.arrivals": first})
    b = camera({"stream.arrivals": {"kind": "poisson", "rate": "30 Hz"} if change is None else first | change})
    assert pairing(a, b).arrivals == pairing(b, a).arrivals == common
    assert np.array_equal(drawn(a).arrival_ns, drawn(b).arrival_ns) == (common == "same")


CORRELATED = {"kind": "correlated", "counts": [70, 20, 5, 5], "correlation_frames": 4}
EASY, HARD = [0.9, 0.1, 0, 0], [0.2, 0.2, 0.2, 0.4]
REGIMES = {"kind": "regimes", "regimes": {"day": {"shares": EASY, "dwell": 40}, "night": {"shares": HARD, "dwell": 20}}}
TIMED = {
    "kind": "regimes",
    "regimes": {"day": {"shares": EASY, "dwell": "2 s"}, "night": {"shares": HARD, "dwell": "1 s"}},
}
DUSK = {"kind": "schedule", "points": [{"at": "0 s", "shares": EASY}, {"at": "5 s", "shares": HARD}]}
FASTER = {"stream.arrivals.rate": "60 Hz"}


@pytest.mark.parametrize(
    ("first", "change", "other", "common"),
    [
        (CORRELATED, {}, FASTER, "same"),
        (CORRELATED, {"accuracy": [0.9, 0.9, 0.9, 0.9]}, {}, "same"),
        (CORRELATED, {"correlation_frames": 8}, {}, "same random numbers"),
        (CORRELATED, {"counts": [60, 30, 5, 5]}, {}, "same random numbers"),
        ({**CORRELATED, "correlation_frames": None, "correlation_time": "1 s"}, {}, {}, "same"),
        ({**CORRELATED, "correlation_frames": None, "correlation_time": "1 s"}, {}, FASTER, "same random numbers"),
        (REGIMES, {}, FASTER, "same"),
        (
            REGIMES,
            {"regimes": {**REGIMES["regimes"], "night": {"shares": HARD, "dwell": 9}}},
            {},
            "same random numbers",
        ),
        (TIMED, {}, {}, "same"),
        (TIMED, {}, FASTER, "same random numbers"),
        (DUSK, {}, {}, "same"),
        (DUSK, {}, FASTER, "same random numbers"),
        (DUSK, None, {}, "same random numbers"),
        (REGIMES, None, {}, "different"),
    ],
)
def test_exits_that_remember(first: Any, change: Any, other: dict[str, Any], common: str) -> None:
    a = camera({"stream.exits": first})
    b = camera({"stream.exits": {"kind": "shares", "shares": EASY} if change is None else first | change, **other})
    assert pairing(a, b).exits == pairing(b, a).exits == common
    assert np.array_equal(drawn(a).exit, drawn(b).exit) == (common == "same")


def test_streams_are_paired_one_by_one() -> None:
    found = pairing(cameras(), cameras({"streams.1.arrivals.rate": "12 Hz"}))
    front = StreamPairing("front", "same", "same", "none")
    rear = StreamPairing("rear", "same random numbers", "same", "none")
    assert found == Pairing(True, "same random numbers", "same", "none", (front, rear))
    assert not found.is_complete
    assert "front (arrivals: the same; exits: the same; noise: none); rear (arrivals: same random" in found.words()
    assert found.as_dict()["streams"][1] == rear._asdict()
    assert pairing(cameras(), cameras({"streams.1.mapping.segments": "LLLLLLL"})).is_complete


def test_noise_of_one_stream_is_no_secret() -> None:
    noise = {"streams.1.noise": {"kind": "lognormal", "cv": 0.1}}
    found = pairing(cameras(noise), cameras(noise))
    assert (found.noise, [stream.noise for stream in found.streams]) == ("same", ["none", "same"])
    assert pairing(cameras(), cameras(noise)).noise == "different"


def test_a_stream_that_the_other_has_not_is_different() -> None:
    found = pairing(camera(), cameras())
    assert [stream.name for stream in found.streams] == ["front", "rear"]
    assert found.streams[0] == StreamPairing("front", "same", "same", "none")
    assert found.streams[1] == StreamPairing("rear", "different", "different", "different")
    assert found.arrivals == "different"
    renamed = pairing(cameras(), cameras({"streams.1.name": "back"}))
    assert renamed.streams[1].name == "rear / back"


def test_counts_of_as_many_frames_are_dealt_from_the_same_deck() -> None:
    a, b = camera(), camera({"stream.exits.counts": [8122, 1115, 294, 469]})
    exits = [next(one.stream.blocks(10_000, seed=5, replication=3)).exit for one in (a, b)]
    assert pairing(a, b).exits == "same random numbers"
    assert np.count_nonzero(exits[0] != exits[1]) == 100


@pytest.mark.parametrize("model", [{"kind": "counts", "counts": [60, 20, 10, 10]}, {"kind": "shares", "shares": EASY}])
def test_alternatives_are_exits_too(model: dict[str, Any]) -> None:
    key = model["kind"]
    policy = {"preset": "cooperative", "adaptive": {"above": [2]}}
    easier = [[70, 10, 10, 10], [80, 10, 5, 5]] if key == "counts" else [[0.95, 0.05, 0, 0], [1, 0, 0, 0]]
    one, other = ({"stream.exits": {**model, "alternatives": [{key: level}]}, "policy": policy} for level in easier)
    assert pairing(camera(one), camera(one)).exits == "same"
    assert pairing(camera(one), camera(other)).exits == "same random numbers"
    x, y = drawn(camera(one)), drawn(camera(other))
    assert np.array_equal(x.exit, y.exit)
    assert not np.array_equal(x.alternatives, y.alternatives)


def test_thresholds_choose_among_the_same_samples() -> None:
    a, b = digits(), digits({"mapping.thresholds.exit1": 0.5})
    assert pairing(a, a).exits == "same"
    assert pairing(a, b).exits == "same random numbers"
    x, y = drawn(a), drawn(b)
    assert np.array_equal(x.sample, y.sample)
    assert not np.array_equal(x.exit, y.exit)
    other = {"kind": "confidences", "path": "confidences/digits_mlp.csv", "split": "calibration"}
    assert pairing(a, digits({"stream.exits": other})).exits == "different"
