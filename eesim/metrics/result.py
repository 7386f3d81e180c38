"""The result of a run: estimates with intervals over replications, bounds beside them, requirements judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.metrics.bounds import Bounds
from eesim.metrics.observe import FRAME, PARTS
from eesim.metrics.replication import NS_PER_MS, QUANTILES, Replication, batching_of, losses_of
from eesim.metrics.requirements import Verdict
from eesim.metrics.statistics import Estimate, t_intervals, worst_of
from eesim.plan.lower import Lowered
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import Superposed

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Result:
    """What a simulation of one scenario says.

    Attributes
    ----------
    scenario, lowered
        What was simulated.
    engine, seed
        How.
    replications
        Metrics of each replication.
    estimates
        Flat metric name to estimate over the replications.
    bounds
        Analytical bounds.
    verdicts
        Each requirement, judged.
    notes
        What the reader should know.
    records
        Frame records of each replication, (F, 12), if they were kept.
    log
        Event log of the first replication's first frames, (L, 5), if it was kept.
    provenance
        Hashes, versions, seed.
    """

    scenario: Scenario
    lowered: Lowered
    engine: str
    seed: int
    replications: tuple[Replication, ...]
    estimates: dict[str, Estimate]
    bounds: Bounds
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    records: tuple[IntArray, ...] | None
    log: IntArray | None
    provenance: dict[str, Any]

    @property
    def requirements_met(self) -> bool:
        """Whether every declared requirement is met."""
        return all(verdict.met for verdict in self.verdicts)

    def value(self, name: str) -> float | None:
        """Point estimate of a metric by its flat name (``latency_ms.p99``)."""
        return self.estimates[name].value

    def _group(self, prefix: str, names: Sequence[str]) -> dict[str, float | None]:
        return {name: self.value(f"{prefix}.{name}") for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that ``eesim run --json`` prints (docs/file-formats.md)."""
        labels = self.lowered.labels
        energy = [key.partition(".")[2] for key in self.estimates if key.startswith("energy_mj_per_frame.")]
        return {
            "schema_version": SCHEMA_VERSION,
            "latency_ms": {
                name: self.estimates[f"latency_ms.{name}"].as_dict() for name in ("mean", *QUANTILES, "max")
            },
            "parts_ms": {part: self.estimates[f"parts_ms.{part}"].as_dict() for part in PARTS},
            "exits": self._exits(labels.exits, labels.exit_number),
            "levels": self._levels(),
            "reuse": self._reuse(),
            "forced_share": self._if_any("forced_share"),
            "streams": [self._stream(g) for g in range(len(labels.streams))],
            "throughput_fps": self.value("throughput_fps"),
            "period_ms": self.value("period_ms"),
            "deadline_miss_rate": self.value("deadline_miss_rate"),
            "drop_rate": self.value("drop_rate"),
            "drop_rate_by": self._losses(),
            "utilisation": self._group("utilisation", labels.resources),
            "wasted_ms_per_frame": self._group("wasted_ms_per_frame", labels.resources),
            "blocked_share": self._group("blocked_share", labels.resources),
            "batch_size": self._group("batch_size", list(batching_of(self.lowered.plan, labels))),
            "energy_mj_per_frame": self._group("energy_mj_per_frame", energy),
            "power_mw": self.value("power_mw"),
            "energy_delay_mj_ms": self.value("energy_delay_mj_ms"),
            "accuracy": self.value("accuracy"),
            "bounds": self._bounds(),
            "requirements": [verdict.as_dict() for verdict in self.verdicts],
            "frames": self.scenario.n_frames,
            "measured_frames": sum(r.measured_frames for r in self.replications),
            "warmup_frames": max(r.warmup_frames for r in self.replications),
            "replications": len(self.replications),
            "engine": self.engine,
            "seed": self.seed,
            "intervals": {name: estimate.as_dict() for name, estimate in self.estimates.items()},
            "notes": list(self.notes),
            "provenance": self.provenance,
        }

    def _exits(self, names: Sequence[str], numbers: Sequence[int], prefix: str = "") -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "exit": number,
                "share": self.value(f"{prefix}exit_share.{name}"),
                "latency_ms": self.value(f"{prefix}exit_latency_ms.{name}"),
                "p99_ms": self.value(f"{prefix}exit_p99_ms.{name}"),
            }
            for name, number in zip(names, numbers, strict=True)
        ]

    def _levels(self, prefix: str = "") -> list[float | None]:
        """Share of the answers at each level; empty where there are no levels."""
        names = [f"{prefix}level_share.{level}" for level in range(self.lowered.plan.n_levels + 1)]
        return [self.value(name) for name in names if name in self.estimates]

    def _reuse(self, prefix: str = "") -> dict[str, float | None]:
        """Shares of the answers that were used again, and that were stale; empty where none can be."""
        names = [name for name in ("reuse_share", "stale_share") if f"{prefix}{name}" in self.estimates]
        return {name.partition("_")[0]: self.value(f"{prefix}{name}") for name in names}

    def _if_any(self, name: str) -> float | None:
        return self.value(name) if name in self.estimates else None

    def _losses(self, prefix: str = "", number: int | None = None) -> dict[str, float | None]:
        """Share of the frames that were dropped for each reason that there can be."""
        reasons = losses_of(self.lowered.plan, self.lowered.labels, number)
        return self._group(f"{prefix}drop_rate_by", [reason.name for reason in reasons])

    def _stream(self, number: int) -> dict[str, Any]:
        """One of several streams."""
        labels, plan = self.lowered.labels, self.lowered.plan
        name = labels.streams[number]
        prefix = f"stream.{name}."
        own = slice(int(plan.stream_exit[number]), int(plan.stream_exit[number + 1]))
        member, entry = self.scenario.members[number], self.scenario.spec.streams[number]
        latency = ("mean", *QUANTILES, "max")
        return {
            "name": name,
            "network": member.network.name,
            "mapping": member.mapping.order,
            "priority": entry.priority,
            "latency_ms": {key: self.estimates[f"{prefix}latency_ms.{key}"].as_dict() for key in latency},
            "parts_ms": {part: self.estimates[f"{prefix}parts_ms.{part}"].as_dict() for part in PARTS},
            "exits": self._exits(
                [exit_.removeprefix(f"{name}/") for exit_ in labels.exits[own]], labels.exit_number[own], prefix
            ),
            "levels": self._levels(prefix),
            "reuse": self._reuse(prefix),
            "forced_share": self._if_any(f"{prefix}forced_share"),
            "throughput_fps": self.value(f"{prefix}throughput_fps"),
            "period_ms": self.value(f"{prefix}period_ms"),
            "deadline_miss_rate": self.value(f"{prefix}deadline_miss_rate"),
            "drop_rate": self.value(f"{prefix}drop_rate"),
            "drop_rate_by": self._losses(prefix, number),
            "utilisation": self._group(f"{prefix}utilisation", labels.resources),
            "active_energy_mj_per_frame": self.value(f"{prefix}active_energy_mj_per_frame"),
            "accuracy": self.value(f"{prefix}accuracy"),
        }

    def _bounds(self) -> dict[str, Any]:
        labels, found = self.lowered.labels, self.bounds
        return {
            "exit_latency_ms": {
                name: int(value) / NS_PER_MS for name, value in zip(labels.exits, found.exit_latency_ns, strict=True)
            },
            "mean_latency_ms": found.mean_latency_ns / NS_PER_MS,
            "throughput_fps": found.throughput_fps if np.isfinite(found.throughput_fps) else None,
            "bottleneck": labels.resources[found.bottleneck] if found.bottleneck >= 0 else None,
            "demand_ms_per_frame": {
                name: float(value) / NS_PER_MS for name, value in zip(labels.resources, found.demand_ns, strict=True)
            },
        }

    def frames(self) -> pd.DataFrame:
        """One row per frame and replication, warm-up included.

        Columns ``frame, arrival_ns, finish_ns, exit, status`` (exit 1-based; finish and exit empty for dropped
        frames), the parts of the latency in ns, and ``replication``; ``source`` (0-based) where several sources share
        the stream.

        Raises
        ------
        ValueError
            If the run did not keep its frames.
        """
        if self.records is None:
            raise ValueError("this run did not keep its frames: run it with keep_frames=True")
        from eesim.metrics.tables import frame_table

        table = frame_table(self.records, self.lowered.labels)
        if isinstance(self.scenario.spec.stream.arrivals, Superposed):
            table["source"] = self._sources(self.records)
        return table

    def _sources(self, records: tuple[IntArray, ...]) -> IntArray:
        """Source of each recorded frame: drawn again, which gives the same."""
        stream, n = self.scenario.stream, self.scenario.n_frames
        parts = []
        for r, record in enumerate(records):
            owner = [block.source for block in stream.blocks(n, seed=self.seed, replication=r)]
            parts.append(np.concatenate(owner)[record[:, FRAME]])
        return np.concatenate(parts)

    def tasks(self) -> pd.DataFrame:
        """One row per service episode of the logged frames; see `eesim.metrics.tables.task_table`.

        Raises
        ------
        ValueError
            If the run did not keep its event log.
        """
        if self.log is None:
            raise ValueError("this run did not keep its event log: run it with log_frames=N")
        from eesim.metrics.tables import task_table

        return task_table(self.log, self.lowered)


