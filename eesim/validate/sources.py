"""Times of single layers as they were measured: the tables of one campaign as a `Source` of chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eesim.plan.chain import Cost, Layers
from eesim.validate.layers import FP32, read_layer_times, read_shapes

NS_PER_MS = 1e6
UW_PER_MW = 1e3

Key = tuple[int, str, int, int]
"""Layer (-1 for the input), PE, its clock and its host's in Hz; 0 where there is none."""

NAN = float("nan")


@dataclass(frozen=True)
class MeasuredSource:
    """The layer tables of one network in one campaign."""

    campaign: str
    costs: Mapping[Key, Cost]
    outputs_ns: Mapping[Key, float] = field(default_factory=dict)

    def layer(self, layer: int, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of a layer; see `eesim.plan.chain.Source`."""
        return self.costs.get((layer, pe, clock_hz, host_hz))

    def input(self, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of the input phase; see `eesim.plan.chain.Source`."""
        return self.costs.get((-1, pe, clock_hz, host_hz))


def read_layers(folder: Path, graph: str) -> Layers:
    """Read the chain of a network from ``layer_shapes.csv``."""
    shapes = read_shapes(folder, graph)
    kernels = tuple(int(k) for k in shapes["n_kernels"])
    first = [int(size) for size in shapes["input_shape_first_kernel"].iloc[0].split("x")]
    producers, outputs = skip_edges(graph, kernels)
    return Layers(
        names=tuple(f"layer{i}" for i in range(len(kernels))),
        input_bytes=int(np.prod(first)) * FP32,
        output_bytes=tuple(int(size) for size in shapes["output_bytes_fp32"]),
        producers=producers,
        kernels=kernels,
        outputs=outputs,
    )


YOLO_BACKBONE = 57
"""Layers of YOLOv3 up to here end in residual additions, which read the output of two layers before."""
RESIDUAL_KERNELS = 4
YOLO_ROUTES = {59: (56, 42), 67: (64, 25)}
YOLO_HEADS = frozenset({58, 66, 74})


def skip_edges(graph: str, kernels: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], ...], frozenset[int]]:
    """Return the layers that each layer reads, and those whose output leaves the network.

    All networks of the tables are chains but YOLOv3: its residual blocks read the layer two before, its two routes
    join earlier layers, and its three heads are outputs (Redmon and Farhadi 2018; the bytes that the NPU loads in
    ``layer_times.csv`` agree).
    """
    producers: list[tuple[int, ...]] = [()] + [(i - 1,) for i in range(1, len(kernels))]
    if graph != "yolov3":
        return tuple(producers), frozenset()
    for i in range(2, YOLO_BACKBONE + 1):
        if kernels[i] == RESIDUAL_KERNELS:
            producers[i] = (i - 1, i - 2)
    for i, makers in YOLO_ROUTES.items():
        producers[i] = makers
    return tuple(producers), YOLO_HEADS


def read_sources(folder: Path) -> dict[tuple[str, str], MeasuredSource]:
    """Read ``layer_times.csv``: a source for each (campaign, network).

    A campaign that did not time the output phase borrows another's, which is below 1 ms.
    """
    table = read_layer_times(folder)
    outputs = {str(g): _outputs(rows) for g, rows in table[table["metric"] == "output"].groupby("graph")}
    found = {}
    for (campaign, graph), rows in table.groupby(["campaign", "graph"]):
        borrowed: dict[Key, float] = outputs.get(str(graph), {})
        found[str(campaign), str(graph)] = MeasuredSource(str(campaign), _costs(rows, borrowed))
    return found


def _keys(rows: pd.DataFrame) -> list[Key]:
    hz = (rows[["freq_mhz", "host_freq_mhz"]].fillna(0) * 1e6).round().astype(np.int64)
    return list(zip(rows["layer"].astype(int), rows["pe"], hz["freq_mhz"], hz["host_freq_mhz"], strict=True))


def _outputs(rows: pd.DataFrame) -> dict[Key, float]:
    return dict(zip(_keys(rows), rows["time_ms"] * NS_PER_MS, strict=True))


def _costs(rows: pd.DataFrame, outputs: Mapping[Key, float]) -> dict[Key, Cost]:
    found: dict[Key, Cost] = {}
    for metric in ("input", "task"):
        part: Any = rows[rows["metric"] == metric]
        values = zip(_keys(part), part["time_ms"] * NS_PER_MS, part["power_mw"] * UW_PER_MW, strict=True)
        for key, time, power in values:
            # The NPU's own output phase is the unloading of its tensors.
            later = outputs.get(key, 0.0) if metric == "task" and key[1] != "N" else 0.0
            found[(-1, *key[1:]) if metric == "input" else key] = Cost(float(time + later), float(power))
    return found
