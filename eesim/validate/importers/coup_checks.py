"""A block of log lines made into a run, or refused: what a log says twice must agree, and nothing is filled in.

The checks, and what passes them all the same, are listed in docs/measurements.md.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

from eesim.validate.importers.coup_clocks import SettingError, contradiction, parse_setting
from eesim.validate.importers.coup_grammar import Line
from eesim.validate.importers.coup_header import Header
from eesim.validate.importers.coup_numbers import NumberError, half_unit, time_of
from eesim.validate.importers.coup_reports import Refused, read_report
from eesim.validate.importers.coup_runs import Block
from eesim.validate.importers.measured import Clock, MeasuredRun, MeasuredSubgraph

WARM_UP = 3
"""Frames before those that are averaged (ARM-CO-UP: warmup_n)."""
FRAMES_LOST = 2
"""Frames of a run whose line may be missing."""
LATENCY_SLACK = (0.25, 1e-3)
"""AVG Latency may exceed the sum of Process by so many ms per subgraph, and by this share (logs: 0.024 ms at most)."""
LATENCY_OVERLAP = 0.1
"""A chain's sum of Process may exceed AVG Latency by this share: a sender counts on after its receiver left (2.3 %)."""


class Told(NamedTuple):
    """What some runs of a log print, so that all of them must."""

    frames: bool
    governors: bool


def read_run(source: Path, block: Block, header: Header, told: Told) -> MeasuredRun:
    """Return the run that a block of lines reports.

    Parameters
    ----------
    source
        The log.
    block
        The run's lines.
    header
        What holds for all runs of the log.
    told
        What other runs of the log print.

    Raises
    ------
    Refused
        If lines are missing, are there twice, or contradict each other.
    """
    start = _frame_of_run(block, header, told)
    setting = start.groups[1] or ""
    try:
        clocks = parse_setting(setting, header.order, header.gpu_host, header.npu_host, header.board)
    except SettingError as error:
        raise Refused("a frequency setting that does not fit", start.number, f"{setting}: {error}") from None
    _check_governors(block, header, clocks, told)
    subgraphs = _reports(block, header)
    try:
        latency = time_of(block.latencies[0].groups[0])
    except NumberError as error:
        raise Refused("a number that is no time", block.latencies[0].number, str(error)) from None
    _check_latency(block.latencies[0], latency, subgraphs, header)
    return MeasuredRun(
        source=source,
        line=block.line,
        ordinal=int(start.groups[0] or 0),
        board=header.board,
        graph=header.graph,
        order=header.order,
        setting=setting,
        clocks=clocks,
        gpu_host=header.gpu_host,
        npu_host=header.npu_host,
        mode=_mode(block, header),
        frames=header.frames,
        threads_big=header.threads_big,
        threads_little=header.threads_little,
        latency_ms=latency,
        subgraphs=subgraphs,
        receivers=header.receivers,
    )


def _frame_of_run(block: Block, header: Header, told: Told) -> Line:
    """Check that the block is one run from its first to its last line; return the first."""
    if block.start is None:
        raise Refused("no `Running Graph with` line", block.line)
    if block.has_second_report:
        raise Refused("two reports after one `Running Graph with`", block.line)
    ordinal = int(block.start.groups[0] or 0)
    before, after = block.previous_ordinal, block.next_ordinal
    if after not in (None, ordinal + 1) or (before is not None and before >= ordinal):
        detail = f"run {ordinal}, before it {before}, after it {after}"
        raise Refused("runs are missing, twice or out of order around it", block.line, detail)
    for what, lines in (("AVG Latency", block.latencies), ("end mark", block.ends)):
        if len(lines) != 1:
            raise Refused("truncated: no " + what if not lines else f"more than one {what}", block.line)
    _check_frames(block, ordinal, header.frames, told)
    if len(block.reports) != len(header.ranges):
        detail = f"{len(block.reports)} reports, {len(header.ranges)} subgraphs"
        raise Refused("not one report per subgraph", block.line, detail)
    return block.start


