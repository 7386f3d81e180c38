"""What ``eesim compare`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from eesim.report.differences import difference_text, interval_text, judgement, relative_text, sentence, value_text
from eesim.report.layout import Line, columns, heading, paragraph
from eesim.report.words import shortened
from eesim.whatif.metrics import split, unit, words

if TYPE_CHECKING:
    from rich.console import Console

    from eesim.metrics.result import Result
    from eesim.whatif.comparison import Comparison, Variant

MOST_CHANGES = 20
"""Input values that are listed; all of them are in ``--json``."""

SAID = ("latency_ms.mean", "latency_ms.p99", "energy_mj_per_frame.total")
"""Metrics of which a sentence says what they do, unless others were asked for."""

_PLAIN = str.maketrans({"−": "-", "×": "x", "±": "+-"})


def letter(index: int) -> str:
    """Return what the ``index``-th scenario is called in tables."""
    return chr(ord("A") + index) if index < 26 else f"V{index}"


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print what was compared, what differs in the inputs, and every metric with its difference."""
    lines = _headline(comparison)
    for i, variant in enumerate(comparison.variants, start=1):
        lines += [("", ""), *_variant(comparison, variant, letter(i))]
    for text, style in lines:
        plain = text.translate(_PLAIN) if console.options.ascii_only else text
        console.print(Text(plain.rstrip(), style=style), soft_wrap=True)


def _headline(comparison: Comparison) -> list[Line]:
    names = [comparison.label, *(variant.label for variant in comparison.variants)]
    lines = [heading("Comparison on the same random numbers")]
    for i, name in enumerate(names):
        lines += paragraph(letter(i), name)
    frames = comparison.result.scenario.n_frames
    text = f"{comparison.replications} replications × {frames:,} frames each, seed {comparison.result.seed}"
    if comparison.precision is not None:
        reached = "reached" if comparison.precise else "NOT reached"
        text += f"; precision {comparison.precision} of {', '.join(map(words, comparison.precision_of))}: {reached}"
    return lines + paragraph("runs", text)


def _variant(comparison: Comparison, variant: Variant, name: str) -> list[Line]:
    lines = [heading(f"{name} against A: {variant.verdict}")]
    lines += _changes(variant, name)
    lines += paragraph("streams", variant.pairing.words(), indent=9)
    if not variant.same_simulation:
        lines += [("", ""), *_metrics(comparison, variant, name), ("", ""), *_sentences(variant, name)]
    return lines + _requirements(comparison.result, variant, name) + _notes(comparison.result, variant, name)


def _changes(variant: Variant, name: str) -> list[Line]:
    if not variant.changes:
        return paragraph("inputs", "the same", indent=9)
    shown = variant.changes[:MOST_CHANGES]
    rows = [["  Inputs that differ", "A", name]]
    rows += [[f"    {change.path}", _written(change.a), _written(change.b)] for change in shown]
    lines = [(text, "") for text, _ in columns(rows, "<<<")]
    left = len(variant.changes) - len(shown)
    return lines + ([(f"    ... and {left} more (--json lists them)", "")] if left else [])


def _written(value: object) -> str:
    if value is None:
        return "(none)"
    return shortened("true" if value is True else "false" if value is False else str(value), 24)


def _metrics(comparison: Comparison, variant: Variant, name: str) -> list[Line]:
    level = f"{100 * comparison.confidence:g} % interval"
    rows = [["  Metric", "A", name, f"{name} − A", level, "of A", ""]]
    for found in variant.metrics:
        both = found.paired
        rows.append(
            [
                f"  {words(found.metric)}, {unit(found.metric) or '%'}",
                *(value_text(found.metric, one.value).partition(" ")[0] for one in (both.a, both.b)),
                difference_text(found.metric, both.difference).partition(" ")[0],
                interval_text(found.metric, both.difference) if both.difference.value else "",
                relative_text(found),
                judgement(found),
            ]
        )
    lines = columns(rows, "<>>><><")
    styles = {"higher": "bold", "lower": "bold"}
    body = [(text, styles.get(row[-1], "")) for (text, _), row in zip(lines[1:], rows[1:], strict=True)]
    return [lines[0], *body]


def _sentences(variant: Variant, name: str) -> list[Line]:
    said = [found for found in variant.metrics if split(found.metric)[1] in SAID] or list(variant.metrics)[:3]
    return [line for found in said for line in paragraph("-", sentence(found, name) + ".")]


def _requirements(first: Result, variant: Variant, name: str) -> list[Line]:
    """Requirements that only one of the two meets, and those that neither does."""

    def missed(result: Result) -> list[str]:
        return [
            f"{verdict.stream} {verdict.name}".strip().replace("_", " ")
            for verdict in result.verdicts
            if not verdict.met
        ]

    told: Sequence[tuple[str, list[str]]] = (("A", missed(first)), (name, missed(variant.result)))
    text = "; ".join(f"{who} misses {', '.join(which)}" for who, which in told if which)
    return [("", ""), *paragraph("", f"Requirements: {text}.")] if text else []


def _notes(first: Result, variant: Variant, name: str) -> list[Line]:
    both = [f"A and {name}: {note}" for note in first.notes if note in variant.result.notes]
    ours = [f"A: {note}" for note in first.notes if note not in variant.result.notes]
    theirs = [f"{name}: {note}" for note in variant.result.notes if note not in first.notes]
    notes = [*both, *ours, *theirs]
    return [("", ""), heading("Notes"), *(line for note in notes for line in paragraph("-", note))] if notes else []
