"""The stream: arrivals, exits and service-time noise, drawn beforehand from named random streams.

Every replication has its own streams, one per purpose, derived from the scenario's seed. A mapping or a board never
changes what is drawn, so two scenarios that differ elsewhere see the same frames (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import thread_time
from typing import Annotated, Literal, NamedTuple, Protocol

import numpy as np
from pydantic import Field

from eesim.base import FULL_SPEED, IntArray
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.workload.arrivals import Arrivals, ArrivalSampler
from eesim.workload.exits import Exits, ExitSampler

BLOCK_FRAMES = 1 << 16
"""Frames drawn at a time; part of the definition of what a seed means."""

_PURPOSES = {"arrivals": 0, "exits": 1, "noise": 2}


class Exponential(Spec):
    """Exponentially distributed service times with the profile's time as their mean."""

    kind: Literal["exponential"]


class Lognormal(Spec):
    """Lognormal service times with the profile's time as their mean and a coefficient of variation."""

    kind: Literal["lognormal"]
    cv: Annotated[float, Field(gt=0, le=10)]


Noise = Annotated[Exponential | Lognormal, OneOf()]


class StreamSpec(Spec):
    """What comes in: when frames arrive, which exits they take, how service times vary."""

    arrivals: Arrivals
    exits: Exits
    noise: Noise | None = None


class Traces(NamedTuple):
    """What the stream's files hold; empty arrays where there is no file."""

    arrival_ns: IntArray
    """(F,) instants."""
    exit: IntArray
    """(F,) exits, 0-based."""
    confident: IntArray
    """(F,) bit masks of confident exits, or empty."""


class Frames(NamedTuple):
    """A block of drawn frames, before any mapping."""

    arrival_ns: IntArray
    exit: IntArray
    confident: IntArray
    noise_ppm: IntArray
    """(F, segments), or (0, segments) for none."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream ready to be drawn.

    Attributes
    ----------
    spec
        Its models.
    traces
        What its files hold.
    n_segments
        Segments of the network (columns of the noise).
    """

    spec: StreamSpec
    traces: Traces
    n_segments: int

    def blocks(
        self, n_frames: int, *, seed: int, replication: int, drawn: DrawnBefore | None = None
    ) -> Iterator[Frames]:
        """Draw ``n_frames`` frames of one replication, in blocks of at most `BLOCK_FRAMES`.

        Parameters
        ----------
        n_frames, seed, replication
            What to draw.
        drawn
            What other streams drew before: parts that are the same are taken from there. Not to be changed.
        """
        drawn = DrawnBefore(0) if drawn is None else drawn
        sizes = [min(BLOCK_FRAMES, n_frames - begin) for begin in range(0, n_frames, BLOCK_FRAMES)]
        which = n_frames, seed, replication
        arrivals = drawn.part(
            ("arrivals", repr(self.spec.arrivals), id(self.traces.arrival_ns), *which),
            lambda: ArrivalSampler(self.spec.arrivals, _rng(seed, replication, "arrivals"), self.traces.arrival_ns),
            sizes,
        )
        exits = drawn.part(
            ("exits", _without_accuracy(self.spec.exits), id(self.traces.exit), *which),
            lambda: ExitSampler(self.spec.exits, _rng(seed, replication, "exits"), self.traces.exit),
            sizes,
        )
        noise = drawn.part(
            ("noise", repr(self.spec.noise), self.n_segments, *which),
            lambda: NoiseSampler(self.spec.noise, _rng(seed, replication, "noise"), self.n_segments),
            sizes,
        )
        begin = 0
        for size, arrival_ns, exit_, noise_ppm in zip(sizes, arrivals, exits, noise, strict=True):
            yield Frames(arrival_ns, exit_, self.traces.confident[begin : begin + size], noise_ppm)
            begin += size


class NoiseSampler:
    """Draws one replication's noise, block after block.

    Parameters
    ----------
    model
        What to draw; None for nothing.
    rng
        Random stream of this replication's noise.
    n_segments
        Segments of the network.
    """

    def __init__(self, model: Exponential | Lognormal | None, rng: np.random.Generator, n_segments: int) -> None:
        self._model = model
        self._rng = rng
        self._n_segments = n_segments

    def draw(self, count: int) -> IntArray:
        """Return the factors of the next ``count`` frames on each segment's time, ppm."""
        shape = (count, self._n_segments)
        match self._model:
            case Exponential():
                factor = self._rng.exponential(1.0, shape)
            case Lognormal(cv=cv):
                sigma = np.sqrt(np.log1p(cv * cv))
                factor = self._rng.lognormal(-sigma * sigma / 2, sigma, shape)
            case _:
                return np.zeros((0, self._n_segments), np.int64)
        return np.rint(factor * FULL_SPEED).astype(np.int64)


class Sampler(Protocol):
    """Draws blocks of one replication's stream in order."""

    def draw(self, count: int) -> IntArray:
        """Return what the next ``count`` frames get."""
        ...


class DrawnBefore:
    """Parts of streams that were drawn, for those who draw the same again (common random numbers across points).

    Parameters
    ----------
    limit_bytes
        How much to keep; what was drawn first goes first. With 0 nothing is kept, and blocks are drawn one by one.

    Attributes
    ----------
    drawing_s
        Processor time that drawing took, of what is kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: dict[Hashable, list[IntArray]] = {}
        self._size = 0
        self.drawing_s = 0.0

    def part(self, key: Hashable, make: Callable[[], Sampler], sizes: Sequence[int]) -> Iterable[IntArray]:
        """Return the blocks of a part of a stream."""
        if not self._limit:
            sampler = make()
            return (sampler.draw(size) for size in sizes)
        known = self._kept.get(key)
        if known is None:
            begin_s = thread_time()
            sampler = make()
            known = [sampler.draw(size) for size in sizes]
            self.drawing_s += thread_time() - begin_s
            self._kept[key] = known
            self._size += sum(block.nbytes for block in known)
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= sum(block.nbytes for block in self._kept.pop(next(iter(self._kept))))
        return known


def _without_accuracy(exits: Exits) -> str:
    """What an exit model draws: how often its answers are right has no part in it."""
    return repr({key: value for key, value in exits if key != "accuracy"})


def _rng(seed: int, replication: int, purpose: str) -> np.random.Generator:
    key = (replication, _PURPOSES[purpose])
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
