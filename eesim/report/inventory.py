"""What ``eesim show`` prints: boards and networks with the origin of their numbers, scenarios as they are resolved."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from eesim.hardware.laws import slowdown
from eesim.hardware.origin import Origin
from eesim.hardware.spec import Board
from eesim.metrics.bounds import bounds
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import PURE_DELAY, NodeKind
from eesim.scenario.load import Scenario
from eesim.units import format_frequency, format_time
from eesim.workload.network import Network


def _table(*columns: str) -> Table:
    """Return an empty table without borders; columns named ``<...`` are aligned to the left."""
    table = Table(box=None, pad_edge=False)
    for i, column in enumerate(columns):
        left = i == 0 or column.startswith("<")
        table.add_column(column.lstrip("<"), justify="left" if left else "right", no_wrap=i == 0)
    return table


def _print(console: Console, title: str, table: Table) -> None:
    console.print(f"[bold]{title}[/]", highlight=False)
    console.print(table)


def _origin(origin: Origin) -> str:
    return f"{origin.kind} [{origin.source}]" if origin.source else origin.kind


def print_board(board: Board, console: Console) -> None:
    """Print a board: PEs, operating points, contention, transfers, sources."""
    console.print(f"[bold]{board.name}[/]: {board.title}")
    console.print(f"base power {board.base_power.value / 1e3:g} mW, {_origin(board.base_power.origin)}\n", markup=False)
    table = _table("PE", "<what", "cores", "servers", "host", "peak", "clocks")
    for name, pe in board.pes.items():
        peak = f"{pe.peak.value / 1e9:g} G/s" if pe.peak else "n/a"
        steps = pe.opps.frequencies
        clocks = f"{steps[0] / 1e6:g} .. {steps[-1] / 1e6:g} MHz"
        table.add_row(name, pe.title, str(pe.cores), str(pe.servers), pe.host or "", peak, clocks)
    _print(console, "Processing elements", table)
    for name, pe in board.pes.items():
        points = _table("clock", "voltage", "active power")
        for opp in pe.opps.table:
            voltage = f"{opp.voltage / 1e6:.3f} V" if opp.voltage is not None else "n/a"
            points.add_row(format_frequency(opp.frequency), voltage, f"{opp.active_power / 1e3:g} mW")
        title = f"\n{name}: operating points {_origin(pe.opps.origin)}, power {_origin(pe.opps.power_origin)}"
        _print(console, title.replace("[", "\\["), points)
    _print_contention(board, console)
    _print_routes(board, console)
    console.print("\n[bold]Sources[/]")
    for key, text in board.sources.items():
        console.print(f"  {key}: {text}", highlight=False)


def _print_contention(board: Board, console: Console) -> None:
    table = _table("PE", "while", "factor")
    for victim in board.pes:
        for aggressor in board.pes:
            factor = slowdown(board, victim, aggressor) if victim != aggressor else 1.0
            if factor != 1:
                table.add_row(victim, aggressor, f"{factor:g}")
    if table.row_count:
        _print(console, "\nContention: how much longer a PE takes while another is busy", table)


def _print_routes(board: Board, console: Console) -> None:
    table = _table("route", "fixed", "per MB", "<scaled by", "<origin")
    for key, route in board.transfers.routes.items():
        clock = ""
        if route.clock is not None:
            clock = f"{route.clock.pe}: max(1, {route.clock.offset:g} + {route.clock.slope:g} GHz/f)"
        per_mb = f"{float(route.per_byte):g} ms"
        table.add_row(key, format_time(route.fixed), per_mb, clock, _origin(route.origin).replace("[", "\\["))
    _print(console, f"\nTransfers at maximum clocks, charged to: {board.transfers.charge}", table)


def print_network(network: Network, console: Console) -> None:
    """Print a network: segments in construction order."""
    console.print(f"[bold]{network.name}[/]: {network.title}")
    console.print(f"input {network.input:,} bytes, {_origin(network.origin)}\n", markup=False, highlight=False)
    counted = any(segment.macs is not None for segment in network.segments)
    table = _table("segment", "fed by", "exit", "output bytes", "kernels", *(["MACs"] if counted else []))
    names = network.segment_names
    for segment, source in zip(network.segments, network.sources, strict=True):
        fed = names[source] if source >= 0 else "input"
        macs = [] if not counted else ["n/a" if segment.macs is None else f"{segment.macs:,}"]
        table.add_row(segment.name, fed, segment.exit or "", f"{segment.output:,}", str(segment.kernels), *macs)
    _print(console, "Segments", table)


def _plan_rows(lowered: Lowered) -> list[dict[str, Any]]:
    """One row per node of the task graph."""
    plan, labels = lowered.plan, lowered.labels
    names = (*labels.resources, "delay")
    rows = []
    for i, name in enumerate(labels.nodes):
        followers = plan.succ[plan.succ_ptr[i] : plan.succ_ptr[i + 1]]
        rows.append(
            {
                "task": name,
                "kind": NodeKind(int(plan.node_kind[i])).name.lower(),
                "resource": names[int(plan.node_resource[i])],
                "time_ms": int(plan.node_work_ns[i].min()) / 1e6,
                "power_mw": int(plan.node_power_uw[i].min()) / 1e3,
                "needed_for": (*labels.exits, "nothing")[int(plan.node_need[i])],
                "followed_by": [labels.nodes[int(j)] for j in followers],
            }
        )
    assert PURE_DELAY == -1, "names[-1] stands for a pure delay"
    return rows


def scenario_data(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as it is resolved, as plain data."""
    lowered = lower(scenario)
    exits = lowered.labels.exits
    found = bounds(lowered.plan, _even(len(exits)))
    return {
        "board": scenario.board.name,
        **_stream_data(scenario, exits if not scenario.members else lowered.parts[0].labels.exits),
        "streams": [
            {
                "name": name,
                "priority": entry.priority,
                **_stream_data(member, part.labels.exits),
            }
            for name, entry, member, part in zip(
                scenario.names, scenario.spec.streams, scenario.members, lowered.parts, strict=True
            )
        ],
        "physics": scenario.spec.physics.model_dump(),
        "frames": scenario.n_frames,
        "tasks": _plan_rows(lowered),
        "exit_latency_bound_ms": {
            name: int(value) / 1e6 for name, value in zip(exits, found.exit_latency_ns, strict=True)
        },
        "notes": list(scenario.notes),
        "files": dict(scenario.files),
    }


