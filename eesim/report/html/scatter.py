"""Clouds of points: each with its hint where there are few, their density where there are many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eesim.base import FloatArray
from eesim.report.html.plot import Plot
from eesim.report.style import lighter

FEW = 600
"""Points that are drawn one by one; more would make the page heavy, and hide each other."""
BINS = 56
SHADES = 6


def cloud(
    plot: Plot, x: FloatArray, y: FloatArray, color: str, hints: Sequence[str] = (), *, what: str = "points"
) -> None:
    """Draw points one by one, or squares that are the darker the more lie in them.

    Parameters
    ----------
    plot
        Where to.
    x, y
        Values, (N,).
    color
        Of the points.
    hints
        What each says under the pointer; nothing if empty.
    what
        What they are, in the hints of squares.
    """
    if len(x) <= FEW:
        for i in range(len(x)):
            plot.dot(float(x[i]), float(y[i]), color, hints[i] if hints else "", radius=2.6)
        return
    across, up = _place(x, plot.x.low, plot.x.high, plot.x.log), _place(y, plot.y.low, plot.y.high, plot.y.log)
    inside = (across >= 0) & (across < BINS) & (up >= 0) & (up < BINS)
    places, counts = np.unique(across[inside] * BINS + up[inside], return_counts=True)
    most = np.log(counts.max() + 1) if len(counts) else 1.0
    for place, count in zip(places.tolist(), counts.tolist(), strict=True):
        column, row = divmod(place, BINS)
        shade = round(float(np.log(count + 1) / most) * SHADES) / SHADES
        tint = lighter(color, 0.75 * (1 - shade))
        x0, x1 = (_edge(k, plot.x.low, plot.x.high, plot.x.log) for k in (column, column + 1))
        y0, y1 = (_edge(k, plot.y.low, plot.y.high, plot.y.log) for k in (row, row + 1))
        plot.bar(x0, x1, y0, y1, tint, f"{count:,} {what}")


def _place(values: FloatArray, low: float, high: float, log: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if log:
        values, low, high = np.log(values), float(np.log(low)), float(np.log(high))
    return np.floor((values - low) / (high - low) * BINS).astype(np.int64)


def _edge(k: int, low: float, high: float, log: bool) -> float:
    share = k / BINS
    return float(low * (high / low) ** share) if log else low + share * (high - low)


def robust_range(values: FloatArray, core: FloatArray, share: float = 1.5) -> tuple[float, float]:
    """Return a range that shows a core (such as a front) whole, and of the rest what is near."""
    low, high = float(core.min()), float(core.max())
    if len(values) == 0:
        return low, high
    spread = high - low or abs(high) or 1.0
    return max(float(values.min()), low - share * spread), min(float(values.max()), high + share * spread)
