"""Lines of text with columns: what tables are made of, without boxes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TypeAlias

from rich.cells import cell_len

Line: TypeAlias = tuple[str, str]
"""A line and its style (a `rich` style; empty for plain)."""

WIDTH = 80
INDENT = 2
GAP = 2
HEADING = "bold"


def heading(text: str) -> Line:
    """Return a line in the style of headings."""
    return (text, HEADING)


def columns(rows: Sequence[Sequence[str]], alignment: str, *, title: bool = True) -> list[Line]:
    """Lay out rows in columns.

    Parameters
    ----------
    rows
        Cells, equally many in every row.
    alignment
        For each column ``<``, ``>``, or ``.``: numbers by their decimal points and units below each other. A column
        whose cells are all empty takes no place.
    title
        Whether the first row is a heading.
    """
    body = rows[1:] if title else rows
    cells = [_aligned([row[c] for row in body], side) for c, side in enumerate(alignment)]
    if title:
        cells = [_titled(row, column, side) for row, column, side in zip(rows[0], cells, alignment, strict=True)]
    kept = [column for column in cells if any(column)]
    width = sum(cell_len(column[0]) for column in kept) + GAP * (len(kept) - 1)
    gap = " " * (GAP if width <= WIDTH else 1)
    lines = [gap.join(row).rstrip() for row in zip(*kept, strict=True)]
    return [(line, HEADING if title and i == 0 else "") for i, line in enumerate(lines)]


def _aligned(cells: Sequence[str], side: str) -> list[str]:
    """Pad the cells of one column to the same width."""
    if side == ".":
        heads, tails, units = zip(*(_parts_of(cell) for cell in cells), strict=True)
        units = tuple(_aligned(units, "<"))
        numbers = zip(_aligned(heads, ">"), _aligned(tails, "<"), units, strict=True)
        return [head + tail + unit for head, tail, unit in numbers]
    width = max(map(cell_len, cells))
    return [_padded(cell, width, side) for cell in cells]


def _parts_of(cell: str) -> tuple[str, str, str]:
    """Digits before the decimal point, point and digits after it, unit with its space."""
    amount, space, unit = cell.partition(" ")
    whole, point, fraction = amount.partition(".")
    return whole, point + fraction, space + unit


def _titled(title: str, column: Sequence[str], side: str) -> list[str]:
    """Put a heading above a column that is already aligned."""
    width = max(cell_len(title), *map(cell_len, column))
    side = ">" if side == "." else side
    return [_padded(cell, width, side) for cell in (title, *column)]


def _padded(text: str, width: int, side: str) -> str:
    space = " " * (width - cell_len(text))
    return text + space if side == "<" else space + text


def beside(left: Sequence[Line], right: Sequence[Line]) -> list[Line]:
    """Put two blocks beside each other where both fit, else one below the other."""
    width = max(cell_len(text) for text, _ in left) + 2 * GAP
    if width + max(cell_len(text) for text, _ in right) > WIDTH:
        return [*left, ("", ""), *right]
    longest = max(len(left), len(right))
    lines = []
    for i in range(longest):
        first, style = left[i] if i < len(left) else ("", "")
        second = right[i][0] if i < len(right) else ""
        text = _padded(first, width, "<") + second
        lines.append((text.rstrip(), style or (right[i][1] if i < len(right) else "")))
    return lines


def paragraph(label: str, text: str, *, style: str = "", indent: int = 8) -> list[Line]:
    """Return wrapped text behind a label; without a label, or with a mark of one letter, it starts at the indent."""
    start = " " * INDENT if len(label) < 2 else f"{'':{INDENT}}{label:<{indent}}"
    start += f"{label} " if len(label) == 1 else ""
    wrapped = textwrap.wrap(
        text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )
    return [(line, style) for line in wrapped]
