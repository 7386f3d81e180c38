"""The first frames on a time axis: a row per server, and a row per frame in flight. The script zooms both together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eesim.report.episodes import NO_SERVER, lanes
from eesim.report.html.parts import Chart, Key, Timeline
from eesim.report.html.svg import tag
from eesim.report.html.timeline_canvas import Canvas
from eesim.report.numbers import duration
from eesim.report.style import BLACK, GREY, PURPLE, colour, lighter

ROW = 30.0
SLOT = 15.0
"""Height of a bar in the picture by frame: tasks of a frame that run at the same time lie below each other."""
MARKS = 26.0
"""Height of the rows of arrivals and answers."""
FRAMES = 6
"""Frames that are shown from arrival to answer before anybody zooms."""
ROWS = 48
"""Rows of servers, and of frames in flight; the rest is left out."""
SLOTS = 6
"""Tasks of one frame at a time."""

HELP = (
    "Drag to move, pinch or hold Ctrl and turn the wheel to zoom, double-click to zoom in; "
    "arrow keys, + and − when the picture has the focus."
)


class Bar(NamedTuple):
    """One service episode."""

    frame: int
    task: str
    is_transfer: bool
    server: int
    ready_ns: int
    start_ns: int
    end_ns: int
    status: str
    needed: bool


class Frame(NamedTuple):
    """One frame and what became of it."""

    frame: int
    stream: int
    arrival_ns: int
    end_ns: int | None
    exit: str | None
    dropped: bool


class Story(NamedTuple):
    """The timeline as ``report.json`` holds it."""

    servers: Sequence[str]
    streams: Sequence[str]
    end_ns: int
    frames: Sequence[Frame]
    bars: Sequence[Bar]
    blocked: Sequence[tuple[int, int, int]]


def timeline(data: Mapping[str, Any]) -> Timeline:
    """Return both pictures of the first frames."""
    story = _story(data)
    return Timeline([_by_server(story), _by_frame(story)], HELP)


def _story(data: Mapping[str, Any]) -> Story:
    def rows(name: str, keys: Sequence[str]) -> list[Any]:
        columns = data[name]
        return list(zip(*(columns[key] for key in keys), strict=True)) if columns else []

    frames = rows("frames", Frame._fields)
    keys = ("frame", "task", "kind", "server", "ready_ns", "start_ns", "end_ns", "status", "needed")
    bars = [Bar(row[0], row[1], row[2] == "transfer", *row[3:]) for row in rows("episodes", keys)]
    blocked = rows("blocked", ("server", "start_ns", "end_ns"))
    return Story(data["servers"], data["streams"], data["end_ns"], [Frame(*row) for row in frames], bars, blocked)


def _window(story: Story) -> tuple[int, int, int]:
    """Beginning, end of the first frames, end of everything; with a little air."""
    begin = min(frame.arrival_ns for frame in story.frames)
    last = max([bar.end_ns for bar in story.bars] + [story.end_ns, begin + 1000])
    first = [frame.end_ns or last for frame in story.frames[:FRAMES]]
    end = max(max(first), begin + 1000)
    air = max((end - begin) // 60, 500)
    return begin - air, min(end + air, last + air), last + air


def _hint(story: Story, bar: Bar) -> str:
    where = story.servers[bar.server] if bar.server != NO_SERVER else "a delay"
    text = f"frame {bar.frame}: {bar.task} on {where}, {duration(bar.end_ns - bar.start_ns)}"
    waited = bar.start_ns - bar.ready_ns
    text += f", waited {duration(waited)}" if waited > 0 else ""
    text += "" if bar.status == "finished" else f", {bar.status}"
    return text if bar.needed else f"{text}; the answer did not need it"


def _looks(color: str, bar: Bar) -> dict[str, str]:
    if bar.needed:
        return {"fill": color, "stroke": BLACK, "stroke_width": "0.5"}
    return {"fill": lighter(color, 0.72), "stroke": color, "stroke_width": "1", "stroke_dasharray": "3 2"}


def _by_server(story: Story) -> Chart:
    """A row per server, a colour per frame."""
    used = sorted({bar.server for bar in story.bars if bar.server != NO_SERVER})
    delays = [bar for bar in story.bars if bar.server == NO_SERVER]
    delay_lane = dict(zip(map(id, delays), lanes((b.start_ns, b.end_ns) for b in delays), strict=True))
    shown = used[:ROWS]
    n_delays = min(max(delay_lane.values(), default=-1) + 1, ROWS)
    labels = ["arrivals", "answers", *(str(story.servers[s]) for s in shown), *["delay"] * n_delays]
    heights = [MARKS, MARKS, *[ROW] * (len(labels) - 2)]
    place = {server: 2 + i for i, server in enumerate(shown)}
    alt = f"Timeline of the first {len(story.frames)} frames: a row for each of {', '.join(labels[2:]) or 'no server'}"
    canvas = Canvas(_window(story), labels, heights, alt)
    for bar in story.bars:
        row = place.get(bar.server, -1) if bar.server != NO_SERVER else 2 + len(shown) + delay_lane[id(bar)]
        if not 0 <= row < len(labels):
            continue
        slot, height = (9.0, ROW - 18) if bar.is_transfer else (4.0, ROW - 8)
        name = "" if bar.is_transfer else bar.task.rpartition("/")[2]
        canvas.bar(
            row, slot, height, bar.start_ns, bar.end_ns, _hint(story, bar), name, **_looks(colour(bar.frame), bar)
        )
        if bar.status == "stopped":
            canvas.bar(
                row, slot, height, bar.end_ns, bar.end_ns, "stopped", "", fill=BLACK, stroke=BLACK, stroke_width="2"
            )
    for server, start, end in story.blocked:
        if server in place:
            hint = f"{story.servers[server]} blocked for {duration(end - start)}"
            canvas.bar(place[server], 4, ROW - 8, start, end, hint, "", fill="url(#blocked)", stroke=PURPLE)
    _marks(canvas, story)
    left_out = f"; {len(used) - len(shown)} servers are not shown" if len(used) > len(shown) else ""
    return Chart(
        canvas.svg("by-server"), f"By processing element: one colour per frame{left_out}", _legend(story), wide=True
    )


def _marks(canvas: Canvas, story: Story) -> None:
    """Arrivals with the frames' numbers, answers with the exits' names."""
    for frame in story.frames:
        color = colour(frame.frame)
        stream = f" of {story.streams[frame.stream]}" if 0 <= frame.stream < len(story.streams) else ""
        hint = tag("title", f"frame {frame.frame}{stream} arrives at {duration(frame.arrival_ns)}")
        arrow = tag("path", hint, d="M-5 -5L5 -5L0 5Z", fill=color, stroke=BLACK, stroke_width="0.5")
        canvas.mark(0, frame.arrival_ns, arrow, str(frame.frame))
        if frame.end_ns is None:
            continue
        took = duration(frame.end_ns - frame.arrival_ns)
        if frame.dropped:
            hint = tag("title", f"frame {frame.frame}{stream} is dropped after {took}")
            cross = tag("path", hint, d="M-5 -5L5 5M-5 5L5 -5", stroke=color, stroke_width="3", fill="none")
            canvas.mark(1, frame.end_ns, cross, "")
        else:
            hint = tag("title", f"frame {frame.frame}{stream} is answered by {frame.exit} after {took}")
            ring = tag("circle", hint, r=6, fill=color, stroke=BLACK, stroke_width="0.5")
            canvas.mark(1, frame.end_ns, ring, str(frame.exit).rpartition("/")[2])


def _legend(story: Story) -> list[Key]:
    light = "#C8C8C8"
    keys = [Key("segment", light), Key("transfer", light, "low")]
    keys += [Key("not needed for the answer", "#F0F0F0", "pale")] if any(not bar.needed for bar in story.bars) else []
    keys += [Key("stopped early", BLACK, "stop")] if any(bar.status == "stopped" for bar in story.bars) else []
    keys += [Key("blocked", PURPLE, "blocked")] if story.blocked else []
    keys += [Key("arrival, with the frame's number", light, "arrow"), Key("answer, with its exit", light, "dot")]
    return keys + ([Key("dropped", light, "cross")] if any(frame.dropped for frame in story.frames) else [])


def _by_frame(story: Story) -> Chart:
    """A row per frame in flight, a colour per server."""
    own: dict[int, list[Bar]] = {frame.frame: [] for frame in story.frames}
    for bar in story.bars:
        own[bar.frame].append(bar)
    spans = [
        (f.arrival_ns, max([f.end_ns or f.arrival_ns, *(bar.end_ns for bar in own[f.frame])]) + 1) for f in story.frames
    ]
    frame_lane = lanes(spans)
    n_lanes = min(max(frame_lane, default=0) + 1, ROWS)
    slots = {frame: lanes((bar.start_ns, bar.end_ns) for bar in bars) for frame, bars in own.items()}
    height = min(max((max(s, default=0) + 1 for s in slots.values()), default=1), SLOTS) * SLOT + 20
    labels = [f"in flight {i + 1}" for i in range(n_lanes)] if n_lanes > 1 else ["frames"]
    alt = f"Timeline of the first {len(story.frames)} frames: a row for each frame in flight, bars for its tasks"
    canvas = Canvas(_window(story), labels, [height] * n_lanes, alt)
    left_out = 0
    for frame, row, (start, end) in zip(story.frames, frame_lane, spans, strict=True):
        if row >= n_lanes:
            left_out += 1
            continue
        _one_frame(
            canvas, story, frame, row, (start, end), list(zip(own[frame.frame], slots[frame.frame], strict=True))
        )
    used = sorted({bar.server for bar in story.bars})
    legend = [Key(story.servers[s] if s != NO_SERVER else "delay", _server_colour(s)) for s in used]
    legend.append(Key("from arrival to answer", GREY, "line"))
    note = f"; {left_out} frames are not shown" if left_out else ""
    return Chart(canvas.svg("by-frame"), f"By frame: one colour per processing element{note}", legend, wide=True)


def _one_frame(
    canvas: Canvas, story: Story, frame: Frame, row: int, span: tuple[int, int], bars: Sequence[tuple[Bar, int]]
) -> None:
    end = frame.end_ns if frame.end_ns is not None else span[1]
    fate = (
        "is dropped" if frame.dropped else f"answers at {frame.exit}" if frame.exit is not None else "has no answer yet"
    )
    hint = f"frame {frame.frame} {fate} after {duration(end - frame.arrival_ns)}"
    name = f"{frame.frame} → {'dropped' if frame.dropped else str(frame.exit or '?').rpartition('/')[2]}"
    canvas.bar(row, 3, 13, frame.arrival_ns, end, hint, name, fill=lighter(GREY, 0.6), stroke="none")
    for bar, slot in bars:
        if slot < SLOTS:
            inset, height = (3.0, SLOT - 7) if bar.is_transfer else (0.0, SLOT - 1)
            look = _looks(_server_colour(bar.server), bar)
            label = "" if bar.is_transfer else bar.task.rpartition("/")[2]
            canvas.bar(
                row, 18 + slot * SLOT + inset, height, bar.start_ns, bar.end_ns, _hint(story, bar), label, **look
            )


def _server_colour(server: int) -> str:
    return colour(server) if server != NO_SERVER else GREY
