"""Networks as the pipeline harness cuts them: GoogLeNet in 13 parts, the others as in the layer tables.

The cut of GoogLeNet is conv1 | conv2/3x3_reduce | conv2/3x3 | 3a ... 5a | 5b | classifier. Its two layers that are
cut are divided in the proportion of their kernels' times (``kernel_times_cpu.csv``, at 1008 MHz).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from eesim.plan.chain import Cost, Layers, Source
from eesim.validate.tables import read_rows

PART_LAYER = (0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10)
"""Layer of the tables that each part of GoogLeNet belongs to."""
EARLY_PARTS = frozenset({0, 2})
FIRST_KERNELS_OF_CONV2 = 1
LAST_KERNELS_OF_CLASSIFIER = 2
SPLIT_MHZ = 1008
GPU, GPU_SPLIT = "G", "B"
GPU_HOST_HZ = 1_800_000_000
"""Host clock at which the GPU's times are read: what the host adds is a term of its own."""


@dataclass(frozen=True, slots=True)
class PartSource:
    """Parts of a network: shares of measured layers, and laws for the NPU.

    Attributes
    ----------
    layers
        Measured layers.
    npu_ns
        What the NPU takes for each part; empty if nobody knows.
    part_layer
        Layer of each part.
    share
        Share of its layer's time, by PE and part.
    """

    layers: Source
    npu_ns: tuple[int, ...]
    part_layer: tuple[int, ...]
    share: dict[tuple[str, int], float]

    @property
    def campaign(self) -> str:
        """Campaign of the measured layers."""
        return self.layers.campaign

    def layer(self, layer: int, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of a part; see `eesim.plan.chain.Source`."""
        if not clock_hz:
            # The NPU alone has no clock of its own.
            return Cost(self.npu_ns[layer], float("nan")) if layer < len(self.npu_ns) else None
        whole = self.layers.layer(self.part_layer[layer], pe, clock_hz, GPU_HOST_HZ if host_hz else 0)
        if whole is None:
            return None
        return Cost(whole.time_ns * self.share.get((pe, layer), 1.0), whole.board_uw)

    def input(self, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of the input phase; see `eesim.plan.chain.Source`."""
        return self.layers.input(pe, clock_hz, host_hz)


def googlenet_parts(folder: Path, layers: Layers) -> Layers:
    """GoogLeNet in 13 parts, with the bytes that leave each (``kernel_shapes.csv``)."""
    shapes = read_rows(folder / "kernel_shapes.csv", ["graph", "kernel", "output_shape"], ["layer", "kernel_seq"])
    shapes = shapes[shapes["graph"] == "googlenet"].sort_values("kernel_seq")
    reduced = _bytes(shapes[shapes["layer"] == 1]["output_shape"].iloc[FIRST_KERNELS_OF_CONV2 - 1])
    pooled = _bytes(shapes[shapes["layer"] == 10]["output_shape"].iloc[-LAST_KERNELS_OF_CLASSIFIER - 1])
    out = [layers.output_bytes[layer] for layer in PART_LAYER]
    out[1], out[11] = reduced, pooled
    n = len(PART_LAYER)
    return replace(
        layers,
        names=tuple(f"part{i}" for i in range(n)),
        output_bytes=tuple(out),
        producers=((), *((i - 1,) for i in range(1, n))),
        kernels=(1,) * n,
        early=EARLY_PARTS,
    )


def _bytes(shape: str) -> int:
    size = 4
    for side in shape.split("x"):
        size *= int(side)
    return size


def googlenet_source(folder: Path, layers: Source, npu_ns: tuple[int, ...]) -> PartSource:
    """Times of GoogLeNet's 13 parts."""
    kernels = read_rows(
        folder / "kernel_times_cpu.csv", ["graph", "pe"], ["freq_mhz", "kernel_seq", "layer", "time_ms"]
    )
    kernels = kernels[(kernels["graph"] == "googlenet") & (kernels["freq_mhz"] == SPLIT_MHZ)]
    share: dict[tuple[str, int], float] = {}
    for pe in ("B", "L", GPU):
        rows = kernels[kernels["pe"] == (GPU_SPLIT if pe == GPU else pe)].sort_values("kernel_seq")
        early = rows[rows["layer"] == 1]["time_ms"].to_numpy()
        late = rows[rows["layer"] == 10]["time_ms"].to_numpy()
        first = float(early[:FIRST_KERNELS_OF_CONV2].sum() / early.sum())
        end = float(late[-LAST_KERNELS_OF_CLASSIFIER:].sum() / late.sum())
        share |= {(pe, 1): first, (pe, 2): 1 - first, (pe, 11): 1 - end, (pe, 12): end}
    return PartSource(layers, npu_ns, PART_LAYER, share)
