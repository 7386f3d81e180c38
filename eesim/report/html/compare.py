"""Pages of comparisons: ``eesim compare -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eesim.report.html.folder import Folder
from eesim.report.html.forest import Interval, forest
from eesim.report.html.kind import Kind, scenario_command
from eesim.report.html.metrics import between, estimate, unit, value_text, words
from eesim.report.html.parts import Bullets, Cell, Facts, Part, Row, Section, Table, Text, fold_long
from eesim.report.html.requirements import requirement_table
from eesim.report.numbers import MISSING, number

MAIN = "comparison.json"
TABLE = "differences.csv"
REPLICATIONS = "replications.csv"


def claims(folder: Folder) -> bool:
    """Whether the folder holds a comparison."""
    return folder.has(MAIN) or folder.has(TABLE)


def letter(number: int) -> str:
    """Return A, B, ..., Z, AA, ... for 0, 1, ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def variants(folder: Folder) -> list[Mapping[str, Any]]:
    """Variants with their metrics: from the JSON file, or else from the table."""
    found = folder.json(MAIN).get("variants")
    if found is not None:
        return list(found)
    grouped: dict[str, dict[str, Any]] = {}
    for row in folder.csv(TABLE):
        one = grouped.setdefault(str(row["variant"]), {"label": row["label"], "metrics": {}})
        difference = {"value": row["difference"], "ci_low": row["ci_low"], "ci_high": row["ci_high"]}
        told = {"metric": row["metric"], "a": {"value": row["a"]}, "b": {"value": row["b"]}, "difference": difference}
        one["metrics"][row["metric"]] = told | {
            key: row[key] for key in ("relative", "adjusted_p", "significant", "pairs")
        }
    return list(grouped.values())


def _title(folder: Folder) -> str:
    found = folder.json(MAIN)
    if not found:
        return ""
    return f"What differs from {found['a']}" if len(found["b"]) > 1 else f"{found['a']} against {found['b'][0]}"


def _in_short(folder: Folder) -> Section | None:
    found = folder.json(MAIN)
    rows: list[list[str | Cell]] = []
    if found:
        rows.append(["A", str(found["a"]), "what the others are compared with", _judged(found)])
    for i, variant in enumerate(variants(folder), start=1):
        rows.append([letter(i), str(variant["label"]), str(variant.get("verdict", "")), _judged(variant)])
    parts: list[Part] = []
    parts.append(Table("What is compared", ["", "scenario", "verdict", "requirements"], rows, "lwwl"))
    if found:
        parts.append(Facts(_how(found)))
    return Section("In short", parts)


