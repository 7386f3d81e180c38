"""What ``eesim run`` prints: one screen that a newcomer understands, the same in a terminal and in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from eesim.metrics.energy import TERMS
from eesim.metrics.observe import PARTS
from eesim.metrics.replication import NS_PER_MS, QUANTILES
from eesim.report.layout import Line, beside, columns, heading, paragraph
from eesim.report.numbers import half_width, limit, number, percent, with_unit
from eesim.report.words import (
    certainty_words,
    mapping_words,
    physics_words,
    policy_words,
    shortened,
    spread_words,
    stream_words,
)

if TYPE_CHECKING:
    from rich.console import Console

    from eesim.metrics.result import Result

NAME = 16
"""Letters of a name beyond which it is cut in a table."""

_PLAIN = str.maketrans({"±": "+-", "×": "x", "µ": "u", "≤": "<=", "≥": ">="})


def print_result(result: Result, console: Console) -> None:
    """Print a result: what was simulated, then every metric with its unit and interval.

    Lines fit 80 columns. Colours and bold type are used only where the console has them; nothing else depends on it.

    Parameters
    ----------
    result
        What to print.
    console
        Where to.
    """
    sections = (_headline, _latency, _exits, _elements, _energy_and_rates, _bounds, _requirements, _notes)
    printed = False
    for section in sections:
        lines = section(result)
        if printed and lines:
            console.print()
        for text, style in lines:
            plain = text.translate(_PLAIN) if console.options.ascii_only else text
            console.print(Text(plain.rstrip(), style=style), soft_wrap=True)
        printed = printed or bool(lines)


def _headline(result: Result) -> list[Line]:
    scenario = result.scenario
    lines = [heading(f"{scenario.network.name} on {scenario.board.name}")]
    if scenario.spec.title:
        lines += paragraph("", scenario.spec.title)
    lines += paragraph("mapping", mapping_words(scenario))
    lines += paragraph("policy", policy_words(scenario.policy))
    if physics_words(scenario):
        lines += paragraph("left out", physics_words(scenario))
    lines += paragraph("stream", stream_words(scenario))
    return lines + paragraph("run", _run_words(result))


def _run_words(result: Result) -> str:
    count, frames = len(result.replications), result.scenario.n_frames
    cuts = [r.warmup_frames for r in result.replications]
    text = f"{frames:,} frame{'s' if frames > 1 else ''}"
    text += f" × {count} replications" if count > 1 else ", one replication"
    if not any(cuts):
        return f"{text}, no warm-up removed"
    first = f"{cuts[0]:,}" if len(set(cuts)) == 1 else f"{min(cuts):,} to {max(cuts):,}"
    of_each = " of each" if count > 1 else ""
    return f"{text}; the first {first}{of_each} are warm-up and left out"


def _latency(result: Result) -> list[Line]:
    found = result.estimates
    level = f"{100 * result.scenario.spec.run.confidence:g} % interval"
    rows = [["Latency", "", level]]
    for name in ("mean", *QUANTILES):
        estimate = found[f"latency_ms.{name}"]
        rows.append([f"  {name}", with_unit(estimate.value, "ms"), half_width(estimate)])
    worst = found["latency_ms.max"]
    rows.append(["  max", with_unit(worst.value, "ms"), spread_words(worst)])
    mean = found["latency_ms.mean"].value
    parts = [["Where the mean goes", "", ""]]
    for part in PARTS:
        value = found[f"parts_ms.{part}"].value
        parts.append([f"  {part}", with_unit(value, "ms", 3), _share_of(value, mean)])
    return beside(columns(rows, "<.<"), columns(parts, "<.."))


def _share_of(value: float | None, whole: float | None) -> str:
    return percent(value / whole) if value is not None and whole else ""


def _exits(result: Result) -> list[Line]:
    rows = [["Exits", "share of answers", "", "mean latency", "", "p99", "lower bound"]]
    labels = result.lowered.labels
    for name, floor in zip(labels.exits, result.bounds.exit_latency_ns, strict=True):
        share = result.estimates[f"exit_share.{name}"]
        latency = result.estimates[f"exit_latency_ms.{name}"]
        rows.append(
            [
                f"  {shortened(name, NAME)}",
                percent(share.value, 4),
                half_width(share, scale=100),
                with_unit(latency.value, "ms"),
                half_width(latency),
                with_unit(result.value(f"exit_p99_ms.{name}"), "ms"),
                with_unit(int(floor) / NS_PER_MS, "ms"),
            ]
        )
    return columns(rows, "<.<.<..")


def _elements(result: Result) -> list[Line]:
    labels, servers = result.lowered.labels, np.bincount(result.lowered.plan.server_resource)
    used = set(result.lowered.plan.node_resource.tolist())
    blocked = any(result.value(f"blocked_share.{name}") for name in labels.resources)
    title = "PEs and links" if len(labels.resources) > labels.n_pes else "PEs"
    rows = [[title, "busy", "", "needed per frame", "wasted per frame", "blocked" if blocked else ""]]
    for r, name in enumerate(labels.resources):
        if r not in used:
            continue
        utilisation = result.estimates[f"utilisation.{name}"]
        rows.append(
            [
                f"  {shortened(name, NAME)}" + (f" x{servers[r]}" if servers[r] > 1 else ""),
                percent(utilisation.value),
                half_width(utilisation, scale=100, significant=3),
                with_unit(float(result.bounds.demand_ns[r]) / NS_PER_MS, "ms"),
                with_unit(result.value(f"wasted_ms_per_frame.{name}"), "ms"),
                percent(result.value(f"blocked_share.{name}")) if blocked else "",
            ]
        )
    idle = [name for r, name in enumerate(labels.resources) if r not in used]
    unused = paragraph("", f"not used by this mapping: {', '.join(idle)}", style="dim") if idle else []
    return columns(rows, "<.<...") + unused


def _energy_and_rates(result: Result) -> list[Line]:
    found = result.estimates
    total = found["energy_mj_per_frame.total"]
    rows = [["Energy per frame", with_unit(total.value, "mJ"), half_width(total)]]
    for term in TERMS:
        value = found[f"energy_mj_per_frame.{term}"].value
        rows.append([f"  {term}", with_unit(value, "mJ"), _share_of(value, total.value)])
    rows.append(["Power", with_unit(found["power_mw"].value, "mW"), half_width(found["power_mw"])])
    return beside(columns(rows, "<.<"), columns(_rate_rows(result), "<.<"))


def _rate_rows(result: Result) -> Sequence[Sequence[str]]:
    found = result.estimates
    rate, period = found["throughput_fps"], found["period_ms"]
    misses, drops, right = found["deadline_miss_rate"], found["drop_rate"], found["accuracy"]
    rows = [
        ["Rates", "", ""],
        ["  throughput", with_unit(rate.value, "fps"), half_width(rate)],
        ["  period", with_unit(period.value, "ms"), half_width(period)],
        ["  frames dropped", percent(drops.value), half_width(drops, scale=100, significant=3)],
    ]
    if result.scenario.spec.requirements.deadline is not None:
        rows.append(["  deadline missed", percent(misses.value), half_width(misses, scale=100, significant=3)])
    return [*rows, ["  accuracy", percent(right.value), half_width(right, scale=100, significant=3)]]


def _bounds(result: Result) -> list[Line]:
    bounds = result.bounds
    latency = bounds.mean_latency_ns / NS_PER_MS if bounds.mean_latency_ns else None
    if bounds.bottleneck >= 0:
        name = shortened(result.lowered.labels.resources[bounds.bottleneck], NAME)
        rate = ["  throughput", with_unit(bounds.throughput_fps, "fps"), f"{name} is the bottleneck"]
    else:
        rate = ["  throughput", "unlimited", "answers need no PE"]
    mean = ["  mean latency", with_unit(latency, "ms"), "nothing waits or slows down"]
    return [heading("No schedule does better than"), *columns([rate, mean], "<.<", title=False)]


def _requirements(result: Result) -> list[Line]:
    if not result.verdicts:
        return []
    rows = [["Requirements", "", "is", "must be", "margin", "interval"]]
    for verdict in result.verdicts:
        sign = "≤" if verdict.is_ceiling else "≥"
        shown = percent if verdict.unit == "" else _in(verdict.unit)
        rows.append(
            [
                "  met" if verdict.met else "  NOT MET",
                verdict.name.replace("_", " "),
                shown(verdict.value),
                f"{sign} {limit(verdict.limit, verdict.unit)}",
                shown(verdict.margin),
                certainty_words(verdict.sure),
            ]
        )
    lines = columns(rows, "<<.<.<")
    return [lines[0], *_judged(lines[1:], (verdict.met for verdict in result.verdicts))]


def _in(unit: str) -> Callable[[float | None], str]:
    return lambda value: with_unit(value, unit)


def _judged(lines: Sequence[Line], met: Iterable[bool]) -> list[Line]:
    return [(text, "green" if good else "bold red") for (text, _), good in zip(lines, met, strict=True)]


def _notes(result: Result) -> list[Line]:
    if not result.notes:
        return []
    return [heading("Notes"), *(line for note in result.notes for line in paragraph("-", note))]
