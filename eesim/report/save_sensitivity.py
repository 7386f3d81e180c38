"""Write a sensitivity, or candidates on plausible boards: JSON with provenance, tables, figures."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd

from eesim.report.files import make_folder
from eesim.report.save import finite
from eesim.report.save_comparison import write_text
from eesim.whatif.ranking import Ranking
from eesim.whatif.sensitivity import Sensitivity
from eesim.wording import dotted


def save_sensitivity(found: Sensitivity, folder: Path, *, figures: bool = True) -> list[Path]:
    """Write sensitivity.json, parameters.csv, sobol.csv (if there are indices) and figures, each whole or not at all.

    Parameters
    ----------
    found
        What to write.
    folder
        Where; created if need be.
    figures
        Draw ``tornado`` and ``sobol``, for further metrics ``tornado_METRIC`` and ``sobol_METRIC``.
    """
    make_folder(folder)
    data = json.dumps(finite(found.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)
    written = [
        write_text(folder / "sensitivity.json", data),
        write_text(folder / "parameters.csv", parameter_table(found).to_csv(index=False)),
    ]
    if found.sobol is not None:
        written.append(write_text(folder / "sobol.csv", sobol_table(found).to_csv(index=False)))
    if figures:
        from eesim.report.figure_sensitivity import sobol_figure, tornado_figure
        from eesim.report.figures import draw

        drawn = {}
        for i, metric in enumerate(found.metrics):
            # Exits of several streams have a slash in their names.
            tail = f"_{metric.replace('/', '.')}" if i else ""
            drawn[f"tornado{tail}"] = partial(tornado_figure, found, metric)
            drawn[f"sobol{tail}"] = partial(sobol_figure, found, metric)
        written += draw(folder, drawn)
    return written


def parameter_table(found: Sensitivity) -> pd.DataFrame:
    """One row per input and metric; inputs that were not simulated have one row without metric."""
    rows = []
    for parameter in found.parameters:
        told = parameter.as_dict(found.metrics[0])
        head = {key: told[key] for key in ("path", "status", "base", "low", "high")}
        tail = {"problems": "; ".join(parameter.problems)}
        if not parameter.effects:
            rows.append({**head, "metric": None, **tail})
        rows += [{**head, "metric": name, **effect.as_dict(), **tail} for name, effect in parameter.effects.items()]
    return pd.DataFrame(rows)


def sobol_table(found: Sensitivity) -> pd.DataFrame:
    """One row per metric and input."""
    rows = []
    for metric, indices in found.sobol.indices.items() if found.sobol else ():
        for index in indices:
            row: dict[str, str | float | None] = {"metric": metric, "path": index.path}
            for name, one in (("first_order", index.first), ("total_order", index.total)):
                row |= {name: one.value, f"{name}_ci_low": one.ci_low, f"{name}_ci_high": one.ci_high}
            rows.append(row)
    return pd.DataFrame(rows)


def save_ranking(found: Ranking, folder: Path, *, figures: bool = True) -> list[Path]:
    """Write candidates.json, boards.csv (what was drawn and what came of it) and the figure ``candidates``."""
    make_folder(folder)
    data = json.dumps(finite(found.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)
    written = [
        write_text(folder / "candidates.json", data),
        write_text(folder / "boards.csv", board_table(found).to_csv(index=False)),
    ]
    if figures:
        from eesim.report.figure_sensitivity import ranking_figure
        from eesim.report.figures import draw

        written += draw(folder, {"candidates": partial(ranking_figure, found)})
    return written


def board_table(found: Ranking) -> pd.DataFrame:
    """One row per board: what was drawn, then the metric of every candidate."""
    drawn = pd.DataFrame([{dotted(path): value for path, value in board.items()} for board in found.drawn])
    values = pd.DataFrame(found.values, columns=[f"{found.metric} {name}" for name in found.listed])
    return pd.concat([drawn, values], axis=1)
