"""Write an exploration: the best scenario, everything that was evaluated, the front, the certificate, plots."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from eesim.explore.exploration import Exploration
from eesim.explore.objectives import OBJECTIVES
from eesim.report.files import make_folder, replacing
from eesim.report.save import finite, write_table


def save_exploration(exploration: Exploration, folder: Path, *, figures: bool = True) -> list[Path]:
    """Write best.yaml, certificate.json, evaluations.parquet, front.csv and plots, each whole or not at all.

    Parameters
    ----------
    exploration
        What to write.
    folder
        Where; created if need be.
    figures
        Draw ``convergence`` and, for several objectives, ``front``.
    """
    make_folder(folder)
    written = [
        _text(folder / "best.yaml", best_yaml(exploration, folder)),
        _text(folder / "certificate.json", json.dumps(finite(exploration.to_dict()), indent=1, ensure_ascii=False)),
        write_table(evaluation_table(exploration), folder / "evaluations.parquet", exploration.provenance),
        _text(folder / "front.csv", front_table(exploration).to_csv(index=False)),
    ]
    if figures:
        from eesim.report.figure_explore import convergence_figure, front_figure
        from eesim.report.figures import draw

        made = {"convergence": partial(convergence_figure, exploration), "front": partial(front_figure, exploration)}
        written += draw(folder, made)
    return written


def _text(path: Path, text: str) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    return path


def best_yaml(exploration: Exploration, folder: Path) -> str:
    """Return the best candidate as a scenario that ``eesim run`` takes as it is, from ``folder``."""
    source = Path(exploration.space.scenario.document.source)
    data = moved_document(dict(exploration.best_document.data), source.parent, folder)
    head = f"# {exploration.certificate}\n# found by {exploration.algorithm} ({exploration.why})\n"
    if not exploration.found.is_feasible:
        head += "# NOT FEASIBLE: the nearest design to the constraints\n"
    body: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return head + body


def moved_document(data: dict[str, Any], beside: Path, folder: Path) -> dict[str, Any]:
    """Rewrite the paths of a scenario's document, relative to ``beside``, so that they hold from ``folder``."""
    for key in ("board", "network"):
        name = data[key].get("extends") if isinstance(data[key], dict) else data[key]
        moved = _moved(name, beside, folder)
        data[key] = {**data[key], "extends": moved} if isinstance(data[key], dict) else moved
    if "profile" in data:
        data["profile"] = _moved_profile(data["profile"], beside, folder)
    for part in ("arrivals", "exits"):
        model = data["stream"][part]
        if "path" in model:
            stream = {**data["stream"], part: {**model, "path": _moved(model["path"], beside, folder)}}
            data["stream"] = stream
    return data


def _moved_profile(written: str | dict[str, Any], beside: Path, folder: Path) -> str | dict[str, Any]:
    """Likewise for the path of a profile, and of one that is changed; without a path it is the board's own."""
    if isinstance(written, str):
        return _moved(written, beside, folder)
    return {**written, "extends": _moved(written["extends"], beside, folder)} if written.get("extends") else written


def _moved(name: str, beside: Path, folder: Path) -> str:
    """Rewrite a path relative to the scenario's folder so that it holds from ``folder``; leave names alone."""
    for candidate in (beside / name, beside / f"{name}.yaml", beside / "networks" / f"{name}.yaml"):
        if candidate.is_file() and not Path(name).is_absolute():
            return os.path.relpath(candidate, folder)
    board = beside / name / "board.yaml"
    return os.path.relpath(board, folder) if board.is_file() else name


def evaluation_table(exploration: Exploration) -> pd.DataFrame:
    """One row per evaluated design: its choices, objectives, violations, in the order of evaluation."""
    visited = exploration.search.memo.visited
    columns: dict[str, Any] = {}
    for i, gene in enumerate(exploration.space.genes):
        labels = [value if isinstance(value, str | int | bool) else str(value) for value in gene.alleles]
        kind = "category" if len({type(label) for label in labels}) == 1 else None
        picked = pd.Series(np.array(list(map(str, labels)), object)[visited.genomes[:, i]], dtype="str")
        columns[gene.name] = picked.astype("category") if kind else picked
    for i, name in enumerate(exploration.evaluator.objective_names):
        columns[name] = visited.objectives[:, i] * OBJECTIVES[name][1]
    for i, name in enumerate(exploration.evaluator.constraint_names):
        columns[f"violation_{name}"] = visited.violations[:, i]
    return pd.DataFrame(columns)


def front_table(exploration: Exploration) -> pd.DataFrame:
    """One row per design on the front (the best alone, for a single objective)."""
    found = exploration.found
    rows = []
    for i in range(len(found.genomes)):
        choice = {key: str(value) for key, value in exploration.space.choice(found.genomes[i]).items()}
        signs = [OBJECTIVES[name][1] for name in exploration.evaluator.objective_names]
        values = zip(exploration.evaluator.objective_names, signs * found.objectives[i], strict=True)
        rows.append({**dict(values), **choice})
    return pd.DataFrame(rows)
