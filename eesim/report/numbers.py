"""Numbers as people read them: three or four digits that mean something, and the interval beside them."""

from __future__ import annotations

import math

from eesim.metrics.statistics import Estimate

MISSING = "n/a"

MAX_DECIMALS = 6
"""Decimals beyond which nobody looks."""


def decimals(value: float, significant: int) -> int:
    """Decimals that show ``significant`` digits of a value; at least none, at most `MAX_DECIMALS`."""
    if value == 0 or not math.isfinite(value):
        return 0
    return min(max(significant - 1 - math.floor(math.log10(abs(value))), 0), MAX_DECIMALS)


def number(value: float | None, significant: int = 4) -> str:
    """Return a value with so many digits: ``16.35``, ``0.2229``, ``1,650``; ``n/a`` for None and NaN."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.{decimals(value, significant)}f}"


def with_unit(value: float | None, unit: str, significant: int = 4) -> str:
    """Return a value and its unit (``16.35 ms``); ``n/a`` for None and NaN."""
    text = number(value, significant)
    return text if text == MISSING else f"{text} {unit}"


def percent(share: float | None, significant: int = 3) -> str:
    """Return a share from 0 to 1 in percent: ``82.2 %``."""
    return with_unit(None if share is None else 100 * share, "%", significant)


def limit(value: float, unit: str) -> str:
    """Return a limit as it was written, without zeros at the end: ``40 ms``, ``29.9 fps``, ``1 %``."""
    return f"{100 * value:.6g} %" if unit == "" else f"{value:.6g} {unit}"


def measured(estimate: Estimate, unit: str, *, scale: float = 1, significant: int = 4) -> list[str]:
    """Return a value with its unit, and its interval's half width: ``["16.4 ms", "± 2.1"]``.

    Digits that the interval makes meaningless are not shown. The second text is empty if there is no interval,
    ``± <0.01`` if it is narrower than the last digit.
    """
    value, low, high = estimate
    if value is None or low is None or high is None:
        return [with_unit(None if value is None else value * scale, unit, significant), ""]
    value, half = value * scale, (high - low) / 2 * scale
    places = decimals(value, significant) if value else decimals(half, 2)
    if half:
        places = min(places, decimals(half, 2))
    text = f"{value:,.{places}f} {unit}"
    if half == 0:
        return [text, "± 0"]
    return [text, f"± {half:,.{places}f}" if half >= 0.5 * 10**-places else f"± <{10**-places:.{places}f}"]


def duration(ns: float) -> str:
    """Return a time as people write it, without zeros at the end: ``33.33 ms``, ``2 ms``, ``12,000 s``."""
    for unit, size in (("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)):
        if abs(ns) < 1000 * size or unit == "s":
            break
    value = ns / size
    return f"{value:.4g} {unit}" if abs(value) < 9999.5 else f"{value:,.0f} {unit}"
