"""Where named boards and networks are found: beside the scenario, in $EESIM_HW_MODELS, or shipped."""

from __future__ import annotations

import os
from pathlib import Path

from eesim.errors import InputError, Problem, suggest

PACKAGE = Path(__file__).parents[1]


def _shipped(folder: str) -> Path:
    """Return the shipped folder: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / "_data" / folder
    return installed if installed.is_dir() else PACKAGE.parent / folder


def shown(path: Path) -> str:
    """How a result names a file: shipped ones by where they lie in the project, wherever that is installed."""
    for folder in ("hw_models", "scenarios"):
        if path.is_relative_to(_shipped(folder)):
            return str(Path(folder) / path.relative_to(_shipped(folder)))
    return str(path)


def board_folders(beside: Path) -> list[Path]:
    """Folders that hold ``<board>/board.yaml``, the first that has a board wins."""
    extra = os.environ.get("EESIM_HW_MODELS")
    return [beside, beside / "hw_models", *([Path(extra)] if extra else []), _shipped("hw_models")]


def network_folders(beside: Path) -> list[Path]:
    """Folders that hold ``<network>.yaml``."""
    return [beside, beside / "networks", _shipped("scenarios") / "networks"]


def scenario_folder() -> Path:
    """Folder of the shipped scenarios."""
    return _shipped("scenarios")


def known_boards(beside: Path) -> list[str]:
    """Names of the boards that can be found."""
    return sorted({path.parent.name for folder in board_folders(beside) for path in folder.glob("*/board.yaml")})


def known_networks(beside: Path) -> list[str]:
    """Names of the networks that can be found."""
    return sorted({path.stem for folder in network_folders(beside)[1:] for path in folder.glob("*.yaml")})


def find_board(name: str, beside: Path, where: Problem) -> Path:
    """Return the file of a board given by name or path.

    Parameters
    ----------
    name
        Name, or path relative to ``beside``.
    beside
        Folder of the file that refers to it.
    where
        A problem whose position is used if there is no such board.

    Raises
    ------
    InputError
        If there is none.
    """
    candidates = [folder / name / "board.yaml" for folder in board_folders(beside)]
    return _first(name, [*candidates, beside / name], "board", known_boards(beside), where)


def find_network(name: str, beside: Path, where: Problem) -> Path:
    """Return the file of a network given by name or path; like `find_board`."""
    candidates = [folder / f"{name}.yaml" for folder in network_folders(beside)]
    return _first(name, [*candidates, beside / name], "network", known_networks(beside), where)


def _first(name: str, candidates: list[Path], what: str, known: list[str], where: Problem) -> Path:
    for path in candidates:
        if path.is_file():
            return path
    message = f"there is no {what} {name!r} (known: {', '.join(known) or 'none'})"
    raise InputError([Problem(where.source, where.line, where.path, message, suggest(name, known))])
