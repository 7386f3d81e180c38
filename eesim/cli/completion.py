"""``eesim completion``: print the script that makes a shell complete commands, options and file names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

SHELLS = ("bash", "zsh", "tcsh")
FILES = {"SCENARIO", "FILE", "STUDY"}
"""What is named so is a file, whatever its type."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("shell", choices=SHELLS, help='which shell; e.g. eval "$(eesim completion bash)"')


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    import shtab

    from eesim.cli.main import build_parser

    parser = build_parser()
    for action in _actions(parser):
        if action.type is Path or action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
