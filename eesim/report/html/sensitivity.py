"""Pages of sensitivities: ``eesim sensitivity -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eesim.report.html.folder import Folder
from eesim.report.html.forest import Interval, forest
from eesim.report.html.kind import Kind, scenario_command
from eesim.report.html.metrics import between, cells, estimate, titled, unit, value_text, words
from eesim.report.html.parts import Bullets, Cell, Chart, Facts, Fold, Key, Part, Row, Section, Table, Text, fold_long
from eesim.report.html.plot import row_plot
from eesim.report.html.svg import widened
from eesim.report.numbers import number
from eesim.report.style import BLACK, ORANGE, SKY

MAIN = "sensitivity.json"
TABLE = "parameters.csv"

MOST = 20
"""Inputs in a tornado; the rest is in the table."""


SHARES = ("alone", "with all others")
"""First-order and total indices."""


def claims(folder: Folder) -> bool:
    """Whether the folder holds a sensitivity."""
    return folder.has(MAIN) or folder.has(TABLE)


def _parameters(folder: Folder) -> list[Mapping[str, Any]]:
    found = folder.json(MAIN).get("parameters")
    if found is not None:
        return list(found)
    grouped: dict[str, dict[str, Any]] = {}
    for row in folder.csv(TABLE):
        one = grouped.setdefault(
            str(row["path"]), {**row, "metrics": {}, "problems": [row["problems"]] if row["problems"] else []}
        )
        if row["metric"]:
            one["metrics"][row["metric"]] = row
    return list(grouped.values())


def _metrics(folder: Folder) -> dict[str, float | None]:
    """Metrics that were looked at, with the base's value."""
    found = folder.json(MAIN).get("metrics")
    if found:
        return {name: told["value"] for name, told in found.items()}
    return {name: None for one in _parameters(folder) for name in one["metrics"]}


def _title(folder: Folder) -> str:
    names = [words(name) for name in _metrics(folder)]
    return f"What moves {' and '.join(names)}" if names else ""


def _in_short(folder: Folder) -> Section | None:
    found = folder.json(MAIN)
    if not found:
        return None
    statuses: dict[str, int] = {}
    for one in found["parameters"]:
        statuses[one["status"]] = statuses.get(one["status"], 0) + 1
    rows = [[words(name), *cells(told, name)] for name, told in found["metrics"].items()]
    told = ", ".join(f"{status}: {count:,}" for status, count in statuses.items())
    facts = [
        ("inputs", told),
        ("each point", f"{found['frames']:,} frames × {found['replications']} replications"),
        ("simulated", f"{found['simulated']:,} points"),
        ("intervals", f"{100 * found['confidence']:g} %; significance by the method of {found['adjustment']}"),
    ]
    return Section(
        "In short", [Table("The scenario as it stands", ["metric", "value", "interval"], rows, "lrl"), Facts(facts)]
    )


def _tornado(folder: Folder) -> Section | None:
    charts = [chart for name, base in _metrics(folder).items() if (chart := tornado(_parameters(folder), name, base))]
    return Section("Tornado", [Row(charts)]) if charts else None


def tornado(parameters: Sequence[Mapping[str, Any]], metric: str, base: float | None) -> Chart | None:
    """Return the inputs that move a metric, widest first; None if none does."""
    moved = [(one, one["metrics"][metric]) for one in parameters if (one["metrics"].get(metric) or {}).get("swing")]
    moved.sort(key=lambda pair: -pair[1]["swing"])
    shown, scale = moved[:MOST], unit(metric).scale
    if not shown:
        return None
    ends = [at for _, effect in shown for at in (effect["at_low"], effect["at_high"]) if at is not None]
    # Without the base's value (it is in the JSON file alone), the middle of the widest bar stands for it.
    middle = base if base is not None else (shown[0][1]["at_low"] + shown[0][1]["at_high"]) / 2
    x = widened(min([*ends, middle]) * scale, max([*ends, middle]) * scale)
    labels = [str(one["path"]) for one, _ in shown]
    told = "; ".join(f"{one['path']} by {number(effect['swing'] * scale)}" for one, effect in shown[:8])
    plot = row_plot(f"Tornado of {words(metric)}, widest first: {told}", labels, x, x_title=titled(metric))
    for i, (one, effect) in enumerate(shown):
        sides = [("low", effect["at_low"], SKY), ("high", effect["at_high"], ORANGE)]
        # The shorter bar on top, where both ends lie on one side.
        for side, at, color in sorted(sides, key=lambda s: -abs((s[1] if s[1] is not None else middle) - middle)):
            if at is None or at == middle:
                continue
            sure = "" if effect["significant"] else " (may be chance)"
            hint = f"{one['path']} at {one[side]}: {value_text(at, metric)}{sure}"
            plot.bar(middle * scale, at * scale, i + 0.18, i + 0.82, color, hint)
    plot.upright(middle * scale, BLACK)
    rest = f"; {len(moved) - MOST:,} more move it less" if len(moved) > MOST else ""
    legend = [
        Key("input at its low end", SKY),
        Key("input at its high end", ORANGE),
        Key("as it stands", BLACK, "solid"),
    ]
    return Chart(plot.svg(), f"{words(metric)[0].upper()}{words(metric)[1:]} at both ends of each input{rest}", legend)


