"""From a scenario to what the compiled lowering reads: its costs for every PE and operating point.

Only policies that send after each segment, with operating points that never change during a run and without noise,
are lowered in compiled code; `unsupported` says why a scenario has to take the general road (`eesim.plan.lower`).
"""

from __future__ import annotations

import numpy as np

from eesim.base import FULL_SPEED, IntArray
from eesim.engine import candidate_tables as k
from eesim.engine.candidate_tables import CandidateTables
from eesim.hardware.laws import speed_table, transfer_ns
from eesim.hardware.spec import Board
from eesim.plan.lower import limit_of, lower
from eesim.plan.plan import UNBOUNDED, WhenFull
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import ClosedLoop

_CHARGES = {
    "sender": k.CHARGE_SENDER,
    "receiver": k.CHARGE_RECEIVER,
    "link": k.CHARGE_LINK,
    "delay": k.CHARGE_DELAY,
}
_GATES = {"open": k.GATE_OPEN, "first_subgraph": k.GATE_FIRST, "last_subgraph": k.GATE_LAST, "all": k.GATE_ALL}


def unsupported(scenario: Scenario) -> str:
    """Why candidates of a scenario cannot be lowered in compiled code; empty if they can."""
    policy = scenario.policy
    if scenario.members:
        return f"{len(scenario.members)} streams share the platform, and a design is of one stream: search each alone"
    if policy.send_policy != "after_segment" or policy.merge_order != "exit_first":
        return f"policy {policy.preset} sends after whole subgraphs"
    if policy.exit_order == "first_confident":
        return "exit_order first_confident reads the set of confident exits"
    if policy.adaptive is not None:
        return "policy.adaptive lets exits depend on how many frames are in the system"
    if policy.budget is not None:
        return "policy.budget makes frames answer where they would not"
    if policy.reuse is not None:
        return "policy.reuse lets frames have the answers of others"
    if policy.batching is not None:
        return "policy.batching serves frames together"
    if policy.stage_queue.in_bytes:
        return "policy.stage_queue is limited in bytes"
    if isinstance(scenario.spec.stream.arrivals, ClosedLoop):
        return "arrivals are a closed loop: nothing is asked of a stream that waits for the system"
    if scenario.spec.stream.noise is not None:
        return "service times are noisy"
    if scenario.profile.input:
        return "the profile has an input phase"
    if any(law.host_cycles or law.power != 1 for row in scenario.profile.laws.values() for law in row.values()):
        return "the profile's laws depend on host clocks, or name the power of each segment"
    return ""


def candidate_tables(scenario: Scenario) -> CandidateTables:
    """Tabulate a scenario's costs.

    Raises
    ------
    ValueError
        If the scenario cannot be lowered in compiled code (`unsupported`).
    """
    reason = unsupported(scenario)
    if reason:
        raise ValueError(reason)
    board, network, policy = scenario.board, scenario.network, scenario.policy
    plan = lower(scenario).plan
    assert not len(plan.section_places), "candidates have no sections"
    charge = _CHARGES[board.transfers.charge] if scenario.spec.physics.transfers else k.CHARGE_NOTHING
    links = sorted({route.link for route in board.transfers.routes.values()}) if charge == k.CHARGE_LINK else []
    time, clock, link = _routes(scenario, links)
    host, host_uw = _hosts(board)
    exits = np.full(len(network.segments), -1, np.int64)
    exits[list(network.exit_segments)] = np.arange(len(network.exit_names))
    bits, speed = speed_table(board, contention=scenario.spec.physics.contention)
    groups = {name: g for g, members in enumerate(board.exclusive) for name in members}
    nothing = np.zeros(len(links), np.int64)
    servers = [pe.servers for pe in board.pes.values()] + [1] * len(links)
    names = [*board.pe_names, *links]
    capacities = np.array([limit_of(policy.stage_queue.limits(name)[0]) for name in names], np.int64)
    # As in the arena: the rule of a stage queue that cannot be full never matters; take the cheapest.
    stage_full = plan.stage_full if (capacities != UNBOUNDED).any() else WhenFull.DROP_NEWEST
    return CandidateTables(
        source=np.array(network.sources, np.int64),
        exit=exits,
        kernels=np.array([segment.kernels for segment in network.segments], np.int64),
        time_ns=_times(scenario),
        transfer_ns=time,
        route_clock=clock,
        route_link=link,
        active_uw=_padded([[opp.active_power for opp in pe.opps.table] for pe in board.pes.values()], 0),
        host=host,
        host_uw=host_uw,
        idle_uw=np.concatenate([[pe.idle_power.value for pe in board.pes.values()], nothing]).astype(np.int64),
        server_resource=np.repeat(np.arange(len(servers), dtype=np.int64), servers),
        resource_group=np.concatenate([[groups.get(name, -1) for name in board.pes], nothing - 1]).astype(np.int64),
        resource_bit=np.concatenate([bits, nothing]),
        speed_ppm=np.concatenate([speed, np.full((len(speed), len(links)), FULL_SPEED, np.int64)], axis=1).copy(),
        base_uw=board.base_power.value,
        charge=charge,
        decide=int(policy.exit_decision == "decide"),
        blocking=int(policy.speculation == "blocking"),
        gate=_GATES[policy.frame_gate],
        stage_full=int(stage_full),
        queue_full=int(plan.queue_full[0]),
        dispatch=int(plan.dispatch),
        cancellation=int(plan.cancellation[0]),
        stage_capacity=capacities,
    )


