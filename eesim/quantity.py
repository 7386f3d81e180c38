"""Reading one quantity with its unit: the rules that all of them share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from eesim.errors import suggest
from eesim.wording import listing, show

_NUMBER = re.compile(
    r"(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE](?P<exponent>[-+]?[0-9]+))?)"
    r"\s*(?P<unit>(?:[^\s0-9.,_+-].*)?)",
    re.DOTALL,
)
_LONGEST = 80
_LARGEST_EXPONENT = 30
_MANY_UNITS = 8
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
        The largest value, as a user writes it.
    others
        Other spellings of units and what they may mean (more than one: separated by spaces).
    zero
        Whether zero is possible.
    plain
        Whether a number without a unit is one in the base unit.
    guesses
        ``(bound, unit)``: the unit that is probably meant for numbers below the bound, if none is given.
    """

    name: str
    example: str
    units: Mapping[str, Fraction]
    most: str
    others: Mapping[str, str] = field(default_factory=dict)
    zero: bool = True
    plain: bool = False
    guesses: tuple[tuple[float, str], ...] = ()

    def parse(self, value: object) -> Fraction:
        """Return a quantity in the base unit, exactly.

        Raises
        ------
        UnitError
            If ``value`` is not text with a number and a unit, or is out of range.
        """
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise UnitError(f"must be {self.name} such as {self.example}, not {show(value)}")
        text = " ".join(str(value).split())
        found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
        if not found:
            raise UnitError(f"{show(text)} is not {self.name} such as {self.example}")
        number, exponent, unit = found["number"], found["exponent"] or "0", found["unit"]
        size = self._size(number, unit)
        if abs(int(exponent)) > _LARGEST_EXPONENT:
            raise UnitError(f"{text} is out of range")
        exact = Fraction(Decimal(number)) * size
        self._check(exact, text, f"{number} {self._guess(number)}" if not unit else "")
        return exact

    def _guess(self, number: str) -> str:
        """Return the unit that is probably meant: that of the example, if nothing is known."""
        likely = (unit for bound, unit in self.guesses if abs(float(number)) < bound)
        return next(likely, self.example.partition(" ")[2])

    def _known(self) -> str:
        """Return the units, or an example if there are many."""
        return f"as in {self.example}" if len(self.units) > _MANY_UNITS else listing(self.units)

    def _size(self, number: str, unit: str) -> Fraction:
        """Return the size of a unit."""
        size = Fraction(1) if self.plain and not unit else self.units.get(unit.translate(_MICRO))
        if size is not None:
            return size
        if not unit:
            raise UnitError(f"needs a unit: {self._known()}", f"{number} {self._guess(number)}")
        meant = self.others.get(unit) or self.others.get(unit.lower()) or suggest(unit, self.units)
        hint = " or ".join(f"{number} {word}" for word in meant.split())
        raise UnitError(f"unknown unit {show(unit)}: must be {self._known()}", hint)

    def _check(self, exact: Fraction, text: str, hint: str) -> None:
        """Refuse what is out of range."""
        if exact < 0:
            raise UnitError(f"{text} is negative")
        if exact == 0 and not self.zero:
            raise UnitError(f"{text} must be above 0")
        number, _, unit = self.most.partition(" ")
        if exact > Fraction(number.replace(",", "")) * self.units[unit]:
            raise UnitError(f"{text} is above the limit of {self.most}", hint)


def prefixed(unit: str, prefixes: str, base: str = "") -> dict[str, Fraction]:
    """Return the sizes of a unit with SI prefixes (``.`` is none), counted in the prefix ``base``."""
    powers = {"n": -9, "u": -6, "m": -3, ".": 0, "k": 3, "M": 6, "G": 9, "T": 12}
    one = Fraction(10) ** powers[base or "."]
    return {f"{prefix}{unit}".lstrip("."): Fraction(10) ** powers[prefix] / one for prefix in prefixes}


def ratio(over: Mapping[str, Fraction], under: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Return the sizes of ``a/b`` for every unit a of one quantity and b of another."""
    return {f"{a}/{b}": size / under[b] for a, size in over.items() for b in under}
