"""Questions to a study's table, with pyarrow alone: which points are best, under which conditions."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from eesim.errors import InputError, Problem, suggest
from eesim.sweeps.columns import FACTS, HIGH, HIGHER_IS_BETTER, LOW

TABLE = "table.parquet"
METADATA = b"eesim.sweep"

SHORT = {"energy": "energy_mj_per_frame.total", "power": "power_mw", "throughput": "throughput_fps",
         "latency": "latency_ms.mean", "energy_delay": "energy_delay_mj_ms", "period": "period_ms"}  # fmt: skip
"""Names that stand for columns."""

_CONDITION = re.compile(r"\s*(.+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")
_QUANTITY = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([^\s0-9].*)?")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


class Answers:
    """The table of a study.

    Parameters
    ----------
    folder
        Folder of the sweep.

    Raises
    ------
    InputError
        If it has no table.
    """

    def __init__(self, folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = folder / TABLE
        try:
            self._file = pq.ParquetFile(path)
        except FileNotFoundError:
            message = "holds no table: is it the folder of a sweep? One that was killed gets its table from --resume"
            raise InputError([Problem(str(folder), 0, "", message)]) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError([Problem(str(path), 0, "", f"cannot be read: {str(error).splitlines()[0]}")]) from None
        schema = self._file.schema_arrow
        told = json.loads((schema.metadata or {}).get(METADATA, b"{}"))
        self.axes: list[str] = told.get("axes", [])
        self.metrics: list[str] = told.get("metrics", [])
        self.columns: list[str] = schema.names

    def column(self, name: str, option: str) -> str:
        """Full name of a column: as it is, or its end where only one column ends so (``p99``).

        Raises
        ------
        InputError
            If there is none, or more than one.
        """
        known = [*self.axes, *self.metrics, *FACTS, "point"]
        if name in known or name in self.columns:
            return name
        ends = [column for column in known if column.endswith(f".{name}")]
        ends = ends or [column for column in known if name in SHORT and column == SHORT[name]]
        if len(ends) == 1:
            return ends[0]
        if ends:
            raise InputError([Problem(option, 0, name, f"could be {', '.join(ends)}")])
        hint = suggest(name, [*known, *(column.rpartition(".")[2] for column in known)])
        raise InputError([Problem(option, 0, name, "the table has no such column", hint)])

    def best(self, metric: str, n: int, where: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Rows with the best values of a metric: the lowest, or the highest where more is better.

        Parameters
        ----------
        metric
            Column to order by; the point decides between equal values.
        n
            How many rows.
        where
            Conditions that all must hold: ``column<value`` with ``< <= > >= = !=``.

        Returns
        -------
        list of dict
            Point, axes, whether the requirements are met, the metric with its interval, the columns of the conditions.

        Raises
        ------
        InputError
            If columns do not exist or values cannot be compared.
        """
        import pyarrow.compute as pc

        column = self.column(metric, "--best")
        conditions = [self._condition(text) for text in where]
        others = [name for name, _ in conditions]
        interval = [name for name in (column + LOW, column + HIGH) if name in self.columns]
        wanted = dict.fromkeys(["point", *self.axes, "status", "requirements_met", column, *interval, *others])
        rows = self._file.read(columns=list(wanted))
        if not _is_number(rows[column].type):
            raise InputError([Problem("--best", 0, metric, f"{column} is not a number: what would be best?")])
        keep = pc.and_(pc.is_valid(rows[column]), _mask([status == "ok" for status in rows["status"].to_pylist()]))
        for name, holds in conditions:
            keep = pc.and_(keep, _mask([value is not None and holds(value) for value in rows[name].to_pylist()]))
        rows = rows.filter(keep)
        sense = "descending" if column.endswith(HIGHER_IS_BETTER) else "ascending"
        order = pc.sort_indices(rows, sort_keys=[(column, sense), ("point", "ascending")])
        return [dict(row) for row in rows.take(order.slice(0, n)).to_pylist()]

    def _condition(self, text: str) -> tuple[str, Callable[[Any], bool]]:
        """Column of a condition, and what must hold for its values."""
        found = _CONDITION.fullmatch(text)
        if found is None or not found[3]:
            raise InputError([Problem("--where", 0, text, "must be COLUMN<VALUE, or with <=, >, >=, = or !=")])
        name, sign, value = self.column(found[1], "--where"), found[2], found[3]
        return name, _comparison(name, sign, value)


def _comparison(name: str, sign: str, text: str) -> Callable[[Any], bool]:
    """Compare as numbers where both are, in the same unit; else as text, for equality only."""
    compare = _COMPARE[sign]
    wanted = _number(text)

    def holds(value: Any) -> bool:
        if isinstance(value, bool):
            return compare(str(value).lower(), text.lower())
        there = _number(value)
        if wanted is not None and there is not None:
            if there[1] != wanted[1]:
                unit = f"in {there[1]}" if there[1] else "a plain number"
                raise InputError([Problem("--where", 0, name, f"is {unit}, not {text}")])
            return compare(there[0], wanted[0])
        if sign not in ("=", "==", "!="):
            raise InputError([Problem("--where", 0, name, f"{value!r} and {text!r} have no order: use = or !=")])
        return compare(str(value), text)

    return holds


def _number(value: Any) -> tuple[float, str] | None:
    """Number and unit of a value, if it has one."""
    if isinstance(value, (int, float)):
        return float(value), ""
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    try:
        return (float(found[1]), found[2] or "") if found else None
    except ValueError:
        return None


def _mask(values: list[bool]) -> Any:
    """Return truth values as an array; `pyarrow.array` would import pandas, which takes longer than the answer."""
    import numpy as np
    import pyarrow as pa

    bits = np.packbits(np.array(values, np.bool_), bitorder="little").tobytes()
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def _is_number(kind: Any) -> bool:
    import pyarrow.types as pt

    return bool(pt.is_floating(kind) or pt.is_integer(kind))
