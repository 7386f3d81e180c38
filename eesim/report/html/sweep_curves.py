"""Curves of sweeps: a metric along one path, a line for each combination of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eesim.report.html.metrics import titled, unit, words
from eesim.report.html.parts import Chart
from eesim.report.html.plot import STYLES, Plot
from eesim.report.html.svg import widened
from eesim.report.numbers import number
from eesim.report.style import CYCLE, colour

if TYPE_CHECKING:
    import pandas as pd

STEEP = 20
"""Ratio of the largest to the smallest value beyond which an axis is logarithmic."""


class Axis(NamedTuple):
    """One axis of the study: its values in order, as numbers where they all are some."""

    path: str
    values: Sequence[Any]
    numbers: Mapping[Any, float] | None
    unit: str


def axis_of(path: str, values: list[Any]) -> Axis:
    """Return an axis; ``30 Hz`` counts as a number where all values have the same unit."""
    found: dict[Any, float] = {}
    units = set()
    for value in values:
        amount, name = _amount(value)
        if amount is None:
            return Axis(path, values, None, "")
        found[value] = amount
        units.add(name)
    if len(units) != 1:
        return Axis(path, values, None, "")
    return Axis(path, sorted(values, key=lambda value: found[value]), found, units.pop())


def _amount(value: Any) -> tuple[float | None, str]:
    if isinstance(value, bool):
        return None, ""
    head, _, name = str(value).strip().partition(" ")
    try:
        return float(head), name
    except ValueError:
        return None, ""


def looks(others: Sequence[Axis], keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[str, str]]:
    """Colour and line style of each line: of two paths, one decides the colour and the other the style."""
    sizes = [len(axis.values) for axis in others]
    if len(others) == 2 and max(sizes) <= len(CYCLE) and min(sizes) <= len(STYLES):
        hue, dash = (0, 1) if sizes[0] >= sizes[1] else (1, 0)
        order = [list(axis.values) for axis in others]
        return {key: (colour(order[hue].index(key[hue])), STYLES[order[dash].index(key[dash])]) for key in keys}
    return {key: (colour(i), STYLES[i // len(CYCLE) % len(STYLES)]) for i, key in enumerate(keys)}


def group_name(key: tuple[Any, ...]) -> str:
    """Return what a line is called: its values of the other paths."""
    return ", ".join(map(str, key)) or "all points"


def curve_chart(
    x: Axis, lines: Mapping[Any, pd.DataFrame], styles: Mapping[Any, tuple[str, str]], metric: str
) -> Chart:
    """Return a metric along one path.

    Parameters
    ----------
    x
        The path; it has numbers.
    lines
        Points of each line, by its values of the other paths.
    styles
        Colour and line style of each.
    metric
        Flat name.
    """
    numbers, (name, scale) = x.numbers or {}, unit(metric)
    known = [value * scale for part in lines.values() for value in part[metric].dropna().tolist()]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    log = low > 0 and high / low > STEEP
    reach = (low / 1.15, high * 1.15) if log else widened(low, high)
    ends = widened(numbers[x.values[0]], numbers[x.values[-1]], 0.02)
    told = f"{words(metric)} against {x.path}, {len(lines)} lines, from {number(low)} to {number(high)} {name}"
    x_title = f"{x.path}, {x.unit}".rstrip(", ")
    plot = Plot(told, ends, reach, x_title=x_title, y_title=titled(metric), y_log=log, left=66)
    for key, part in lines.items():
        color, style = styles[key]
        found = zip(part[x.path].tolist(), part[metric].tolist(), strict=True)
        points = sorted((numbers[at], value * scale, at) for at, value in found if value == value)
        if len(points) > 1:
            plot.line([(a, b) for a, b, _ in points], color, style=style, width=1.6)
        for a, b, at in points:
            plot.dot(a, b, color, f"{group_name(key)}\n{x.path} {at}: {number(b)} {name}", radius=2.4)
    return Chart(plot.svg(), f"{words(metric)} against {x.path}{' (logarithmic scale)' if log else ''}")
