"""Write a comparison: JSON with provenance, a row per metric, a row per replication, the figure."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd

from eesim.report.comparison_table import letter
from eesim.report.files import make_folder, replacing
from eesim.report.save import finite
from eesim.whatif.comparison import Comparison


def save_comparison(comparison: Comparison, folder: Path, *, figures: bool = True) -> list[Path]:
    """Write comparison.json, differences.csv, replications.csv and the figure, each whole or not at all.

    Parameters
    ----------
    comparison
        What to write.
    folder
        Where; created if need be.
    figures
        Draw ``paired_differences``.
    """
    make_folder(folder)
    data = json.dumps(finite(comparison.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)
    written = [
        write_text(folder / "comparison.json", data),
        write_text(folder / "differences.csv", difference_table(comparison).to_csv(index=False)),
        write_text(folder / "replications.csv", replication_table(comparison).to_csv(index=False)),
    ]
    if figures:
        from eesim.report.figure_comparison import difference_figure
        from eesim.report.figures import draw

        written += draw(folder, {"paired_differences": partial(difference_figure, comparison)})
    return written


def write_text(path: Path, text: str) -> Path:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    return path


def difference_table(comparison: Comparison) -> pd.DataFrame:
    """One row per variant and metric: values, difference with its interval, p-values, significance."""
    rows = []
    for i, variant in enumerate(comparison.variants, start=1):
        for found in variant.metrics:
            told = found.as_dict()
            row = {"variant": letter(i), "label": variant.label, "metric": found.metric, "unit": told["unit"]}
            row |= {"a": found.paired.a.value, "b": found.paired.b.value}
            row |= {"difference": found.paired.difference.value}
            row |= {"ci_low": found.paired.difference.ci_low, "ci_high": found.paired.difference.ci_high}
            row |= {key: told[key] for key in ("relative", "p_value", "adjusted_p", "significant", "pairs")}
            rows.append(row)
    return pd.DataFrame(rows)


def replication_table(comparison: Comparison) -> pd.DataFrame:
    """One row per scenario and replication: warm-up and every compared metric."""
    names = [found.metric for found in comparison.variants[0].metrics]
    rows = []
    for i, result in enumerate([comparison.result, *(variant.result for variant in comparison.variants)]):
        for r, replication in enumerate(result.replications):
            values = {name: replication.values.get(name) for name in names}
            rows.append({"scenario": letter(i), "replication": r, "warmup_frames": replication.warmup_frames, **values})
    return pd.DataFrame(rows)
