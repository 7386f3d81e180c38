"""When frames arrive. Each model draws blocks of instants in order, from its own random stream."""

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
from eesim.units import RateHz, TimeNs
from eesim.workload.bursts import Mmpp, OnOff, bursty_arrivals
from eesim.workload.operational_time import ModulatedArrivals
from eesim.workload.schedules import RateSchedule
from eesim.workload.superposition import Merger

NS_PER_S = 1_000_000_000
MAX_INT64 = 2**63 - 1


class Periodic(Spec):
    """A camera: frame k is due at ``phase + k / rate`` and delivered up to ``jitter`` later (uniform), in order."""

    kind: Literal["periodic"]
    rate: RateHz | None = None
    period: TimeNs | None = None
    jitter: TimeNs = 0
    phase: TimeNs = 0

    @model_validator(mode="after")
    def _one_of_rate_and_period(self) -> Self:
        if (self.rate is None) == (self.period is None):
            raise SpecError([(("rate",), "give either rate or period")])
        if self.period == 0:
            raise SpecError([(("period",), "must be above 0 ns")])
        return self

    @property
    def exact_rate(self) -> Fraction:
        """Frames per second."""
        return self.rate if self.rate is not None else Fraction(NS_PER_S, self.period or 1)


class Poisson(Spec):
    """Independent, exponentially distributed times between frames."""

    kind: Literal["poisson"]
    rate: RateHz


class ClosedLoop(Spec):
    """The next frame is made as soon as it can be admitted: how Run_CO-UP measures."""

    kind: Literal["closed_loop"]


class ArrivalTrace(Spec):
    """Instants from a CSV or Parquet file with the column ``arrival_ms``."""

    kind: Literal["trace"]
    path: Path


Source = Annotated[Periodic | Poisson | Mmpp | OnOff | RateSchedule, OneOf()]


class Superposed(Spec):
    """Several sources in one stream; each frame knows its source. Of frames at one instant, lower sources go first."""

    kind: Literal["superposed"]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=64)]


AnyArrivals = Periodic | Poisson | Mmpp | OnOff | RateSchedule | Superposed | ClosedLoop | ArrivalTrace
Arrivals = Annotated[AnyArrivals, OneOf()]


def mean_rate(model: AnyArrivals, trace_ns: IntArray) -> Fraction | None:
    """Frames per second in the long run; None for a closed loop, and for a trace that spans no time.

    Parameters
    ----------
    model
        The arrivals.
    trace_ns
        Instants of a trace, ns.
    """
    match model:
        case Periodic():
            return model.exact_rate
        case Poisson():
            return model.rate
        case Mmpp() | OnOff() | RateSchedule():
            return model.mean_rate
        case Superposed():
            return sum((mean_rate(source, trace_ns) or Fraction(0) for source in model.sources), Fraction(0))
        case ArrivalTrace():
            span = int(trace_ns[-1] - trace_ns[0]) if len(trace_ns) else 0
            return Fraction((len(trace_ns) - 1) * NS_PER_S, span) if span else None
        case ClosedLoop():
            return None


class ArrivalSampler:
    """Draws one replication's arrivals, block after block.

    Parameters
    ----------
    model
        What to draw.
    rng
        Random stream of this replication's arrivals.
    trace_ns
        Instants of a trace, ns.
    """

    def __init__(self, model: AnyArrivals, rng: np.random.Generator, trace_ns: IntArray) -> None:
        self._model = model
        self._rng = rng
        self._trace_ns = trace_ns
        self._modulated: ModulatedArrivals | None = None
        self._merger: Merger | None = None
        match model:
            case Mmpp() | OnOff():
                self._modulated = bursty_arrivals(model, rng)
            case RateSchedule():
                self._modulated = model.sampler(rng)
            case Superposed():
                streams = zip(model.sources, rng.spawn(len(model.sources)), strict=True)
                self._merger = Merger([ArrivalSampler(source, own, trace_ns).draw for source, own in streams])
        self._drawn = 0
        self._last = 0

    def draw(self, count: int) -> IntArray:
        """Return the next ``count`` instants in ns, never decreasing."""
        index = np.arange(self._drawn, self._drawn + count, dtype=np.int64)
        self._drawn += count
        match self._model:
            case Periodic() as model:
                out = self._periodic(model, index)
            case Poisson() as model:
                gaps = self._rng.exponential(float(NS_PER_S / model.rate), count)
                out = self._last + np.cumsum(np.rint(gaps).astype(np.int64))
            case ClosedLoop():
                out = np.zeros(count, np.int64)
            case ArrivalTrace():
                out = self._trace_ns[index]
            case Superposed() if self._merger:
                out = self._merger.draw(count)
            case _ if self._modulated:
                out = self._modulated.draw(count)
            case other:
                raise AssertionError(other)
        self._last = int(out[-1]) if count else self._last
        return out

    @property
    def sources(self) -> IntArray:
        """Source of each frame drawn last, 0-based; empty unless several sources are superposed."""
        return self._merger.sources if self._merger else np.zeros(0, np.int64)

    def _periodic(self, model: Periodic, index: IntArray) -> IntArray:
        rate = model.exact_rate
        # k x denominator / numerator in exact integers, split so that common rates stay within 64 bits.
        whole, rest = divmod(NS_PER_S * rate.denominator, rate.numerator)
        last = int(index[-1]) if len(index) else 0
        if max(last * rest, rate.numerator) <= MAX_INT64:
            fraction = index * rest // rate.numerator
        else:
            fraction = np.array([k * rest // rate.numerator for k in index.tolist()], np.int64)
        out = model.phase + index * whole + fraction
        if model.jitter:
            out = out + self._rng.integers(0, model.jitter, len(index), endpoint=True)
            out = np.maximum(np.maximum.accumulate(out), self._last)
        return out
