"""A budget for going deeper, as a switch of a policy: frames take tokens out of a bucket when they decline an exit.

A token is whatever the user counts: a deep frame, a millijoule, a million operations.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from eesim.findings import SpecError
from eesim.spec import Spec

UNITS_PER_TOKEN = 10**14
"""Tokens are counted in whole units, so that both engines agree: 9 x 10^4 tokens fit in 64 bits."""

UNITS_PER_NS = UNITS_PER_TOKEN // 10**9
"""Of one token per second."""

MOST = 40_000
"""Tokens that a bucket may hold, or that may be asked for at once."""

Tokens = Annotated[float, Field(ge=0, le=MOST)]


class Budget(Spec):
    """Tokens that come in, how many are kept, and what it costs to decline each early exit.

    A frame that cannot pay answers at that exit.
    """

    costs: Annotated[dict[str, Tokens], Field(min_length=1)]
    per_frame: Tokens = 0.0
    per_second: Tokens = 0.0
    burst: Annotated[float, Field(gt=0, le=MOST)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        findings: list[tuple[tuple[str, ...], str]] = []
        if not self.per_frame and not self.per_second:
            findings.append((("per_frame",), "no token ever comes in: give per_frame or per_second"))
        for name, cost in self.costs.items():
            if cost > self.burst:
                findings.append(
                    (("costs", name), f"is more than a full bucket ({self.burst:g}): nobody could ever pay")
                )
        if findings:
            raise SpecError(findings)
        return self

    @property
    def most_units(self) -> int:
        """What the bucket holds."""
        return round(self.burst * UNITS_PER_TOKEN)

    @property
    def units_per_frame(self) -> int:
        """What comes in with each frame that is admitted."""
        return round(self.per_frame * UNITS_PER_TOKEN)

    @property
    def units_per_ns(self) -> int:
        """What comes in with time."""
        return round(self.per_second * UNITS_PER_NS)

    def cost_units(self, name: str) -> int:
        """What it costs to decline an exit."""
        return round(self.costs.get(name, 0.0) * UNITS_PER_TOKEN)