def _how(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the scenarios were compared."""
    runs = f"{found['frames']:,} frames × {found['replications']} replications of each, on common random numbers"
    level = f"{100 * found['confidence']:g} %"
    facts = [
        ("run", runs),
        ("engine, seed", f"{found['engine']}, {found['seed']}"),
        ("intervals", f"{level}; significance by the method of {found['adjustment']} over {found['tests']} tests"),
    ]
    asked, reached = found["precision"]["asked"], found["precision"]["reached"]
    return [*facts, ("precision", f"{asked}: {'reached' if reached else 'NOT reached'}")] if asked else facts


def _judged(told: Mapping[str, Any]) -> Cell:
    """Requirements of one scenario in a cell."""
    verdicts = told.get("requirements")
    if not verdicts:
        return Cell("none", "dim")
    missed = [verdict["name"].replace("_", " ") for verdict in verdicts if not verdict["met"]]
    return Cell(f"misses {', '.join(missed)}", "bad") if missed else Cell("met", "good")


def _inputs(folder: Folder) -> Section | None:
    parts: list[Part] = []
    for i, variant in enumerate(variants(folder), start=1):
        rows = [[str(row["path"]), _plain(row["a"]), _plain(row["b"])] for row in variant.get("inputs", ())]
        if rows:
            parts.append(Table(f"Inputs of {letter(i)} that differ from A's", ["path", "A", letter(i)], rows, "lww"))
        pairing = variant.get("pairing")
        if pairing:
            told = "; ".join(f"{key}: {pairing[key]}" for key in ("arrivals", "exits", "noise"))
            parts.append(Text(f"Random streams of A and {letter(i)}: {told}."))
    return Section("Inputs that differ", parts) if parts else None


def _plain(value: object) -> str:
    return "not there" if value is None else str(value)


def _differences(folder: Folder) -> Section | None:
    found = variants(folder)
    charts, tables = [], []
    for i, variant in enumerate(found, start=1):
        metrics = list(variant["metrics"].values())
        rows = [_interval(metric) for metric in metrics]
        shown = [row for row in rows if row is not None]
        who = f"{letter(i)} against A"
        if shown:
            caption = f"{who}: difference in % of A's value, with interval; hollow: none visible"
            charts.append(forest(shown, "difference, % of A", caption, zero=True))
        head = ["metric", "A", letter(i), f"{letter(i)} − A", "interval", "of A", "verdict", "pairs"]
        tables.append(Table(f"{who}, metric by metric", head, [_row(metric) for metric in metrics], "lrrrlrlr"))
    parts: list[Part] = [Row(charts)] if charts else []
    return Section("Differences", [*parts, *tables])


def _interval(told: Mapping[str, Any]) -> Interval | None:
    relative, base = told.get("relative"), told["a"]["value"]
    difference = told["difference"]
    if relative is None or not base or difference["ci_low"] is None:
        return None
    low, high = sorted((100 * difference["ci_low"] / abs(base), 100 * difference["ci_high"] / abs(base)))
    middle = 100 * difference["value"] / abs(base)
    hint = f"{words(told['metric'])}: {_signed(middle)} % [{_signed(low)}, {_signed(high)}]"
    return Interval(words(told["metric"]), middle, low, high, hint, hollow=not told["significant"])


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def _row(told: Mapping[str, Any]) -> list[str | Cell]:
    metric, difference = told["metric"], estimate(told["difference"])
    scale, relative, value = unit(metric).scale, told.get("relative"), estimate(told["difference"]).value
    significant = told["significant"]
    if value is None or significant is None:
        verdict = Cell("nothing can be said", "dim")
    elif not significant:
        verdict = Cell("none" if value == 0 and difference.ci_low == difference.ci_high else "none visible", "dim")
    else:
        verdict = Cell("higher" if value > 0 else "lower")
    return [
        f"{words(metric)}, {unit(metric).name}".rstrip(", "),
        *(number(None if told[key]["value"] is None else told[key]["value"] * scale) for key in ("a", "b")),
        MISSING if value is None else _signed(value * scale),
        between(difference.ci_low, difference.ci_high, scale),
        "" if relative is None else f"{_signed(100 * relative)} %",
        verdict,
        "" if told.get("pairs") is None else f"{told['pairs']:.0f}",
    ]


def _replications(folder: Folder) -> Section | None:
    rows, told = folder.csv(REPLICATIONS), variants(folder)
    if not rows or not told:
        return None
    metrics = list(told[0]["metrics"])[:6]
    head = ["scenario", "replication", *(f"{words(name)}, {unit(name).name}" for name in metrics)]
    cells: list[list[str]] = []
    for row in rows:
        values = [row.get(name) for name in metrics]
        shown = [value_text(value, name).partition(" ")[0] for value, name in zip(values, metrics, strict=True)]
        cells.append([str(row["scenario"]), f"{row['replication']:.0f}", *shown])
    table = Table(
        "Every replication of every scenario; the same number is the same frames",
        head,
        cells,
        "lr" + "r" * len(metrics),
    )
    return Section("Replications", fold_long(table, 10, "replications"))


def _requirements(folder: Folder) -> Section | None:
    parts: list[Part] = []
    judged = [folder.json(MAIN), *variants(folder)]
    for i, one in enumerate(judged):
        if one.get("requirements"):
            parts.append(requirement_table(one["requirements"], f" of {letter(i)}"))
    return Section("Requirements", parts) if parts else None


def _notes(folder: Folder) -> Section | None:
    told = [folder.json(MAIN), *variants(folder)]
    notes = [f"{letter(i)}: {note}" for i, one in enumerate(told) for note in one.get("notes", ())]
    return Section("Notes", [Bullets(notes)]) if notes else None


def _provenance(folder: Folder) -> Mapping[str, Any]:
    return dict(folder.json(MAIN).get("provenance") or {})


def _rerun(folder: Folder) -> Sequence[str]:
    told = [one.get("provenance") or {} for one in (folder.json(MAIN), *variants(folder))]
    first, *rest = ([*scenario_command("compare", one)] for one in told)
    others = [words[-1] for words in rest if words]
    # Variants of the same file were made by --against, which is not recorded.
    return [*first, *others] if first and all(other != first[-1] for other in others) else []


KIND = Kind(
    name="comparison",
    command="eesim compare",
    claims=claims,
    files={
        MAIN: "inputs that differ, requirements, notes, provenance",
        TABLE: "the table of differences for other programs",
        REPLICATIONS: "the metrics of every replication",
    },
    title=_title,
    sections=(_in_short, _requirements, _inputs, _differences, _replications, _notes),
    provenance=_provenance,
    rerun=_rerun,
)
