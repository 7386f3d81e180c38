"""Regenerate what the pages say about the board: docs/validation.md, README.md and docs/data/validation_summary.json.

``make validation`` runs this. What lies between the markers of a page is replaced, the rest is left alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from eesim.report.files import make_folder, replacing
from eesim.report.save_validation import bundle
from eesim.report.validation_tables import print_scores, score_cells, two
from eesim.validate.suites import Row
from eesim.validate.validation import Validation, validate_runs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "validation.md"
README = ROOT / "README.md"
BUNDLE = ROOT / "docs" / "data" / "validation_summary.json"
IMAGES = ROOT / "docs" / "images"
SCORES = ("n", "MAPE", "95 % interval", "median", "p95", "bias", "R²", "Spearman", "top-1 regret")
README_ROWS = (
    ("switch", "cnn", "time"),
    ("switch", "cnn", "energy"),
    ("switch", "yolov3", "time"),
    ("pipeline", "all", "period"),
    ("pipeline", "all", "latency"),
    ("pipeline", "all", "energy"),
    ("pipeline", "all", "power"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurements", type=Path)
    parser.add_argument("--calibration", type=Path, help="what `eesim calibrate --json` printed: held-out errors")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    found = validate_runs(arguments.measurements, workers=arguments.workers)
    print(f"{len(found.runs):,} runs in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    data = bundle(found)
    data["cross_validated"] = cross_validation(arguments.calibration)
    write(BUNDLE, lines(data))
    put(PAGE, "validation", page(found, data))
    put(README, "validation", readme(found))
    draw_figures(found)
    return 0


def cross_validation(path: Path | None) -> dict[str, Any]:
    """Errors of a calibration; without a file of one, those that the bundle holds stay."""
    if path is None:
        kept: dict[str, Any] = json.loads(BUNDLE.read_text(encoding="utf-8"))["cross_validated"]
        return kept
    data = json.loads(path.read_text(encoding="utf-8"))
    return {key: data[key] for key in ("runs", "train", "test", "left_out", "provenance")}


def lines(data: dict[str, Any]) -> str:
    """JSON with a line for each key, and for each row of a list: changes can be read in a diff."""
    parts = []
    for key, value in data.items():
        text = json.dumps(value, allow_nan=False)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n" + ",\n".join("  " + json.dumps(row, allow_nan=False) for row in value) + "\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write(path: Path, text: str) -> None:
    make_folder(path.parent)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


def put(path: Path, name: str, text: str) -> None:
    """Replace what lies between the markers of a page."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    old = path.read_text(encoding="utf-8")
    if len(pattern.findall(old)) != 1:
        sys.exit(f"{path}: there must be one pair of markers {name}:begin and {name}:end")
    write(path, pattern.sub(lambda match: f"{match[1]}{text}{match[2]}", old))


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    align = ["---"] * text_columns + ["---:"] * (len(heading) - text_columns)
    lines = [heading, align, *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines) + "\n"


def score_table(rows: Iterable[tuple[Sequence[str], Row]], heading: Sequence[str]) -> str:
    cells = [[*names, *score_cells(row)] for names, row in rows]
    return table([*heading, *SCORES], cells, len(heading))


def page(found: Validation, data: dict[str, Any]) -> str:
    stamp = found.provenance
    predicted = sum(bool(p.values) for p in found.predictions)
    parts = [
        f"Board file {stamp['parts_sha256']['board'][:12]}, measurements {stamp['parts_sha256']['measurements'][:12]}, "
        f"eesim {stamp['eesim']}: {predicted:,} of {len(found.runs):,} runs predicted. Errors in per cent.\n\n",
        "### Scores\n\n",
        score_table((((r.suite, r.graph, r.quantity), r) for r in found.rows), ("suite", "graph", "quantity")),
        held_out(data),
        "### Runs on one PE\n\n",
        score_table(
            (((r.suite, r.graph, r.quantity), r) for r in found.single_pe if r.quantity in ("time", "period")),
            ("suite", "graph", "quantity"),
        ),
        "### Runs with the NPU\n\n",
        score_table(
            (((r.suite, r.graph, r.quantity), r) for r in found.npu if r.graph not in ("cnn", "all")),
            ("suite", "graph", "quantity"),
        ),
        "### Pipeline runs by their slowest stage\n\n",
        score_table((((pe, r.quantity), r) for pe, r in found.bottlenecks), ("slowest PE", "quantity")),
        budget(found),
        residuals(found),
        decisions(found),
        left_out(found),
    ]
    return "\n" + "".join(parts)


