"""What a page is made of: sections of tables, charts, facts and text. The templates know nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from markupsafe import Markup


class Cell(NamedTuple):
    """One cell of a table; ``mark`` is ``good``, ``bad``, ``dim`` or empty."""

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table; ``align`` has a letter per column: ``l``, or ``r`` for numbers. The first column heads its row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    align: str
    kind: str = field(default="table", init=False)

    def cells(self) -> list[list[Cell]]:
        """Rows of cells."""
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]


class Key(NamedTuple):
    """One line of a legend; ``shape`` is ``box``, ``hatch``, ``line``, ``dash``, ``dot``, ``ring``, ... (templates)."""

    label: str
    color: str
    shape: str = "box"


@dataclass(frozen=True)
class Chart:
    """A picture with its caption and legend. ``wide`` ones take the whole width."""

    svg: Markup
    caption: str
    legend: Sequence[Key] = ()
    wide: bool = False
    kind: str = field(default="chart", init=False)


@dataclass(frozen=True)
class Timeline:
    """Charts on one time axis that the script lets people zoom together."""

    charts: Sequence[Chart]
    help: str
    kind: str = field(default="timeline", init=False)


@dataclass(frozen=True)
class Facts:
    """Pairs of a name and what it is."""

    rows: Sequence[tuple[str, str]]
    kind: str = field(default="facts", init=False)


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    mark: str = ""
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]
    kind: str = field(default="bullets", init=False)


@dataclass(frozen=True)
class Code:
    """Something to type, as it stands."""

    text: str
    kind: str = field(default="code", init=False)


@dataclass(frozen=True)
class Row:
    """Charts beside each other where there is room; ``legend`` is that of all of them."""

    charts: Sequence[Chart]
    legend: Sequence[Key] = ()
    kind: str = field(default="row", init=False)


@dataclass(frozen=True)
class Fold:
    """What most readers skip, behind a line that opens it."""

    summary: str
    parts: Sequence[Part]
    kind: str = field(default="fold", init=False)


Part: TypeAlias = Table | Chart | Timeline | Facts | Text | Bullets | Code | Row | Fold


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    parts: Sequence[Part]


def fold_long(table: Table, most: int, what: str) -> list[Part]:
    """Return a table, its rows beyond ``most`` folded away."""
    if len(table.rows) <= most + 3:
        return [table]
    rest = Table(f"{table.caption} (continued)", table.head, table.rows[most:], table.align)
    first = Table(table.caption, table.head, table.rows[:most], table.align)
    return [first, Fold(f"{len(rest.rows):,} more {what}", [rest])]
