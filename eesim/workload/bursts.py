"""Bursty arrivals: Markov-modulated Poisson processes and sources that switch on and off, with their closed forms."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.findings import SpecError
from eesim.spec import Spec
from eesim.units import DurationNs, RateHz
from eesim.workload.operational_time import ModulatedArrivals, Pieces, Process
from eesim.workload.switching import NextShares, Switching, SwitchingPath, next_findings, switching

NS_PER_S = 1_000_000_000


class MmppState(Spec):
    """A state of a Markov-modulated source: its rate (none: silent) and its mean dwell, exponentially distributed."""

    rate: RateHz | None = None
    dwell: DurationNs
    next: NextShares | None = None


class Mmpp(Spec):
    """A Markov-modulated Poisson process: Poisson at a rate that depends on a hidden state.

    The state changes in continuous time; the first one is drawn from the stationary distribution.
    """

    kind: Literal["mmpp"]
    states: Annotated[dict[str, MmppState], Field(min_length=2, max_length=64)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = [(("states", *path), message, hint) for path, message, hint in next_findings(_nexts(self))]
        found += [(("states", name, "dwell"), "must be above 0", "") for name, s in self.states.items() if s.dwell == 0]
        if all(state.rate is None for state in self.states.values()):
            found.append((("states",), "at least one state needs a rate: nothing would ever arrive", ""))
        if found:
            raise SpecError(found)
        return self

    @property
    def switching(self) -> Switching:
        """The process of the states, in ns."""
        states = list(self.states.values())
        return switching([s.dwell for s in states], [s.next for s in states], list(self.states))

    @property
    def rates_hz(self) -> tuple[float, ...]:
        """Frames per second in each state."""
        return tuple(float(state.rate or 0) for state in self.states.values())

    @property
    def mean_rate(self) -> Fraction:
        """Frames per second on average: the states' rates weighted by their shares of time."""
        return Fraction(float(self.switching.shares @ np.array(self.rates_hz)))

    @property
    def dispersion(self) -> float:
        """Index of dispersion for counts over long intervals, variance / mean; 1 for a Poisson process.

        ``1 + 2 (pi R (e pi - Q)^-1 R e - m^2) / m`` with the generator Q, the rates R on a diagonal, their stationary
        distribution pi and the mean rate m (Fischer and Meier-Hellstern, *The Markov-modulated Poisson process (MMPP)
        cookbook*, Performance Evaluation 18, 1993).
        """
        process, rates = self.switching, np.array(self.rates_hz)
        leaving = np.array([NS_PER_S / law.mean for law in process.dwells])
        generator = leaving[:, None] * (process.next_shares - np.eye(len(rates)))
        shares = process.shares
        mean = float(shares @ rates)
        spread = np.linalg.solve(np.tile(shares, (len(rates), 1)) - generator, rates)
        return 1 + 2 * (float((shares * rates) @ spread) - mean * mean) / mean


def _nexts(model: Mmpp) -> dict[str, NextShares | None]:
    return {name: state.next for name, state in model.states.items()}


class OnOff(Spec):
    """A source that sends at a rate while it is on, and nothing while it is off.

    Exponential phases begin in equilibrium; fixed ones with an on phase at 0. Frames of a periodic source are evenly
    spaced in the time that it is on: what is left of a gap when it goes off is waited for when it is on again.
    """

    kind: Literal["on_off"]
    rate: RateHz
    on: DurationNs
    off: DurationNs
    phases: Literal["exponential", "fixed"] = "exponential"
    process: Process = "periodic"

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        found = [((name,), "must be above 0") for name in ("on", "off") if getattr(self, name) == 0]
        if found:
            raise SpecError(found)
        return self

    @property
    def duty_cycle(self) -> Fraction:
        """Share of time that the source is on."""
        return Fraction(self.on, self.on + self.off)

    @property
    def mean_rate(self) -> Fraction:
        """Frames per second on average, exactly."""
        return self.rate * self.duty_cycle


def bursty_arrivals(model: Mmpp | OnOff, rng: np.random.Generator) -> ModulatedArrivals:
    """Return the sampler of a bursty source."""
    states_rng, frames_rng = rng.spawn(2)
    if isinstance(model, Mmpp):
        return ModulatedArrivals("poisson", _switched(model.switching, model.rates_hz, states_rng), frames_rng)
    if model.phases == "fixed":
        return ModulatedArrivals(model.process, _cycles(model), frames_rng)
    process = switching([model.on, model.off], [None, None], ["on", "off"])
    return ModulatedArrivals(model.process, _switched(process, (float(model.rate), 0.0), states_rng), frames_rng)


def _switched(process: Switching, rates_hz: tuple[float, ...], rng: np.random.Generator) -> Iterator[Pieces]:
    """Pieces of constant rate along a random path."""
    path, per_ns = SwitchingPath(process, rng), np.array(rates_hz) / NS_PER_S
    start, mass = 0, 0.0
    while True:
        regimes, lengths = path.take()
        starts = np.cumsum(np.append(start, lengths))
        masses = np.cumsum(np.append(mass, lengths * per_ns[regimes]))
        start, mass = int(starts[-1]), float(masses[-1])
        yield Pieces(starts[:-1], lengths, per_ns[regimes], per_ns[regimes], masses[:-1], mass)


def _cycles(model: OnOff) -> Iterator[Pieces]:
    """Pieces of fixed on and off phases; masses are multiples of that of a phase, so that nothing adds up."""
    at_a_time, first = 512, 0
    per_ns, each = float(model.rate / NS_PER_S), float(model.rate * model.on / NS_PER_S)
    length = np.tile(np.array([model.on, model.off], np.int64), at_a_time)
    rate = np.tile([per_ns, 0.0], at_a_time)
    while True:
        cycle = np.repeat(np.arange(first, first + at_a_time, dtype=np.int64), 2)
        second = np.tile(np.array([0, 1], np.int64), at_a_time)
        start = cycle * (model.on + model.off) + second * model.on
        mass = (cycle + second).astype(np.float64) * each
        first += at_a_time
        yield Pieces(start, length, rate, rate, mass, first * each)
