"""Columns of the store and of the table: which metrics there are, in which order, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable

from eesim.metrics.replication import batching_of, features_of, levels_of, losses_of
from eesim.plan.lower import Lowered

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

OF_PLATFORM = ("power_mw", "energy_delay_mj_ms", "energy_mj_per_frame.")
"""Metrics that no single stream has (beginnings of names)."""

HIGHER_IS_BETTER = ("throughput_fps", "accuracy")


def metrics_of(lowered: Lowered) -> list[str]:
    """Names of all metrics that a run of this plan has, those of each of several streams included."""
    plan, labels = lowered.plan, lowered.labels
    found = [*metric_names(labels.exits, labels.resources, plan.n_levels), *_of_policy(lowered)]
    for number, stream in enumerate(labels.streams):
        begin, end = int(plan.stream_exit[number]), int(plan.stream_exit[number + 1])
        exits = [name.removeprefix(f"{stream}/") for name in labels.exits[begin:end]]
        own = metric_names(exits, (), levels_of(plan, number))
        own = [name for name in own if not name.startswith(OF_PLATFORM)]
        own += ["active_energy_mj_per_frame", *(f"utilisation.{name}" for name in labels.resources)]
        found += [f"stream.{stream}.{name}" for name in (*own, *_of_policy(lowered, number))]
    return found


def _of_policy(lowered: Lowered, number: int | None = None) -> list[str]:
    """Metrics that only some policies have: why frames are dropped, and what answers rest on."""
    shares = {"reuse": ["reuse_share", "stale_share"], "budget": ["forced_share"]}
    found = [f"drop_rate_by.{loss.name}" for loss in losses_of(lowered.plan, lowered.labels, number)]
    if number is None:
        found += [f"batch_size.{name}" for name in batching_of(lowered.plan, lowered.labels)]
    return found + [name for feature in features_of(lowered.plan, number) for name in shares[feature]]


def metric_names(exits: Iterable[str], resources: Iterable[str], levels: int = 0) -> list[str]:
    """Names of all metrics of a point of one stream, which may have levels above level 0."""
    exits, resources = list(exits), list(resources)
    return [
        *FIXED,
        *(f"level_share.{level}" for level in range(levels + 1 if levels else 0)),
        *(f"{group}.{name}" for name in exits for group in OF_EXITS),
        *(f"{group}.{name}" for name in resources for group in OF_RESOURCES),
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics of several points in one order: those that all have, then those of exits and of resources by name."""
    rank = {name: i for i, name in enumerate((*FIXED, *OF_EXITS, *OF_RESOURCES))}

    def place(name: str) -> tuple[int, str]:
        return (rank[name], "") if name in rank else (rank.get(name.partition(".")[0], len(rank)), name)

    return sorted(set(names), key=place)
