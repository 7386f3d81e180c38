"""Foreign files as lines of text, whatever their bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eesim.errors import InputError, Problem

PICKLES = (".pkl", ".pickle", ".p")


def refuse(path: Path, message: str, hint: str = "") -> InputError:
    """Return the error that refuses a file as a whole."""
    return InputError([Problem(str(path), 0, "", message, hint)])


def is_pickle(path: Path, head: bytes) -> bool:
    """Say whether a file is a pickle, by its name or by its first bytes."""
    return path.suffix.lower() in PICKLES or (len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5)


def read_lines(path: Path) -> list[str]:
    """Read a file as lines, which end with a newline and nothing else; bytes that are no UTF-8 become U+FFFD.

    Raises
    ------
    InputError
        If the file cannot be read, or is a pickle: loading one runs whatever code is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refuse(path, f"cannot be read: {error.strerror or error}") from None
    if is_pickle(path, data[:2]):
        raise refuse(
            path,
            "is a pickle, and loading a pickle runs whatever code is in it: it is not read. "
            "Turn it into CSV where you trust it (pandas: read_pickle, to_csv)",
        )
    lines = data.decode("utf-8", errors="replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.rstrip("\r") for line in lines]


def files_in(path: Path, wanted: Callable[[Path], bool], what: str) -> list[Path]:
    """Return the file itself, or those of a folder (and the folders in it) that are wanted, by name.

    Raises
    ------
    InputError
        If there is no such file or folder, or nothing wanted in it.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise refuse(path, "there is no such file or folder")
    found = sorted(file for file in path.rglob("*") if file.is_file() and wanted(file))
    if not found:
        raise refuse(path, f"holds no {what}")
    return found
