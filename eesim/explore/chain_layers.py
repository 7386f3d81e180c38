"""The nodes of a measured chain: what a layer costs in each state, from the tables of one campaign.

The tables are CSV files in one folder, with the columns of ``layer_times.csv``::

    campaign, graph, layer, pe, metric, freq_index, freq_mhz, host_freq_index, host_freq_mhz, time_ms, power_mw

``metric`` is ``input`` (layer 0), ``task``, ``output`` (last layer), and for PEs that need their tensors converted
``npu_load``, ``npu_run_get`` and ``npu_fill_tensor``. All rows come from one campaign: campaigns of the same board
differ by up to 30 %, so mixing them would make a PE look good because of when it was measured.

Energy is the board's power times the time: what the board draws when idle is in it. So

- a node is ``task``, plus ``input`` for the first layer and ``output`` for the last; no power was measured during
  the output, and that of the input stands for it, as in CO-UP-Profiling's ``predict_cost.py``;
- a PE with ``npu_load`` pays the load where the layer before is elsewhere (or none), and the unload,
  ``npu_run_get - task + npu_fill_tensor``, where the next one is; both at the power of the layer's task. An NPU also
  **fuses** a run of layers, which then takes a fraction of the sum; an additive model cannot say that, and this one
  does not: it is pessimistic about long runs on an NPU;
- edges are in `eesim.explore.chain_switches`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from eesim.base import IntArray
from eesim.errors import InputError, Problem, suggest
from eesim.explore.chain import NEVER, State

CAMPAIGN = "coup"

PHASES = ("input", "task", "output", "npu_load", "npu_run_get", "npu_fill_tensor")

FJ_PER_NJ = 10**6


@dataclass(frozen=True, slots=True)
class LayerTable:
    """Times and powers of each layer in each state.

    Attributes
    ----------
    states
        S labels: PEs in alphabetical order, clocks ascending.
    task_ns, task_uw
        (layers, S); a time of `NEVER` where there is no measurement.
    load_ns, unload_ns
        Conversion of tensors before and after a layer, (layers, S), 0 on PEs that need none.
    input_ns, input_uw, output_ns
        Phases of the first and last layer, (S,).
    converts
        PEs whose tensors are converted.
    """

    states: tuple[State, ...]
    task_ns: IntArray
    task_uw: IntArray
    load_ns: IntArray
    unload_ns: IntArray
    input_ns: IntArray
    input_uw: IntArray
    output_ns: IntArray
    converts: frozenset[str]

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.task_ns)

    def nodes(self) -> tuple[IntArray, IntArray]:
        """Return node costs in ns and nJ, (layers, S) each."""
        known = self.task_ns != NEVER
        time = np.where(known, self.task_ns, 0)
        energy = energy_nj(time, self.task_uw)
        for layer, part, power in (
            (0, self.input_ns, self.input_uw),
            (0, self.load_ns[0], self.task_uw[0]),
            (-1, self.output_ns, self.input_uw),
            (-1, self.unload_ns[-1], self.task_uw[-1]),
        ):
            time[layer] += part
            energy[layer] += energy_nj(part, power)
        return np.where(known, time, NEVER), energy


def energy_nj(time_ns: IntArray, power_uw: IntArray) -> IntArray:
    """Return time x power in nJ, rounded half up."""
    return (time_ns * power_uw + FJ_PER_NJ // 2) // FJ_PER_NJ


def read_table(folder: Path, name: str, campaign: str | None = None, graph: str | None = None) -> pd.DataFrame:
    """Read the rows of a campaign and graph from a CSV file.

    Raises
    ------
    InputError
        If the file is not there, or has no such campaign or graph.
    """
    path = folder / name
    if not path.is_file():
        raise InputError([Problem(str(path), 0, "", "there is no such table")])
    rows = pd.read_csv(path)
    for column, wanted in (("campaign", campaign), ("graph", graph)):
        if wanted is None:
            continue
        known = sorted(rows[column].unique())
        if wanted not in known:
            raise InputError([Problem(str(path), 0, column, f"no rows for {wanted!r}", suggest(wanted, known))])
        rows = rows[rows[column] == wanted]
    return rows


def read_layers(folder: Path, graph: str, campaign: str = CAMPAIGN) -> tuple[LayerTable, tuple[str, ...]]:
    """Read ``layer_times.csv``; return the table and what it lacks."""
    rows = read_table(folder, "layer_times.csv", campaign, graph)
    clocks = zip(rows["pe"], hertz(rows["freq_mhz"]), hertz(rows["host_freq_mhz"]), strict=True)
    label = [State(*pe_and_clocks) for pe_and_clocks in clocks]
    states = tuple(sorted(set(label)))
    layers = int(rows["layer"].max()) + 1
    place = (rows["layer"].to_numpy(np.int64), np.array([states.index(s) for s in label], np.int64))
    times = {phase: _spread(rows, phase, place, "time_ms", 10**6, (layers, len(states))) for phase in PHASES}
    powers = {phase: _spread(rows, phase, place, "power_mw", 10**3, (layers, len(states))) for phase in PHASES}
    notes = _times_missing(states, times["task"])
    task_uw, found = _fill_powers(states, times["task"], powers["task"])
    unload = np.where(
        times["npu_load"] < 0, 0, times["npu_run_get"] - times["task"] + np.maximum(times["npu_fill_tensor"], 0)
    )
    table = LayerTable(
        states=states,
        task_ns=np.where(times["task"] < 0, NEVER, times["task"]),
        task_uw=task_uw,
        load_ns=np.maximum(times["npu_load"], 0),
        unload_ns=np.maximum(unload, 0),
        input_ns=np.maximum(times["input"][0], 0),
        input_uw=np.where(powers["input"][0] < 0, task_uw[0], powers["input"][0]),
        output_ns=np.maximum(times["output"][-1], 0),
        converts=frozenset(states[s].pe for s in np.flatnonzero((times["npu_load"] >= 0).any(axis=0))),
    )
    notes += found
    notes += [f"{pe}: the fusing of consecutive layers is not in the additive model" for pe in sorted(table.converts)]
    return table, tuple(notes)


def hertz(mhz: Iterable[float]) -> list[int]:
    """Return clocks of a table in Hz, 0 where there is none."""
    return [0 if np.isnan(clock) else round(clock * 10**6) for clock in mhz]


def _spread(
    rows: pd.DataFrame, phase: str, place: tuple[IntArray, IntArray], column: str, scale: int, shape: tuple[int, int]
) -> IntArray:
    """Put the rows of one phase into an array (layers, S), -1 where there is none."""
    out = np.full(shape, -1, np.int64)
    wanted = ((rows["metric"] == phase) & rows[column].notna()).to_numpy()
    out[place[0][wanted], place[1][wanted]] = np.rint(rows[column].to_numpy()[wanted] * scale).astype(np.int64)
    return out


def _times_missing(states: Iterable[State], task_ns: IntArray) -> list[str]:
    """Say where no time was measured: a layer cannot run there."""
    return [
        f"{state}: no time of {missing} of {task_ns.shape[0]} layers; not possible there"
        for state, missing in zip(states, (task_ns < 0).sum(axis=0), strict=True)
        if missing
    ]


def _fill_powers(states: tuple[State, ...], task_ns: IntArray, task_uw: IntArray) -> tuple[IntArray, list[str]]:
    """Put the mean of the other layers in the same state where the power of a measured time is missing."""
    missing = (task_ns >= 0) & (task_uw < 0)
    filled = np.where(task_uw < 0, 0, task_uw)
    for s in np.flatnonzero(missing.any(axis=0)):
        have = task_uw[task_uw[:, s] >= 0, s]
        if len(have) == 0:
            raise InputError([Problem("layer_times.csv", 0, "power_mw", f"no power was measured on {states[s]}")])
        filled[missing[:, s], s] = round(float(have.mean()))
    notes = []
    for pe in sorted({states[s].pe for s in np.flatnonzero(missing.any(axis=0))}):
        own = [s for s, state in enumerate(states) if state.pe == pe]
        count, of = int(missing[:, own].sum()), int((task_ns[:, own] >= 0).sum())
        notes.append(f"{pe}: {count} of {of} powers are missing; the mean of the other layers in that state is taken")
    return filled, notes
