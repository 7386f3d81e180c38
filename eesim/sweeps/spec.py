"""What a study file says: a scenario, and a design, which is a tree of axes over its values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.sweeps.scale import End

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Values = Annotated[tuple[Any, ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0)]


class ListAxis(Spec):
    """One path and its values."""

    kind: Literal["list"]
    path: str
    values: Values


class RangeAxis(Spec):
    """One path and values between two ends, both included, at equal steps or equal ratios."""

    kind: Literal["range"]
    path: str
    low: End
    high: End
    steps: Annotated[int, Field(ge=2, le=1_000_000)]
    scale: Literal["linear", "log"] = "linear"
    integer: bool = False


class Grid(Spec):
    """Every combination of the values of several paths; the last varies fastest."""

    kind: Literal["grid"]
    axes: Annotated[dict[str, Values], Field(min_length=1)]


class PointList(Spec):
    """Points one by one: each a mapping of path to value."""

    kind: Literal["points"]
    points: Annotated[tuple[Annotated[dict[str, Any], Field(min_length=1)], ...], Field(min_length=1)]


class SampledRange(Spec):
    """Values that are drawn between two ends."""

    low: End
    high: End
    distribution: Literal["uniform", "log-uniform"] = "uniform"
    integer: bool = False


SampledAxes = Annotated[dict[str, Annotated[Values | SampledRange, OneOf()]], Field(min_length=1)]


class LatinHypercube(Spec):
    """``points`` points, so that each axis, cut into as many equal parts, has one point in each."""

    kind: Literal["latin_hypercube"]
    points: Count
    seed: Seed
    axes: SampledAxes


class Sobol(Spec):
    """The first ``points`` points of a scrambled Sobol sequence; powers of two are balanced best."""

    kind: Literal["sobol"]
    points: Count
    seed: Seed
    axes: SampledAxes


class RandomSample(Spec):
    """Independent random points."""

    kind: Literal["random"]
    points: Count
    seed: Seed
    axes: SampledAxes


class Product(Spec):
    """Every combination of the points of several designs; the last varies fastest."""

    kind: Literal["product"]
    of: Annotated[tuple[Design, ...], Field(min_length=1)]


class Zip(Spec):
    """The first points of several designs together, then the second, and so on; all must have as many."""

    kind: Literal["zip"]
    of: Annotated[tuple[Design, ...], Field(min_length=1)]


class Union(Spec):
    """The points of one design after those of another; paths that one lacks stay as the scenario says."""

    kind: Literal["union"]
    of: Annotated[tuple[Design, ...], Field(min_length=1)]


Design = Annotated[
    ListAxis | RangeAxis | Grid | PointList | LatinHypercube | Sobol | RandomSample | Product | Zip | Union, OneOf()
]
Sampled = LatinHypercube | Sobol | RandomSample


class InlineScenario(Spec):
    """Not validated by itself: the scenario written out; see the scenario's keys."""

    model_config = {"extra": "allow"}

    eesim: Literal[1]


class StudySpec(Spec):
    """A whole study file."""

    eesim: Literal[1]
    title: str = ""
    scenario: Annotated[str | InlineScenario, OneOf()]
    set: dict[str, Any] = {}
    design: Design
    metrics: Annotated[Literal["all"] | Annotated[tuple[str, ...], Field(min_length=1)], OneOf()] = "all"


for model in (Product, Zip, Union, StudySpec):
    model.model_rebuild()