def _padded(rows: list[list[int]], fill: int) -> IntArray:
    width = max(map(len, rows))
    return np.array([row + [fill] * (width - len(row)) for row in rows], np.int64)


def _times(scenario: Scenario) -> IntArray:
    """Service times, (S, P, O); -1 where nothing is known."""
    board = scenario.board
    width = max(len(pe.opps.table) for pe in board.pes.values())
    table = np.full((len(scenario.network.segments), len(board.pes), width), -1, np.int64)
    for s, name in enumerate(scenario.network.segment_names):
        for p, (pe, element) in enumerate(board.pes.items()):
            effect = element.host_effect
            for o, clock in enumerate(element.opps.frequencies):
                time = scenario.profile.time_ns(board, name, pe, clock, scenario.mapping.host_hz(board, pe))
                if time is not None:
                    table[s, p, o] = time if effect is None else round(time * effect.slows_self.factor)
    return table


def _routes(scenario: Scenario, links: list[str]) -> tuple[IntArray, IntArray, IntArray]:
    """Transfer times, (S, P, P, O), and the clock and link of each route."""
    board = scenario.board
    names = board.pe_names
    width = max(len(pe.opps.table) for pe in board.pes.values())
    sizes = [segment.output for segment in scenario.network.segments]
    time = np.full((len(sizes), len(names), len(names), width), -1, np.int64)
    clock = np.full((len(names), len(names)), -1, np.int64)
    link = np.full((len(names), len(names)), -1, np.int64)
    for key, route in board.transfers.routes.items():
        a, b = (names.index(name) for name in key.split("->"))
        steps: tuple[int | None, ...] = (None,)
        if route.clock is not None:
            clock[a, b] = names.index(route.clock.pe)
            steps = board.pes[route.clock.pe].opps.frequencies
        if links:
            link[a, b] = len(names) + links.index(route.link)
        for s, size in enumerate(sizes):
            time[s, a, b, : len(steps)] = [transfer_ns(route, size, f_hz) for f_hz in steps]
    return time, clock, link


def _hosts(board: Board) -> tuple[IntArray, IntArray]:
    """Host of each PE, and its power by the host's operating point."""
    names = board.pe_names
    host = np.full(len(names), -1, np.int64)
    rows = []
    for i, element in enumerate(board.pes.values()):
        row = [0]
        if element.host is not None and element.host_effect is not None:
            host[i] = names.index(element.host)
            steps = board.pes[element.host].opps.frequencies
            row = [round(element.host_effect.host_power * f_hz / 10**6) for f_hz in steps]
        rows.append(row)
    return host, _padded(rows, 0)
