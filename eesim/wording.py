"""How paths, values and choices are named in messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

DataPath: TypeAlias = tuple[str | int, ...]
"""Steps from the root of a document to a value: keys of mappings and indices of lists."""

_LONGEST = 60


def dotted(path: DataPath) -> str:
    """Return a path as a user writes it: ``opps.0.frequency``."""
    return ".".join(step if isinstance(step, str) and step.isprintable() else ascii(step) for step in path)


def clean(text: str) -> str:
    """Return text that fits into a line of a message: control characters escaped, the end cut off."""
    line = text if text.isprintable() else ascii(text)[1:-1]
    return f"{line[: _LONGEST - 3]}..." if len(line) > _LONGEST else line


def show(value: object) -> str:
    """Return a value as a message names it: scalars as they are written, the rest by what they are."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{clean(value)}'"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a value of type {type(value).__name__}"


def listing(words: Iterable[str], last: str = "or") -> str:
    """Return ``a, b or c``."""
    items = list(words)
    return f" {last} ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def count(number: int, noun: str) -> str:
    """Return ``1 item``, ``2 items``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
