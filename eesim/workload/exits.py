"""Which exit each frame would take. Each model draws blocks of exit indices in order, from its own random stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.base import IntArray
from eesim.findings import SpecError
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import Share
from eesim.workload.confidences import ExitConfidences

Accuracies = Annotated[tuple[Share, ...], Field(min_length=1)]


class ExitCounts(Spec):
    """A test set replayed in random order: every pass takes each exit exactly as often as counted."""

    kind: Literal["counts"]
    counts: Annotated[tuple[Annotated[int, Field(ge=0, le=10_000_000)], ...], Field(min_length=1)]
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if sum(self.counts) == 0:
            raise SpecError([(("counts",), "must not all be 0")])
        if sum(self.counts) > 10_000_000:
            raise SpecError([(("counts",), "add up to more than 10,000,000: use shares")])
        return self


class ExitShares(Spec):
    """Independent draws with given probabilities."""

    kind: Literal["shares"]
    shares: Annotated[tuple[Share, ...], Field(min_length=1)]
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if abs(float(sum(self.shares)) - 1) > 1e-6:
            raise SpecError([(("shares",), f"must add up to 1, not {float(sum(self.shares)):.6g}")])
        return self


class FixedExit(Spec):
    """Every frame takes the same exit (1-based)."""

    kind: Literal["fixed"]
    exit: Annotated[int, Field(ge=1)]
    accuracy: Accuracies | None = None


class ExitTrace(Spec):
    """Exits from a CSV or Parquet file with the column ``exit`` (1-based).

    Columns ``confident_1`` ... ``confident_K`` (0 or 1) say which exits are confident, for ``exit_order:
    first_confident``.
    """

    kind: Literal["trace"]
    path: Path
    accuracy: Accuracies | None = None


Exits = Annotated[ExitCounts | ExitShares | FixedExit | ExitTrace | ExitConfidences, OneOf()]


class ExitSampler:
    """Draws one replication's exits, block after block.

    Parameters
    ----------
    model
        What to draw.
    rng
        Random stream of this replication's exits.
    trace
        Exits of a trace, 0-based.
    """

    def __init__(
        self, model: ExitCounts | ExitShares | FixedExit | ExitTrace, rng: np.random.Generator, trace: IntArray
    ) -> None:
        self._model = model
        self._rng = rng
        self._trace = trace
        self._drawn = 0
        self._deck = np.zeros(0, np.int64)

    def draw(self, count: int) -> IntArray:
        """Return the exits of the next ``count`` frames, 0-based."""
        begin = self._drawn
        self._drawn += count
        match self._model:
            case ExitCounts() as model:
                return self._deal(model, count)
            case ExitShares() as model:
                edges = np.cumsum([float(share) for share in model.shares])
                edges[-1] = np.inf
                return np.searchsorted(edges, self._rng.random(count), side="right").astype(np.int64)
            case FixedExit() as model:
                return np.full(count, model.exit - 1, np.int64)
            case ExitTrace():
                return self._trace[begin : begin + count]

    def _deal(self, model: ExitCounts, count: int) -> IntArray:
        """Take cards from the shuffled deck of counted exits, shuffling anew when it is used up."""
        parts = [self._deck]
        have = len(self._deck)
        while have < count:
            deck = np.repeat(np.arange(len(model.counts), dtype=np.int64), model.counts)
            self._rng.shuffle(deck)
            parts.append(deck)
            have += len(deck)
        cards = np.concatenate(parts)
        self._deck = cards[count:].copy()
        return cards[:count]
