from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eesim import units
from eesim.units import UnitError, format_frequency, format_rate, format_time

PARSERS: dict[str, Callable[[object], object]] = {
    "time": units.parse_time_ns,
    "frequency": units.parse_frequency_hz,
    "rate": units.parse_rate,
    "power": units.parse_power_uw,
    "voltage": units.parse_voltage_uv,
    "bytes": units.parse_bytes,
    "energy": units.parse_energy_nj,
    "share": units.parse_percent,
    "peak": units.parse_ops_per_second,
    "per_byte": units.parse_ns_per_byte,
    "per_clock": units.parse_uw_per_mhz,
}


@pytest.mark.parametrize(
    ("quantity", "text", "expected"),
    [
        ("time", "8.09 ms", 8_090_000),
        ("time", "8.09ms", 8_090_000),
        ("time", " 8.09  ms ", 8_090_000),
        ("time", "1e-3 s", 1_000_000),
        ("time", ".5 us", 500),
        ("time", "5. ns", 5),
        ("time", "+3 ns", 3),
        ("time", "3 µs", 3_000),
        ("time", "3 μs", 3_000),
        ("time", "2 min", 120 * 10**9),
        ("time", "0.5 h", 1800 * 10**9),
        ("time", "9000 s", 9000 * 10**9),
        ("time", "0 ms", 0),
        ("time", "0.5 ns", 0),
        ("time", "1.5 ns", 2),
        ("time", "2.5 ns", 2),
        ("time", "0.1234567895 s", 123_456_790),
        ("frequency", "1.8 GHz", 1_800_000_000),
        ("frequency", "1416 MHz", 1_416_000_000),
        ("frequency", "32.768 kHz", 32_768),
        ("rate", "30 Hz", Fraction(30)),
        ("rate", "29.97 fps", Fraction(2997, 100)),
        ("rate", "0.5/s", Fraction(1, 2)),
        ("rate", "1/min", Fraction(1, 60)),
        ("rate", "1 /h", Fraction(1, 3600)),
        ("power", "0.316 W", 316_000),
        ("power", "250 mW", 250_000),
        ("power", "7 µW", 7),
        ("voltage", "825 mV", 825_000),
        ("voltage", "1.25 V", 1_250_000),
        ("bytes", "784 KiB", 784 * 1024),
        ("bytes", "8 kB", 8000),
        ("bytes", "1.5 MiB", 1536 * 1024),
        ("bytes", "4 GiB", 2**32),
        ("bytes", "12 B", 12),
        ("energy", "3.1 mJ", 3_100_000),
        ("energy", "2 uJ", 2000),
        ("energy", "1 J", 10**9),
        ("share", "0.1 %", Fraction(1, 1000)),
        ("share", "100%", Fraction(1)),
        ("share", 0.25, Fraction(1, 4)),
        ("share", 0.1, Fraction(1, 10)),
        ("share", 1, Fraction(1)),
        ("share", "0.25", Fraction(1, 4)),
        ("peak", "28.8 GFLOPS", 28.8e9),
        ("peak", "3 TOPS", 3e12),
        ("per_byte", "0.35 ms/MB", Fraction(35, 100)),
        ("per_byte", "1 ns/KiB", Fraction(1, 1024)),
        ("per_clock", "316 mW/GHz", Fraction(316)),
        ("per_clock", "2 W/MHz", Fraction(2_000_000)),
    ],
)
def test_quantities(quantity: str, text: object, expected: object) -> None:
    found = PARSERS[quantity](text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("quantity", "text", "message", "hint"),
    [
        ("time", 8.09, "needs a unit: s, ms, us, ns, min or h", "8.09 ms"),
        ("time", 0, "needs a unit: s, ms, us, ns, min or h", "0 ms"),
        ("time", "8.09", "needs a unit: s, ms, us, ns, min or h", "8.09 ms"),
        ("time", "8 msec", "unknown unit 'msec': must be s, ms, us, ns, min or h", "8 ms"),
        ("time", "8 MS", "unknown unit 'MS': must be s, ms, us, ns, min or h", "8 ms"),
        ("time", "8 m", "unknown unit 'm': must be s, ms, us, ns, min or h", "8 ms or 8 min"),
        ("time", "8 Seconds", "unknown unit 'Seconds': must be s, ms, us, ns, min or h", "8 s"),
        ("time", "8 parsecs", "unknown unit 'parsecs': must be s, ms, us, ns, min or h", ""),
        ("time", "-1 ms", "-1 ms is negative", ""),
        ("time", "9001 s", "9001 s is above the limit of 9,000 s", ""),
        ("time", "3 h", "3 h is above the limit of 9,000 s", ""),
        ("time", "1e30 s", "1e30 s is above the limit of 9,000 s", ""),
        ("time", "1e999999999 s", "1e999999999 s is out of range", ""),
        ("time", "1e-999999999 s", "1e-999999999 s is out of range", ""),
        ("time", "nan ms", "'nan ms' is not a time such as 8.09 ms", ""),
        ("time", "inf s", "'inf s' is not a time such as 8.09 ms", ""),
        ("time", "fast", "'fast' is not a time such as 8.09 ms", ""),
        ("time", "", "'' is not a time such as 8.09 ms", ""),
        ("time", "1,800 ms", "'1,800 ms' is not a time such as 8.09 ms", ""),
        ("time", "1_000 ms", "'1_000 ms' is not a time such as 8.09 ms", ""),
        ("time", "1.2.3 ms", "'1.2.3 ms' is not a time such as 8.09 ms", ""),
        ("time", "٣ ms", "'٣ ms' is not a time such as 8.09 ms", ""),
        ("time", True, "must be a time such as 8.09 ms, not true", ""),
        ("time", None, "must be a time such as 8.09 ms, not empty", ""),
        ("time", ["8 ms"], "must be a time such as 8.09 ms, not a list", ""),
        ("time", float("nan"), "'nan' is not a time such as 8.09 ms", ""),
        ("frequency", "1800 mhz", "unknown unit 'mhz': must be Hz, kHz, MHz or GHz", "1800 MHz"),
        ("frequency", 1800, "needs a unit: Hz, kHz, MHz or GHz", "1800 MHz"),
        ("frequency", 1.8, "needs a unit: Hz, kHz, MHz or GHz", "1.8 GHz"),
        ("frequency", 1800000000, "needs a unit: Hz, kHz, MHz or GHz", "1800000000 Hz"),
        ("frequency", "0 Hz", "0 Hz must be above 0", ""),
        ("frequency", "1 s", "unknown unit 's': must be Hz, kHz, MHz or GHz", ""),
        ("rate", 30, "needs a unit: fps, /s, /min, /h, Hz or kHz", "30 fps"),
        ("rate", "0 Hz", "0 Hz must be above 0", ""),
        ("rate", "-3 Hz", "-3 Hz is negative", ""),
        ("power", "5 MW", "unknown unit 'MW': must be W, mW or uW", "5 mW"),
        ("power", 316, "needs a unit: W, mW or uW", "316 mW"),
        ("voltage", 0.8, "needs a unit: V, mV or uV", "0.8 V"),
        ("bytes", "8 KB", "unknown unit 'KB': must be B, kB, MB, GB, KiB, MiB or GiB", "8 kB or 8 KiB"),
        ("bytes", "8 mb", "unknown unit 'mb': must be B, kB, MB, GB, KiB, MiB or GiB", "8 MB"),
        ("bytes", 8192, "needs a unit: B, kB, MB, GB, KiB, MiB or GiB", "8192 B"),
        ("energy", "3 mj", "unknown unit 'mj': must be J, mJ, uJ or nJ", "3 mJ"),
        ("share", "101 %", "101 % is above the limit of 100 %", ""),
        ("share", 5, "5 is above the limit of 100 %", "5 %"),
        ("share", -0.1, "-0.1 is negative", ""),
        ("share", "5 percent", "unknown unit 'percent': must be %", "5 %"),
        ("peak", "3 Tops", "unknown unit 'Tops': must be MFLOPS, GFLOPS, TFLOPS, MOPS, GOPS or TOPS",
         "3 TOPS"),
        ("per_byte", 0.35, "needs a unit: as in 0.35 ms/MB", "0.35 ms/MB"),
        ("per_byte", "0.35 ms/mb", "unknown unit 'ms/mb': must be as in 0.35 ms/MB", "0.35 ms/MB"),
        ("per_clock", "316 mW/Ghz",
         "unknown unit 'mW/Ghz': must be W/MHz, W/GHz, mW/MHz, mW/GHz, uW/MHz or uW/GHz", "316 mW/GHz"),
    ],
)  # fmt: skip
def test_mistakes(quantity: str, text: object, message: str, hint: str) -> None:
    with pytest.raises(UnitError) as caught:
        PARSERS[quantity](text)
    assert (str(caught.value), caught.value.hint) == (message, hint)


