"""Piecewise linear schedules: what a rate or exit shares are at every instant, once or over and over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError, Problem
from eesim.findings import SpecError
from eesim.spec import Spec
from eesim.units import DurationNs, RateHz
from eesim.wording import DataPath
from eesim.workload.operational_time import LATEST_NS, ModulatedArrivals, Pieces, Process

NS_PER_S = 1_000_000_000


def schedule_findings(at: Sequence[int], period: int | None) -> list[tuple[DataPath, str]]:
    """What is wrong with the instants of a schedule's points."""
    found: list[tuple[DataPath, str]] = []
    for i in range(1, len(at)):
        if at[i] < at[i - 1]:
            found.append((("points", i, "at"), "is earlier than the point before"))
    if period is not None and period < max(at[-1], 1):
        found.append((("period",), "must be above 0, and no point may lie behind it"))
    return found


def knots(at: Sequence[int], values: FloatArray, period: int | None) -> tuple[IntArray, FloatArray]:
    """Instants and values (n, ...) of a schedule from 0 to its period (or to its last point), ends included.

    Before the first point the value is the first one's, or, with a period, on the line from the last point to the
    first one of the next period.
    """
    times = np.array(at, np.int64)
    before, after = values[:1], values[:1]
    if period is not None:
        gap = int(times[0]) + period - int(times[-1])
        seam = values[-1:] + (period - int(times[-1])) / max(gap, 1) * (values[:1] - values[-1:])
        before, after = (seam, seam) if times[0] > 0 else (before, values[:1])
    if times[0] > 0:
        times, values = np.append(0, times), np.concatenate([before, values])
    if period is not None and times[-1] < period:
        times, values = np.append(times, period), np.concatenate([values, after])
    return times, values


def values_at(times: IntArray, values: FloatArray, period: int | None, instants: IntArray) -> FloatArray:
    """Return the values of a schedule's `knots` at instants; at a step, those after it."""
    now = instants % period if period is not None else np.minimum(instants, times[-1])
    left = np.clip(np.searchsorted(times, now, side="right") - 1, 0, max(len(times) - 2, 0))
    right = np.minimum(left + 1, len(times) - 1)
    length = np.maximum(times[right] - times[left], 1)
    into = np.clip((now - times[left]) / length, 0, 1)
    into = np.where(times[right] == times[left], 1.0, into)[:, None]
    return np.asarray(values[left] * (1 - into) + values[right] * into, np.float64)


class RatePoint(Spec):
    """The rate at an instant; none: nothing arrives."""

    at: DurationNs
    rate: RateHz | None = None


class RateSchedule(Spec):
    """Arrivals at a rate that changes linearly from point to point.

    Two points at the same instant make a step. With a period the schedule repeats (and the line goes on from the last
    point to the first one); without, the last rate stays.
    """

    kind: Literal["schedule"]
    points: Annotated[tuple[RatePoint, ...], Field(min_length=1, max_length=10_000)]
    period: DurationNs | None = None
    process: Process = "poisson"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = schedule_findings([point.at for point in self.points], self.period)
        if not found and self.mean_rate == 0:
            what = "at least one point needs a rate" if self.period is not None else "the last point needs a rate"
            found.append((("points",), f"{what}: otherwise the frames end, or never begin"))
        if found:
            raise SpecError(found)
        return self

    @property
    def knots(self) -> tuple[IntArray, FloatArray]:
        """Instants in ns and frames per ns there."""
        rates = np.array([[float((point.rate or 0) / NS_PER_S)] for point in self.points])
        times, values = knots([point.at for point in self.points], rates, self.period)
        return times, values[:, 0]

    @property
    def mean_rate(self) -> Fraction:
        """Frames per second in the long run: the mean over a period, or the rate that stays."""
        if self.period is None:
            return self.points[-1].rate or Fraction(0)
        corners = [(point.at, point.rate or Fraction(0)) for point in self.points]
        corners.append((corners[0][0] + self.period, corners[0][1]))
        area = sum(((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(corners)), Fraction(0))
        return area / self.period

    def sampler(self, rng: np.random.Generator) -> ModulatedArrivals:
        """Return what draws the arrivals."""
        return ModulatedArrivals(self.process, self._pieces(), rng)

    def _pieces(self) -> Iterator[Pieces]:
        times, rates = self.knots
        lengths = np.diff(times)
        masses = np.cumsum(np.append(0.0, lengths * (rates[1:] + rates[:-1]) / 2))
        if self.period is None:
            rest, last = np.array([LATEST_NS - times[-1]]), rates[-1:]
            end_mass = float(masses[-1] + rest[0] * last[0])
            yield Pieces(times, np.append(lengths, rest), rates, np.append(rates[1:], last), masses, end_mass)
            message = "the frames asked for take longer than 9,000,000 s"
            raise InputError([Problem("scenario", 0, "stream.arrivals", message)])
        # Many short cycles at a time: what is drawn does not depend on how many.
        at_a_time, first = max(512 // len(lengths), 1), 0
        while True:
            cycle = np.repeat(np.arange(first, first + at_a_time, dtype=np.int64), len(lengths))
            first += at_a_time
            tiled = [np.tile(column, at_a_time) for column in (times[:-1], lengths, rates[:-1], rates[1:], masses[:-1])]
            start, length, rate_from, rate_to, mass = tiled
            total = float(masses[-1])
            yield Pieces(start + cycle * self.period, length, rate_from, rate_to, cycle * total + mass, first * total)
