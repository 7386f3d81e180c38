"""Designs: sequences of points, each a few values with their paths. Points are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol

from eesim.wording import DataPath

TRIES = 16
"""Points with one value that are looked at to find out whether it can be right."""

MAX_LEVELS = 1000
"""Values per axis that are looked at beforehand, the ends among them."""


class Setting(NamedTuple):
    """One value of a point, and where it stands in the study."""

    path: str
    value: Any
    where: DataPath


class Level(NamedTuple):
    """A value of an axis, and some of the points that have it."""

    axis: DataPath
    setting: Setting
    points: tuple[int, ...]


class Node(Protocol):
    """A design, or a part of one.

    Attributes
    ----------
    paths
        What it sets, in order.
    size
        Number of points.
    where
        Where it stands in the study.
    """

    paths: tuple[str, ...]
    size: int
    where: DataPath

    def at(self, index: int) -> tuple[Setting, ...]:
        """Settings of a point."""
        ...

    def levels(self) -> Iterator[Level]:
        """Values of each axis (of long ones, some), for a look at them beforehand."""
        ...


def spread(size: int, most: int) -> list[int]:
    """Up to ``most`` indices below ``size``, ascending, both ends among them."""
    if size <= most:
        return list(range(size))
    return sorted({round(i * (size - 1) / (most - 1)) for i in range(most)})


class Axis:
    """Values of one path."""

    def __init__(self, path: str, values: Sequence[Any], where: DataPath, value_paths: Sequence[DataPath]) -> None:
        self.paths: tuple[str, ...] = (path,)
        self.size = len(values)
        self.where = where
        self._settings = [Setting(path, value, at) for value, at in zip(values, value_paths, strict=True)]

    def at(self, index: int) -> tuple[Setting, ...]:
        """Settings of a point."""
        return (self._settings[index],)

    def levels(self) -> Iterator[Level]:
        """Each value."""
        for i in spread(self.size, MAX_LEVELS):
            yield Level(self.where, self._settings[i], (i,))


class Points:
    """Points that are written out, or drawn beforehand: rows of settings."""

    def __init__(self, rows: Sequence[tuple[Setting, ...]], where: DataPath, *, drawn: bool = False) -> None:
        self.paths = tuple(dict.fromkeys(setting.path for row in rows for setting in row))
        self.size = len(rows)
        self.where = where
        self._rows = rows
        self._drawn = drawn

    def at(self, index: int) -> tuple[Setting, ...]:
        """Settings of a point."""
        return self._rows[index]

    def levels(self) -> Iterator[Level]:
        """Each setting of each point that is written out; of drawn ones, the ends of each axis."""
        if not self._drawn:
            for i in spread(self.size, MAX_LEVELS):
                for setting in self._rows[i]:
                    yield Level((*self.where, "points", i), setting, (i,))
            return
        for column, path in enumerate(self.paths):
            by_value = sorted(range(self.size), key=lambda i: _order(self._rows[i][column].value))
            for i in dict.fromkeys([by_value[0], by_value[-1]]):
                yield Level((*self.where, "axes", path), self._rows[i][column], (i,))


def _order(value: Any) -> tuple[float, str]:
    """Order of values of one axis: by number where there is one."""
    number = str(value).split(" ")[0]
    try:
        return float(number), ""
    except ValueError:
        return 0.0, repr(value)


class ProductNode:
    """Every combination; the last part varies fastest."""

    def __init__(self, parts: Sequence[Node], where: DataPath) -> None:
        self.paths = tuple(path for part in parts for path in part.paths)
        self.size = prod(part.size for part in parts)
        self.where = where
        self._parts = parts

    def at(self, index: int) -> tuple[Setting, ...]:
        """Settings of a point."""
        found: tuple[Setting, ...] = ()
        for part in reversed(self._parts):
            index, own = divmod(index, part.size)
            found = part.at(own) + found
        return found

    def levels(self) -> Iterator[Level]:
        """Values of each part, in combination with several of the others'."""
        for which, part in enumerate(self._parts):
            for level in part.levels():
                tried = (self._combined(which, level.points, step) for step in range(TRIES))
                yield level._replace(points=tuple(dict.fromkeys(tried)))

    def _combined(self, which: int, own: Sequence[int], step: int) -> int:
        """Index of a point that has one of ``own`` of one part, and of the others a value that depends on the step."""
        index = 0
        for number, part in enumerate(self._parts):
            # The first step takes every first value, the second every last; the rest are scattered.
            far = 0 if step == 0 else part.size - 1 if step == 1 else step * 7919 + number * 104729
            index = index * part.size + (own[step % len(own)] if number == which else far % part.size)
        return index


class ZipNode:
    """Parts side by side; all have the same number of points."""

    def __init__(self, parts: Sequence[Node], where: DataPath) -> None:
        self.paths = tuple(path for part in parts for path in part.paths)
        self.size = min(part.size for part in parts)
        self.where = where
        self._parts = parts

    def at(self, index: int) -> tuple[Setting, ...]:
        """Settings of a point."""
        return tuple(setting for part in self._parts for setting in part.at(index))

    def levels(self) -> Iterator[Level]:
        """Values of each part."""
        for part in self._parts:
            for level in part.levels():
                yield level._replace(points=tuple(i for i in level.points if i < self.size) or (0,))


class UnionNode:
    """Parts one after the other."""

    def __init__(self, parts: Sequence[Node], where: DataPath) -> None:
        self.paths = tuple(dict.fromkeys(path for part in parts for path in part.paths))
        self.size = sum(part.size for part in parts)
        self.where = where
        self._parts = parts

    def at(self, index: int) -> tuple[Setting, ...]:
        """Settings of a point."""
        for part in self._parts:
            if index < part.size:
                return part.at(index)
            index -= part.size
        raise IndexError(index)

    def levels(self) -> Iterator[Level]:
        """Values of each part."""
        first = 0
        for part in self._parts:
            for level in part.levels():
                yield level._replace(points=tuple(first + i for i in level.points))
            first += part.size
