"""Runs of a log as rows of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from eesim.validate.importers.coup_clocks import mhz
from eesim.validate.importers.measured import MeasuredLayer, MeasuredRun, MeasuredSubgraph
from eesim.validate.importers.npu_model import model_of_name
from eesim.validate.importers.power_alignment import RunPower
from eesim.validate.importers.protocol import Imported, Options, Row, Value


def add_run(
    found: Imported, run: MeasuredRun, run_id: str, campaign: str, options: Options, power: RunPower | None = None
) -> None:
    """Append the rows of a run to the tables that its mode gives values for."""
    found.add("runs", _run_row(run, run_id, campaign))
    for subgraph in run.subgraphs:
        found.add("subgraph_times", _subgraph_row(subgraph, run_id))
    if run.mode == "whole":
        found.add("switch_runs", switch_row(run, run_id, campaign, options, power))
    if run.mode != "transfers":
        layers_mw = power.layers_mw if power is not None and run.mode == "layers" else [None] * len(run.layers)
        for (subgraph, layer), mw in zip(run.layers, layers_mw, strict=True):
            found.add("run_layer_times", _run_layer_row(subgraph, layer, run_id, mw))
        for row in layer_rows(run, run_id, campaign, power):
            found.add("layer_times", row)
        for row in _kernel_rows(run, run_id):
            found.add("kernel_times_cpu", row)
    _add_transfers(found, run, run_id, campaign)


def _run_row(run: MeasuredRun, run_id: str, campaign: str) -> Row:
    return {
        "run_id": run_id,
        "board": run.board,
        "campaign": campaign,
        "graph": run.graph,
        "order": run.order,
        "setting": run.setting,
        "freq_indices": run.freq_indices,
        "gpu_host": run.gpu_host,
        "npu_host": run.npu_host,
        "mode": run.mode,
        "threads_big": run.threads_big,
        "threads_little": run.threads_little,
        "frames": run.frames,
        "latency_ms": run.latency_ms,
        "ordinal": run.ordinal,
        "line": run.line,
        "source": run.source.name,
    }


def _subgraph_row(subgraph: MeasuredSubgraph, run_id: str) -> Row:
    npu = subgraph.npu
    return {
        "run_id": run_id,
        "subgraph": subgraph.number,
        "pe": subgraph.pe,
        "first_layer": subgraph.first,
        "last_layer": subgraph.last,
        "input_ms": subgraph.input_ms,
        "task_ms": subgraph.task_ms,
        "send_ms": subgraph.send_ms,
        "output_ms": subgraph.output_ms,
        "process_ms": subgraph.process_ms,
        "layers_ms": subgraph.layers_ms,
        "npu_load_ms": npu and npu.load_ms,
        "npu_run_get_ms": npu and npu.run_get_ms,
        "npu_task_ms": npu and npu.task_ms,
        "npu_fill_tensor_ms": npu and npu.fill_tensor_ms,
    }


def _run_layer_row(subgraph: MeasuredSubgraph, layer: MeasuredLayer, run_id: str, power_mw: float | None) -> Row:
    return {
        "run_id": run_id,
        "subgraph": subgraph.number,
        "pe": subgraph.pe,
        "first_layer": layer.first,
        "last_layer": layer.last,
        "time_ms": layer.time_ms,
        "power_mw": power_mw,
        "first_task": layer.name,
        "n_tasks": len(layer.tasks),
    }


def _clocks(run: MeasuredRun, layer: int) -> dict[str, Value]:
    """Clock columns of a layer: for N the index is its host's."""
    pe, clock = run.order[layer], run.clocks[layer]
    host_pe = (run.npu_host if pe == "N" else run.gpu_host) or "B"
    own, host = (None, clock.own) if pe == "N" else (clock.own, clock.host)
    return {
        "freq_index": own,
        "freq_mhz": None if own is None else mhz(run.board, pe, own),
        "host_freq_index": host,
        "host_freq_mhz": None if host is None else mhz(run.board, host_pe, host),
    }


def layer_rows(run: MeasuredRun, run_id: str, campaign: str, power: RunPower | None = None) -> list[Row]:
    """Return the rows of ``layer_times``: what holds of a layer whatever runs before it.

    That is a run on one PE, and layers on N. After a change of PE a layer takes longer (B after N in MobileNetV1: 8 to
    66 %): such times are in ``run_layer_times`` only. A row of layers that the NPU runs as one node is no layer.
    """
    last = len(run.order) - 1
    alone = len(run.subgraphs) == 1
    rows: list[Row] = []
    known = power is not None and (run.mode == "layers" or len(run.layers) == 1)
    layers_mw = power.layers_mw if power is not None and known else [None] * len(run.layers)

    def add(layer: int, metric: str, time_ms: float, power_mw: float | None = None) -> None:
        if alone or run.order[layer] == "N":
            place: dict[str, Value] = {"campaign": campaign, "graph": run.graph, "layer": layer, "pe": run.order[layer]}
            origin: dict[str, Value] = {
                "power_mw": power_mw,
                "board": run.board,
                "run_id": run_id,
                "source": run.source.name,
            }
            rows.append({**place, "metric": metric, **_clocks(run, layer), "time_ms": time_ms, **origin})

    add(0, "input", run.subgraphs[0].input_ms, power.input_mw if power is not None else None)
    for (subgraph, layer), mw in zip(run.layers, layers_mw, strict=True):
        if subgraph.npu is None:
            add(layer.first, "task", layer.time_ms, mw)
        elif layer.first == layer.last:
            npu = subgraph.npu
            add(layer.first, "task", npu.task_ms, mw)
            add(layer.first, "npu_load", npu.load_ms)
            add(layer.first, "npu_run_get", npu.run_get_ms)
            add(layer.first, "npu_fill_tensor", npu.fill_tensor_ms)
    add(last, "output", run.subgraphs[-1].output_ms)
    return rows


