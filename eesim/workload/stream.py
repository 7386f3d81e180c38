"""The stream: arrivals, exits and service-time noise, drawn beforehand from named random streams.

Every replication has its own streams, one per purpose, derived from the scenario's seed. A mapping or a board never
changes what is drawn, so two scenarios that differ elsewhere see the same frames (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from time import thread_time
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import Field

from eesim.base import FULL_SPEED, FloatArray, IntArray
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.workload.arrivals import Arrivals, ArrivalSampler, mean_rate
from eesim.workload.confidences import Decisions, ExitConfidences, RowSampler, Samples
from eesim.workload.exits import ExitCounts, Exits, ExitSampler, ExitShares, FixedExit
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


def _frames(
    arrival_ns: IntArray,
    sources: IntArray,
    taken: _Taken,
    noise_ppm: IntArray,
    shown: tuple[IntArray, FloatArray],
) -> Frames:
    return Frames(
        arrival_ns,
        taken.exit,
        taken.confident,
        noise_ppm,
        source=sources,
        alternatives=taken.alternatives,
        correct=taken.correct,
        sample=taken.sample,
        scene=shown[0],
        doubt=shown[1],
    )


BYTES_PER_FRAME = 256
"""Streams with more frames than the limit has room for at this rate are not kept."""

T = TypeVar("T")


class DrawnBefore:
    """Parts of streams that were drawn, for those who draw the same again (common random numbers across points).

    Parameters
    ----------
    limit_bytes
        How much to keep; what was drawn first goes first. Long streams are drawn block by block and not kept.

    Attributes
    ----------
    drawing_s
        Processor time that drawing took, of what is kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: dict[Hashable, tuple[list[Any], int, object]] = {}
        self._size = 0
        self.drawing_s = 0.0

    def keeps(self, n_frames: int) -> bool:
        """Whether a stream of so many frames is short enough to be kept."""
        return n_frames <= self._limit // BYTES_PER_FRAME

    def part(self, key: Hashable, draw: Callable[[], list[T]], alive: object = None) -> list[T]:
        """Return the blocks of a part of a stream; ``alive`` is kept with them, because ids of it are in the key."""
        if key in self._kept:
            return self._kept[key][0]
        begin_s = thread_time()
        blocks = draw()
        self.drawing_s += thread_time() - begin_s
        size = sum(array.nbytes for block in blocks for array in _arrays(block))
        self._kept[key] = blocks, size, alive
        self._size += size
        while self._size > self._limit and len(self._kept) > 1:
            self._size -= self._kept.pop(next(iter(self._kept)))[1]
        return blocks


def _arrays(block: Any) -> tuple[IntArray, ...]:
    return block if isinstance(block, tuple) else (block,)


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

    def blocks(
        self, n_frames: int, *, seed: int, replication: int, drawn: DrawnBefore | None = None
    ) -> Iterator[Frames]:
        """Draw ``n_frames`` frames of one replication, in blocks of at most `BLOCK_FRAMES`.

        Parameters
        ----------
        n_frames, seed, replication
            What to draw.
        drawn
            What streams drew before: parts that are the same are taken from there. Blocks are then not to be changed.
        """
        if drawn is not None and drawn.keeps(n_frames):
            yield from self._kept(n_frames, seed, replication, drawn)
            return
        arrivals = ArrivalSampler(self.spec.arrivals, self._rng(seed, replication, "arrivals"), self.traces.arrival_ns)
        draw_exits = self._exits(self._rng(seed, replication, "exits"))
        noise_rng = self._rng(seed, replication, "noise")
        draw_scenes = self._scenes(self._rng(seed, replication, "scenes"))
        for begin in range(0, n_frames, BLOCK_FRAMES):
            arrival_ns = arrivals.draw(min(BLOCK_FRAMES, n_frames - begin))
            taken = draw_exits(begin, arrival_ns)
            shown = draw_scenes(arrival_ns, taken.regimes)
            yield _frames(arrival_ns, arrivals.sources, taken, self._noise(noise_rng, len(arrival_ns)), shown)

    def _kept(self, n_frames: int, seed: int, replication: int, drawn: DrawnBefore) -> Iterator[Frames]:
        """Draw the same blocks part by part: what was drawn before is there."""
        which = n_frames, seed, replication, self.number
        sizes = [min(BLOCK_FRAMES, n_frames - begin) for begin in range(0, n_frames, BLOCK_FRAMES)]
        # Traces go by their identity, and are kept with what was drawn from them.
        files = id(self.traces.arrival_ns), id(self.traces.exit)
        of_arrivals = repr(self.spec.arrivals), files[0], *which

        def draw_arrivals() -> list[tuple[IntArray, IntArray]]:
            rng = self._rng(seed, replication, "arrivals")
            sampler = ArrivalSampler(self.spec.arrivals, rng, self.traces.arrival_ns)
            return [(sampler.draw(size), sampler.sources) for size in sizes]

        arrivals = drawn.part(("arrivals", *of_arrivals), draw_arrivals, self.traces)

        def draw_exits() -> list[_Taken]:
            draw = self._exits(self._rng(seed, replication, "exits"))
            return [draw(block * BLOCK_FRAMES, arrival_ns) for block, (arrival_ns, _) in enumerate(arrivals)]

        exits = self.spec.exits
        if isinstance(exits, ExitConfidences):
            # What is drawn are rows of a table, in which the mapping's thresholds decide.
            taken = draw_exits()
        else:
            depends = () if isinstance(exits, ExitCounts | ExitShares | FixedExit) else of_arrivals
            # How often answers are right has no part in what is drawn.
            model = repr({key: value for key, value in exits if key != "accuracy"})
            taken = drawn.part(
                ("exits", type(exits).__name__, model, files[1], *depends, *which), draw_exits, self.traces
            )

        def draw_noise() -> list[IntArray]:
            rng = self._rng(seed, replication, "noise")
            return [self._noise(rng, size) for size in sizes]

        noise = drawn.part(("noise", repr(self.spec.noise), tuple(self.segments), *which), draw_noise)
        # Scenes take little to draw, and depend on arrivals or on regimes: they are not kept.
        draw_scenes = self._scenes(self._rng(seed, replication, "scenes"))
        for (arrival_ns, sources), exit_, noise_ppm in zip(arrivals, taken, noise, strict=True):
            yield _frames(arrival_ns, sources, exit_, noise_ppm, draw_scenes(arrival_ns, exit_.regimes))

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
