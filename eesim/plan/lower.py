"""Lowering: a scenario becomes a `Plan`. The only code that knows both the friendly world and the arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eesim.errors import InputError, Problem
from eesim.hardware.laws import (
    batch_factor,
    dvfs_delay_ns,
    power_across_change_uw,
    speed_table,
    time_across_change_ns,
    transfer_ns,
)
from eesim.hardware.spec import Board, Route
from eesim.mapping.policy import Policy
from eesim.plan.chain import Missing
from eesim.plan.chain_scenario import lower_chain, runtime_of
from eesim.plan.graph import Node, TaskGraph, build_graph
from eesim.plan.merge import merge_plans
from eesim.plan.plan import (
    FULL_SPEED,
    KEEP_STATE,
    NEVER,
    NOTHING,
    PURE_DELAY,
    UNBOUNDED,
    Cancellation,
    Dispatch,
    Draws,
    IntArray,
    NodeKind,
    Plan,
    WhenFull,
)
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import ClosedLoop
from eesim.workload.multiplex import Multiplexed
from eesim.workload.network import Network
from eesim.workload.stream import Frames

_CANCELLATION = {
    ("none", "kernel"): Cancellation.NONE,
    ("none", "once"): Cancellation.NONE,
    ("queued", "kernel"): Cancellation.QUEUED,
    ("queued", "once"): Cancellation.QUEUED,
    ("running", "kernel"): Cancellation.RUNNING_AT_KERNEL,
    ("running", "once"): Cancellation.RUNNING_AT_ONCE,
}
_WHEN_FULL = {
    "block": WhenFull.BLOCK,
    "drop_newest": WhenFull.DROP_NEWEST,
    "drop_oldest": WhenFull.DROP_OLDEST,
}
_DISPATCH = {"oldest_frame": Dispatch.OLDEST_FRAME, "fifo": Dispatch.FIFO}


@dataclass(frozen=True, slots=True)
class Labels:
    """Names for the numbers in a plan."""

    nodes: tuple[str, ...]
    node_segment: tuple[int, ...]
    resources: tuple[str, ...]
    n_pes: int
    servers: tuple[str, ...]
    exits: tuple[str, ...]
    """Name of each exit that can answer."""
    exit_number: tuple[int, ...]
    """1-based number of each exit that can answer, among its network's exits."""
    streams: tuple[str, ...] = ()
    """Name of each stream; empty where there is one that has no name."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan, the names of what is in it, and how to turn drawn frames into what an engine is fed."""

    plan: Plan
    labels: Labels
    exit_of: IntArray
    """Plan exit for each exit of the network (of each network, one after the other)."""
    parts: tuple[Lowered, ...] = ()
    """Each stream alone, where there are several."""
    chances: tuple[float, float] = (0.0, 0.0)
    """Chance of a false alarm and of a miss of what detects scenes."""

    @property
    def _keeps_exits(self) -> bool:
        """Whether the plan's exits are the network's."""
        return bool((self.exit_of == np.arange(len(self.exit_of))).all())

    def draws(self, frames: Frames | Multiplexed) -> Draws:
        """Translate drawn frames: network exits to the plan's, noise per segment to noise per node."""
        if isinstance(frames, Multiplexed):
            return self._draws_of_streams(frames)
        plan, scene = self.plan, self._scenes(frames)
        if plan.first_confident[0]:
            exits = np.zeros_like(frames.confident)
            # A frame that a disabled exit would have been confident about is so at the next enabled one.
            for network_exit, plan_exit in enumerate(self.exit_of):
                exits |= (frames.confident >> network_exit & 1) << plan_exit
        else:
            exits = frames.exit if self._keeps_exits else self.exit_of[frames.exit]
        noise = np.zeros((0, plan.n_nodes), np.int64)
        if len(frames.noise_ppm):
            segment = np.array(self.labels.node_segment)
            noise = np.ascontiguousarray(frames.noise_ppm[:, segment])
            noise[:, (plan.node_kind == NodeKind.TRANSFER) | (segment < 0)] = FULL_SPEED
            self._check_range(noise)
        if not plan.n_levels:
            return Draws(frames.arrival_ns, exits, noise, scene=scene)
        # Without alternatives thresholds stay as they are: levels only say who is given up.
        alternatives = frames.alternatives if frames.alternatives.size else np.tile(frames.exit, (plan.n_levels, 1)).T
        taken = self.exit_of[np.column_stack([frames.exit, alternatives])]
        # Who is confident at an exit is so at every later one.
        confident = (1 << plan.n_exits) - (1 << taken)
        return Draws(frames.arrival_ns, exits, noise, np.zeros_like(exits), confident, scene)

    def _scenes(self, frames: Frames) -> IntArray:
        """Number scenes, and say where the policy's detector errs about them."""
        if not self.plan.reuse_patience[0]:
            return NOTHING
        false_alarm, miss = self.chances
        return np.asarray(4 * frames.scene + 2 * (frames.doubt < miss) + (frames.doubt < false_alarm), np.int64)

    def _draws_of_streams(self, frames: Multiplexed) -> Draws:
        """Translate the frames of each stream, and put them in the order in which they arrive."""
        plan, order = self.plan, frames.order
        own = [part.draws(block) for part, block in zip(self.parts, frames.parts, strict=True)]
        arrivals = np.concatenate([draws.arrival_ns for draws in own])
        # Sets of confident exits are numbered within a stream, exits over all of them.
        shifts = np.where(plan.first_confident, 0, plan.stream_exit[:-1])
        exits = np.concatenate([draws.exit + shift for draws, shift in zip(own, shifts, strict=True)])
        noise, confident, scene = np.zeros((0, plan.n_nodes), np.int64), NOTHING, NOTHING
        if any(len(draws.noise_ppm) for draws in own):
            noise = np.full((len(order), plan.n_nodes), FULL_SPEED, np.int64)
        if plan.n_levels:
            confident = np.ones((len(order), plan.n_levels + 1), np.int64)
        if plan.reuse_patience.any():
            scene = np.zeros(len(order), np.int64)
        row = np.empty(len(order), np.int64)
        row[order] = np.arange(len(order))
        begin = 0
        for g, draws in enumerate(own):
            rows = row[begin : begin + len(draws.arrival_ns)]
            begin += len(rows)
            if len(draws.noise_ppm):
                noise[rows, plan.stream_node[g] : plan.stream_node[g + 1]] = draws.noise_ppm
            if len(draws.confident):
                confident[rows, : draws.confident.shape[1]] = draws.confident
            if len(draws.scene):
                scene[rows] = draws.scene
        return Draws(arrivals[order], exits[order], noise, frames.stream, confident, scene)

    def _check_range(self, noise_ppm: IntArray) -> None:
        """Refuse noise that makes a task longer than 64 bits of ns x ppm hold."""
        plan = self.plan
        work_ns = np.concatenate([plan.node_work_ns[:, :, None], plan.batch_work_ns], axis=2).max(axis=(1, 2))
        longest = int((work_ns.astype(object) * noise_ppm.max(axis=0).astype(object)).max())
        if longest >= NEVER:
            message = (
                f"makes a task of {longest / FULL_SPEED / 1e9:.0f} s; the engines count up to {NEVER // 10**15:,} s"
            )
            raise InputError([Problem("scenario", 0, "stream.noise", message)])


