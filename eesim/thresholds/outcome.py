"""What a threshold search says: thresholds, what they come to, how sure that is, what the baseline would have done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.explore.certificate import Certificate
from eesim.metrics.result import Result
from eesim.scenario.load import Scenario
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.costs import KINDS


class Measured(NamedTuple):
    """What a setting does to a set of samples."""

    samples: int
    accuracy: float
    cost: float | None
    """Mean per sample, in the cost's unit; None where it is not known for these samples."""
    exit_shares: tuple[float, ...]
    exit_accuracy: tuple[float | None, ...]
    """Share of right answers at each exit; None where no sample answers."""

    def as_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "samples": self.samples,
            "accuracy": self.accuracy,
            "cost": self.cost,
            "exit_shares": self.shares(names),
        }

    def shares(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the exits as a list."""
        rows = zip(names, self.exit_shares, self.exit_accuracy, strict=True)
        return [{"exit": name, "share": share, "accuracy": right} for name, share, right in rows]


def measure(cascade: Cascade, thresholds: npt.ArrayLike, cost_kind: str) -> Measured:
    """Apply a setting to samples and count."""
    exits, n = cascade.exits(thresholds), cascade.n_samples
    outcome = cascade.outcome(thresholds)
    right = cascade.correct[np.arange(n), exits]
    by_exit = [right[exits == k] for k in range(cascade.n_early + 1)]
    known = cost_kind in KINDS
    return Measured(
        n,
        outcome.right / n,
        outcome.cost / n / KINDS[cost_kind].per_unit if known else None,
        tuple(float(count) / n for count in outcome.counts),
        tuple(float(part.mean()) if len(part) else None for part in by_exit),
    )


class Independence(NamedTuple):
    """How far independence is from the truth, over all settings of a grid."""

    settings: int
    accuracy_bias: float
    """Mean of predicted less true accuracy."""
    accuracy_worst: float
    """Largest difference."""
    cost_bias: float
    """Mean of predicted less true cost, relative to the true one."""
    cost_worst: float
    """Largest relative difference."""


@dataclass(frozen=True)
class Baseline:
    """The setting of the published shortest-path search, what it believes about it, and what is true.

    ``weighted`` holds the weighted cost (the baseline's own objective) that it predicts, that is true of its setting,
    and that the exact search reaches on the same levels; ``independence`` how far its assumption is from the truth
    over all settings (None where they are too many to look at one by one).
    """

    thresholds: tuple[float, ...]
    nodes: int
    edges: int
    predicted: Measured
    actual: Measured
    test: Measured | None
    exact: Measured
    exact_thresholds: tuple[float, ...]
    weighted: Mapping[str, float]
    independence: Independence | None

    def as_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return it as plain data."""
        named = list(zip(names, self.thresholds, strict=False))
        return {
            "thresholds": [{"exit": name, "threshold": value} for name, value in named],
            "graph": {"nodes": self.nodes, "edges": self.edges},
            "predicted": self.predicted.as_dict(names),
            "actual": self.actual.as_dict(names),
            "test": None if self.test is None else self.test.as_dict(names),
            "exact_on_same_levels": {
                "thresholds": [
                    {"exit": name, "threshold": value}
                    for name, value in zip(names, self.exact_thresholds, strict=False)
                ],
                **self.exact.as_dict(names),
            },
            "weighted_cost": dict(self.weighted),
            "independence": None if self.independence is None else self.independence._asdict(),
        }


@dataclass(frozen=True)
class ThresholdSearch:
    """Thresholds for a scenario.

    Attributes
    ----------
    scenario
        The scenario with the thresholds that were found.
    exits
        Names of the exits in the order in which they may answer, the final one last.
    thresholds
        Of the early ones.
    method, goal, cost_kind, unit, original
        How, what for, and the cost without early exits (None where it was not asked for).
    feasible, violations
        Whether everything that was wanted is kept; if not, what is missed by how much, relative to its limit.
    certificate
        How sure it is that nothing is better, on the samples that were searched.
    calibration, test
        What the thresholds do on the samples that were searched, and on others.
    front
        Cost, accuracy and thresholds of the settings that no other beats in both.
    baseline
        The published search beside it.
    simulation
        The scenario's own stream with these thresholds.
    """

    scenario: Scenario
    exits: tuple[str, ...]
    thresholds: tuple[float, ...]
    method: str
    goal: str
    cost_kind: str
    unit: str
    original: float | None
    feasible: bool
    violations: Mapping[str, float]
    certificate: Certificate
    calibration: Measured
    test: Measured | None
    front: tuple[tuple[float, float, tuple[float, ...]], ...]
    baseline: Baseline | None
    simulation: Result | None
    notes: tuple[str, ...]
    wall_s: float
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def requirements_met(self) -> bool:
        """Whether the goal's limits and the scenario's requirements are kept."""
        return self.feasible and (self.simulation is None or self.simulation.requirements_met)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that ``eesim thresholds --json`` prints."""
        names = self.exits
        return {
            "thresholds": [{"exit": e, "threshold": t} for e, t in zip(names, self.thresholds, strict=False)],
            "accuracy": self.calibration.accuracy,
            "exit_shares": self.calibration.shares(names),
            "cost": {
                "kind": self.cost_kind,
                "value": self.calibration.cost,
                "unit": self.unit,
                "without_early_exits": self.original,
            },
            "feasible": self.feasible,
            "violations": dict(self.violations),
            "method": self.method,
            "goal": self.goal,
            "certificate": self.certificate.as_dict(),
            "calibration": self.calibration.as_dict(names),
            "test": None if self.test is None else self.test.as_dict(names),
            "front": [
                {"cost": cost, "accuracy": accuracy, "thresholds": list(thresholds)}
                for cost, accuracy, thresholds in self.front
            ],
            "baseline": None if self.baseline is None else self.baseline.as_dict(names),
            "simulation": None if self.simulation is None else _summary(self.simulation),
            "notes": list(self.notes),
            "wall_s": round(self.wall_s, 3),
            "provenance": self.provenance,
        }


def _summary(result: Result) -> dict[str, Any]:
    keys = ("latency_ms", "exits", "throughput_fps", "deadline_miss_rate", "drop_rate", "energy_mj_per_frame",
            "accuracy", "requirements", "notes")  # fmt: skip
    data = result.to_dict()
    return {**{key: data[key] for key in keys}, "seed": result.seed, "frames": data["frames"]}