def _stream_data(scenario: Scenario, exits: tuple[str, ...]) -> dict[str, Any]:
    """Return what a stream has of its own."""
    return {
        "network": scenario.network.name,
        "mapping": {
            "order": scenario.mapping.order,
            "segments": dict(zip(scenario.network.segment_names, scenario.mapping.pes, strict=True)),
            "opp_hz": dict(scenario.mapping.pe_opp_hz),
            "exits": list(exits),
        },
        "policy": scenario.policy.model_dump(),
    }


def _even(n: int) -> Any:
    import numpy as np

    return np.full(n, 1 / n)


def print_scenario(scenario: Scenario, console: Console) -> None:
    """Print a scenario as it is resolved: mapping, switches, the task graph of one frame."""
    data = scenario_data(scenario)
    for name, member, part in zip(scenario.names or ("",), scenario.streams, data["streams"] or [data], strict=True):
        prefix = f"{name}: " if name else ""
        console.print(
            f"{prefix}[bold]{part['network']}[/] on [bold]{data['board']}[/], mapping {part['mapping']['order']}"
        )
        used = {pe: part["mapping"]["opp_hz"][pe] for pe in dict.fromkeys(member.mapping.pes)}
        console.print("clocks " + ", ".join(f"{pe} {format_frequency(clock)}" for pe, clock in used.items()))
        switches = ", ".join(
            f"{key} {value if not isinstance(value, dict) else value.get('capacity', value)}"
            for key, value in part["policy"].items()
            if key != "preset" and value is not None
        )
        console.print(f"policy {part['policy']['preset']}: {switches}\n", highlight=False)
    table = _table("task", "on", "time", "active power", "needed for", "<then")
    for row in data["tasks"]:
        table.add_row(
            row["task"],
            row["resource"],
            f"{row['time_ms']:.3f} ms",
            f"{row['power_mw']:g} mW",
            row["needed_for"],
            " ".join(row["followed_by"]),
        )
    _print(console, "Task graph of one frame, in dispatch order", table)
    listed = ", ".join(f"{name} {value:.2f} ms" for name, value in data["exit_latency_bound_ms"].items())
    console.print(f"\nno frame can answer before: {listed}", highlight=False)
    for note in data["notes"]:
        console.print(f"note: {note}", highlight=False)
