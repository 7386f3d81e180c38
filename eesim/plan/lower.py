"""Lowering: a scenario becomes a `Plan`. The only code that knows both the friendly world and the arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eesim.errors import InputError, Problem
from eesim.hardware.laws import (
    dvfs_delay_ns,
    power_across_change_uw,
    speed_table,
    time_across_change_ns,
    transfer_ns,
)
from eesim.hardware.spec import Board, Route
from eesim.mapping.policy import Policy
from eesim.plan.graph import Node, TaskGraph, build_graph
from eesim.plan.plan import (
    FULL_SPEED,
    KEEP_STATE,
    NEVER,
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
    """1-based number of each exit that can answer, among the network's exits."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A plan, the names of what is in it, and how to turn drawn frames into what an engine is fed."""

    plan: Plan
    labels: Labels
    exit_of: IntArray
    """Plan exit for each exit of the network."""

    @property
    def keeps_exits(self) -> bool:
        """Whether the plan's exits are the network's."""
        return bool((self.exit_of == np.arange(len(self.exit_of))).all())

    def draws(self, frames: Frames) -> Draws:
        """Translate drawn frames: network exits to the plan's, noise per segment to noise per node."""
        plan = self.plan
        if plan.first_confident:
            exits = np.zeros_like(frames.confident)
            # A frame that a disabled exit would have been confident about is so at the next enabled one.
            for network_exit, plan_exit in enumerate(self.exit_of):
                exits |= (frames.confident >> network_exit & 1) << plan_exit
        elif self.keeps_exits:
            exits = frames.exit
        else:
            exits = self.exit_of[frames.exit]
        noise = np.zeros((0, plan.n_nodes), np.int64)
        if len(frames.noise_ppm):
            noise = np.ascontiguousarray(frames.noise_ppm[:, list(self.labels.node_segment)])
            noise[:, plan.node_kind == NodeKind.TRANSFER] = FULL_SPEED
            self._check_range(noise)
        return Draws(frames.arrival_ns, exits, noise)

    def _check_range(self, noise_ppm: IntArray) -> None:
        """Refuse noise that makes a task longer than 64 bits of ns x ppm hold."""
        longest = int((self.plan.node_work_ns.max(axis=1).astype(object) * noise_ppm.max(axis=0).astype(object)).max())
        if longest >= NEVER:
            message = (
                f"makes a task of {longest / FULL_SPEED / 1e9:.0f} s; the engines count up to {NEVER // 10**15:,} s"
            )
            raise InputError([Problem("scenario", 0, "stream.noise", message)])


def _entrance(scenario: Scenario) -> dict[str, int]:
    """Rules of the queue of frames; a closed loop is a source that a queue without places holds back."""
    policy = scenario.policy
    in_flight = _limit(policy.frames_in_flight)
    if isinstance(scenario.spec.stream.arrivals, ClosedLoop):
        endless = in_flight == UNBOUNDED and policy.frame_gate == "open"
        return {
            "queue_capacity": 0,
            "queue_full": WhenFull.BLOCK,
            "frames_in_flight": 1 if endless else in_flight,
        }
    return {
        "queue_capacity": _limit(policy.queue.capacity),
        "queue_full": _WHEN_FULL[policy.queue.full],
        "frames_in_flight": in_flight,
    }


def _limit(written: object) -> int:
    return UNBOUNDED if written == "unbounded" else int(str(written))


def lower(scenario: Scenario) -> Lowered:
    """Lower a scenario to the arrays that an engine reads.

    Every number is rounded once, here: times to ns, powers to uW, speeds to ppm.
    """
    board, policy, mapping = scenario.board, scenario.policy, scenario.mapping
    charge = board.transfers.charge if scenario.spec.physics.transfers else ""
    graph = build_graph(scenario.network, mapping.pes, mapping.enabled_exits, policy, charge)
    resources = [*board.pe_names, *_links(graph, scenario, charge)]
    costs = _Costs(scenario, graph, resources, charge)
    plan = _assemble(board, policy, graph, resources, costs, contention=scenario.spec.physics.contention)
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
    return Lowered(plan, labels, np.array(graph.exit_of, np.int64))