def _entrance(scenario: Scenario) -> dict[str, Any]:
    """Rules of the queue of frames; a closed loop is a source that a queue without places holds back."""
    policy = scenario.policy
    in_flight = limit_of(policy.frames_in_flight)
    if isinstance(scenario.spec.stream.arrivals, ClosedLoop):
        endless = in_flight == UNBOUNDED and policy.frame_gate == "open"
        rules = {
            "queue_capacity": 0,
            "queue_full": WhenFull.BLOCK,
            "frames_in_flight": 1 if endless else in_flight,
        }
    else:
        rules = {
            "queue_capacity": limit_of(policy.queue.capacity),
            "queue_full": _WHEN_FULL[policy.queue.full],
            "frames_in_flight": in_flight,
        }
    return {name: np.array([rule], np.int64) for name, rule in rules.items()}


def _levels(policy: Policy, names: tuple[str, ...], graph: TaskGraph) -> dict[str, IntArray]:
    """When the level of a stream rises and falls, and after which exit frames are given up at each."""
    adaptive = policy.adaptive
    last = [len(graph.exit_nodes) - 1] * (1 if adaptive is None else len(adaptive.above) + 1)
    for level, name in enumerate(() if adaptive is None else adaptive.give_up_after, start=1):
        if name is not None:
            # What a disabled exit would have decided, the next one does.
            last[level] = graph.exit_of[names.index(name)]
    up = np.array([() if adaptive is None else adaptive.above], np.int64)
    return {
        "level_up": up,
        "level_down": up - (adaptive.hysteresis if adaptive is not None else 0),
        "level_last": np.array([last], np.int64),
        "level_at_exit": np.array([adaptive is not None and adaptive.read_at == "exit"], np.int64),
    }


