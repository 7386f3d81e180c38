"""What the timeline shows and where: the window, the rows, the lanes of marks; no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eesim.report.episodes import NO_SERVER, Blocked, Episode, Fate, Story, lanes

FRAMES = 6
"""Frames that are shown from arrival to answer."""

LONGEST = 12
"""Mean latencies that fit into the window; fewer frames are shown if it would be wider."""

BARS = 1500
"""Bars that can be told apart; fewer frames are shown if there would be more."""

ROWS = 48
"""Rows of servers; the rest is left out."""

TEXT = 7
"""Size of the text inside the figure, points."""

MARK = 12
"""Room that the mark of an answer takes, points."""

AT_LEAST_NS = 1000
"""Width of the window if everything happens at once."""


@dataclass(frozen=True, slots=True)
class View:
    """The part of a run that is drawn.

    Attributes
    ----------
    begin_ns, end_ns
        The window.
    room
        Its width on paper, points.
    answer_rows
        Rows that the marks of answers need; row 0 has the arrivals.
    row_names
        Names of the rows below.
    bars, blocked
        Row and episode of each bar; row and time of each blocked server.
    arrivals
        Frames that arrive in the window.
    answers
        Row, frame and fate of each frame that ends in the window.
    left_out
        Servers beyond `ROWS`.
    """

    begin_ns: int
    end_ns: int
    room: float
    answer_rows: int
    row_names: tuple[str, ...]
    bars: tuple[tuple[int, Episode], ...]
    blocked: tuple[tuple[int, Blocked], ...]
    arrivals: tuple[tuple[int, Fate], ...]
    answers: tuple[tuple[int, int, Fate], ...]
    left_out: int

    @property
    def n_rows(self) -> int:
        """All rows, those of arrivals and answers included."""
        return 1 + self.answer_rows + len(self.row_names)

    def points(self, span_ns: float) -> float:
        """Width of a span on paper, points."""
        return span_ns / (self.end_ns - self.begin_ns) * self.room


def lay_out(story: Story, servers: Sequence[str], room: float) -> View:
    """Choose the window and give everything in it a row.

    Parameters
    ----------
    story
        The logged frames.
    servers
        Names of the servers.
    room
        Width of the window on paper, points.
    """
    begin, end = _window(story)
    answers = _answers(story, begin, end, room)
    first = 1 + max((row for row, _, _ in answers), default=1)
    inside = [e for e in story.episodes if e.start_ns < end]
    used = sorted({e.server for e in inside if e.server != NO_SERVER})
    place = {server: first + i for i, server in enumerate(used[:ROWS])}
    bars = [(place[e.server], e) for e in inside if e.server in place]
    delays = _delays([e for e in inside if e.server == NO_SERVER], first + len(place))
    n_delays = len({row for row, _ in delays})
    return View(
        begin_ns=begin,
        end_ns=end,
        room=room,
        answer_rows=first - 1,
        row_names=(*(servers[s] for s in place), *["delay"] * n_delays),
        bars=(*bars, *delays),
        blocked=tuple((place[b.server], b) for b in story.blocked if b.server in place and b.start_ns < end),
        arrivals=tuple((f, fate) for f, fate in story.fates.items() if fate.arrival_ns <= end),
        answers=answers,
        left_out=len(used) - len(place),
    )


def _answers(story: Story, begin: int, end: int, room: float) -> tuple[tuple[int, int, Fate], ...]:
    """Row, frame and fate of each frame that ends in the window, so that marks do not cover each other."""
    reach = MARK / 2 / room * (end - begin)
    ended = [(fate.end_ns, frame) for frame, fate in story.fates.items() if fate.end_ns is not None]
    ended = sorted((at, frame) for at, frame in ended if at <= end - reach)
    rows = lanes((at - reach, at + reach) for at, _ in ended)
    return tuple((1 + row, frame, story.fates[frame]) for row, (_, frame) in zip(rows, ended, strict=True))


def _delays(delays: Sequence[Episode], first: int) -> list[tuple[int, Episode]]:
    """Row and episode of each pure delay; those beyond `ROWS` at a time are left out."""
    rows = lanes((e.start_ns, e.end_ns) for e in delays)
    return [(first + row, e) for row, e in zip(rows, delays, strict=True) if row < ROWS]


def _window(story: Story) -> tuple[int, int]:
    """From the first arrival to the end of the first frames: as many as can be read."""
    fates = list(story.fates.values())
    begin = fates[0].arrival_ns
    for count in range(min(FRAMES, len(fates)), 0, -1):
        ends = [story.end_ns if fate.end_ns is None else fate.end_ns for fate in fates[:count]]
        end = max(ends)
        mean = sum(end - fate.arrival_ns for end, fate in zip(ends, fates[:count], strict=True)) / count
        bars = sum(e.start_ns < end for e in story.episodes)
        if count == 1 or ((mean == 0 or end - begin <= LONGEST * mean) and bars <= BARS):
            break
    frames = set(list(story.fates)[:count])
    last = max((e.end_ns for e in story.episodes if e.frame in frames and e.start_ns < end), default=end)
    last = max(last, end, begin + AT_LEAST_NS)
    # A little air, so that the first and the last mark are not cut in half.
    air = max((last - begin) // 80, AT_LEAST_NS)
    return begin - air, last + air
