"""A run log cut into runs: each line goes to the run and the report that it belongs to. No judgement yet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from eesim.validate.importers.coup_grammar import HEADER, Line, classify, split_injected
from eesim.validate.importers.tally import Tally


@dataclass(slots=True)
class Report:
    """What one subgraph reports at the end of a run."""

    layers: list[Line] = field(default_factory=list)
    """Lines of tasks, and the ``Layer Number`` lines that close super-layers, in order."""
    sums: list[Line] = field(default_factory=list)
    subgraph: Line | None = None
    npu: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Block:
    """All that stands between one ``Running Graph with`` and the next; ``start`` is None if that line is missing."""

    line: int
    start: Line | None
    begins_anew: bool = False
    """Whether the program ended before it: the file holds several outputs."""
    previous_ordinal: int | None = None
    next_ordinal: int | None = None
    """Numbers of the runs before and after."""
    has_second_report: bool = False
    """Whether a report follows that belongs to no run: which of the two is this run's is not known."""
    governors: list[Line] = field(default_factory=list)
    frames: list[Line] = field(default_factory=list)
    modes: list[Line] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    latencies: list[Line] = field(default_factory=list)
    ends: list[Line] = field(default_factory=list)

    @property
    def ordinal(self) -> int | None:
        """Number of the run; None if its first line is missing."""
        return None if self.start is None else int(self.start.groups[0] or 0)

    @property
    def is_closed(self) -> bool:
        """Whether both of a run's last lines were seen."""
        return bool(self.latencies and self.ends)

    def add(self, line: Line) -> None:
        """Put a line where it belongs."""
        if line.kind == "governor":
            self.governors.append(line)
        elif line.kind == "frame":
            self.frames.append(line)
        elif line.kind == "set_gpios":
            self.modes.append(line)
        elif line.kind == "latency":
            self.latencies.append(line)
        elif line.kind == "end":
            self.ends.append(line)
        else:
            self._add_to_report(line)

    def _add_to_report(self, line: Line) -> None:
        begun = self.reports[-1] if self.reports else None
        if line.kind == "npu" and begun is not None:
            begun.npu.append(line)
            return
        if begun is None or begun.subgraph is not None:
            begun = Report()
            self.reports.append(begun)
        if line.kind == "sum":
            begun.sums.append(line)
        elif line.kind == "subgraph":
            begun.subgraph = line
        elif line.kind == "npu":
            begun.npu.append(line)
        else:
            if begun.sums:
                # A report ends with its sum: what follows is another one's, and the line between them is lost.
                begun = Report()
                self.reports.append(begun)
            begun.layers.append(line)


@dataclass(slots=True)
class RawLog:
    """A log, sorted.

    Attributes
    ----------
    header
        Lines of each kind of `HEADER`, and of the graphs that are added.
    blocks
        Runs, the broken ones included, in order.
    passed
        Whether the log ends as one of a program that ended well.
    """

    source: Path
    header: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    blocks: list[Block] = field(default_factory=list)
    passed: bool = False


RUN_KINDS = frozenset(
    ("governor", "frame", "set_gpios", "latency", "end", "layer", "super_layer", "sum", "subgraph", "npu")
)
"""Kinds of lines that belong to a run."""
_REPORT_KINDS = RUN_KINDS - {"governor", "frame", "set_gpios"}
_GRAPH_KINDS = ("add_graph", "sender", "receiver", "sizes", "data_path")


def sort_lines(source: Path, lines: list[str], tally: Tally) -> RawLog:
    """Sort the lines of a log, and count each.

    Parameters
    ----------
    source
        The log's name.
    lines
        Its text.
    tally
        Where lines are counted as understood, as noise or as unknown.
    """
    log = RawLog(source)
    carried = ""
    for number, text in enumerate(lines, 1):
        tally.lines += 1
        kind, groups = classify(carried + text)
        injected = split_injected(text) if kind == "unknown" and not carried else None
        if injected is not None:
            # The line of stdout goes on after the one of stderr that was written into it.
            carried = injected[0]
            kind, groups = classify(injected[1])
        else:
            carried = ""
        if kind == "noise":
            tally.noise += 1
        elif kind == "unknown":
            tally.not_understood(source, number, text)
        else:
            tally.understood += 1
            _sort(log, Line(number, kind, groups))
    for block, follower in zip(log.blocks, log.blocks[1:], strict=False):
        if follower.begins_anew:
            continue
        if follower.start is not None:
            block.next_ordinal = follower.ordinal
            follower.previous_ordinal = block.ordinal
        else:
            block.has_second_report = bool(follower.reports)
    return log


def _sort(log: RawLog, line: Line) -> None:
    current = log.blocks[-1] if log.blocks else None
    if line.kind == "start":
        log.blocks.append(Block(line.number, line, begins_anew=log.passed))
        log.passed = False
    elif line.kind == "passed":
        log.passed = True
    elif line.kind in RUN_KINDS:
        if current is None or (current.is_closed and line.kind in _REPORT_KINDS):
            # A report after the end of a run: the line that began its own run is lost.
            current = Block(line.number, None)
            log.blocks.append(current)
        current.add(line)
    elif line.kind in HEADER or line.kind in _GRAPH_KINDS:
        log.header[line.kind].append(line)
