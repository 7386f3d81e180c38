"""``eesim thresholds``: search exit thresholds on per-sample confidences."""

from __future__ import annotations

import argparse
from pathlib import Path

from eesim.cli.common import add_json_option, add_set_option, print_json, say, stdout_console
from eesim.errors import InputError, Problem

METHODS = ("exact", "shortest-path")
SHORT = ("method", "accuracy", "cost", "budget")
"""Options that stand for a key of the scenario's ``thresholds:`` section."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("scenario", metavar="SCENARIO", help="scenario file whose exits come from confidences")
    add_set_option(parser)
    parser.add_argument("--method", choices=METHODS, help="exact (default), or the published shortest-path search")
    parser.add_argument("--accuracy", metavar="SHARE", help="least accuracy, e.g. 95%%: the cost is minimised")
    parser.add_argument(
        "--cost", metavar="NAME", help="exit_latency, exit_energy, operations, or under load: energy, ..."
    )
    parser.add_argument("--budget", metavar="COST", help="most cost, e.g. '0.1 ms': the accuracy is maximised")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write best.yaml, thresholds.json, front.csv and a plot"
    )
    parser.add_argument("--no-plots", action="store_true", help="with -o: write no plots")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status: 1 if no setting meets what is wanted."""
    if arguments.output is not None and arguments.output.exists() and not arguments.output.is_dir():
        raise InputError([Problem(str(arguments.output), 0, "", "is not a directory")])
    from eesim.scenario.load import load
    from eesim.thresholds.search import find_thresholds

    given = [(key, getattr(arguments, key)) for key in SHORT]
    options = [f"thresholds.{key}={value}" for key, value in given if value is not None]
    overrides = [*_stand_in(arguments.scenario, arguments.overrides), *arguments.overrides, *options]
    found = find_thresholds(load(arguments.scenario, overrides))
    written = []
    if arguments.output is not None:
        from eesim.report.save_thresholds import save_thresholds

        written = save_thresholds(found, arguments.output, figures=not arguments.no_plots)
    if arguments.json:
        print_json(found.to_dict())
    else:
        from eesim.report.thresholds_table import print_thresholds

        print_thresholds(found, stdout_console())
    for path in written:
        say(f"wrote {path}")
    return 0 if found.requirements_met else 1


def _stand_in(path: str, overrides: list[str]) -> list[str]:
    """Stand in for thresholds that are not given yet: a scenario needs some, and here they are what is asked for."""
    from eesim.yamldoc import load_document

    given = load_document(path).get(("mapping", "thresholds")) is not None
    return [] if given or any(text.startswith("mapping.thresholds") for text in overrides) else ["mapping.thresholds=1"]
