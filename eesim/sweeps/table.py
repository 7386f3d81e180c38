"""The table of a study: a row per point, in the order of the design; the same bytes, however often it was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.sweeps.columns import FACTS, HIGH, LOW, in_order
from eesim.sweeps.keys import KEY_BYTES, engine_version
from eesim.sweeps.store import Store, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from eesim.sweeps.study import Study

FILE = "table.parquet"
METADATA = b"eesim.sweep"
"""Key of the table's metadata: its axes, metrics and engine, as JSON."""


def build_table(study: Study, keys: Sequence[bytes | None], why: Callable[[int], str], store: Store) -> pa.Table:
    """Put the table of a study together.

    Parameters
    ----------
    study
        Its points.
    keys
        Key of each point; None for one that has none.
    why
        Says why a point has no row in the store.
    store
        Where the rows are.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    asked = pa.array(keys, pa.binary(KEY_BYTES))
    rows = store.table(keys=asked.unique())
    place = pc.index_in(asked, rows["key"].combine_chunks())
    found = rows.take(place)
    missing = np.flatnonzero(place.is_null().to_numpy(zero_copy_only=False))
    columns: dict[str, Any] = {"point": pa.array(np.arange(len(keys)), pa.int64())}
    columns |= _axes(study, len(keys))
    for name in FACTS:
        columns[name] = found[name].combine_chunks() if name in found.column_names else pa.nulls(len(keys))
    if len(missing):
        columns["status"] = _patched(columns["status"], {int(i): "failed" for i in missing})
        columns["reason"] = _patched(columns["reason"], {int(i): why(int(i)) for i in missing})
    for name in _metrics(study, found):
        for ending in ("", LOW, HIGH):
            columns[name + ending] = found[name + ending].combine_chunks()
    columns["key"] = asked
    told = {
        "axes": list(study.design.paths),
        "metrics": _metrics(study, found),
        "engine": engine_version(),
        "title": study.spec.title,
    }
    return pa.table(columns).replace_schema_metadata({METADATA: json.dumps(told).encode()})


def _metrics(study: Study, found: pa.Table) -> list[str]:
    """Metrics that the table shows; those that no point has are left out."""
    known = {name.removesuffix(LOW) for name in found.column_names if name.endswith(LOW)}
    some = [name for name in known if found[name].null_count < len(found)]
    return [name for name in study.metrics if name in some] if study.metrics else in_order(some)


def _patched(column: Any, values: Mapping[int, str]) -> Any:
    import pyarrow as pa

    plain = column.to_pylist()
    for i, value in values.items():
        plain[i] = value
    return pa.array(plain, pa.string())


def _axes(study: Study, size: int) -> dict[str, Any]:
    """Columns of the axes: numbers where all values are, else text (of lists and mappings, JSON)."""
    plain: dict[str, list[Any]] = {path: [None] * size for path in study.design.paths}
    for i in range(size):
        for setting in study.design.at(i):
            plain[setting.path][i] = setting.value
    return {path: _column(values) for path, values in plain.items()}


def _column(values: list[Any]) -> Any:
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool} or kinds <= {int}:
        return pa.array(values, pa.bool_() if kinds == {bool} else pa.int64())
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    texts = [value if value is None or isinstance(value, str) else _json(value) for value in values]
    return pa.array(texts, pa.string()).dictionary_encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def save_table(table: pa.Table, folder: Path) -> Path:
    """Write a study's table, whole or not at all."""
    temporary = folder / f".{FILE}"
    write_table(table, temporary)
    os.replace(temporary, folder / FILE)
    return folder / FILE
