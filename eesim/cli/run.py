"""``eesim run``: simulate one scenario."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eesim.cli.common import (
    LONG_RUN_FRAMES,
    add_json_option,
    add_set_option,
    print_json,
    progress_bar,
    say,
    stdout_console,
    whole_number,
)
from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from eesim.metrics.result import Result

TRACE_FRAMES = 500
"""Frames written to a trace unless told otherwise."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("scenario", metavar="SCENARIO", help="scenario file (YAML)")
    add_set_option(parser)
    parser.add_argument(
        "--engine",
        choices=("compiled", "reference"),
        default="compiled",
        help="compiled (default), or reference: slow, every invariant checked, same results to the bit",
    )
    parser.add_argument("--replications", type=whole_number(1), metavar="N", help="instead of the scenario's")
    parser.add_argument("--seed", type=whole_number(0), metavar="S", help="instead of the scenario's")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write a Perfetto/Chrome trace (JSON, or .json.gz)")
    parser.add_argument(
        "--trace-frames",
        type=whole_number(1),
        default=TRACE_FRAMES,
        metavar="N",
        help="frames in the trace (%(default)s)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write summary.json, frames.parquet and plots")
    parser.add_argument("--tasks", action="store_true", help="with -o: also tasks.parquet, a row per service episode")
    parser.add_argument(
        "--no-frames", action="store_true", help="keep no per-frame output: any number of frames in bounded memory"
    )
    parser.add_argument("--no-plots", action="store_true", help="with -o: write no plots")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    _check(arguments)
    from eesim.evaluate import run
    from eesim.scenario.load import load

    scenario = load(arguments.scenario, arguments.overrides)
    replications = arguments.replications or scenario.spec.run.replications
    log_frames = _log_frames(arguments, scenario.n_frames)
    total = scenario.n_frames * replications
    worth_it = total >= LONG_RUN_FRAMES or arguments.engine == "reference"
    keep = False if arguments.no_frames else True if arguments.output else None
    with progress_bar("frames", total, worth_it=worth_it) as progress:
        result = run(
            scenario,
            engine=arguments.engine,
            replications=arguments.replications,
            seed=arguments.seed,
            keep_frames=keep,
            log_frames=log_frames,
            progress=progress,
        )
    written = _write(arguments, result)
    if arguments.json:
        print_json(result.to_dict())
    else:
        from eesim.report.tables import print_result

        print_result(result, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0 if result.requirements_met else 1


def _check(arguments: argparse.Namespace) -> None:
    """Find out before a long run what would fail after it."""
    problems = []
    if arguments.tasks and arguments.output is None:
        problems.append(Problem("--tasks", 0, "", "needs -o DIR"))
    if arguments.tasks and arguments.no_frames:
        problems.append(Problem("--tasks", 0, "", "contradicts --no-frames"))
    if arguments.output is not None and arguments.output.exists() and not arguments.output.is_dir():
        problems.append(Problem(str(arguments.output), 0, "", "is not a directory"))
    made = () if arguments.output is None else (arguments.output, *arguments.output.parents)
    beside = arguments.trace is not None and arguments.trace.parent in made
    if arguments.trace is not None and not beside and not arguments.trace.parent.is_dir():
        problems.append(Problem(str(arguments.trace), 0, "", "its directory does not exist"))
    if arguments.trace is not None and arguments.trace.is_dir():
        problems.append(Problem(str(arguments.trace), 0, "", "is a directory"))
    if problems:
        raise InputError(problems)


def _log_frames(arguments: argparse.Namespace, n_frames: int) -> int:
    if arguments.tasks:
        return n_frames
    from eesim.report.save_page import TIMELINE_FRAMES

    wanted = TIMELINE_FRAMES if arguments.output is not None else 0
    return max(wanted, arguments.trace_frames if arguments.trace is not None else 0)


def _write(arguments: argparse.Namespace, result: Result) -> list[Path]:
    """Write what was asked for; return the files."""
    written: list[Path] = []
    try:
        if arguments.output is not None:
            from eesim.report.save import save_result

            written += save_result(result, arguments.output, tasks=arguments.tasks, figures=not arguments.no_plots)
        if arguments.trace is not None:
            from eesim.report.perfetto import write_trace

            write_trace(result, arguments.trace)
            written.append(arguments.trace)
    except OSError as error:
        where = str(error.filename or arguments.output or arguments.trace)
        raise InputError([Problem(where, 0, "", f"cannot be written: {error.strerror or error}")]) from None
    return written
