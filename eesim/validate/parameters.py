"""The terms of a board's runtimes as a vector: names, units, values, and boards with other values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from eesim.hardware.runtime import CyclesPerByteTerm, CyclesTerm, PerByteTerm, RatioTerm, Runtimes, TimeTerm
from eesim.hardware.spec import Board

Path = tuple[str | int, ...]

UNITS: dict[type[BaseModel], tuple[str, float]] = {
    TimeTerm: ("ms", 1e6),
    RatioTerm: ("", 1.0),
    CyclesTerm: ("Mcycles", 1e6),
    PerByteTerm: ("ms/MB", 1.0),
    CyclesPerByteTerm: ("Mcycles/MB", 1.0),
}
"""Unit in which each kind of term is written, and its size in the model's own unit (ns, cycles, ns/B, cycles/B)."""


NEGLIGIBLE = 1e-4
"""What the fit leaves of a term that it has driven to 0, in any of the units."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named term.

    Attributes
    ----------
    path
        Where it stands in the board's ``runtimes``.
    unit
        Of ``value``, as text; empty for a ratio.
    value
        In that unit.
    """

    path: Path
    unit: str
    value: float

    @property
    def name(self) -> str:
        """Dotted path."""
        return ".".join(map(str, self.path))

    def written(self, value: float) -> Any:
        """A value as a board file writes it: four significant digits are finer than any interval."""
        value = 0.0 if value < NEGLIGIBLE else value
        return f"{value:.4g} {self.unit}" if self.unit else float(f"{value:.4g}")


def parameters(board: Board) -> list[Parameter]:
    """Every term of a board's runtimes, in the order of the file."""
    return list(_walk(board.runtimes, ()))


def _walk(item: Any, path: Path) -> Iterator[Parameter]:
    if type(item) in UNITS:
        unit, size = UNITS[type(item)]
        yield Parameter(path, unit, float(item.value) / size)
    elif isinstance(item, BaseModel):
        for name in type(item).model_fields:
            if name in item.model_fields_set:
                yield from _walk(getattr(item, name), (*path, name))
    elif isinstance(item, Mapping):
        for name, part in item.items():
            yield from _walk(part, (*path, name))
    elif isinstance(item, tuple):
        for i, part in enumerate(item):
            yield from _walk(part, (*path, i))


def with_values(board: Board, values: Mapping[Path, float]) -> Board:
    """A board with other values of some terms, in the units of `Parameter`; nothing is rounded."""
    runtimes: Runtimes = board.runtimes
    for path, value in values.items():
        runtimes = _replaced(runtimes, path, value)
    return board.model_copy(update={"runtimes": runtimes})


def _replaced(item: Any, path: Path, value: float) -> Any:
    if not path:
        _, size = UNITS[type(item)]
        return item.model_copy(update={"value": value * size})
    step, rest = path[0], path[1:]
    if isinstance(item, BaseModel):
        return item.model_copy(update={str(step): _replaced(getattr(item, str(step)), rest, value)})
    if isinstance(item, tuple):
        return tuple(_replaced(part, rest, value) if i == step else part for i, part in enumerate(item))
    return {key: _replaced(part, rest, value) if key == step else part for key, part in item.items()}
