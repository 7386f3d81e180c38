"""``coup-power``: a power log and its run log, together: the run log's tables with the power of each phase."""

from __future__ import annotations

from pathlib import Path

from eesim.errors import InputError, Problem
from eesim.validate.importers.coup_header import read_header
from eesim.validate.importers.coup_log import CAMPAIGN, add_runs, read_runs
from eesim.validate.importers.coup_reports import Refused
from eesim.validate.importers.coup_runs import sort_lines
from eesim.validate.importers.measured import MeasuredRun
from eesim.validate.importers.power_alignment import RunPower, intervals_per_run, power_of
from eesim.validate.importers.power_samples import Interval, intervals, read_samples
from eesim.validate.importers.protocol import Imported, Options
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import files_in, read_lines, refuse
from eesim.wording import count

OPTIONS = frozenset(("graph", "campaign", "npu_model", "allow_board", "run_log"))


def read(path: Path, options: Options) -> Imported:
    """Read a power log with its run log, or all power logs (``power_*.csv``) of a folder.

    The run log of ``power_X.csv`` is ``time_X.txt`` beside it, unless `Options.run_log` names another.

    Raises
    ------
    InputError
        If a file cannot be read or the two do not fit together: one problem for each such pair.
    """
    found = Imported()
    files = files_in(path, lambda file: file.name.startswith("power_") and file.suffix == ".csv", "power_*.csv")
    if options.run_log is not None and len(files) > 1:
        raise refuse(path, "holds several power logs: --log names one run log only")
    problems: list[Problem] = []
    for file in files:
        try:
            _read_pair(file, options.run_log or _beside(file), options, found)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _beside(power: Path) -> Path:
    """Return the run log that belongs to a power log, by name."""
    log = power.with_name("time_" + power.name.removeprefix("power_")).with_suffix(".txt")
    if not power.name.startswith("power_") or not log.is_file():
        raise refuse(power, f"its run log is not beside it ({log.name}): use --log FILE")
    return log


def _read_pair(power: Path, log: Path, options: Options, found: Imported) -> None:
    runs = read_runs(log, options, found.tally)
    if not runs:
        found.tally.skip("power log left out: its run log has no run that can be trusted", power, 0)
        return
    samples = read_samples(power, read_lines(power), found.tally)
    cut = _cut(power, log, options, intervals(samples), runs)
    if samples[0].time_ms is None:
        found.tally.warn(f"{power}: samples without a clock: only the number of marks confirms the alignment")
    powers: dict[MeasuredRun, RunPower] = {}
    for run in runs:
        try:
            powers[run] = power_of(run, cut[run])
        except Refused as refused:
            found.tally.skip(refused.reason, power, refused.line, refused.detail)
    found.files += [log, power]
    add_runs(found, runs, options.campaign or CAMPAIGN, options, powers)


def _cut(
    power: Path, log: Path, options: Options, found: list[Interval], runs: list[MeasuredRun]
) -> dict[MeasuredRun, list[Interval]]:
    """Return the intervals of each run.

    Raises
    ------
    InputError
        If there are not as many as the log's runs must have: then nothing tells which belong to which.
    """
    sorted_log = sort_lines(log, read_lines(log), Tally())
    header = read_header(sorted_log, options, Tally())
    first = runs[0]
    if first.mode not in ("layers", "whole") or header.frames is None:
        raise refuse(log, "does not say what was profiled and for how many frames: the power cannot be aligned")
    per_run = intervals_per_run(1 if first.mode == "whole" else len(first.layers), header.frames)
    expected = per_run * len(sorted_log.blocks)
    if len(found) != expected:
        runs_said = f"{count(len(sorted_log.blocks), 'run')} of {log.name} make {expected:,} ({per_run:,} each)"
        between = f"{count(len(found), 'interval')} between marks, but {runs_said}"
        raise refuse(power, f"unusable alignment: {between}: marks are missing, or from another run")
    place = {block.line: i for i, block in enumerate(sorted_log.blocks)}
    return {run: found[place[run.line] * per_run : (place[run.line] + 1) * per_run] for run in runs}
