"""The results store: a folder of Parquet parts, written by one process at a time, read by any number.

Each row is what became of one point, under the point's key (`eesim.sweeps.keys`). A part is written beside the others
under a name that nobody reads and renamed when it is complete, so a kill leaves complete parts only. Compaction writes
one part in the place of several and names them in its metadata: from the rename on they do not count, whether they are
still there or not.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eesim.errors import InputError, Problem
from eesim.sweeps.columns import HIGH, LOW, in_order
from eesim.sweeps.keyindex import KeyIndex
from eesim.sweeps.keys import KEY_BYTES

if TYPE_CHECKING:
    import pyarrow as pa

    from eesim.sweeps.worker import Row

SCHEMA_VERSION = 1
REPLACES = b"eesim.replaces"
"""Key of a part's metadata: names of the parts whose rows it holds, as JSON."""

SMALL_ROWS = 1 << 14
MANY_SMALL = 64
"""As soon as there are so many parts of less than so many rows, they become one."""

PART_ROWS = 1 << 20
ROW_GROUP = 1 << 16
"""Rows of the parts that a full compaction writes, and of what is read of them at a time."""

_NAME = re.compile(r"part-(\d{8})\.parquet")
_TEXT = ("status", "reason", "notes")


class Part(NamedTuple):
    """A part that counts."""

    path: Path
    rows: int


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a folder.

    Raises
    ------
    InputError
        If there is another.
    """
    from filelock import FileLock, Timeout

    told = folder / "writer.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError([Problem(str(folder), 0, "", f"is being written by {_writer(told)}: one at a time")]) from None
    except OSError as error:
        raise InputError([Problem(str(folder), 0, "", f"cannot be written: {error.strerror or error}")]) from None
    try:
        told.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield
    finally:
        told.unlink(missing_ok=True)
        lock.release()


def _writer(told: Path) -> str:
    try:
        who = json.loads(told.read_text())
        return f"process {who['pid']} on {who['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"


class Store:
    """A store's parts. Reading takes no lock; whoever writes holds `locked`.

    Parameters
    ----------
    folder
        Where it is; need not exist to be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._top = -1
        self._written: dict[Path, pa.Table] = {}

    # -- reading ------------------------------------------------------------------------------------------

    def parts(self) -> list[Part]:
        """Parts that count, by name.

        Raises
        ------
        InputError
            If a part is damaged.
        """
        return self._scan()[0]

    def _scan(self) -> tuple[list[Part], list[Path], int]:
        """Parts that count, files that do not, and the largest number ever given to a part."""
        while True:
            found = self._listed()
            if found is not None:
                break
        parts, replaced = found
        names = [part.path.name for part in parts] + sorted(replaced)
        top = max((int(match[1]) for name in names if (match := _NAME.fullmatch(name))), default=0)
        void = [part.path for part in parts if part.path.name in replaced]
        return [part for part in parts if part.path.name not in replaced], void, top

    def _listed(self) -> tuple[list[Part], set[str]] | None:
        """All complete files, and names that are replaced; None if a compaction went by meanwhile."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        replaced: set[str] = set()
        found: list[Part] = []
        for path in sorted(self.folder.glob("part-*.parquet")) if self.folder.is_dir() else []:
            try:
                metadata = pq.read_metadata(path)
            except FileNotFoundError:
                return None
            except (pa.ArrowInvalid, OSError) as error:
                message = f"cannot be read ({str(error).splitlines()[0]}): without this file its points are run again"
                raise InputError([Problem(str(path), 0, "", message)]) from None
            replaced |= set(json.loads((metadata.metadata or {}).get(REPLACES, b"[]")))
            found.append(Part(path, metadata.num_rows))
        return found, replaced

    def table(self, columns: Sequence[str] | None = None, keys: pa.Array | None = None) -> pa.Table:
        """Rows of all parts, or of those with certain keys, with columns that a part lacks empty."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        tables = []
        for part in self.parts():
            try:
                known = pq.read_schema(part.path).names
                wanted = known if columns is None else [name for name in columns if name in known]
                read = pq.read_table(part.path, columns=wanted, partitioning=None)
            except FileNotFoundError:
                return self.table(columns, keys)
            if keys is not None:
                read = read.filter(pc.is_in(read["key"], keys))
            tables.append(read.replace_schema_metadata(None))
        if not tables:
            return pa.table({"key": pa.array([], pa.binary(KEY_BYTES))})
        return pa.concat_tables(tables, promote_options="default")

    def keys(self) -> KeyIndex:
        """All keys."""
        column = self.table(["key"])["key"].combine_chunks()
        # Keys have a fixed width: they lie in the array's buffer one after the other.
        begin = column.offset * KEY_BYTES
        buffer = column.buffers()[1]
        return KeyIndex(b"" if buffer is None else buffer.to_pybytes()[begin : begin + len(column) * KEY_BYTES])

    # -- writing ------------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Remove what a killed writer left: parts that no longer count, unfinished files, many small parts."""
        parts, void, _ = self._scan()
        for path in [*void, *self.folder.glob(".part-*")]:
            path.unlink(missing_ok=True)
        small = [part.path for part in parts if part.rows < SMALL_ROWS]
        if len(small) >= MANY_SMALL:
            self._replace(small)

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows as a new part; they are there from its rename on."""
        table = as_table(rows)
        path = self._write(table, ())
        if len(rows) < SMALL_ROWS:
            # Kept until there are many: what was just written need not be read to be put together.
            self._written[path] = table

    def compact_small(self) -> None:
        """Make one part of the small ones that were written here, if there are many."""
        if len(self._written) >= MANY_SMALL:
            self._replace(list(self._written))

    def compact(self) -> None:
        """Make as few parts as possible, sorted by key."""
        batch: list[Part] = []
        parts = [part for part in self.parts() if part.rows < PART_ROWS]
        for part in parts:
            batch.append(part)
            if sum(p.rows for p in batch) >= PART_ROWS:
                self._replace([p.path for p in batch])
                batch = []
        if len(batch) > 1:
            self._replace([p.path for p in batch])

    def _replace(self, paths: Sequence[Path]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        def read(path: Path) -> pa.Table:
            known = self._written.pop(path, None)
            if known is None:
                known = pq.read_table(path, partitioning=None).replace_schema_metadata(None)
            return known

        merged = pa.concat_tables([read(path) for path in paths], promote_options="default").sort_by("key")
        self._write(merged, [path.name for path in paths])
        for path in paths:
            path.unlink(missing_ok=True)

    def _write(self, table: pa.Table, replaces: Sequence[str]) -> Path:
        if self._top < 0:
            self._top = self._scan()[2]
        self._top += 1
        path = self.folder / f"part-{self._top:08d}.parquet"
        temporary = self.folder / f".{path.name}"
        if replaces:
            table = table.replace_schema_metadata({REPLACES: json.dumps(list(replaces)).encode()})
        write_table(table, temporary)
        os.replace(temporary, path)
        return path


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table to a file, down to the disk."""
    import pyarrow.parquet as pq

    dictionaries = [name for name in table.column_names if name in _TEXT]
    with path.open("wb") as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            use_dictionary=dictionaries,
            write_statistics=["key"] if "key" in table.column_names else False,
            row_group_size=ROW_GROUP,
        )
        file.flush()
        os.fsync(file.fileno())


