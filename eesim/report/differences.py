"""Differences in words and numbers: ``B's p99 latency is 1.20 ms [1.04, 1.36] higher``."""

from __future__ import annotations

from eesim.metrics.statistics import Estimate
from eesim.report.numbers import MISSING, decimals, with_unit
from eesim.whatif.comparison import MetricDifference
from eesim.whatif.metrics import unit, words

LEAST_PERCENT = 0.01
"""Relative differences below are not worth their digits."""

POINTS = "points"
"""Unit of a difference of two shares in percent."""


def scale_of(metric: str) -> float:
    """Factor from a metric to what is shown: shares are shown in percent."""
    return 1.0 if unit(metric) else 100.0


def value_text(metric: str, value: float | None) -> str:
    """Return a value with its unit: ``16.35 ms``, ``28.5 %``."""
    return with_unit(None if value is None else value * scale_of(metric), unit(metric) or "%")


def _places(estimate: Estimate, scale: float) -> int:
    """Decimals that a value deserves beside its interval."""
    value, low, high = estimate
    places = decimals((value or 0.0) * scale, 4)
    if low is not None and high is not None and high > low:
        # Rounded first: 0.99999 has the decimals of 1.
        least = decimals(float(f"{(high - low) / 2 * scale:.6g}"), 2)
        places = min(places, least) if value else least
    return places


def difference_text(metric: str, difference: Estimate) -> str:
    """Return a difference with its sign: ``+1.063 ms``, ``-0.24 points``; ``0 ms`` for none."""
    if difference.value is None:
        return MISSING
    scale, name = scale_of(metric), unit(metric) or POINTS
    if difference.value == 0:
        return f"0 {name}"
    return f"{difference.value * scale:+,.{_places(difference, scale)}f} {name}"


def interval_text(metric: str, difference: Estimate) -> str:
    """Return an interval as ``[1.04, 1.36]``, as ``± <0.01`` where its ends look the same.

    ``exactly`` where it has no width, empty where there is none.
    """
    if difference.ci_low is None or difference.ci_high is None:
        return ""
    if difference.ci_low == difference.ci_high:
        return "exactly"
    scale = scale_of(metric)
    places = _places(difference, scale)
    low, high = (f"{end * scale:,.{places}f}" for end in (difference.ci_low, difference.ci_high))
    return f"[{low}, {high}]" if low != high else f"± <{10**-places:.{places}f}"


def relative_text(found: MetricDifference) -> str:
    """Return a difference in percent of A's value: ``+6.5 %``."""
    a, value = found.paired.a.value, found.paired.difference.value
    if not a or not value:
        return ""
    percent = 100 * value / abs(a)
    if abs(percent) >= 1000:
        return f"{percent:+,.0f} %"
    return f"{percent:+.3g} %" if abs(percent) >= LEAST_PERCENT else f"<{LEAST_PERCENT:g} %"


def judgement(found: MetricDifference) -> str:
    """Return ``higher``, ``lower``, ``none visible``, ``none``, or ``?`` where nothing can be said."""
    value = found.paired.difference.value
    if value is None or found.significant is None:
        return "?"
    if value == 0 and found.paired.p_value == 1:
        return "none"
    return "none visible" if not found.significant else "higher" if value > 0 else "lower"


def sentence(found: MetricDifference, name: str) -> str:
    """Say one difference plainly; ``name`` is the variant's."""
    said, metric = judgement(found), words(found.metric)
    if said == "?":
        return f"{name}'s {metric} cannot be compared"
    if said == "none":
        return f"{name}'s {metric} is the same"
    difference, scale = found.paired.difference, scale_of(found.metric)
    interval = interval_text(found.metric, difference)
    if said == "none visible":
        return f"no difference of {metric} is visible ({difference_text(found.metric, difference)} {interval})"
    low, high = difference.ci_low, difference.ci_high
    sign = -1 if said == "lower" else 1
    size = Estimate(abs(difference.value or 0.0), *sorted((sign * (low or 0.0), sign * (high or 0.0))))
    amount = f"{(size.value or 0.0) * scale:,.{_places(difference, scale)}f}"
    around = "" if low == high else f" {interval_text(found.metric, size)}"
    relative = relative_text(found)
    text = f"{name}'s {metric} is {amount} {unit(found.metric) or POINTS}{around} {said}"
    return f"{text} ({relative})" if relative else text
