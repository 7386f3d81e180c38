"""Quantities with units, as users write them: ``"8.09 ms"`` to 8,090,000 ns, and back for tables.

Numbers are read as decimals and converted exactly; what must be a whole number in the end is rounded once,
half to even. A number without a unit is refused: nobody can tell what it was meant to be. The annotated types
(`TimeNs`, ...) are for fields of models; they read text and nothing else.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from eesim.oneof import Written
from eesim.quantity import Dimension, UnitError, prefixed, ratio

__all__ = [
    "Bytes",
    "Cycles",
    "CyclesPerByte",
    "DurationNs",
    "EnergyNj",
    "FrequencyHz",
    "NsPerByte",
    "OpsPerSecond",
    "PowerUw",
    "RateHz",
    "Share",
    "TimeNs",
    "UnitError",
    "UwPerMHz",
    "VoltageUv",
    "format_frequency",
    "format_rate",
    "format_time",
    "parse_bytes",
    "parse_cycles",
    "parse_cycles_per_byte",
    "parse_duration_ns",
    "parse_energy_nj",
    "parse_frequency_hz",
    "parse_ns_per_byte",
    "parse_ops_per_second",
    "parse_percent",
    "parse_power_uw",
    "parse_rate",
    "parse_time_ns",
    "parse_uw_per_mhz",
    "parse_voltage_uv",
]

_TIMES = prefixed("s", ".mun", "n") | {"min": Fraction(60 * 10**9), "h": Fraction(3600 * 10**9)}
_SIZES = prefixed("B", ".kMG") | {f"{p}iB": Fraction(1024**n) for n, p in enumerate("KMG", 1)}
_TIME_WORDS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "m": "ms min", "msec": "ms", "msecs": "ms",
    "millisecond": "ms", "milliseconds": "ms", "usec": "us", "microsecond": "us", "microseconds": "us",
    "nsec": "ns", "nanosecond": "ns", "nanoseconds": "ns", "minute": "min", "minutes": "min", "hour": "h",
    "hours": "h",
}  # fmt: skip
_RATE_WORDS = {"frames/s": "fps", "frame/s": "fps", "1/s": "/s", "per second": "/s", "per minute": "/min"}
_SIZE_WORDS = {"KB": "kB KiB", "K": "kB KiB", "k": "kB KiB", "byte": "B", "bytes": "B"}

_TIME = Dimension("a time", "8.09 ms", _TIMES, "9,000 s", _TIME_WORDS)
_DURATION = Dimension("a duration", "90 s", _TIMES, "2500 h", _TIME_WORDS)
_FREQUENCY = Dimension(
    "a frequency",
    "1.8 GHz",
    prefixed("Hz", ".kMG"),
    "1,000 GHz",
    zero=False,
    guesses=((10, "GHz"), (100_000, "MHz"), (math.inf, "Hz")),
)
_RATE = Dimension(
    "a rate",
    "30 fps",
    {"fps": Fraction(1), "/s": Fraction(1), "/min": Fraction(1, 60), "/h": Fraction(1, 3600)} | prefixed("Hz", ".k"),
    "1,000,000 kHz",
    _RATE_WORDS,
    zero=False,
)
_POWER = Dimension("a power", "250 mW", prefixed("W", ".mu", "u"), "10,000 W", guesses=((20, "W"), (math.inf, "mW")))
_VOLTAGE = Dimension("a voltage", "825 mV", prefixed("V", ".mu", "u"), "1,000 V", guesses=((10, "V"), (math.inf, "mV")))
_BYTES = Dimension("a size", "784 KiB", _SIZES, "1,000,000 GB", _SIZE_WORDS, guesses=((math.inf, "B"),))
_CYCLES = Dimension("a number of cycles", "45.7 Mcycles", prefixed("cycles", ".kMG"), "10,000 Gcycles")
_ENERGY = Dimension("an energy", "3.1 mJ", prefixed("J", ".mun", "n"), "1,000,000 J")
_SHARE = Dimension("a share", "5 %", {"%": Fraction(1, 100)}, "100 %", {"percent": "%"}, plain=True)
_PEAK = Dimension(
    "a peak rate",
    "28.8 GFLOPS",
    prefixed("FLOPS", "MGT") | prefixed("OPS", "MGT"),
    "1,000,000 TOPS",
    zero=False,
)
_BYTE_CYCLES = Dimension("cycles per size", "8.3 Mcycles/MB", ratio(_CYCLES.units, _SIZES), "1 Gcycles/B")
_PER_BYTE = Dimension("a time per size", "0.35 ms/MB", ratio(_TIMES, _SIZES), "1 s/B")
_PER_CLOCK = Dimension(
    "a power per clock", "316 mW/GHz", ratio(_POWER.units, prefixed("Hz", "MG", "M")), "10,000 W/GHz"
)


def parse_time_ns(value: object) -> int:
    """Return a time (s, ms, us, ns, min, h) in nanoseconds."""
    return round(_TIME.parse(value))


def parse_duration_ns(value: object) -> int:
    """Return a duration in nanoseconds: a time that is never multiplied by a speed, so it may be longer."""
    return round(_DURATION.parse(value))


def parse_frequency_hz(value: object) -> int:
    """Return a frequency (Hz, kHz, MHz, GHz) in hertz."""
    return round(_FREQUENCY.parse(value))


def parse_rate(value: object) -> Fraction:
    """Return a rate (Hz, kHz, fps, /s, /min, /h) per second, exactly."""
    return _RATE.parse(value)


def parse_power_uw(value: object) -> int:
    """Return a power (W, mW, uW) in microwatts."""
    return round(_POWER.parse(value))


def parse_voltage_uv(value: object) -> int:
    """Return a voltage (V, mV, uV) in microvolts."""
    return round(_VOLTAGE.parse(value))


def parse_bytes(value: object) -> int:
    """Return a size (B, kB, MB, GB of 1000; KiB, MiB, GiB of 1024) in bytes."""
    return round(_BYTES.parse(value))


def parse_cycles(value: object) -> int:
    """Return a number of clock cycles (cycles, kcycles, Mcycles, Gcycles)."""
    return round(_CYCLES.parse(value))


def parse_cycles_per_byte(value: object) -> Fraction:
    """Return clock cycles per size (any number of cycles over any size, such as Mcycles/MB) per byte, exactly."""
    return _BYTE_CYCLES.parse(value)


def parse_energy_nj(value: object) -> int:
    """Return an energy (J, mJ, uJ, nJ) in nanojoules."""
    return round(_ENERGY.parse(value))


def parse_percent(value: object) -> Fraction:
    """Return a share (``5 %``, or a plain number from 0 to 1), exactly."""
    return _SHARE.parse(value)


def parse_ops_per_second(value: object) -> float:
    """Return a peak rate (MFLOPS, GFLOPS, TFLOPS, MOPS, GOPS, TOPS) in operations per second."""
    return float(_PEAK.parse(value))


def parse_ns_per_byte(value: object) -> Fraction:
    """Return a time per size (any time over any size, such as ms/MB) in nanoseconds per byte, exactly."""
    return _PER_BYTE.parse(value)


def parse_uw_per_mhz(value: object) -> Fraction:
    """Return a power per clock (W, mW, uW over MHz, GHz) in microwatts per megahertz, exactly."""
    return _PER_CLOCK.parse(value)


def _text(dimension: Dimension) -> Written:
    """Return how a quantity is written: as text."""
    return Written(f"{dimension.name} such as {dimension.example}", frozenset({"text"}), quantity=True)


TimeNs = Annotated[int, BeforeValidator(parse_time_ns), _text(_TIME)]
DurationNs = Annotated[int, BeforeValidator(parse_duration_ns), _text(_DURATION)]
FrequencyHz = Annotated[int, BeforeValidator(parse_frequency_hz), _text(_FREQUENCY)]
RateHz = Annotated[Fraction, BeforeValidator(parse_rate), _text(_RATE)]
PowerUw = Annotated[int, BeforeValidator(parse_power_uw), _text(_POWER)]
VoltageUv = Annotated[int, BeforeValidator(parse_voltage_uv), _text(_VOLTAGE)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), _text(_BYTES)]
Cycles = Annotated[int, BeforeValidator(parse_cycles), _text(_CYCLES)]
CyclesPerByte = Annotated[Fraction, BeforeValidator(parse_cycles_per_byte), _text(_BYTE_CYCLES)]
EnergyNj = Annotated[int, BeforeValidator(parse_energy_nj), _text(_ENERGY)]
OpsPerSecond = Annotated[float, BeforeValidator(parse_ops_per_second), _text(_PEAK)]
NsPerByte = Annotated[Fraction, BeforeValidator(parse_ns_per_byte), _text(_PER_BYTE)]
UwPerMHz = Annotated[Fraction, BeforeValidator(parse_uw_per_mhz), _text(_PER_CLOCK)]
Share = Annotated[
    Fraction,
    BeforeValidator(parse_percent),
    Written("a share such as 5 %", frozenset({"text", "number"}), quantity=True),
]


def format_time(ns: float) -> str:
    """Return a time with three decimals in the unit that suits it: ``8.090 ms``; ``n/a`` for NaN."""
    if not math.isfinite(ns):
        return "n/a"
    whole = round(ns)
    if abs(whole) < 1000:
        return f"{whole} ns"
    sign = "-" if whole < 0 else ""
    for unit, size in (("us", 10**3), ("ms", 10**6), ("s", 10**9)):
        thousandths = round(Fraction(abs(whole) * 1000, size))
        # 999.9996 us is 1.000 ms
        if thousandths < 1_000_000 or unit == "s":
            break
    return f"{sign}{thousandths // 1000}.{thousandths % 1000:03d} {unit}"


def format_frequency(hz: int) -> str:
    """Return a frequency exactly, in MHz as the makers of SoCs do: ``1800 MHz``."""
    for unit, digits in (("MHz", 6), ("kHz", 3)):
        if hz >= 10**digits:
            whole, part = divmod(hz, 10**digits)
            return f"{whole}.{part:0{digits}d}".rstrip("0").rstrip(".") + f" {unit}"
    return f"{hz} Hz"


def format_rate(rate: Fraction | float) -> str:
    """Return frames per second with up to six digits: ``29.97 fps``; ``n/a`` for NaN."""
    return f"{float(rate):.6g} fps" if math.isfinite(rate) else "n/a"
