"""The stream: arrivals, exits and service-time noise, drawn beforehand from named random streams.

Every replication has its own streams, one per purpose, derived from the scenario's seed. A mapping or a board never
changes what is drawn, so two scenarios that differ elsewhere see the same frames (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from eesim.base import FULL_SPEED, FloatArray, IntArray
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.workload.arrivals import Arrivals, ArrivalSampler, mean_rate
from eesim.workload.confidences import Decisions, ExitConfidences, RowSampler, Samples
from eesim.workload.exits import Exits, ExitSampler
from eesim.workload.similarity import Scenes, SceneSampler

NOTHING: IntArray = np.zeros(0, np.int64)

NO_DOUBT: FloatArray = np.zeros(0, np.float64)

UNDECIDED = Decisions()

BLOCK_FRAMES = 1 << 16
"""Frames drawn at a time; part of the definition of what a seed means."""

_PURPOSES = {"arrivals": 0, "exits": 1, "noise": 2, "scenes": 3}


class Exponential(Spec):
    """Exponentially distributed service times with the profile's time as their mean."""

    kind: Literal["exponential"]


class Lognormal(Spec):
    """Lognormal service times with the profile's time as their mean and a coefficient of variation.

    ``cv`` is that of every segment, or one of each segment that is named; the times of the others do not vary.
    """

    kind: Literal["lognormal"]
    cv: Annotated[Annotated[float, Field(gt=0, le=10)] | dict[str, Annotated[float, Field(ge=0, le=10)]], OneOf()]

    def sigma(self, segments: Sequence[str]) -> float | FloatArray:
        """Standard deviation of the logarithm of the times: of all segments, or of each."""
        if isinstance(self.cv, dict):
            return np.sqrt(np.log1p(np.square([self.cv.get(name, 0.0) for name in segments])))
        return float(np.sqrt(np.log1p(self.cv * self.cv)))


Noise = Annotated[Exponential | Lognormal, OneOf()]


class StreamSpec(Spec):
    """What comes in: when frames arrive, which exits they take, how service times vary, which frames show the same."""

    arrivals: Arrivals
    exits: Exits
    noise: Noise | None = None
    scenes: Scenes | None = None


NO_ALTERNATIVES: IntArray = np.zeros((0, 0), np.int64)


class Traces(NamedTuple):
    """What the stream's files hold; empty arrays where there is no file."""

    arrival_ns: IntArray
    """(F,) instants."""
    exit: IntArray
    """(F,) exits, 0-based."""
    confident: IntArray
    """(F,) bit masks of confident exits, or empty."""
    alternatives: IntArray = NO_ALTERNATIVES
    """(F, A) exits under other thresholds, or empty."""
    samples: Samples = Samples()
    """Confidence and correctness, sample by sample."""
    scene: IntArray = NOTHING
    """(F,) scene of each frame, or empty."""


class Frames(NamedTuple):
    """A block of drawn frames, before any mapping."""

    arrival_ns: IntArray
    exit: IntArray
    confident: IntArray
    noise_ppm: IntArray
    """(F, segments), or (0, segments) for none."""
    source: IntArray = NOTHING
    """(F,) source of each frame, 0-based; empty unless arrivals are superposed."""
    alternatives: IntArray = NO_ALTERNATIVES
    """(F, A) exits at the levels above level 0, or (0, 0) for none."""
    correct: IntArray = NOTHING
    """(F,) bit masks of the exits whose answer would be right, or empty."""
    sample: IntArray = NOTHING
    """(F,) row of each frame's sample in the table of confidences, or empty."""
    scene: IntArray = NOTHING
    """(F,) scene of each frame, or empty."""
    doubt: FloatArray = NO_DOUBT
    """(F,) uniform number from 0 to 1 that says where a detector of scenes errs, or empty."""


