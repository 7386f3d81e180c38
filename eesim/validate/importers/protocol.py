"""What every importer is given, gives back, and may take for granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from eesim.validate.importers.tally import Tally

Value: TypeAlias = "str | int | float | None"
Row: TypeAlias = Mapping[str, Value]
"""One row of a table: column to value; what is missing or None is written as nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say about the files; None where nothing was said.

    Attributes
    ----------
    graph
        Name of the measured network.
    campaign
        Label of the measurements; rows of different campaigns are never mixed.
    npu_model
        ``quantized`` or ``fp16_or_unquantized``.
    allow_board
        Another board than the RK3399Pro that is let in, with its rows labelled.
    run_log
        Run log that a power log belongs to.
    times
        ``gates`` or ``layers``: which measured times the times of segments add up to.
    pe
        PEs that times are written for, each ``NAME`` or ``NAME=SPEED``.
    """

    graph: str | None = None
    campaign: str | None = None
    npu_model: str | None = None
    allow_board: str | None = None
    run_log: Path | None = None
    times: str | None = None
    pe: tuple[str, ...] = ()

    def given(self) -> dict[str, str]:
        """Return what was said, by name."""
        names = ("graph", "campaign", "npu_model", "allow_board", "run_log", "times")
        said = {name: str(getattr(self, name)) for name in names if getattr(self, name) is not None}
        return said | ({"pe": " ".join(self.pe)} if self.pe else {})


@dataclass(slots=True)
class Imported:
    """What an importer found.

    Attributes
    ----------
    tables
        Rows by name of the table, a key of `eesim.validate.importers.schema.TABLES`.
    documents
        Text by name of the file, for formats that are turned into other files than tables.
    tally
        What became of each line and record.
    files
        Files that were read.
    """

    tables: dict[str, list[Row]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    files: list[Path] = field(default_factory=list)

    def add(self, table: str, row: Row) -> None:
        """Append a row to a table."""
        self.tables.setdefault(table, []).append(row)

    @property
    def rows(self) -> int:
        """Number of rows in all tables."""
        return sum(len(rows) for rows in self.tables.values())


class Importer(Protocol):
    """A module of one format."""

    OPTIONS: frozenset[str]
    """Names of the `Options` that mean something to it."""

    def read(self, path: Path, options: Options) -> Imported:
        """Read a file or folder.

        Raises
        ------
        InputError
            If it cannot be read at all, or belongs to another board.
        """
        ...
