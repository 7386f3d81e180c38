"""``eesim sensitivity``: which inputs matter, which do not, and which mapping is best whatever is true."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eesim.cli.common import (
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

MANY_POINTS = 20
"""Points from which on a bar is worth drawing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("scenario", metavar="SCENARIO", help="scenario file (YAML)")
    add_set_option(parser)
    parser.add_argument(
        "--range",
        dest="ranges",
        metavar="PATH=RANGE",
        action="append",
        default=[],
        help="vary this input alone: PATH=LOW..HIGH, or PATH=+-10%% (repeatable; default: every number, +-10 %%)",
    )
    parser.add_argument(
        "--metric",
        dest="metrics",
        metavar="NAME",
        action="append",
        default=[],
        help="what to look at: latency_ms.mean (default), p99_latency, energy, ... (repeatable)",
    )
    parser.add_argument(
        "--plausible", metavar="FILE", help="ranges from a file of plausible inputs (YAML), or of draws (CSV)"
    )
    parser.add_argument(
        "--sobol", type=whole_number(1), metavar="N", help="also Sobol's indices, from N base samples (a power of two)"
    )
    parser.add_argument(
        "--candidates",
        metavar="ORDER,ORDER,...",
        help="instead: on how many plausible boards is each of these mappings best?",
    )
    parser.add_argument("-n", "--boards", type=whole_number(1), metavar="N", help="plausible boards to draw (200)")
    parser.add_argument("--frames", type=whole_number(1), metavar="N", help="of each point (at most the scenario's)")
    parser.add_argument("--replications", type=whole_number(2), metavar="N", help="of each point (at most 5)")
    parser.add_argument("--seed", type=whole_number(0), metavar="S", help="instead of the scenario's")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write JSON, CSV and figures")
    parser.add_argument("--no-plots", action="store_true", help="with -o: write no figures")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    check_folder(arguments.output)
    from eesim.scenario.load import load

    scenario = load(arguments.scenario, arguments.overrides)
    section = scenario.spec.sensitivity
    wants_all = arguments.ranges or arguments.sobol is not None
    if arguments.candidates or (section is not None and section.candidates and not wants_all):
        return _rank(arguments, scenario)
    if arguments.boards is not None:
        raise InputError([Problem("-n", 0, "", "counts plausible boards: it needs --candidates")])
    return _vary(arguments, scenario)


def _vary(arguments: argparse.Namespace, scenario: Scenario) -> int:
    from eesim.whatif.sensitivity import sensitivity

    with _bars() as progress:
        found = sensitivity(
            scenario,
            _ranges(arguments.ranges),
            plausible=arguments.plausible,
            metrics=arguments.metrics,
            sobol_points=arguments.sobol,
            frames=arguments.frames,
            replications=arguments.replications,
            seed=arguments.seed,
            progress=progress,
        )
    written = []
    if arguments.output is not None:
        from eesim.report.save_sensitivity import save_sensitivity

        write = partial(save_sensitivity, found, arguments.output, figures=not arguments.no_plots)
        written = written_by(write, arguments.output)
    if arguments.json:
        print_json(found.to_dict())
    else:
        from eesim.report.sensitivity_table import print_sensitivity

        print_sensitivity(found, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0


def _rank(arguments: argparse.Namespace, scenario: Scenario) -> int:
    options = [("--range", arguments.ranges), ("--sobol", arguments.sobol is not None)]
    problems = [
        Problem(name, 0, "", "varies inputs: it does not go with --candidates") for name, used in options if used
    ]
    if len(arguments.metrics) > 1:
        problems.append(Problem("--metric", 0, "", "candidates are ranked by one metric"))
    if problems:
        raise InputError(problems)
    from eesim.whatif.candidates import rank_candidates

    listed = [one.strip() for one in arguments.candidates.split(",")] if arguments.candidates else None
    with _bars() as progress:
        found = rank_candidates(
            scenario,
            listed,
            arguments.plausible,
            boards=arguments.boards,
            metric=arguments.metrics[0] if arguments.metrics else None,
            frames=arguments.frames,
            replications=arguments.replications,
            seed=arguments.seed,
            progress=progress,
        )
    written = []
    if arguments.output is not None:
        from eesim.report.save_sensitivity import save_ranking

        write = partial(save_ranking, found, arguments.output, figures=not arguments.no_plots)
        written = written_by(write, arguments.output)
    if arguments.json:
        print_json(found.to_dict())
    else:
        from eesim.report.sensitivity_table import print_ranking

        print_ranking(found, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0


def _ranges(written: list[str]) -> dict[str, str]:
    """Split ``PATH=RANGE``."""
    problems = [
        Problem("--range", 0, text, "must be PATH=LOW..HIGH or PATH=+-10%") for text in written if "=" not in text
    ]
    if problems:
        raise InputError(problems)
    pairs = (text.partition("=") for text in written)
    return {path.strip(): value.strip() for path, _, value in pairs}


@contextmanager
def _bars() -> Iterator[Callable[[str, int], Callable[[int], None] | None]]:
    """Yield what starts a bar for so many points; the one before ends."""
    with ExitStack() as stack:

        def begin(label: str, total: int) -> Callable[[int], None] | None:
            stack.close()
            say(f"{label}: {total:,} points")
            return stack.enter_context(progress_bar(label, total, worth_it=total >= MANY_POINTS))

        yield begin
