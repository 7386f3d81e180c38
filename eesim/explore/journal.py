"""What a search has done so far, on disk, so that a kill loses nothing that was finished.

One file holds the whole state between two steps; it is written beside the old one and renamed over it, so at any
instant one complete state is there. The identity of the exploration is part of it: resuming something else is
refused.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eesim.errors import InputError, Problem

STATE = "search.state"


def save_state(folder: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write a search's state; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
    temporary = folder / f".{STATE}.{os.getpid()}"
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("identity", identity)
        archive.writestr("plain.json", json.dumps(plain, default=_plain))
        for key, value in state.items():
            if isinstance(value, np.ndarray):
                buffer = io.BytesIO()
                np.save(buffer, value, allow_pickle=False)
                archive.writestr(f"{key}.npy", buffer.getvalue())
    os.replace(temporary, folder / STATE)


def _plain(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no plain value")


def load_state(folder: Path, identity: str) -> dict[str, Any] | None:
    """Return the state that a killed search left, or None if it left none.

    Raises
    ------
    InputError
        If the state is of another exploration, or damaged.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            theirs = archive.read("identity").decode()
            state: dict[str, Any] = json.loads(archive.read("plain.json"))
            for name in archive.namelist():
                if name.endswith(".npy"):
                    state[name.removesuffix(".npy")] = np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError([Problem(str(path), 0, "", f"cannot be read: {error}")]) from None
    if theirs != identity:
        message = "belongs to another exploration: the scenario, its files or the search's options have changed since"
        raise InputError([Problem(str(path), 0, "", message)])
    return state


def forget(folder: Path) -> None:
    """Remove a state, if there is one."""
    (folder / STATE).unlink(missing_ok=True)
