"""Rows of foreign CSV files: read line by line, so that a broken line spoils itself only."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from eesim.validate.importers.tally import Tally


class BadRecord(Exception):
    """A row cannot be used; the message says why, in words that do not depend on the row."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Record(NamedTuple):
    """One row: its line in the file, and its cells by column."""

    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return a cell without the blanks around it; empty if there is none."""
        return self.cells.get(column, "").strip()

    def number(self, column: str) -> float:
        """Return a number that is finite.

        Raises
        ------
        BadRecord
            If it is none.
        """
        value = self.maybe(column)
        if value is None:
            raise BadRecord(f"no {column}")
        return value

    def maybe(self, column: str) -> float | None:
        """Return a number, or None if the cell is empty."""
        text = self.text(column)
        if not text:
            return None
        try:
            value = float(text) if text.isascii() and "_" not in text else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise BadRecord(f"{column} is no number", text)
        return value

    def measured(self, column: str) -> float:
        """Return a time or power: a number above zero."""
        value = self.number(column)
        if value <= 0:
            raise BadRecord(f"{column} is not above zero", self.text(column))
        return value

    def whole(self, column: str) -> int:
        """Return a whole number."""
        value = self.number(column)
        if value != int(value):
            raise BadRecord(f"{column} is no whole number", self.text(column))
        return int(value)


def cells_of(line: str) -> list[str]:
    """Return the cells of one line.

    Raises
    ------
    BadRecord
        If its quotes are broken.
    """
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise BadRecord("broken quotes", str(error)) from None


def records(source: Path, lines: Sequence[str], columns: Sequence[str], tally: Tally) -> Iterator[Record]:
    """Yield the rows below the heading; blank ones are noise, those of another width are left out."""
    for number, line in enumerate(lines[1:], 2):
        tally.lines += 1
        try:
            cells = cells_of(line)
        except BadRecord as bad:
            tally.skip(f"row left out: {bad.reason}", source, number, line)
            continue
        if not any(cell.strip() for cell in cells):
            tally.noise += 1
        elif len(cells) != len(columns):
            tally.skip("row left out: not as many cells as columns", source, number, line)
        else:
            tally.understood += 1
            yield Record(number, dict(zip(columns, cells, strict=True)))
