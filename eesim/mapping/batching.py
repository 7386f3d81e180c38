"""Batching, as a switch of a policy: a PE serves waiting tasks of one segment together (docs/semantics.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eesim.mapping.reuse import WrittenTime
from eesim.spec import Spec

LONGEST_WAIT_NS = 3600 * 10**9


class Batches(Spec):
    """Tasks of one segment that a PE serves together at most, and how long one waits for others at the idle PE."""

    size: Annotated[int, Field(ge=1, le=256)]
    wait: Annotated[WrittenTime, Field(ge=0, le=LONGEST_WAIT_NS)] = 0


class Batching(Spec):
    """Which PEs serve tasks of one segment together."""

    pes: Annotated[dict[str, Batches], Field(min_length=1)]

    def size(self, pe: str) -> int:
        """Tasks that a PE or link serves together at most."""
        return self.pes[pe].size if pe in self.pes else 1

    def wait_ns(self, pe: str) -> int:
        """How long a task waits for others there."""
        return self.pes[pe].wait if self.size(pe) > 1 else 0

    @property
    def largest(self) -> int:
        """Size of the largest batch of any PE."""
        return max(own.size for own in self.pes.values())
