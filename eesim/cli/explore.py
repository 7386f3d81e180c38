"""``eesim explore``: search the design space that a scenario declares."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from eesim.cli.common import add_json_option, add_set_option, print_json, say, stdout_console, whole_number
from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from eesim.explore.outcome import Progress
    from eesim.explore.search import Search
    from eesim.explore.space import Space

ALGORITHMS = ("auto", "exhaustive", "branch-and-bound", "dp", "ga", "nsga2", "random")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("scenario", metavar="SCENARIO", help="scenario file with an `explore:` section")
    add_set_option(parser)
    parser.add_argument(
        "--algorithm", choices=ALGORITHMS, help="instead of the scenario's (auto: chosen, and it says why)"
    )
    parser.add_argument("--evaluations", type=whole_number(1), metavar="N", help="budget of design evaluations")
    parser.add_argument("--resume", action="store_true", help="with -o: go on where a killed search stopped")
    parser.add_argument(
        "--threads", type=whole_number(1), metavar="N", help="threads to use; results do not depend on it"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write best.yaml, the certificate, tables and plots"
    )
    parser.add_argument("--no-plots", action="store_true", help="with -o: write no plots")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status: 1 if no design meets the constraints."""
    if arguments.resume and arguments.output is None:
        raise InputError([Problem("--resume", 0, "", "needs -o DIR")])
    if arguments.output is not None and arguments.output.exists() and not arguments.output.is_dir():
        raise InputError([Problem(str(arguments.output), 0, "", "is not a directory")])
    from eesim.explore.exploration import explore
    from eesim.scenario.load import load

    scenario = load(arguments.scenario, arguments.overrides)
    found = explore(
        scenario,
        algorithm=arguments.algorithm,
        evaluations=arguments.evaluations,
        folder=arguments.output,
        resume=arguments.resume,
        threads=arguments.threads,
        progress=_progress(),
    )
    written = []
    if arguments.output is not None:
        from eesim.report.save_exploration import save_exploration

        written = save_exploration(found, arguments.output, figures=not arguments.no_plots)
    if arguments.json:
        print_json(found.to_dict())
    else:
        from eesim.report.exploration_table import print_exploration

        print_exploration(found, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0 if found.found.is_feasible else 1


def _progress() -> Callable[[Space, Search, Progress], None]:
    """Say on stderr how it goes: the space first, then once a second on a terminal."""
    begin = last = 0.0

    def tell(space: Space, search: Search, step: Progress) -> None:
        nonlocal begin, last
        now = time.monotonic()
        if not begin:
            begin = now
            say(f"space: {space.size:,} designs, budget {search.budget:,} evaluations")
        if not sys.stderr.isatty() or now - last < 1:
            return
        last = now
        rate = step.evaluations / max(now - begin, 1e-9)
        left = (min(search.budget, space.size) - step.evaluations) / max(rate, 1e-9)
        best = (
            f"best {step.best:.6g}"
            if step.best == step.best
            else f"front {step.front}, hypervolume {step.hypervolume:.6g}"
        )
        rejected = step.evaluations - step.feasible
        line = (
            f"{step.evaluations:,} evaluated, {best}, {rejected:,} rejected, {rate:,.0f}/s, at most {left:,.0f} s left"
        )
        print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)

    return tell
