"""Intervals below each other: points with their reach, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eesim.report.html.parts import Chart, Key
from eesim.report.html.plot import row_plot
from eesim.report.html.svg import widened
from eesim.report.style import BLACK, BLUE, ORANGE


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
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    reach = (min(low, 0), max(high, 0)) if zero else (low, high)
    told = "; ".join(row.hint for row in rows[:12])
    plot = row_plot(f"Points with intervals. {told}", labels, widened(*reach), x_title=x_title)
    if zero:
        plot.upright(0, BLACK)
    colours = (BLUE, ORANGE)
    for row in rows:
        y = labels.index(row.label) + 0.5
        y += (row.series - (len(series) - 1) / 2) * 0.3 if series else 0
        color = colours[row.series % 2]
        plot.line([(row.low, y), (row.high, y)], color, width=2)
        plot.dot(row.value, y, color, row.hint, hollow=row.hollow)
    legend = [Key(name, colours[i % 2], "point") for i, name in enumerate(series)]
    return Chart(plot.svg(), caption, legend)
