"""Read the CSV files of a folder of measurements; every problem of a file is reported with its line.

The schema is that of docs/measurements.md. A file that is read has the columns that it must have, numbers where
numbers are due, and known labels; else nothing of it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from eesim.errors import InputError, Problem, suggest

MAX_REPORTED = 20
"""Problems listed per file; the rest are counted."""

HEADER_LINES = 1


def read_rows(
    path: Path, text: Sequence[str], numbers: Sequence[str], *, empty: Sequence[str] = (), above_0: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    path
        A CSV file.
    text, numbers
        Columns that it must have.
    empty
        Columns, of these, whose cells may be empty.
    above_0
        Columns, of ``numbers``, whose values must be positive.

    Raises
    ------
    InputError
        With every problem: columns missing, cells that are no numbers, empty or not positive.
    """
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(text, str), encoding="utf-8", low_memory=False)
    except FileNotFoundError:
        near = suggest(path.name, (item.name for item in path.parent.glob("*"))) if path.parent.is_dir() else ""
        raise InputError([Problem(str(path), 0, "", "there is no such file", near)]) from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        message = f"cannot be read as a table: {str(error).splitlines()[0]}"
        raise InputError([Problem(str(path), 0, "", message)]) from None
    missing = [name for name in (*text, *numbers) if name not in table.columns]
    if missing:
        raise InputError(
            Problem(str(path), 1, name, "there is no such column", suggest(name, map(str, table.columns)))
            for name in missing
        )
    problems: list[Problem] = []
    for name in text:
        if name not in empty:
            _report(path, name, table[name].isna(), table[name], "is empty", problems)
        table[name] = table[name].fillna("")
    for name in numbers:
        written = table[name]
        table[name] = pd.to_numeric(written, errors="coerce").astype(np.float64)
        bad = table[name].isna() & (written.notna() if name in empty else True)
        _report(path, name, bad, written, "is not a number", problems)
        infinite = np.isinf(table[name])
        _report(path, name, infinite, written, "is not finite", problems)
        if name in above_0:
            _report(path, name, table[name] <= 0, written, "must be above 0", problems)
    if problems:
        raise InputError(_shortened(path, problems))
    return table


def known_labels(path: Path, table: pd.DataFrame, labels: Mapping[str, Sequence[str]]) -> None:
    """Raise `InputError` for every cell of a column that is not one of its labels."""
    problems: list[Problem] = []
    for name, known in labels.items():
        for row in np.flatnonzero(~table[name].isin(known)):
            cell = str(table[name].iloc[row])
            message = f"is {cell!r}, not one of {', '.join(known)}"
            problems.append(Problem(str(path), int(row) + 1 + HEADER_LINES, name, message, suggest(cell, known)))
    if problems:
        raise InputError(_shortened(path, problems))


def _report(path: Path, name: str, bad: pd.Series, written: pd.Series, message: str, problems: list[Problem]) -> None:
    for row in np.flatnonzero(bad.to_numpy()):
        cell = written.iloc[row]
        said = message if pd.isna(cell) else f"{message}: {cell!r}"
        problems.append(Problem(str(path), int(row) + 1 + HEADER_LINES, name, said))


def _shortened(path: Path, problems: list[Problem]) -> list[Problem]:
    problems = sorted(problems)
    if len(problems) <= MAX_REPORTED:
        return problems
    rest = Problem(str(path), 0, "", f"and {len(problems) - MAX_REPORTED} more problems")
    return [*problems[:MAX_REPORTED], rest]
