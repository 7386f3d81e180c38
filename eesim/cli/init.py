"""``eesim init``: write a commented scenario to start from."""

from __future__ import annotations

import argparse
from pathlib import Path

from eesim.errors import InputError, Problem

BOARD, NETWORK = "rk3399pro", "ee_resnet18"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, default=Path("scenario.yaml"), help="what to write (%(default)s)"
    )
    parser.add_argument("--board", help=f"name of a board, or its file ({BOARD}, or one that has times of the network)")
    parser.add_argument("--network", default=NETWORK, help="name of a network, or its file (%(default)s)")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from eesim.scenario.load import load
    from eesim.scenario.starter import board_of, starter
    from eesim.yamldoc import parse_document

    file: Path = arguments.file
    if file.exists() and not arguments.force:
        raise InputError([Problem(str(file), 0, "", "exists; --force replaces it")])
    if not file.parent.is_dir():
        raise InputError([Problem(str(file), 0, "", f"there is no folder {file.parent}")])
    board = arguments.board or board_of(arguments.network, file.parent, BOARD)
    text = starter(board, arguments.network, file.parent)
    # What is written must run as it is.
    load(parse_document(text, str(file)).data, folder=file.parent)
    file.write_text(text, encoding="utf-8")
    print(f"{file}: now try\n  eesim run {file}\n  eesim run {file} --set stream.arrivals.rate='60 Hz'")
    return 0
