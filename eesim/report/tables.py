"""What ``eesim run`` prints: one screen that a newcomer understands, the same in a terminal and in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from eesim.metrics.energy import TERMS
from eesim.metrics.observe import PARTS
from eesim.metrics.replication import NS_PER_MS, QUANTILES, batching_of, losses_of
from eesim.plan.plan import Status
from eesim.report.layout import Line, beside, columns, heading, paragraph
from eesim.report.numbers import limit, measured, percent, with_unit
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

NAME = 14
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
    sections = (_headline, _latency, _streams, _exits, _elements, _energy_and_rates, _bounds, _requirements, _notes)
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
    networks = dict.fromkeys(member.network.name for member in scenario.streams)
    lines = [heading(f"{' and '.join(networks)} on {scenario.board.name}")]
    if scenario.spec.title:
        lines += paragraph("", scenario.spec.title)
    for name, member in zip(scenario.names or ("",), scenario.streams, strict=True):
        if name:
            lines.append(heading(f"  {name}: {member.network.name}"))
        lines += paragraph("mapping", mapping_words(member))
        lines += paragraph("policy", policy_words(member.policy))
        lines += paragraph("stream", stream_words(member))
    if physics_words(scenario):
        lines += paragraph("without", physics_words(scenario))
    return lines + paragraph("run", _run_words(result))


def _run_words(result: Result) -> str:
    count, frames = len(result.replications), result.scenario.n_frames
    cuts = [r.warmup_frames for r in result.replications]
    text = f"{frames:,} frame{'s' if frames > 1 else ''}"
    text += f" × {count} replications" if count > 1 else ", one replication"
    if not any(cuts):
        return f"{text}, no warm-up removed"
    first = f"{cuts[0]:,}" if len(set(cuts)) == 1 else f"{min(cuts):,} to {max(cuts):,}"
    return f"{text}; warm-up left out: {first}{' of each' if count > 1 else ''}"


def _latency(result: Result) -> list[Line]:
    found = result.estimates
    level = f"{100 * result.scenario.spec.run.confidence:g} % interval"
    rows = [["Latency", "", level]]
    rows += [[f"  {name}", *measured(found[f"latency_ms.{name}"], "ms")] for name in ("mean", *QUANTILES)]
    worst = found["latency_ms.max"]
    rows.append(["  max", with_unit(worst.value, "ms"), spread_words(worst, "ms")])
    mean = found["latency_ms.mean"].value
    parts = [["Where the mean goes", "", ""]]
    for part in PARTS:
        value = found[f"parts_ms.{part}"].value
        parts.append([f"  {part}", with_unit(value, "ms", 3), _share_of(value, mean)])
    return beside(columns(rows, "<.<"), columns(parts, "<.."))


def _share_of(value: float | None, whole: float | None) -> str:
    return f"{100 * value / whole:.1f} %" if value is not None and whole else ""


def _streams(result: Result) -> list[Line]:
    """One line per stream, where there are several."""
    found, scenario = result.estimates, result.scenario
    rows = [["Streams", "mean latency", "", "p99", "max", "missed", "dropped", "throughput"]]
    for name, member in zip(scenario.names, scenario.members, strict=True):
        prefix = f"stream.{name}."
        missed = found[f"{prefix}deadline_miss_rate"].value if member.spec.requirements.deadline is not None else None
        rows.append(
            [
                f"  {shortened(name, NAME)}",
                *measured(found[f"{prefix}latency_ms.mean"], "ms"),
                with_unit(found[f"{prefix}latency_ms.p99"].value, "ms"),
                with_unit(found[f"{prefix}latency_ms.max"].value, "ms"),
                percent(missed) if missed is not None else "",
                percent(found[f"{prefix}drop_rate"].value),
                with_unit(found[f"{prefix}throughput_fps"].value, "fps"),
            ]
        )
    return columns(rows, "<.<.....") if scenario.members else []


def _exits(result: Result) -> list[Line]:
    rows = [["Exits", "share", "", "mean latency", "", "p99", "lower bound"]]
    labels, found = result.lowered.labels, result.estimates
    for name, floor in zip(labels.exits, result.bounds.exit_latency_ns, strict=True):
        rows.append(
            [
                f"  {shortened(name, NAME)}",
                *measured(found[f"exit_share.{name}"], "%", scale=100),
                *measured(found[f"exit_latency_ms.{name}"], "ms"),
                with_unit(found[f"exit_p99_ms.{name}"].value, "ms"),
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
        rows.append(
            [
                f"  {shortened(name, NAME)}" + (f" x{servers[r]}" if servers[r] > 1 else ""),
                *measured(result.estimates[f"utilisation.{name}"], "%", scale=100, significant=3),
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
    rows = [["Energy per frame", *measured(total, "mJ")]]
    for term in TERMS:
        value = found[f"energy_mj_per_frame.{term}"].value
        rows.append([f"  {term}", with_unit(value, "mJ"), _share_of(value, total.value)])
    return beside(columns(rows, "<.."), columns(_rate_rows(result), "<<<"))


def _rate_rows(result: Result) -> list[list[str]]:
    found = result.estimates
    rows = [
        ["Rates and power", "", ""],
        ["  throughput", *measured(found["throughput_fps"], "fps")],
        ["  period", *measured(found["period_ms"], "ms")],
        ["  frames dropped", *measured(found["drop_rate"], "%", scale=100, significant=3)],
        *_loss_rows(result),
    ]
    if any(member.spec.requirements.deadline is not None for member in result.scenario.streams):
        missed = measured(found["deadline_miss_rate"], "%", scale=100, significant=3)
        rows.append(["  deadline missed", *missed])
    for name in batching_of(result.lowered.plan, result.lowered.labels):
        rows.append([f"  mean batch on {shortened(name, NAME)}", *measured(found[f"batch_size.{name}"], "frames")])
    if "forced_share" in found:
        rows.append(["  forced by the budget", *measured(found["forced_share"], "%", scale=100, significant=3)])
    if "reuse_share" in found:
        again = [measured(found[name], "%", scale=100, significant=3) for name in ("reuse_share", "stale_share")]
        rows += [["  answers used again", *again[0]], ["    stale", *again[1]]]
    for level in range(1, result.lowered.plan.n_levels + 1):
        share = measured(found[f"level_share.{level}"], "%", scale=100, significant=3)
        rows.append([f"  answers at level {level}", *share])
    if found["accuracy"].value is not None:
        rows.append(["  accuracy", *measured(found["accuracy"], "%", scale=100)])
    return [*rows, ["  power", *measured(found["power_mw"], "mW")]]


def _loss_rows(result: Result) -> list[list[str]]:
    """Why frames were dropped, unless all of them met a full queue of frames."""
    found = result.estimates
    known = [
        (loss, found[f"drop_rate_by.{loss.name}"]) for loss in losses_of(result.lowered.plan, result.lowered.labels)
    ]
    lost = [(loss, share) for loss, share in known if share.value]
    if all(loss.status == Status.DROPPED for loss, _ in lost):
        return []
    words = {Status.DROPPED: "waiting to enter", Status.GIVEN_UP: "given up"}
    return [
        [
            f"    {words.get(Status(loss.status), f'queue of {shortened(loss.name, NAME)}')}",
            *measured(share, "%", scale=100, significant=3),
        ]
        for loss, share in lost
    ]


def _bounds(result: Result) -> list[Line]:
    bounds = result.bounds
    if result.value("latency_ms.mean") is None:
        # Bounds are for the exits that answered.
        return []
    if bounds.bottleneck >= 0:
        name = shortened(result.lowered.labels.resources[bounds.bottleneck], NAME)
        rate = ["  throughput", with_unit(bounds.throughput_fps, "fps"), f"{name} is the bottleneck"]
    else:
        rate = ["  throughput", "unlimited", "answers need no PE"]
    mean = ["  mean latency", with_unit(bounds.mean_latency_ns / NS_PER_MS, "ms"), "nothing waits or slows down"]
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
                f"{verdict.stream}: {verdict.name}".removeprefix(": ").replace("_", " "),
                shown(verdict.value),
                f"{sign} {limit(verdict.limit, verdict.unit)}",
                shown(verdict.margin),
                certainty_words(verdict.sure),
            ]
        )
    lines = columns(rows, "<<><><")
    return [lines[0], *_judged(lines[1:], (verdict.met for verdict in result.verdicts))]


def _in(unit: str) -> Callable[[float | None], str]:
    return lambda value: with_unit(value, unit)


def _judged(lines: Sequence[Line], met: Iterable[bool]) -> list[Line]:
    return [(text, "green" if good else "bold red") for (text, _), good in zip(lines, met, strict=True)]


def _notes(result: Result) -> list[Line]:
    if not result.notes:
        return []
    return [heading("Notes"), *(line for note in result.notes for line in paragraph("-", note))]
