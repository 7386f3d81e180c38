"""The command that made a folder of results, kept beside them: for people, and for `eesim report`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from eesim.cli.common import say
from eesim.errors import InputError, Problem

RESULTS = ("run", "compare", "sensitivity", "explore", "sweep", "thresholds", "validate")
"""Commands whose ``-o DIR`` is a folder of results."""

FILE = "command.json"


def record_command(arguments: argparse.Namespace, words: Sequence[str]) -> None:
    """Write ``command.json`` into the folder of results that a command has written; nothing for other commands.

    Parameters
    ----------
    arguments
        What was parsed.
    words
        What was typed after ``eesim``.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    folder: Path | None = getattr(arguments, "output", None)
    if arguments.command not in RESULTS or folder is None or not folder.is_dir():
        return
    from eesim.provenance import package_version
    from eesim.report.files import replacing

    told = {"schema_version": 1, "command": ["eesim", *words], "eesim": package_version("eesim")}
    path = folder / FILE
    try:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError([Problem(str(path), 0, "", f"cannot be written: {error.strerror or error}")]) from None
    say(f"wrote {path}")
