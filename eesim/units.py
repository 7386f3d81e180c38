"""Quantities with units, as users write them, to exact numbers.

``"8.09 ms"`` becomes 8,090,000 (ns). Numbers are read as decimals and converted exactly; what must be a whole
number in the end is rounded once, half to even. A number without a unit is refused, whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from eesim.errors import suggest
from eesim.oneof import Written
from eesim.wording import clean, show

_NUMBER = re.compile(r"(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(?P<unit>.*)", re.S)
_LONGEST = 80
_LARGEST_EXPONENT = 30
_MICRO = str.maketrans("µμ", "uu")


class UnitError(ValueError):
    """A quantity cannot be read.

    Parameters
    ----------
    message
        What is wrong.
    hint
        What was probably meant.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Dimension:
    """A physical quantity: its units, and which values are possible.

    Attributes
    ----------
    name
        The quantity with its article, for messages.
    example
        A typical value.
    units
        Size of each unit in the base unit.
    most
        Largest value, as a user writes it.
    others
        Other spellings, as suggestions.
    zero
        Whether zero is possible.
    plain
        Whether a number without unit is meant to be in the base unit.
    """

    name: str
    example: str
    units: Mapping[str, Fraction]
    most: str
    others: Mapping[str, str] = field(default_factory=dict)
    zero: bool = True
    plain: bool = False

    def parse(self, value: object) -> Fraction:
        """Return the quantity in the base unit, exactly.

        Raises
        ------
        UnitError
            If ``value`` is not text with a number and one of the units, or is out of range.
        """
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UnitError(f"must be {self.name} such as {self.example}, not {show(value)}")
        text = str(value).strip()
        found = _NUMBER.fullmatch(text)
        if not found or len(text) > _LONGEST:
            raise UnitError(f"{show(text)} is not {self.name} such as {self.example}")
        number, unit = found["number"], found["unit"]
        size = self._size(number, unit)
        exact = Decimal(number) if len(number.lower().partition("e")[2]) < 5 else Decimal("Infinity")
        if exact and not -_LARGEST_EXPONENT <= exact.adjusted() <= _LARGEST_EXPONENT or exact.is_infinite():
            raise UnitError(f"{clean(text)} is out of range")
        return self._checked(Fraction(exact) * size, text)

    def _size(self, number: str, unit: str) -> Fraction:
        """Return the size of a unit."""
        if not unit:
            if self.plain:
                return Fraction(1)
            raise UnitError(f"needs a unit: {self._known()}", f"{number} {self.example.split(' ', 1)[-1]}")
        size = self.units.get(unit.translate(_MICRO))
        if size is None:
            meant = self.others.get(unit) or self.others.get(unit.lower()) or suggest(unit, self.units)
            hints = " or ".join(f"{number} {word}" for word in meant.split())
            raise UnitError(f"unknown unit {show(unit)}: use {self._known()}", hints)
        return size

    def _known(self) -> str:
        """Return the units, or some of them if there are many."""
        names = list(self.units)
        return ", ".join(names) if len(names) <= 8 else f"such as in {self.example}"

    def _checked(self, exact: Fraction, text: str) -> Fraction:
        """Return a quantity that is in range."""
        if exact < 0:
            raise UnitError(f"{clean(text)} is negative")
        if exact == 0 and not self.zero:
            raise UnitError(f"{clean(text)} is impossible: must be above 0")
        number, _, unit = self.most.partition(" ")
        if exact > Fraction(number.replace(",", "")) * self.units.get(unit, Fraction(1)):
            raise UnitError(f"{clean(text)} is above the limit of {self.most}")
        return exact


def _powers(base: str, prefixes: str) -> dict[str, Fraction]:
    """Return a unit with SI prefixes (``.`` for none)."""
    power = {"n": -9, "u": -6, "m": -3, ".": 0, "k": 3, "M": 6, "G": 9, "T": 12}
    return {f"{prefix}{base}".lstrip("."): Fraction(10) ** power[prefix] for prefix in prefixes}


def _scaled(units: Mapping[str, Fraction], factor: int) -> dict[str, Fraction]:
    return {name: size * factor for name, size in units.items()}


def _ratio(
    over: Mapping[str, Fraction], under: Mapping[str, Fraction], leave_out: Iterable[str] = ()
) -> dict[str, Fraction]:
    return {f"{a}/{b}": over[a] / under[b] for a in over for b in under if a not in leave_out}
