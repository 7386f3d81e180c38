"""Pages of validations: ``eesim validate -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind
from eesim.report.html.parts import Chart, Facts, Key, Part, Row, Section, Table, fold_long
from eesim.report.html.plot import Plot, row_plot
from eesim.report.html.scatter import FEW, cloud
from eesim.report.html.svg import tick_label
from eesim.report.numbers import number
from eesim.report.style import BLACK, BLUE, GREY, ORANGE, colour, lighter

if TYPE_CHECKING:
    import pandas as pd

MAIN = "summary.json"
PREDICTIONS = "predictions.parquet"
SCORES = "scores.csv"
BUDGET = "error_budget.csv"

BAND = 0.1
"""Errors within which points lie in the grey band of a parity plot."""


def claims(folder: Folder) -> bool:
    """Whether the folder holds a validation."""
    return "suites" in folder.json(MAIN) or folder.has(PREDICTIONS) or folder.has(SCORES)


def _title(folder: Folder) -> str:
    found = folder.json(MAIN)
    return f"Predicted against measured: {found['runs']:,} runs" if found else "Predicted against measured"


def _scores(folder: Folder) -> list[dict[str, Any]]:
    return list(folder.json(MAIN).get("suites") or folder.csv(SCORES))


def _in_short(folder: Folder) -> Section | None:
    found = folder.json(MAIN)
    if not found:
        return None
    facts = [("measured runs", f"{found['runs']:,}, of which {found['predicted']:,} could be predicted")]
    off = found.get("off")
    facts += [("terms switched off", ", ".join(off))] if off else []
    return Section("In short", [Facts(facts)])


_HEAD = [
    "n",
    "mean error (MAPE)",
    "interval",
    "median",
    "95th percentile",
    "bias",
    "R²",
    "rank correlation",
    "regret of the choice",
]


def _score_section(folder: Folder) -> Section | None:
    rows = _scores(folder)
    if not rows:
        return None
    caption = "Errors of the predictions by suite, network and quantity"
    parts = fold_long(_score_table(rows, caption), 40, "rows")
    told = folder.json(MAIN)
    for key, caption in (("single_pe", "Runs on one PE alone"), ("npu", "Runs that use the NPU")):
        if told.get(key):
            parts += fold_long(_score_table(told[key], caption), 8, "rows")
    if told.get("bottlenecks"):
        rows = [{**row, "graph": f"{row['graph']}, slowest {row['slowest_pe']}"} for row in told["bottlenecks"]]
        parts += fold_long(_score_table(rows, "By the PE that takes longest"), 8, "rows")
    return Section("Scores", parts)


def _score_table(rows: Sequence[Mapping[str, Any]], caption: str) -> Table:
    head = ["suite", "network", "quantity", *_HEAD]
    return Table(caption, head, [_score_row(row) for row in rows], "lllrrlrrrrrr")


def _score_row(row: Mapping[str, Any]) -> list[str]:
    low, high = row.get("mape_ci_low"), row.get("mape_ci_high")
    return [
        *(str(row[key]) for key in ("suite", "graph", "quantity")),
        f"{row['n']:,.0f}",
        _percent(row["mape_pct"]),
        "" if low is None or high is None else f"{number(low, 3)} to {number(high, 3)} %",
        *(_percent(row[key]) for key in ("median_ape_pct", "p95_ape_pct")),
        _percent(row["bias_pct"], signed=True),
        *(number(row.get(key), 3) for key in ("r2", "spearman")),
        _percent(row.get("top1_regret_pct")),
    ]


def _percent(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "n/a"
    return f"{'+' if signed and value > 0 else ''}{number(value, 3)} %"


def _parity(folder: Folder) -> Section | None:
    columns = ("run_id", "suite", "graph", "order", "quantity", "unit", "predicted", "measured")
    table = folder.table(PREDICTIONS, columns)
    if table is None:
        return None
    rows = table.to_pandas()
    rows = rows[rows["predicted"].notna() & (rows["predicted"] > 0) & (rows["measured"] > 0)]
    parts: list[Part] = []
    for suite, own in rows.groupby("suite", sort=True):
        charts = [
            _parity_chart(part, str(suite), str(quantity)) for quantity, part in own.groupby("quantity", sort=False)
        ]
        parts.append(Row(charts))
    return Section("Parity", parts) if parts else None


def _parity_chart(rows: pd.DataFrame, suite: str, quantity: str) -> Chart:
    x, y = rows["measured"].to_numpy(dtype=np.float64), rows["predicted"].to_numpy(dtype=np.float64)
    low, high = float(min(x.min(), y.min())) / 1.1, float(max(x.max(), y.max())) * 1.1
    name, error = rows["unit"].iloc[0], float(np.mean(np.abs(y / x - 1))) * 100
    plot = Plot(
        f"Predicted against measured {quantity} of {len(rows):,} runs ({suite}): mean error {error:.2f} %",
        (low, high), (low, high), x_title=f"measured {quantity}, {name}", y_title=f"predicted {quantity}, {name}",
        x_log=True, y_log=True, left=66, height=400,
    )  # fmt: skip
    band = [(low, low * (1 - BAND)), (high, high * (1 - BAND))], [(low, low * (1 + BAND)), (high, high * (1 + BAND))]
    for side in band:
        plot.line(side, lighter(GREY, 0.3), style="dash", width=1)
    plot.line([(low, low), (high, high)], BLACK, width=1)
    graphs = sorted(set(rows["graph"]))
    legend = [Key("equal", BLACK, "solid"), Key(f"{100 * BAND:.0f} % off", lighter(GREY, 0.3), "dash")]
    if len(rows) > FEW:
        cloud(plot, x, y, BLUE, what="runs")
        legend.append(Key("runs (darker: more)", BLUE))
    else:
        for k, graph in enumerate(graphs):
            own = rows[rows["graph"] == graph]
            hints = [
                f"{graph} {row.order}: predicted {tick_label(row.predicted)}, measured {tick_label(row.measured)} {name}"
                for row in own.itertuples()
            ]
            cloud(plot, own["measured"].to_numpy(), own["predicted"].to_numpy(), colour(k), hints)
            legend.append(Key(f"{graph} ({len(own):,})", colour(k), "point"))
    return Chart(plot.svg(), f"{suite}, {quantity}: {len(rows):,} runs, mean error {error:.2f} %", legend)


def _budget(folder: Folder) -> Section | None:
    rows = list(folder.json(MAIN).get("error_budget") or folder.csv(BUDGET))
    if not rows:
        return None
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["graph"], row["quantity"]), []).append(row)
    charts = [
        _budget_chart(key, own) for key, own in groups.items() if any(row["mape_off_pct"] is not None for row in own)
    ]
    head = [
        "suite",
        "network",
        "quantity",
        "term",
        "runs",
        "touched",
        "error",
        "without it",
        "share of it",
        "scale",
        "interval",
    ]
    cells = [
        [
            *(str(row[key]) for key in ("suite", "graph", "quantity")),
            str(row["term"]).replace("_", " "),
            *(f"{row[key]:,.0f}" for key in ("n", "n_touched")),
            *(_percent(row[key]) for key in ("mape_pct", "mape_off_pct", "share_pct")),
            number(row["scale"], 3),
            "" if row["scale_low"] is None else f"{number(row['scale_low'], 3)} to {number(row['scale_high'], 3)}",
        ]
        for row in rows
    ]
    table = Table("Mean error with all terms and without each", head, cells, "llllrrrrrrl")
    return Section("Error by physical term", [Row(charts), *fold_long(table, 12, "rows")])


def _budget_chart(key: tuple[str, str, str], rows: Sequence[Mapping[str, Any]]) -> Chart:
    known = [row for row in rows if row["mape_off_pct"] is not None]
    names = [str(row["term"]).replace("_", " ") for row in known]
    longest, all_terms = max(row["mape_off_pct"] for row in known), known[0]["mape_pct"]
    who = f"{key[0]}, {key[1]}: {key[2]}"
    told = "; ".join(f"{name} {number(row['mape_off_pct'], 3)} %" for name, row in zip(names, known, strict=True))
    reach = max(longest, all_terms) * 1.08 or 1
    plot = row_plot(f"Mean error of {who} without each term: {told}", names, (0, reach), x_title="mean error (MAPE), %")
    for i, (name, row) in enumerate(zip(names, known, strict=True)):
        hint = f"without {name}: {number(row['mape_off_pct'], 3)} %, with all terms {number(all_terms, 3)} %"
        plot.bar(0, row["mape_off_pct"], i + 0.2, i + 0.8, lighter(ORANGE, 0.2), hint)
    plot.upright(all_terms, BLUE, width=2)
    return Chart(
        plot.svg(), who, [Key("without this term", lighter(ORANGE, 0.2)), Key("with all terms", BLUE, "solid")]
    )


def _decisions(folder: Folder) -> Section | None:
    rows = folder.json(MAIN).get("decisions") or folder.csv("decisions.csv")
    if not rows:
        return None
    head = [
        "suite",
        "network",
        "quantity",
        "choice",
        "choices",
        "alternatives",
        "mean regret",
        "95th percentile",
        "worst",
        "at random",
    ]
    cells = [
        [
            *(str(row[key]).replace("_", " ") for key in ("suite", "graph", "quantity", "choice")),
            f"{row['choices']:,.0f}",
            number(row["alternatives"], 3),
            *(
                _percent(row[key])
                for key in ("mean_regret_pct", "p95_regret_pct", "worst_regret_pct", "random_regret_pct")
            ),
        ]
        for row in rows
    ]
    table = Table("What is lost by choosing as predicted instead of as measured", head, cells, "llllrrrrrr")
    return Section("Decisions", fold_long(table, 12, "rows"))


def _limits(folder: Folder) -> Section | None:
    told = folder.json(MAIN)
    parts: list[Part] = []
    for key, caption in (
        ("not_predicted", "Runs that were not predicted"),
        ("outside", "Runs outside of what was fitted"),
    ):
        rows = told.get(key) or []
        error = key == "outside"
        cells = [
            [
                row["suite"],
                row["graph"],
                row["reason"],
                f"{row['n']:,}",
                *([_percent(row["mape_pct"])] if error else []),
            ]
            for row in rows
        ]
        head = ["suite", "network", "reason", "runs", *(["mean error"] if error else [])]
        if cells:
            parts += fold_long(Table(caption, head, cells, "llwr" + "r" * error), 12, "rows")
    return Section("Outside of the measurements", parts) if parts else None


def _provenance(folder: Folder) -> Mapping[str, Any]:
    told = folder.json(MAIN).get("provenance")
    return dict(told) if told else folder.embedded(PREDICTIONS, b"eesim.provenance")


def _rerun(folder: Folder) -> Sequence[str]:
    told = _provenance(folder)
    source = told.get("measurements")
    return ["eesim", "validate", str(source)] if isinstance(source, str) else []


KIND = Kind(
    name="validation",
    command="eesim validate",
    claims=claims,
    files={
        MAIN: "what could not be predicted, what lies outside, provenance",
        PREDICTIONS: "the parity plots",
        SCORES: "the scores for other programs",
        BUDGET: "the errors by term (not made with --budget-runs 0)",
    },
    title=_title,
    sections=(_in_short, _score_section, _parity, _budget, _decisions, _limits),
    provenance=_provenance,
    rerun=_rerun,
)
