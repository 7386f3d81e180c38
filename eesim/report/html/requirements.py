"""Requirements and whether they are met, for every kind of result that judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eesim.report.html.parts import Cell, Table
from eesim.report.numbers import limit, percent, with_unit
from eesim.report.words import certainty_words


def requirement_table(verdicts: Sequence[Mapping[str, Any]], of: str = "") -> Table:
    """Return the table of verdicts, as `eesim.metrics.requirements.Verdict.as_dict` gives them."""
    head = ["requirement", "verdict", "is", "must be", "margin", "interval lies"]
    return Table(f"Requirements{of}: what was asked for, and what is", head, [_row(v) for v in verdicts], "llrlrl")


def _row(verdict: Mapping[str, Any]) -> list[str | Cell]:
    unit = verdict["unit"]
    name = f"{verdict.get('stream', '')}: {verdict['name']}".removeprefix(": ").replace("_", " ")
    met = verdict["met"]
    return [
        name,
        Cell("met" if met else "NOT MET", "good" if met else "bad"),
        _shown(verdict["value"], unit),
        f"{'≤' if verdict['is_ceiling'] else '≥'} {limit(verdict['limit'], unit)}",
        _shown(verdict["margin"], unit),
        certainty_words(verdict["sure"]),
    ]


def _shown(value: float | None, unit: str) -> str:
    return percent(value) if unit == "" else with_unit(value, unit)
