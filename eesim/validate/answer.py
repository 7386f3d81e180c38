"""A validation as plain data: the object that ``eesim validate --json`` prints; and as a table of predictions."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from eesim.validate.suites import UNITS, Row
from eesim.validate.validation import Validation

SCORE_NAMES = {"mape_low": "mape_ci_low", "mape_high": "mape_ci_high"}
"""Scores that are called otherwise outside."""


def row_data(row: Row) -> dict[str, Any]:
    """Return a row of scores; None where a score does not exist."""
    scores = {SCORE_NAMES.get(name, name): value for name, value in row.score._asdict().items()}
    return _clean({"suite": row.suite, "graph": row.graph, "quantity": row.quantity, **scores})


def _clean(data: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in data.items()}


def to_dict(found: Validation) -> dict[str, Any]:
    """Return everything that was found (docs/file-formats.md describes the keys)."""
    counted = ("suite", "graph", "reason", "n")
    failed = {id(p) for p in found.predictions if p.failure}
    return {
        "schema_version": 1,
        "runs": len(found.runs),
        "predicted": len(found.runs) - len(failed),
        "off": list(found.off),
        "suites": [row_data(row) for row in found.rows],
        "single_pe": [row_data(row) for row in found.single_pe],
        "npu": [row_data(row) for row in found.npu],
        "bottlenecks": [{"slowest_pe": pe, **row_data(row)} for pe, row in found.bottlenecks],
        "not_predicted": [dict(zip(counted, item, strict=True)) for item in found.not_predicted],
        "outside": [{**dict(zip(counted, item, strict=True)), "mape_pct": mape} for item, mape in found.outside],
        "error_budget": [_clean(row._asdict()) for row in found.budget],
        "error_budget_runs": found.budget_runs,
        "residuals": [_clean(row._asdict()) for row in found.residuals],
        "decisions": [_clean(row._asdict()) for row in found.decisions],
        "repeats": [_clean(row._asdict()) for row in found.repeats],
        "provenance": dict(found.provenance),
    }


def prediction_table(found: Validation) -> pd.DataFrame:
    """Return a row per run and measured quantity; runs that could not be predicted have no prediction, but a reason."""
    rows: list[dict[str, Any]] = []
    for run, prediction in zip(found.runs, found.predictions, strict=True):
        clocks = "-".join(f"{own // 10**6}:{host // 10**6}" if host else f"{own // 10**6}" for own, host in run.clocks)
        shared = {
            "run_id": run.run_id,
            "suite": run.suite,
            "campaign": run.campaign,
            "graph": run.graph,
            "order": run.order,
            "clocks_mhz": clocks,
            "hosts": ", ".join(f"{pe} on {at}" for pe, at in run.used_hosts),
            "slowest_pe": prediction.slowest,
            "utilisation": prediction.utilisation,
            "terms_ms": json.dumps({name: round(time, 6) for name, time in prediction.terms_ms.items()}),
            "outside": "; ".join(prediction.outside),
            "failure": prediction.failure,
        }
        for quantity, measured in run.measured.items():
            predicted = prediction.values.get(quantity, math.nan)
            told = {"quantity": quantity, "unit": UNITS[quantity], "predicted": predicted, "measured": measured}
            rows.append(shared | told | {"error_pct": (predicted / measured - 1) * 100})
    return pd.DataFrame(rows)
