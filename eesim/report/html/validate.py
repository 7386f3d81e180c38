"""Pages of validations: ``eesim validate -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind
from eesim.report.html.parts import Facts, Part, Row, Section, Table, fold_long
from eesim.report.html.validate_charts import budget_chart, parity_chart
from eesim.report.numbers import number

MAIN = "summary.json"
PREDICTIONS = "predictions.parquet"
SCORES = "scores.csv"
BUDGET = "error_budget.csv"


def claims(folder: Folder) -> bool:
    """Whether the folder holds a validation."""
    return "suites" in folder.json(MAIN) or any(map(folder.has, (PREDICTIONS, SCORES, BUDGET)))


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
        "" if low is None or high is None else f"{low:,.2f} to {high:,.2f} %",
        *(_percent(row[key]) for key in ("median_ape_pct", "p95_ape_pct")),
        _percent(row["bias_pct"], signed=True),
        *(number(row.get(key), 3) for key in ("r2", "spearman")),
        _regret(row),
    ]


def _regret(row: Mapping[str, Any]) -> str:
    """Mean over the choices; the worst one too where there are several."""
    mean, worst = (_percent(row.get(key)) for key in ("top1_regret_pct", "worst_top1_regret_pct"))
    return mean if worst in (mean, "n/a") else f"{mean} ({worst})"


def _percent(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "n/a"
    return f"{value:+,.2f} %" if signed else f"{value:,.2f} %"


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
            parity_chart(part, str(suite), str(quantity)) for quantity, part in own.groupby("quantity", sort=False)
        ]
        parts.append(Row(charts))
    return Section("Parity", parts) if parts else None


def _budget(folder: Folder) -> Section | None:
    rows = list(folder.json(MAIN).get("error_budget") or folder.csv(BUDGET))
    if not rows:
        return None
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["graph"], row["quantity"]), []).append(row)
    charts = [
        budget_chart(key, own) for key, own in groups.items() if any(row["mape_off_pct"] is not None for row in own)
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
