"""One measured run of a log: what it was, what each layer took, and the timeline that follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Clock(NamedTuple):
    """Frequency indices of one layer."""

    own: int
    """Index of its PE's clock; of its host's, for a layer on N."""
    host: int | None
    """Index of the host cluster's clock, for a layer on G."""

    def __str__(self) -> str:
        return str(self.own) if self.host is None else f"{self.own}:{self.host}"


class MeasuredTask(NamedTuple):
    """One runtime task (kernel), mean over the frames."""

    name: str
    time_ms: float
    input_shape: str
    output_shape: str


class NpuTimes(NamedTuple):
    """What the NPU's driver says about one NPU node, ms per frame."""

    load_ms: float
    run_get_ms: float
    task_ms: float
    fill_tensor_ms: float


@dataclass(frozen=True, slots=True)
class MeasuredLayer:
    """One layer (super-layer), mean over the frames.

    Attributes
    ----------
    first, last
        Layers that it covers: several where the NPU runs a row of layers as one node.
    time_ms
        Sum of its tasks.
    tasks
        Runtime tasks, in the order in which they ran.
    """

    first: int
    last: int
    time_ms: float
    tasks: tuple[MeasuredTask, ...]

    @property
    def name(self) -> str:
        """Name of its first task."""
        return self.tasks[0].name if self.tasks else ""


@dataclass(frozen=True, slots=True)
class MeasuredSubgraph:
    """One subgraph: consecutive layers on one PE. Times are ms per frame, as the log prints them."""

    number: int
    pe: str
    first: int
    last: int
    input_ms: float
    task_ms: float
    send_ms: float | None
    output_ms: float
    process_ms: float
    layers_ms: float
    layers: tuple[MeasuredLayer, ...]
    npu: NpuTimes | None


class Interval(NamedTuple):
    """One bar of the reconstructed timeline of a frame."""

    kind: str
    """``input``, ``layer``, ``send`` or ``output``."""
    pe: str
    first: int
    last: int
    name: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One run: one frequency setting of one log, complete and free of contradictions.

    Attributes
    ----------
    source, line, ordinal
        Log, line of ``Running Graph with``, number that the log gives it.
    board
        Name, or empty: the header does not say.
    order
        One PE letter per layer.
    setting, clocks
        Frequency setting as written, and by layer.
    gpu_host, npu_host
        Clusters of the driver threads; empty if not said.
    mode
        What was profiled: ``layers``, ``transfers``, ``whole``; empty if not said.
    frames, threads_big, threads_little
        As the header says; None if it does not, or contradicts itself.
    latency_ms
        AVG Latency.
    receivers
        Subgraphs that each subgraph sends to; None if the log does not say.
    """

    source: Path
    line: int
    ordinal: int
    board: str
    graph: str
    order: str
    setting: str
    clocks: tuple[Clock, ...]
    gpu_host: str
    npu_host: str
    mode: str
    frames: int | None
    threads_big: int | None
    threads_little: int | None
    latency_ms: float
    subgraphs: tuple[MeasuredSubgraph, ...]
    receivers: tuple[tuple[int, ...], ...] | None

    @property
    def freq_indices(self) -> str:
        """The clocks as the tables write them."""
        return "-".join(map(str, self.clocks))

    @property
    def layers(self) -> tuple[tuple[MeasuredSubgraph, MeasuredLayer], ...]:
        """Every layer with its subgraph."""
        return tuple((subgraph, layer) for subgraph in self.subgraphs for layer in subgraph.layers)

    def intervals(self) -> Iterator[Interval]:
        """Yield one frame's bars, one after the other.

        The log has means per layer and no instants, so the order of the log is taken for the order in time: input,
        layers, send of each subgraph, then the next subgraph. Branches that really overlap stand one after the other.
        """
        now = 0.0
        for subgraph in self.subgraphs:
            bars: list[tuple[str, int, int, str, float]] = []
            if subgraph.number == 0:
                bars.append(("input", subgraph.first, subgraph.first, "input", subgraph.input_ms))
            bars += [("layer", layer.first, layer.last, layer.name, layer.time_ms) for layer in subgraph.layers]
            if not subgraph.layers:
                bars.append(("layer", subgraph.first, subgraph.last, f"subgraph {subgraph.number}", subgraph.task_ms))
            is_last = subgraph.number == len(self.subgraphs) - 1
            if subgraph.send_ms is not None and not is_last:
                bars.append(
                    ("send", subgraph.first, subgraph.last, f"send of subgraph {subgraph.number}", subgraph.send_ms)
                )
            if is_last:
                bars.append(("output", subgraph.last, subgraph.last, "output", subgraph.output_ms))
            for kind, first, last, name, duration in bars:
                yield Interval(kind, subgraph.pe, first, last, name, now, now + duration)
                now += duration
