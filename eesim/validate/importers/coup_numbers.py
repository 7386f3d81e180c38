"""Numbers as a log prints them, and how far they may be from what was measured."""

from __future__ import annotations

import math

SIGNIFICANT = 6
"""Digits of a C++ stream by default, trailing zeros left out."""
FIXED = 4
"""Decimals of numbers printed after the top-5 predictions have changed the stream's format."""


class NumberError(ValueError):
    """A number that no time can be."""


def time_of(text: str | None) -> float:
    """Return a time in ms.

    Raises
    ------
    NumberError
        If it is negative, infinite or not a number.
    """
    value = float(text or "nan")
    if not math.isfinite(value) or value < 0:
        raise NumberError(f"{text} is no time")
    return value


def half_unit(text: str | None) -> float:
    """Return half a unit of a printed number's last place: at most so far is it from what was meant.

    Raises
    ------
    NumberError
        If it is no time.
    """
    text = text or "0"
    value = time_of(text)
    if len(text.partition(".")[2]) == FIXED and "e" not in text.lower():
        # Six digits may end here, too, with as many decimals: the unit is the same.
        return 0.5 * 10.0**-FIXED
    return 0.5 * 10.0 ** ((math.floor(math.log10(value)) if value else 0) - SIGNIFICANT + 1)


def adds_up(parts: list[str | None], total: str | None) -> bool:
    """Say whether printed numbers add up to a printed total, as far as rounding lets one tell."""
    slack = sum(map(half_unit, parts)) + half_unit(total) + 1e-9
    return abs(sum(map(time_of, parts)) - time_of(total)) <= slack