def _reuse(policy: Policy) -> dict[str, IntArray]:
    """When answers are used again."""
    reuse = policy.reuse
    return {
        "reuse_patience": np.array([0 if reuse is None else reuse.patience], np.int64),
        "reuse_most": np.array([UNBOUNDED if reuse is None else limit_of(reuse.at_most)], np.int64),
    }


def _bucket(policy: Policy, names: tuple[str, ...], graph: TaskGraph) -> dict[str, IntArray]:
    """Tokens for going deeper than an exit."""
    budget = policy.budget
    if budget is None:
        rules = {"bucket_most": 0, "bucket_per_frame": 0, "bucket_per_ns": 0}
        costs = [0] * len(graph.exit_nodes)
    else:
        rules = {
            "bucket_most": budget.most_units,
            "bucket_per_frame": budget.units_per_frame,
            "bucket_per_ns": budget.units_per_ns,
        }
        costs = [budget.cost_units(names[k]) for k in graph.exit_labels]
    return {"exit_cost": np.array(costs, np.int64)} | {k: np.array([v], np.int64) for k, v in rules.items()}


def limit_of(written: object) -> int:
    """Return a limit as a number: `UNBOUNDED` for one that is written so."""
    return UNBOUNDED if written == "unbounded" else int(str(written))


def lower(scenario: Scenario) -> Lowered:
    """Lower a scenario to the arrays that an engine reads.

    Every number is rounded once, here: times to ns, powers to uW, speeds to ppm.
    """
    board = scenario.board
    if mode := runtime_of(scenario):
        return _lower_chain(scenario, mode)
    charge = board.transfers.charge if scenario.spec.physics.transfers else ""
    members = scenario.streams
    graphs = [build_graph(m.network, m.mapping.pes, m.mapping.enabled_exits, m.policy, charge) for m in members]
    pairs = list(zip(members, graphs, strict=True))
    links = sorted({link for member, graph in pairs for link in _links(graph, member, charge)})
    resources = [*board.pe_names, *links]
    clocks = _clocks(pairs, resources)
    alone = [_lower_one(member, graph, resources, charge, clocks) for member, graph in pairs]
    if not scenario.members:
        return alone[0]
    plan = merge_plans([part.plan for part in alone], [entry.priority for entry in scenario.spec.streams])
    labels = _labels_together(scenario.names, [part.labels for part in alone])
    exits = [part.exit_of + first for part, first in zip(alone, plan.stream_exit[:-1], strict=True)]
    return Lowered(plan, labels, np.concatenate(exits), tuple(alone))


def _lower_chain(scenario: Scenario, mode: str) -> Lowered:
    """Lower a chain under a measured runtime of the board."""
    try:
        chain = lower_chain(scenario, mode)
    except Missing as missing:
        problem = scenario.document.problem(("mapping", "segments"), f"the {mode} runtime cannot run this: {missing}")
        raise InputError([problem]) from None
    labels = Labels(
        nodes=chain.nodes,
        node_segment=chain.node_segment,
        resources=chain.resources,
        n_pes=len(scenario.board.pes),
        servers=chain.resources,
        exits=(scenario.network.exit_names[-1],),
        exit_number=(len(scenario.network.exit_names),),
    )
    exit_of = np.zeros(len(scenario.network.exit_names), np.int64)
    return Lowered(chain.plan._replace(**_entrance(scenario)), labels, exit_of)


def _lower_one(
    scenario: Scenario, graph: TaskGraph, resources: list[str], charge: str, clocks: dict[str, list[int]]
) -> Lowered:
    """Lower one stream on resources, and between clocks, that it may share with others."""
    board = scenario.board
    costs = _Costs(scenario, graph, resources, charge, clocks)
    plan = _assemble(board, scenario.policy, graph, resources, costs, contention=scenario.spec.physics.contention)
    labels = Labels(
        nodes=tuple(node.name for node in graph.nodes),
        node_segment=tuple(node.segment for node in graph.nodes),
        resources=tuple(resources),
        n_pes=len(board.pes),
        servers=tuple(
            name if count == 1 else f"{name}.{i}" for name, count in _servers(board, resources) for i in range(count)
        ),
        exits=tuple(scenario.network.exit_names[k] for k in graph.exit_labels),
        exit_number=tuple(k + 1 for k in graph.exit_labels),
    )
    reuse = scenario.policy.reuse
    chances = (0.0, 0.0) if reuse is None else reuse.chances
    return Lowered(plan, labels, np.array(graph.exit_of, np.int64), chances=chances)


