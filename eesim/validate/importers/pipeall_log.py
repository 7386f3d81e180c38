"""``pipeall-log``: output of Pipe-All and of the n-pipe examples, one pipeline run per block of stages."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from eesim.errors import InputError, Problem
from eesim.validate.importers.coup_grammar import Line
from eesim.validate.importers.coup_reports import Refused
from eesim.validate.importers.names import graph_name
from eesim.validate.importers.pipeall_grammar import classify_pipeline
from eesim.validate.importers.pipeall_header import PipelineHeader, read_pipeline_header
from eesim.validate.importers.pipeall_stages import Pipeline, Stage, read_npipe, read_pipeall
from eesim.validate.importers.protocol import Imported, Options, Row
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import files_in, read_lines, refuse

OPTIONS = frozenset(("graph", "campaign", "allow_board"))
CAMPAIGN = "pipeall"
SUFFIXES = (".txt", ".log")


def read(path: Path, options: Options) -> Imported:
    """Read an output, or all outputs (``.txt``, ``.log``) of a folder.

    Raises
    ------
    InputError
        If a file cannot be read, does not say its order or network, or comes from a board that is not let in.
    """
    found = Imported()
    problems: list[Problem] = []
    for file in files_in(path, lambda file: file.suffix.lower() in SUFFIXES, "output (*.txt, *.log)"):
        try:
            _read_file(file, options, found)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _read_file(file: Path, options: Options, found: Imported) -> None:
    lines = _sorted_lines(file, found.tally)
    blocks = _blocks(lines)
    if not blocks:
        found.tally.skip("an output without any run", file, 0)
        return
    header = read_pipeline_header(file, lines, options, found.tally)
    graph = _graph(file, lines, options)
    if not any(line.kind == "passed" for line in lines):
        found.tally.warn(f"{file}: the program did not end well (no `Test passed`): the output may be cut off")
    found.files.append(file)
    for block in blocks:
        try:
            run = read_npipe(block, header) if block[0].kind == "npipe_start" else read_pipeall(block, header)
        except Refused as refused:
            found.tally.skip(f"run left out: {refused.reason}", file, refused.line, refused.detail)
            continue
        _add_run(found, file, graph, header, run, options)


def _sorted_lines(file: Path, tally: Tally) -> list[Line]:
    lines = []
    for number, text in enumerate(read_lines(file), 1):
        tally.lines += 1
        kind, groups = classify_pipeline(text)
        if kind == "noise":
            tally.noise += 1
        elif kind == "unknown":
            tally.not_understood(file, number, text)
        else:
            tally.understood += 1
            lines.append(Line(number, kind, groups))
    return lines


def _blocks(lines: Sequence[Line]) -> list[list[Line]]:
    """Cut the lines into runs: Pipe-All's end with the latency, the n-pipe examples' begin with the frequency."""
    blocks: list[list[Line]] = []
    is_open = False
    for line in lines:
        if line.kind == "npipe_start":
            blocks.append([line])
            is_open = True
        elif line.kind.startswith(("stage_", "npipe", "npu_cost", "rate", "latency")):
            if not is_open:
                blocks.append([])
                is_open = True
            blocks[-1].append(line)
            # What follows the latency belongs to another run; a rate after it would be out of order.
            is_open = line.kind != "latency"
    return blocks


def _graph(file: Path, lines: Sequence[Line], options: Options) -> str:
    if options.graph:
        return graph_name(options.graph)
    programs = {line.groups[0] or "" for line in lines if line.kind == "program"}
    if len(programs) == 1:
        return graph_name(programs.pop())
    raise refuse(file, "does not say which network ran: use --graph NAME")


def _add_run(found: Imported, file: Path, graph: str, header: PipelineHeader, run: Pipeline, options: Options) -> None:
    told = f"{file.name}|{run.line}|{run.latency_ms}|{run.period_ms}"
    run_id = f"pl_{hashlib.sha256(told.encode()).hexdigest()[:10]}"
    row: Row = {
        "run_id": run_id,
        "graph": graph,
        "order": header.order,
        "gpu_host": header.gpu_host,
        "npu_host": header.npu_host,
        "n_stages": len(run.stages),
        "latency_ms": run.latency_ms,
        "period_ms": run.period_ms,
        "board": header.board,
        "campaign": options.campaign or CAMPAIGN,
        "source": file.name,
        "setting": run.setting,
    }
    found.add("pipeline_runs", row)
    for number, stage in enumerate(run.stages, 1):
        found.add("stage_times", _stage_row(run_id, number, stage, header))
    found.tally.warn(f"{file}: the output does not say the clocks: their columns are empty")


def _stage_row(run_id: str, number: int, stage: Stage, header: PipelineHeader) -> Row:
    pe, first, last = header.ranges[number - 1]
    return {
        "run_id": run_id,
        "stage": number,
        "pe": pe,
        "first_layer": first,
        "last_layer": last,
        "input_time_ms": stage.input_ms,
        "task_time_ms": stage.task_ms,
        "output_time_ms": stage.output_ms,
        "total_time_ms": stage.total_ms,
    }
