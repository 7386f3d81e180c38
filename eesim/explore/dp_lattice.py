"""A chain as a layered graph, and the paths in it that minimise a weighted sum of time and energy."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.engine.jit import WarmOnce
from eesim.explore import dp_kernels as k
from eesim.explore.chain import MAX_TOTAL, NEVER, Chain

Weights = tuple[int, int]
"""Of time and energy, not negative."""

TIME_ONLY: Weights = (1, 0)
ENERGY_ONLY: Weights = (0, 1)

_forward = WarmOnce(k.sweep_forward)
_backward = WarmOnce(k.sweep_backward)


class Point(NamedTuple):
    """One path: its time, its energy and its states."""

    time_ns: int
    energy_nj: int
    path: tuple[int, ...]


class Lattice:
    """A chain as ``start`` (2, S) and ``arcs`` (2, layers - 1, S, S), as `eesim.explore.dp_kernels` describes them.

    Parameters
    ----------
    chain
        The model.
    """

    def __init__(self, chain: Chain) -> None:
        edges = chain.layers - 1
        shape = (edges, len(chain.states), len(chain.states))
        switch_time, switch_energy = chain.switch_time_ns[:edges], chain.switch_energy_nj[:edges]
        node_time, node_energy = chain.time_ns[1:, None, :], chain.energy_nj[1:, None, :]
        never = np.broadcast_to((switch_time == NEVER) | (node_time == NEVER), shape)
        self.start = np.stack([chain.time_ns[0], chain.energy_nj[0]])
        self.arcs = np.empty((2, *shape), np.int64)
        self.arcs[0] = np.where(never, NEVER, np.where(never, 0, switch_time) + np.where(never, 0, node_time))
        self.arcs[1] = np.where(never, 0, np.where(never, 0, switch_energy) + np.where(never, 0, node_energy))
        self.layers, self.size = chain.layers, len(chain.states)
        self._totals = (self._total(0), self._total(1))

    def _total(self, row: int) -> int:
        """Bound the absolute sum along any path."""
        first = np.abs(np.where(self.start[0] == NEVER, 0, self.start[row])).max()
        rest = np.abs(np.where(self.arcs[0] == NEVER, 0, self.arcs[row])).max(axis=(1, 2))
        return int(first) + sum(int(x) for x in rest)

    def weights(self, a: int, b: int) -> Weights:
        """Return weights of nearly the ratio ``a : b``, such that no weighted sum leaves 64 bits."""
        divisor = gcd(a, b) or 1
        a, b = a // divisor, b // divisor
        while a * self._totals[0] + b * self._totals[1] >= MAX_TOTAL:
            a, b = (a + 1) >> 1, (b + 1) >> 1
            if (a, b) == (1, 1):
                break
        return a, b

    def point(self, path: tuple[int, ...]) -> Point:
        """Return a path with its costs."""
        edges = np.arange(self.layers - 1)
        arcs = self.arcs[:, edges, path[:-1], path[1:]].sum(axis=1) if len(edges) else 0
        time, energy = self.start[:, path[0]] + arcs
        return Point(int(time), int(energy), path)

    def forward(self, weights: Weights) -> IntArray:
        """Sweep from the first layer, (4, layers, S)."""
        sweep = np.empty((4, self.layers, self.size), np.int64)
        _forward(self.start, self.arcs, *weights, sweep)
        return sweep

    def backward(self, weights: Weights) -> IntArray:
        """Sweep from the last layer, (4, layers, S)."""
        sweep = np.empty((4, self.layers, self.size), np.int64)
        _backward(self.arcs, *weights, sweep)
        return sweep

    def best(self, weights: Weights) -> tuple[int, Point] | None:
        """Return the least ``a x time + b x energy`` and a path that has it, None if there is no path at all.

        Ties go to the lower time, then the lower energy, so the path is efficient.
        """
        sweep = self.forward(weights)
        last = sweep[: k.NEIGHBOUR, -1]
        end = int(np.lexsort(last[::-1])[0])
        value, time, energy = (int(x) for x in last[:, end])
        if value == NEVER:
            return None
        return value, Point(time, energy, trace_back(sweep, self.layers - 1, end))


def ends(lattice: Lattice) -> tuple[Point, Point] | None:
    """Efficient paths of least time and of least energy; None if no path is possible."""
    fastest, thriftiest = lattice.best(TIME_ONLY), lattice.best(ENERGY_ONLY)
    return None if fastest is None or thriftiest is None else (fastest[1], thriftiest[1])


def slope_of(lattice: Lattice, left: Point, right: Point) -> Weights:
    """Weights for which two efficient points are equally good."""
    return lattice.weights(left.energy_nj - right.energy_nj, right.time_ns - left.time_ns)


def corner(lattice: Lattice, left: Point, right: Point) -> tuple[int, Point | None]:
    """Return the least sum weighted by `slope_of`, and the corner of the hull that has it if it is between the two."""
    slope = slope_of(lattice, left, right)
    found = lattice.best(slope)
    assert found is not None
    value, point = found
    known = min(slope[0] * end.time_ns + slope[1] * end.energy_nj for end in (left, right))
    return value, point if value < known and left.time_ns < point.time_ns < right.time_ns else None


def trace_back(ahead: IntArray, layer: int, state: int) -> tuple[int, ...]:
    """Return the states of layers 0..layer on the forward path that ends in ``state``."""
    path = [state]
    for i in range(layer, 0, -1):
        path.append(int(ahead[k.NEIGHBOUR, i, path[-1]]))
    return tuple(reversed(path))


def trace_on(behind: IntArray, layer: int, state: int) -> tuple[int, ...]:
    """Return the states after ``layer`` on the backward path that begins in its ``state``."""
    path = [state]
    for i in range(layer, behind.shape[1] - 1):
        path.append(int(behind[k.NEIGHBOUR, i, path[-1]]))
    return tuple(path[1:])
