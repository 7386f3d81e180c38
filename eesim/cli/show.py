"""``eesim show``: look at a board, a network or a resolved scenario."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eesim.cli.common import add_json_option, add_set_option, print_json, stdout_console
from eesim.errors import InputError, Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("what", choices=("board", "network", "scenario"))
    parser.add_argument("name", metavar="NAME", help="name, or path of a file")
    add_set_option(parser)
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from eesim.report import inventory

    console = stdout_console()
    if arguments.what == "scenario":
        from eesim.scenario.library import scenario_folder
        from eesim.scenario.load import load

        path = Path(arguments.name)
        if not path.exists() and path.suffix == "" and path.parent == Path():
            path = scenario_folder() / f"{arguments.name}.yaml"
        scenario = load(path, arguments.overrides)
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