class _Taken(NamedTuple):
    """Which exits frames take; the columns of `Frames` of the same names."""

    exit: IntArray
    confident: IntArray
    alternatives: IntArray = NO_ALTERNATIVES
    correct: IntArray = NOTHING
    sample: IntArray = NOTHING
    regimes: IntArray = NOTHING


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream ready to be drawn.

    Attributes
    ----------
    spec
        Its models.
    traces
        What its files hold.
    segments
        Names of the network's segments (columns of the noise).
    number
        Place among the scenario's streams: each has its own random streams.
    decisions
        What the mapping's thresholds make of the samples of a table of confidences.
    """

    spec: StreamSpec
    traces: Traces
    segments: tuple[str, ...]
    number: int = 0
    decisions: Decisions = UNDECIDED

    def blocks(self, n_frames: int, *, seed: int, replication: int) -> Iterator[Frames]:
        """Draw ``n_frames`` frames of one replication, in blocks of at most `BLOCK_FRAMES`."""
        arrivals = ArrivalSampler(self.spec.arrivals, self._rng(seed, replication, "arrivals"), self.traces.arrival_ns)
        draw_exits = self._exits(self._rng(seed, replication, "exits"))
        noise_rng = self._rng(seed, replication, "noise")
        draw_scenes = self._scenes(self._rng(seed, replication, "scenes"))
        for begin in range(0, n_frames, BLOCK_FRAMES):
            arrival_ns = arrivals.draw(min(BLOCK_FRAMES, n_frames - begin))
            taken = draw_exits(begin, arrival_ns)
            scene, doubt = draw_scenes(arrival_ns, taken.regimes)
            yield Frames(
                arrival_ns,
                taken.exit,
                taken.confident,
                self._noise(noise_rng, len(arrival_ns)),
                source=arrivals.sources,
                alternatives=taken.alternatives,
                correct=taken.correct,
                sample=taken.sample,
                scene=scene,
                doubt=doubt,
            )

    def _exits(self, rng: np.random.Generator) -> Callable[[int, IntArray], _Taken]:
        """Return what draws the exits of the frames from a place on, which arrive at given instants."""
        model = self.spec.exits
        if isinstance(model, ExitConfidences):
            rows, found = RowSampler(model, rng, len(self.decisions.exit)), self.decisions

            def from_table(_: int, arrival_ns: IntArray) -> _Taken:
                row = rows.draw(len(arrival_ns))
                return _Taken(found.exit[row], found.confident[row], correct=found.correct[row], sample=row)

            return from_table
        sampler = ExitSampler(model, rng, self._exit_columns(), mean_rate(self.spec.arrivals, self.traces.arrival_ns))
        confident = self.traces.confident

        def drawn(begin: int, arrival_ns: IntArray) -> _Taken:
            count = len(arrival_ns)
            levels = sampler.draw_levels(count, arrival_ns)
            others = levels[:, 1:] if levels.shape[1] > 1 else NO_ALTERNATIVES
            own = np.ascontiguousarray(levels[:, 0])
            return _Taken(own, confident[begin : begin + count], others, regimes=sampler.regimes)

        return drawn

    def _scenes(self, rng: np.random.Generator) -> Callable[[IntArray, IntArray], tuple[IntArray, FloatArray]]:
        """Return what draws scenes, and doubts about them, for frames that arrive at instants and have regimes."""
        model = self.spec.scenes
        own, doubts = rng.spawn(2)
        sampler = None if model is None else SceneSampler(model, own, self.traces.scene)

        def drawn(arrival_ns: IntArray, regimes: IntArray) -> tuple[IntArray, FloatArray]:
            if sampler is None:
                return NOTHING, NO_DOUBT
            return sampler.draw(arrival_ns, regimes), doubts.random(len(arrival_ns))

        return drawn

    def _exit_columns(self) -> IntArray:
        if not self.traces.alternatives.size:
            return self.traces.exit
        return np.column_stack([self.traces.exit, self.traces.alternatives])

    def _noise(self, rng: np.random.Generator, count: int) -> IntArray:
        shape = (count, len(self.segments))
        match self.spec.noise:
            case Exponential():
                factor = rng.exponential(1.0, shape)
            case Lognormal() as model:
                sigma = model.sigma(self.segments)
                factor = rng.lognormal(-sigma * sigma / 2, sigma, shape)
            case _:
                return np.zeros((0, len(self.segments)), np.int64)
        return np.rint(factor * FULL_SPEED).astype(np.int64)

    def _rng(self, seed: int, replication: int, purpose: str) -> np.random.Generator:
        # The first stream draws what it would draw if it were the only one.
        key = (replication, _PURPOSES[purpose], *([self.number] if self.number else []))
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
