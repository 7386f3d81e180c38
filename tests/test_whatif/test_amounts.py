"""Numbers with and without units: scaled, drawn, read as ranges."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eesim.units import parse_time_ns
from eesim.whatif.amounts import Amount, amount, as_counted, between, parse_range


def read(value: Any) -> Amount:
    found = amount(value)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "share", "expected"),
    [
        ("8.09 ms", Fraction(11, 10), "8.899 ms"),
        ("0.70 ms/MB", Fraction(9, 10), "0.63 ms/MB"),
        (1.083, Fraction(11, 10), 1.1913),
        (8222, Fraction(9, 10), 7400),
        (1, Fraction(11, 10), 2),
        (1, Fraction(9, 10), 0),
        (0, Fraction(11, 10), 0),
        ("5 %", Fraction(9, 10), "4.5 %"),
    ],
)
def test_scaling_is_exact_and_whole_numbers_move(value: Any, share: Fraction, expected: Any) -> None:
    found = read(value).times(share).written()
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("value", [True, "BGLGLGL", "cooperative", None, [1], "8.09 ms and more 3"])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert amount(value) is None


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1))
def test_draws_stay_between_the_ends(a: int, b: int, share: float) -> None:
    low, high = sorted((a, b))
    drawn = parse_time_ns(between(read(f"{low} us"), read(f"{high} us"), share).written())
    # Six digits are drawn.
    assert low * 1000 * (1 - 1e-5) <= drawn <= high * 1000 * (1 + 1e-5)


def test_whole_ends_give_whole_numbers() -> None:
    assert between(read(1), read(4), 0.5).written() == 2
    assert between(read(1.0), read(4.0), 0.5).written() == 2.5


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("1.0..1.6", 1.0, 1.6),
        ("0.4 ms..1.4 ms", "0.4 ms", "1.4 ms"),
        ("0.4..1.4 ms", "0.4 ms", "1.4 ms"),
        ("0 .. 300mW", "0 mW", "300 mW"),
        ((1.0, 2.5), 1.0, 2.5),
        (("1 ms", "2 ms"), "1 ms", "2 ms"),
    ],
)
def test_ranges_are_read(text: Any, low: Any, high: Any) -> None:
    found = parse_range(text)
    assert isinstance(found, tuple)
    assert tuple(end.written() for end in found) == (low, high)


@pytest.mark.parametrize("text", ["±10 %", "+-10%", "+/- 10 %"])
def test_relative_ranges(text: str) -> None:
    assert parse_range(text) == Fraction(1, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "is not a range such as"),
        ("10 %", "is not a range such as"),
        ("2..1", "must be below"),
        ("1..1", "must be below"),
        ("1 ms..2 us", "must have the same unit"),
        ("1 ms..2", "must have the same unit"),
        ("a..b", "must be numbers"),
        ("±0 %", "above 0 %"),
    ],
)
def test_what_is_no_range_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_range(text)


def test_whether_it_counts_is_for_what_stands_there_to_say() -> None:
    low, _ = parse_range("1..2")  # type: ignore[misc]
    assert as_counted(low, 3).written() == 1
    assert as_counted(low, "unbounded").whole
    assert type(as_counted(low, 1.083).written()) is float
    assert type(as_counted(low, None).written()) is float
