"""A chart's frame: a title for those who cannot see it, axes, grid, and room to draw in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from eesim.report.html.svg import Scale, joined, path, plain, tag, tick_label

WIDTH, HEIGHT = 460.0, 300.0
"""Size of a chart in its own units: narrow, so that its text can still be read where it shrinks to a phone's width."""

_NARROW, _WIDE = frozenset(" .,:;'|!ijlftrI()[]-"), frozenset("MWmw@%—→")

LINES = {"solid": None, "dash": "6 3", "dotted": "2 3", "mixed": "7 3 2 3"}
STYLES = ("solid", "dash", "mixed", "dotted")


def text_width(text: str) -> float:
    """Return about how wide a text is, rather too much than too little: what font a reader has is not known."""
    wide = sum(10.5 if c in _WIDE else 4.6 if c in _NARROW else 8.6 if c.isupper() else 7.4 for c in text)
    return float(wide)


def shortened(text: str, room: float) -> str:
    """Return a text, or its beginning and end with an ellipsis between them, so that it fits into so much room."""
    if text_width(text) <= room:
        return text
    for length in range(len(text) - 1, 2, -1):
        head = (length - 1) // 2
        cut = f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"
        if text_width(cut) <= room:
            return cut
    return text[:1] + "…"


class Plot:
    """Draws on two scales; `svg` is the finished picture.

    Parameters
    ----------
    alt
        What can be seen, for people who cannot.
    x, y
        Range of each axis.
    x_title, y_title
        What the axes show, with units.
    x_log, y_log
        Logarithmic axes.
    left, height, width
        Room for the labels of the upright axis; size of the chart.
    rows
        Labels of rows instead of numbers on the upright axis, from the top; ``y`` is then their number.
    percent
        Axes whose numbers are shares to be shown in per cent (``"x"``, ``"y"``, ``"xy"``).
    """

    def __init__(
        self,
        alt: str,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        x_title: str = "",
        y_title: str = "",
        x_log: bool = False,
        y_log: bool = False,
        left: float = 58,
        width: float = WIDTH,
        height: float = HEIGHT,
        rows: Sequence[str] = (),
        percent: str = "",
    ) -> None:
        self.alt, self.width, self.height = alt, width, height
        self.left, self.right, self.top, self.bottom = left, width - 14, 12.0, height - (44.0 if x_title else 26.0)
        self.x = Scale(*x, self.left, self.right, x_log)
        self.y = Scale(*y, self.bottom, self.top, y_log)
        self.inside: list[Markup] = []
        self.outside: list[Markup] = []
        self._x_axis(x_title, "x" in percent)
        if rows:
            self._rows(rows)
        else:
            self._y_axis(y_title, "y" in percent)

    def _x_axis(self, title: str, percent: bool) -> None:
        ticks = self.x.ticks(6)
        labels = [_label(tick, percent) for tick in ticks]
        # Every second number where they would touch.
        room = (self.right - self.left) / max(len(ticks), 1)
        every = -(-(max(map(text_width, labels), default=1) + 8) // max(room, 1)) or 1
        for i, (tick, label) in enumerate(zip(ticks, labels, strict=True)):
            at = self.x(tick)
            self.outside.append(tag("line", x1=at, x2=at, y1=self.top, y2=self.bottom, class_="grid"))
            if i % int(max(every, 1)) == 0:
                self.outside.append(tag("text", label, x=at, y=self.bottom + 16, text_anchor="middle"))
        if title:
            middle = (self.left + self.right) / 2
            fits = (self.right - self.left) / 2 + min(self.left, 14) > text_width(title) / 2
            self.outside.append(
                tag("text", title, x=middle if fits else self.width / 2, y=self.height - 8, text_anchor="middle")
            )

    def _y_axis(self, title: str, percent: bool) -> None:
        for tick in self.y.ticks(6):
            at = self.y(tick)
            self.outside.append(tag("line", x1=self.left, x2=self.right, y1=at, y2=at, class_="grid"))
            self.outside.append(tag("text", _label(tick, percent), x=self.left - 6, y=at + 4, text_anchor="end"))
        if title:
            middle = (self.top + self.bottom) / 2
            turned = f"rotate(-90 13 {plain(middle)})"
            self.outside.append(tag("text", title, x=13.0, y=middle, text_anchor="middle", transform=turned))

    def _rows(self, rows: Sequence[str]) -> None:
        longest = self.left - 8
        for i, label in enumerate(rows):
            shown = shortened(label, longest)
            hint = [tag("title", label)] if shown != label else []
            text = tag("text", shown, *hint, x=self.left - 6, y=self.y(i + 0.5) + 4, text_anchor="end")
            self.outside.append(text)

    def line(
        self, points: Sequence[tuple[float, float]], color: str, *, style: str = "solid", width: float = 2
    ) -> None:
        """Draw a line through points."""
        d = path([(self.x(x), self.y(y)) for x, y in points])
        look = {"stroke": color, "stroke_width": width, "stroke_dasharray": LINES[style]}
        self.inside.append(tag("path", d=d, fill="none", **look))

    def steps(self, points: Sequence[tuple[float, float]], color: str, **look: object) -> None:
        """Draw a staircase: each value holds until the next one."""
        corners = list(points[:1])
        for (_, before), (x, y) in pairwise(points):
            corners += [(x, before), (x, y)]
        self.line(corners, color, **look)  # type: ignore[arg-type]

    def dot(self, x: float, y: float, color: str, hint: str, *, radius: float = 4, hollow: bool = False) -> None:
        """Draw a point that says what it is."""
        fill = {"fill": "#fff", "stroke": color, "stroke_width": 2} if hollow else {"fill": color, "class_": "dot"}
        here = {"cx": self.x(x), "cy": self.y(y), "r": float(radius)}
        self.inside.append(tag("circle", *([tag("title", hint)] if hint else []), **here, **fill))

    def bar(self, x0: float, x1: float, y0: float, y1: float, color: str, hint: str, **look: object) -> None:
        """Draw a rectangle between values."""
        left, right = sorted((self.x(x0), self.x(x1)))
        top, bottom = sorted((self.y(y0), self.y(y1)))
        box = {"x": left, "y": top, "width": max(right - left, 0.3), "height": max(bottom - top, 0.3)}
        self.inside.append(tag("rect", *([tag("title", hint)] if hint else []), fill=color, **box, **look))

    def upright(self, x: float, color: str, *, style: str = "solid", width: float = 1.2) -> None:
        """Draw a line from top to bottom."""
        at = self.x(x)
        look = {"stroke": color, "stroke_width": float(width), "stroke_dasharray": LINES[style]}
        self.inside.append(tag("line", x1=at, x2=at, y1=self.top, y2=self.bottom, **look))

    def level(self, y: float, color: str, *, style: str = "solid") -> None:
        """Draw a line from left to right."""
        at = self.y(y)
        look = {"stroke": color, "stroke_width": 1.2, "stroke_dasharray": LINES[style]}
        self.inside.append(tag("line", x1=self.left, x2=self.right, y1=at, y2=at, **look))

    def write(
        self, x: float, y: float, text: str, *, anchor: str = "middle", color: str = "#1a1a1a", halo: str = ""
    ) -> None:
        """Write at a value, in the middle of the line; a halo keeps hatching away from the letters."""
        around = {"stroke": halo, "stroke_width": 4, "paint_order": "stroke"} if halo else {}
        look = {"text_anchor": anchor, "fill": color, **around}
        self.outside.append(tag("text", text, x=self.x(x), y=self.y(y) + 4, **look))

    def svg(self) -> Markup:
        """Return the picture: what lies inside of the axes is cut off at their ends."""
        # The inner picture begins at the axes and keeps the outer one's coordinates.
        view = f"{plain(self.left)} {plain(self.top)} {plain(self.right - self.left)} {plain(self.bottom - self.top)}"
        inner = tag(
            "svg",
            joined(self.inside),
            x=self.left,
            y=self.top,
            width=self.right - self.left,
            height=self.bottom - self.top,
            viewBox=view,
        )
        under = [part for part in self.outside if not part.startswith("<text")]
        over = [part for part in self.outside if part.startswith("<text")]
        frame = tag(
            "path", d=path([(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)]), class_="axis"
        )
        return tag(
            "svg",
            joined([*under, inner, frame, *over]),
            class_="chart",
            role="img",
            aria_label=self.alt,
            viewBox=f"0 0 {plain(self.width)} {plain(self.height)}",
        )


def _label(value: float, percent: bool) -> str:
    return f"{100 * value:.4g} %" if percent else tick_label(value)


def row_plot(
    alt: str, rows: Sequence[str], x: tuple[float, float], *, x_title: str, left: float = 0, **options: object
) -> Plot:
    """Return a plot of rows, the first one on top; row *i* reaches from *i* to *i* + 1."""
    room = left or min(max(max(map(text_width, rows), default=1) + 14, 40), 190)
    height = 26.0 * len(rows) + 62
    size = {"height": height, **options}
    return Plot(alt, x, (float(len(rows)), 0.0), x_title=x_title, left=room, rows=rows, **size)  # type: ignore[arg-type]
