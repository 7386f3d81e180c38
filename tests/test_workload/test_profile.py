"""Profiles: what was measured, what is an estimate, what nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from eesim.workload.profile import Profile
from tests.scenarios import MS, ORIGIN, board_data, board_of, pe_data, profile_data

LAW = {"fixed_share": 0.5, "origin": ORIGIN}
PES = {"B": pe_data((500, 1000), frequency_law=LAW), "L": pe_data((500, 1000))}
TIMES = {"b1": {"B": "4 ms", "L": "8 ms"}, "b2": {"B": "2 ms"}}


def profile(**changes: Any) -> Profile:
    return Profile.model_validate(profile_data(board_data(PES), TIMES) | changes)


def test_a_measured_time_is_returned_as_it_is() -> None:
    board = board_of(PES)
    assert profile().time_ns(board, "b1", "B", 10**9) == 4 * MS
    assert not profile().is_estimate("b1", "B", 10**9)


def test_at_another_clock_the_law_gives_an_estimate() -> None:
    # Half of 4 ms is fixed, the other 2 ms take 4 ms.
    assert profile().time_ns(board_of(PES), "b1", "B", 5 * 10**8) == (2 + 4) * MS
    assert profile().is_estimate("b1", "B", 5 * 10**8)


def test_a_law_takes_both_clocks_and_is_no_estimate() -> None:
    law = {"cycles": "3 Mcycles", "host_cycles": "2 Mcycles", "fixed": "0.5 ms", "power": 1.25}
    fitted = profile(times={}, clocks=None, laws={"b1": {"B": law, "L": {"cycles": "1 Mcycles"}}})
    board = board_of(PES)
    # 3 Mcycles at 0.5 GHz are 6 ms, 2 Mcycles of the host at 1 GHz are 2 ms.
    assert fitted.time_ns(board, "b1", "B", 5 * 10**8, 10**9) == 8.5 * MS
    assert fitted.time_ns(board, "b1", "B", 5 * 10**8) is None
    assert fitted.time_ns(board, "b1", "L", 5 * 10**8) == 2 * MS
    assert not fitted.is_estimate("b1", "B", 5 * 10**8)
    assert fitted.power_ratio("b1", "B") == 1.25
    assert fitted.power_ratio("b1", "L") == fitted.power_ratio("b2", "B") == 1
    assert fitted.knows("b1") == ("B", "L")


def test_a_segment_has_a_time_or_a_law_and_a_profile_has_some() -> None:
    with pytest.raises(ValidationError, match="which of the two"):
        profile(laws={"b1": {"B": {"cycles": "3 Mcycles"}}})
    with pytest.raises(ValidationError, match="a profile has times or laws"):
        profile(times={}, clocks=None)


def test_what_nobody_measured_is_not_made_up() -> None:
    board = board_of(PES)
    assert profile().time_ns(board, "b2", "L", 10**9) is None
    assert profile().time_ns(board, "b3", "B", 10**9) is None
    # L has no frequency law.
    assert profile().time_ns(board, "b1", "L", 5 * 10**8) is None


def test_times_taken_at_a_lower_clock_are_scaled_from_there() -> None:
    low = profile(clocks={"at": {"B": "500 MHz", "L": "1000 MHz"}, "origin": ORIGIN})
    # 4 ms at 500 MHz is 1.5 times the time at 1 GHz: 0.5 + 0.5 x 2.
    assert low.time_ns(board_of(PES), "b1", "B", 10**9) == round(4 * MS / 1.5)


def test_every_pe_needs_the_clock_of_its_times() -> None:
    with pytest.raises(ValidationError, match="at which clock were its times taken"):
        profile(clocks={"at": {"B": "1000 MHz"}, "origin": ORIGIN})


def test_names_are_checked_against_board_and_network() -> None:
    times = {"b1": {"B": "4 ms", "G": "1 ms"}, "b11": {"B": "1 ms"}}
    odd = profile(times=times, clocks={"at": {"B": "1 GHz", "G": "1 GHz", "LL": "1 GHz"}, "origin": ORIGIN})
    assert odd.findings(board_of(PES), odd.network, ("b1", "b2")) == [
        (("times", "b1", "G"), "there is no PE 'G' on board board", ""),
        (("times", "b11"), "the network has no such segment", "b1"),
        (("clocks", "at", "G"), "there is no PE 'G' on board board", ""),
        (("clocks", "at", "LL"), "there is no PE 'LL' on board board", "L"),
    ]


def test_a_profile_belongs_to_one_network() -> None:
    assert profile().findings(board_of(PES), "net", ("b1", "b2")) == []
    ((path, message, hint),) = profile().findings(board_of(PES), "other", ("b1", "b2"))
    assert (path, hint) == (("network",), "other")
    assert "'net'" in message
