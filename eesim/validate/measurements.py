"""Which files a folder of measurements holds, for provenance."""

from __future__ import annotations

import hashlib
from pathlib import Path

from eesim.errors import InputError, Problem


def fingerprint(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every CSV file of a folder, by name.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError([Problem(str(folder), 0, "", "there is no such folder")])
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.csv"))}
