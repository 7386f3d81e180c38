"""``eesim report``: a folder of results as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

from eesim.cli.common import add_json_option, print_json, say
from eesim.errors import InputError, Problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "folder",
        metavar="DIR",
        type=Path,
        help="what run, compare, sensitivity, explore, sweep, thresholds or validate wrote with -o",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="page to write (DIR/report.html)")
    add_json_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    output: Path | None = arguments.output
    if output is not None:
        _check(output)
    from eesim.report.html.page import report_html

    try:
        made = report_html(arguments.folder, output)
    except OSError as error:
        where = str(error.filename or output or arguments.folder)
        raise InputError([Problem(where, 0, "", f"cannot be written: {error.strerror or error}")]) from None
    if arguments.json:
        print_json({"path": str(made.path), "kinds": list(made.kinds), "missing": list(made.missing)})
    else:
        print(f"wrote {made.path}: {', '.join(made.kinds)}")
        for text in made.missing:
            say(f"not shown: {text}")
    return 0


def _check(output: Path) -> None:
    """Find out before reading what would fail after it."""
    if output.is_dir():
        raise InputError([Problem(str(output), 0, "", "is a directory; name the file", f"{output / 'report.html'}")])
    if not output.parent.is_dir():
        raise InputError([Problem(str(output), 0, "", "its directory does not exist")])
