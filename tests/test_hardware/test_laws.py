"""The laws of a board against numbers worked out by hand."""

from __future__ import annotations

import time
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eesim.base import FULL_SPEED
from eesim.hardware.laws import (
    dvfs_delay_ns,
    power_across_change_uw,
    scaled_time_ns,
    slowdown,
    speed_table,
    time_across_change_ns,
    transfer_ns,
)
from eesim.hardware.spec import MAX_PES, Board, FrequencyLaw, ProcessingElement, Route
from tests.scenarios import MS, ORIGIN, board_of, pe_data

GHZ = 10**9


def law(share: float) -> FrequencyLaw:
    return FrequencyLaw.model_validate({"fixed_share": share, "origin": ORIGIN})


def route(fixed: str, per_byte: str, clock: dict[str, Any] | None = None) -> Route:
    return Route.model_validate({"fixed": fixed, "per_byte": per_byte, "clock": clock, "origin": ORIGIN})


def element(**changes: Any) -> ProcessingElement:
    return ProcessingElement.model_validate(pe_data((400, 600, 1000), **changes))


# -- time at other clocks -----------------------------------------------------------------------------------


def test_time_at_half_the_clock() -> None:
    # A quarter of 8 ms is fixed, the other 6 ms take twice as long.
    assert scaled_time_ns(8 * MS, law(0.25), 2 * GHZ, 2 * GHZ, GHZ) == (2 + 2 * 6) * MS


