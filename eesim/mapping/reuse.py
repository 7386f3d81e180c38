"""Answers that are used again: difference detection and temporal patience, as switches of a policy.

Difference detection (Sponner and others, *Temporal Decisions*, arXiv 2403.07958) compares a frame, or what the first
exit makes of it, with the last one that was answered; if they show the same, the frame gets the same answer. Temporal
patience waits until several frames of a scene were answered, and may look again after a while.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, model_validator

from eesim.findings import SpecError
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import Share, TimeNs

PositiveCount = Annotated[Literal["unbounded"] | Annotated[int, Field(ge=1)], OneOf()]

WrittenTime = Annotated[TimeNs, PlainSerializer(lambda ns: f"{ns} ns" if isinstance(ns, int) else ns)]
WrittenShare = Annotated[Share, PlainSerializer(lambda share: f"{float(share) * 100!r} %")]

INPUT = "input"
BLIND = "blind"


class Detector(Spec):
    """What compares inputs: a task on a PE before anything else of the frame, or (without a PE) a mere delay."""

    time: WrittenTime
    pe: str | None = None


class Reuse(Spec):
    """When a frame gets the answer of the last one that was answered by the network.

    ``at`` is where the two are compared: ``input`` (by the ``detector``), an exit (on what it puts out, once it is
    done), or ``blind``: not at all, every frame is taken to show the same.
    """

    at: str
    detector: Detector | None = None
    patience: Annotated[int, Field(ge=1)] = 1
    at_most: PositiveCount = "unbounded"
    misses: WrittenShare = Fraction(0)
    false_alarms: WrittenShare = Fraction(0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.at == INPUT and self.detector is None:
            raise SpecError([(("detector",), "missing: what does comparing two inputs cost, and where?")])
        if self.at != INPUT and self.detector is not None:
            raise SpecError([(("detector",), "is for at: input")])
        if self.at == BLIND and (self.misses or self.false_alarms):
            path = "misses" if self.misses else "false_alarms"
            raise SpecError([((path,), "nothing is detected at: blind")])
        return self

    @property
    def chances(self) -> tuple[float, float]:
        """Chance of a false alarm (on what shows the same) and of a miss (of what does not)."""
        return (0.0, 1.0) if self.at == BLIND else (float(self.false_alarms), float(self.misses))
