"""Read the files that a stream refers to; every problem of a file is reported with its line."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eesim.base import IntArray
from eesim.errors import InputError, Problem, suggest
from eesim.workload.arrivals import ArrivalTrace
from eesim.workload.confidences import BoolArray, ExitConfidences, Samples
from eesim.workload.exits import ExitTrace
from eesim.workload.similarity import SceneTrace, scenes_of_differences
from eesim.workload.stream import NO_ALTERNATIVES, StreamSpec, Traces

EMPTY: IntArray = np.zeros(0, np.int64)

LINES = "lines"
"""Key of a table's attributes under which the line of each row is kept."""

MAX_REPORTED = 20
"""Problems listed per column; the rest are counted."""

MAX_SCENE = 1 << 60
"""Largest number of a scene: two bits are left for what a detector makes of it."""

MAX_TIME_MS = 9e9
"""9,000,000 s: instants beyond do not fit the engines' 64-bit nanoseconds with room for the run."""


def read_traces(spec: StreamSpec, folder: Path, exit_names: Sequence[str], *, need_confident: bool) -> Traces:
    """Read the arrival and exit traces of a stream.

    Parameters
    ----------
    spec
        The stream's models.
    folder
        What relative paths are relative to.
    exit_names
        Names of the network's exits.
    need_confident
        Whether the policy needs the set of confident exits.

    Raises
    ------
    InputError
        If files are missing, lack columns, or hold impossible values.
    """
    problems: list[Problem] = []
    arrival, exits, confident, others = EMPTY, EMPTY, EMPTY, NO_ALTERNATIVES
    if isinstance(spec.arrivals, ArrivalTrace):
        table = _table(folder / spec.arrivals.path, ["arrival_ms"], problems)
        if table is not None:
            arrival = _arrivals(table, str(folder / spec.arrivals.path), problems)
    if isinstance(spec.exits, ExitTrace):
        path = folder / spec.exits.path
        columns = [f"confident_{k + 1}" for k in range(len(exit_names))] if need_confident else []
        levels = [alternative.column for alternative in spec.exits.alternatives]
        table = _table(path, ["exit", *columns, *levels], problems)
        if table is not None:
            exits = _integers(table, "exit", 1, len(exit_names), str(path), problems) - 1
            if levels:
                found = [_integers(table, name, 1, len(exit_names), str(path), problems) - 1 for name in levels]
                others = np.stack(found, axis=1)
            if columns:
                bits = [_integers(table, name, 0, 1, str(path), problems) << k for k, name in enumerate(columns)]
                confident = np.sum(bits, axis=0) | 1 << (len(exit_names) - 1)
    samples = Samples()
    if isinstance(spec.exits, ExitConfidences):
        samples = _samples(folder / spec.exits.path, spec.exits.split, len(exit_names), problems)
    scene = EMPTY
    if isinstance(spec.scenes, SceneTrace):
        scene = _scenes(folder / spec.scenes.path, spec.scenes.threshold, problems)
    if problems:
        raise InputError(problems)
    return Traces(arrival, exits, confident, others, samples, scene)


def read_samples(path: Path, split: str | None, n_exits: int) -> Samples:
    """Read a table of confidences: columns ``confidence_k`` of the early exits, ``correct_k`` of all, ``split``.

    Parameters
    ----------
    path
        CSV or Parquet.
    split
        Value of the column ``split`` whose rows are wanted; None for all rows.
    n_exits
        Exits of the network.

    Raises
    ------
    InputError
        If the file is missing, lacks columns, or holds impossible values.
    """
    problems: list[Problem] = []
    samples = _samples(path, split, n_exits, problems)
    if problems:
        raise InputError(problems)
    return samples


def _samples(path: Path, split: str | None, n_exits: int, problems: list[Problem]) -> Samples:
    sure = [f"confidence_{k}" for k in range(1, n_exits)]
    right = [f"correct_{k}" for k in range(1, n_exits + 1)]
    table = _table(path, [*sure, *right, *(["split"] if split is not None else [])], problems)
    if table is None:
        return Samples()
    confidence = np.zeros((len(table), len(sure)))
    for k, name in enumerate(sure):
        values = _numbers(table, name)
        _report(table, str(path), name, ~np.isfinite(values), "must be a finite number", problems)
        confidence[:, k] = values
    columns = [_integers(table, name, 0, 1, str(path), problems) for name in right]
    correct: BoolArray = np.stack(columns, axis=1).astype(np.bool_)
    if split is None:
        return Samples(confidence, correct)
    names = table["split"].astype(str)
    wanted = np.asarray(names == split)
    if not wanted.any():
        known = sorted(set(names))
        message = f"no row has the value {split!r} ({', '.join(known[:MAX_REPORTED])})"
        problems.append(Problem(str(path), 1, "split", message, suggest(split, known)))
    return Samples(confidence[wanted], correct[wanted])