def _labels_together(names: tuple[str, ...], alone: list[Labels]) -> Labels:
    """Name nodes and exits of several streams: ``front/b1``."""
    pairs = list(zip(names, alone, strict=True))
    return replace(
        alone[0],
        nodes=tuple(f"{name}/{node}" for name, labels in pairs for node in labels.nodes),
        node_segment=tuple(segment for labels in alone for segment in labels.node_segment),
        exits=tuple(f"{name}/{exit_}" for name, labels in pairs for exit_ in labels.exits),
        exit_number=tuple(number for labels in alone for number in labels.exit_number),
        streams=names,
    )


def _servers(board: Board, resources: list[str]) -> list[tuple[str, int]]:
    return [(name, board.pes[name].servers if name in board.pes else 1) for name in resources]


def _route(scenario: Scenario, node: Node) -> Route:
    route = scenario.board.transfers.route(scenario.mapping.pes[node.segment], node.target)
    assert route is not None, "loading a scenario checks that every tensor has a route"
    return route


def _clocks(pairs: list[tuple[Scenario, TaskGraph]], resources: list[str]) -> dict[str, list[int]]:
    """Clocks that each resource is ever set to, by any stream; the first is the one it starts with."""
    declared = pairs[0][0].mapping.pe_opp_hz
    clocks = {name: [declared.get(name, 0)] for name in resources}
    for scenario, graph in pairs:
        mapping = scenario.mapping
        for segment in sorted({node.segment for node in graph.nodes if not (node.is_transfer or node.is_detector)}):
            known = clocks[mapping.pes[segment]]
            if mapping.segment_opp_hz[segment] not in known:
                known.append(mapping.segment_opp_hz[segment])
    return clocks


def _links(graph: TaskGraph, scenario: Scenario, charge: str) -> list[str]:
    """Shared links that the graph's transfers queue for."""
    if charge != "link":
        return []
    return sorted({_route(scenario, node).link for node in graph.nodes if node.is_transfer})


