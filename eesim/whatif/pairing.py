"""What two scenarios' streams have in common: how far common random numbers can pair them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eesim.scenario.load import Scenario
from eesim.workload.arrivals import (
    AnyArrivals,
    ArrivalTrace,
    ClosedLoop,
    Periodic,
    Poisson,
    Superposed,
    mean_rate,
)
from eesim.workload.bursts import Mmpp, OnOff
from eesim.workload.confidences import ExitConfidences
from eesim.workload.correlated import CorrelatedExits
from eesim.workload.exits import ExitCounts, ExitShares
from eesim.workload.scenes import RegimeExits, ScheduledExits
from eesim.workload.schedules import RateSchedule
from eesim.workload.stream import Lognormal

Common = Literal["same", "same random numbers", "none", "different"]
"""``none``: there is nothing random to share; ``different``: drawn from unrelated numbers, or read from other files."""

PARTS = ("arrivals", "exits", "noise")


class StreamPairing(NamedTuple):
    """What one stream of two scenarios has in common."""

    name: str
    arrivals: Common
    exits: Common
    noise: Common

    def words(self) -> str:
        """``arrivals: the same; exits: different; noise: none``."""
        told = ((part, getattr(self, part)) for part in PARTS)
        return "; ".join(f"{part}: {'the same' if common == 'same' else common}" for part, common in told)


class Pairing(NamedTuple):
    """What replication r of two scenarios shares; of several streams, what all of them do."""

    frames: bool
    """Whether both simulate the same number of frames."""
    arrivals: Common
    exits: Common
    noise: Common
    streams: tuple[StreamPairing, ...] = ()
    """Each of several streams by itself."""

    @property
    def is_complete(self) -> bool:
        """Whether both see exactly the same frames."""
        return self.frames and {self.arrivals, self.exits, self.noise} <= {"same", "none"}

    def as_dict(self) -> dict[str, Any]:
        """Return the pairing as plain data."""
        streams = [stream._asdict() for stream in self.streams]
        return {**self._asdict(), "streams": streams, "complete": self.is_complete}

    def words(self) -> str:
        """Say what is common, and what that means if not all is."""
        said = [f"{stream.name} ({stream.words()})" for stream in self.streams]
        if len({stream[1:] for stream in self.streams}) <= 1:
            said = [StreamPairing("", self.arrivals, self.exits, self.noise).words()]
        if not self.frames:
            said.append("different numbers of frames")
        text = "; ".join(said)
        if self.is_complete:
            return text
        return (
            f"{text}. Not frame by frame the same stream: replications are still paired and intervals hold, "
            "but what is not common does not cancel"
        )


def pairing(a: Scenario, b: Scenario) -> Pairing:
    """Say what the streams of two scenarios that run with the same seed have in common.

    Several streams are paired by their places in the list: these decide which random numbers they get.
    """
    frames = a.n_frames == b.n_frames
    pairs = list(zip(a.streams, b.streams, strict=False))
    found = [StreamPairing(name, *_common(x, y)) for name, (x, y) in zip(_names(a, b), pairs, strict=False)]
    alone = _names(a, b)[len(pairs) :]
    found += [StreamPairing(name, "different", "different", "different") for name in alone]
    return Pairing(
        frames,
        _worst(stream.arrivals for stream in found),
        _worst(stream.exits for stream in found),
        _worst(stream.noise for stream in found),
        tuple(found) if a.members or b.members else (),
    )


def _names(a: Scenario, b: Scenario) -> list[str]:
    """Name of each stream in the scenario that has more of them; both names where they differ."""
    longer, shorter = (a.names, b.names) if len(a.names) >= len(b.names) else (b.names, a.names)
    told = [*longer] or [""]
    for i, name in enumerate(shorter):
        if name != told[i]:
            told[i] = f"{a.names[i]} / {b.names[i]}"
    return told


def _common(a: Scenario, b: Scenario) -> tuple[Common, Common, Common]:
    arrivals = _arrivals(a, b)
    return arrivals, _exits(a, b, arrivals in ("same", "none")), _noise(a, b)


def _worst(found: Iterable[Common]) -> Common:
    """Return what all of several have in common."""
    parts = set(found)
    order: tuple[Common, ...] = ("different", "same random numbers", "same")
    return next((common for common in order if common in parts), "none")


def _arrivals(a: Scenario, b: Scenario) -> Common:
    first, second = a.spec.stream.arrivals, b.spec.stream.arrivals
    if isinstance(first, ArrivalTrace) and isinstance(second, ArrivalTrace):
        return "same" if np.array_equal(a.traces.arrival_ns, b.traces.arrival_ns) else "different"
    return _instants(first, second)


def _instants(first: AnyArrivals, second: AnyArrivals) -> Common:
    """What two models of arrivals have in common that draw from the same random stream."""
    match first, second:
        case ClosedLoop(), ClosedLoop():
            # The source is the same, but who answers sooner also starts sooner.
            return "none"
        case Periodic(), Periodic():
            if (first.exact_rate, first.jitter, first.phase) == (second.exact_rate, second.jitter, second.phase):
                return "same"
            return "same random numbers" if first.jitter == second.jitter != 0 else "different"
        case Superposed(), Superposed() if len(first.sources) == len(second.sources):
            return _worst(map(_instants, first.sources, second.sources))
        case _ if first == second:
            return "same"
        case (Poisson(), Poisson()) | (Mmpp(), Mmpp()):
            # Gaps of another rate are the same exponential draws on another scale.
            return "same random numbers"
        case OnOff(), OnOff():
            alike = (first.process, first.phases) == (second.process, second.phases)
            return "same random numbers" if alike and (first.process, first.phases) != _NOT_DRAWN else "different"
        case RateSchedule(), RateSchedule():
            return "same random numbers" if first.process == second.process == "poisson" else "different"
    return "different"


_NOT_DRAWN = ("periodic", "fixed")
"""A source whose phases and gaps are fixed draws nothing."""


def _exits(a: Scenario, b: Scenario, same_instants: bool) -> Common:
    """What the exits have in common; some depend on the instants of arrival."""
    first, second = a.spec.stream.exits, b.spec.stream.exits
    match first, second:
        case ExitCounts(), ExitCounts():
            if _levels(first) == _levels(second):
                return "same"
            # The same deck is shuffled for test sets of the same size; counts say which cards leave where.
            return "same random numbers" if sum(first.counts) == sum(second.counts) else "different"
        case ExitShares(), ExitShares():
            # One uniform number decides each exit, whatever the shares.
            return "same" if _levels(first) == _levels(second) else "same random numbers"
        case ScheduledExits(), ScheduledExits():
            same = same_instants and (first.points, first.period) == (second.points, second.period)
            return "same" if same else "same random numbers"
        case (ExitShares() | ScheduledExits(), ExitShares() | ScheduledExits()):
            return "same random numbers"
        case CorrelatedExits(), CorrelatedExits():
            # The same innovations drive the latent difficulty, whatever its correlation and the counts.
            same = (first.counts, _lag_1(first, a)) == (second.counts, _lag_1(second, b))
            return "same" if same else "same random numbers"
        case RegimeExits(), RegimeExits():
            same = first.regimes == second.regimes and (first.in_frames or same_instants)
            return "same" if same else "same random numbers"
        case ExitConfidences(), ExitConfidences():
            if first.order != second.order or not _alike(a.traces.samples, b.traces.samples):
                return "different"
            # The same samples come in the same order; thresholds say where they leave.
            return "same" if _alike(a.decisions, b.decisions) else "same random numbers"
        case _ if type(first) is not type(second):
            return "different"
    columns = ("exit", "confident", "alternatives")
    same = all(np.array_equal(getattr(a.traces, name), getattr(b.traces, name)) for name in columns)
    return "same" if same and getattr(first, "exit", None) == getattr(second, "exit", None) else "different"


def _alike(first: Iterable[NDArray[Any]], second: Iterable[NDArray[Any]]) -> bool:
    return all(map(np.array_equal, first, second))


def _levels(model: ExitCounts | ExitShares) -> list[tuple[Any, ...]]:
    """Counts or shares, at every level of an adaptive policy."""
    name = "counts" if isinstance(model, ExitCounts) else "shares"
    return [getattr(level, name) for level in (model, *model.alternatives)]


def _lag_1(model: CorrelatedExits, scenario: Scenario) -> float:
    return model.lag_1(mean_rate(scenario.spec.stream.arrivals, scenario.traces.arrival_ns))


def _noise(a: Scenario, b: Scenario) -> Common:
    first, second = a.spec.stream.noise, b.spec.stream.noise
    if first is None and second is None:
        return "none"
    if type(first) is not type(second) or len(a.network.segments) != len(b.network.segments):
        return "different"
    return "same random numbers" if isinstance(first, Lognormal) and first != second else "same"
