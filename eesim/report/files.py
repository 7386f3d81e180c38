"""Files that are there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Create a folder with its parents, unless it is there.

    Raises
    ------
    NotADirectoryError
        If there is a file of that name, or among its parents.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        message = "results go into a folder, but this is (or lies below) a file"
        raise NotADirectoryError(errno.ENOTDIR, message, str(folder)) from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name in the same folder, and move what was written there to ``path`` in one step.

    If the block raises, whatever it wrote is removed and ``path`` stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in (str(temporary), temporary):
            raise
        # Nobody knows the temporary name.
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
