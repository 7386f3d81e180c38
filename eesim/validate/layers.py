"""Networks and segment profiles from the layer tables of a folder of measurements.

A layer of the tables becomes a segment, ``layer0`` and so on; the post-processing of the scores belongs to the last.
Reading the image has laws of its own. What a segment takes is fitted, PE by PE, as
cycles of the PE's clock, cycles of its host's, and a part that no clock changes; none of them below 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from eesim.base import FloatArray
from eesim.errors import InputError, Problem
from eesim.hardware.spec import Board
from eesim.validate.tables import read_rows

GHZ_MS = 1e6
"""Cycles in one millisecond at 1 GHz."""

FP32 = 4
INPUT = "input"
"""Stands for the reading of the image among the laws."""
FITTED_METRICS = ("task", "output")
LAYER_TEXT = ("campaign", "graph", "pe", "metric")
LAYER_NUMBERS = ("layer", "freq_mhz", "host_freq_mhz", "time_ms", "power_mw")
MAY_BE_EMPTY = ("freq_mhz", "host_freq_mhz", "power_mw")


class LawFit(NamedTuple):
    """A law of a segment on a PE, with what the fit leaves."""

    cycles: float
    host_cycles: float
    fixed_ms: float
    power: float
    mean_error: float
    points: int


def read_layer_times(folder: Path) -> pd.DataFrame:
    """Read ``layer_times.csv``."""
    return read_rows(folder / "layer_times.csv", LAYER_TEXT, LAYER_NUMBERS, empty=MAY_BE_EMPTY)


def known_graphs(folder: Path) -> frozenset[str]:
    """Return the networks that ``layer_shapes.csv`` describes."""
    return frozenset(read_rows(folder / "layer_shapes.csv", ["graph"], [])["graph"])


def read_shapes(folder: Path, graph: str) -> pd.DataFrame:
    """Read the layers of one network from ``layer_shapes.csv``, in order.

    Raises
    ------
    InputError
        If the network is not there or a layer is missing.
    """
    path = folder / "layer_shapes.csv"
    table = read_rows(
        path, ["graph", "input_shape_first_kernel", "output_shape"], ["layer", "n_kernels", "output_bytes_fp32"]
    )
    rows = table[table["graph"] == graph].sort_values("layer")
    if not len(rows) or list(rows["layer"]) != list(range(len(rows))):
        raise InputError([Problem(str(path), 0, "layer", f"layers of {graph!r} are not 0, 1, 2, ...")])
    return rows


def network_data(folder: Path, graph: str, origin: dict[str, str]) -> dict[str, Any]:
    """Return the document of a network whose segments are the layers of the tables."""
    shapes = read_shapes(folder, graph)
    first = [int(size) for size in shapes["input_shape_first_kernel"].iloc[0].split("x")]
    segments: list[dict[str, Any]] = [
        {"name": f"layer{i}", "output": f"{int(size)} B", "kernels": int(kernels)}
        for i, (size, kernels) in enumerate(zip(shapes["output_bytes_fp32"], shapes["n_kernels"], strict=True))
    ]
    segments[-1] = {"name": segments[-1]["name"], "exit": "final", **segments[-1]}
    return {
        "eesim": 1,
        "name": graph,
        "origin": origin,
        "input": f"{int(np.prod(first)) * FP32} B",
        "segments": segments,
    }


def fit_laws(table: pd.DataFrame, graph: str, campaign: str, board: Board) -> dict[str, dict[str, LawFit]]:
    """Fit every segment of a network on every PE.

    Parameters
    ----------
    table
        Of `read_layer_times`.
    graph, campaign
        Which rows: campaigns differ by up to 30 %, and are never mixed.
    board
        For what a busy PE draws: the tables hold the power of the whole board.
    """
    rows = table[(table["graph"] == graph) & (table["campaign"] == campaign)]
    first = rows[rows["metric"] == "input"]
    rows = rows[rows["metric"].isin(FITTED_METRICS)]
    found: dict[str, dict[str, LawFit]] = {}
    for (layer, pe), part in rows.astype({"layer": int}).groupby(["layer", "pe"]):
        if pe in board.pes and "task" in set(part["metric"]):
            found.setdefault(f"layer{int(str(layer))}", {})[str(pe)] = fit_law(part, str(pe), board)
    found[INPUT] = {str(pe): fit_law(part, str(pe), board) for pe, part in first.groupby("pe") if pe in board.pes}
    return found


def fit_law(rows: pd.DataFrame, pe: str, board: Board) -> LawFit:
    """Fit one segment on one PE, relative to the times: every clock counts the same."""
    clocks = ["freq_mhz", "host_freq_mhz"]
    times = rows.groupby(clocks, dropna=False)["time_ms"].sum().reset_index()
    ghz, host_ghz, time = times["freq_mhz"] / 1e3, times["host_freq_mhz"] / 1e3, times["time_ms"].to_numpy()
    # A PE without a clock of its own (the NPU), or without a host's, has nothing that goes with it.
    columns = np.stack([np.nan_to_num(1 / ghz), np.nan_to_num(1 / host_ghz), np.ones(len(time))], axis=1)
    weighted, ones = columns / time[:, None], np.ones(len(time))
    parts, _ = nnls(weighted, ones)
    errors = np.abs(weighted @ parts - 1)
    return LawFit(
        cycles=parts[0] * GHZ_MS,
        host_cycles=parts[1] * GHZ_MS,
        fixed_ms=parts[2],
        power=_power_ratio(rows[rows["metric"] != "output"], pe, board),
        mean_error=float(errors.mean()),
        points=len(time),
    )


def _power_ratio(tasks: pd.DataFrame, pe: str, board: Board) -> float:
    """Active power relative to the board's table: least squares over clocks, each weighted by the board's power."""
    known = tasks[tasks["power_mw"].notna()]
    active = np.array([_active_mw(board, pe, mhz) for mhz in known["freq_mhz"]])
    host = np.array([_host_mw(board, pe, mhz) for mhz in known["host_freq_mhz"]])
    total = known["power_mw"].to_numpy(np.float64)
    above: FloatArray = total - board.base_power.value / 1e3 - host
    weight = active / total
    size = float(weight @ weight)
    return max(float(weight @ (above / total)) / size, 0.0) if size > 0 else 1.0


def _active_mw(board: Board, pe: str, mhz: float) -> float:
    opps = board.pes[pe].opps.table
    if np.isnan(mhz):
        return opps[-1].active_power / 1e3
    return min(opps, key=lambda opp: abs(opp.frequency / 1e6 - mhz)).active_power / 1e3


def _host_mw(board: Board, pe: str, mhz: float) -> float:
    effect = board.pes[pe].host_effect
    return 0.0 if effect is None or np.isnan(mhz) else float(effect.host_power) * mhz / 1e3


def profile_data(
    graph: str, campaign: str, laws: dict[str, dict[str, LawFit]], origin: dict[str, str]
) -> dict[str, Any]:
    """Return the document of a profile; numbers to four digits, which is finer than their errors."""
    return {
        "eesim": 1,
        "network": graph,
        "origin": origin,
        "basis": "layers",
        "campaign": campaign,
        "input": {pe: _written(fit) for pe, fit in laws[INPUT].items()},
        "laws": {name: {pe: _written(fit) for pe, fit in row.items()} for name, row in laws.items() if name != INPUT},
    }


def _written(fit: LawFit) -> dict[str, Any]:
    written: dict[str, Any] = {"cycles": f"{fit.cycles / 1e6:.4g} Mcycles"}
    if fit.host_cycles >= 1:
        written["host_cycles"] = f"{fit.host_cycles / 1e6:.4g} Mcycles"
    if fit.fixed_ms >= 1e-6:
        written["fixed"] = f"{fit.fixed_ms:.4g} ms"
    return written | {"power": round(fit.power, 3), "mean_error": f"{100 * fit.mean_error:.2g} %"}
