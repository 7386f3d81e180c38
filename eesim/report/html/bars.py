"""Bars of a run: where processing elements spend their time, frames their energy and their latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eesim.report.html.parts import Chart, Key
from eesim.report.html.plot import Plot, row_plot, text_width
from eesim.report.html.svg import tag
from eesim.report.numbers import percent, with_unit
from eesim.report.style import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, SKY, VERMILLION, ink_on

TERM_COLOURS = {"base": GREY, "idle": SKY, "compute": BLUE, "host": ORANGE, "transfer": GREEN}
PART_COLOURS = {"queueing": ORANGE, "service": BLUE, "transfer": GREEN, "contention": VERMILLION}


class Piece(NamedTuple):
    """One kind of piece that stacked bars are made of: label, looks, and a value per row."""

    label: str
    color: str
    hatched: bool
    values: Sequence[float]


def _stack(plot: Plot, pieces: Sequence[Piece], rows: Sequence[str], unit: str) -> None:
    for i, row in enumerate(rows):
        left = 0.0
        for piece in pieces:
            value = piece.values[i]
            if value <= 0:
                continue
            text = with_unit(value, unit, 3)
            plot.bar(left, left + value, i + 0.16, i + 0.84, piece.color, f"{row}, {piece.label}: {text}")
            if piece.hatched:
                plot.bar(left, left + value, i + 0.16, i + 0.84, "url(#hatch)", "", pointer_events="none")
            room = plot.x(left + value) - plot.x(left)
            if text_width(text) + 8 < room:
                halo = piece.color if piece.hatched else ""
                plot.write(left + value / 2, i + 0.5, text, color=ink_on(piece.color), halo=halo)
            left += value


def _legend(pieces: Sequence[Piece]) -> list[Key]:
    return [Key(p.label, p.color, "hatch" if p.hatched else "box") for p in pieces]


def load_chart(summary: Mapping[str, Any], page: Mapping[str, Any]) -> Chart:
    """Return how each PE spends its time: work that answers needed, wasted work, blocked, idle."""
    busy = {name: value or 0.0 for name, value in summary["utilisation"].items()}
    wasted = wasted_shares(summary, page)
    blocked = {name: value or 0.0 for name, value in summary["blocked_share"].items()}
    names = list(busy)
    pieces = [
        Piece("work that answers needed", BLUE, False, [100 * (busy[n] - wasted[n]) for n in names]),
        Piece("wasted work", ORANGE, True, [100 * wasted[n] for n in names]),
        Piece("blocked", PURPLE, False, [100 * blocked[n] for n in names]),
        Piece("idle", PALE, False, [100 * max(1 - busy[n] - blocked[n], 0) for n in names]),
    ]
    shown = [piece for piece in pieces if max(piece.values, default=0) > 0 or piece.hatched]
    told = ", ".join(f"{name} {percent(busy[name])}" for name in names)
    plot = row_plot(f"Stacked bars of busy time: {told}", names, (0, 100), x_title="share of time, %")
    _stack(plot, shown, names, "%")
    return Chart(plot.svg(), "How processing elements and links spend their time", _legend(shown))


def wasted_shares(summary: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, float]:
    """Share of its time that each resource spends on work that no answer needed."""
    energy, power = summary["energy_mj_per_frame"].get("total"), summary.get("power_mw")
    answered = power / energy if power and energy else summary.get("throughput_fps")
    busy = {name: value or 0.0 for name, value in summary["utilisation"].items()}
    if answered is None:
        # Not one answer: all work was for frames that were dropped.
        return busy
    ended = answered / (1 - (summary.get("drop_rate") or 0.0))
    servers = page.get("servers", {})
    wasted = summary["wasted_ms_per_frame"]
    return {n: min((wasted.get(n) or 0.0) * ended / 1000 / servers.get(n, 1), share) for n, share in busy.items()}


def energy_chart(found: Mapping[str, float | None]) -> Chart:
    """Return the energy of an answered frame by term, a bar each."""
    values = {term: value for term, value in found.items() if term != "total" and value is not None}
    total = found["total"] or 0.0
    told = ", ".join(f"{term} {with_unit(value, 'mJ', 3)}" for term, value in values.items())
    return _bars(
        f"Bars of the energy per answered frame: {told}", values, total, "mJ", TERM_COLOURS, _energy_words(total)
    )


def _energy_words(total: float) -> str:
    return f"Energy per answered frame by term; in all {with_unit(total, 'mJ')}"


def parts_chart(summary: Mapping[str, Any]) -> Chart | None:
    """Return where the mean latency goes, a bar for each part; None if no frame was answered."""
    values = {part: found["value"] for part, found in summary["parts_ms"].items() if found["value"] is not None}
    total = summary["latency_ms"]["mean"]["value"] or 0.0
    if not values:
        return None
    told = ", ".join(f"{part} {with_unit(value, 'ms', 3)}" for part, value in values.items())
    caption = f"Where the mean latency of {with_unit(total, 'ms')} goes"
    return _bars(f"Bars of the mean latency by part: {told}", values, total, "ms", PART_COLOURS, caption)


def _bars(
    alt: str, values: Mapping[str, float], total: float, unit: str, colours: Mapping[str, str], caption: str
) -> Chart:
    longest = max([*values.values(), 0.0]) or 1.0
    # Room for the text behind the longest bar.
    plot = row_plot(alt, list(values), (0, longest * 1.5), x_title=f"{unit} per answered frame")
    for i, (name, value) in enumerate(values.items()):
        share = f" ({percent(value / total)})" if total else ""
        text = f"{with_unit(value, unit)}{share}"
        plot.bar(0, value, i + 0.18, i + 0.82, colours.get(name, BLUE), f"{name}: {text}")
        at = plot.x(value) + 6
        plot.outside.append(tag("text", text, x=at, y=plot.y(i + 0.5) + 4, text_anchor="start"))
    return Chart(plot.svg(), caption)