class _Costs:
    """Where each node is served, how long it takes and what it draws, for every state its PE can be found in."""

    def __init__(
        self,
        scenario: Scenario,
        graph: TaskGraph,
        resources: list[str],
        charge: str,
        clocks: dict[str, list[int]],
    ) -> None:
        self.scenario = scenario
        self.charge = charge
        self.index = {name: i for i, name in enumerate(resources)}
        self.clocks = clocks
        states = max(len(clocks) for clocks in self.clocks.values())
        shape = (len(graph.nodes), states)
        self.resource = np.zeros(len(graph.nodes), np.int64)
        self.state = np.full(len(graph.nodes), KEEP_STATE, np.int64)
        self.work_ns = np.zeros(shape, np.int64)
        batching = scenario.policy.batching
        self.batch = np.ones(len(graph.nodes), np.int64)
        self.batch_work_ns = np.zeros((*shape, 0 if batching is None else batching.largest - 1), np.int64)
        self.power_uw = np.zeros(shape, np.int64)
        self.host_uw = np.zeros(shape, np.int64)
        for i, node in enumerate(graph.nodes):
            if node.is_detector:
                self._detector(i)
            elif node.is_transfer:
                self._transfer(i, node)
            else:
                self._segment(i, node)

    def _active_uw(self, pe: str, clock: int) -> int:
        return next(opp.active_power for opp in self.scenario.board.pes[pe].opps.table if opp.frequency == clock)

    def _host_power_uw(self, pe: str) -> int:
        element = self.scenario.board.pes[pe]
        effect = element.host_effect
        if effect is None or element.host is None:
            return 0
        return round(effect.host_power * self.scenario.mapping.pe_opp_hz[element.host] / 10**6)

    def _segment(self, i: int, node: Node) -> None:
        scenario, board = self.scenario, self.scenario.board
        pe = scenario.mapping.pes[node.segment]
        element, clocks = board.pes[pe], self.clocks[pe]
        name = scenario.network.segments[node.segment].name
        times = [self._time_ns(name, pe, clock) for clock in clocks]
        wanted = clocks.index(scenario.mapping.segment_opp_hz[node.segment])
        self.resource[i] = self.index[pe]
        self.batch[i] = 1 if scenario.policy.batching is None else scenario.policy.batching.size(pe)
        self.state[i] = wanted if len(clocks) > 1 else KEEP_STATE
        self.host_uw[i] = self._host_power_uw(pe)
        for v in range(self.work_ns.shape[1]):
            found = min(v, len(clocks) - 1)
            delay = dvfs_delay_ns(element, clocks[found], clocks[wanted])
            if not scenario.spec.physics.dvfs_delay or found == wanted:
                delay = 0
            time = times[wanted] if delay == 0 else time_across_change_ns(times[found], times[wanted], delay)
            self.batch_work_ns[i, v] = self._together_ns(i, pe, times[found], times[wanted], delay)
            powers = self._drawn_uw(name, pe, clocks[found]), self._drawn_uw(name, pe, clocks[wanted])
            self.work_ns[i, v] = time
            self.power_uw[i, v] = power_across_change_uw(*powers, delay, time)

    def _together_ns(self, i: int, pe: str, old_ns: int, new_ns: int, delay_ns: int) -> list[int]:
        """Time of 2, 3, ... tasks of a segment together; 0 beyond what is served together on its PE."""
        law = self.scenario.board.pes[pe].batch_law
        factors = [batch_factor(law, size) for size in range(2, int(self.batch[i]) + 1)] if law is not None else []
        scaled = [(round(old_ns * factor), round(new_ns * factor)) for factor in factors]
        times = [new if delay_ns == 0 else time_across_change_ns(old, new, delay_ns) for old, new in scaled]
        return times + [0] * (self.batch_work_ns.shape[2] - len(times))

    def _detector(self, i: int) -> None:
        """Compare inputs: on a PE at its clock, or for nothing but time."""
        reuse = self.scenario.policy.reuse
        detector = None if reuse is None else reuse.detector
        self.work_ns[i] = 0 if detector is None else detector.time
        self.resource[i] = PURE_DELAY
        if detector is not None and detector.pe is not None:
            self.resource[i] = self.index[detector.pe]
            clocks = self.clocks[detector.pe]
            found = [clocks[min(v, len(clocks) - 1)] for v in range(self.work_ns.shape[1])]
            self.power_uw[i] = [self._active_uw(detector.pe, clock) for clock in found]
            self.host_uw[i] = self._host_power_uw(detector.pe)

    def _drawn_uw(self, segment: str, pe: str, clock: int) -> int:
        """Active power of a PE at a clock while it runs a segment."""
        return round(self._active_uw(pe, clock) * self.scenario.profile.power_ratio(segment, pe))

    def _time_ns(self, segment: str, pe: str, clock: int) -> int:
        host_hz = self.scenario.mapping.host_hz(self.scenario.board, pe)
        time = self.scenario.profile.time_ns(self.scenario.board, segment, pe, clock, host_hz)
        assert time is not None, "loading a scenario checks that every segment has a time"
        if segment == self.scenario.network.segments[0].name:
            time += self.scenario.profile.input_ns(pe, clock, host_hz)
        effect = self.scenario.board.pes[pe].host_effect
        return time if effect is None else round(time * effect.slows_self.factor)

    def _transfer(self, i: int, node: Node) -> None:
        scenario, mapping = self.scenario, self.scenario.mapping
        route = _route(scenario, node)
        source = mapping.pes[node.segment]
        clock = None
        if route.clock is not None:
            clock = mapping.pe_opp_hz[route.clock.pe]
            if route.clock.pe == source:
                clock = mapping.segment_opp_hz[node.segment]
            elif route.clock.pe == node.target:
                clock = mapping.segment_opp_hz[node.consumer]
        self.work_ns[i] = transfer_ns(route, scenario.network.segments[node.segment].output, clock)
        payer = {"sender": source, "receiver": node.target}.get(self.charge)
        if payer is not None:
            segment = node.segment if payer == source else node.consumer
            self.resource[i] = self.index[payer]
            self.power_uw[i] = self._active_uw(payer, mapping.segment_opp_hz[segment])
            self.host_uw[i] = self._host_power_uw(payer)
        else:
            self.resource[i] = PURE_DELAY if self.charge == "delay" else self.index[route.link]


