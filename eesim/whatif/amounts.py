"""Numbers as they stand in files, with or without a unit: scaled, and drawn from between two of them."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from eesim.wording import show

_TEXT = re.compile(r"\s*([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*([^\s0-9.,_+-]\S*)?\s*")
_DIGITS = 6
"""Significant digits of a number that is drawn."""

_RELATIVE = re.compile(r"\s*(?:±|\+-|\+/-)\s*([0-9]*\.?[0-9]+)\s*%\s*")
_WIDEST = 100


class Amount(NamedTuple):
    """A number and how it is written."""

    number: Decimal
    unit: str
    """Empty for none."""
    whole: bool
    """A plain whole number; stays one."""
    is_text: bool

    def written(self) -> str | int | float:
        """Return it as YAML has it: ``8.09 ms``, ``5``, ``1.083``."""
        if self.is_text:
            return f"{self.number.normalize():f} {self.unit}".strip()
        return int(self.number) if self.whole else float(self.number)

    def times(self, factor: Fraction) -> Amount:
        """Return it scaled, exactly; a whole number moves by at least one."""
        scaled = Fraction(self.number) * factor
        if not self.whole:
            return self._replace(number=_decimal(scaled))
        moved = round(scaled)
        if moved == self.number and factor != 1 and self.number:
            moved += 1 if factor > 1 else -1
        return self._replace(number=Decimal(moved))


def amount(value: Any) -> Amount | None:
    """Return a scalar of a file as an amount; None if it is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Amount(Decimal(value), "", True, False)
    if isinstance(value, float):
        return Amount(Decimal(str(value)), "", False, False)
    found = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    return Amount(Decimal(found[1]), found[2] or "", False, True)


def _decimal(value: Fraction | float) -> Decimal:
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / Decimal(value.denominator)
    return Decimal(f"{value:.{_DIGITS}g}")


def between(low: Amount, high: Amount, share: float) -> Amount:
    """Return the amount at a share of the way from ``low`` (0) to ``high`` (1), rounded if both are whole."""
    number = float(low.number) + share * float(high.number - low.number)
    if low.whole and high.whole:
        return low._replace(number=Decimal(round(number)))
    return high._replace(number=_decimal(number))


def parse_range(written: Any) -> Fraction | tuple[Amount, Amount]:
    """Return ``±10 %`` as a fraction, ``0.4 ms..1.4 ms`` (or ``0.4..1.4 ms``, or its two ends) as amounts.

    Raises
    ------
    ValueError
        With what is wrong, if it is neither.
    """
    if isinstance(written, tuple):
        ends = [amount(end) for end in written]
    else:
        relative = _RELATIVE.fullmatch(written)
        if relative:
            share = Fraction(relative[1]) / 100
            if not 0 < share <= _WIDEST:
                raise ValueError(f"{written} must be above 0 % and at most {100 * _WIDEST:,} %")
            return share
        low, dots, high = written.partition("..")
        if not dots:
            raise ValueError(f"{show(written)} is not a range such as 1.0..1.6, '0.4 ms..1.4 ms' or ±10 %")
        ends = [_end(low), _end(high)]
    if ends[0] is None or ends[1] is None:
        raise ValueError("both ends of the range must be numbers, with their units")
    first, last = ends[0], ends[1]
    if not first.unit and last.unit:
        first = first._replace(unit=last.unit, is_text=True, whole=False)
    if first.unit != last.unit:
        raise ValueError(
            f"both ends of the range must have the same unit, not {show(first.unit)} and {show(last.unit)}"
        )
    if first.number >= last.number:
        raise ValueError(f"the low end {first.written()} must be below the high end {last.written()}")
    return first, last


def _end(text: str) -> Amount | None:
    """Return one end of a range; without a unit it is a plain number."""
    found = amount(text)
    return found if found is None or found.unit else found._replace(is_text=False)


def as_counted(found: Amount, example: Any) -> Amount:
    """Return an amount as a whole number if it stands where one does (``example``: the value that is there)."""
    integral = found.number == found.number.to_integral_value()
    counts = isinstance(example, int) or (isinstance(example, str) and integral)
    return found._replace(whole=counts and not found.is_text)
