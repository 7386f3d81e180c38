"""Names in foreign files: networks, boards, PEs, clocks."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from eesim.errors import Problem

RK3399PRO = "rk3399pro"
KHADAS = "khadas"
FOREIGN_BOARDS = (KHADAS,)
"""Boards that a user can let in; their rows carry the name in the column ``board``."""

GRAPHS = {
    "alex": "alexnet",
    "alexnet": "alexnet",
    "google": "googlenet",
    "googlenet": "googlenet",
    "mobile": "mobilenet_v1",
    "mobilev1": "mobilenet_v1",
    "mobilenet": "mobilenet_v1",
    "mobilenetv1": "mobilenet_v1",
    "resv1_50": "resnet50_v1",
    "res50": "resnet50_v1",
    "resnet50": "resnet50_v1",
    "resnetv1_50": "resnet50_v1",
    "squeeze": "squeezenet_v1",
    "squeezev1": "squeezenet_v1",
    "squeezenet": "squeezenet_v1",
    "yolov3": "yolov3",
}
"""Networks as CO-UP's files name them; what is not listed keeps its name in lower case."""


def graph_name(written: str) -> str:
    """Return a network's name in the tables."""
    name = written.strip().lower().replace("-", "_")
    return GRAPHS.get(name, name)


def board_of_cores(little: int, big: int) -> str | None:
    """Return the board that has so many little and big cores; None if none that is known has."""
    return {(4, 2): RK3399PRO, (2, 4): KHADAS}.get((little, big))


@cache
def clocks_mhz(board: str, pe: str) -> tuple[int, ...]:
    """Return the clocks of a PE, by frequency index; nothing for a board that eesim has no model of, and for the NPU.

    CO-UP's indices count the operating points upwards, as the board file does.
    """
    if board != RK3399PRO or pe not in "BLG":
        return ()
    from eesim.hardware.spec import Board
    from eesim.scenario.library import find_board
    from eesim.spec import validate_document
    from eesim.yamldoc import load_document

    path = find_board(board, Path(os.devnull), Problem("eesim import", 0, "", ""))
    found = validate_document(Board, load_document(path))
    return tuple(round(hz / 1e6) for hz in found.pes[pe].opps.frequencies)


def clock_mhz(board: str, pe: str, index: int | None) -> int | None:
    """Return the clock of a frequency index; None where it is not known.

    Raises
    ------
    ValueError
        If the PE has no such index.
    """
    if index is None:
        return None
    table = clocks_mhz(board, pe)
    if not table:
        return None
    if not 0 <= index < len(table):
        raise ValueError(f"{pe} has no frequency index {index} (0 to {len(table) - 1})")
    return table[index]