def combine(
    replications: Sequence[Replication], confidence: float, batches: Mapping[str, FloatArray] | None = None
) -> dict[str, Estimate]:
    """Estimate every metric over the replications.

    With several replications, values are their means with Student's t interval. A single one keeps its own value and
    gets its interval from the means of its batches (nonoverlapping batch means; ``batches`` has a number per batch for
    each metric); metrics that batches do not have get none.
    """
    names = list(replications[0].values)
    worst = {name: worst_of([r.values[name] for r in replications]) for name in names if name.endswith(".max")}
    rest = [name for name in names if name not in worst]
    if len(replications) > 1:
        means = t_intervals([[r.values[name] for r in replications] for name in rest], confidence)
    else:
        means = _from_batches({name: replications[0].values[name] for name in rest}, batches or {}, confidence)
    found = dict(zip(rest, means, strict=True)) | worst
    return {name: found[name] for name in names}


def _from_batches(values: Mapping[str, float], batches: Mapping[str, FloatArray], confidence: float) -> list[Estimate]:
    """Each value with the half-width that the means of its batches give it, if two or more have one."""
    told = [name for name in values if name in batches]
    around = dict(zip(told, t_intervals([batches[name] for name in told], confidence), strict=True))
    return [_around(value, around.get(name, Estimate(None))) for name, value in values.items()]


def _around(value: float, batches: Estimate) -> Estimate:
    if not math.isfinite(value):
        return Estimate(None)
    if batches.ci_low is None or batches.ci_high is None:
        return Estimate(value)
    half = (batches.ci_high - batches.ci_low) / 2
    return Estimate(value, value - half, value + half)