def held_out(data: dict[str, Any]) -> str:
    found = data["cross_validated"]
    rows = []
    for name, fitted in found["train"].items():
        left = found["left_out"].get(name)
        rows.append([*name.split("."), two(fitted), two(found["test"][name]), "" if left is None else two(left)])
    heading = ("suite", "graph", "quantity", "fitted", "held out", "network left out")
    runs = " and ".join(f"{n:,} runs in {suite} mode" for suite, n in found["runs"].items())
    text = (
        f"### Held out\n\nMean absolute error of `eesim calibrate` on {runs}: fitted to them; held out, five folds of "
        "whole orders; and with terms fitted to the other networks only. Measurements "
        f"{found['provenance']['parts_sha256']['measurements'][:12]}, seed {found['provenance']['seed']}.\n\n"
    )
    return text + table(heading, rows, 3)


def budget(found: Validation) -> str:
    rows = [
        [
            row.suite,
            row.graph,
            row.quantity,
            f"`{row.term}`",
            f"{row.n_touched:,} of {row.n:,}",
            two(row.mape_pct),
            two(row.mape_off_pct),
            f"{row.share_pct:+.2f}",
            two(row.scale),
            f"{two(row.scale_low)} to {two(row.scale_high)}",
        ]
        for row in found.budget
        if row.quantity in ("time", "energy", "period", "latency", "power")
        and not (row.suite == "switch" and row.quantity == "power")
    ]
    heading = (
        *("suite", "graph", "quantity", "term", "runs it changes"),
        *("MAPE", "without it", "share of it", "scale that fits", "95 % interval"),
    )
    seed = found.provenance["seed"]
    text = f"### Error budget\n\nOn {found.budget_runs:,} runs, whole orders drawn with seed {seed}.\n\n"
    return text + table(heading, rows, 4)


def residuals(found: Validation) -> str:
    kept = [row for row in found.residuals if row.quantity in ("time", "period", "latency", "power") and row.n >= 10]
    kept = [row for row in kept if not (row.suite == "switch" and row.quantity == "power")]
    rows = [
        [
            *(row.suite, row.feature, row.level, row.quantity, f"{row.n:,}"),
            *(f"{row.bias_pct:+.2f}", two(row.mape_pct), two(row.p95_ape_pct)),
        ]
        for row in kept
    ]
    text = "### Errors by features of the runs\n\nLevels with fewer than ten runs are left out.\n\n"
    return text + table(("suite", "feature", "level", "quantity", "n", "bias", "MAPE", "p95"), rows, 4)


def decisions(found: Validation) -> str:
    rows = [
        [
            *(d.suite, d.graph, d.quantity, d.choice.replace("_", " "), f"{d.choices:,}", f"{d.alternatives:,.1f}"),
            *map(two, (d.mean_regret_pct, d.p95_regret_pct, d.worst_regret_pct, d.random_regret_pct)),
        ]
        for d in found.decisions
        if d.suite == "switch" or d.graph == "googlenet"
    ]
    heading = ("suite", "graph", "quantity", "choice", "choices", "alternatives", "mean", "p95", "worst", "random")
    repeats = [[r.suite, r.quantity, f"{r.configurations:,}", f"{r.runs:,}", two(r.spread_pct)] for r in found.repeats]
    return (
        "### Regret of decisions\n\n"
        + table(heading, rows, 4)
        + "### Repeats\n\n"
        + table(("suite", "quantity", "configurations", "runs", "spread"), repeats, 2)
    )


def left_out(found: Validation) -> str:
    missing = [[suite, graph, reason, f"{n:,}"] for suite, graph, reason, n in found.not_predicted]
    outside = [[suite, graph, reason, f"{n:,}", two(mape)] for (suite, graph, reason, n), mape in found.outside]
    text = "### Not predicted\n\n" + table(("suite", "graph", "reason", "runs"), missing, 3)
    text += "### Outside of what was measured\n\n"
    if not outside:
        return text + "No run that could be predicted.\n\n"
    return text + table(("suite", "graph", "reason", "runs", "MAPE"), outside, 3)


def readme(found: Validation) -> str:
    out = io.StringIO()
    rows = [row for row in found.rows if (row.suite, row.graph, row.quantity) in README_ROWS]
    print_scores(rows, Console(file=out, width=120))
    lines = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    return f"\n```console\n{lines}\n```\n\n"


def draw_figures(found: Validation) -> None:
    from functools import partial

    from eesim.report import figure_validation as figures
    from eesim.report.figures import draw

    made = {
        "validation_error_budget": partial(figures.budget_figure, found.budget),
        "validation_residuals_switch": partial(figures.residual_figure, found.residuals, "switch"),
        "validation_residuals_pipeline": partial(figures.residual_figure, found.residuals, "pipeline"),
    }
    for path in draw(IMAGES, made, ("png",)):
        print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
