"""Counted exits whose difficulty is correlated in time: a Gaussian copula over a latent AR(1) process.

Each frame has a latent difficulty ``x_k = r x_(k-1) + sqrt(1 - r^2) e_k`` with independent standard normal ``e_k``. In
each pass over the counted test set, the frames of lowest difficulty take the first exit, the next ones the second, each
exit exactly as often as counted.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.base import FloatArray, IntArray
from eesim.findings import SpecError
from eesim.spec import Spec
from eesim.units import DurationNs
from eesim.workload.exit_parts import Accuracies, Counts, counts_findings

NS_PER_S = 1_000_000_000
_CHUNK = 1 << 16

_ONE_OF = ("autocorrelation", "correlation_frames", "correlation_time")


class CorrelatedExits(Spec):
    """Passes over a counted test set in an order in which frames of similar difficulty follow each other.

    How strongly is said once: as lag-1 autocorrelation of the latent difficulty, or as the frames (or the time) after
    which it has fallen to 1/e.
    """

    kind: Literal["correlated"]
    counts: Counts
    autocorrelation: Annotated[float, Field(gt=-1, lt=1)] | None = None
    correlation_frames: Annotated[float, Field(gt=0, le=1e9)] | None = None
    correlation_time: DurationNs | None = None
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = counts_findings(self.counts)
        given = [name for name in _ONE_OF if getattr(self, name) is not None]
        if len(given) != 1:
            found.append(((given[-1] if given else _ONE_OF[0],), f"give one of {', '.join(_ONE_OF)}"))
        if self.correlation_time == 0:
            found.append((("correlation_time",), "must be above 0"))
        if found:
            raise SpecError(found)
        return self

    def lag_1(self, rate: Fraction | None) -> float:
        """Autocorrelation of the latent difficulty from a frame to the next.

        Parameters
        ----------
        rate
            Mean frames per second of the stream, for a correlation given in time: arrivals are taken to be evenly
            spaced.
        """
        if self.autocorrelation is not None:
            return self.autocorrelation
        frames = self.correlation_frames
        if frames is None:
            if rate is None or self.correlation_time is None:
                raise ValueError("a correlation time needs a rate")
            frames = float(self.correlation_time * rate / NS_PER_S)
        return math.exp(-1 / frames) if frames > 0 else 0.0


def ar1(start: float, lag_1: float, noise: FloatArray) -> FloatArray:
    """Continue a stationary AR(1) process of variance 1 from its last value.

    One step after the other, so that the values do not depend on how the process is cut.

    Parameters
    ----------
    start
        Last value.
    lag_1
        Autocorrelation at lag 1.
    noise
        (n,) independent standard normal numbers.
    """
    out, x, scale = np.empty(len(noise)), start, math.sqrt(1 - lag_1 * lag_1)
    for begin in range(0, len(noise), _CHUNK):
        steps = (scale * noise[begin : begin + _CHUNK]).tolist()
        for i, step in enumerate(steps):
            x = lag_1 * x + step
            steps[i] = x
        out[begin : begin + _CHUNK] = steps
    return out


class CorrelatedDeck:
    """Deals counted exits, pass by pass, in the order that a latent difficulty gives them.

    The latent process goes on from pass to pass: neighbours on both sides of a seam are as correlated as any others.

    Parameters
    ----------
    counts
        Frames per exit and pass.
    lag_1
        Autocorrelation of the latent difficulty at lag 1.
    rng
        Random stream.
    """

    def __init__(self, counts: tuple[int, ...], lag_1: float, rng: np.random.Generator) -> None:
        self._by_rank = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        self._lag_1 = lag_1
        self._rng = rng
        self._last: float | None = None
        self._left = np.zeros(0, np.int64)

    def draw(self, count: int) -> IntArray:
        """Return the exits of the next ``count`` frames, 0-based."""
        parts = [self._left]
        have = len(self._left)
        while have < count:
            parts.append(self._deal())
            have += len(parts[-1])
        cards = np.concatenate(parts)
        self._left = cards[count:].copy()
        return cards[:count]

    def _deal(self) -> IntArray:
        if self._last is None:
            self._last = float(self._rng.standard_normal())
        latent = ar1(self._last, self._lag_1, self._rng.standard_normal(len(self._by_rank)))
        self._last = float(latent[-1])
        exits = np.empty(len(latent), np.int64)
        # Stable: values that floating point cannot tell apart keep their order.
        exits[np.argsort(latent, kind="stable")] = self._by_rank
        return exits
