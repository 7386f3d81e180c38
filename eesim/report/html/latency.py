"""The distribution of latency by exit, from ``frames.parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eesim.base import FloatArray
from eesim.report.html.folder import Folder
from eesim.report.html.parts import Chart, Key, Part, Row, Text
from eesim.report.html.plot import LINES, STYLES, Plot
from eesim.report.numbers import limit, percent
from eesim.report.style import CYCLE, GREY, VERMILLION, colour

if TYPE_CHECKING:
    import pyarrow as pa

POINTS = 400
"""Steps of a curve that are drawn; more cannot be seen."""

FAR = 3
"""Requirements beyond so many times the longest latency are named, but not drawn."""

COLUMNS = ("frame", "arrival_ns", "finish_ns", "exit", "stream", "replication")


def latency_charts(folder: Folder) -> Iterator[Part]:
    """Yield the distribution of latency and its tail on a logarithmic scale; nothing if the frames were not kept."""
    table = folder.table("frames.parquet", COLUMNS)
    if table is None:
        return
    summary, page = folder.json("summary.json"), folder.json("report.json")
    curves = _curves(table, summary, page)
    if not curves:
        yield Text("No frame was answered.", "bad")
        return
    charts, legend = _charts(curves, _limits(summary, page))
    yield Row(charts, legend)


def _curves(table: pa.Table, summary: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, FloatArray]:
    """Sorted latencies in ms of all answers, then of each exit that answered; the warm-up left out."""
    import pyarrow.compute as pc

    frame, replication = table["frame"].to_numpy(), table["replication"].to_numpy()
    answered = pc.is_valid(table["finish_ns"]).to_numpy()
    longest = int(replication.max()) + 1 if len(replication) else 0
    cuts = np.array(page.get("warmup_frames") or [summary.get("warmup_frames", 0)] * longest, dtype=np.int64)
    kept = answered & (frame >= cuts[replication])
    finish = table["finish_ns"].fill_null(0).to_numpy()
    latency = (finish - table["arrival_ns"].to_numpy())[kept] / 1e6
    exits = table["exit"].fill_null(0).to_numpy()[kept]
    streams = np.asarray(table["stream"].cast("string").to_pylist(), dtype=object)[kept]
    curves = {"all answers": np.sort(latency)} if len(latency) else {}
    for stream in sorted(set(streams)):
        for number in sorted(set(exits[streams == stream].tolist())):
            mine = latency[(streams == stream) & (exits == number)]
            curves[_name(summary, stream, number)] = np.sort(mine)
    return curves


def _name(summary: Mapping[str, Any], stream: str, number: int) -> str:
    for exit_ in summary.get("exits", ()):
        if exit_["exit"] == number and (not stream or exit_["name"].startswith(f"{stream}/")):
            return str(exit_["name"])
    return f"{stream}/exit {number}" if stream else f"exit {number}"


def thinned(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return distinct values of sorted ones, the share at most that large, and the share at least that large.

    Beyond `POINTS` they are thinned: evenly in the bulk, by equal factors of the share in the tail.
    """
    distinct, first, counts = np.unique(values, return_index=True, return_counts=True)
    n = len(distinct)
    keep = np.arange(n)
    if n > POINTS:
        even, tail = np.linspace(0, n - 1, POINTS // 2), n - np.geomspace(1, n, POINTS // 2)
        keep = np.unique(np.concatenate([even, tail]).astype(np.int64))
    at_most, at_least = (first + counts) / len(values), 1 - first / len(values)
    return distinct[keep], at_most[keep], at_least[keep]


def _charts(curves: Mapping[str, FloatArray], limits: Mapping[float, str]) -> tuple[list[Chart], list[Key]]:
    everything = curves["all answers"]
    count, longest = len(everything), float(everything[-1])
    near = {at: name for at, name in limits.items() if at <= FAR * longest}
    right = max([longest, *near]) * 1.04 or 1.0
    floor = min(0.5 / count, 0.05)
    told = "; ".join(
        f"{name}: median {np.median(mine):.4g} ms, longest {mine[-1]:.4g} ms" for name, mine in curves.items()
    )
    share = Plot(
        f"Share of frames answered within a latency. {told}", (0, right), (0, 1.02),
        x_title="latency, ms", y_title="answered within", percent="y",
    )  # fmt: skip
    tail = Plot(
        f"Share of frames that take at least a latency, logarithmic. {told}", (0, right), (floor, 1.3),
        x_title="latency, ms", y_title="takes at least", y_log=True, percent="y", left=70,
    )  # fmt: skip
    legend = []
    for k, (name, mine) in enumerate(curves.items()):
        color, style, width = (GREY, "solid", 5.0) if k == 0 else (colour(k - 1), _style(k - 1), 2.0)
        x, at_most, at_least = thinned(mine)
        share.steps(
            [(float(x[0]), 0.0), *zip(x.tolist(), at_most.tolist(), strict=True), (right, 1.0)],
            color,
            style=style,
            width=width,
        )
        down = [*zip(x.tolist(), at_least.tolist(), strict=True)]
        tail.steps([(0.0, 1.0), *_shifted(down), (float(x[-1]), floor)], color, style=style, width=width)
        part = "" if k == 0 else f" ({percent(len(mine) / count)} of answers)"
        legend.append(Key(f"{name}{part}", color, "thick" if k == 0 else style))
    for i, (at, name) in enumerate(limits.items()):
        style = ("dash", "dotted", "mixed")[i % 3]
        off = "" if at in near else " (off the scale)"
        for plot in (share, tail) if at in near else ():
            plot.upright(at, VERMILLION, style=style, width=1.6)
        legend.append(Key(f"{name}{off}", VERMILLION, style))
    how_many = f"{count:,} answered frames" if count > 1 else "one answered frame"
    charts = [
        Chart(share.svg(), f"Latency of {how_many}: share answered within a given time"),
        Chart(tail.svg(), "The tail: share that takes at least so long (logarithmic scale)"),
    ]
    return charts, legend


def _shifted(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Make of "at least x from x on" the staircase that falls behind each value."""
    return [(x, points[i + 1][1]) for i, (x, _) in enumerate(points[:-1])]


def _style(number: int) -> str:
    return STYLES[number // len(CYCLE) % len(LINES)]


def _limits(summary: Mapping[str, Any], page: Mapping[str, Any]) -> dict[float, str]:
    """Required latencies in ms with what they are of, equal ones together."""
    names: dict[float, list[str]] = {}
    for verdict in summary.get("requirements", ()):
        if verdict["metric"].rpartition("latency_ms.")[1]:
            of = f"{verdict['stream']} " if verdict.get("stream") else ""
            names.setdefault(verdict["limit"], []).append(
                of + verdict["name"].removesuffix("_latency").replace("_", " ")
            )
    for stream in page.get("streams", ()):
        if stream["deadline_ms"] is not None:
            names.setdefault(stream["deadline_ms"], []).append(f"{stream['name']} deadline".strip())
    return {at: f"required: {', '.join(who)} at most {limit(at, 'ms')}" for at, who in sorted(names.items())}
