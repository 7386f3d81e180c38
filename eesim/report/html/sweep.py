"""Pages of sweeps: ``eesim sweep -o DIR``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind
from eesim.report.html.metrics import between, titled, unit, words
from eesim.report.html.parts import Cell, Facts, Key, Part, Row, Section, Table, Text, fold_long
from eesim.report.html.sweep_curves import Axis, axis_of, curve_chart, group_name, looks
from eesim.report.numbers import number

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
    return [axis_of(path, list(rows[path].dropna().unique())) for path in _facts(folder)["axes"]]


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
    groups = rows.groupby([axis.path for axis in others], sort=False, observed=True) if others else [((), rows)]
    lines = {key if isinstance(key, tuple) else (key,): part for key, part in groups}
    if max(len(part) for part in lines.values()) > len(x.values) or min(map(len, lines.values())) < 2:
        text = "The points do not lie on lines (each has values of its own on several paths): see the table."
        return Section("Curves", [Text(text)])
    shown = dict(list(lines.items())[:CURVES])
    styles = looks(others, list(shown))
    charts = [curve_chart(x, shown, styles, metric) for metric in metrics[:DRAWN]]
    parts: list[Part] = [Row(charts, [Key(group_name(key), *look) for key, look in styles.items()])]
    if len(lines) > CURVES:
        parts.append(Text(f"The first {CURVES} of {len(lines):,} lines are drawn."))
    return Section("Curves", parts)


def _best(folder: Folder) -> Section | None:
    rows = _rows(folder)
    told = _facts(folder)
    if rows is None:
        return None
    metrics = [name for name in WANTED if name in rows.columns and rows[name].notna().any()]
    order = metrics[0] if metrics else next((name for name in told["metrics"] if rows[name].notna().any()), None)
    if order is None:
        return None
    judged = bool(rows["requirements_met"].notna().any())
    shown, axes = metrics or [order], told["axes"]
    upward = [order != "throughput_fps", True]
    best = rows[rows[order].notna()].sort_values([order, "point"], ascending=upward, kind="stable")
    head = ["point", *axes, *map(titled, shown), f"interval of {words(order)}", *(["requirements"] if judged else [])]
    listed: list[dict[str, Any]] = [
        {str(key): value for key, value in row.items()} for row in best.head(LISTED).to_dict("records")
    ]
    cells = [_point(row, axes, shown, order, judged=judged) for row in listed]
    align = "r" + "l" * len(axes) + "r" * len(shown) + "l" + "l" * judged
    parts = fold_long(Table(f"Points by {words(order)}", head, cells, align), 15, "points")
    if len(best) > LISTED:
        parts.append(Text(f"{TABLE} has all {len(best):,} points."))
    return Section("Points", parts)


def _point(
    row: Mapping[str, Any], axes: Sequence[str], metrics: Sequence[str], order: str, *, judged: bool
) -> list[str | Cell]:
    values = [number(row[name] * unit(name).scale) for name in metrics]
    low, high = (row[f"{order}.{end}"] for end in ("ci_low", "ci_high"))
    interval = "" if low != low or high != high else between(low, high, unit(order).scale)
    cells: list[str | Cell] = [str(row["point"]), *(str(row[path]) for path in axes), *values, interval]
    if judged:
        # Missing where a point has none.
        cells.append({True: Cell("met", "good"), False: Cell("NOT MET", "bad")}.get(row["requirements_met"], Cell("")))
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
        return {"engine": told["engine"]} if told else {}
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