def _scenes(path: Path, threshold: float | None, problems: list[Problem]) -> IntArray:
    """Read a trace of scenes, or of differences between frames."""
    name = "scene" if threshold is None else "difference"
    table = _table(path, [name], problems)
    if table is None:
        return EMPTY
    if threshold is None:
        return _integers(table, name, 0, MAX_SCENE, str(path), problems)
    values = _numbers(table, name)
    # The first row's says nothing: there is no frame before it.
    bad = ~(np.isfinite(values) & (values >= 0))
    bad[0] = False
    _report(table, str(path), name, bad, "must be a number from 0", problems)
    return EMPTY if bad.any() else scenes_of_differences(values, threshold)


def _table(path: Path, columns: list[str], problems: list[Problem]) -> pd.DataFrame | None:
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else _csv(path)
        table.attrs[LINES] = _lines(path, len(table))
    except FileNotFoundError:
        near = suggest(path.name, (item.name for item in path.parent.glob("*"))) if path.parent.is_dir() else ""
        problems.append(Problem(str(path), 0, "", "there is no such file", near))
        return None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        problems.append(Problem(str(path), 0, "", f"cannot be read as a table: {str(error).splitlines()[0]}"))
        return None
    missing = [name for name in columns if name not in table.columns]
    for name in missing:
        hint = suggest(name, map(str, table.columns))
        problems.append(Problem(str(path), 1, name, "there is no such column", hint))
    if not missing and table.empty:
        problems.append(Problem(str(path), 1, columns[0], "the table has no rows"))
        return None
    return None if missing else table


def _csv(path: Path) -> pd.DataFrame:
    """Read a CSV file; rows with more cells than the header are an error, not an index."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(path, index_col=False)
        except pd.errors.ParserWarning:
            raise ValueError("rows have more cells than the header") from None


def _lines(path: Path, n_rows: int) -> list[int]:
    """Line of each row: blank lines are no rows; in a Parquet file, where there are no lines, rows from 2 on."""
    if path.suffix == ".parquet":
        return list(range(2, n_rows + 2))
    with path.open(encoding="utf-8", errors="replace") as file:
        used = [number for number, line in enumerate(file, 1) if line.strip()]
    # A quoted line break would leave lines over: point at the first of what may be meant.
    return [*used[1 : n_rows + 1], *[used[-1] if used else 1] * (n_rows + 1 - len(used))]


def _report(table: pd.DataFrame, source: str, column: str, bad: Any, message: str, problems: list[Problem]) -> None:
    """Add a problem for each bad row."""
    rows, lines = np.flatnonzero(np.asarray(bad)), table.attrs[LINES]
    problems += [Problem(source, lines[row], column, message) for row in rows[:MAX_REPORTED]]
    if len(rows) > MAX_REPORTED:
        problems.append(Problem(source, lines[rows[-1]], column, f"{message} ({len(rows)} rows in all)"))


def _numbers(table: pd.DataFrame, column: str) -> Any:
    return pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _arrivals(table: pd.DataFrame, source: str, problems: list[Problem]) -> IntArray:
    values = _numbers(table, "arrival_ms")
    bad = ~np.isfinite(values) | (values < 0) | (values > MAX_TIME_MS)
    _report(table, source, "arrival_ms", bad, "must be a time in ms, 0 or later", problems)
    if bad.any():
        return EMPTY
    late = np.concatenate([[False], values[1:] < values[:-1]])
    _report(table, source, "arrival_ms", late, "is earlier than the row before", problems)
    return np.asarray(np.rint(values * 1e6), np.int64)


def _integers(table: pd.DataFrame, column: str, low: int, high: int, source: str, problems: list[Problem]) -> IntArray:
    values = _numbers(table, column)
    bad = ~np.isfinite(values) | (values != np.rint(values)) | (values < low) | (values > high)
    _report(table, source, column, bad, f"must be a whole number from {low} to {high}", problems)
    return np.where(bad, low, values).astype(np.int64)


def read_column(path: Path, column: str, low: int, high: int) -> IntArray:
    """Read one column of whole numbers.

    Parameters
    ----------
    path
        CSV, or Parquet (``.parquet``).
    column
        Its heading.
    low, high
        Least and largest value allowed.

    Raises
    ------
    InputError
        If the file is missing, lacks the column, or holds other values.
    """
    problems: list[Problem] = []
    table = _table(path, [column], problems)
    values = EMPTY if table is None else _integers(table, column, low, high, str(path), problems)
    if problems:
        raise InputError(problems)
    return values
