"""The measurement schema: tables, their columns, units, and how numbers are written (docs/measurements.md)."""

from __future__ import annotations

from typing import NamedTuple

from eesim.validate.importers.protocol import Value


class Column(NamedTuple):
    """One column: its name says the unit (``_ms``, ``_mw``, ``_mj``, ``_mhz``)."""

    name: str
    meaning: str


def _columns(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(*pair) for pair in pairs)


_BOARD = ("board", "`rk3399pro`, another board that was let in, or empty: the file does not say")
_SOURCE = ("source", "file that the row was read from")
_RUN = ("run_id", "run of a log, key of `runs.csv`; empty in rows from tables")
_GRAPH = ("graph", "network")
_CAMPAIGN = ("campaign", "label of the measurements; campaigns are never mixed")
_ORDER = ("order", "one PE letter per layer")
_INDICES = ("freq_indices", "one item per layer, `-` between; `g:h` for G: its index, its host's; for N the host's")
_HOSTS = (
    ("gpu_host", "cluster that runs the GPU's driver thread"),
    ("npu_host", "cluster that runs the NPU's driver thread"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "layer_times": _columns(
        _CAMPAIGN,
        _GRAPH,
        ("layer", "layer (super-layer), from 0"),
        ("pe", "B, L, G or N"),
        ("metric", "`input`, `task`, `output`, `npu_load`, `npu_run_get`, `npu_fill_tensor`"),
        ("freq_index", "frequency index of the PE; empty for N"),
        ("freq_mhz", "its clock"),
        ("host_freq_index", "frequency index of the host cluster; G and N only"),
        ("host_freq_mhz", "its clock"),
        ("time_ms", "mean time per frame"),
        ("power_mw", "mean power of the whole board in that phase"),
        _BOARD,
        _RUN,
        _SOURCE,
    ),
    "transfer_times": _columns(
        _CAMPAIGN,
        _GRAPH,
        ("recv_layer", "first layer on the receiving PE"),
        ("src_pe", "sender"),
        ("dst_pe", "receiver"),
        ("time_ms_at_min_freq", "time of the hand-over, all clocks at their lowest"),
        ("distinct_values", "different values found for this hand-over; the time is their median"),
        _BOARD,
        _RUN,
        _SOURCE,
    ),
    "transfer_freq_scaling": _columns(
        ("src_pe", "sender"),
        ("dst_pe", "receiver"),
        ("src_freq_mhz", "sender's clock"),
        ("src_host_freq_mhz", "its host's"),
        ("dst_freq_mhz", "receiver's clock"),
        ("dst_host_freq_mhz", "its host's"),
        ("tensor_bytes", "kernels x 27 x 27 x 4"),
        ("time_ms", "time of the hand-over"),
        ("power_mw", "mean power of the whole board"),
        ("time_ratio_to_min", "time over that at the lowest clocks"),
        _SOURCE,
    ),
    "dvfs_delay": _columns(
        ("pe", "B, L or G"),
        ("from_mhz", "clock before"),
        ("to_mhz", "clock after"),
        ("from_index", "frequency index before"),
        ("to_index", "frequency index after"),
        ("mean_ms", "the file's own mean of ten repeats (of what is above zero, where some are below)"),
        ("median_ms", "median of the ten"),
        ("min_ms", "least of the ten"),
        ("max_ms", "greatest of the ten"),
        ("probe_iterations", "length of the probe"),
        _SOURCE,
    ),
    "switch_runs": _columns(
        _RUN,
        _CAMPAIGN,
        _GRAPH,
        _ORDER,
        _INDICES,
        *_HOSTS,
        ("npu_model", "`quantized` or `fp16_or_unquantized`; empty: no layer on N, or not known"),
        ("n_switches", "changes of PE inside a frame"),
        ("single_pe", "1 if all layers are on one PE"),
        ("input_time_ms", "reading and preparing the image"),
        ("task_time_ms", "the rest: layers, transfers, output"),
        ("output_time_ms", "output, which is part of the task time"),
        ("total_time_ms", "`input_time_ms` + `task_time_ms`"),
        ("input_power_mw", "mean power of the whole board during input"),
        ("task_power_mw", "mean power during the rest"),
        ("energy_mj", "input time x input power + task time x task power"),
        ("author_pred_time_ms", "what the file's authors predicted"),
        ("author_pred_energy_mj", "what they predicted"),
        _SOURCE,
        _BOARD,
    ),
    "pipeline_runs": _columns(
        _RUN,
        _GRAPH,
        _ORDER,
        *_HOSTS,
        ("little_mhz", "clock of L"),
        ("big_mhz", "clock of B"),
        ("gpu_mhz", "clock of G"),
        ("n_stages", "stages"),
        ("latency_ms", "sum of the stages' totals, which contain waiting"),
        ("period_ms", "1000 / frame rate: the slowest stage"),
        ("power_mw", "mean power of the whole board"),
        ("power_ok", "1 if the power can be trusted; empty without power"),
        ("src_id", "empty"),
        _BOARD,
        _CAMPAIGN,
        _SOURCE,
        ("setting", "frequencies as written in the log; empty: not said"),
    ),
    "stage_times": _columns(
        _RUN,
        ("stage", "stage, from 1"),
        ("pe", "B, L, G or N"),
        ("first_layer", "first layer, from 0"),
        ("last_layer", "last layer; empty: not said"),
        ("input_time_ms", "input, with waiting for the stage before"),
        ("task_time_ms", "inference"),
        ("output_time_ms", "output; empty: not said"),
        ("total_time_ms", "sum of the three"),
    ),
    "kernel_times_cpu": _columns(
        _GRAPH,
        ("pe", "B or L"),
        ("freq_index", "frequency index"),
        ("freq_mhz", "clock"),
        ("kernel_seq", "runtime task, from 0 through the network"),
        ("layer", "layer that it belongs to"),
        ("time_ms", "mean time per frame"),
        _BOARD,
        _RUN,
    ),
    "kernel_shapes": _columns(
        _GRAPH,
        ("layer", "layer"),
        ("kernel_seq", "runtime task, from 0 through the network"),
        ("kernel", "its name"),
        ("input_shape", "C x H x W, trailing ones dropped"),
        ("output_shape", "the same of its output"),
    ),
    "runs": _columns(
        _RUN,
        _BOARD,
        _CAMPAIGN,
        _GRAPH,
        _ORDER,
        ("setting", "frequency setting as written in the log"),
        _INDICES,
        *_HOSTS,
        ("mode", "what was profiled: `layers`, `transfers` or `whole`; empty: not said"),
        ("threads_big", "threads on B"),
        ("threads_little", "threads on L"),
        ("frames", "frames averaged, without the three of the warm-up"),
        ("latency_ms", "AVG Latency; in mode `layers` with 8 ms of sleep per layer"),
        ("ordinal", "number that the log gives the run"),
        ("line", "line where it begins"),
        _SOURCE,
    ),
    "run_layer_times": _columns(
        _RUN,
        ("subgraph", "subgraph that it ran in"),
        ("pe", "its PE"),
        ("first_layer", "layer"),
        ("last_layer", "the same, or the last of a row of layers that the NPU ran as one node"),
        ("time_ms", "mean time per frame in this run, with what a change of PE before it costs"),
        ("power_mw", "mean power of the whole board meanwhile"),
        ("first_task", "name of its first runtime task"),
        ("n_tasks", "number of its runtime tasks"),
    ),
    "subgraph_times": _columns(
        _RUN,
        ("subgraph", "subgraph, from 0"),
        ("pe", "its PE"),
        ("first_layer", "its first layer"),
        ("last_layer", "its last layer"),
        ("input_ms", "Input"),
        ("task_ms", "Task; in mode `layers` with 8 ms of sleep per layer"),
        ("send_ms", "send: all its copies to other PEs; empty in old logs"),
        ("output_ms", "Out"),
        ("process_ms", "Process: the sum of the four"),
        ("layers_ms", "Sum of Layers time"),
        ("npu_load_ms", "AVG_input_time"),
        ("npu_run_get_ms", "AVG_run_time"),
        ("npu_task_ms", "AVG_prof_run_time"),
        ("npu_fill_tensor_ms", "AVG_output_time"),
    ),
    "gate_times": _columns(
        ("gate", "gate, as the profile numbers it"),
        ("layer", "layer of the backbone that it follows"),
        ("time_ms", "measured: mean time of inference that stops there"),
        ("std_ms", "its standard deviation"),
        ("gate_ms", "mean time of the gate alone"),
        ("layers_ms", "sum of the means of the layers up to there and of the gate"),
        ("layers_std_ms", "its standard deviation, if they were independent and lognormal"),
        ("layers_error_pct", "`layers_ms` against `time_ms`"),
        ("scale", "factor that was put on the layers since the gate before; empty: none"),
        _SOURCE,
    ),
}
"""Every table that an importer may write, column by column."""

DECIMALS = {"_ms": 6, "_ms_at_min_freq": 6, "_mw": 3, "_mj": 6, "_ratio_to_min": 6}
"""Decimals kept, by the end of a column's name: times to the nanosecond."""


def written(column: str, value: Value) -> str:
    """Return a value as the CSV file has it: nothing for None, no trailing zeros."""
    if value is None:
        return ""
    if isinstance(value, float):
        places = next((places for end, places in DECIMALS.items() if column.endswith(end)), 6)
        text = f"{value:.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return str(value)
