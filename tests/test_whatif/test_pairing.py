"""What streams have in common, against what is really drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.scenario.load import Scenario
from eesim.whatif.pairing import Pairing, pairing
from tests.scenarios import camera

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
