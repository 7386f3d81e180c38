"""Charts of explorations: the front among everything that was evaluated, and how the search went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.report.html.folder import Folder
from eesim.report.html.objectives import axis_title, sign_of, value_words
from eesim.report.html.parts import Chart, Key
from eesim.report.html.plot import Plot
from eesim.report.html.scatter import cloud, robust_range
from eesim.report.html.svg import tick_label, widened
from eesim.report.numbers import number
from eesim.report.style import BLUE, GREY, VERMILLION

EVALUATIONS = "evaluations.parquet"

STEPS = 800
"""Corners of a convergence curve."""


class Evaluated(NamedTuple):
    """Objectives of all designs in the order of evaluation, and which of them meet the constraints."""

    values: dict[str, FloatArray]
    feasible: np.ndarray[tuple[int], np.dtype[np.bool_]]


class Design(NamedTuple):
    """A point on the front: its name and both objectives."""

    x: float
    y: float
    name: str


def evaluations(folder: Folder, names: Sequence[str]) -> Evaluated | None:
    """Read what was evaluated; None if the folder does not have it."""
    schema = folder.schema(EVALUATIONS)
    if schema is None:
        return None
    limits = [name for name in schema.names if name.startswith("violation_")]
    table = folder.table(EVALUATIONS, [*names, *limits])
    if table is None:
        return None
    values = {name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in names}
    good = np.ones(table.num_rows, dtype=np.bool_)
    for name in limits:
        good &= np.asarray(table[name].to_numpy()) == 0
    for mine in values.values():
        good &= np.isfinite(mine)
    return Evaluated(values, good)


def front_chart(folder: Folder, designs: Sequence[Mapping[str, Any]], names: tuple[str, str], label: Any) -> Chart:
    """Return the front in two objectives, among the other feasible designs.

    Parameters
    ----------
    folder
        Where the evaluated designs are, if they were kept.
    designs
        On the front, with their objectives by name.
    names
        Of the two objectives.
    label
        Function that names a design.
    """
    x, y = names
    front = sorted(Design(d[x], d[y], label(d)) for d in designs if d[x] is not None and d[y] is not None)
    fx, fy = np.array([p.x for p in front]), np.array([p.y for p in front])
    found = evaluations(folder, names)
    cx, cy = (found.values[name][found.feasible] for name in names) if found else (fx, fy)
    across, up = (widened(*robust_range(np.append(c, f), f)) for c, f in ((cx, fx), (cy, fy)))
    told = "; ".join(f"{p.name}: {number(p.x)}, {number(p.y)}" for p in front[:8])
    title = f"{x} against {y}".replace("_", " ")
    plot = Plot(f"Front: {title}. {told}", across, up, x_title=axis_title(x), y_title=axis_title(y), left=66)
    legend = [Key("on the front", VERMILLION, "point")]
    if found:
        near = (cx >= across[0]) & (cx <= across[1]) & (cy >= up[0]) & (cy <= up[1])
        cloud(plot, cx[near], cy[near], GREY, what="feasible designs")
        legend.append(Key("other feasible designs (darker: more)", GREY, "point"))
    if len(designs[0].keys() & {name for name in designs[0] if sign_of(name) is not None}) == 2:
        # Of more than two objectives, the front is no line in any two of them.
        plot.steps([(p.x, p.y) for p in front], VERMILLION, width=1.4)
    for p in front:
        hint = f"{p.name}\n{axis_title(x)}: {tick_label(p.x)}\n{axis_title(y)}: {tick_label(p.y)}"
        plot.dot(p.x, p.y, VERMILLION, hint)
    return Chart(plot.svg(), title[0].upper() + title[1:], legend)


def convergence_chart(found: Evaluated, name: str, bound: float | None) -> Chart:
    """Return the best feasible value after so many evaluations.

    Parameters
    ----------
    found
        At least one design must be feasible.
    name
        Of the objective.
    bound
        What no design can beat, if it is known.
    """
    sign, (values, good) = sign_of(name) or 1, found
    best = np.minimum.accumulate(np.where(good, sign * values[name], np.inf))
    at = np.flatnonzero(best < np.append(np.inf, best[:-1]))
    at = at[:: -(-len(at) // STEPS)]
    steps = [(float(i + 1), float(sign * best[i])) for i in at]
    # From the first feasible design to the end of the search.
    steps.append((float(len(best)), float(sign * best[-1])))
    ends = [y for _, y in steps] + ([bound] if bound is not None else [])
    alt = f"Best {name.replace('_', ' ')} so far: from {number(steps[0][1])} to {number(steps[-1][1])}"
    plot = Plot(
        alt, (1, max(len(best), 2)), widened(min(ends), max(ends)),
        x_title="designs evaluated", y_title=f"best so far: {axis_title(name)}", x_log=len(best) > 100, left=66,
    )  # fmt: skip
    plot.steps(steps, BLUE)
    for x, y in steps[:-1]:
        plot.dot(x, y, BLUE, f"design {x:,.0f}: {value_words(y, name)}", radius=3)
    legend = [Key("best feasible design so far", BLUE, "solid")]
    if bound is not None:
        plot.level(bound, VERMILLION, style="dash")
        legend.append(Key(f"bound {number(bound)}", VERMILLION, "dash"))
    told = f"{int(good.sum()):,} of {len(best):,} evaluated designs meet the constraints"
    return Chart(plot.svg(), f"How the search went; {told}", legend)
