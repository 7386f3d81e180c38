"""Figures of an exploration: how the search converged, and the front that it found."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from eesim.explore.exploration import Exploration
from eesim.explore.objectives import OBJECTIVES
from eesim.report.figure_units import UNITS
from eesim.report.style import BLUE, GREY, VERMILLION


def axis_label(objective: str) -> str:
    """Name and unit of an objective."""
    metric = OBJECTIVES[objective][0]
    unit = UNITS.get(metric.partition(".")[0], "ms" if metric == "period_ms" else "")
    return objective.replace("_", " ") + (f", {unit}" if unit else "")


def convergence_figure(exploration: Exploration) -> Figure | None:
    """Draw the best feasible value (or the size of the front) against evaluations; None for a search of one step."""
    history = exploration.search.history
    if len(history) < 2:
        return None
    names = exploration.evaluator.objective_names
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    evaluations = [step.evaluations for step in history]
    if len(names) == 1:
        sign = OBJECTIVES[names[0]][1]
        axes.step(evaluations, [sign * step.best for step in history], where="post", color=BLUE)
        axes.set_ylabel(f"best so far: {axis_label(names[0])}")
        bound = exploration.certificate.lower_bound
        if bound is not None and exploration.certificate.kind == "within gap":
            axes.axhline(sign * bound, color=VERMILLION, linestyle="--", label="bound")
            axes.legend(frameon=False)
    else:
        axes.step(evaluations, [step.front for step in history], where="post", color=BLUE)
        axes.set_ylabel("designs on the front")
    axes.set_xlabel("designs evaluated")
    axes.set_title(f"{exploration.algorithm}: {exploration.certificate}", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def front_figure(exploration: Exploration) -> Figure | None:
    """Draw all feasible designs and the front in the first two objectives; None for a single objective."""
    names = exploration.evaluator.objective_names
    if len(names) < 2:
        return None
    signs = np.array([OBJECTIVES[name][1] for name in names])
    visited = exploration.search.memo.visited
    feasible = (visited.violations == 0).all(axis=1) & np.isfinite(visited.objectives).all(axis=1)
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    cloud, front = visited.objectives[feasible] * signs, exploration.found.objectives * signs
    axes.plot(cloud[:, 0], cloud[:, 1], ".", color=GREY, markersize=2, alpha=0.5, label="feasible", rasterized=True)
    order = np.argsort(front[:, 0])
    axes.step(front[order, 0], front[order, 1], "o-", where="post", color=VERMILLION, markersize=4, label="front")
    axes.set_xlabel(axis_label(names[0]))
    axes.set_ylabel(axis_label(names[1]))
    if len(front) > 1:
        spread = np.ptp(front[:, :2], axis=0)
        axes.set_xlim(front[:, 0].min() - 0.1 * spread[0], front[:, 0].max() + 1.5 * spread[0])
        axes.set_ylim(front[:, 1].min() - 0.1 * spread[1], front[:, 1].max() + 1.5 * spread[1])
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
