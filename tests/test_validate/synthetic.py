"""A small board, a network of three layers and a folder of measurements, all invented, with round numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eesim.hardware.spec import Board
from eesim.plan.chain import Chain, Cost, Layers

MHZ = 10**6
MS = 10**6
ASSUMED = {"kind": "assumed"}
CLOCKS = {"L": (400, 800), "B": (500, 1000), "G": (200, 400), "N": (800,)}
ACTIVE_MW = {"L": (200, 600), "B": (400, 1600), "G": (300, 900), "N": (100,)}


def _pe(pe: str, host: str | None) -> dict[str, Any]:
    table = [
        {"frequency": f"{mhz} MHz", "voltage": f"{800 + 200 * k} mV", "active_power": f"{mw} mW"}
        for k, (mhz, mw) in enumerate(zip(CLOCKS[pe], ACTIVE_MW[pe], strict=True))
    ]
    kind = {"G": "gpu", "N": "npu"}.get(pe, "cpu")
    own: dict[str, Any] = {
        "kind": kind,
        "opps": {"origin": ASSUMED, "power_origin": ASSUMED, "table": table},
        "frequency_law": {"fixed_share": 0.3, "origin": ASSUMED},
        "idle_power": {"value": "0 mW", "origin": ASSUMED},
    }
    if host:
        effect = {"slows_host": {"factor": 1.0}, "slows_self": {"factor": 1.0}, "host_power": "0 mW/GHz"}
        own |= {"host": host, "hosts": {at: {**effect, "origin": ASSUMED} for at in ("B", "L")}}
    return own


SWITCH: dict[str, Any] = {
    "origin": {"kind": "fitted", "source": "T"},
    "pes": {
        "L": {
            "cold": {"value": 0.5},
            "cold_window": "10 ms",
            "kernel": {"value": "0.4 Mcycles"},
            "reclock": {"value": "0.8 Mcycles"},
            "ramp": {"value": 0.5},
        },
        "B": {"cold": {"value": 0.25}, "cold_window": "20 ms", "copy_out": {"value": "1 ms/MB"}},
        "G": {"cold": {"value": 0.1}, "cold_window": "20 ms", "copy_in": {"value": "1 Mcycles/MB"}},
    },
    "npus": {
        "N": {
            "load": {"value": "8 Mcycles/MB"},
            "unload": {"value": "10 Mcycles/MB"},
            "unload_fixed": {"value": "5 ms/MB"},
            "call": {"value": "3 ms"},
            "context": {"value": "7 Mcycles"},
            "interior": {"value": 0.5},
            "interior_repeated": {"value": 0.75},
            "power": {"value": 1.5},
        }
    },
    "ramp_window": "3 ms",
    "input_rise": {"value": "2 ms"},
    "input_fall": {"value": 0.5},
    "idle_power": "3 W",
    "meter_lag": {"value": "1 ms"},
    "campaigns": {
        "lw": {
            "pes": {"B": {"per_kernel": {"value": "0.1 ms"}, "per_layer": {"value": "0.2 ms"}}},
            "input_gap": "8 ms",
        }
    },
}

PIPELINE: dict[str, Any] = {
    "origin": {"kind": "fitted", "source": "T"},
    "stages": {
        "B": {"scale": {"value": 0.9}, "fixed": {"value": "1 ms"}},
        "L": {"fixed": {"value": "2 ms"}},
        "G": {"fixed": {"value": "0.5 ms"}, "host": {"value": "0.5 Mcycles"}},
    },
    "npus": {
        "N": {
            "read": {"B": {"value": "30 Mcycles"}, "L": {"value": "60 Mcycles"}},
            "load_fixed": {"value": "1 ms"},
            "load": {"B": {"value": "5 Mcycles/MB"}, "L": {"value": "8 Mcycles/MB"}},
            "unload_fixed": {"value": "2 ms"},
            "unload": {"B": {"value": "6 Mcycles/MB"}, "L": {"value": "9 Mcycles/MB"}},
            "parts": {"toy": [{"value": "4 ms"}, {"value": "6 ms"}, {"value": "8 ms"}]},
            "run_in": {"value": "1 ms/MB"},
            "run_out": {"value": "2 ms/MB"},
        }
    },
    "read": {"B": {"value": "20 Mcycles"}, "L": {"value": "40 Mcycles"}},
    "first_stage": {"L": {"follows": "B", "share": {"value": 0.4}, "early": {"value": 0.3}}},
    "slowdowns": {
        "B": {"by": {"L": {"value": 0.1}}, "hosted": {"G": {"value": 0.2}}, "copies": {"value": 0.5}},
        "L": {"by": {"B": {"value": 0.05}}},
    },
    "copies_slowed": {"B": {"value": 0.25}},
    "warm_up": 1.5,
    "base_power": "3 W",
    "active_power": {pe: [f"{mw} mW" for mw in row] for pe, row in ACTIVE_MW.items()},
    "copy_power": {"B": {"value": 0.5}},
}


def board_data() -> dict[str, Any]:
    return {
        "eesim": 1,
        "name": "bench",
        "sources": {"T": "invented"},
        "base_power": {"value": "3 W", "origin": ASSUMED},
        "pes": {"B": _pe("B", None), "L": _pe("L", None), "G": _pe("G", "B"), "N": _pe("N", "B")},
        "contention": {"origin": ASSUMED},
        "transfers": {"charge": "sender", "charge_origin": ASSUMED},
        "runtimes": {"switch": deepcopy(SWITCH), "pipeline": deepcopy(PIPELINE)},
    }


def board() -> Board:
    return Board.model_validate(board_data())


LAYERS = Layers(
    names=("a", "b", "c"),
    input_bytes=1_000_000,
    output_bytes=(2_000_000, 500_000, 4_000),
    producers=((), (0,), (1,)),
    kernels=(2, 3, 1),
    outputs=frozenset(),
)
WORK = {"B": (10.0, 20.0, 5.0), "L": (20.0, 40.0, 10.0), "G": (4.0, 8.0, 2.0)}
"""Mega-cycles of each layer."""
INPUT_WORK = {"B": 10.0, "L": 16.0, "G": 10.0, "N": 10.0}
NPU_MS = (6.0, 9.0, 3.0)


class Table:
    """Times of single layers: cycles over the clock; input in the host's clock for G."""

    campaign = "lw"

    def layer(self, layer: int, pe: str, clock_hz: int, _: int) -> Cost | None:
        if pe == "N":
            return Cost(NPU_MS[layer % 3] * MS, float("nan"))
        return Cost(WORK[pe][layer % 3] * MHZ / clock_hz * 1e9, 5e6)

    def input(self, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        return Cost(INPUT_WORK[pe] * MHZ / (host_hz or clock_hz) * 1e9, 4e6)


def chain(
    order: str,
    mhz: Iterable[int],
    host_mhz: Iterable[int] | None = None,
    *,
    pe_mhz: Mapping[str, int] | None = None,
    hosts: Mapping[str, str] | None = None,
    off: Iterable[str] = (),
    layers: Layers = LAYERS,
    on: Board | None = None,
) -> Chain:
    hz = {pe: value * MHZ for pe, value in (pe_mhz or {"B": 1000, "L": 800, "G": 400, "N": 0}).items()}
    return Chain(
        board=on or board(),
        layers=layers,
        source=Table(),
        pes=tuple(order),
        own_hz=tuple(value * MHZ for value in mhz),
        host_hz=tuple(value * MHZ for value in host_mhz or [0] * len(order)),
        hosts=hosts or {"G": "B", "N": "B"},
        pe_hz=hz,
        off=frozenset(off),
    )


# -- a folder of measurements -----------------------------------------------------------------------


def write_tables(folder: Path, graphs: Iterable[str] = ("toy",)) -> None:
    """Tables of single layers, for networks with the layers of `LAYERS` (``googlenet``: eleven of them)."""
    freq = [(pe, k, mhz) for pe, all_mhz in CLOCKS.items() if pe != "N" for k, mhz in enumerate(all_mhz)]
    pd.DataFrame(freq, columns=["pe", "freq_index", "freq_mhz"]).to_csv(folder / "freq_table.csv", index=False)
    rows, shapes = [], []
    for graph in graphs:
        count = 11 if graph == "googlenet" else 3
        for i in range(count):
            kernels = {1: 2, 10: 4}.get(i, 1) if graph == "googlenet" else LAYERS.kernels[i]
            size = LAYERS.output_bytes[i % 3]
            shapes.append((graph, i, kernels, "1x500x500", f"1x1x{size // 4}", size))
            rows += _layer_rows(graph, i, last=i == count - 1)
    names = ["campaign", "graph", "layer", "pe", "metric", "freq_mhz", "host_freq_mhz", "time_ms", "power_mw"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "layer_times.csv", index=False)
    names = ["graph", "layer", "n_kernels", "input_shape_first_kernel", "output_shape", "output_bytes_fp32"]
    pd.DataFrame(shapes, columns=names).to_csv(folder / "layer_shapes.csv", index=False)
    if "googlenet" in graphs:
        _write_kernels(folder)


def _layer_rows(graph: str, i: int, *, last: bool) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for pe in ("B", "L", "G"):
        for mhz in CLOCKS[pe]:
            # In pipeline mode the GPU's times are read at a host of 1800 MHz, whatever its clock.
            for host in (*CLOCKS["B"], 1800) if pe == "G" else (None,):
                at = ("lw", graph, i, pe)
                rows.append((*at, "task", mhz, host, WORK[pe][i % 3] / mhz * 1e3, 5000.0))
                if i == 0:
                    rows.append((*at, "input", mhz, host, INPUT_WORK[pe] / (host or mhz) * 1e3, 4000.0))
                if last:
                    rows.append((*at, "output", mhz, host, 0.1, 4000.0))
    rows += [("lw", graph, i, "N", "task", None, host, NPU_MS[i % 3], None) for host in CLOCKS["B"]]
    return rows


def _write_kernels(folder: Path) -> None:
    shapes = [("googlenet", 1, 0, "reduce", "1x1x50000"), ("googlenet", 1, 1, "conv", "1x1x125000")]
    shapes += [("googlenet", 10, 2 + k, f"k{k}", "1x1x1000") for k in range(4)]
    names = ["graph", "layer", "kernel_seq", "kernel", "output_shape"]
    pd.DataFrame(shapes, columns=names).to_csv(folder / "kernel_shapes.csv", index=False)
    times = [
        ("googlenet", pe, 1008, seq, layer, 1.0 + seq)
        for pe in ("B", "L")
        for layer, seq in ((1, 0), (1, 1), (10, 2), (10, 3), (10, 4), (10, 5))
    ]
    names = ["graph", "pe", "freq_mhz", "kernel_seq", "layer", "time_ms"]
    pd.DataFrame(times, columns=names).to_csv(folder / "kernel_times_cpu.csv", index=False)


SWITCH_ORDERS = ("BBB", "LLL", "BLL", "LBG", "GGB", "BGL")
PIPELINE_ORDERS = ("BBB", "LLL", "LBB", "GBB", "LGB", "BNG")


def write_switch_runs(folder: Path, *, graph: str = "toy", name: str = "switch_runs_a.csv") -> pd.DataFrame:
    """Two clocks for each order; measured values are placeholders."""
    rows = []
    for order in SWITCH_ORDERS:
        for k in (0, 1):
            steps = "-".join(f"{k}:{k}" if pe == "G" else str(k) for pe in order)
            rows.append((f"s{order}{k}", "lw_b", graph, order, steps, "B", "B", "", 90.0, 100.0, 500.0))
    names = ["run_id", "campaign", "graph", "order", "freq_indices", "gpu_host", "npu_host", "npu_model"]
    names += ["task_time_ms", "total_time_ms", "energy_mj"]
    table = pd.DataFrame(rows, columns=names)
    table.to_csv(folder / name, index=False)
    return table


def write_pipeline_runs(folder: Path, *, graph: str = "toy", name: str = "pipeline_runs_a.csv") -> pd.DataFrame:
    """Two sets of clocks for each order; measured values are placeholders."""
    rows = []
    for order in PIPELINE_ORDERS:
        for k in (0, 1):
            clocks = [CLOCKS[pe][k] for pe in ("L", "B", "G")]
            rows.append((f"p{order}{k}", graph, order, "B", "B", *clocks, 200.0, 100.0, 5000.0, 1))
    names = ["run_id", "graph", "order", "gpu_host", "npu_host", "little_mhz", "big_mhz", "gpu_mhz"]
    names += ["latency_ms", "period_ms", "power_mw", "power_ok"]
    table = pd.DataFrame(rows, columns=names)
    table.to_csv(folder / name, index=False)
    return table


def measure(folder: Path, on: Board, factor: float | Mapping[str, float] = 1.0) -> None:
    """Put into a folder's runs what the simulator says on a board, times a factor (by order, or of all)."""
    from eesim.validate.predict import Predictor
    from eesim.validate.runs import read_runs

    predictor = Predictor(folder, on)
    said = {run.run_id: (run, predictor.predict(run)) for run in read_runs(folder)}
    for path in sorted(folder.glob("*_runs_*.csv")):
        table = pd.read_csv(path, keep_default_na=False)
        for i, row in table.iterrows():
            run, prediction = said[row["run_id"]]
            by = factor[run.order] if isinstance(factor, Mapping) else factor
            values = {name: value * by for name, value in prediction.values.items()}
            names = {"time": "total_time_ms", "period": "period_ms", "latency": "latency_ms"}
            names |= {"energy": "energy_mj"} if run.suite == "switch" else {"power": "power_mw"}
            for quantity, column in names.items():
                if quantity in values:
                    table.loc[i, column] = values[quantity]
        table.to_csv(path, index=False)


def full_folder(folder: Path, on: Board | None = None, factor: float | Mapping[str, float] = 1.0) -> Path:
    """A folder of tables and runs in both modes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder)
    write_switch_runs(folder)
    write_pipeline_runs(folder)
    measure(folder, on or board(), factor)
    return folder


def shared_measurements() -> Path:
    """Folder of the real board's measurements; skips where it is absent."""
    shared = Path(os.environ.get("EESIM_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "measurements"
    if not (folder / "layer_times.csv").is_file():
        pytest.skip(f"there is no {folder} (set EESIM_SHARED)")
    return folder


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)
