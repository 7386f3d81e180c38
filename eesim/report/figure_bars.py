"""Where processing elements spend their time, and frames their energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from eesim.metrics.energy import TERMS
from eesim.report.numbers import percent, with_unit
from eesim.report.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    ink_on,
    light_grid,
    text_width,
)
from eesim.report.words import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eesim.metrics.result import Result

TEXT = 8
"""Size of the text in bars, points."""


_TERM_LOOKS = {
    "base": (GREY, ""),
    "idle": (SKY, ".."),
    "compute": (BLUE, ""),
    "host": (ORANGE, "////"),
    "transfer": (GREEN, "\\\\\\\\"),
}
"""Colour and hatching of each term of the energy."""


class Part(NamedTuple):
    """One kind of piece that stacked bars are made of."""

    label: str
    color: str
    hatch: str
    values: Sequence[float]


def utilisation_figure(result: Result) -> Figure:
    """Draw how each PE and link spends its time: work that answers needed, wasted work, blocked, idle."""
    names = result.lowered.labels.resources
    busy = np.array([result.value(f"utilisation.{name}") or 0.0 for name in names])
    blocked = np.array([result.value(f"blocked_share.{name}") or 0.0 for name in names])
    wasted = np.minimum(wasted_shares(result), busy)
    parts = [
        Part("work that answers needed", BLUE, "", (busy - wasted).tolist()),
        Part("wasted work", ORANGE, "////", wasted.tolist()),
        Part("blocked", PURPLE, "xxxx", blocked.tolist()),
        Part("idle", PALE, "", np.maximum(1 - busy - blocked, 0).tolist()),
    ]
    shown = [part for part in parts if max(part.values) > 0 or part.label == "wasted work"]
    figure = Figure(figsize=(8, 1.8 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    _stack(axes, shown, scale=100, unit="%", room=450)
    axes.set_yticks(range(len(names)), [shortened(name, 20) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of time, %")
    axes.set_title("How processing elements spend their time")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def wasted_shares(result: Result) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Share of its time that each resource spends on work that no answer needed, (R,)."""
    names, plan = result.lowered.labels.resources, result.lowered.plan
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources)
    wasted_ms = np.array([result.value(f"wasted_ms_per_frame.{name}") or 0.0 for name in names])
    answered = _answers_per_second(result)
    if answered is None:
        # Not one answer: all work was for frames that were dropped.
        return np.array([result.value(f"utilisation.{name}") or 0.0 for name in names])
    ended = answered / (1 - (result.value("drop_rate") or 0.0))
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = wasted_ms * ended / 1000 / servers
    return shares


def _answers_per_second(result: Result) -> float | None:
    """Answers per second of the whole window, its end included, where the last tasks run dry."""
    power, energy = result.value("power_mw"), result.value("energy_mj_per_frame.total")
    return power / energy if power and energy else result.value("throughput_fps")


def energy_figure(result: Result) -> Figure | None:
    """Draw the energy of an answered frame by term; None if no frame was answered."""
    total = result.value("energy_mj_per_frame.total")
    if total is None:
        return None
    parts = []
    for term in TERMS:
        value = result.value(f"energy_mj_per_frame.{term}") or 0.0
        share = f", {percent(value / total)}" if total else ""
        parts.append(Part(f"{term}: {with_unit(value, 'mJ')}{share}", *_TERM_LOOKS[term], [value]))
    figure = Figure(figsize=(8, 2.3), layout="constrained")
    axes = figure.subplots()
    _stack(axes, parts, scale=1, unit="mJ", room=500)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, total or 1)
    axes.set_xlabel("energy per answered frame, mJ")
    power = with_unit(result.value("power_mw"), "mW")
    axes.set_title(f"Energy per answered frame: {with_unit(total, 'mJ')} at {power} on average")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _stack(axes: Axes, parts: Sequence[Part], *, scale: float, unit: str, room: float) -> None:
    """Stack parts to horizontal bars and write values where they fit.

    Parameters
    ----------
    axes
        Where to.
    parts
        From left to right.
    scale
        Factor from values to the axis.
    unit
        Unit of the axis.
    room
        Width of the axes, points.
    """
    rows = range(len(parts[0].values))
    left = [0.0 for _ in rows]
    longest = max(sum(values) for values in zip(*(part.values for part in parts), strict=True)) * scale or 1
    for part in parts:
        widths = [value * scale for value in part.values]
        edge = "white" if part.color != PALE else "#BBBBBB"
        looks = {"color": part.color, "hatch": part.hatch, "edgecolor": edge, "linewidth": 0.5}
        axes.barh(rows, widths, left=left, height=0.62, label=part.label, **looks)  # type: ignore[arg-type]
        for row, width, start in zip(rows, widths, left, strict=True):
            text = with_unit(width, unit, 3)
            if width > 0 and text_width(text, TEXT) + 6 < width / longest * room:
                _write(axes, start + width / 2, row, text, part)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    light_grid(axes, "x")


def _write(axes: Axes, x: float, row: int, text: str, part: Part) -> None:
    """Write a value into its bar; hatching leaves a clear place for it."""
    box = {"facecolor": part.color, "edgecolor": "none", "pad": 1.2} if part.hatch else None
    axes.text(x, row, text, ha="center", va="center", fontsize=TEXT, color=ink_on(part.color), bbox=box)
