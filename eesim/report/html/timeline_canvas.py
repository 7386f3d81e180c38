"""Rows on one time axis: what the script needs to zoom is written beside what is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eesim.report.html.plot import shortened, text_width
from eesim.report.html.svg import Scale, joined, plain, tag, tick_label, ticks
from eesim.report.style import BLACK, ink_on

WIDTH = 1080.0
TOP = 8.0
AXIS = 40.0


class Canvas:
    """Rows below each other on one time axis; everything knows its times, so that the script can move it.

    Parameters
    ----------
    window
        Beginning and end of what is shown before anybody zooms, and the end of everything, ns.
    labels, heights
        Of the rows, from the top.
    alt
        What can be seen, for people who cannot.
    """

    def __init__(self, window: tuple[int, int, int], labels: Sequence[str], heights: Sequence[float], alt: str) -> None:
        begin, end, last = window
        self.last = last / 1e6
        self.left = min(max(max(map(text_width, labels), default=1) + 14, 70), 150)
        self.scale = Scale(begin / 1e6, end / 1e6, self.left, WIDTH - 10)
        self.tops = [TOP + sum(heights[:i]) for i in range(len(heights) + 1)]
        self.heights, self.alt = heights, alt
        self.marks: list[Markup] = []
        self.instants: list[tuple[int, float, Markup, str]] = []
        self.lines: list[Markup] = []
        self.labels: list[Markup] = []
        for i, label in enumerate(labels):
            shown = shortened(label, self.left - 8)
            hint = [tag("title", label)] if shown != label else []
            at = self.tops[i] + heights[i] / 2 + 4
            self.labels.append(tag("text", shown, *hint, x=self.left - 8, y=at, text_anchor="end"))
            if i:
                line = {"x1": 0.0, "x2": "100%", "y1": self.tops[i], "y2": self.tops[i]}
                self.lines.append(tag("line", **line, class_="grid"))

    def bar(
        self, row: int, slot: float, height: float, start: int, end: int, hint: str, name: str, **look: str
    ) -> None:
        """Draw a bar from time to time; its name is written into it where it fits."""
        x0, x1 = self.scale(start / 1e6), self.scale(end / 1e6)
        y = self.tops[row] + slot
        times = {"data_s": _time(start / 1e6), "data_e": _time(end / 1e6)}
        box = {"x": x0, "y": y, "width": max(x1 - x0, 0.5), "height": height}
        self.marks.append(tag("rect", *([tag("title", hint)] if hint else []), **box, **times, **look))
        if not name:
            return
        wide = text_width(name) + 4
        # Names stand in the middle of what can be seen of their bars.
        left, right = max(x0, self.left), min(x1, WIDTH - 10)
        place = {"x": (left + right) / 2, "y": y + height / 2 + 4, "text_anchor": "middle"}
        hidden = {} if wide < right - left else {"visibility": "hidden"}
        ink = ink_on(look["fill"]) if look["fill"].startswith("#") else BLACK
        self.marks.append(tag("text", name, **place, fill=ink, data_w=wide, **times, **hidden))

    def mark(self, row: int, at: int, sign: Markup, name: str) -> None:
        """Draw a sign at an instant, with a name beside it where there is room until the next sign."""
        self.instants.append((row, at / 1e6, sign, name))

    def _signs(self) -> list[Markup]:
        """Signs of each row in the order of time: each knows how much room its name needs."""
        drawn = []
        self.instants.sort(key=lambda one: one[:2])
        for k, (row, at, sign, name) in enumerate(self.instants):
            x, y = self.scale(at), self.tops[row] + self.heights[row] / 2
            follows = k + 1 < len(self.instants) and self.instants[k + 1][0] == row
            until = self.scale(self.instants[k + 1][1]) - 8 if follows else WIDTH - 10
            wide = text_width(name) + 12
            hidden = {} if x + wide <= min(until, WIDTH - 10) else {"visibility": "hidden"}
            text = tag("text", name, x=10, y=4, **hidden)
            place = f"translate({plain(x)} {plain(y)})"
            drawn.append(tag("g", sign, text, data_s=_time(at), data_y=plain(y), data_w=wide, transform=place))
        return drawn

    def svg(self, kind: str) -> Markup:
        """Return the picture."""
        bottom = self.tops[-1]
        axis = [self._tick(at, bottom) for at in ticks(self.scale.low, self.scale.high, 10)]
        height, wide = bottom + AXIS, WIDTH - 10 - self.left
        view = f"{plain(self.left)} 0 {plain(wide)} {plain(bottom)}"
        shown = joined([*self.marks, *self._signs()])
        clip = tag("svg", shown, class_="marks", x=self.left, y=0, width=wide, height=bottom, viewBox=view)
        title = tag("text", "time since the start of the run, ms", x=self.left, y=height - 4)
        return tag(
            "svg",
            tag("g", joined(axis), class_="ticks"),
            joined(self.lines),
            clip,
            joined(self.labels),
            title,
            class_=f"chart timeline {kind}",
            role="img",
            aria_label=self.alt,
            viewBox=f"0 0 {plain(WIDTH)} {plain(height)}",
            data_left=plain(self.left),
            data_bottom=plain(bottom),
            data_from=_time(self.scale.low),
            data_to=_time(self.scale.high),
            data_last=_time(self.last),
        )

    def _tick(self, at: float, bottom: float) -> Markup:
        line = tag("line", y1=TOP, y2=bottom, class_="grid")
        text = tag("text", tick_label(at), y=bottom + 16, text_anchor="middle")
        return tag("g", line, text, transform=f"translate({plain(self.scale(at))} 0)")


def _time(ms: float) -> str:
    return f"{ms:.6f}".rstrip("0").rstrip(".")
