"""A validation as files in a folder: summary, predictions, scores, error budget, decisions, residuals, figures."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from eesim.report.files import make_folder, replacing
from eesim.report.save import finite, write_table
from eesim.validate.answer import prediction_table, to_dict
from eesim.validate.validation import Validation

TABLES = {
    "scores": "suites",
    "error_budget": "error_budget",
    "residuals": "residuals",
    "decisions": "decisions",
}
"""CSV files by the key of the summary that they show."""


BUNDLED_PROVENANCE = ("parts_sha256", "files", "seed", "eesim", "engine", "measurements")
"""What a reader needs to find the same runs and board again."""


def save_validation(found: Validation, folder: Path, *, figures: bool = True) -> list[Path]:
    """Write summary.json, predictions.parquet, CSV tables and figures, each whole or not at all.

    Parameters
    ----------
    found
        What to write.
    folder
        Where; created if need be.
    figures
        Draw parity, residuals and error budget, too (see `eesim.report.figure_validation`).
    """
    make_folder(folder)
    summary = to_dict(found)
    written = [_text(folder / "summary.json", json.dumps(finite(summary), indent=1, allow_nan=False))]
    table = prediction_table(found)
    written.append(write_table(table, folder / "predictions.parquet", dict(found.provenance)))
    for name, key in TABLES.items():
        if summary[key]:
            written.append(_text(folder / f"{name}.csv", _csv(summary[key])))
    if figures:
        from eesim.report import figure_validation as draw_one
        from eesim.report.figures import draw

        made = {
            "parity_switch": partial(draw_one.parity_figure, table, "switch"),
            "parity_pipeline": partial(draw_one.parity_figure, table, "pipeline"),
            "residuals_switch": partial(draw_one.residual_figure, found.residuals, "switch"),
            "residuals_pipeline": partial(draw_one.residual_figure, found.residuals, "pipeline"),
            "error_budget": partial(draw_one.budget_figure, found.budget),
        }
        written += draw(folder, made)
    return written


def bundle(found: Validation) -> dict[str, Any]:
    """Return the summary that goes with the project: no measured value of a single run is in it."""
    summary: dict[str, Any] = finite(to_dict(found))
    del summary["residuals"]
    stamp = summary["provenance"]
    summary["provenance"] = {key: stamp[key] for key in BUNDLED_PROVENANCE}
    return summary


def _csv(rows: list[dict[str, Any]]) -> str:
    return pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _text(path: Path, text: str) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    return path