def _servers(board: Board, resources: list[str]) -> list[tuple[str, int]]:
    return [(name, board.pes[name].servers if name in board.pes else 1) for name in resources]


def _route(scenario: Scenario, node: Node) -> Route:
    route = scenario.board.transfers.route(scenario.mapping.pes[node.segment], node.target)
    assert route is not None, "loading a scenario checks that every tensor has a route"
    return route


def _links(graph: TaskGraph, scenario: Scenario, charge: str) -> list[str]:
    """Shared links that the graph's transfers queue for."""
    if charge != "link":
        return []
    return sorted({_route(scenario, node).link for node in graph.nodes if node.is_transfer})


class _Costs:
    """Where each node is served, how long it takes and what it draws, for every state its PE can be found in."""

    def __init__(self, scenario: Scenario, graph: TaskGraph, resources: list[str], charge: str) -> None:
        self.scenario = scenario
        self.charge = charge
        self.index = {name: i for i, name in enumerate(resources)}
        self.clocks = self._clocks(graph, resources)
        states = max(len(clocks) for clocks in self.clocks.values())
        shape = (len(graph.nodes), states)
        self.resource = np.zeros(len(graph.nodes), np.int64)
        self.state = np.full(len(graph.nodes), KEEP_STATE, np.int64)
        self.work_ns = np.zeros(shape, np.int64)
        self.power_uw = np.zeros(shape, np.int64)
        self.host_uw = np.zeros(shape, np.int64)
        for i, node in enumerate(graph.nodes):
            if node.is_transfer:
                self._transfer(i, node)
            else:
                self._segment(i, node)

    def _clocks(self, graph: TaskGraph, resources: list[str]) -> dict[str, list[int]]:
        """Clocks that each resource is ever set to; the first is the one it starts with."""
        mapping = self.scenario.mapping
        clocks = {name: [mapping.pe_opp_hz.get(name, 0)] for name in resources}
        for segment in sorted({node.segment for node in graph.nodes if not node.is_transfer}):
            known = clocks[mapping.pes[segment]]
            if mapping.segment_opp_hz[segment] not in known:
                known.append(mapping.segment_opp_hz[segment])
        return clocks

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
        self.state[i] = wanted if len(clocks) > 1 else KEEP_STATE
        self.host_uw[i] = self._host_power_uw(pe)
        for v in range(self.work_ns.shape[1]):
            found = min(v, len(clocks) - 1)
            delay = dvfs_delay_ns(element, clocks[found], clocks[wanted])
            if not scenario.spec.physics.dvfs_delay or found == wanted:
                delay = 0
            time = times[wanted] if delay == 0 else time_across_change_ns(times[found], times[wanted], delay)
            powers = self._active_uw(pe, clocks[found]), self._active_uw(pe, clocks[wanted])
            self.work_ns[i, v] = time
            self.power_uw[i, v] = power_across_change_uw(*powers, delay, time)

    def _time_ns(self, segment: str, pe: str, clock: int) -> int:
        time = self.scenario.profile.time_ns(self.scenario.board, segment, pe, clock)
        assert time is not None, "loading a scenario checks that every segment has a time"
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
    capacity = _limit(policy.stage_queue.capacity)
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
        stage_capacity=np.full(len(resources), capacity, np.int64),
        stage_full=_WHEN_FULL[policy.stage_queue.full],
        **_entrance(costs.scenario),
        dispatch=_DISPATCH[policy.dispatch],
        cancellation=_CANCELLATION[policy.cancellation, policy.abort_at],
        first_confident=int(policy.exit_order == "first_confident"),
        node_power_uw=costs.power_uw,
        node_host_uw=costs.host_uw,
        resource_idle_uw=np.array([pe.idle_power.value for pe in board.pes.values()] + [0] * n_links, np.int64),
        base_uw=board.base_power.value,
    )


def _kernels(scenario: Scenario, node: Node) -> int:
    return 1 if node.is_transfer else scenario.network.segments[node.segment].kernels
