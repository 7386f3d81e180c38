"""Figures of a validation: parity, errors by feature, error budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from eesim.report.style import BLACK, BLUE, GREY, ORANGE, VERMILLION, colour, light_grid, lighter
from eesim.validate.budget import BudgetRow
from eesim.validate.residuals import ResidualRow
from eesim.validate.suites import QUANTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DENSE = 3000
"""Points of one network beyond which their density is drawn instead."""
FEW = 50
"""Points that are so few that a rim helps to tell them apart."""
MARKERS = "osD^vP"
BAND = 0.1
TICK_GAP = 0.14
"""Least distance of two ticks, as a share of the axis: their numbers must not touch."""
DENSITY = LinearSegmentedColormap.from_list("density", [lighter(BLUE, 0.85), BLUE, BLACK])
MAIN = {"switch": ("time", "energy"), "pipeline": ("period", "latency", "power")}
FEATURES = {
    "switch": ("PE changes", "slowest PE", "campaign"),
    "pipeline": ("PE changes", "slowest PE", "mean utilisation", "computes and hosts"),
}


def parity_figure(table: pd.DataFrame, suite: str) -> Figure | None:
    """Draw predicted against measured values, a panel per quantity; None if nothing was predicted.

    Parameters
    ----------
    table
        Of `eesim.validate.answer.prediction_table`.
    suite
        ``switch`` or ``pipeline``.
    """
    own = table[(table["suite"] == suite) & table["predicted"].notna()]
    quantities = [name for name in QUANTITIES if name in set(own["quantity"])]
    if not quantities:
        return None
    columns = len(quantities) if len(quantities) < 4 else 2
    rows = -(-len(quantities) // columns)
    figure = Figure(figsize=(3.7 * columns, 3.5 * rows + 0.7), layout="constrained")
    panels: Any = figure.subplots(rows, columns, squeeze=False)
    handles: dict[str, Any] = {}
    graphs = sorted(set(own["graph"]))
    for axes, quantity in zip(panels.flat, quantities, strict=False):
        part = own[own["quantity"] == quantity]
        handles |= _parity(axes, part, graphs)
        unit = part["unit"].iloc[0]
        error = part["error_pct"].abs().mean()
        axes.set_title(f"{quantity}: n = {len(part):,}, MAPE {error:.2f} %", fontsize=9)
        axes.set_xlabel(f"measured {quantity}, {unit}")
        axes.set_ylabel(f"predicted {quantity}, {unit}")
    for axes in panels.flat[len(quantities) :]:
        axes.set_visible(False)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 4))
    return figure


def _parity(axes: Axes, part: pd.DataFrame, graphs: Sequence[str]) -> dict[str, Any]:
    """Draw one panel; return what its legend needs."""
    x, y = part["measured"], part["predicted"]
    low, high = min(x.min(), y.min()) * 0.9, max(x.max(), y.max()) * 1.1
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = np.array([low, high])
    axes.fill_between(ends, ends * (1 - BAND), ends * (1 + BAND), color=lighter(GREY, 0.75), linewidth=0, zorder=0)
    (line,) = axes.plot(ends, ends, color=BLACK, linewidth=0.7, zorder=1)
    found: dict[str, Any] = {}
    for k, graph in enumerate(graphs):
        rows = part[part["graph"] == graph]
        if len(rows) > DENSE:
            bins = axes.hexbin(
                rows["measured"],
                rows["predicted"],
                xscale="log",
                yscale="log",
                gridsize=70,
                norm=LogNorm(),
                cmap=DENSITY,
                linewidths=0,
                extent=tuple(np.log10([low, high, low, high])),
                zorder=2,
                rasterized=True,
            )
            bar = cast(Any, axes.figure).colorbar(bins, cax=axes.inset_axes((1.03, 0, 0.03, 1)))
            bar.set_label(f"runs of {graph}", fontsize=7)
            bar.outline.set_visible(False)
        elif len(rows):
            shown = axes.scatter(
                rows["measured"],
                rows["predicted"],
                s=14,
                marker=MARKERS[k % len(MARKERS)],
                facecolors=colour(k),
                edgecolors="white" if len(rows) < FEW else "none",
                linewidths=0.3,
                alpha=0.75,
                zorder=3,
                rasterized=True,
            )
            found[f"{graph} ({len(rows)})"] = shown
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    _plain_ticks(axes)
    axes.set_aspect("equal")
    return {"equal; grey: within 10 %": line} | {_graph(name): shown for name, shown in found.items()}


def _graph(name: str) -> str:
    return name.partition(" (")[0]


def _plain_ticks(axes: Axes) -> None:
    """Ticks in plain numbers: as many digits of each decade as have room."""
    low, high = axes.get_xlim()
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for digits in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 6, 8), (1, 2, 5), (1, 3), (1,)):
        ticks = np.sort(np.outer(10.0**decades, digits).ravel())
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if len(ticks) > 1 and np.diff(np.log(ticks)).min() >= TICK_GAP * np.log(high / low):
            break
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ticks.tolist()))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.set_minor_locator(NullLocator())


def residual_figure(rows: Sequence[ResidualRow], suite: str) -> Figure | None:
    """Draw the error by features, a row of panels per quantity: bias, mean and 95th percentile of the size."""
    own = [row for row in rows if row.suite == suite]
    quantities = [name for name in MAIN[suite] if any(row.quantity == name for row in own)]
    features = [name for name in FEATURES[suite] if any(row.feature == name for row in own)]
    if not own:
        return None
    figure = Figure(figsize=(3.1 * len(features), 2.6 * len(quantities) + 0.4), layout="constrained")
    panels: Any = figure.subplots(len(quantities), len(features), squeeze=False, sharey="row", sharex="col")
    for i, quantity in enumerate(quantities):
        for k, feature in enumerate(features):
            part = [row for row in own if row.quantity == quantity and row.feature == feature]
            _levels(panels[i, k], part, with_names=i == len(quantities) - 1)
            if i == 0:
                panels[i, k].set_title(feature)
        panels[i, 0].set_ylabel(f"error of {quantity}, %")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _levels(axes: Axes, rows: Sequence[ResidualRow], *, with_names: bool) -> None:
    at = np.arange(len(rows))
    axes.bar(at, [row.p95_ape_pct for row in rows], color=lighter(GREY, 0.6), width=0.7, label="size, 95th percentile")
    axes.bar(at, [row.mape_pct for row in rows], color=lighter(BLUE, 0.35), width=0.7, label="size, mean (MAPE)")
    axes.plot(at, [row.bias_pct for row in rows], "D", color=VERMILLION, markersize=4, label="mean with sign (bias)")
    axes.axhline(0, color=BLACK, linewidth=0.7)
    light_grid(axes, "y")
    axes.set_xticks(at)
    if with_names:
        names = [f"{row.level} ({row.n:,})" for row in rows]
        axes.set_xticklabels(names, rotation=40, ha="right", rotation_mode="anchor", fontsize=7)


def budget_figure(rows: Sequence[BudgetRow]) -> Figure | None:
    """Draw the mean error with all terms and without each, a panel per suite, pool and main quantity."""
    panels_of: dict[tuple[str, str, str], list[BudgetRow]] = {}
    for row in rows:
        if row.quantity in MAIN[row.suite]:
            panels_of.setdefault((row.suite, row.graph, row.quantity), []).append(row)
    if not panels_of:
        return None
    columns = min(len(panels_of), 4)
    lines = -(-len(panels_of) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.3 * lines + 0.5), layout="constrained")
    panels: Any = figure.subplots(lines, columns, squeeze=False)
    for axes, (key, own) in zip(panels.flat, panels_of.items(), strict=False):
        at = np.arange(len(own))
        axes.barh(at, [row.mape_off_pct for row in own], color=lighter(ORANGE, 0.2), height=0.65, label="without it")
        axes.axvline(own[0].mape_pct, color=BLUE, linewidth=1.4, label="all terms")
        axes.set_yticks(at, [row.term.replace("_", " ") for row in own])
        axes.invert_yaxis()
        axes.set_title(f"{key[0]}, {key[1]}: {key[2]}")
        light_grid(axes, "x")
    for axes in panels.flat[len(panels_of) :]:
        axes.set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("MAPE, %")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
