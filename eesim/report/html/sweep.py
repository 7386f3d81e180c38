"""Pages of sweeps: ``eesim sweep -o DIR``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind
from eesim.report.html.metrics import between, titled, unit, value_text, words
from eesim.report.html.parts import Cell, Chart, Facts, Key, Part, Row, Section, Table, Text, fold_long
from eesim.report.html.plot import LINES, STYLES, Plot
from eesim.report.html.svg import widened
from eesim.report.numbers import number
from eesim.report.style import CYCLE, colour

if TYPE_CHECKING:
    import pandas as pd

MAIN = "study.json"
TABLE = "table.parquet"
METADATA = b"eesim.sweep"

WANTED = (
    "latency_ms.p99",
    "latency_ms.mean",
    "energy_mj_per_frame.total",
    "throughput_fps",
    "drop_rate",
    "deadline_miss_rate",
)
"""Metrics that are drawn, those that the study has, in this order."""
DRAWN = 4
LISTED = 200
"""Rows that the page lists; the table has all."""
CURVES = 21
"""Lines in a chart that can be told apart: colours times dashes."""


class Axis(NamedTuple):
    """One axis of the study: its values in order, as numbers where they all are some."""

    path: str
    values: Sequence[Any]
    numbers: Mapping[Any, float] | None
    unit: str


def claims(folder: Folder) -> bool:
    """Whether the folder holds a sweep."""
    return "design_sha256" in folder.json(MAIN) or bool(folder.embedded(TABLE, METADATA))


def _facts(folder: Folder) -> dict[str, Any]:
    return folder.embedded(TABLE, METADATA)


def _rows(folder: Folder) -> pd.DataFrame | None:
    told = _facts(folder)
    if not told:
        return None
    metrics = [name + ending for name in told["metrics"] for ending in ("", ".ci_low", ".ci_high")]
    columns = ["point", *told["axes"], "status", "reason", "requirements_met", "frames", "replications", *metrics]
    table = folder.table(TABLE, columns)
    return None if table is None else table.to_pandas()


def _title(folder: Folder) -> str:
    title = _facts(folder).get("title")
    return str(title or folder.json(MAIN).get("study", ""))


def _in_short(folder: Folder) -> Section | None:
    study, rows = folder.json(MAIN), _rows(folder)
    facts = [("study", str(study["study"]))] if study else []
    if rows is not None:
        counts = rows["status"].value_counts().sort_index()
        told = ", ".join(f"{count:,} {status}" for status, count in counts.items())
        facts += [("points", f"{len(rows):,}: {told}")]
        met = rows["requirements_met"].dropna()
        facts += [("meet the requirements", f"{int(met.sum()):,} of {len(met):,}")] if len(met) else []
        facts += [("each point", f"{_span(rows['frames'])} frames × {_span(rows['replications'])} replications")]
    elif study:
        facts += [("points", f"{study['points']:,}")]
    parts: list[Part] = [Facts(facts)]
    if rows is not None:
        axes = _axes(folder, rows)
        listed = [[a.path, f"{len(a.values):,}", _some(a.values)] for a in axes]
        parts.append(Table("What varies", ["path", "values", ""], listed, "lrw"))
    return Section("In short", parts)


def _span(column: pd.Series[Any]) -> str:
    known = column.dropna()
    if not len(known):
        return "no"
    low, high = int(known.min()), int(known.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _some(values: Sequence[Any]) -> str:
    texts = [str(value) for value in values]
    return ", ".join(texts) if len(texts) <= 12 else f"{', '.join(texts[:6])}, …, {', '.join(texts[-3:])}"


def _axes(folder: Folder, rows: pd.DataFrame) -> list[Axis]:
    return [_axis(path, list(rows[path].dropna().unique())) for path in _facts(folder)["axes"]]


def _axis(path: str, values: list[Any]) -> Axis:
    """Return an axis; ``30 Hz`` counts as a number where all values have the same unit."""
    found: dict[Any, float] = {}
    units = set()
    for value in values:
        amount, name = _amount(value)
        if amount is None:
            return Axis(path, values, None, "")
        found[value] = amount
        units.add(name)
    if len(units) != 1:
        return Axis(path, values, None, "")
    return Axis(path, sorted(values, key=lambda value: found[value]), found, units.pop())


def _amount(value: Any) -> tuple[float | None, str]:
    if isinstance(value, bool):
        return None, ""
    head, _, name = str(value).strip().partition(" ")
    try:
        return float(head), name
    except ValueError:
        return None, ""


def _curves(folder: Folder) -> Section | None:
    rows = _rows(folder)
    if rows is None:
        return None
    axes = _axes(folder, rows)
    numeric = [axis for axis in axes if axis.numbers is not None and len(axis.values) > 2]
    metrics = [name for name in WANTED if name in rows.columns and rows[name].notna().any()] or [
        name for name in _facts(folder)["metrics"] if rows[name].notna().any()
    ]
    if not numeric or not metrics:
        return None
    x = max(numeric, key=lambda axis: len(axis.values))
    others = [axis for axis in axes if axis.path != x.path]
    # One line for each combination of the others where there are few; else a panel or the best alone would hide the rest.
    groups = rows.groupby([axis.path for axis in others], sort=False, observed=True) if others else [((), rows)]
    lines = {_group(key): part for key, part in groups}
    if max(len(part) for part in lines.values()) > len(x.values) or min(map(len, lines.values())) < 2:
        return Section(
            "Curves", [Text("The points do not lie on lines (several values of other paths at each): see the table.")]
        )
    shown = dict(list(lines.items())[:CURVES])
    parts: list[Part] = [Row([_chart(x, shown, metric) for metric in metrics[:DRAWN]])]
    if len(lines) > CURVES:
        parts.append(Text(f"The first {CURVES} of {len(lines):,} lines are drawn."))
    return Section("Curves", parts)


def _group(key: Any) -> str:
    values = key if isinstance(key, tuple) else (key,)
    return ", ".join(map(str, values)) or "all points"


def _chart(x: Axis, lines: Mapping[str, pd.DataFrame], metric: str) -> Chart:
    numbers, scale = x.numbers or {}, unit(metric).scale
    every = [part[metric].dropna() * scale for part in lines.values()]
    known = [value for column in every for value in (column.min(), column.max()) if value == value]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    log = low > 0 and high / low > 20
    reach = (low / 1.15, high * 1.15) if log else widened(low, high)
    x_title = f"{x.path}, {x.unit}".rstrip(", ")
    ends = widened(numbers[x.values[0]], numbers[x.values[-1]], 0.02)
    told = f"{words(metric)} against {x.path}, {len(lines)} lines, from {number(low)} to {number(high)} {unit(metric).name}"
    plot = Plot(told, ends, reach, x_title=x_title, y_title=titled(metric), y_log=log, left=66)
    legend = []
    for i, (name, part) in enumerate(lines.items()):
        style = STYLES[i // len(CYCLE) % len(LINES)]
        points = sorted(
            (numbers[row[0]], row[1] * scale, row[0])
            for row in zip(part[x.path], part[metric], strict=True)
            if row[1] == row[1]
        )
        if len(points) > 1:
            plot.line([(a, b) for a, b, _ in points], colour(i), style=style, width=1.6)
        for a, b, value in points:
            plot.dot(a, b, colour(i), f"{name}\n{x.path} {value}: {number(b)} {unit(metric).name}", radius=2.4)
        legend.append(Key(name, colour(i), style))
    return Chart(plot.svg(), f"{words(metric)} against {x.path}{' (logarithmic scale)' if log else ''}", legend)


def _best(folder: Folder) -> Section | None:
    rows = _rows(folder)
    told = _facts(folder)
    if rows is None:
        return None
    metrics = [name for name in WANTED if name in rows.columns and rows[name].notna().any()]
    order = metrics[0] if metrics else next((name for name in told["metrics"] if rows[name].notna().any()), None)
    if order is None:
        return None
    judged = rows["requirements_met"].notna().any()
    shown = metrics or [order]
    best = rows[rows[order].notna()].sort_values(
        [order, "point"], ascending=[order != "throughput_fps", True], kind="stable"
    )
    head = [
        "point",
        *told["axes"],
        *(titled(name) for name in shown),
        f"interval of {words(order)}",
        *(["requirements"] if judged else []),
    ]
    cells = [_point(row, told["axes"], shown, order, judged) for row in best.head(LISTED).to_dict("records")]
    table = Table(
        f"Points by {words(order)}", head, cells, "r" + "l" * len(told["axes"]) + "r" * len(shown) + "l" + "l" * judged
    )
    parts = fold_long(table, 15, "points")
    if len(best) > LISTED:
        parts.append(Text(f"{TABLE} has all {len(best):,} points."))
    return Section("Points", parts)


def _point(
    row: Mapping[str, Any], axes: Sequence[str], metrics: Sequence[str], order: str, judged: bool
) -> list[str | Cell]:
    values = [
        value_text(row[name] if row[name] == row[name] else None, name).rpartition(" ")[0] or "n/a" for name in metrics
    ]
    values = [number(row[name] * unit(name).scale) if row[name] == row[name] else "n/a" for name in metrics] or values
    ends = [row.get(f"{order}.ci_low"), row.get(f"{order}.ci_high")]
    low, high = (end if end is not None and end == end else None for end in ends)
    cells: list[str | Cell] = [
        str(row["point"]),
        *(str(row[path]) for path in axes),
        *values,
        between(low, high, unit(order).scale),
    ]
    if judged:
        met = row["requirements_met"]
        cells.append(Cell("met", "good") if met is True else Cell("NOT MET", "bad") if met is False else Cell(""))
    return cells


def _failures(folder: Folder) -> Section | None:
    rows = _rows(folder)
    if rows is None:
        return None
    failed = rows[rows["status"] == "failed"]
    if not len(failed):
        return None
    axes = _facts(folder)["axes"]
    listed = [
        [str(row["point"]), *(str(row[path]) for path in axes), str(row["reason"])]
        for row in failed.head(LISTED).to_dict("records")
    ]
    table = Table(f"{len(failed):,} points failed", ["point", *axes, "reason"], listed, "r" + "l" * len(axes) + "w")
    return Section("Failures", fold_long(table, 15, "failures"))


def _provenance(folder: Folder) -> Mapping[str, Any]:
    study = folder.json(MAIN)
    if not study:
        told = _facts(folder)
        return {"eesim": "not recorded", "engine": told["engine"]} if told else {}
    hashes = study.get("files_sha256", {})
    return {
        "eesim": study["eesim"],
        "packages": {"numpy": study["numpy"]},
        "engine": study["engine"],
        "design_sha256": study["design_sha256"],
        "scenario": json.dumps(study["scenario"], ensure_ascii=False),
        "files": {str(i + 1): path for i, path in enumerate(hashes)},
        "parts_sha256": {str(i + 1): found for i, found in enumerate(hashes.values())},
    }


def _rerun(folder: Folder) -> Sequence[str]:
    study = folder.json(MAIN)
    return ["eesim", "sweep", str(study["study"])] if study else []


KIND = Kind(
    name="sweep",
    command="eesim sweep",
    claims=claims,
    files={MAIN: "what was swept, provenance", TABLE: "the points and their metrics"},
    title=_title,
    sections=(_in_short, _curves, _best, _failures),
    provenance=_provenance,
    rerun=_rerun,
)
