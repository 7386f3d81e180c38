"""One pipeline run: its stages in order, its rate and latency following from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from eesim.validate.importers.coup_grammar import Line
from eesim.validate.importers.coup_numbers import NumberError, adds_up, half_unit, time_of
from eesim.validate.importers.coup_reports import Refused
from eesim.validate.importers.pipeall_grammar import NPIPE
from eesim.validate.importers.pipeall_header import PipelineHeader

Texts = dict[str, dict[int, list[str]]]
"""Numbers as written, by what they are and by stage; all of them, to see what is there twice."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Mean times of a stage, ms per frame; input contains waiting for the stage before."""

    input_ms: float
    task_ms: float
    output_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A run."""

    line: int
    setting: str
    stages: tuple[Stage, ...]
    latency_ms: float
    period_ms: float
    """Total of the slowest stage."""


def read_pipeall(block: Sequence[Line], header: PipelineHeader) -> Pipeline:
    """Return a run of Pipe-All: rate = 1000 / the greatest total, latency = the sum of totals.

    Raises
    ------
    Refused
        If lines are missing or do not fit together.
    """
    texts: Texts = defaultdict(lambda: defaultdict(list))
    for line in block:
        if line.kind.startswith("stage_"):
            texts[line.kind.removeprefix("stage_")][int(line.groups[0] or 0)].append(line.groups[1] or "")
    rate, latency = _only(block, "rate"), _only(block, "latency")
    totals, stages = _stages(block[0].number, texts, header, ("input", "task"), first=1)
    slowest = max(totals, key=float)
    if not _is_period(rate.groups[0], slowest):
        raise Refused("the frame rate does not fit the slowest stage", rate.number, f"{rate.groups[0]}, {slowest} ms")
    if not adds_up(list(totals), latency.groups[0]):
        raise Refused("the latency is not the sum of the stages", latency.number, latency.groups[0] or "")
    return Pipeline(block[0].number, "", stages, time_of(latency.groups[0]), float(slowest))


def _is_period(rate: str | None, period: str) -> bool:
    """Say whether a frame rate is that of a period, as far as rounding lets one tell."""
    fps = time_of(rate)
    if not fps:
        return False
    relative = half_unit(rate) / fps + half_unit(period) / max(float(period), 1e-12) + 1e-9
    return abs(1000 / fps - float(period)) <= relative * 1000 / fps


def read_npipe(block: Sequence[Line], header: PipelineHeader) -> Pipeline:
    """Return a run of an n-pipe example: total = input + task + output, latency no more than the sum of totals.

    Raises
    ------
    Refused
        If lines are missing or do not fit together.
    """
    texts: Texts = defaultdict(lambda: defaultdict(list))
    for line in block:
        if line.kind == "npipe":
            for what, stage, number in NPIPE.findall(line.groups[0] or ""):
                texts[what][int(stage)].append(number)
    latency = _only(block, "npipe_latency")
    first = 0 if 0 in texts["total"] else 1
    totals, stages = _stages(block[0].number, texts, header, ("input", "task", "output"), first=first)
    value, most = time_of(latency.groups[0]), sum(map(float, totals))
    slack = half_unit(latency.groups[0]) + sum(map(half_unit, totals))
    if not max(map(float, totals)) - slack <= value <= most + slack:
        raise Refused("the latency does not fit the stages", latency.number, f"{value:g} of {most:g} ms")
    setting = block[0].groups[0] or ""
    return Pipeline(block[0].number, setting, stages, value, max(map(float, totals)))


def _only(block: Sequence[Line], kind: str) -> Line:
    lines = [line for line in block if line.kind == kind]
    if len(lines) != 1:
        what = "frame rate" if kind == "rate" else "latency"
        raise Refused(f"truncated: no {what}" if not lines else f"more than one {what}", block[0].number)
    try:
        time_of(lines[0].groups[0])
    except NumberError as error:
        raise Refused("a number that is no time", lines[0].number, str(error)) from None
    return lines[0]


def _stages(
    line: int, texts: Texts, header: PipelineHeader, parts: tuple[str, ...], *, first: int
) -> tuple[list[str], tuple[Stage, ...]]:
    """Return the totals as written and the stages, each the sum of its parts."""
    wanted = list(range(first, first + len(header.ranges)))
    for what in (*parts, "total"):
        there = texts[what]
        if sorted(there) != wanted or any(len(numbers) != 1 for numbers in there.values()):
            detail = f"{what} of stages {sorted(there)} instead of {wanted}"
            raise Refused("stages are missing, twice, or not those of the order", line, detail)
    totals, stages = [], []
    try:
        for number in wanted:
            written = [texts[what][number][0] for what in parts]
            total = texts["total"][number][0]
            if not adds_up(list(written), total):
                raise Refused("a stage's times do not add up to its total", line, f"stage {number}")
            values = [time_of(text) for text in written]
            stages.append(Stage(values[0], values[1], values[2] if len(values) > 2 else None, time_of(total)))
            totals.append(total)
    except NumberError as error:
        raise Refused("a number that is no time", line, str(error)) from None
    return totals, tuple(stages)
