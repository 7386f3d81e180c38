"""Exits that depend on a regime (day and night, easy and hard scenes) or on the time of arrival."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.base import FloatArray, IntArray
from eesim.findings import SpecError
from eesim.spec import Spec
from eesim.units import DurationNs
from eesim.workload.exit_parts import Accuracies, Shares, by_edges, edges_of, shares_findings
from eesim.workload.schedules import knots, schedule_findings, values_at
from eesim.workload.switching import (
    Dwell,
    NextShares,
    Switching,
    SwitchingPath,
    dwell_findings,
    dwell_law,
    next_findings,
    switching,
)


class Regime(Spec):
    """A kind of scene: its exit shares, how long it lasts and which regimes follow.

    A dwell is the mean of a memoryless one (geometric in frames, exponential in time), or a list to draw from.
    """

    shares: Shares
    dwell: Dwell
    next: NextShares | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = shares_findings(self.shares) + dwell_findings(self.dwell)
        if found:
            raise SpecError(found)
        return self


class RegimeExits(Spec):
    """Independent draws with shares that depend on a hidden regime (a hidden semi-Markov model).

    The first regime, and what is left of it, are drawn from equilibrium: the stream has no transient of its own.
    """

    kind: Literal["regimes"]
    regimes: Annotated[dict[str, Regime], Field(min_length=2, max_length=64)]
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found: list[tuple[tuple[int | str, ...], str, str]] = []
        units = [dwell_law(regime.dwell).in_frames for regime in self.regimes.values()]
        odd = next((i for i, unit in enumerate(units) if unit != units[0]), None)
        if odd is not None:
            path = ("regimes", list(self.regimes)[odd], "dwell")
            found.append((path, "is in another unit than the first regime's: give frames or times throughout", ""))
        following = {name: regime.next for name, regime in self.regimes.items()}
        found += [(("regimes", *path), message, hint) for path, message, hint in next_findings(following)]
        if found:
            raise SpecError(found)
        return self

    @property
    def in_frames(self) -> bool:
        """Whether regimes last for frames, not for times."""
        return dwell_law(next(iter(self.regimes.values())).dwell).in_frames

    @property
    def switching(self) -> Switching:
        """The process of the regimes, in frames or in ns."""
        regimes = list(self.regimes.values())
        return switching([r.dwell for r in regimes], [r.next for r in regimes], list(self.regimes))

    @property
    def shares(self) -> FloatArray:
        """Share of each exit in the long run: the regimes' shares weighted by how much of the stream they cover."""
        table = np.array([[float(share) for share in regime.shares] for regime in self.regimes.values()])
        return np.asarray(self.switching.shares @ table, np.float64)


class SharePoint(Spec):
    """Exit shares at an instant."""

    at: DurationNs
    shares: Shares

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = shares_findings(self.shares)
        if found:
            raise SpecError(found)
        return self


class ScheduledExits(Spec):
    """Independent draws with shares that follow a schedule: piecewise linear in the instant of arrival.

    Two points at the same instant make a step. With a period the schedule repeats (and the line goes on from the last
    point to the first one); without, the last shares stay.
    """

    kind: Literal["schedule"]
    points: Annotated[tuple[SharePoint, ...], Field(min_length=1, max_length=10_000)]
    period: DurationNs | None = None
    accuracy: Accuracies | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = schedule_findings([point.at for point in self.points], self.period)
        for i, point in enumerate(self.points):
            if len(point.shares) != len(self.points[0].shares):
                message = f"has {len(point.shares)} entries, but the first point {len(self.points[0].shares)}"
                found.append((("points", i, "shares"), message))
        if found:
            raise SpecError(found)
        return self

    def edges_at(self, instants: IntArray) -> FloatArray:
        """Upper edges of the exits' parts of the unit interval at instants, (n, K)."""
        edges = np.array([np.cumsum([float(share) for share in point.shares]) for point in self.points])
        out = values_at(*knots([point.at for point in self.points], edges, self.period), self.period, instants)
        # What rounding leaves over goes to the last exit that anyone takes now.
        out[out >= out[:, -1:]] = np.inf
        return out


class RegimeSampler:
    """Draws the exits of a `RegimeExits`.

    Parameters
    ----------
    model
        What to draw.
    rng
        Random stream.
    """

    def __init__(self, model: RegimeExits, rng: np.random.Generator) -> None:
        path_rng, self._rng = rng.spawn(2)
        self._path = SwitchingPath(model.switching, path_rng)
        self._in_frames = model.in_frames
        self._edges = np.array([edges_of(regime.shares) for regime in model.regimes.values()])
        self._drawn = 0
        self.regimes: IntArray = np.zeros(0, np.int64)
        """Regime of each of the frames drawn last."""

    def draw(self, count: int, arrival_ns: IntArray) -> IntArray:
        """Return the exits of the next ``count`` frames, 0-based."""
        index = np.arange(self._drawn, self._drawn + count, dtype=np.int64)
        self._drawn += count
        regime = self.regimes = self._path.at(index if self._in_frames else arrival_ns)
        u = self._rng.random(count)
        out = np.empty(count, np.int64)
        for i, edges in enumerate(self._edges):
            here = regime == i
            out[here] = by_edges(edges, u[here])
        return out


def draw_scheduled(model: ScheduledExits, rng: np.random.Generator, arrival_ns: IntArray) -> IntArray:
    """Return the exits of the frames that arrive at these instants, 0-based."""
    return by_edges(model.edges_at(arrival_ns), rng.random(len(arrival_ns)))