def test_time_that_was_measured_below_the_highest_clock() -> None:
    # t(2 GHz) = 4 ms: 1 ms fixed, 3 ms that take 6 ms at 1 GHz and 12 ms at 500 MHz.
    assert scaled_time_ns((1 + 6) * MS, law(0.25), 2 * GHZ, GHZ, GHZ // 2) == (1 + 12) * MS
    assert scaled_time_ns((1 + 6) * MS, law(0.25), 2 * GHZ, GHZ, 2 * GHZ) == (1 + 3) * MS


def test_the_same_clock_needs_no_law() -> None:
    assert scaled_time_ns(123, None, 2 * GHZ, GHZ, GHZ) == 123
    assert scaled_time_ns(123, None, 2 * GHZ, GHZ, GHZ + 1) is None


@pytest.mark.parametrize(("share", "expected"), [(0.0, 4), (1.0, 1)])
def test_all_or_nothing_of_the_time_follows_the_clock(share: float, expected: int) -> None:
    assert scaled_time_ns(MS, law(share), 4 * GHZ, 4 * GHZ, GHZ) == expected * MS


def test_scaled_times_are_rounded_once_half_to_even() -> None:
    # 1 x 2.5 = 2.5 and 3 x 2.5 = 7.5: both go to the even neighbour.
    assert scaled_time_ns(1, law(0.0), 5 * GHZ, 5 * GHZ, 2 * GHZ) == 2
    assert scaled_time_ns(3, law(0.0), 5 * GHZ, 5 * GHZ, 2 * GHZ) == 8


def test_the_share_is_read_as_the_decimal_that_was_written() -> None:
    # 0.1 + 0.9 x 2 = 1.9 exactly; the double nearest to 0.1 would be one off in the last digit of 10^18.
    assert scaled_time_ns(10**18, law(0.1), 2 * GHZ, 2 * GHZ, GHZ) == 19 * 10**17


@given(st.integers(1, 10**10), st.floats(0, 1), st.integers(1, 20), st.integers(1, 20))
def test_a_faster_clock_never_takes_longer(time_ns: int, share: float, a: int, b: int) -> None:
    slow, fast = sorted((a, b))
    at_slow = scaled_time_ns(time_ns, law(share), 20, 20, slow)
    at_fast = scaled_time_ns(time_ns, law(share), 20, 20, fast)
    assert at_slow is not None
    assert at_fast is not None
    assert time_ns <= at_fast <= at_slow


# -- transfers ----------------------------------------------------------------------------------------------


def test_transfer_time_is_fixed_plus_per_byte() -> None:
    # 0.40 ms + 262,144 B x 0.7 ns/B = 400,000 ns + 183,500.8 ns
    assert transfer_ns(route("0.40 ms", "0.70 ms/MB"), 262_144, None) == 583_501


@pytest.mark.parametrize(
    ("mhz", "scale"),
    [
        (500, Fraction(5, 2)),  # 0.5 + 1 / 0.5
        (1000, Fraction(3, 2)),  # 0.5 + 1 / 1
        (2000, 1),  # 0.5 + 1 / 2
        (4000, 1),  # 0.5 + 1 / 4 is below 1
    ],
)
def test_transfer_time_scales_with_a_clock_and_never_below_one(mhz: int, scale: Fraction) -> None:
    slow = route("1 us", "2 ns/B", {"pe": "B", "offset": 0.5, "slope": 1})
    # 1,000 ns + 500 B x 2 ns/B
    assert transfer_ns(slow, 500, mhz * 10**6) == 2000 * scale


def test_transfer_time_without_a_clock_law_ignores_the_clock() -> None:
    assert transfer_ns(route("1 us", "2 ns/B"), 500, 1) == 2000


def test_an_empty_tensor_costs_the_fixed_part() -> None:
    assert transfer_ns(route("3 us", "2 ns/B"), 0, None) == 3000


# -- changes of the operating point -------------------------------------------------------------------------


def dvfs() -> dict[str, Any]:
    return {"up": "3 ms", "down": "1 ms", "same_voltage": "2 ms", "origin": ORIGIN}


def test_dvfs_delay_depends_on_the_direction_and_on_the_voltage() -> None:
    pe = element(dvfs=dvfs())
    table = [dict(opp, voltage=v) for opp, v in zip(pe_data((400, 600, 1000))["opps"]["table"], "112", strict=True)]
    for opp in table:
        opp["voltage"] += " V"
    opps = pe_data()["opps"] | {"table": table}
    with_voltage = element(dvfs=dvfs(), opps=opps)
    low, middle, high = (mhz * 10**6 for mhz in (400, 600, 1000))
    assert dvfs_delay_ns(with_voltage, low, middle) == 2 * MS
    assert dvfs_delay_ns(with_voltage, middle, low) == 2 * MS
    assert dvfs_delay_ns(with_voltage, middle, high) == 3 * MS
    assert dvfs_delay_ns(with_voltage, high, low) == 1 * MS
    assert dvfs_delay_ns(with_voltage, high, high) == 0
    # Unknown voltages are not equal voltages.
    assert dvfs_delay_ns(pe, low, middle) == 3 * MS
    assert dvfs_delay_ns(element(), low, high) == 0


@pytest.mark.parametrize(
    ("old", "new", "delay", "expected"),
    [
        (10, 5, 2, 6),  # a fifth of the work in 2 ns, the rest at the new clock: 2 + 5 x 4/5
        (10, 20, 2, 18),  # the same towards a slower clock: 2 + 20 x 4/5
        (10, 5, 0, 5),
        (10, 5, 10, 10),  # done just when the clock changes
        (10, 5, 11, 10),  # done before
        (10, 4, 2, 5),  # 2 + 4 x 4/5 = 5.2
        (0, 0, 0, 0),
    ],
)
def test_a_task_across_a_change_of_the_clock(old: int, new: int, delay: int, expected: int) -> None:
    assert time_across_change_ns(old, new, delay) == expected


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_task_across_a_change_takes_between_old_and_new_plus_delay(old: int, new: int, delay: int) -> None:
    found = time_across_change_ns(old, new, delay)
    assert min(old, new) <= found <= max(old, new + delay)


@pytest.mark.parametrize(
    ("delay", "total", "expected"),
    [
        (2, 5, 160),  # (2 x 100 + 3 x 200) / 5
        (0, 5, 200),
        (9, 5, 100),  # done before the change
        (0, 0, 200),
    ],
)
def test_power_across_a_change_is_the_mean_over_time(delay: int, total: int, expected: int) -> None:
    assert power_across_change_uw(100, 200, delay, total) == expected


# -- contention ---------------------------------------------------------------------------------------------


def with_pairs(pairs: dict[str, dict[str, float]], names: str = "BLGN") -> Board:
    return board_of(names, contention={"pairs": pairs, "origin": ORIGIN})


def hosted(host: str, pairs: dict[str, dict[str, float]] | None = None) -> Board:
    """A board whose G slows its host: B by 1.25, or L by 1.1 while it takes 1.2 times as long itself."""

    def effect(on_host: float, on_self: float) -> dict[str, Any]:
        factors = {"slows_host": {"factor": on_host}, "slows_self": {"factor": on_self}}
        return factors | {"host_power": "0 mW/GHz", "origin": ORIGIN}

    hosts = {"B": effect(1.25, 1.0), "L": effect(1.1, 1.2)}
    pes = {"B": pe_data(), "L": pe_data(), "G": pe_data(host=host, hosts=hosts)}
    return board_of(pes, contention={"pairs": pairs or {}, "origin": ORIGIN})


def mask_of(board: Board, bits: Any, *busy: str) -> int:
    return sum(int(bits[board.pe_names.index(name)]) for name in busy)


def test_speeds_are_the_inverse_of_the_slowdown() -> None:
    board = with_pairs({"B": {"G": 1.6}})
    bits, speed = speed_table(board, contention=True)
    # G alone slows another: one bit, two rows.
    assert bits.tolist() == [0, 0, 1, 0]
    assert speed.tolist() == [[FULL_SPEED] * 4, [625_000, FULL_SPEED, FULL_SPEED, FULL_SPEED]]  # 10^6 / 1.6


def test_three_aggressors_multiply() -> None:
    factors = {"L": 1.25, "G": 1.6, "N": 2.5}
    board = with_pairs({"B": factors})
    bits, speed = speed_table(board, contention=True)
    assert bits[0] == 0
    for busy, product in (("L", 1.25), ("LG", 2), ("LN", 3.125), ("GN", 4), ("LGN", 5)):
        assert speed[mask_of(board, bits, *busy)].tolist() == [FULL_SPEED / product, *[FULL_SPEED] * 3]


def test_a_pe_does_not_slow_itself() -> None:
    # Not even if the board says so: its own work is in its times.
    board = with_pairs({name: dict.fromkeys("BLGN", 2.0) for name in "BLGN"})
    bits, speed = speed_table(board, contention=True)
    for name in "BLGN":
        expected = [FULL_SPEED if other == name else FULL_SPEED // 2 for other in "BLGN"]
        assert speed[mask_of(board, bits, name)].tolist() == expected


def test_speeds_are_rounded_to_ppm_and_never_zero() -> None:
    board = with_pairs({"B": {"G": 1.083}})
    assert speed_table(board, contention=True)[1][1, 0] == 923_361  # 10^6 / 1.083 = 923,361.03...
    # 10^6 / (1000 x 1000 x 1000) is less than 1 ppm
    slowest = with_pairs({"B": {"L": 1000, "G": 1000, "N": 1000}})
    assert speed_table(slowest, contention=True)[1].min() == 1


def test_contention_can_be_switched_off() -> None:
    bits, speed = speed_table(hosted("B", {"L": {"B": 3.0}}), contention=False)
    assert bits.tolist() == [0, 0, 0]
    assert speed.tolist() == [[FULL_SPEED] * 3]


def test_a_host_thread_slows_the_cluster_it_sits_on() -> None:
    assert slowdown(hosted("B"), "B", "G") == 1.25
    assert slowdown(hosted("B"), "L", "G") == 1
    assert slowdown(hosted("B"), "G", "B") == 1


def test_a_host_that_is_moved_to_another_cluster_slows_that_one() -> None:
    assert slowdown(hosted("L"), "L", "G") == 1.1
    assert slowdown(hosted("L"), "B", "G") == 1
    bits, speed = speed_table(hosted("L"), contention=True)
    assert bits.tolist() == [0, 0, 1]
    assert speed[1].tolist() == [FULL_SPEED, 909_091, FULL_SPEED]  # 10^6 / 1.1 = 909,090.9...


def test_a_declared_pair_replaces_what_the_host_does() -> None:
    assert slowdown(hosted("B", {"B": {"G": 1.6}}), "B", "G") == 1.6
    assert slowdown(hosted("B", {"B": {"G": 1.0}}), "B", "G") == 1
    assert slowdown(hosted("B", {"B": {"L": 1.6}}), "B", "G") == 1.25


def test_sixteen_pes_that_all_slow_each_other_are_tabulated_quickly() -> None:
    names = [f"P{i}" for i in range(MAX_PES)]
    pairs = {name: {other: 1.5 for other in names if other != name} for name in names}
    board = board_of({name: pe_data() for name in names}, contention={"pairs": pairs, "origin": ORIGIN})
    begin = time.perf_counter()
    bits, speed = speed_table(board, contention=True)
    assert time.perf_counter() - begin < 2
    assert sorted(bits.tolist()) == [1 << i for i in range(MAX_PES)]
    assert speed.shape == (1 << MAX_PES, MAX_PES)
    # Each of 15 others makes it take 1.5 times as long.
    expected = FULL_SPEED / 1.5**15
    assert floor(expected) <= speed[-1].min() <= speed[-1].max() <= ceil(expected)
    assert speed.flags.c_contiguous
    assert speed.dtype == bits.dtype == np.int64
