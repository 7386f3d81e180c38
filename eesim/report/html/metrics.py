"""Names, units and estimates of metrics as a reader of a page wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from eesim.metrics.statistics import Estimate
from eesim.report.numbers import MISSING, measured, number


class Unit(NamedTuple):
    """Unit of a metric and the factor to it."""

    name: str
    scale: float = 1


PERCENT = Unit("%", 100)

_UNITS = {
    "latency_ms": Unit("ms"),
    "parts_ms": Unit("ms"),
    "exit_latency_ms": Unit("ms"),
    "exit_p99_ms": Unit("ms"),
    "period_ms": Unit("ms"),
    "wasted_ms_per_frame": Unit("ms"),
    "throughput_fps": Unit("fps"),
    "energy_mj_per_frame": Unit("mJ"),
    "active_energy_mj_per_frame": Unit("mJ"),
    "energy_delay_mj_ms": Unit("mJ·ms"),
    "power_mw": Unit("mW"),
    "exit_share": PERCENT,
    "level_share": PERCENT,
    "utilisation": PERCENT,
    "blocked_share": PERCENT,
    "accuracy": PERCENT,
    "deadline_miss_rate": PERCENT,
    "drop_rate": PERCENT,
}

_WORDS = {
    "latency_ms": "latency",
    "parts_ms": "latency by",
    "exit_latency_ms": "latency of",
    "exit_p99_ms": "p99 latency of",
    "period_ms": "period",
    "wasted_ms_per_frame": "wasted per frame on",
    "throughput_fps": "throughput",
    "energy_mj_per_frame": "energy per frame",
    "active_energy_mj_per_frame": "active energy per frame",
    "energy_delay_mj_ms": "energy-delay product",
    "power_mw": "power",
    "exit_share": "share of",
    "level_share": "answers at level",
    "blocked_share": "blocked share of",
    "batch_size": "mean batch on",
}


def split(metric: str) -> tuple[str, str, str]:
    """Return stream, kind and detail of a flat name: ``stream.front.latency_ms.p99`` → front, latency_ms, p99."""
    if not metric.startswith("stream."):
        kind, _, detail = metric.partition(".")
        return "", kind, detail
    rest = metric.removeprefix("stream.").split(".")
    # Names of streams may have points: the kind is the first known one.
    at = next((i for i, part in enumerate(rest) if i and part in _UNITS), len(rest) - 1)
    return ".".join(rest[:at]), rest[at], ".".join(rest[at + 1 :])


def unit(metric: str) -> Unit:
    """Return the unit of a metric by its flat name; an unknown one has none."""
    return _UNITS.get(split(metric)[1], Unit(""))


def words(metric: str) -> str:
    """Return a metric in words: ``p99 latency``, ``energy per frame``, ``utilisation of B``."""
    stream, kind, detail = split(metric)
    name = _WORDS.get(kind, kind.replace("_", " "))
    if kind == "latency_ms":
        text = f"{detail} {name}".strip()
    elif kind == "utilisation":
        text = f"utilisation of {detail}"
    elif kind == "energy_mj_per_frame":
        text = name if detail in ("total", "") else f"{name}, {detail}"
    else:
        text = f"{name} {detail}".strip()
    return f"{stream}: {text}" if stream else text


def titled(metric: str) -> str:
    """Return a metric in words with its unit, as axes have it: ``p99 latency, ms``."""
    name = unit(metric).name
    return f"{words(metric)}, {name}" if name else words(metric)


def estimate(data: Mapping[str, Any] | float | None) -> Estimate:
    """Return an estimate from what JSON holds: an object, a bare number, or null."""
    if isinstance(data, Mapping):
        return Estimate(data.get("value"), data.get("ci_low"), data.get("ci_high"))
    return Estimate(data)


def cells(data: Mapping[str, Any] | float | None, metric: str) -> list[str]:
    """Return value with unit, and half width of the interval, of a metric."""
    name, scale = unit(metric)
    return measured(estimate(data), name, scale=scale)


def between(low: float | None, high: float | None, scale: float = 1, significant: int = 4) -> str:
    """Return an interval: ``1.04 to 1.09``; empty where there is none."""
    if low is None or high is None:
        return ""
    a, b = number(low * scale, significant), number(high * scale, significant)
    return a if a == b else f"{a} to {b}"


def value_text(value: float | None, metric: str) -> str:
    """Return a value with its unit."""
    name, scale = unit(metric)
    return MISSING if value is None else f"{number(value * scale)} {name}".rstrip()
