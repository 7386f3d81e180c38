"""How tight an interval must be, and how many replications that takes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from eesim.errors import InputError, Problem
from eesim.metrics.statistics import Estimate
from eesim.whatif.metrics import unit

SOURCE = "--precision"
PER_UNIT = {
    "ms": {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6},
    "mJ": {"J": 1e3, "mJ": 1.0, "uJ": 1e-3},
    "mW": {"W": 1e3, "mW": 1.0, "uW": 1e-3},
    "fps": {"fps": 1.0},
}
MARGIN = 1.1
"""More replications than the last interval suggests: its half width is an estimate itself."""

MOST_AT_ONCE = 4
"""Replications may grow by this factor at a time: early half widths are poor guides."""


class Precision(NamedTuple):
    """Half width that an interval of a difference may have: a share of A's value, or so much of a unit."""

    amount: float
    unit: str
    """``%`` for relative; empty for shares as plain numbers."""

    def __str__(self) -> str:
        """As it is written: ``1 %``, ``0.1 ms``."""
        return f"{self.amount:g} {self.unit}".strip()

    def half_width(self, metric: str, a: float | None) -> float | None:
        """Half width that is asked of a metric; None where that cannot be said (a relative one, of nothing)."""
        if self.unit == "%":
            return abs(a) * self.amount / 100 if a else None
        return self.amount * PER_UNIT.get(unit(metric), {"": 1.0})[self.unit]


def parse_precision(text: str, metrics: Sequence[str]) -> Precision:
    """Return ``1 %``, ``0.1 ms``, ``5 mJ`` or (for shares) ``0.001`` as a precision of some metrics.

    Raises
    ------
    InputError
        If it is something else, or in a unit that is not that of all the metrics.
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*(%|[A-Za-zµ]*)\s*", text)
    if not found or float(found[1]) <= 0:
        raise InputError([Problem(SOURCE, 0, text, "must be a share of A's value or an amount above 0: 1 %, 0.1 ms")])
    wanted = found[2].replace("µ", "u")
    if wanted != "%":
        problems = [
            Problem(SOURCE, 0, text, f"{metric} is in {unit(metric) or 'shares without a unit'}")
            for metric in metrics
            if wanted not in PER_UNIT.get(unit(metric), {"": 1.0})
        ]
        if problems:
            raise InputError(problems)
    return Precision(float(found[1]), wanted)


def is_reached(difference: Estimate, half_width: float | None) -> bool:
    """Whether an interval is as tight as asked; a difference without a value (or a target) asks for nothing."""
    if difference.value is None or half_width is None:
        return True
    return _half(difference) <= half_width


def replications_for(difference: Estimate, half_width: float | None, now: int) -> int:
    """Replications that are likely to make the interval tight enough: half widths shrink as 1 / sqrt(n)."""
    if is_reached(difference, half_width) or half_width is None:
        return now
    ratio = _half(difference) / half_width if half_width else math.inf
    if not math.isfinite(ratio):
        return MOST_AT_ONCE * now
    return min(max(math.ceil(MARGIN * now * ratio**2), now + 1), MOST_AT_ONCE * now)


def _half(estimate: Estimate) -> float:
    if estimate.ci_low is None or estimate.ci_high is None:
        return math.inf
    return (estimate.ci_high - estimate.ci_low) / 2
