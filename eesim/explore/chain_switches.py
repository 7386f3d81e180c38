"""The edges of a measured chain: what depends on the states of two neighbouring layers.

The rules are those of CO-UP-Profiling's ``predict_cost.py``.

*Clocks that a layer finds.* A PE that the layer before used neither itself nor as a host sits at its lowest clock.

*Frequency change.* The new clock is effective after a delay ``d``; until then the layer runs as at the clock that it
finds: ``t = t_old if t_old <= d else d + t_new x (1 - d / t_old)``, with power ``P_old`` until ``d``, then ``P_new``.
The edge holds the difference to the layer's node cost. ``d`` belongs to the PE's own clock (a change of its host's
clock alone counts as none); a PE without one has its host's, and what runs slow is the load of its tensors.
What is left of a delay when a layer ends is forgotten: the next layer finds the new clock.

*Transfer* (`eesim.explore.chain_transfers`), at the clocks before the change: the conservative reading, and sums of
these parts are known to fall short of measured runs. A PE that converts tensors pays load and unload instead. Inside
a run of layers on such a PE no clock changes: the runtime gives the run one setting.

The first layer finds its clocks set, as if frames were apart: a chain knows nothing of the frame before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from itertools import product

import numpy as np

from eesim.base import IntArray
from eesim.explore.chain import NEVER, State
from eesim.explore.chain_layers import LayerTable, energy_nj
from eesim.explore.chain_transfers import TransferTable
from eesim.hardware.laws import time_across_change_ns
from eesim.hardware.spec import Board

Delay = Callable[[str, int, int], int]
"""Delay of a change of a PE's clock, ns: PE, from Hz, to Hz."""


def edges(table: LayerTable, transfers: TransferTable, board: Board, delay: Delay) -> tuple[IntArray, IntArray]:
    """Return edge costs in ns and nJ, (layers - 1, S, S) each."""
    states = table.states
    shape = (table.layers - 1, len(states), len(states))
    time, energy = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    lowest = _lowest_clocks(states, board)
    changes = cache(lambda old, new: _change(table, old, new, _delay_of(states[old], states[new], board, delay)))
    handovers = cache(lambda p, s, clock: _handover(table, transfers, p, s, clock))
    for p, s in product(range(len(states)), repeat=2):
        if states[p].pe == states[s].pe and states[s].pe in table.converts:
            time[:, p, s] = 0 if p == s else NEVER
            continue
        clocks = lowest | _held(states[p], board)
        time[:, p, s], energy[:, p, s] = changes(_found(states, states[s], clocks, board), s)
        if states[p].pe != states[s].pe:
            copier = transfers.clock_pe(states[p].pe, states[s].pe) or states[p].pe
            moved, spent = handovers(p, s, clocks.get(copier, 0))
            time[:, p, s] = np.where(moved == NEVER, NEVER, time[:, p, s] + np.where(moved == NEVER, 0, moved))
            energy[:, p, s] += spent
    return time, energy


def _held(state: State, board: Board) -> dict[str, int]:
    """Clocks that a layer in this state leaves behind."""
    host = board.pes[state.pe].host
    return {state.pe: state.clock_hz} | ({host: state.host_hz} if host and state.host_hz else {})


def _lowest_clocks(states: Collection[State], board: Board) -> dict[str, int]:
    """Lowest clock of each PE in the tables, its own or as a host."""
    lowest: dict[str, int] = {}
    for state in states:
        for pe, clock in _held(state, board).items():
            lowest[pe] = min(clock, lowest.get(pe, clock))
    return lowest


def _found(states: tuple[State, ...], state: State, clocks: Mapping[str, int], board: Board) -> int:
    """Index of the state that a layer finds: its PE at the clocks before the change."""
    host = board.pes[state.pe].host
    found = State(state.pe, clocks[state.pe], clocks[host] if host and state.host_hz else 0)
    return states.index(found if found in states else state)


def _delay_of(old: State, new: State, board: Board, delay: Delay) -> int:
    """Delay of a change from one state of a PE to another."""
    if new.clock_hz:
        return delay(new.pe, old.clock_hz, new.clock_hz)
    host = board.pes[new.pe].host
    return delay(host, old.host_hz, new.host_hz) if host and new.host_hz else 0


def _change(table: LayerTable, old: int, new: int, delay: int) -> tuple[IntArray, IntArray]:
    """Differences that a frequency change makes to layers 1.. in state ``new``, ns and nJ, (layers - 1,) each."""
    slowed = table.load_ns if table.states[new].pe in table.converts else table.task_ns
    known = (table.task_ns[1:, old] != NEVER) & (table.task_ns[1:, new] != NEVER)
    before, after = np.where(known, slowed[1:, old], 0), np.where(known, slowed[1:, new], 0)
    if old == new or delay == 0:
        return np.zeros_like(after), np.zeros_like(after)
    pairs = zip(before.tolist(), after.tolist(), strict=True)
    time = np.array([time_across_change_ns(*pair, delay) for pair in pairs], np.int64)
    late = np.minimum(delay, time)
    powers = table.task_uw[1:]
    energy = energy_nj(late, powers[:, old]) + energy_nj(time - late, powers[:, new])
    return time - after, energy - energy_nj(after, powers[:, new])


def _handover(table: LayerTable, transfers: TransferTable, p: int, s: int, clock_hz: int) -> tuple[IntArray, IntArray]:
    """Costs of moving the tensor to another PE, ns and nJ, (layers - 1,) each."""
    source, target = table.states[p].pe, table.states[s].pe
    time, energy = np.zeros((2, table.layers - 1), np.int64)
    if source in table.converts:
        time += table.unload_ns[:-1, p]
        energy += energy_nj(table.unload_ns[:-1, p], table.task_uw[:-1, p])
    if target in table.converts:
        time += table.load_ns[1:, s]
        energy += energy_nj(table.load_ns[1:, s], table.task_uw[1:, s])
    if not {source, target} & table.converts:
        costs = [transfers.cost(i, source, target, clock_hz) or (NEVER, 0) for i in range(1, table.layers)]
        time, energy = np.array(costs, np.int64).reshape(-1, 2).T
    return time, energy
