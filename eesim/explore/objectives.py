"""Objectives and constraints: which metric, which direction, and how far from the limit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.metrics.requirements import RULES
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.requirements import Requirements

IMPOSSIBLE = 1e9
"""Violation of a candidate that has no value for a constrained metric (it cannot run, or nothing answered)."""

OBJECTIVES = {
    "mean_latency": ("latency_ms.mean", 1.0),
    "p50_latency": ("latency_ms.p50", 1.0),
    "p90_latency": ("latency_ms.p90", 1.0),
    "p95_latency": ("latency_ms.p95", 1.0),
    "p99_latency": ("latency_ms.p99", 1.0),
    "worst_latency": ("latency_ms.max", 1.0),
    "energy": ("energy_mj_per_frame.total", 1.0),
    "power": ("power_mw", 1.0),
    "energy_delay": ("energy_delay_mj_ms", 1.0),
    "period": ("period_ms", 1.0),
    "throughput": ("throughput_fps", -1.0),
    "deadline_miss_rate": ("deadline_miss_rate", 1.0),
    "drop_rate": ("drop_rate", 1.0),
    "accuracy": ("accuracy", -1.0),
    "ga_py": ("ga_py", 1.0),
}
"""Metric of each objective, and +1 if less of it is better."""


class Limit(NamedTuple):
    """One constraint."""

    name: str
    metric: str
    limit: float
    is_ceiling: bool

    def violation(self, values: FloatArray) -> FloatArray:
        """Relative excess over the limit, 0 where it is kept; of a limit of 0, the value itself."""
        scale = abs(self.limit) if self.limit else 1.0
        excess = (values - self.limit if self.is_ceiling else self.limit - values) / scale
        return np.where(np.isfinite(values), np.maximum(excess, 0.0), IMPOSSIBLE)


def constraints_of(spec: ExploreSpec, requirements: Requirements) -> Requirements:
    """What a design must keep: the exploration's own constraints, or else the scenario's requirements."""
    return spec.constraints if spec.constraints != Requirements() else requirements


def limits_of(written: Requirements) -> tuple[Limit, ...]:
    """Limits that constraints set; a ``deadline`` alone allows no miss."""
    declared = {name: getattr(written, name) for name in RULES}
    if written.deadline is not None and declared["deadline_miss_rate"] is None:
        declared["deadline_miss_rate"] = 0
    return tuple(
        Limit(name, RULES[name].metric, float(value) / RULES[name].per_unit, RULES[name].is_ceiling)
        for name, value in declared.items()
        if value is not None
    )
