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
from eesim.workload.confidences import ExitConfidences
from eesim.workload.correlated import CorrelatedDeck, CorrelatedExits
from eesim.workload.exit_parts import Accuracies, Counts, Shares, by_edges, counts_findings, edges_of, shares_findings
from eesim.workload.scenes import RegimeExits, RegimeSampler, ScheduledExits, draw_scheduled


class CountsAlternative(Spec):
    """The same test set under other thresholds: what it does at a higher level of the policy ``adaptive``."""

    counts: Counts
    accuracy: Accuracies | None = None


class SharesAlternative(Spec):
    """Probabilities under other thresholds."""

    shares: Shares
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        found = shares_findings(self.shares)
        if found:
            raise SpecError(found)
        return self


class TraceAlternative(Spec):
    """Another column of the trace: the exits under other thresholds."""

    column: Annotated[str, Field(min_length=1)]
    accuracy: Accuracies | None = None


Alternative = CountsAlternative | SharesAlternative | TraceAlternative


class ExitCounts(Spec):
    """A test set replayed in random order: every pass takes each exit exactly as often as counted.

    Alternatives are coupled: the frames that leave first are the same ones at every level.
    """

    kind: Literal["counts"]
    counts: Counts
    accuracy: Accuracies | None = None
    alternatives: tuple[CountsAlternative, ...] = ()

    @model_validator(mode="after")
    def _some(self) -> Self:
        findings = counts_findings(self.counts)
        total = sum(self.counts)
        findings += [
            (("alternatives", i, "counts"), f"must add up to {total:,}, as counts: it is the same test set")
            for i, other in enumerate(self.alternatives)
            if sum(other.counts) != total
        ]
        if findings:
            raise SpecError(findings)
        return self


class ExitShares(Spec):
    """Independent draws with given probabilities; alternatives are coupled by one difficulty per frame."""

    kind: Literal["shares"]
    shares: Shares
    accuracy: Accuracies | None = None
    alternatives: tuple[SharesAlternative, ...] = ()

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
    alternatives: tuple[TraceAlternative, ...] = ()


def alternatives_of(exits: AnyExits) -> tuple[Alternative, ...]:
    """What a model does at the levels above level 0 of the policy ``adaptive``; nothing where it cannot say."""
    return exits.alternatives if isinstance(exits, ExitCounts | ExitShares | ExitTrace) else ()


DrawnExits = ExitCounts | ExitShares | FixedExit | ExitTrace | CorrelatedExits | RegimeExits | ScheduledExits
"""Models that say which exit a frame takes, whatever the mapping's thresholds."""

AnyExits = DrawnExits | ExitConfidences
Exits = Annotated[AnyExits, OneOf()]


def is_judged(model: AnyExits) -> bool:
    """Whether it is known how many answers are right: from shares at each exit, or sample by sample."""
    return model.accuracy is not None or isinstance(model, ExitConfidences)


class ExitSampler:
    """Draws one replication's exits, block after block.

    Parameters
    ----------
    model
        What to draw.
    rng
        Random stream of this replication's exits.
    trace
        Exits of a trace, 0-based; (F,), or (F, A + 1) with those of the alternatives.
    rate
        Frames per second of the stream, where a model needs it (`CorrelatedExits.lag_1`).
    """

    def __init__(
        self, model: DrawnExits, rng: np.random.Generator, trace: IntArray, rate: Fraction | None = None
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

    @property
    def regimes(self) -> IntArray:
        """Regime of each of the frames drawn last; empty for models without regimes."""
        return np.zeros(0, np.int64) if self._regimes is None else self._regimes.regimes

    def draw(self, count: int, arrival_ns: IntArray | None = None) -> IntArray:
        """Return the exits of the next ``count`` frames, 0-based, (count,)."""
        return self.draw_levels(count, arrival_ns)[:, 0]

    def draw_levels(self, count: int, arrival_ns: IntArray | None = None) -> IntArray:
        """Return the exits of the next ``count`` frames at each level, 0-based, (count, A + 1).

        One number per frame decides at all levels: where an alternative is easier to take, no frame exits later by it.

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
                cards = self._deal(model, count)
                counts = [model.counts, *(other.counts for other in model.alternatives)]
                columns = [np.searchsorted(np.cumsum(level), cards, side="right") for level in counts]
            case ExitShares() as model:
                difficulty = self._rng.random(count)
                levels = (model.shares, *(other.shares for other in model.alternatives))
                columns = [by_edges(edges_of(shares), difficulty) for shares in levels]
            case FixedExit() as model:
                return np.full((count, 1), model.exit - 1, np.int64)
            case ExitTrace():
                return self._trace[begin : begin + count].reshape(count, -1)
            case ScheduledExits() as model:
                columns = [draw_scheduled(model, self._rng, arrivals)]
            case CorrelatedExits() if self._correlated:
                columns = [self._correlated.draw(count)]
            case RegimeExits() if self._regimes:
                columns = [self._regimes.draw(count, arrivals)]
            case model:
                raise AssertionError(model)
        return np.stack(columns, axis=1).astype(np.int64)

    def _deal(self, model: ExitCounts, count: int) -> IntArray:
        """Take cards from a shuffled deck: a card per counted frame, easy ones low; shuffle anew when it is used up."""
        parts = [self._deck]
        have = len(self._deck)
        while have < count:
            deck = np.arange(sum(model.counts), dtype=np.int64)
            self._rng.shuffle(deck)
            parts.append(deck)
            have += len(deck)
        cards = np.concatenate(parts)
        self._deck = cards[count:].copy()
        return cards[:count]
