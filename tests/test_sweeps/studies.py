"""Small studies of the shipped scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from eesim.errors import InputError
from eesim.sweeps.store import Store
from eesim.sweeps.study import Study, load_study

FEW: dict[str, Any] = {"run.frames": 300, "run.replications": 1, "requirements": {}}
ORDERS = ["BGLGLGL", "GGGGGGG", "BBBBBBB"]
GRID: dict[str, Any] = {
    "kind": "grid",
    "axes": {"stream.arrivals.rate": ["30 Hz", "60 Hz"], "mapping.segments": ORDERS},
}


def study_data(design: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A study as a file would say it; ``keys`` replace or add what is on top."""
    return {"eesim": 1, "scenario": "ee_resnet18_camera", "set": FEW, "design": design or GRID, **keys}


def study(design: dict[str, Any] | None = None, **keys: Any) -> Study:
    return load_study(study_data(design, **keys))


def problems(design: dict[str, Any] | None = None, **keys: Any) -> list[str]:
    """What is wrong with a study, without the file."""
    try:
        load_study(study_data(design, **keys))
    except InputError as error:
        return [str(problem).removeprefix("<python>: ") for problem in error.problems]
    return []


def rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of a sweep's table."""
    table = pq.read_table(folder / "table.parquet", partitioning=None)
    return [dict(row) for row in table.to_pylist()]


def stored(folder: Path) -> list[bytes]:
    """Keys in a store, sorted; with repetitions, if there were any."""
    return sorted(Store(folder).table(["key"])["key"].to_pylist())
