"""What the ``explore:`` section of a scenario says: alleles, objectives, constraints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from eesim.mapping.policy import Count, PolicyReference, PositiveCount
from eesim.oneof import OneOf
from eesim.scenario.requirements import Requirements
from eesim.spec import Spec
from eesim.units import Bytes, FrequencyHz

ObjectiveName = Literal[
    "mean_latency",
    "p50_latency",
    "p90_latency",
    "p95_latency",
    "p99_latency",
    "worst_latency",
    "energy",
    "power",
    "energy_delay",
    "period",
    "throughput",
    "deadline_miss_rate",
    "drop_rate",
    "accuracy",
    "ga_py",
]
AlgorithmName = Literal["auto", "exhaustive", "branch-and-bound", "dp", "ga", "nsga2", "random"]
Pes = Annotated[tuple[str, ...], Field(min_length=1)]
Clocks = Annotated[Literal["all"] | Annotated[tuple[FrequencyHz, ...], Field(min_length=1)], OneOf()]
Confidences = Annotated[tuple[float, ...], Field(min_length=1)]
Together = Annotated[dict[str, str], Field(min_length=1)]


class ExploreSpec(Spec):
    """A design space and what is wanted of it.

    ``segments``: PEs that every segment may take, or per segment. ``opp``: clocks per PE, or per segment. ``exits``:
    exits that may be switched off. ``thresholds``: confidences at which early exits may answer, for all or per exit.
    ``forbid``: combinations (segment to PE) that must not occur; ``require``: of each list entry, all must hold.
    ``memory``: bytes that a PE has for weights and output tensors.
    """

    segments: Annotated[Pes | Annotated[dict[str, Pes], Field(min_length=1)], OneOf()] | None = None
    opp: dict[str, Clocks] = {}
    exits: Annotated[Literal["any"] | Annotated[tuple[str, ...], Field(min_length=1)], OneOf()] | None = None
    thresholds: Annotated[Confidences | Annotated[dict[str, Confidences], Field(min_length=1)], OneOf()] | None = None
    frames_in_flight: Annotated[tuple[PositiveCount, ...], Field(min_length=1)] | None = None
    queue_capacity: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    policy: Annotated[tuple[PolicyReference, ...], Field(min_length=1)] | None = None
    forbid: tuple[Together, ...] = ()
    require: tuple[Together, ...] = ()
    objective: Annotated[
        ObjectiveName | Annotated[tuple[ObjectiveName, ...], Field(min_length=1, max_length=3)], OneOf()
    ] = "mean_latency"
    constraints: Requirements = Requirements()
    memory: dict[str, Bytes] = {}
    algorithm: AlgorithmName = "auto"
    frames: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    evaluations: Annotated[int, Field(ge=1)] = 100_000
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def objectives(self) -> tuple[ObjectiveName, ...]:
        """Objectives, one or several."""
        return (self.objective,) if isinstance(self.objective, str) else self.objective