def _kernel_rows(run: MeasuredRun, run_id: str) -> list[Row]:
    """Return the tasks of a run on B or L alone; the time of one on G is that of enqueueing it."""
    rows: list[Row] = []
    if len(run.subgraphs) > 1:
        return rows
    for sequence, subgraph, layer, i in _numbered_tasks(run):
        if subgraph.pe not in "BL":
            continue
        index = run.clocks[layer.first].own
        rows.append(
            {
                "graph": run.graph,
                "pe": subgraph.pe,
                "freq_index": index,
                "freq_mhz": mhz(run.board, subgraph.pe, index),
                "kernel_seq": sequence,
                "layer": layer.first,
                "time_ms": layer.tasks[i].time_ms,
                "board": run.board,
                "run_id": run_id,
            }
        )
    return rows


def _numbered_tasks(run: MeasuredRun) -> list[tuple[int, MeasuredSubgraph, MeasuredLayer, int]]:
    """Every task of a network that no NPU node hides a part of, numbered through the network."""
    if "N" in run.order:
        return []
    flat = [(subgraph, layer, i) for subgraph, layer in run.layers for i in range(len(layer.tasks))]
    return [(sequence, *where) for sequence, where in enumerate(flat)]


def add_shapes(found: Imported, runs: Sequence[MeasuredRun]) -> None:
    """Append the shapes of a network's tasks, once for each network."""
    known = {row["graph"] for row in found.tables.get("kernel_shapes", [])}
    for run in runs:
        tasks = _numbered_tasks(run)
        if run.graph in known or not tasks:
            continue
        known.add(run.graph)
        for sequence, _, layer, i in tasks:
            task = layer.tasks[i]
            shapes: dict[str, Value] = {"input_shape": task.input_shape, "output_shape": task.output_shape}
            place: dict[str, Value] = {
                "graph": run.graph,
                "layer": layer.first,
                "kernel_seq": sequence,
                "kernel": task.name,
            }
            found.add("kernel_shapes", {**place, **shapes})


def switch_row(run: MeasuredRun, run_id: str, campaign: str, options: Options, power: RunPower | None = None) -> Row:
    """Return a run as a row of ``switch_runs``: the sum of its subgraphs' Process."""
    total = sum(subgraph.process_ms for subgraph in run.subgraphs)
    input_ms = run.subgraphs[0].input_ms
    has_npu = "N" in run.order
    return {
        "run_id": run_id,
        "campaign": campaign,
        "graph": run.graph,
        "order": run.order,
        "freq_indices": run.freq_indices,
        "gpu_host": run.gpu_host,
        "npu_host": run.npu_host,
        "npu_model": (options.npu_model or model_of_name(run.source.name)) if has_npu else "",
        "n_switches": len(run.subgraphs) - 1,
        "single_pe": int(len(run.subgraphs) == 1),
        "input_time_ms": input_ms,
        "task_time_ms": total - input_ms,
        "output_time_ms": run.subgraphs[-1].output_ms,
        "total_time_ms": total,
        "input_power_mw": None if power is None else power.input_mw,
        "task_power_mw": None if power is None else power.layers_mw[0],
        "energy_mj": None
        if power is None
        else (input_ms * power.input_mw + (total - input_ms) * power.layers_mw[0]) / 1000,
        "source": run.source.name,
        "board": run.board,
    }


def _add_transfers(found: Imported, run: MeasuredRun, run_id: str, campaign: str) -> None:
    """Append each hand-over that is one copy to the next subgraph, at the lowest clocks."""
    if len(run.subgraphs) == 1 or any(clock.own or clock.host for clock in run.clocks):
        return
    if run.receivers is None:
        found.tally.warn(f"{run.source}: which subgraph sends to which is not said completely: no transfer times")
        return
    for subgraph, targets in zip(run.subgraphs, run.receivers, strict=True):
        if subgraph.send_ms is None or len(targets) != 1:
            continue
        receiver = run.subgraphs[targets[0]]
        pes: dict[str, Value] = {"src_pe": subgraph.pe, "dst_pe": receiver.pe}
        time: dict[str, Value] = {"time_ms_at_min_freq": subgraph.send_ms, "distinct_values": 1}
        place: dict[str, Value] = {"campaign": campaign, "graph": run.graph, "recv_layer": receiver.first}
        origin: dict[str, Value] = {"board": run.board, "run_id": run_id, "source": run.source.name}
        found.add("transfer_times", {**place, **pes, **time, **origin})


KEYS = {
    "layer_times": ("campaign", "graph", "layer", "pe", "metric", "freq_index", "host_freq_index"),
    "transfer_times": ("campaign", "graph", "recv_layer", "src_pe", "dst_pe"),
}


def warn_about_repeats(found: Imported) -> None:
    """Say where several runs measured the same thing: whoever reads the tables must choose or average."""
    for table, columns in KEYS.items():
        counts = Counter(tuple(row.get(column) for column in columns) for row in found.tables.get(table, []))
        repeated = sum(number > 1 for number in counts.values())
        if repeated:
            found.tally.warn(f"{table}: {repeated} of {len(counts)} quantities were measured by several runs")
