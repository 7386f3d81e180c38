"""What a scenario file says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from eesim.hardware.spec import BoardReference, Name
from eesim.mapping.mapping import MappingSpec
from eesim.mapping.policy import PolicyReference
from eesim.oneof import OneOf
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.requirements import Requirements
from eesim.scenario.sensitivity import SensitivitySpec
from eesim.scenario.thresholds import ThresholdsSpec
from eesim.spec import Spec
from eesim.workload.stream import StreamSpec


class NetworkChange(Spec):
    """``{extends: NAME, ...}``: merged into the named network's document."""

    model_config = {"extra": "allow"}

    extends: str


class ProfileChange(Spec):
    """``{extends: PATH, ...}``: merged into the profile's document; without ``extends``, into the board's own."""

    model_config = {"extra": "allow"}

    extends: str | None = None


class Physics(Spec):
    """Which terms of the board are on; ``dvfs_delay`` and what follows it are terms of its measured runtimes, too."""

    transfers: bool = True
    contention: bool = True
    dvfs_delay: bool = True
    cold_start: bool = True
    input: bool = True
    profiling: bool = True
    npu_fusing: bool = True
    stage_overhead: bool = True
    first_stage: bool = True


class RunSpec(Spec):
    """How much to simulate. ``frames`` defaults to the length of a trace, else 10,000."""

    frames: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None
    warmup: Annotated[Literal["auto", "none"] | Annotated[int, Field(ge=0)], OneOf()] = "auto"
    replications: Annotated[int, Field(ge=1, le=100_000)] = 10
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class StreamEntry(Spec):
    """One of several streams on the platform: what it has of its own; the rest is the scenario's."""

    name: Name | None = None
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    network: Any = None
    profile: Any = None
    mapping: dict[str, Any] | None = None
    policy: Any = None
    arrivals: dict[str, Any] | None = None
    exits: dict[str, Any] | None = None
    noise: dict[str, Any] | None = None
    scenes: dict[str, Any] | None = None
    requirements: dict[str, Any] | None = None


class StreamEntries(Spec):
    """The section ``streams`` by itself."""

    streams: Annotated[tuple[StreamEntry, ...], Field(max_length=64)]


class ScenarioSpec(Spec):
    """A whole scenario file; ``explore``, ``thresholds`` and ``sensitivity`` are for the commands of these names.

    With ``streams``, this is what each of them is checked against once the scenario's own keys are filled in.
    """

    eesim: Literal[1]
    title: str = ""
    board: BoardReference
    network: Annotated[str | NetworkChange, OneOf()]
    profile: Annotated[str | ProfileChange | None, OneOf()] = None
    mapping: MappingSpec
    policy: PolicyReference = "cooperative"
    physics: Physics = Physics()
    stream: StreamSpec
    streams: Annotated[tuple[StreamEntry, ...], Field(max_length=64)] = ()
    run: RunSpec = RunSpec()
    requirements: Requirements = Requirements()
    explore: ExploreSpec | None = None
    thresholds: ThresholdsSpec = ThresholdsSpec()
    sensitivity: SensitivitySpec | None = None
