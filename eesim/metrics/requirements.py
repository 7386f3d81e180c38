"""Judge the requirements that a scenario declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from eesim.metrics.statistics import Estimate
from eesim.scenario.requirements import Requirements

NS_PER_MS = 1e6


class Rule(NamedTuple):
    """How a requirement is judged: which metric, in which unit, and whether it is a ceiling or a floor."""

    metric: str
    unit: str
    per_unit: float
    is_ceiling: bool = True


RULES = {
    "mean_latency": Rule("latency_ms.mean", "ms", NS_PER_MS),
    "p50_latency": Rule("latency_ms.p50", "ms", NS_PER_MS),
    "p90_latency": Rule("latency_ms.p90", "ms", NS_PER_MS),
    "p95_latency": Rule("latency_ms.p95", "ms", NS_PER_MS),
    "p99_latency": Rule("latency_ms.p99", "ms", NS_PER_MS),
    "max_latency": Rule("latency_ms.max", "ms", NS_PER_MS),
    "worst_latency": Rule("latency_ms.max", "ms", NS_PER_MS),
    "deadline_miss_rate": Rule("deadline_miss_rate", "", 1),
    "drop_rate": Rule("drop_rate", "", 1),
    "throughput": Rule("throughput_fps", "fps", 1, is_ceiling=False),
    "period": Rule("period_ms", "ms", NS_PER_MS),
    "energy": Rule("energy_mj_per_frame.total", "mJ", 1e6),
    "power": Rule("power_mw", "mW", 1e3),
    "accuracy": Rule("accuracy", "", 1, is_ceiling=False),
}


class Verdict(NamedTuple):
    """One requirement, judged on the point estimate.

    ``sure`` says whether the whole interval lies on the same side of the limit; None if there is no interval.
    ``stream`` is the stream that it is a requirement of; empty for all together.
    """

    name: str
    metric: str
    limit: float
    value: float | None
    unit: str
    is_ceiling: bool
    met: bool
    sure: bool | None
    stream: str = ""

    @property
    def margin(self) -> float | None:
        """Distance to the limit, positive if the requirement is met."""
        if self.value is None:
            return None
        return self.limit - self.value if self.is_ceiling else self.value - self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {**self._asdict(), "margin": self.margin}


def judge(
    requirements: Requirements, estimates: Mapping[str, Estimate], prefix: str = "", stream: str = ""
) -> tuple[Verdict, ...]:
    """Judge every declared requirement. A ``deadline`` without ``deadline_miss_rate`` allows no miss.

    Parameters
    ----------
    requirements
        What is declared.
    estimates
        What was found, by flat name.
    prefix
        What stands before the names of the metrics that count.
    stream
        Name of the stream whose requirements they are.
    """
    declared = {name: getattr(requirements, name) for name in RULES}
    if requirements.deadline is not None and declared["deadline_miss_rate"] is None:
        declared["deadline_miss_rate"] = 0
    return tuple(
        _judge(name, rule, float(value) / rule.per_unit, estimates[rule.metric])._replace(stream=stream)
        for name, value in declared.items()
        if value is not None
        for rule in [RULES[name]._replace(metric=prefix + RULES[name].metric)]
    )


def _judge(name: str, rule: Rule, limit: float, estimate: Estimate) -> Verdict:
    def holds(value: float) -> bool:
        return value <= limit if rule.is_ceiling else value >= limit

    if estimate.value is None:
        # Nothing answered, or too few frames to tell: a requirement that cannot be shown is not met.
        return Verdict(name, rule.metric, limit, None, rule.unit, rule.is_ceiling, False, None)
    sure = None
    if estimate.ci_low is not None and estimate.ci_high is not None:
        sure = holds(estimate.ci_low) == holds(estimate.ci_high)
    met = holds(estimate.value)
    return Verdict(name, rule.metric, limit, estimate.value, rule.unit, rule.is_ceiling, met, sure)
