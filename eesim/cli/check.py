"""``eesim check``: every problem of a file at once, without simulating anything."""

from __future__ import annotations

import argparse
from pathlib import Path

from eesim.cli.common import add_json_option, add_set_option, print_json, say
from eesim.document import Document
from eesim.errors import InputError, Problem

KINDS = {
    "scenario": {"stream", "streams", "mapping", "policy", "physics", "run", "requirements"},
    "board": {"pes", "transfers", "contention", "base_power"},
    "network": {"segments", "input"},
    "profile": {"times", "clocks"},
    "study": {"scenario", "design", "set", "metrics"},
    "plausible": {"plausible"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="scenario, board, network, profile, study or plausible file (YAML)"
    )
    add_set_option(parser)
    add_json_option(parser)


def kind_of(document: Document) -> str:
    """Say what a document is meant to be, from its keys."""
    keys = set(document.data)
    best = max(KINDS, key=lambda kind: len(keys & KINDS[kind]))
    return best if keys & KINDS[best] else "scenario"


def check_file(path: str, overrides: list[str]) -> str:
    """Check one file and return its kind.

    Raises
    ------
    InputError
        If anything is wrong with it.
    """
    from eesim.spec import validate_document
    from eesim.yamldoc import load_document

    document = load_document(path)
    kind = kind_of(document)
    if kind == "scenario":
        from eesim.scenario.load import load

        load(path, overrides)
    elif kind == "study":
        from eesim.sweeps.study import load_study

        load_study(path, overrides)
    elif overrides:
        raise InputError([Problem("--set", 0, "", f"{path} is a {kind} file: only scenarios and studies take --set")])
    elif kind == "board":
        from eesim.hardware.spec import Board

        validate_document(Board, document)
    elif kind == "network":
        from eesim.workload.network import Network

        validate_document(Network, document)
    elif kind == "plausible":
        from eesim.scenario.sensitivity import PlausibleSpec

        validate_document(PlausibleSpec, document)
    else:
        from eesim.workload.profile import Profile

        validate_document(Profile, document)
    return kind


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    problems: list[Problem] = []
    kinds: dict[str, str] = {}
    for name in arguments.files:
        try:
            kinds[name] = check_file(name, arguments.overrides)
        except InputError as error:
            problems += error.problems
    if arguments.json:
        fields = ("source", "line", "path", "message", "hint")
        listed = [{field: getattr(problem, field) for field in fields} for problem in problems]
        print_json({"ok": kinds, "problems": listed})
    else:
        for name, kind in kinds.items():
            print(f"{Path(name)}: ok ({kind})")
        for problem in problems:
            say(str(problem))
    return 2 if problems else 0
