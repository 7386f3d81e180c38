"""Numbers and quantities between two ends: in equal steps, in equal ratios, or at a share of the way."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from eesim.oneof import Written
from eesim.wording import show

_QUANTITY = re.compile(r"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?)\s*([^\s0-9.+-].*)?")
_DIGITS = 12
"""Significant digits of values that are computed."""


class Quantity(NamedTuple):
    """A number and its unit, which is empty for a plain number."""

    number: Fraction
    unit: str


def parse_end(value: object) -> Quantity:
    """Return a number, or text with a number and a unit, as a quantity.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(value, Quantity):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Quantity(Fraction(str(value)), "")
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 80 else None
    if found is None or not found[2]:
        raise ValueError(f"must be a number, or a quantity such as 30 Hz, not {show(value)}")
    return Quantity(Fraction(Decimal(found[1])), " ".join(found[2].split()))


End = Annotated[
    Quantity, BeforeValidator(parse_end), Written("a quantity such as 30 Hz", frozenset({"text", "number"}))
]


class Scale:
    """Values between two ends.

    Parameters
    ----------
    low, high
        The ends, in the same unit.
    is_log
        Equal ratios in place of equal steps.
    integer
        Whole numbers only (of the unit).

    Raises
    ------
    ValueError
        If there are no values between these ends.
    """

    def __init__(self, low: Quantity, high: Quantity, *, is_log: bool, integer: bool) -> None:
        if low.unit != high.unit:
            raise ValueError(f"low is in {low.unit or 'no unit'}, high in {high.unit or 'no unit'}")
        if high.number <= low.number:
            raise ValueError("high must be above low")
        if is_log and low.number <= 0:
            raise ValueError("a logarithmic scale begins above 0")
        if integer and math.ceil(low.number) > math.floor(high.number):
            raise ValueError("there is no whole number between low and high")
        self._low, self._high = low.number, high.number
        self._unit = low.unit
        self._is_log = is_log
        self._integer = integer

    def step(self, index: int, steps: int) -> Any:
        """Value ``index`` of ``steps``, both ends included."""
        if index in (0, steps - 1):
            return self._written(self._high if index else self._low)
        return self._at(Fraction(index, steps - 1))

    def share(self, share: float) -> Any:
        """Value at a share of the way, 0 to 1; whole numbers have equal shares."""
        if self._integer and not self._is_log:
            first, last = math.ceil(self._low), math.floor(self._high)
            return self._written(Fraction(min(first + int(share * (last - first + 1)), last)))
        return self._at(Fraction(share))

    def _at(self, share: Fraction) -> Any:
        if self._is_log:
            low, high = math.log(self._low), math.log(self._high)
            return self._written(Fraction(math.exp(low + float(share) * (high - low))))
        return self._written(self._low + share * (self._high - self._low))

    def _written(self, number: Fraction) -> Any:
        """As a user would write it: whole numbers without a point, quantities as text."""
        if self._integer:
            number = Fraction(min(max(round(number), math.ceil(self._low)), math.floor(self._high)))
        rounded = float(f"{float(number):.{_DIGITS}g}")
        plain = int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded
        return f"{plain} {self._unit}" if self._unit else plain
