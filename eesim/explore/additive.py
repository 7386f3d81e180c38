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
            for left in product(*self.remembered.values()):
                yield self._link(genes, pe_hz, dict(zip(self.remembered, left, strict=True)))

    def _link(self, genes: tuple[int, ...], pe_hz: dict[str, int], begin: dict[str, int]) -> Link:
        """Build the chain for some clocks of the PEs, frames beginning where the last one left the PEs."""
        vectors = [dict(zip(self.remembered, left, strict=True)) for left in product(*self.remembered.values())]
        states: list[tuple[str, int, dict[str, int]]] = []
        for place, clock in self.placed:
            states += [(place, clock, left) for left in vectors if left.get(place, clock) == clock]
        n, size = len(self.path), len(states)
        node_t, node_e = np.full((n, size), NEVER, np.int64), np.zeros((n, size), np.int64)
        edge_t, edge_e = np.full((n - 1, size, size), NEVER, np.int64), np.zeros((n - 1, size, size), np.int64)
        for i in range(n):
            for s, (place, clock, left) in enumerate(states):
                if (place, clock) not in self._options_of[i]:
                    continue
                if i == 0 and any(left[pe] != begin[pe] for pe in left if pe != place):
                    continue
                if i == n - 1 and left != begin:
                    continue
                found = begin.get(place, clock) if i == 0 else clock
                cost = self._segment(self.path[i], place, found, clock, pe_hz)
                if cost is not None:
                    node_t[i, s], node_e[i, s] = cost
        for i in range(n - 1):
            for p, (a, a_clock, before) in enumerate(states):
                if node_t[i, p] == NEVER:
                    continue
                for s, (b, b_clock, after) in enumerate(states):
                    if node_t[i + 1, s] == NEVER or any(after[pe] != before[pe] for pe in after if pe != b):
                        continue
                    change = self._change(self.path[i + 1], b, before.get(b, b_clock), b_clock, pe_hz)
                    moved = (0, 0) if a == b else self._transfer(i, a, a_clock, b, b_clock, pe_hz)
                    if change is None or moved is None:
                        continue
                    edge_t[i, p, s], edge_e[i, p, s] = change[0] + moved[0], change[1] + moved[1]
        labels = tuple(State(place, clock) for place, clock, _ in states)
        if n == 1:
            edge_t, edge_e = np.zeros((1, size, size), np.int64), np.zeros((1, size, size), np.int64)
        chain = Chain(labels, node_t, node_e, edge_t, edge_e)
        return Link(chain, genes, tuple((place, clock) for place, clock, _ in states))

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
