"""Who did what when: the first frames of a run, a row for each server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from eesim.metrics.replication import NS_PER_MS
from eesim.report.episodes import Episode, tell
from eesim.report.style import BLACK, GREY, PURPLE, colour, ink_on, light_grid, lighter, text_width
from eesim.report.timeline_layout import FRAMES, TEXT, View, lay_out
from eesim.report.words import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eesim.metrics.result import Result

WIDTH_IN = 11.0
ROW_IN = 0.36
TITLE_IN = 0.35
BELOW_IN = 0.85
"""Room for the axis, its label and the legend."""

BAR = 0.72
"""Height of a bar, rows."""

NAMED = 2
"""Tasks that are served together whose names fit into a bar, one below the other."""

EARLY_TASKS = 50_000
"""Tasks at the start of a long log that are looked at."""

ON_TOP = 5
"""Drawing order of what lies above the bars."""


def timeline_figure(result: Result) -> Figure | None:
    """Draw the first frames as bars per server, with arrivals and answers above; None without an event log.

    A frame has one colour everywhere. Transfers are hatched; work that the frame's answer did not need is pale.
    """
    if result.log is None or not len(result.log):
        return None
    labels = result.lowered.labels
    names = [shortened(name, 16) for name in labels.servers]
    margin = max(text_width(name, 9) for name in (*names, "answers")) + 16
    early = max(min(400, EARLY_TASKS // len(labels.nodes)), FRAMES)
    view = lay_out(tell(result, frames=early), names, WIDTH_IN * 72 - margin - 14)
    height = view.n_rows * ROW_IN + TITLE_IN + BELOW_IN
    figure = Figure(figsize=(WIDTH_IN, height))
    share_x, share_y = 1 / (72 * WIDTH_IN), 1 / height
    axes = figure.add_axes((margin * share_x, BELOW_IN * share_y, view.room * share_x, view.n_rows * ROW_IN * share_y))
    _draw_bars(axes, view)
    _draw_arrivals(axes, view)
    _draw_answers(axes, view, labels.exit_number)
    _finish(axes, view)
    figure.legend(handles=_legend(view), loc="lower center", ncols=8, columnspacing=1.6)
    return figure


def _draw_bars(axes: Axes, view: View) -> None:
    together = Counter((row, episode.start_ns) for row, episode in view.bars)
    drawn: Counter[tuple[int, int]] = Counter()
    for line, episode in view.bars:
        # What is served together shares the height of a bar.
        key = line, episode.start_ns
        count = together[key]
        row = line + BAR * ((drawn[key] + 0.5) / count - 0.5)
        drawn[key] += 1
        color = colour(episode.frame)
        face = lighter(color, 0.72) if episode.useless else color
        _box(
            axes, view, row, episode.start_ns, episode.end_ns, BAR / count,
            facecolor=face,
            edgecolor=color if episode.useless else BLACK,
            hatch="/////" if episode.is_transfer else None,
            linestyle="--" if episode.useless else "-",
            linewidth=0.7 if episode.useless else 0.4,
        )  # fmt: skip
        if episode.status == "stopped":
            end = episode.end_ns / NS_PER_MS
            half = BAR / 2 / count
            axes.plot([end, end], [row - half, row + half], color=BLACK, linewidth=2.4, zorder=ON_TOP)
        if count <= NAMED:
            _name(axes, view, row, episode, ink_on(face))
    for row, block in view.blocked:
        _box(
            axes, view, row, block.start_ns, block.end_ns, BAR,
            facecolor="white", edgecolor=PURPLE, hatch="xxxx", linewidth=0.4,
        )  # fmt: skip


def _box(axes: Axes, view: View, row: float, start_ns: int, end_ns: int, height: float, **looks: object) -> None:
    left, right = max(start_ns, view.begin_ns), min(end_ns, view.end_ns)
    corner = (left / NS_PER_MS, row - height / 2)
    axes.add_patch(Rectangle(corner, (right - left) / NS_PER_MS, height, **looks))  # type: ignore[arg-type]


def _name(axes: Axes, view: View, row: float, episode: Episode, ink: str) -> None:
    """Write the task into its bar if it fits."""
    left, right = max(episode.start_ns, view.begin_ns), min(episode.end_ns, view.end_ns)
    # Of several streams, the colour tells the frame: its stream's name is left out where there is no room for it.
    texts = (episode.task, episode.task.rpartition("/")[2])
    text = next((text for text in texts if text_width(text, TEXT) + 3 <= view.points(right - left)), "")
    if episode.is_transfer or not text:
        return
    middle = (left + right) / 2 / NS_PER_MS
    axes.text(middle, row, text, ha="center", va="center", fontsize=TEXT, color=ink)


def _draw_arrivals(axes: Axes, view: View) -> None:
    taken = float("-inf")
    for frame, fate in view.arrivals:
        x = fate.arrival_ns / NS_PER_MS
        axes.plot(x, 0, marker="v", markersize=6, color=colour(frame), markeredgecolor=BLACK, markeredgewidth=0.4)
        at = view.points(fate.arrival_ns - view.begin_ns)
        width = text_width(str(frame), TEXT)
        if at > taken and at + width + 6 < view.room:
            axes.annotate(str(frame), (x, 0), (5, 0), textcoords="offset points", ha="left", va="center", fontsize=TEXT)
            taken = at + width + 14


def _draw_answers(axes: Axes, view: View, exit_number: Sequence[int]) -> None:
    for row, frame, fate in view.answers:
        x = (fate.end_ns or 0) / NS_PER_MS
        color = colour(frame)
        if fate.dropped:
            axes.plot(x, row, marker="X", markersize=8, color=color, markeredgecolor=BLACK, markeredgewidth=0.6)
            continue
        axes.plot(x, row, marker="o", markersize=11, color=color, markeredgecolor=BLACK, markeredgewidth=0.4)
        number = str(exit_number[fate.exit or 0])
        axes.text(x, row, number, ha="center", va="center_baseline", fontsize=TEXT, color=ink_on(color), zorder=ON_TOP)


def _finish(axes: Axes, view: View) -> None:
    top = 1 + view.answer_rows
    axes.set_ylim(view.n_rows - 0.5, -0.5)
    axes.set_xlim(view.begin_ns / NS_PER_MS, view.end_ns / NS_PER_MS)
    axes.set_yticks([0, 1, *range(top, view.n_rows)], ["arrivals", "answers", *view.row_names])
    axes.axhline(top - 0.5, color=BLACK, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time since the start of the run, ms")
    light_grid(axes, "x")
    title = "What the first frames do: one colour per frame, its number beside its arrival"
    axes.set_title(title if not view.left_out else f"{title} ({view.left_out} servers are not shown)")


def _legend(view: View) -> list[Patch | Line2D]:
    """Explain what is drawn, and nothing else."""
    bars = [episode for _, episode in view.bars]
    fates = [fate for _, _, fate in view.answers]
    light = "#C8C8C8"
    entries: list[tuple[bool, Patch | Line2D]] = [
        (True, Patch(facecolor=light, edgecolor=BLACK, linewidth=0.4, label="segment")),
        (
            any(e.is_transfer for e in bars),
            Patch(facecolor=light, edgecolor=BLACK, hatch="/////", linewidth=0.4, label="transfer"),
        ),
        (
            any(e.useless for e in bars),
            Patch(facecolor="#F0F0F0", edgecolor=GREY, linestyle="--", label="not needed for the answer"),
        ),
        (
            any(e.status == "stopped" for e in bars),
            Line2D([], [], color=BLACK, linewidth=2.4, marker="|", linestyle="", markersize=9, label="stopped early"),
        ),
        (bool(view.blocked), Patch(facecolor="white", edgecolor=PURPLE, hatch="xxxx", label="blocked")),
        (True, _marker("v", 6, "arrival")),
        (any(not fate.dropped for fate in fates), _marker("o", 9, "answer, with the number of its exit")),
        (any(fate.dropped for fate in fates), _marker("X", 8, "dropped")),
    ]
    return [handle for shown, handle in entries if shown]


def _marker(shape: str, size: float, label: str) -> Line2D:
    return Line2D(
        [], [], marker=shape, markersize=size, color="#C8C8C8", markeredgecolor=BLACK, markeredgewidth=0.4,
        linestyle="", label=label,
    )  # fmt: skip
