"""Objectives of explorations in words."""

from __future__ import annotations

from eesim.explore.objectives import OBJECTIVES
from eesim.report.html.metrics import unit, value_text


def sign_of(name: str) -> float | None:
    """Return +1 if less of an objective is better, -1 if more is; None if it is no objective."""
    return OBJECTIVES[name][1] if name in OBJECTIVES else None


def axis_title(name: str) -> str:
    """Return an objective in words with its unit: ``p99 latency, ms``; shares keep their scale."""
    found = unit(OBJECTIVES[name][0]) if name in OBJECTIVES else None
    of = f", {found.name}" if found and found.name and found.scale == 1 else ""
    return name.replace("_", " ") + of


def value_words(value: float | None, name: str) -> str:
    """Return a value of an objective with its unit."""
    return value_text(value, OBJECTIVES[name][0] if name in OBJECTIVES else name)
