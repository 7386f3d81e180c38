"""Intervals below each other: points with their reach, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eesim.report.html.parts import Chart, Key
from eesim.report.html.plot import Plot, row_plot
from eesim.report.html.svg import widened
from eesim.report.numbers import number
from eesim.report.style import BLACK, BLUE, ORANGE

FAR = 4
"""Rows that reach beyond so many times the others' are cut off at the edge, and their value is written there."""

COLOURS = (BLUE, ORANGE)


class Interval(NamedTuple):
    """One row: a point, its interval, what it says under the pointer. ``series`` chooses its colour."""

    label: str
    value: float
    low: float
    high: float
    hint: str
    hollow: bool = False
    series: int = 0


def forest(
    rows: Sequence[Interval], x_title: str, caption: str, *, zero: bool = False, series: Sequence[str] = ()
) -> Chart:
    """Return a chart of intervals; rows with the same label share a line.

    Parameters
    ----------
    rows
        At least one.
    x_title
        What the axis shows.
    caption
        Below the chart.
    zero
        Mark zero, and let the axis reach it.
    series
        Names of several series, for the legend.
    """
    labels = list(dict.fromkeys(row.label for row in rows))
    low, high = _reach(rows) if zero else (min(row.low for row in rows), max(row.high for row in rows))
    told = "; ".join(row.hint for row in rows[:12])
    plot = row_plot(f"Points with intervals. {told}", labels, widened(low, high), x_title=x_title)
    if zero:
        plot.upright(0, BLACK)
    for row in rows:
        y = labels.index(row.label) + 0.5
        y += (row.series - (len(series) - 1) / 2) * 0.3 if series else 0
        _draw(plot, row, y)
    legend = [Key(name, COLOURS[i % 2], "point") for i, name in enumerate(series)]
    return Chart(plot.svg(), caption, legend)


def _reach(rows: Sequence[Interval]) -> tuple[float, float]:
    """Return the range of the axis, zero included, without what lies far outside of the rest."""
    sizes = np.array([max(abs(row.low), abs(row.high)) for row in rows])
    near = sizes <= max(FAR * float(np.quantile(sizes, 0.75)), 1e-300)
    kept = [row for row, fits in zip(rows, near.tolist(), strict=True) if fits] or list(rows)
    return min(0.0, *(row.low for row in kept)), max(0.0, *(row.high for row in kept))


def _draw(plot: Plot, row: Interval, y: float) -> None:
    color = COLOURS[row.series % 2]
    if plot.x.low <= row.value <= plot.x.high:
        plot.line([(row.low, y), (row.high, y)], color, width=2)
        plot.dot(row.value, y, color, row.hint, hollow=row.hollow)
        return
    edge, sign, anchor = (plot.x.high, "→", "end") if row.value > plot.x.high else (plot.x.low, "←", "start")
    text = f"{number(row.value)} {sign}" if sign == "→" else f"{sign} {number(row.value)}"
    plot.write(edge, y, text, anchor=anchor, color=color)