def _check_frames(block: Block, ordinal: int, frames: int | None, told: Told) -> None:
    """Frames are numbered through the whole log, each run's in its own range; noise may have swallowed some."""
    seen = [int(line.groups[0] or 0) for line in block.frames]
    if any(later <= earlier for earlier, later in itertools.pairwise(seen)):
        raise Refused("frames of several runs in one", block.frames[0].number)
    if told.frames and not seen:
        raise Refused("frames are missing", block.line, "none, but other runs have them")
    if frames is None or not seen:
        return
    per_run = frames + WARM_UP
    if per_run - len(seen) > FRAMES_LOST:
        # More than noise swallows: the report below may be that of a later run, with all between them lost.
        raise Refused("frames are missing", block.frames[0].number, f"{len(seen)} of {per_run}")
    # Or the numbers begin at 0 in every run.
    if not any(base <= seen[0] and seen[-1] < base + per_run for base in (ordinal * per_run, 0)):
        detail = f"frames {seen[0]} to {seen[-1]} in run {ordinal} of {per_run} frames each"
        raise Refused("frames of another run", block.frames[0].number, detail)


def _mode(block: Block, header: Header) -> str:
    """Return what was profiled; the line of the run and the header must agree."""
    said = {line.groups[0] or "" for line in block.modes} | ({header.mode} if header.mode is not None else set())
    if len(said) > 1:
        raise Refused("header and run disagree about the mode", block.line, " / ".join(sorted(said)))
    return said.pop() if said else ""


def _check_governors(block: Block, header: Header, clocks: tuple[Clock, ...], told: Told) -> None:
    assert block.start is not None
    text = block.start.groups[1] or ""
    if told.governors and not block.governors:
        raise Refused("governors are missing", block.line, "none, but other runs have them")
    if not block.governors or text.startswith("{") or "m" in text:
        # What the runtime prints for these is not documented: nothing to compare with.
        return
    seen = [(int(g.groups[2] or 0), int(g.groups[3] or 0), int(g.groups[4] or 0)) for g in block.governors]
    if contradiction(clocks, header.order, header.gpu_host, header.npu_host, seen):
        raise Refused("governors print other clocks than the setting", block.line, text)


def _reports(block: Block, header: Header) -> tuple[MeasuredSubgraph, ...]:
    mode = _mode(block, header)
    found = tuple(
        read_report(report, number, header, mode, is_last=number == len(header.ranges) - 1)
        for number, report in enumerate(block.reports)
    )
    if len({bool(subgraph.layers) for subgraph in found}) > 1:
        raise Refused("some subgraphs report their layers and some do not", block.line)
    if len({bool(layer.tasks) for subgraph in found for layer in subgraph.layers}) > 1:
        raise Refused("some layers report their tasks and some do not", block.line)
    return found


def _check_latency(line: Line, latency: float, subgraphs: tuple[MeasuredSubgraph, ...], header: Header) -> None:
    """AVG Latency lies between the sum of all Process and, where subgraphs may overlap, the longest of them."""
    processes = [subgraph.process_ms for subgraph in subgraphs]
    total, per_subgraph, share = sum(processes), *LATENCY_SLACK
    slack = half_unit(line.groups[0]) + sum(half_unit(f"{process:g}") for process in processes)
    is_chain = header.receivers is not None and all(
        targets == ((number + 1,) if number + 1 < len(processes) else ())
        for number, targets in enumerate(header.receivers)
    )
    least = total if len(processes) == 1 else total * (1 - LATENCY_OVERLAP) if is_chain else max(processes)
    # A single subgraph leaves nothing to overlap: only the time between frames is added.
    most = total * (1 + (share if len(processes) > 1 else share / 10)) + per_subgraph * len(processes)
    if not least - slack <= latency <= most + slack:
        detail = f"latency {latency:g} ms, sum of Process {total:g} ms"
        raise Refused("AVG Latency does not fit the subgraphs' times", line.number, detail)
