"""Write a threshold search: the scenario with its thresholds, the answer, the front, a plot."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from eesim.report.files import make_folder, replacing
from eesim.report.save import finite
from eesim.report.save_exploration import moved_document
from eesim.thresholds.outcome import ThresholdSearch


def save_thresholds(found: ThresholdSearch, folder: Path, *, figures: bool = True) -> list[Path]:
    """Write best.yaml, thresholds.json, front.csv and the plot ``thresholds``, each whole or not at all.

    Parameters
    ----------
    found
        What to write.
    folder
        Where; created if need be.
    figures
        Draw the front with the baseline's prediction and what is true of it.
    """
    make_folder(folder)
    told = json.dumps(finite(found.to_dict()), indent=1, ensure_ascii=False)
    texts = {"best.yaml": best_yaml(found, folder), "thresholds.json": told + "\n"}
    if found.front:
        texts["front.csv"] = front_table(found).to_csv(index=False)
    written = []
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
        written.append(folder / name)
    if figures and found.front:
        from eesim.report.figure_thresholds import thresholds_figure
        from eesim.report.figures import draw

        written += draw(folder, {"thresholds": partial(thresholds_figure, found)})
    return written


def best_yaml(found: ThresholdSearch, folder: Path) -> str:
    """Return the scenario with the thresholds, as ``eesim run`` takes it from ``folder``."""
    head = f"# {found.goal} ({found.cost_kind}): {found.certificate}\n"
    if not found.feasible:
        head += "# NOT FEASIBLE: the nearest setting to what is wanted\n"
    document = found.scenario.document
    data: dict[str, Any] = moved_document(dict(document.data), Path(document.source).parent, folder)
    body: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return head + body


def front_table(found: ThresholdSearch) -> pd.DataFrame:
    """One row per setting on the front."""
    names = [f"threshold_{name}" for name in found.exits[:-1]]
    rows = [[cost, accuracy, *thresholds] for cost, accuracy, thresholds in found.front]
    return pd.DataFrame(rows, columns=[f"cost_{found.unit.lower()}", "accuracy", *names])
