"""Figure of a comparison: every metric's difference in percent of A's value, replication by replication."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from eesim.report.comparison_table import letter
from eesim.report.differences import difference_text, interval_text
from eesim.report.style import GREY, colour, light_grid, lighter
from eesim.report.words import shortened
from eesim.whatif.comparison import Comparison, MetricDifference
from eesim.whatif.metrics import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vP*X"
SPREAD = 0.36
"""Height that the variants of one metric share, rows."""

MOST_TEXT = 3
"""Variants up to which numbers stand beside the points."""


def difference_figure(comparison: Comparison) -> Figure | None:
    """Draw the paired differences of all metrics that have a value other than 0 in A; None if none has.

    Points are means with their intervals, filled where the difference is significant; small dots are the replications'
    own differences.
    """
    names = [found.metric for found in comparison.variants[0].metrics if found.paired.a.value]
    if not names:
        return None
    variants = comparison.variants
    figure = Figure(figsize=(8.5, 1.7 + 0.33 * len(names) * max(1, 0.6 * len(variants))), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=1)
    for v, variant in enumerate(variants):
        offset = (v - (len(variants) - 1) / 2) * SPREAD * 2 / max(len(variants), 1)
        rows = {found.metric: found for found in variant.metrics}
        for y, name in enumerate(names):
            _draw(axes, comparison, v, rows[name], y + offset)
        label = shortened(f"{letter(v + 1)}: {variant.label}", 100)
        axes.plot([], [], MARKERS[v % len(MARKERS)], color=colour(v), label=label)
    axes.set_yticks(range(len(names)), [words(name) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("difference from A, % of A's value (hollow: no difference visible)")
    axes.set_title(
        f"Paired differences, {comparison.replications} replications, {100 * comparison.confidence:g} % intervals"
    )
    light_grid(axes, "x")
    figure.legend(loc="outside lower left", ncols=1)
    return figure


def _draw(axes: Axes, comparison: Comparison, v: int, found: MetricDifference, y: float) -> None:
    """Draw one metric of one variant."""
    both = found.paired
    if not both.a.value or both.difference.value is None:
        return
    scale = 100 / abs(both.a.value)
    pairs = zip(comparison.result.replications, comparison.variants[v].result.replications, strict=True)
    single = np.array([b.values[found.metric] - a.values[found.metric] for a, b in pairs]) * scale
    axes.plot(single, np.full(len(single), y), ".", color=lighter(colour(v), 0.5), markersize=3, zorder=2)
    mean = both.difference.value * scale
    low = both.difference.ci_low if both.difference.ci_low is not None else both.difference.value
    high = both.difference.ci_high if both.difference.ci_high is not None else both.difference.value
    fill = colour(v) if found.significant else "white"
    axes.errorbar(
        mean,
        y,
        xerr=[[mean - low * scale], [high * scale - mean]],
        fmt=MARKERS[v % len(MARKERS)],
        color=colour(v),
        markerfacecolor=fill,
        markersize=5,
        capsize=2.5,
        zorder=3,
    )
    if len(comparison.variants) <= MOST_TEXT:
        text = f"{difference_text(found.metric, both.difference)} {interval_text(found.metric, both.difference)}"
        axes.text(1.01, y, text.strip(), transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
