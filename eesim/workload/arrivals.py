"""When frames arrive. Each model draws blocks of instants in order, from its own random stream."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import model_validator

from eesim.base import IntArray
from eesim.findings import SpecError
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import RateHz, TimeNs

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


Arrivals = Annotated[Periodic | Poisson | ClosedLoop | ArrivalTrace, OneOf()]


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

    def __init__(
        self, model: Periodic | Poisson | ClosedLoop | ArrivalTrace, rng: np.random.Generator, trace_ns: IntArray
    ) -> None:
        self._model = model
        self._rng = rng
        self._trace_ns = trace_ns
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
        self._last = int(out[-1]) if count else self._last
        return out

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
