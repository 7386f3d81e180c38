"""Figures of a sensitivity: tornado and Sobol's indices; and of candidates on plausible boards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from eesim.report.differences import scale_of, value_text
from eesim.report.style import BLUE, GREY, ORANGE, SKY, VERMILLION, light_grid
from eesim.report.words import shortened
from eesim.whatif.metrics import unit, words
from eesim.wording import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eesim.whatif.ranking import Ranking
    from eesim.whatif.sensitivity import Sensitivity
    from eesim.whatif.tornado import Parameter

_LOW: dict[str, Any] = {"facecolor": ORANGE, "hatch": "////", "edgecolor": "white", "linewidth": 0.5}
_HIGH: dict[str, Any] = {"facecolor": BLUE, "edgecolor": "white", "linewidth": 0.5}

MOST_BARS = 20
NAME = 48

MANY_DIGITS = 1e5
"""From here on five digits would be written with an exponent."""


def tornado_figure(found: Sensitivity, metric: str) -> Figure | None:
    """Draw how far each input moves a metric at its low and its high end; None if nothing does."""
    moved = [p for p in found.with_status("effect") if p.effects[metric].swing > 0]
    moved.sort(key=lambda parameter: -parameter.effects[metric].swing)
    shown, base = moved[:MOST_BARS], found.base[metric].value
    if not shown or base is None:
        return None
    scale = scale_of(metric)
    figure = Figure(figsize=(8.5, 1.6 + 0.32 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for y, parameter in enumerate(shown):
        _bars(axes, parameter, metric, y, base * scale, scale)
    axes.axvline(base * scale, color="black", linewidth=1)
    axes.set_yticks(range(len(shown)), [shortened(parameter.path, NAME) for parameter in shown], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.margins(x=0.2)
    axes.set_xlabel(f"{words(metric)}, {unit(metric) or '%'}")
    axes.set_title(f"One input at a time around {words(metric)} = {value_text(metric, base)}")
    light_grid(axes, "x")
    left = len(moved) - len(shown)
    silent = len(found.with_status("no effect", "not read"))
    title = f"{count(silent, 'input')} without effect" + (f"; {left} more move it less" if left else "")
    keys = [Patch(**_LOW, label="input at its low end"), Patch(**_HIGH, label="input at its high end")]
    figure.legend(handles=keys, loc="outside lower center", ncols=2, title=title, title_fontsize=8)
    return figure


def _bars(axes: Axes, parameter: Parameter, metric: str, y: int, base: float, scale: float) -> None:
    """Draw the two bars of an input, and the values it takes at their ends."""
    effect, ends = parameter.effects[metric], (parameter.span.low, parameter.span.high)
    values = [None if at is None else at * scale - base for at in (effect.at_low, effect.at_high)]
    # The shorter bar on top, where both ends lie on one side.
    for width, look in sorted(zip(values, (_LOW, _HIGH), strict=True), key=lambda pair: -abs(pair[0] or 0)):
        if width:
            axes.barh(y, width, left=base, height=0.62, **look)
    same_side = None not in values and np.sign(values[0] or 0) == np.sign(values[1] or 0)
    for width, end in zip(values, ends, strict=True):
        if not width or end is None or (same_side and abs(width) < max(abs(v or 0) for v in values)):
            continue
        value = float(end.number)
        text = (f"{value:,.0f}" if abs(value) >= MANY_DIGITS else f"{value:.5g}") + f" {end.unit}".rstrip()
        side = "left" if width > 0 else "right"
        offset = 3 if width > 0 else -3
        axes.annotate(
            text, (base + width, y), (offset, 0), textcoords="offset points", ha=side, va="center", fontsize=7
        )


def sobol_figure(found: Sensitivity, metric: str) -> Figure | None:
    """Draw first-order and total indices with their intervals; None if there are none."""
    if found.sobol is None:
        return None
    rows = found.sobol.indices[metric][:MOST_BARS]
    figure = Figure(figsize=(8.5, 1.6 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    kinds = (("alone (first order)", "o", BLUE, -0.14), ("with all others (total)", "s", ORANGE, 0.14))
    for kind, (label, marker, tint, offset) in enumerate(kinds):
        points = [(row.first, row.total)[kind] for row in rows]
        middle = np.array([point.value or 0.0 for point in points])
        low = np.array([middle[i] if p.ci_low is None else p.ci_low for i, p in enumerate(points)])
        high = np.array([middle[i] if p.ci_high is None else p.ci_high for i, p in enumerate(points)])
        error = np.maximum([middle - low, high - middle], 0)
        y = np.arange(len(rows)) + offset
        axes.errorbar(middle, y, xerr=error, fmt=marker, color=tint, markersize=5, capsize=2.5, label=label)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(range(len(rows)), [shortened(row.path, NAME) for row in rows], fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("share of the variance")
    deviation = value_text(metric, found.sobol.standard_deviation[metric])
    axes.set_title(f"What makes {words(metric)} vary (standard deviation {deviation})")
    light_grid(axes, "x")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def ranking_figure(found: Ranking) -> Figure:
    """Draw how often each candidate is best, with its interval, and how the metric spreads over the boards."""
    rows = found.candidates
    figure = Figure(figsize=(8.5, 1.7 + 0.42 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    share = np.array([100 * (row.best.value or 0.0) for row in rows])
    low = np.array([100 * (row.best.ci_low or 0.0) for row in rows])
    high = np.array([100 * (row.best.ci_high or 0.0) for row in rows])
    y = np.arange(len(rows))
    error = np.maximum([share - low, high - share], 0)
    left.barh(y, share, height=0.6, color=BLUE, xerr=error, error_kw={"capsize": 3, "ecolor": VERMILLION})
    left.set_xlim(0, 100)
    left.set_xlabel("best on, % of plausible boards")
    left.set_title(f"{found.boards:,} plausible boards")
    scale = scale_of(found.metric)
    known = [found.values[:, found.listed.index(row.mapping)] * scale for row in rows]
    boxes = right.boxplot(
        [column[np.isfinite(column)] for column in known],
        positions=y,
        orientation="horizontal",
        whis=(2.5, 97.5),
        showfliers=False,
        widths=0.55,
        patch_artist=True,
        medianprops={"color": "black"},
    )
    for box in boxes["boxes"]:
        box.set(facecolor=SKY)
    right.set_xlabel(f"{words(found.metric)}, {unit(found.metric) or '%'} (box: half, whiskers: 95 % of boards)")
    left.set_yticks(y, [shortened(row.mapping, NAME) for row in rows])
    left.tick_params(axis="y", length=0)
    left.set_ylim(len(rows) - 0.4, -0.6)
    for axes in (left, right):
        light_grid(axes, "x")
    return figure