def _assemble(
    board: Board, policy: Policy, graph: TaskGraph, resources: list[str], costs: _Costs, *, contention: bool
) -> Plan:
    nodes, n_links = graph.nodes, len(resources) - len(board.pes)
    followers: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for before in node.before:
            followers[before].append(i)
    node_exit = np.full(len(nodes), -1, np.int64)
    for k, members in enumerate(graph.exit_nodes):
        node_exit[list(members)] = k
    bits, speed = speed_table(board, contention=contention)
    groups = {name: g for g, members in enumerate(board.exclusive) for name in members}
    return Plan(
        node_kind=np.array([NodeKind.TRANSFER if n.is_transfer else NodeKind.SEGMENT for n in nodes], np.int64),
        node_resource=costs.resource,
        node_rank=np.arange(len(nodes), dtype=np.int64),
        node_missing=np.array([len(node.before) for node in nodes], np.int64),
        node_exit=node_exit,
        node_need=np.array(graph.need, np.int64),
        node_gate=np.array(graph.gate, np.int64),
        node_state=costs.state,
        node_work_ns=costs.work_ns,
        node_kernels=np.array([_kernels(costs.scenario, node) for node in nodes], np.int64),
        node_detects=np.array(graph.detects, np.int64),
        node_batch=costs.batch,
        batch_work_ns=costs.batch_work_ns,
        node_bytes=np.array([_bytes_read(costs.scenario.network, node) for node in nodes], np.int64),
        node_enter=np.full(len(nodes), -1, np.int64),
        node_leave=np.full(len(nodes), -1, np.int64),
        succ_ptr=np.cumsum([0, *map(len, followers)]).astype(np.int64),
        succ=np.array([j for row in followers for j in row], np.int64),
        exit_need=np.array([len(members) for members in graph.exit_nodes], np.int64),
        server_resource=np.repeat(
            np.arange(len(resources), dtype=np.int64), [count for _, count in _servers(board, resources)]
        ),
        resource_group=np.array([groups.get(name, -1) for name in resources], np.int64),
        resource_bit=np.concatenate([bits, np.zeros(n_links, np.int64)]),
        resource_state=np.zeros(len(resources), np.int64),
        speed_ppm=np.ascontiguousarray(
            np.concatenate([speed, np.full((len(speed), n_links), FULL_SPEED, np.int64)], axis=1)
        ),
        **_stage_limits(policy, resources),
        section_places=np.zeros(0, np.int64),
        stage_full=_WHEN_FULL[policy.stage_queue.full],
        dispatch=_DISPATCH[policy.dispatch],
        stream_node=np.array([0, len(nodes)], np.int64),
        stream_exit=np.array([0, len(graph.exit_nodes)], np.int64),
        stream_priority=np.zeros(1, np.int64),
        **_entrance(costs.scenario),
        cancellation=np.array([_CANCELLATION[policy.cancellation, policy.abort_at]], np.int64),
        first_confident=np.array([policy.exit_order == "first_confident"], np.int64),
        **_levels(policy, costs.scenario.network.exit_names, graph),
        **_reuse(policy),
        **_bucket(policy, costs.scenario.network.exit_names, graph),
        node_power_uw=costs.power_uw,
        node_host_uw=costs.host_uw,
        resource_idle_uw=np.array([pe.idle_power.value for pe in board.pes.values()] + [0] * n_links, np.int64),
        base_uw=board.base_power.value,
    )


def _stage_limits(policy: Policy, resources: list[str]) -> dict[str, IntArray]:
    """Tasks that may wait for each resource, memory for what they read, and how long they wait for others."""
    queue, batching = policy.stage_queue, policy.batching
    limits = [queue.limits(name) for name in resources]
    return {
        "stage_capacity": np.array([limit_of(capacity) for capacity, _ in limits], np.int64),
        "stage_bytes": np.array([limit_of(size) for _, size in limits], np.int64),
        "batch_wait_ns": np.array([0 if batching is None else batching.wait_ns(name) for name in resources], np.int64),
    }


def _bytes_read(network: Network, node: Node) -> int:
    """Size of the tensor that a node reads."""
    if node.is_detector:
        return network.input
    source = node.segment if node.is_transfer else network.sources[node.segment]
    return network.segments[source].output if source >= 0 else network.input


def _kernels(scenario: Scenario, node: Node) -> int:
    return 1 if node.is_transfer or node.is_detector else scenario.network.segments[node.segment].kernels