def as_table(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table: facts, then value and interval of each metric."""
    import pyarrow as pa

    plain: dict[str, Any] = {
        "key": pa.array([row.key for row in rows], pa.binary(KEY_BYTES)),
        "status": pa.array([row.status for row in rows], pa.string()),
        "reason": pa.array([row.reason or None for row in rows], pa.string()),
        "requirements_met": pa.array([row.requirements_met for row in rows], pa.bool_()),
        "notes": pa.array([row.notes or None for row in rows], pa.string()),
    }
    for name in ("frames", "replications", "seed", "measured_frames", "warmup_frames"):
        plain[name] = pa.array([getattr(row, name) for row in rows], pa.int64())
    return pa.table(plain | _metrics(rows))


def _metrics(rows: Sequence[Row]) -> dict[str, Any]:
    """Columns of the metrics that any of the rows has."""
    import numpy as np
    import pyarrow as pa

    same = {row.names for row in rows}
    names = in_order(name for names in same for name in names)
    place = {key: [key.index(name) if name in key else -1 for name in names] for key in same}
    cube = np.full((len(rows), len(names), 3), np.nan)
    for i, row in enumerate(rows):
        if row.names:
            found = np.array([*row.estimates, (None, None, None)], np.float64)
            cube[i] = found[place[row.names]]
    columns = np.ascontiguousarray(cube.reshape(len(rows), -1).T)
    known = np.packbits(~np.isnan(columns), axis=1, bitorder="little")
    headings = [name + ending for name in names for ending in ("", LOW, HIGH)]
    # From buffers: there are many columns and few rows, and each conversion of an array costs more than its values.
    return {
        heading: pa.Array.from_buffers(pa.float64(), len(rows), [pa.py_buffer(bits), pa.py_buffer(values)])
        for heading, bits, values in zip(headings, known, columns, strict=True)
    }
