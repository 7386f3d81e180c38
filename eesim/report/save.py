"""A result as files in a folder: summary, what a page needs beside it, frames, tasks, figures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.report.files import make_folder, replacing
from eesim.report.save_page import page_data

if TYPE_CHECKING:
    import pandas as pd

    from eesim.metrics.result import Result

PROVENANCE_KEY = b"eesim.provenance"
"""Key of the Parquet schema's metadata under which the provenance stands, as JSON."""

_TEXT = ("status", "stream", "lost_at", "basis", "task", "kind", "resource", "server")
"""Columns of few distinct texts: written as dictionaries."""


def save_result(result: Result, folder: Path, *, tasks: bool = False, figures: bool = True) -> list[Path]:
    """Write a result; no file is ever there in half.

    Parameters
    ----------
    result
        What to write.
    folder
        Where to; created if need be. Files of the same names are replaced, others are left alone.
    tasks
        Write ``tasks.parquet``, too: a row per service episode of the logged frames.
    figures
        Draw the figures, too (see `eesim.report.figures.write_figures`).

    Returns
    -------
    list of Path
        What was written: ``summary.json`` (`Result.to_dict`), ``report.json`` (`page_data`), ``frames.parquet``
        (unless the run did not keep its frames), ``tasks.parquet``, figures.

    Raises
    ------
    ValueError
        If tasks are asked for, but the run did not keep its event log.
    NotADirectoryError
        If the folder is a file.
    """
    task_rows = result.tasks() if tasks else None
    make_folder(folder)
    written = [_write_json(result.to_dict(), folder / "summary.json", indent=1)]
    written.append(_write_json(page_data(result), folder / "report.json"))
    if result.records is not None:
        written.append(write_table(result.frames(), folder / "frames.parquet", result.provenance))
    if task_rows is not None:
        written.append(write_table(task_rows, folder / "tasks.parquet", result.provenance))
    if figures:
        # Imported here: drawing is slow to load, and many results are never drawn.
        from eesim.report.figures import write_figures

        written += write_figures(result, folder)
    return written


def finite(data: Any) -> Any:
    """Return plain data with None for what JSON cannot say: NaN and infinities."""
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _write_json(data: dict[str, Any], path: Path, indent: int | None = None) -> Path:
    text = json.dumps(finite(data), indent=indent, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def write_table(rows: pd.DataFrame, path: Path, provenance: dict[str, Any]) -> Path:
    """Write a table as Parquet, whole or not at all, with provenance in its schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(rows, preserve_index=False)
    kinds = [
        pa.field(field.name, pa.dictionary(pa.int32(), pa.string()) if field.name in _TEXT else field.type)
        for field in table.schema
    ]
    said = {**(table.schema.metadata or {}), PROVENANCE_KEY: json.dumps(finite(provenance)).encode()}
    table = table.cast(pa.schema(kinds)).replace_schema_metadata(said)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return path
