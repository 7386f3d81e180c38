"""``eesim compare``: what differs between scenarios, on the same random numbers."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eesim.cli.common import (
    LONG_RUN_FRAMES,
    add_json_option,
    add_set_option,
    check_folder,
    print_json,
    progress_bar,
    say,
    stdout_console,
    whole_number,
    written_by,
)
from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from eesim.scenario.load import Scenario


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="+", help="scenario files (YAML); the first is A")
    add_set_option(parser)
    parser.add_argument(
        "--against",
        metavar="PATH=VALUE",
        nargs="+",
        action="append",
        default=[],
        help="A with these values changed, as one more variant (repeatable; --set changes all, --against this one)",
    )
    parser.add_argument(
        "--metric",
        dest="metrics",
        metavar="NAME",
        action="append",
        default=[],
        help="instead of the headline metrics: latency_ms.p99, p99_latency, ... or all (repeatable)",
    )
    parser.add_argument(
        "--precision",
        metavar="WIDTH",
        help="add replications until the intervals of the named metrics (of mean and p99 latency, if none) reach "
        "so far to each side: 1%% of A's value, or 0.1ms",
    )
    parser.add_argument("--replications", type=whole_number(2), metavar="N", help="to begin with, instead of A's")
    parser.add_argument(
        "--max-replications", type=whole_number(2), default=1000, metavar="N", help="at most (%(default)s)"
    )
    parser.add_argument("--seed", type=whole_number(0), metavar="S", help="instead of A's")
    parser.add_argument("--engine", choices=("compiled", "reference"), default="compiled", help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write JSON, CSV and a figure of differences")
    parser.add_argument("--no-plots", action="store_true", help="with -o: write no figure")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status: 1 if a precision was asked for and not reached."""
    if len(arguments.scenarios) == 1 and not arguments.against:
        raise InputError([Problem("eesim compare", 0, "", "needs a second scenario, or --against PATH=VALUE")])
    check_folder(arguments.output)
    scenarios, labels = _load(arguments)
    from eesim.whatif.compare import compare

    frames = sum(one.n_frames for one in scenarios) * (arguments.replications or scenarios[0].spec.run.replications)
    with progress_bar("frames", frames, worth_it=frames >= LONG_RUN_FRAMES) as progress:
        found = compare(
            *scenarios,
            labels=labels,
            metrics=arguments.metrics,
            precision=arguments.precision,
            replications=arguments.replications,
            max_replications=arguments.max_replications,
            seed=arguments.seed,
            engine=arguments.engine,
            progress=progress,
        )
    written = []
    if arguments.output is not None:
        from eesim.report.save_comparison import save_comparison

        write = partial(save_comparison, found, arguments.output, figures=not arguments.no_plots)
        written = written_by(write, arguments.output)
    if arguments.json:
        print_json(found.to_dict())
    else:
        from eesim.report.comparison_table import print_comparison

        print_comparison(found, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0 if found.precise else 1


def _load(arguments: argparse.Namespace) -> tuple[list[Scenario], list[str]]:
    """Load all variants and name them; the problems of all of them are reported together."""
    from eesim.scenario.load import load

    first = arguments.scenarios[0]
    wanted: list[tuple[str, list[str], str]] = [(path, [], path) for path in arguments.scenarios]
    wanted += [(first, extra, f"A with {'  '.join(extra)}") for extra in arguments.against]
    scenarios, problems = [], []
    for path, extra, _ in wanted:
        try:
            scenarios.append(load(path, [*arguments.overrides, *extra]))
        except InputError as error:
            found = [_where(problem, extra) for problem in error.problems]
            problems += [problem for problem in found if problem not in problems]
    if problems:
        raise InputError(problems)
    return scenarios, [label for *_, label in wanted]


def _where(problem: Problem, extra: list[str]) -> Problem:
    """Say of a problem with a value of ``--against`` that it came from there, not from ``--set``."""
    mine = any(problem.path.startswith(text.partition("=")[0]) for text in extra)
    return replace(problem, source="--against") if mine and problem.source == "--set" else problem
