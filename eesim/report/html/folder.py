"""A folder of results, read with care: a file that is not there is None, one that is damaged is a problem."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    import pyarrow as pa


class Folder:
    """Reads files of a folder, each once.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    InputError
        If there is no such folder.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            what = "is a file; `eesim report` takes the folder that it lies in" if path.exists() else "no such folder"
            raise InputError([Problem(str(path), 0, "", what)])
        self.path = path
        self._read: dict[str, Any] = {}

    @cached_property
    def name(self) -> str:
        """Name of the folder, without the folders it lies in."""
        return self.path.resolve().name

    def has(self, file: str) -> bool:
        """Whether a file is there."""
        return (self.path / file).is_file()

    def json(self, file: str) -> dict[str, Any]:
        """Return the object of a JSON file; empty if it is not there.

        Raises
        ------
        InputError
            If it is damaged, or holds something else.
        """
        if file not in self._read:
            self._read[file] = self._json(self.path / file) if self.has(file) else {}
        found: dict[str, Any] = self._read[file]
        return found

    def csv(self, file: str) -> list[dict[str, Any]]:
        """Return the rows of a CSV file, numbers as numbers, empty cells as None; empty if it is not there."""
        if not self.has(file):
            return []
        if file not in self._read:
            try:
                with (self.path / file).open(encoding="utf-8", newline="") as lines:
                    rows = list(csv.DictReader(lines, strict=True))
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise _damaged(self.path / file, error) from None
            self._read[file] = [{key: _value(text) for key, text in row.items() if key} for row in rows]
        found: list[dict[str, Any]] = self._read[file]
        return found

    def schema(self, file: str) -> pa.Schema | None:
        """Return the columns of a Parquet file; None if it is not there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.has(file):
            return None
        try:
            return pq.read_schema(self.path / file)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.path / file, error) from None

    def table(self, file: str, columns: Sequence[str]) -> pa.Table | None:
        """Return some columns of a Parquet file (those that it has); None if it is not there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = self.schema(file)
        if schema is None:
            return None
        try:
            return pq.read_table(self.path / file, columns=[name for name in columns if name in schema.names])
        except (OSError, pa.ArrowException) as error:
            raise _damaged(self.path / file, error) from None

    def embedded(self, file: str, key: bytes) -> dict[str, Any]:
        """Return the JSON object in the metadata of a Parquet file; empty if there is none."""
        schema = self.schema(file)
        text = (schema.metadata or {}).get(key) if schema is not None else None
        found = json.loads(text) if text else {}
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _json(path: Path) -> dict[str, Any]:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise InputError([Problem(str(path), error.lineno, "", f"is damaged: {error.msg}")]) from None
        except (OSError, UnicodeDecodeError, RecursionError) as error:
            raise _damaged(path, error) from None
        if not isinstance(data, dict):
            raise InputError([Problem(str(path), 1, "", "is not a result: it holds no JSON object")])
        return data


def _damaged(path: Path, error: Exception) -> InputError:
    said = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return InputError([Problem(str(path), 0, "", f"cannot be read: {said}")])


def _value(text: str | None) -> Any:
    if not text:
        return None
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text)
    except ValueError:
        return text
