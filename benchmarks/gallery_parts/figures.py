"""Pictures of docs/gallery.md, drawn from what its commands print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure

from eesim.report.style import CYCLE, DASHES, GREY, light_grid
from gallery_parts.boards import CAPS_MHZ
from gallery_parts.streams import MAPPINGS, SCENES, scene
from gallery_parts.words import LIMIT_MS, P99, confirmed, value

SIZE = (6.4, 2.9)


def hard_scenes(found: Sequence[Any]) -> Figure:
    """p99 against the frame rate, by mapping and length of scenes."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    for colour, order in zip(CYCLE, MAPPINGS[:2], strict=False):
        for dash, (length, words) in zip(DASHES, SCENES, strict=False):
            rows = scene(found[0], order, length)
            rates = rows["stream.arrivals.rate"].str.split().str[0].astype(float)
            label = f"{order}, " + ("shuffled" if length is None else f"scenes of {words}")
            axes.plot(rates, rows[P99], dash, color=colour, marker="o", markersize=3, label=label)
    axes.axhline(LIMIT_MS, color=GREY, linewidth=0.8)
    axes.set(yscale="log", ylim=(30, 500), xlabel="frame rate, fps", ylabel="p99 latency, ms")
    axes.set_yticks([30, 40, 60, 100, 200, 400], labels=["30", "40", "60", "100", "200", "400"])
    axes.minorticks_off()
    axes.set_title("Hard frames in a row: what they do to the tail")
    axes.legend(loc="upper left")
    light_grid(axes, "y")
    return figure


def thermal_cap(found: Sequence[Any]) -> Figure:
    """p99 against the cap, mapping kept or chosen anew."""
    comparison, *searches = found
    variants = comparison["variants"]
    kept = [value(P99, variants[0], "a"), *(value(P99, one) for one in variants)]
    chosen = [confirmed(one, "latency_ms", "p99") for one in searches[:-1]]
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.plot(CAPS_MHZ, kept, "--", color=CYCLE[1], marker="s", markersize=4, label="BGLGLGL kept")
    axes.plot(CAPS_MHZ, chosen, "-", color=CYCLE[0], marker="o", markersize=4, label="fastest mapping within 40 ms")
    axes.axhline(LIMIT_MS, color=GREY, linewidth=0.8)
    axes.set(xlabel="clock of the big cluster, MHz", ylabel="p99 latency, ms", ylim=(30, 60))
    axes.invert_xaxis()
    axes.set_title("The big cluster throttles: p99 at 30 fps")
    axes.legend(loc="upper left")
    light_grid(axes, "y")
    return figure


FIGURES: dict[str, Callable[[Sequence[Any]], Figure]] = {"hard_scenes": hard_scenes, "thermal_cap": thermal_cap}
"""By the name of the study."""
