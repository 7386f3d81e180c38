"""How latency is distributed: all answers, and those of each exit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, StrMethodFormatter

from eesim.base import FloatArray, IntArray
from eesim.metrics.observe import ARRIVAL, EXIT, FINISH, FRAME, STATUS
from eesim.metrics.replication import NS_PER_MS
from eesim.plan.plan import Status
from eesim.report.numbers import limit, percent
from eesim.report.style import GREY, VERMILLION, colour, dashes, light_grid
from eesim.report.words import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eesim.metrics.result import Result

POINTS = 1500
"""Steps of a curve that are drawn; more cannot be seen."""

FAR = 3
"""Requirements beyond so many times the longest latency are named, but not drawn."""


def latency_figure(result: Result) -> Figure | None:
    """Draw the distribution of latency after the warm-up, and its tail on a logarithmic scale.

    Returns None if the run did not keep its frames, or if none was answered.
    """
    answers = _answers(result)
    if not len(answers):
        return None
    latency_ms = (answers[:, FINISH] - answers[:, ARRIVAL]) / NS_PER_MS
    labels = result.lowered.labels
    figure = Figure(figsize=(10, 4.4 + 0.2 * (len(labels.exits) // 4)), layout="constrained")
    share, tail = figure.subplots(1, 2)
    floor = min(0.5 / len(latency_ms), 0.05)
    _curve(share, tail, latency_ms, floor, color=GREY, linewidth=4, alpha=0.6, label="all answers")
    for k, name in enumerate(labels.exits):
        mine = latency_ms[answers[:, EXIT] == k]
        label = f"{shortened(name, 20)} ({percent(len(mine) / len(latency_ms))} of answers)"
        if len(mine):
            _curve(share, tail, mine, floor, color=colour(k), linestyle=dashes(k), linewidth=1.6, label=label)
    right = _mark_limits(result, (share, tail), float(latency_ms.max()))
    _finish(share, tail, right, floor)
    handles, names = share.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    count = "one answered frame" if len(latency_ms) == 1 else f"{len(latency_ms):,} answered frames"
    figure.suptitle(f"Latency of {count}", x=0.01, ha="left", fontsize=11)
    return figure


def _answers(result: Result) -> IntArray:
    """Records of the answered frames after the warm-up of each replication, (A, 8)."""
    kept = [
        records[(records[:, FRAME] >= replication.warmup_frames) & (records[:, STATUS] == Status.ANSWERED)]
        for records, replication in zip(result.records or (), result.replications, strict=False)
    ]
    return np.concatenate(kept) if kept else np.zeros((0, 8), np.int64)


def distribution(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return distinct values, the share of values at most that large and the share at least that large.

    Beyond `POINTS` they are thinned: evenly in the bulk, and by equal factors of the share in the tail.
    """
    distinct, counts = np.unique(values, return_counts=True)
    at_most = np.cumsum(counts)
    at_least = len(values) - at_most + counts
    n = len(distinct)
    keep = np.arange(n)
    if n > POINTS:
        even = np.linspace(0, n - 1, POINTS // 2)
        tail = n - np.geomspace(1, n, POINTS // 2)
        keep = np.unique(np.concatenate([even, tail]).astype(np.int64))
    return distinct[keep], at_most[keep] / len(values), at_least[keep] / len(values)


def _curve(share: Axes, tail: Axes, values: FloatArray, floor: float, **style: object) -> None:
    x, at_most, at_least = distribution(values)
    # Both curves begin and end on the edge of their panel.
    share.step(np.append(x[0], x), np.append(0, at_most), where="post", **style)  # type: ignore[arg-type]
    tail.step(np.append(x, x[-1]), np.append(at_least, floor), where="pre", **style)  # type: ignore[arg-type]


def _mark_limits(result: Result, panels: tuple[Axes, Axes], longest_ms: float) -> float:
    """Draw required latencies as upright lines, one for equal ones; return the right end of the axis, ms."""
    names: dict[float, list[str]] = {}
    for verdict in result.verdicts:
        if verdict.metric.startswith("latency_ms."):
            names.setdefault(verdict.limit, []).append(verdict.name.removesuffix("_latency").replace("_", " "))
    deadline = result.scenario.spec.requirements.deadline
    if deadline is not None:
        names.setdefault(deadline / NS_PER_MS, []).append("deadline")
    right = longest_ms
    for i, (at_ms, who) in enumerate(sorted(names.items())):
        label = f"required: {', '.join(who)} at most {limit(at_ms, 'ms')}"
        near = at_ms <= FAR * longest_ms
        right = max(right, at_ms) if near else right
        for axes in panels:
            style = {"color": VERMILLION, "linestyle": ("--", ":", "-.")[i % 3], "linewidth": 1.2}
            if near:
                axes.axvline(at_ms, label=label, **style)  # type: ignore[arg-type]
            else:
                axes.plot([], [], label=f"{label} (off the scale)", **style)  # type: ignore[arg-type]
    return right


def _finish(share: Axes, tail: Axes, right: float, floor: float) -> None:
    share.set_title("Share answered within a given latency")
    share.set_ylabel("share of frames")
    share.set_ylim(0, 1.02)
    share.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.0f} %"))
    tail.set_title("Share that takes at least so long (logarithmic scale)")
    tail.set_ylabel("share of frames")
    tail.set_yscale("log")
    tail.set_ylim(floor, 1.5)
    tail.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    tail.minorticks_off()
    for axes in (share, tail):
        axes.set_xlabel("latency, ms")
        axes.set_xlim(0, right * 1.04 or 1)
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.6g}"))
        light_grid(axes, "both")