TIME_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1, "min": 60 * 10**9, "h": 3600 * 10**9}


@given(st.integers(0, 9000 * 10**9))
def test_nanoseconds_are_exact(ns: int) -> None:
    assert units.parse_time_ns(f"{ns} ns") == ns
    assert units.parse_time_ns(f"{ns // 10**6}.{ns % 10**6:06d} ms") == ns
    assert units.parse_time_ns(f"{ns}e-9 s") == ns


@given(st.decimals(0, 2, allow_nan=False, places=12), st.sampled_from(sorted(TIME_NS)))
def test_times_are_rounded_once_half_to_even(number: Decimal, unit: str) -> None:
    assert units.parse_time_ns(f"{number:f} {unit}") == round(Fraction(number) * TIME_NS[unit])


@given(st.integers(1, 10**12))
def test_a_frequency_in_a_table_reads_back_exactly(hz: int) -> None:
    assert units.parse_frequency_hz(format_frequency(hz)) == hz


@given(st.integers(0, 9000 * 10**9))
def test_a_time_in_a_table_reads_back_to_its_last_digit(ns: int) -> None:
    text = format_time(ns)
    size = TIME_NS[text.split(" ")[1]]
    assert abs(units.parse_time_ns(text) - ns) * 2 <= max(size // 1000, 0)
    assert text == "0 ns" or 1 <= float(text.split(" ")[0]) < 1000 or text.endswith(" s")


@given(st.fractions(Fraction(1, 10**6), 10**6))
def test_a_rate_in_a_table_reads_back_to_six_digits(rate: Fraction) -> None:
    assert math.isclose(units.parse_rate(format_rate(rate)), rate, rel_tol=1e-5)


@given(st.decimals(0, 1, places=6))
def test_shares_written_with_and_without_percent_agree(share: Decimal) -> None:
    assert units.parse_percent(f"{share * 100:f} %") == units.parse_percent(str(share)) == Fraction(share)
    assert units.parse_percent(float(share)) == Fraction(share)


@given(st.text(max_size=30), st.sampled_from(sorted(PARSERS)))
def test_any_text_is_a_quantity_or_a_unit_error(text: str, quantity: str) -> None:
    for tail in ("", " ms", "Hz"):
        try:
            message = f"{PARSERS[quantity](text + tail)}"
        except UnitError as error:
            message = str(error)
        assert message
        assert "\n" not in message


@given(st.floats() | st.integers(), st.sampled_from(sorted(PARSERS.keys() - {"share"})))
def test_a_bare_number_is_never_a_quantity(number: float, quantity: str) -> None:
    with pytest.raises(UnitError):
        PARSERS[quantity](number)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"), (999, "999 ns"), (1000, "1.000 us"), (999_999, "999.999 us"), (8_090_000, "8.090 ms"),
        (999_999_499, "999.999 ms"), (999_999_500, "1.000 s"), (1_234_567_890, "1.235 s"),
        (9000 * 10**9, "9000.000 s"), (-1_250_000, "-1.250 ms"), (0.4, "0 ns"), (1500.6, "1.501 us"),
        (float("nan"), "n/a"), (float("inf"), "n/a"),
    ],
)  # fmt: skip
def test_format_time(ns: float, text: str) -> None:
    assert format_time(ns) == text


def test_format_frequency_and_rate() -> None:
    assert format_frequency(1_800_000_000) == "1800 MHz"
    assert format_frequency(24_576_000) == "24.576 MHz"
    assert format_frequency(32_768) == "32.768 kHz"
    assert format_frequency(50) == "50 Hz"
    assert format_rate(Fraction(30)) == "30 fps"
    assert format_rate(29.97) == "29.97 fps"
    assert format_rate(float("nan")) == "n/a"
