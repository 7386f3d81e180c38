"""Tables as CSV files in a folder: each whole or not there, with a note of where they come from."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eesim.errors import InputError, Problem
from eesim.validate.importers.protocol import Imported, Row
from eesim.validate.importers.schema import TABLES, written

NOTE = "import.json"
"""File beside the tables: one entry for each import whose rows are in them."""


def write_import(folder: Path, found: Imported, entry: dict[str, Any], *, append: bool) -> list[Path]:
    """Write tables and documents, and note where they come from.

    Parameters
    ----------
    folder
        Created if need be. Tables of the same names are replaced (or, with ``append``, continued); others stay.
    found
        What to write.
    entry
        The import's summary.
    append
        Keep the rows that are there; rows that are there already are not written twice.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        If the folder cannot be written, or its tables are not eesim's. Then no file has changed.
    """
    texts: dict[str, str] = dict(found.documents)
    try:
        for name, rows in found.tables.items():
            before = _lines_there(folder / f"{name}.csv", name) if append else []
            texts[f"{name}.csv"] = _table_text(name, rows, before)
        texts[NOTE] = _note_text(folder / NOTE, entry, append=append)
        folder.mkdir(parents=True, exist_ok=True)
        return _write_all(folder, texts)
    except OSError as error:
        where = str(folder)
        raise InputError([Problem(where, 0, "", f"cannot be written: {error.strerror or error}")]) from None


def _table_text(name: str, rows: Sequence[Row], before: Sequence[str]) -> str:
    columns = [column.name for column in TABLES[name]]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    head = out.getvalue()
    there = set(before)
    lines = list(before)
    for row in rows:
        out.seek(0)
        out.truncate()
        writer.writerow([written(column, row.get(column)) for column in columns])
        if out.getvalue() not in there:
            lines.append(out.getvalue())
    return head + "".join(lines)


def _lines_there(path: Path, name: str) -> list[str]:
    """Return the rows of a table that is there, as lines."""
    if not path.exists():
        return []
    head, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if head.strip().split(",") != [column.name for column in TABLES[name]]:
        message = "has other columns than eesim writes: --append would mix two tables"
        raise InputError([Problem(str(path), 1, "", message)])
    return lines


def _note_text(path: Path, entry: dict[str, Any], *, append: bool) -> str:
    """Return the note: entries of tables that are no longer there go."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["imports"]
    except FileNotFoundError:
        entries = []
    except (ValueError, KeyError, TypeError):
        raise InputError(
            [Problem(str(path), 0, "", "is not a note that eesim has written: choose another folder")]
        ) from None
    if not append:
        for old in entries:
            old["tables"] = {name: rows for name, rows in old["tables"].items() if name not in entry["tables"]}
            old["documents"] = [name for name in old.get("documents", ()) if name not in entry["documents"]]
        entries = [old for old in entries if old["tables"] or old["documents"]]
    return json.dumps({"eesim": 1, "imports": [*entries, entry]}, indent=1, ensure_ascii=False) + "\n"


def _write_all(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write all files beside their places, then move them there."""
    moves = []
    try:
        for name, text in texts.items():
            temporary = folder / f".{name}.{os.getpid()}.part"
            moves.append((temporary, folder / name))
            temporary.write_text(text, encoding="utf-8", newline="\n")
        for temporary, path in moves:
            os.replace(temporary, path)
        return [path for _, path in moves]
    finally:
        for temporary, _ in moves:
            temporary.unlink(missing_ok=True)
