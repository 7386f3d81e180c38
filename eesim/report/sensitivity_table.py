"""What ``eesim sensitivity`` prints."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from eesim.metrics.statistics import Estimate
from eesim.report.differences import difference_text, value_text
from eesim.report.layout import Line, columns, heading, paragraph
from eesim.report.numbers import MISSING, number
from eesim.report.paths import folded
from eesim.report.words import shortened
from eesim.whatif.metrics import is_larger_better, words
from eesim.wording import count

if TYPE_CHECKING:
    from rich.console import Console

    from eesim.whatif.ranking import Ranking
    from eesim.whatif.sensitivity import Sensitivity
    from eesim.whatif.sobol import Sobol
    from eesim.whatif.tornado import Parameter

MOST_ROWS = 25
"""Inputs that are shown for each metric; all of them are in ``--json`` and in the files."""

MOST_INFLUENCES = 5
LEAST_CORRELATION = 0.2
BAR = 12

_PLAIN = str.maketrans({"±": "+-", "×": "x", "█": "#", "−": "-"})


def _print(lines: Sequence[Line], console: Console) -> None:
    for text, style in lines:
        plain = text.translate(_PLAIN) if console.options.ascii_only else text
        console.print(Text(plain.rstrip(), style=style), soft_wrap=True)


def print_sensitivity(found: Sensitivity, console: Console) -> None:
    """Print the tornado of every metric as a table, the indices, and by name what has no effect."""
    lines = [heading("Sensitivity: one input at a time, all on the same frames")]
    text = f"{count(len(found.parameters), 'input')} varied, {count(found.simulated, 'different simulation')} of "
    lines += paragraph("runs", f"{text}{found.replications} replications × {found.frames:,} frames")
    for metric in found.metrics:
        lines += [("", ""), *_tornado(found, metric)]
    if found.sobol is not None:
        lines += _sobol(found.sobol)
    _print(lines + _silent(found), console)


def _tornado(found: Sensitivity, metric: str) -> list[Line]:
    moved = [p for p in found.with_status("effect") if p.effects[metric].swing > 0]
    moved.sort(key=lambda parameter: -parameter.effects[metric].swing)
    title = heading(f"{words(metric)}: {value_text(metric, found.base[metric].value)}")
    if not moved:
        return [title, ("  nothing that was varied moves it", "")]
    longest = moved[0].effects[metric].swing
    rows = [["  Input", "low", "high", "at low", "at high", "high − low", ""]]
    for parameter in moved[:MOST_ROWS]:
        effect = parameter.effects[metric]
        rows.append(
            [
                f"  {shortened(parameter.path, 46)}",
                *(str(end.written()) if end else "" for end in (parameter.span.low, parameter.span.high)),
                *(_at(metric, value) for value in (effect.at_low, effect.at_high)),
                difference_text(metric, effect.effect) + ("" if effect.significant else " ?"),
                "█" * max(1, round(BAR * effect.swing / longest)),
            ]
        )
    left = len(moved) - MOST_ROWS
    more = [(f"  ... and {left} more with smaller effects (--json lists them)", "")] if left > 0 else []
    asked = any(not parameter.effects[metric].significant for parameter in moved[:MOST_ROWS])
    doubt = [("  ? may be chance: the interval is too wide to tell", "")] if asked else []
    return [title, *columns(rows, "<>>>>><"), *more, *doubt, *_one_sided(moved[:MOST_ROWS])]


def _at(metric: str, value: float | None) -> str:
    return "invalid" if value is None else value_text(metric, value)


def _one_sided(parameters: Sequence[Parameter]) -> list[Line]:
    """Why some ends could not be simulated."""
    told = [f"{parameter.path}={problem}" for parameter in parameters for problem in parameter.problems]
    return [line for text in told for line in paragraph("-", f"invalid: {text}")]


def _sobol(found: Sobol) -> list[Line]:
    lines: list[Line] = []
    for metric, indices in found.indices.items():
        deviation = value_text(metric, found.standard_deviation[metric])
        lines += [("", ""), heading(f"{words(metric)}: Sobol's indices, standard deviation {deviation}")]
        rows = [["  Input", "alone", "", "with others", ""]]
        for index in indices[:MOST_ROWS]:
            cells = [cell for one in (index.first, index.total) for cell in (f"{one.value or 0.0:.2f}", _ends(one))]
            rows.append([f"  {shortened(index.path, 46)}", *cells])
        lines += columns(rows, "<><><")
    text = f"{found.points:,} base samples, {found.evaluations:,} points; bootstrap intervals"
    return [*lines, *paragraph("", text)]


def _ends(one: Estimate) -> str:
    return "" if one.ci_low is None or one.ci_high is None else f"[{one.ci_low:.2f}, {one.ci_high:.2f}]"


def _silent(found: Sensitivity) -> list[Line]:
    """Inputs without effect by name, and those that could not be varied with the reason."""
    lines: list[Line] = []
    for title, status in (("No effect, though the run reads them", "no effect"), ("Not read by this run", "not read")):
        named = found.with_status(status)  # type: ignore[arg-type]
        if named:
            lines += [("", ""), heading(f"{title} ({len(named)})")]
            lines += [line for text in folded(p.path for p in named) for line in paragraph("-", text)]
    by_reason: dict[str, list[str]] = {}
    for parameter in found.with_status("invalid", "not varied"):
        by_reason.setdefault("; ".join(parameter.problems), []).append(parameter.path)
    if by_reason:
        lines += [("", ""), heading(f"Could not be varied ({sum(map(len, by_reason.values()))})")]
        for reason, paths in by_reason.items():
            lines += paragraph("-", f"{', '.join(folded(paths))}: {reason}")
    return lines


def print_ranking(found: Ranking, console: Console) -> None:
    """Print on how many plausible boards each candidate is best, how much it can lose, and what decides."""
    best = found.candidates[0]
    largest = "largest" if is_larger_better(found.metric) else "smallest"
    lines = [heading(f"Which mapping has the {largest} {words(found.metric)}, on {found.boards:,} plausible boards?")]
    lines += paragraph("boards", f"drawn from {found.plausible.source} ({len(found.plausible.paths)} inputs)")
    lines += paragraph("runs", f"{found.replications} replications × {found.frames:,} frames, the same for all")
    rows = [
        [
            "  Mapping",
            "best on",
            "interval",
            "mean",
            "from ... to",
            "loses",
            "at most",
            "meets" if found.has_requirements else "",
        ]
    ]
    for candidate in found.candidates:
        rows.append(
            [
                f"  {shortened(candidate.mapping, 30)}",
                _share(candidate.best.value),
                _percent_interval(candidate.best),
                value_text(found.metric, candidate.value["mean"]),
                f"{number(candidate.value['min'])} ... {number(candidate.value['max'])}",
                _loss(candidate.regret_pct["mean"]),
                _loss(candidate.regret_pct["max"]),
                _share(candidate.meets.value) if found.has_requirements else "",
            ]
        )
    lines += [("", ""), *columns(rows, "<><>>>>>"), ("", "")]
    told = "loses, at most: how much worse than the best mapping of each board, on average and at worst"
    lines += paragraph(
        "", told + ("; meets: boards on which it meets the requirements" if found.has_requirements else "")
    )
    share = f"{100 * (best.best.value or 0.0):.0f} % of plausible boards {_percent_interval(best.best)}"
    lines += paragraph("-", f"{best.mapping} is best in {share}.")
    _print(lines + _decides(found) + _remarks(found), console)


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.1f} %"


def _percent_interval(share: Estimate) -> str:
    if share.ci_low is None or share.ci_high is None:
        return ""
    return f"[{100 * share.ci_low:.0f}, {100 * share.ci_high:.0f}]"


def _loss(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f} %"


def _decides(found: Ranking) -> list[Line]:
    # Two standard errors of the correlation of things that have nothing to do with each other.
    least = max(LEAST_CORRELATION, 2 / math.sqrt(max(found.boards - 1, 1)))
    strong = [one for one in found.influences if abs(one.correlation) >= least]
    if not strong:
        return []
    first, second = found.candidates[:2]
    by_strength: dict[str, list[str]] = {}
    for one in strong:
        by_strength.setdefault(f"{one.correlation:+.2f}", []).append(one.path)
    shown = list(by_strength.items())[:MOST_INFLUENCES]
    text = "; ".join(f"{', '.join(folded(paths))} ({strength})" for strength, paths in shown)
    reading = f"where positive, larger values favour {second.mapping}"
    return paragraph(
        "-", f"Between {first.mapping} and {second.mapping} decide, by rank correlation ({reading}): {text}."
    )


def _remarks(found: Ranking) -> list[Line]:
    told: list[tuple[Callable[[], bool], str]] = [
        (lambda: found.rejected > 0, f"{found.rejected} draws made no valid board and were drawn again"),
        (lambda: found.ties > 0, f"on {found.ties} boards several are equally good: the first one listed counts"),
        (
            lambda: any(candidate.failures for candidate in found.candidates),
            "some candidates could not be simulated on some boards: there they are not best (failures in --json)",
        ),
    ]
    return [line for applies, text in told if applies() for line in paragraph("-", text + ".")]
