"""A scenario as a chain whose time and energy add up, where they do: one frame at a time through a chain of segments.

With all early exits disabled and no two frames in the system, a frame is a path: segment after segment, with a transfer
where the PE changes. A design's latency and energy per frame are then sums over neighbouring segments, and
`eesim.explore.dp` finds the best path among all.

A PE remembers the clock that it was left at, so a segment's time depends on the last segment that ran on the same PE,
in this frame or in the one before. Where a change of clock takes time, the **state** of a position in the chain is
therefore the PE of the segment and the clocks at which all PEs were left; and a frame begins where the last one ended,
which is asked of each way to begin in turn. Otherwise the state is the PE with its clock.

Clocks of PEs (`explore.opp` of a PE) hold for the whole run: there is one chain for each combination of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.explore.chain import NEVER, Chain, State
from eesim.explore.evaluator import Evaluator
from eesim.explore.space import Placement, Space, pe_of
from eesim.hardware.laws import dvfs_delay_ns, power_across_change_uw, time_across_change_ns, transfer_ns
from eesim.workload.arrivals import ClosedLoop

FJ_PER_NJ = 10**6

MOST_CHAINS = 4096
MOST_ARCS = 1 << 24


@dataclass(frozen=True)
class Link:
    """One chain of a space, and what its states stand for.

    Attributes
    ----------
    chain
        Costs of a frame; energy beyond what the board draws anyway in the time that the stream gives.
    clock_genes
        Alleles of the PEs' clocks that it holds for.
    placed
        State to (PE, clock), clock 0 where it is the PE's.
    """

    chain: Chain
    clock_genes: tuple[int, ...]
    placed: tuple[tuple[str, int], ...]


class _Left(NamedTuple):
    """A state: where the segment runs, and the clocks at which the PEs that remember them are left."""

    pe: str
    clock: int
    clocks: tuple[int, ...]


class Additive:
    """The chains of a space.

    Parameters
    ----------
    evaluator
        Of the scenario whose designs are chains.

    Raises
    ------
    ValueError
        If time and energy do not add up there, or there are too many chains.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._space = space = evaluator.space
        self._scenario = scenario = space.scenario
        reason = why_not(space)
        if reason:
            raise ValueError(f"dp needs costs that add up: {reason}")
        self.closed = isinstance(scenario.spec.stream.arrivals, ClosedLoop)
        board = scenario.board
        self._quiet_uw = board.base_power.value + sum(pe.idle_power.value for pe in board.pes.values())
        self.path = backbone(space)
        self._clocks = space.genes[space.n_segments : space.n_segments + space.n_pes]
        self._own = any(space.own_clocks)
        options = [self._options(s) for s in self.path]
        self.placed = tuple(sorted({choice for row in options for choice in row}))
        self._options_of = [set(row) for row in options]
        self.remembered = self._remembered()
        vectors = 1
        for clocks in self.remembered.values():
            vectors *= len(clocks)
        chains = int(np.prod([len(gene.alleles) for gene in self._clocks])) * vectors
        size = len(self.placed) if vectors == 1 else len({pe for pe, _ in self.placed}) * vectors
        if chains > MOST_CHAINS or len(self.path) * size * size > MOST_ARCS:
            raise ValueError(
                f"dp would take {chains:,} chains of {len(self.path)} segments x {size:,} states; "
                "let fewer clocks vary, or use another algorithm"
            )

    def _options(self, segment: int) -> list[tuple[str, int]]:
        alleles = self._space.genes[segment].alleles
        return [(pe_of(a), a.clock_hz if isinstance(a, Placement) else 0) for a in alleles]

    def _remembered(self) -> dict[str, tuple[int, ...]]:
        """Clocks at which segments may leave each PE on which a change takes time; 0 is the PE's own."""
        slow = self._scenario.spec.physics.dvfs_delay
        found = {}
        for name, pe in self._scenario.board.pes.items():
            clocks = tuple(sorted({clock for place, clock in self.placed if place == name}))
            if slow and pe.dvfs is not None and any(clocks):
                found[name] = clocks
        return found

    def quiet_mj(self, period_ns: float) -> float:
        """Energy that the board draws anyway between two frames, mJ."""
        return self._quiet_uw * period_ns / 1e12

    def links(self) -> Iterator[Link]:
        """Build the chains, one after the other."""
        sizes = [range(len(gene.alleles)) for gene in self._clocks]
        for genes in product(*sizes):
            pe_hz = {
                name: int(gene.alleles[a])
                for name, gene, a in zip(self._scenario.board.pes, self._clocks, genes, strict=True)
            }
            yield from self._links(genes, pe_hz)

    def _links(self, genes: tuple[int, ...], pe_hz: dict[str, int]) -> Iterator[Link]:
        """Build the chains for some clocks of the PEs: one for each way in which a frame can leave the PEs."""
        vectors = list(product(*self.remembered.values()))
        names = list(self.remembered)
        states = [
            _Left(place, clock, vector)
            for place, clock in self.placed
            for vector in vectors
            if place not in names or vector[names.index(place)] == clock
        ]
        nodes, edges = self._nodes(states, pe_hz), self._edges(states, pe_hz)
        placed = tuple((state.pe, state.clock) for state in states)
        labels = tuple(State(*place) for place in placed)
        for begin in vectors:
            time, energy = nodes[0].copy(), nodes[1].copy()
            time[-1, [state.clocks != begin for state in states]] = NEVER
            for s, state in enumerate(states):
                own = names.index(state.pe) if state.pe in names else -1
                kept = all(clock == begin[k] for k, clock in enumerate(state.clocks) if k != own)
                found = begin[own] if own >= 0 else state.clock
                cost = self._segment(self.path[0], state.pe, found, state.clock, pe_hz) if kept else None
                if time[0, s] != NEVER:
                    time[0, s], energy[0, s] = cost or (NEVER, 0)
            yield Link(Chain(labels, time, energy, *edges), genes, placed)

    def _nodes(self, states: list[_Left], pe_hz: dict[str, int]) -> tuple[IntArray, IntArray]:
        """Time and energy of each segment in each state, its PE found at its clock, (segments, S) each."""
        time = np.full((len(self.path), len(states)), NEVER, np.int64)
        energy = np.zeros_like(time)
        for i, segment in enumerate(self.path):
            for s, state in enumerate(states):
                if (state.pe, state.clock) in self._options_of[i]:
                    cost = self._segment(segment, state.pe, state.clock, state.clock, pe_hz)
                    time[i, s], energy[i, s] = cost or (NEVER, 0)
        return time, energy

    def _edges(self, states: list[_Left], pe_hz: dict[str, int]) -> tuple[IntArray, IntArray]:
        """What transfers and changes of clocks add between neighbours, (segments - 1, S, S) each."""
        shape = max(len(self.path) - 1, 1), len(states), len(states)
        time, energy = np.full(shape, NEVER, np.int64), np.zeros(shape, np.int64)
        names, number = list(self.remembered), {state: s for s, state in enumerate(states)}
        for i in range(len(self.path) - 1):
            known: dict[tuple[str, int, str, int, int], tuple[int, int] | None] = {}
            for p, before in enumerate(states):
                for pe, clock in self._options_of[i + 1]:
                    own = names.index(pe) if pe in names else -1
                    left = tuple(clock if k == own else c for k, c in enumerate(before.clocks))
                    found = before.clocks[own] if own >= 0 else clock
                    key = before.pe, before.clock, pe, clock, found
                    if key not in known:
                        known[key] = self._step(i, key, pe_hz)
                    cost = known[key]
                    if cost is not None:
                        s = number[_Left(pe, clock, left)]
                        time[i, p, s], energy[i, p, s] = cost
        return time, energy

    def _step(self, i: int, key: tuple[str, int, str, int, int], pe_hz: dict[str, int]) -> tuple[int, int] | None:
        """Return what goes from segment ``i`` of the path to the next, ns and nJ; None if that is not possible."""
        a, a_clock, b, b_clock, found = key
        if (a, a_clock) not in self._options_of[i]:
            return None
        change = self._change(self.path[i + 1], b, found, b_clock, pe_hz)
        moved = (0, 0) if a == b else self._transfer(i, a, a_clock, b, b_clock, pe_hz)
        return None if change is None or moved is None else (change[0] + moved[0], change[1] + moved[1])

    def _change(self, segment: int, pe: str, found: int, wanted: int, pe_hz: dict[str, int]) -> tuple[int, int] | None:
        """Return what finding a PE at another clock adds to a segment, ns and nJ."""
        if found == wanted:
            return 0, 0
        late, plain = (self._segment(segment, pe, clock, wanted, pe_hz) for clock in (found, wanted))
        return None if late is None or plain is None else (late[0] - plain[0], late[1] - plain[1])

    def _segment(self, segment: int, pe: str, found: int, wanted: int, pe_hz: dict[str, int]) -> tuple[int, int] | None:
        """Return time and energy of a segment whose PE is found at a clock; as `eesim.plan.lower` has them."""
        scenario, element = self._scenario, self._scenario.board.pes[pe]
        old, new = found or pe_hz[pe], wanted or pe_hz[pe]
        times = self._time_ns(segment, pe, old, pe_hz), self._time_ns(segment, pe, new, pe_hz)
        if times[1] is None:
            return None
        powers = self._drawn_uw(segment, pe, old), self._drawn_uw(segment, pe, new)
        delay = dvfs_delay_ns(element, old, new) if scenario.spec.physics.dvfs_delay else 0
        time, power = times[1], powers[1]
        if delay:
            if times[0] is None:
                return None
            time = time_across_change_ns(times[0], times[1], delay)
            power = power_across_change_uw(*powers, delay, time)
        return time, self._energy_nj(pe, time, power, pe_hz)

    def _time_ns(self, segment: int, pe: str, clock: int, pe_hz: dict[str, int]) -> int | None:
        board = self._scenario.board
        host = board.pes[pe].host
        name = self._scenario.network.segment_names[segment]
        time = self._scenario.profile.time_ns(board, name, pe, clock, None if host is None else pe_hz[host])
        effect = board.pes[pe].host_effect
        return time if time is None or effect is None else round(time * effect.slows_self.factor)

    def _drawn_uw(self, segment: int, pe: str, clock: int) -> int:
        name = self._scenario.network.segment_names[segment]
        return round(self._active_uw(pe, clock) * self._scenario.profile.power_ratio(name, pe))

    def _active_uw(self, pe: str, clock: int) -> int:
        return next(opp.active_power for opp in self._scenario.board.pes[pe].opps.table if opp.frequency == clock)

    def _energy_nj(self, pe: str, time: int, power_uw: int, pe_hz: dict[str, int]) -> int:
        """Energy of a service beyond the idle power that it replaces; in a closed loop with all that runs meanwhile."""
        element = self._scenario.board.pes[pe]
        rate = power_uw - element.idle_power.value / element.servers
        if element.host is not None and element.host_effect is not None:
            rate += round(element.host_effect.host_power * pe_hz[element.host] / 10**6)
        return round((rate + (self._quiet_uw if self.closed else 0)) * time / FJ_PER_NJ)

    def _transfer(
        self, i: int, a: str, a_clock: int, b: str, b_clock: int, pe_hz: dict[str, int]
    ) -> tuple[int, int] | None:
        """Return time and energy of handing the output of segment ``i`` of the path over."""
        scenario = self._scenario
        if not scenario.spec.physics.transfers:
            return 0, 0
        route = scenario.board.transfers.route(a, b)
        if route is None:
            return None
        asked = {a: a_clock or pe_hz[a], b: b_clock or pe_hz[b]}
        clock = None if route.clock is None else asked.get(route.clock.pe, pe_hz[route.clock.pe])
        time = transfer_ns(route, scenario.network.segments[self.path[i]].output, clock)
        payer = {"sender": a, "receiver": b}.get(scenario.board.transfers.charge)
        if payer is not None:
            return time, self._energy_nj(payer, time, self._active_uw(payer, asked[payer]), pe_hz)
        return time, round((self._quiet_uw if self.closed else 0) * time / FJ_PER_NJ)

    def genome(self, link: Link, path: IntArray) -> IntArray:
        """Return the design that a path through a chain stands for, (G,)."""
        space = self._space
        genome = np.zeros(len(space.genes), np.int64)
        genome[space.n_segments : space.n_segments + space.n_pes] = link.clock_genes
        for segment, state in zip(self.path, path, strict=True):
            genome[segment] = self._options(segment).index(link.placed[int(state)])
        return genome


def backbone(space: Space) -> list[int]:
    """Segments on the way to the final exit, first to last."""
    network = space.scenario.network
    at, found = network.exit_segments[-1], []
    while at >= 0:
        found.append(at)
        at = network.sources[at]
    return found[::-1]


def why_not(space: Space) -> str:
    """Say why a frame's time and energy do not add up along a chain; empty if they do."""
    scenario, policy = space.scenario, space.scenario.policy
    if any(True in gene.alleles for gene in space.genes[space.exit_genes]):
        return "early exits are enabled (disable them: mapping.exits, without explore.exits)"
    if space.forbid or space.require:
        return "combinations are forbidden or required"
    if scenario.spec.stream.noise is not None:
        return "service times are noisy"
    if len(space.genes[-1].alleles) > 1:
        return "several policies"
    if isinstance(scenario.spec.stream.arrivals, ClosedLoop):
        endless = policy.frames_in_flight == "unbounded" and policy.frame_gate == "open"
        if not (endless or policy.frames_in_flight == 1 or policy.frame_gate in ("last_subgraph", "all")):
            return "a closed loop keeps several frames in flight"
    return ""