def _effects(folder: Folder) -> Section | None:
    parts: list[Part] = []
    head = ["input", "low", "as it stands", "high", "at low", "at high", "high − low", "interval", "chance?"]
    for name in _metrics(folder):
        moved = [one for one in _parameters(folder) if (one["metrics"].get(name) or {}).get("swing")]
        rows = [
            _row(one, one["metrics"][name], name) for one in sorted(moved, key=lambda o: -o["metrics"][name]["swing"])
        ]
        parts += fold_long(Table(f"Inputs that move {words(name)}", head, rows, "lrrrrrrll"), 25, "inputs")
    return Section("Effects", parts) if parts else None


def _row(one: Mapping[str, Any], effect: Mapping[str, Any], metric: str) -> list[str | Cell]:
    scale = unit(metric).scale
    return [
        str(one["path"]),
        *("" if one[key] is None else str(one[key]) for key in ("low", "base", "high")),
        *("invalid" if effect[key] is None else value_text(effect[key], metric) for key in ("at_low", "at_high")),
        value_text(effect["effect"], metric),
        between(effect["ci_low"], effect["ci_high"], scale),
        Cell("" if effect["significant"] else "may be chance", "dim"),
    ]


def _sobol(folder: Folder) -> Section | None:
    found = folder.json(MAIN).get("sobol")
    if not found:
        return None
    parts: list[Part] = [
        Text(
            f"From {found['points']:,} base samples ({found['evaluations']:,} points). "
            "Alone: share of the variance that goes "
            "if this input becomes known. With all others: share that is left if all the others become known."
        )
    ]
    charts = []
    for name, told in found["metrics"].items():
        rows = []
        for index in told["indices"][:MOST]:
            for series, key in enumerate(("first_order", "total_order")):
                one = estimate(index[key])
                if one.value is None:
                    continue
                low, high = (one.value if end is None else end for end in (one.ci_low, one.ci_high))
                interval = f"[{number(low, 3)}, {number(high, 3)}]"
                hint = f"{index['path']}, {SHARES[series]}: {number(one.value, 3)} {interval}"
                rows.append(Interval(str(index["path"]), one.value, low, high, hint, series=series))
        if rows:
            deviation = value_text(told["standard_deviation"], name)
            caption = f"What makes {words(name)} vary (standard deviation {deviation})"
            charts.append(forest(rows, "share of the variance", caption, zero=True, series=SHARES))
    return Section("Sobol's indices", [*parts, Row(charts)]) if charts else None


def _without_effect(folder: Folder) -> Section | None:
    by: dict[str, list[str]] = {}
    for one in _parameters(folder):
        if one["status"] != "effect":
            problem = f": {'; '.join(map(str, one['problems']))}" if one.get("problems") else ""
            by.setdefault(str(one["status"]), []).append(f"{one['path']}{problem}")
    parts = [Fold(f"{status}: {len(names):,} inputs", [Bullets(names)]) for status, names in by.items()]
    return Section("Inputs without effect", parts) if parts else None


def _provenance(folder: Folder) -> Mapping[str, Any]:
    return dict(folder.json(MAIN).get("provenance") or {})


def _rerun(folder: Folder) -> Sequence[str]:
    words_ = scenario_command("sensitivity", _provenance(folder))
    return [*words_, *(word for name in _metrics(folder) for word in ("--metric", name))] if words_ else []


KIND = Kind(
    name="sensitivity",
    command="eesim sensitivity",
    claims=claims,
    files={
        MAIN: "the scenario's own values, Sobol's indices, provenance",
        TABLE: "the table of inputs for other programs",
    },
    title=_title,
    sections=(_in_short, _tornado, _effects, _sobol, _without_effect),
    provenance=_provenance,
    rerun=_rerun,
)
