"""``eesim validate``: predict measured runs, and say how wrong that is."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from eesim.cli.common import add_json_option, print_json, progress_bar, say, stdout_console, whole_number
from eesim.errors import InputError, Problem

MANY_RUNS = 2000
"""Fewer are predicted before a bar is worth drawing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("measurements", metavar="MEASUREMENTS", type=Path, help="folder of layer tables and runs")
    parser.add_argument("--board", default="rk3399pro", help="name or file of the board (%(default)s)")
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="change one value of the board, e.g. --set base_power.value=3W (repeatable)",
    )
    parser.add_argument(
        "--off", metavar="TERM", action="append", default=[], help="switch a physical term off (repeatable)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write tables, predictions and plots there")
    parser.add_argument("--no-plots", action="store_true", help="with -o: write no plots")
    parser.add_argument("--workers", type=whole_number(1), default=os.cpu_count() or 1, help="processes (%(default)s)")
    parser.add_argument(
        "--engine",
        choices=("compiled", "reference"),
        default="compiled",
        help="compiled (default), or reference: slow, same results",
    )
    parser.add_argument(
        "--budget-runs",
        type=whole_number(0),
        default=1000,
        metavar="N",
        help="runs of each suite that the error budget by term is made on; 0 for none (%(default)s)",
    )
    parser.add_argument("--seed", type=whole_number(0), default=1, help="of the error budget's sample (%(default)s)")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    output: Path | None = arguments.output
    if output is not None and output.exists() and not output.is_dir():
        raise InputError([Problem(str(output), 0, "", "is not a directory")])
    from eesim.validate.answer import to_dict
    from eesim.validate.validation import validate_runs

    total = _lines(arguments.measurements)
    with progress_bar("runs", total, worth_it=total >= MANY_RUNS) as progress:
        found = validate_runs(
            arguments.measurements,
            arguments.board,
            changes=arguments.overrides,
            off=arguments.off,
            workers=arguments.workers,
            engine=arguments.engine,
            budget_runs=arguments.budget_runs,
            seed=arguments.seed,
            progress=progress,
        )
    written = []
    if output is not None:
        from eesim.report.save_validation import save_validation

        written = save_validation(found, output, figures=not arguments.no_plots)
    if arguments.json:
        print_json(to_dict(found))
    else:
        from eesim.report.validation_tables import print_validation

        print_validation(found, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0


def _lines(folder: Path) -> int:
    """Runs of a folder, as good as a bar needs to know."""
    from eesim.validate.runs import PATTERNS

    files = [path for pattern in PATTERNS for path in folder.glob(pattern)] if folder.is_dir() else []
    return sum(max(path.read_bytes().count(b"\n") - 1, 0) for path in files)
