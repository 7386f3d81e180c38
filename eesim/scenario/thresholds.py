"""What the ``thresholds:`` section of a scenario says: which thresholds to try, what they cost, what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from eesim.oneof import OneOf
from eesim.scenario.explore import Confidences
from eesim.spec import Spec
from eesim.units import Share, TimeNs
from eesim.wording import DataPath

CostName = Literal[
    "exit_latency", "exit_energy", "operations",
    "mean_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency", "energy",
]  # fmt: skip
"""What a setting costs: the first three exit by exit, in an empty system; the others under the scenario's stream."""

MethodName = Literal["exact", "shortest-path"]
Levels = Annotated[
    Literal["all"]
    | Annotated[int, Field(ge=2, le=1000)]
    | Confidences
    | Annotated[dict[str, Confidences], Field(min_length=1)],
    OneOf(),
]


class Weights(Spec):
    """Weights of what is saved (share of the cost without early exits) and of the accuracy that is kept."""

    efficiency: Annotated[float, Field(ge=0)] = 0.9
    accuracy: Annotated[float, Field(ge=0)] = 0.1


class ThresholdsSpec(Spec):
    """Which thresholds to try and what is wanted.

    ``levels``: all that make a difference, so many between 0.4 and 1, or a list for all or per exit. With
    ``accuracy`` the cost is minimised, with ``budget`` alone the accuracy maximised, with neither the weighted sum.
    """

    levels: Levels = "all"
    cost: CostName = "exit_latency"
    accuracy: Share | None = None
    budget: Annotated[int | str, OneOf()] | None = None
    weights: Weights = Weights()
    worst_latency: TimeNs | None = None
    method: MethodName = "exact"
    correction: Annotated[float, Field(gt=0, le=1)] = 1.0
    calibrate_on: str | None = None
    test_on: str | None = None
    evaluations: Annotated[int, Field(ge=1)] = 100_000

    @classmethod
    def across(cls, data: Mapping[str, Any]) -> Iterator[tuple[DataPath, str, str]]:
        """A budget without a unit counts operations; all other costs have units."""
        cost, budget = data.get("cost", "exit_latency"), data.get("budget")
        if isinstance(budget, int) and not isinstance(budget, bool) and cost != "operations":
            unit = "mJ" if "energy" in str(cost) else "ms"
            yield ("budget",), f"must have a unit (such as 3 {unit})", ""
        if isinstance(budget, str) and cost == "operations":
            yield ("budget",), "must be a whole number of operations", ""
