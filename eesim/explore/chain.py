"""The additive model of layer switching: a cost per layer and state, and a cost between neighbouring layers.

A **state** is a place to run a layer: a processing element at an operating point (and at one of its host's, for a
GPU or NPU). One frame walks through the layers in order, so its time and energy are sums over a path in a layered
graph::

    time = sum_i time_ns[i, s_i] + sum_(i>0) switch_time_ns[i - 1, s_(i-1), s_i]

and the same for the energy. Whatever depends on one layer's state belongs to a node: its run, the input phase of
the first layer, the output phase of the last. Whatever depends on two neighbours belongs to an edge: moving the
tensor to another PE, and the frequency change. **The frequency change needs no simplification**: in the rule of the
authors of CO-UP-Profiling (``predict_cost.py``; `eesim.hardware.laws.time_across_change_ns`) the clock that a layer
finds follows from its predecessor's state alone, because PEs that the predecessor did not use sit at their lowest
clock. So an edge carries the difference that the rule makes to the layer's node cost, instead of a delay that
would be added in full; it is negative where a layer profits from a clock that falls late.

What the model leaves out is whatever depends on more than two neighbours (an NPU that fuses a run of layers, branches
that overlap or that read a tensor from further back) or on the previous frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.plan.plan import NEVER
from eesim.units import format_frequency

__all__ = ["NEVER", "Chain", "Costs", "State", "evaluate"]

MAX_TOTAL = 1 << 60
"""Sums of costs along any path must stay below, ns or nJ."""


class State(NamedTuple):
    """Where a layer runs: a PE, its clock, and its host's clock; 0 where there is none to choose."""

    pe: str
    clock_hz: int = 0
    host_hz: int = 0

    def __str__(self) -> str:
        """PE and clocks, as ``G 600 MHz, host 1.8 GHz``."""
        clock = f" {format_frequency(self.clock_hz)}" if self.clock_hz else ""
        host = f", host {format_frequency(self.host_hz)}" if self.host_hz else ""
        return f"{self.pe}{clock}{host}"


class Costs(NamedTuple):
    """Time and energy of n assignments; both are `NEVER` for one that is not possible.

    Attributes
    ----------
    time_ns, energy_nj
        (n,) arrays, ns and nJ.
    """

    time_ns: IntArray
    energy_nj: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A chain of layers, each in one of the same S states.

    Attributes
    ----------
    states
        S labels, in the order of the arrays' last axes.
    time_ns, energy_nj
        Node costs, (layers, S), ns and nJ; a time of `NEVER` marks a state in which the layer cannot run.
    switch_time_ns, switch_energy_nj
        Edge costs between layer ``i`` in state ``p`` and ``i + 1`` in ``s`` at ``[i, p, s]``, (layers - 1, S, S), or
        (1, S, S) if all neighbours share them; `NEVER` marks a change that is not possible. They may be negative.
    """

    states: tuple[State, ...]
    time_ns: IntArray
    energy_nj: IntArray
    switch_time_ns: IntArray
    switch_energy_nj: IntArray

    def __post_init__(self) -> None:
        for name in ("time_ns", "energy_nj", "switch_time_ns", "switch_energy_nj"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), np.int64))
        size = len(self.states)
        if self.time_ns.ndim != 2 or self.time_ns.shape[0] < 1 or self.time_ns.shape[1] != size or size < 1:
            raise ValueError(f"time_ns is {self.time_ns.shape}, not (layers, {size})")
        if self.energy_nj.shape != self.time_ns.shape:
            raise ValueError(f"energy_nj is {self.energy_nj.shape}, time_ns {self.time_ns.shape}")
        if self.switch_time_ns.shape not in {(self.layers - 1, size, size), (1, size, size)}:
            raise ValueError(f"switch_time_ns is {self.switch_time_ns.shape}, not ({self.layers - 1} or 1, S, S)")
        if self.switch_energy_nj.shape != self.switch_time_ns.shape:
            raise ValueError(f"switch_energy_nj is {self.switch_energy_nj.shape}, not as switch_time_ns")
        if max(_largest_totals(self)) >= MAX_TOTAL:
            raise ValueError("the costs along a path do not fit into 60 bits")

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.time_ns)

    def labels(self, path: npt.ArrayLike) -> tuple[State, ...]:
        """Return the states of one assignment by name."""
        return tuple(self.states[int(s)] for s in np.asarray(path))


def _largest_totals(chain: Chain) -> tuple[int, int]:
    """Bound the absolute time and energy of every path."""
    edges = np.minimum(np.arange(chain.layers - 1), chain.switch_time_ns.shape[0] - 1)

    def total(nodes: IntArray, switches: IntArray) -> int:
        node = np.abs(np.where(chain.time_ns == NEVER, 0, nodes)).max(axis=1)
        edge = np.abs(np.where(chain.switch_time_ns == NEVER, 0, switches)).max(axis=(1, 2))
        return sum(int(x) for x in node) + sum(int(x) for x in edge[edges])

    return total(chain.time_ns, chain.switch_time_ns), total(chain.energy_nj, chain.switch_energy_nj)


def evaluate(chain: Chain, paths: npt.ArrayLike) -> Costs:
    """Return time and energy of each assignment.

    Parameters
    ----------
    chain
        The model.
    paths
        States of the layers, (n, layers) indices below S.
    """
    chosen = np.ascontiguousarray(np.atleast_2d(np.asarray(paths, np.int64)))
    if chosen.ndim != 2 or chosen.shape[1] != chain.layers:
        raise ValueError(f"paths are {chosen.shape}, not (n, {chain.layers})")
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < len(chain.states):
        raise ValueError(f"a state is not between 0 and {len(chain.states) - 1}")
    out = np.empty((2, len(chosen)), np.int64)
    _evaluate(chain.time_ns, chain.energy_nj, chain.switch_time_ns, chain.switch_energy_nj, chosen, out)
    return Costs(out[0], out[1])


@kernel
def sum_paths(
    time: IntArray, energy: IntArray, switch_time: IntArray, switch_energy: IntArray, paths: IntArray, out: IntArray
) -> None:
    """Sum node and edge costs along each path into ``out`` (2, n)."""
    shared = switch_time.shape[0] - 1
    for n in range(paths.shape[0]):
        t = 0
        e = 0
        possible = True
        for i in range(paths.shape[1]):
            s = paths[n, i]
            possible = possible and time[i, s] != NEVER
            if not possible:
                break
            t += time[i, s]
            e += energy[i, s]
            if i > 0:
                p = paths[n, i - 1]
                k = min(i - 1, shared)
                possible = switch_time[k, p, s] != NEVER
                if not possible:
                    break
                t += switch_time[k, p, s]
                e += switch_energy[k, p, s]
        out[0, n] = t if possible else NEVER
        out[1, n] = e if possible else NEVER


_evaluate = WarmOnce(sum_paths)
