"""``coup-log``: run logs of ARM-CO-UP, one run per frequency setting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from eesim.errors import InputError, Problem
from eesim.validate.importers import coup_log_rows
from eesim.validate.importers.coup_checks import Told, read_run
from eesim.validate.importers.coup_header import read_header
from eesim.validate.importers.coup_reports import Refused
from eesim.validate.importers.coup_runs import sort_lines
from eesim.validate.importers.measured import MeasuredRun
from eesim.validate.importers.power_alignment import RunPower
from eesim.validate.importers.protocol import Imported, Options
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import files_in, read_lines

OPTIONS = frozenset(("graph", "campaign", "npu_model", "allow_board"))
CAMPAIGN = "coup"
SUFFIXES = (".txt", ".log")


def read(path: Path, options: Options) -> Imported:
    """Read a log, or all logs (``.txt``, ``.log``) of a folder.

    Raises
    ------
    InputError
        If a log cannot be read, contradicts itself as a whole, or comes from a board that is not let in: one problem
        for each such log.
    """
    found = Imported()
    problems: list[Problem] = []
    for file in files_in(path, lambda file: file.suffix.lower() in SUFFIXES, "run log (*.txt, *.log)"):
        try:
            runs = read_runs(file, options, found.tally)
        except InputError as error:
            problems += error.problems
            continue
        found.files.append(file)
        add_runs(found, runs, options.campaign or CAMPAIGN, options)
    if problems:
        raise InputError(problems)
    coup_log_rows.warn_about_repeats(found)
    return found


def add_runs(
    found: Imported,
    runs: Sequence[MeasuredRun],
    campaign: str,
    options: Options,
    powers: Mapping[MeasuredRun, RunPower] | None = None,
) -> None:
    """Append the rows of a log's runs, with their power where it is known."""
    for run in runs:
        coup_log_rows.add_run(found, run, run_id(run), campaign, options, (powers or {}).get(run))
    coup_log_rows.add_shapes(found, runs)


def run_id(run: MeasuredRun) -> str:
    """Return a run's key: the same for the same run of the same file, whatever folder that is in."""
    told = f"{run.source.name}|{run.line}|{run.ordinal}|{run.setting}|{run.latency_ms}"
    return f"cl_{hashlib.sha256(told.encode()).hexdigest()[:10]}"


def read_runs(path: Path, options: Options | None = None, tally: Tally | None = None) -> list[MeasuredRun]:
    """Return the runs of a log that are complete and free of contradictions.

    Parameters
    ----------
    path
        The log.
    options
        What the user says about it.
    tally
        Where lines, and runs that are left out, are counted.

    Raises
    ------
    InputError
        If the log cannot be read, contradicts itself as a whole, or comes from a board that is not let in.
    """
    tally = Tally() if tally is None else tally
    log = sort_lines(path, read_lines(path), tally)
    if not log.blocks:
        tally.skip("a log without any run", path, 0)
        return []
    header = read_header(log, options or Options(), tally)
    if not log.passed:
        tally.warn(f"{path}: the program did not end well (no `Test passed`): the log may be cut off")
    told = Told(any(block.frames for block in log.blocks), any(block.governors for block in log.blocks))
    runs: list[MeasuredRun] = []
    seen = set()
    for block in log.blocks:
        try:
            run = read_run(path, block, header, told)
        except Refused as refused:
            tally.skip(f"run left out: {refused.reason}", path, refused.line, refused.detail)
            continue
        same = (run.ordinal, run.setting, run.latency_ms, run.subgraphs)
        if same in seen:
            tally.skip("run left out: a verbatim repeat", path, run.line)
            continue
        seen.add(same)
        runs.append(run)
    if any(not block.governors for block in log.blocks):
        tally.warn(f"{path}: runs without governor lines: nothing confirms their frequency settings")
    return runs
