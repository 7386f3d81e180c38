"""Switching between regimes: semi-Markov paths that start in equilibrium.

A regime lasts for a *dwell*, then another one follows. Dwells are memoryless (geometric in frames, exponential in time)
with a given mean, or drawn from a given list. With memoryless dwells the regimes are a Markov chain. Positions on a
path are frame numbers or instants in ns: the code is the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from eesim.base import FloatArray, IntArray
from eesim.errors import suggest
from eesim.oneof import OneOf
from eesim.units import DurationNs, Share
from eesim.wording import DataPath, show

_AT_A_TIME = 1024
"""Dwells drawn at a time; part of the definition of what a seed means."""

_LONGEST = 8 * 10**15
"""Dwells in ns are cut here (92 days), so that any number drawn at a time adds up within 64 bits."""

FrameCount = Annotated[float, Field(ge=1, le=1e9)]
DwellMean = Annotated[FrameCount | DurationNs, OneOf()]
Dwell = Annotated[
    FrameCount | DurationNs | Annotated[tuple[DwellMean, ...], Field(min_length=1, max_length=100_000)], OneOf()
]
"""A mean dwell, or a list of dwells to draw from: frames are floats, times are whole ns."""

NextShares = Annotated[dict[str, Share], Field(min_length=1)]


class DwellLaw(NamedTuple):
    """How long a regime lasts, in frames or ns."""

    mean: float
    lengths: IntArray
    """Lengths to draw from with equal probability; empty for a memoryless dwell."""
    in_frames: bool

    def draw(self, u: FloatArray) -> IntArray:
        """Return whole dwells, at least 1, for uniform numbers from 0 to 1."""
        if len(self.lengths):
            return np.asarray(self.lengths[(u * len(self.lengths)).astype(np.int64)], np.int64)
        if not self.in_frames:
            return np.asarray(np.maximum(np.rint(-np.log1p(-u) * self.mean), 1), np.int64)
        if self.mean == 1:
            return np.ones(len(u), np.int64)
        return np.asarray(1 + np.floor(np.log1p(-u) / np.log1p(-1 / self.mean)), np.int64)

    def remaining(self, u: FloatArray) -> int:
        """Return what is left of the dwell that is under way at a random moment, for two uniform numbers.

        A memoryless dwell has as much left as a new one. Of a list, long dwells are met more often (in proportion to
        their length), anywhere in them.
        """
        if not len(self.lengths):
            return int(self.draw(u[:1])[0])
        reached = np.cumsum(self.lengths.astype(np.float64))
        length = int(self.lengths[int(np.searchsorted(reached, u[0] * reached[-1], side="right"))])
        return 1 + int(u[1] * length) if self.in_frames else max(round(u[1] * length), 1)


def dwell_law(written: float | int | tuple[float | int, ...]) -> DwellLaw:
    """Return the law of a dwell as written: floats are frames, integers ns."""
    if isinstance(written, tuple):
        lengths = np.array(written, np.int64)
        return DwellLaw(float(lengths.mean()), lengths, isinstance(written[0], float))
    return DwellLaw(float(written), np.zeros(0, np.int64), isinstance(written, float))


def dwell_findings(dwell: object) -> list[tuple[DataPath, str]]:
    """What is wrong with a dwell beyond its numbers."""
    values = dwell if isinstance(dwell, tuple) else (dwell,)
    found: list[tuple[DataPath, str]] = []
    for i, value in enumerate(values):
        path: DataPath = ("dwell", i) if isinstance(dwell, tuple) else ("dwell",)
        if isinstance(value, float) and isinstance(dwell, tuple) and value != int(value):
            found.append((path, f"must be a whole number of frames, not {value:g}"))
        if value == 0:
            found.append((path, "must be above 0"))
        if type(value) is not type(values[0]):
            found.append((path, "is in another unit than the first: give all in frames, or all as times"))
    return found


class Switching(NamedTuple):
    """Regimes, how long each lasts and which one follows."""

    dwells: tuple[DwellLaw, ...]
    next_shares: FloatArray
    """(R, R) probability that a regime (row) is followed by another (column)."""

    @property
    def shares(self) -> FloatArray:
        """Long-run share of frames (or of time) in each regime.

        The visits of the embedded chain weighted by mean dwell: ``pi_i ~ nu_i m_i`` with ``nu P = nu``.
        """
        n = len(self.dwells)
        balance = np.vstack([self.next_shares.T - np.eye(n), np.ones(n)])
        visits = np.linalg.lstsq(balance, np.append(np.zeros(n), 1.0), rcond=None)[0]
        weight = np.maximum(visits, 0) * [law.mean for law in self.dwells]
        return np.asarray(weight / weight.sum(), np.float64)


def switching(
    dwells: Sequence[float | int | tuple[float | int, ...]],
    following: Sequence[Mapping[str, Share] | None],
    names: Sequence[str],
) -> Switching:
    """Return the process of regimes as written; without ``next``, all others follow with equal probability."""
    n = len(names)
    table = (np.ones((n, n)) - np.eye(n)) / (n - 1)
    for i, shares in enumerate(following):
        if shares is not None:
            table[i] = [float(shares.get(name, 0)) for name in names]
    return Switching(tuple(map(dwell_law, dwells)), table)


def next_findings(following: Mapping[str, Mapping[str, Share] | None]) -> list[tuple[DataPath, str, str]]:
    """What is wrong with the regimes that follow each regime: names, sums, regimes that are never reached again."""
    found: list[tuple[DataPath, str, str]] = []
    names = list(following)
    for name, shares in following.items():
        for other in shares or ():
            if other == name:
                found.append(((name, "next", other), "cannot follow itself: give a longer dwell", ""))
            elif other not in following:
                found.append(((name, "next", other), f"there is no {show(other)}", suggest(other, names)))
        if shares is not None and abs(float(sum(shares.values())) - 1) > 1e-6:
            found.append(((name, "next"), f"must add up to 1, not {float(sum(shares.values())):.6g}", ""))
    return found or [
        ((a,), f"is never followed by {b}, not even after others: all must be able to come back", "")
        for a, b in _unreachable(following)[:1]
    ]


def _unreachable(following: Mapping[str, Mapping[str, Share] | None]) -> list[tuple[str, str]]:
    """Pairs of regimes of which the second cannot follow the first by any way."""
    names = list(following)
    pairs = []
    for start in names:
        seen, left = {start}, [start]
        while left:
            shares = following[left.pop()]
            near = [name for name in names if shares is None or shares.get(name, 0) > 0]
            left += [name for name in near if name not in seen]
            seen |= set(near)
        pairs += [(start, name) for name in names if name not in seen]
    return pairs


class SwitchingPath:
    """One path, drawn as far as it is asked for.

    Parameters
    ----------
    process
        What to draw.
    rng
        Random stream of this path; nothing else may draw from it.
    """

    def __init__(self, process: Switching, rng: np.random.Generator) -> None:
        self._process = process
        self._rng = rng
        self._rows = [row.tolist() for row in np.cumsum(process.next_shares, axis=1)]
        self._regime = -1
        self._regimes = np.zeros(0, np.int64)
        self._ends = np.zeros(0, np.int64)
        self._end = 0

    def at(self, positions: IntArray) -> IntArray:
        """Return the regime at each position; positions never decrease from call to call."""
        if not len(positions):
            return np.zeros(0, np.int64)
        regimes, ends = [self._regimes], [self._ends]
        while self._end <= positions[-1]:
            new, lengths = self.take()
            regimes.append(new)
            ends.append(np.cumsum(np.append(self._end - lengths.sum(), lengths))[1:])
        self._regimes, self._ends = np.concatenate(regimes), np.concatenate(ends)
        index = np.searchsorted(self._ends, positions, side="right")
        out = self._regimes[index]
        self._regimes, self._ends = self._regimes[index[-1] :], self._ends[index[-1] :]
        return out

    def take(self) -> tuple[IntArray, IntArray]:
        """Return the next regimes and their dwells."""
        regimes = np.empty(_AT_A_TIME, np.int64)
        lengths = np.zeros(_AT_A_TIME, np.int64)
        begin = 0
        if self._regime < 0:
            u = self._rng.random(3)
            self._regime = min(
                int(np.searchsorted(np.cumsum(self._process.shares), u[0], side="right")), len(self._rows) - 1
            )
            regimes[0], lengths[0] = self._regime, self._process.dwells[self._regime].remaining(u[1:])
            begin = 1
        chosen, current = [], self._regime
        for u_next in self._rng.random(_AT_A_TIME - begin).tolist():
            current = bisect_right(self._rows[current], u_next * self._rows[current][-1])
            chosen.append(current)
        self._regime = current
        regimes[begin:] = chosen
        u_dwell = self._rng.random(_AT_A_TIME - begin)
        for i, law in enumerate(self._process.dwells):
            here = np.flatnonzero(regimes[begin:] == i)
            lengths[begin + here] = np.minimum(law.draw(u_dwell[here]), _LONGEST)
        self._end += int(lengths.sum())
        return regimes, lengths
