"""A measured run as a process of a trace, beside the simulated ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eesim.report.episodes import Story
from eesim.report.trace_events import FIRST_TID, Event, microseconds

if TYPE_CHECKING:
    from eesim.metrics.result import Result
    from eesim.validate.importers.measured import Interval, MeasuredRun

MEASURED = 3
"""Process id."""

NS_PER_MS = 1_000_000

NOTE = (
    "one frame, reconstructed: the log has means per layer and no instants, so layers and copies stand one after the "
    "other in the log's order, even branches that overlapped; it begins when the first simulated frame arrives"
)

LONE_RELU = 1
"""Layer of ARM-CO-UP's EE-ResNet18 that is no segment: the first block's last ReLU (Layers.conf, 1636ae810)."""


def origin_of(story: Story) -> int:
    """Return the arrival of the first simulated frame, ns: where the measured frame begins, too."""
    return min((fate.arrival_ns for fate in story.fates.values()), default=0)


def layer_names(order: str, segments: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the segment that each measured layer is; None if they do not correspond one to one.

    ARM-CO-UP's EE-ResNet18 has eight layers for seven segments: the second is the ReLU that ends the first block.
    """
    if len(order) == len(segments):
        return segments
    if len(order) == len(segments) + 1 == 8:
        return (*segments[:LONE_RELU], f"{segments[0]} (last ReLU)", *segments[LONE_RELU:])
    return None


@dataclass(frozen=True, slots=True)
class MeasuredTrack:
    """Events of one measured frame.

    Attributes
    ----------
    run
        The run.
    result
        The simulated run that it stands beside: its network names the layers.
    origin_ns
        Where the frame begins.
    """

    run: MeasuredRun
    result: Result
    origin_ns: int

    def metadata(self) -> Iterator[Event]:
        """Yield the names of the process and of its threads: one for each PE that the run uses."""
        run = self.run
        name = f"measured platform: {run.board or 'board not said'}, {run.order}"
        yield {"ph": "M", "name": "process_name", "pid": MEASURED, "args": {"name": name}}
        yield {"ph": "M", "name": "process_sort_index", "pid": MEASURED, "args": {"sort_index": MEASURED}}
        for order, (pe, tid) in enumerate(self._threads().items()):
            where = {"pid": MEASURED, "tid": tid}
            yield {"ph": "M", "name": "thread_name", **where, "args": {"name": pe}}
            yield {"ph": "M", "name": "thread_sort_index", **where, "args": {"sort_index": order}}

    def slices(self) -> list[Event]:
        """Return a complete event for each interval."""
        threads = self._threads()
        names = layer_names(self.run.order, self.result.scenario.network.segment_names)
        out: list[Event] = []
        for bar in self.run.intervals():
            start, end = (self.origin_ns + round(ms * NS_PER_MS) for ms in (bar.start_ms, bar.end_ms))
            out.append(
                {
                    "ph": "X",
                    "name": _name(bar, names),
                    "cat": f"measured,{bar.kind}",
                    "pid": MEASURED,
                    "tid": threads[bar.pe],
                    "ts": microseconds(start),
                    "dur": microseconds(end - start),
                    "args": {
                        "kind": bar.kind,
                        "layer": bar.first,
                        "first task": bar.name,
                        "mean_ms": bar.end_ms - bar.start_ms,
                    },
                }
            )
        return out

    def origin(self) -> dict[str, str]:
        """Return where the measured run comes from, as flat text."""
        run = self.run
        return {
            "measured log": run.source.name,
            "measured run": f"{run.ordinal}: {run.setting}",
            "measured order": run.order,
            "measured mode": run.mode or "not said",
            "measured AVG Latency ms": f"{run.latency_ms:g}",
            "measured timeline": NOTE,
        }

    def _threads(self) -> dict[str, int]:
        """Thread of each PE, in the board's order."""
        pes = [pe for pe in self.result.scenario.board.pe_names if pe in self.run.order]
        pes += sorted(set(self.run.order) - set(pes))
        return {pe: FIRST_TID + i for i, pe in enumerate(pes)}


def _name(bar: Interval, names: tuple[str, ...] | None) -> str:
    """Return a bar's name: that of the simulated segment, where layers and segments correspond."""
    if bar.kind != "layer":
        return bar.kind if bar.kind != "send" else f"send of {names[bar.last] if names else f'layer {bar.last}'}"
    if names is None:
        return f"layer {bar.first}" if bar.first == bar.last else f"layers {bar.first} to {bar.last}"
    return " + ".join(names[bar.first : bar.last + 1])
