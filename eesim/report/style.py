"""How figures look: one palette that colour-blind readers and black-and-white printers can tell apart."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8C8C8C"
PALE = "#E8E8E8"

CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW)
"""The palette of Okabe and Ito (2008) without black, neighbours far apart."""

DASHES = ("-", "--", "-.", ":")
"""Told apart in print where the colours come round again."""

SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "hatch.linewidth": 0.6,
    "savefig.dpi": 150,
    "svg.hashsalt": "eesim",
    "svg.fonttype": "path",
}
"""Settings that stand above Matplotlib's own defaults, whatever the user's are."""


def colour(index: int) -> str:
    """Return the colour of the ``index``-th of several things."""
    return CYCLE[index % len(CYCLE)]


def dashes(index: int) -> str:
    """Return the line style of the ``index``-th of several things."""
    return DASHES[index // len(CYCLE) % len(DASHES)]


def lighter(hex_colour: str, share: float) -> str:
    """Return a colour mixed with a share of white."""
    parts = (int(hex_colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * share):02X}" for part in parts)


def ink_on(hex_colour: str) -> str:
    """Return black or white: what can be read on a colour (relative luminance, ITU-R BT.709)."""
    red, green, blue = (int(hex_colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return BLACK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "#FFFFFF"


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Return the width of a text in points, set in the figures' font."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans")).get_extents().width)


def light_grid(axes: Axes, axis: str) -> None:
    """Draw faint lines along one axis."""
    axes.grid(axis=axis, color="#D9D9D9", linewidth=0.6)  # type: ignore[arg-type]
