"""Arrivals at a rate that changes: counted in operational time, where they come at rate 1, and mapped to the clock.

The mass up to an instant is the integral of the rate, in frames. A Poisson process of unit rate in mass is a Poisson
process of the changing rate on the clock; whole numbers of mass are a camera whose rate changes (Cinlar, *Introduction
to Stochastic Processes*, 1975, section 4.7).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray

Process = Literal["poisson", "periodic"]

_TOLERANCE = 1e-7
"""Frames by which rounding may put an arrival before the end of a piece that it should not be in."""

LATEST_NS = 9_000_000_000_000_000
"""Instants beyond do not fit the engines' 64-bit nanoseconds with room for the run."""


class Pieces(NamedTuple):
    """Consecutive pieces of time in which the rate is linear."""

    start_ns: IntArray
    length_ns: IntArray
    rate_from: FloatArray
    """Frames per ns where the piece begins."""
    rate_to: FloatArray
    mass: FloatArray
    """Frames due before the piece begins."""
    end_mass: float
    """Frames due before the last piece ends."""

    def since(self, first: int) -> Pieces:
        """Return the pieces from one on."""
        return Pieces(
            self.start_ns[first:],
            self.length_ns[first:],
            self.rate_from[first:],
            self.rate_to[first:],
            self.mass[first:],
            self.end_mass,
        )


def _joined(parts: list[Pieces]) -> Pieces:
    """Return parts that follow each other as one."""
    columns = zip(*(part[:-1] for part in parts), strict=True)
    start, length, rate_from, rate_to, mass = (np.concatenate(column) for column in columns)
    return Pieces(start, length, rate_from, rate_to, mass, parts[-1].end_mass)


class OperationalTime:
    """Maps mass to instants, drawing pieces as far as they are asked for.

    Parameters
    ----------
    pieces
        Pieces of time, without gaps.
    """

    def __init__(self, pieces: Iterator[Pieces]) -> None:
        self._pieces = pieces
        self._known = next(pieces)

    def instants(self, mass: FloatArray) -> IntArray:
        """Return when each mass is reached, ns; masses never decrease from call to call."""
        if not len(mass):
            return np.zeros(0, np.int64)
        parts = [self._known]
        while parts[-1].end_mass <= mass[-1] + _TOLERANCE:
            parts.append(next(self._pieces))
        known = _joined(parts)
        piece = np.searchsorted(known.mass, mass + _TOLERANCE, side="right") - 1
        self._known = known.since(int(piece[-1]))
        left = np.maximum(mass - known.mass[piece], 0)
        length, rate = known.length_ns[piece], known.rate_from[piece]
        slope = (known.rate_to[piece] - rate) / np.maximum(length, 1)
        # Where rate x + slope x^2 / 2 = left, in the form that stays accurate for flat pieces.
        below = rate + np.sqrt(np.maximum(rate * rate + 2 * slope * left, 0))
        into = np.divide(2 * left, below, out=np.zeros(len(mass)), where=below > 0)
        return np.asarray(known.start_ns[piece] + np.minimum(np.rint(into).astype(np.int64), length), np.int64)


class ModulatedArrivals:
    """Draws arrivals at a rate that changes.

    Parameters
    ----------
    process
        ``poisson``: at random; ``periodic``: evenly spaced in operational time, the first when the mass is 0.
    pieces
        The rate.
    rng
        Random stream of the Poisson process.
    """

    def __init__(self, process: Process, pieces: Iterator[Pieces], rng: np.random.Generator) -> None:
        self._process = process
        self._time = OperationalTime(pieces)
        self._rng = rng
        self._drawn = 0
        self._mass = 0.0

    def draw(self, count: int) -> IntArray:
        """Return the next ``count`` instants in ns, never decreasing."""
        if self._process == "periodic":
            mass = np.arange(self._drawn, self._drawn + count, dtype=np.float64)
            self._drawn += count
        else:
            mass = np.cumsum(np.append(self._mass, self._rng.exponential(1.0, count)))[1:]
            self._mass = float(mass[-1]) if count else self._mass
        return self._time.instants(mass)
