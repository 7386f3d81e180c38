"""What several commands share: options, consoles, progress."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.errors import InputError, Problem

if TYPE_CHECKING:
    from rich.console import Console

LONG_RUN_FRAMES = 2_000_000
"""Shorter compiled runs end before a bar is worth drawing."""


def add_set_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--set PATH=VALUE``."""
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help='change one value of the scenario, e.g. --set "stream.arrivals.rate=60 Hz" (repeatable)',
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, nothing else")


def whole_number(least: int) -> Callable[[str], int]:
    """Return an argparse type for whole numbers of at least ``least``."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return value

    return number


def check_folder(folder: Path | None) -> None:
    """Find out before a long run that its results cannot be written there.

    Raises
    ------
    InputError
        If the folder is a file.
    """
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError([Problem(str(folder), 0, "", "is not a directory")])


def written_by(write: Callable[[], list[Path]], folder: Path) -> list[Path]:
    """Write results and return the files.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    try:
        return write()
    except OSError as error:
        reason = f"cannot be written: {error.strerror or error}"
        raise InputError([Problem(str(error.filename or folder), 0, "", reason)]) from None


def print_json(data: Any) -> None:
    """Print one JSON object; NaN is never written."""
    print(json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False))


def say(message: str) -> None:
    """Print progress or remarks: stderr, so that stdout carries the answer alone."""
    print(message, file=sys.stderr)


def stdout_console() -> Console:
    """Return a console on stdout that leaves a reader who has gone (`| head`) to `main`."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(file=sys.stdout)


@contextmanager
def progress_bar(label: str, total: int, *, worth_it: bool) -> Iterator[Callable[[int], None] | None]:
    """Draw a bar on stderr while the block runs; nothing where stderr is no terminal or the run is short."""
    if not worth_it or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda count: progress.advance(task, count)
