"""Columns of the store and of the table: which metrics there are, in which order, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable

FIXED = (
    "latency_ms.mean", "latency_ms.p50", "latency_ms.p90", "latency_ms.p95", "latency_ms.p99", "latency_ms.max",
    "parts_ms.queueing", "parts_ms.service", "parts_ms.transfer", "parts_ms.contention",
    "throughput_fps", "period_ms", "deadline_miss_rate", "drop_rate", "accuracy",
    "power_mw", "energy_delay_mj_ms",
    "energy_mj_per_frame.total", "energy_mj_per_frame.base", "energy_mj_per_frame.idle", "energy_mj_per_frame.compute",
    "energy_mj_per_frame.host", "energy_mj_per_frame.transfer",
)  # fmt: skip
"""Metrics that every point has."""

OF_EXITS = ("exit_share", "exit_latency_ms", "exit_p99_ms")
OF_RESOURCES = ("utilisation", "wasted_ms_per_frame", "blocked_share")
"""Metrics of each exit that can answer, and of each PE and link."""

LOW, HIGH = ".ci_low", ".ci_high"
"""Endings of the columns of a metric's interval."""

FACTS = ("status", "reason", "requirements_met", "notes", "frames", "replications", "seed", "measured_frames",
         "warmup_frames")  # fmt: skip
"""What is known of every point beside its metrics."""

HIGHER_IS_BETTER = ("throughput_fps", "accuracy")


def metric_names(exits: Iterable[str], resources: Iterable[str]) -> list[str]:
    """Names of all metrics of a point."""
    exits, resources = list(exits), list(resources)
    return [
        *FIXED,
        *(f"{group}.{name}" for name in exits for group in OF_EXITS),
        *(f"{group}.{name}" for name in resources for group in OF_RESOURCES),
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics of several points in one order: those that all have, then those of exits and of resources by name."""
    rank = {name: i for i, name in enumerate((*FIXED, *OF_EXITS, *OF_RESOURCES))}

    def place(name: str) -> tuple[int, str]:
        return (rank[name], "") if name in rank else (rank.get(name.partition(".")[0], len(rank)), name)

    return sorted(set(names), key=place)
