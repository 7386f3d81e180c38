"""Elements of SVG as escaped text, scales and ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


def plain(value: float) -> str:
    """Return a coordinate with at most two decimals, the same on every machine."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def tag(name: str, *inside: str, **attributes: object) -> Markup:
    """Return an element; text inside and attributes are escaped, `Markup` inside is not.

    Attributes that are None are left out; ``_`` in their names stands for ``-``, one at the end is dropped.
    """
    written = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(plain(value) if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    body = "".join(str(escape(part)) for part in inside)
    return Markup(f"<{name}{''.join(written)}>{body}</{name}>")


def joined(parts: Sequence[Markup]) -> Markup:
    """Return elements one after the other."""
    return Markup("").join(parts)


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return the ``d`` of a line through points."""
    return "M" + "L".join(f"{plain(x)} {plain(y)}" for x, y in points)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to coordinates; linear, or logarithmic (values must then be positive)."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        at = math.log(value) if self.log else value
        return self.begin + (at - low) / (high - low) * (self.end - self.begin)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values within the scale, at most about so many."""
        return log_ticks(self.low, self.high, most) if self.log else ticks(self.low, self.high, most)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten between two values."""
    if not high > low:
        return [low]
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= 0.75 * raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Division by a whole number where the step is below 1: 3 / 10, not 3 * 0.1.
    inverse = round(1 / step) if step < 1 else 0
    # Where values are so close that floats cannot tell them apart, some are the same.
    return list(dict.fromkeys(i / inverse if inverse else i * step for i in range(first, last + 1)))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values between two positive ones, as many of each decade as there is room for."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [digit * 10.0**e for e in decades for digit in digits if low <= digit * 10.0**e <= high]
        if len(found) <= most:
            break
    if len(found) > most:
        return found[:: -(-len(found) // most)]
    return found if len(found) > 1 else sorted({low, high})


def tick_label(value: float) -> str:
    """Return a tick's value in plain digits: ``1,500``, ``0.25``."""
    return f"{value:,.6g}" if abs(value) < 1e6 or not value else f"{value:.4g}"


def widened(low: float, high: float, share: float = 0.05) -> tuple[float, float]:
    """Return a range with some air at both ends; one value alone gets some around it."""
    if high > low:
        return low - share * (high - low), high + share * (high - low)
    around = abs(low) * share or 1.0
    return low - around, high + around
