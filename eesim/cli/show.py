"""``eesim show``: look at a board, a network, a resolved scenario, or the trace of a run, beside a measured one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.cli.common import add_json_option, add_set_option, print_json, say, stdout_console, whole_number
from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from eesim.scenario.load import Scenario
    from eesim.validate.importers.measured import MeasuredRun

TRACE_FRAMES = 10
"""Simulated frames in a trace."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("what", choices=("board", "network", "scenario", "trace"))
    parser.add_argument("name", metavar="NAME", help="name, or path of a file; for trace a scenario")
    parser.add_argument("--measured", type=Path, metavar="LOG", help="trace: run log of ARM-CO-UP to show beside it")
    parser.add_argument("--run", type=whole_number(0), metavar="K", help="trace: run of the log, by its number (first)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="trace: where to (.json or .json.gz)")
    add_set_option(parser)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    _check(arguments)
    if arguments.what == "trace":
        return _trace(arguments)
    from eesim.report import inventory

    console = stdout_console()
    if arguments.what == "scenario":
        scenario = _scenario(arguments)
        if arguments.json:
            print_json(inventory.scenario_data(scenario))
        else:
            inventory.print_scenario(scenario, console)
        return 0
    if arguments.overrides:
        raise InputError([Problem("--set", 0, "", "changes a scenario: use it with `eesim show scenario`")])
    data, model = _load(arguments.what, arguments.name)
    if arguments.json:
        print_json(data)
    elif arguments.what == "board":
        inventory.print_board(model, console)
    else:
        inventory.print_network(model, console)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Find options that belong to another thing to show, or that are missing."""
    problems = []
    for option, value in (("--measured", arguments.measured), ("--run", arguments.run), ("-o", arguments.output)):
        if value is not None and arguments.what != "trace":
            problems.append(Problem(option, 0, "", "belongs to `eesim show trace`"))
    if arguments.what == "trace":
        if arguments.output is None:
            problems.append(Problem("-o", 0, "", "is missing: eesim show trace SCENARIO -o FILE"))
        if arguments.run is not None and arguments.measured is None:
            problems.append(Problem("--run", 0, "", "is a run of a log: name that with --measured"))
        if arguments.json:
            problems.append(Problem("--json", 0, "", "means nothing to `eesim show trace`: FILE is JSON"))
        if arguments.output is not None and not arguments.output.parent.is_dir():
            problems.append(Problem(str(arguments.output), 0, "", "its directory does not exist"))
        elif arguments.output is not None and arguments.output.is_dir():
            problems.append(Problem(str(arguments.output), 0, "", "is a directory"))
    if problems:
        raise InputError(problems)


def _scenario(arguments: argparse.Namespace) -> Scenario:
    """Load a scenario by path, or one that ships by name."""
    from eesim.scenario.library import scenario_folder
    from eesim.scenario.load import load

    path = Path(arguments.name)
    if not path.exists() and path.suffix == "" and not path.is_absolute():
        path = scenario_folder() / f"{arguments.name}.yaml"
    return load(path, arguments.overrides)


def _trace(arguments: argparse.Namespace) -> int:
    """Write a simulated run into a trace, and a measured one beside it if there is a log."""
    from eesim.evaluate import run
    from eesim.report.perfetto import write_trace

    scenario = _scenario(arguments)
    log = arguments.measured
    measured = None if log is None else _measured(log, arguments.run, scenario.network.name)
    result = run(scenario, replications=1, keep_frames=False, log_frames=TRACE_FRAMES)
    try:
        write_trace(result, arguments.output, measured)
    except OSError as error:
        raise InputError([Problem(str(arguments.output), 0, "", f"cannot be written: {error.strerror}")]) from None
    if measured is not None:
        _tell_differences(scenario, measured)
    say(f"wrote {arguments.output}: {TRACE_FRAMES} frames, to be opened at https://ui.perfetto.dev")
    return 0


def _tell_differences(scenario: Scenario, measured: MeasuredRun) -> None:
    """Say what a reader of both runs must know."""
    from eesim.report.measured_track import layer_names

    if layer_names(measured.order, scenario.network.segment_names) is None:
        layers, segments = len(measured.order), len(scenario.network.segment_names)
        say(f"the log has {layers} layers, {scenario.network.name} {segments} segments: layers are named by number")
    elif len(measured.order) == len(scenario.mapping.pes) and measured.order != scenario.mapping.order:
        say(f"measured with {measured.order}, simulated with {scenario.mapping.order}")
    say("measured: means per layer, one after the other; the log has no instants")


def _measured(log: Path, ordinal: int | None, network: str) -> MeasuredRun:
    """Return one run of a log: the first, or the one of that number."""
    from eesim.validate.importers.coup_log import read_runs
    from eesim.validate.importers.protocol import Options
    from eesim.validate.importers.tally import Tally

    tally = Tally()
    runs = read_runs(log, Options(graph=network), tally)
    chosen = [run for run in runs if ordinal in (None, run.ordinal)]
    if chosen:
        return chosen[0]
    known = ", ".join(str(run.ordinal) for run in runs) or "none"
    which = "no run" if ordinal is None else f"no run {ordinal}"
    problems = [Problem(str(log), 0, "", f"has {which} that can be trusted (it has: {known})")]
    for reason, group in tally.skipped.items():
        first = group.examples[0]
        problems.append(Problem(first.source, first.line, "", f"{reason}{': ' + first.text if first.text else ''}"))
    raise InputError(problems)


def _load(what: str, name: str) -> tuple[Any, Any]:
    """Return the plain data and the checked model of a board or network."""
    from eesim.hardware.spec import Board
    from eesim.scenario.library import find_board, find_network
    from eesim.spec import validate_document
    from eesim.workload.network import Network
    from eesim.yamldoc import load_document

    find = find_board if what == "board" else find_network
    document = load_document(find(name, Path(), Problem("eesim show", 0, "", "")))
    return document.data, validate_document(Board if what == "board" else Network, document)
