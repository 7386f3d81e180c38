"""Which exit each frame would take. Each model draws blocks of exit indices in order, from its own random stream."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.base import IntArray
from eesim.findings import SpecError
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.workload.correlated import CorrelatedDeck, CorrelatedExits
from eesim.workload.exit_parts import Accuracies, Counts, Shares, by_edges, counts_findings, edges_of, shares_findings
from eesim.workload.scenes import RegimeExits, RegimeSampler, ScheduledExits, draw_scheduled


class ExitCounts(Spec):
    """A test set replayed in random order: every pass takes each exit exactly as often as counted."""

    kind: Literal["counts"]
    counts: Counts
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        found = counts_findings(self.counts)
        if found:
            raise SpecError(found)
        return self


class ExitShares(Spec):
    """Independent draws with given probabilities."""

    kind: Literal["shares"]
    shares: Shares
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        found = shares_findings(self.shares)
        if found:
            raise SpecError(found)
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


AnyExits = ExitCounts | ExitShares | FixedExit | ExitTrace | CorrelatedExits | RegimeExits | ScheduledExits
Exits = Annotated[AnyExits, OneOf()]


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
    rate
        Frames per second of the stream, where a model needs it (`CorrelatedExits.lag_1`).
    """

    def __init__(
        self, model: AnyExits, rng: np.random.Generator, trace: IntArray, rate: Fraction | None = None
    ) -> None:
        self._model = model
        self._rng = rng
        self._trace = trace
        self._drawn = 0
        self._deck = np.zeros(0, np.int64)
        self._correlated: CorrelatedDeck | None = None
        self._regimes: RegimeSampler | None = None
        match model:
            case CorrelatedExits():
                self._correlated = CorrelatedDeck(model.counts, model.lag_1(rate), rng)
            case RegimeExits():
                self._regimes = RegimeSampler(model, rng)

    def draw(self, count: int, arrival_ns: IntArray | None = None) -> IntArray:
        """Return the exits of the next ``count`` frames, 0-based.

        Parameters
        ----------
        count
            Number of frames.
        arrival_ns
            Their instants of arrival, for models that depend on time.
        """
        begin = self._drawn
        self._drawn += count
        arrivals = np.zeros(count, np.int64) if arrival_ns is None else arrival_ns
        match self._model:
            case ExitCounts() as model:
                return self._deal(model, count)
            case ExitShares() as model:
                return by_edges(edges_of(model.shares), self._rng.random(count))
            case FixedExit() as model:
                return np.full(count, model.exit - 1, np.int64)
            case ExitTrace():
                return self._trace[begin : begin + count]
            case ScheduledExits() as model:
                return draw_scheduled(model, self._rng, arrivals)
            case CorrelatedExits() if self._correlated:
                return self._correlated.draw(count)
            case RegimeExits() if self._regimes:
                return self._regimes.draw(count, arrivals)
            case model:
                raise AssertionError(model)

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
