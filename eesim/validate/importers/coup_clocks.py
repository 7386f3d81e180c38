"""Frequency settings of ARM-CO-UP: from text to a clock per layer, and what the governors must then print.

Origin: ARM-CO-UP, branch earlyexit, commit 1636ae810 (GraphManagerPipeline.cpp:1399-1582), and config.py of
CO-UP-Profiling, commit 22005a9.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

from eesim.validate.importers.measured import Clock
from eesim.validate.importers.names import RK3399PRO, clock_mhz, clocks_mhz

_TOKEN = re.compile(r"\[([0-9]+),([0-9]+)\]|([0-9]+)")
_FIXED = re.compile(r"\{\{([0-9]+)-([0-9]+)-([0-9]+)\}\}")
_EXTREME = re.compile(r"\{*(min|max)\}*")

Triple = tuple[int, int, int]
"""Indices of L, B and G, as a governor prints them."""


class SettingError(ValueError):
    """A frequency setting does not say one clock for each layer."""


def subgraph_ranges(order: str) -> list[tuple[str, int, int]]:
    """Return PE, first and last layer of each subgraph: the longest rows of equal letters."""
    found, begin = [], 0
    for pe, row in groupby(order):
        size = len(list(row))
        found.append((pe, begin, begin + size - 1))
        begin += size
    return found


def parse_setting(text: str, order: str, gpu_host: str, npu_host: str, board: str) -> tuple[Clock, ...]:
    """Return the clocks of each layer.

    Parameters
    ----------
    text
        ``7-6-[4,6]-5``: one item per layer, ``[g,host]`` for G; in single braces one item per subgraph;
        ``{{l-b-g}}``: one clock per PE; ``min`` and ``max``: all PEs at their lowest or highest.
    order
        PE letters.
    gpu_host, npu_host
        Clusters of the driver threads; B if empty.
    board
        Board, for the highest index and the range.

    Raises
    ------
    SettingError
        If it does not fit the order, or the board has no such clock.
    """
    hosts = {"G": gpu_host or "B", "N": npu_host or "B"}
    extreme, fixed = _EXTREME.fullmatch(text), _FIXED.fullmatch(text)
    if extreme or fixed:
        if extreme:
            of = {pe: _highest(board, pe) if extreme[1] == "max" else 0 for pe in "LBG"}
        else:
            assert fixed is not None
            of = {pe: int(fixed[i]) for i, pe in enumerate("LBG", 1)}
        clocks = [
            Clock(of["G"], of[hosts["G"]]) if pe == "G" else Clock(of[hosts["N"] if pe == "N" else pe], None)
            for pe in order
        ]
    else:
        clocks = _from_items(text, order)
    _check_range(clocks, order, hosts, board)
    return tuple(clocks)


def _from_items(text: str, order: str) -> list[Clock]:
    by_subgraph = text.startswith("{") and text.endswith("}")
    items = re.split(r"-(?![^\[]*\])", text[1:-1] if by_subgraph else text)
    ranges = subgraph_ranges(order)
    expected = len(ranges) if by_subgraph else len(order)
    if len(items) != expected:
        raise SettingError(f"{len(items)} clocks for {expected} {'subgraphs' if by_subgraph else 'layers'}")
    if by_subgraph:
        items = [item for item, (_, first, last) in zip(items, ranges, strict=True) for _ in range(first, last + 1)]
    clocks = []
    for item, pe in zip(items, order, strict=True):
        match = _TOKEN.fullmatch(item)
        if match is None or (match[1] is not None) != (pe == "G"):
            raise SettingError(f"{item!r} is no clock of a layer on {pe}")
        clocks.append(Clock(int(match[3]), None) if match[1] is None else Clock(int(match[1]), int(match[2])))
    return clocks


def _highest(board: str, pe: str) -> int:
    table = clocks_mhz(board, pe)
    if not table:
        raise SettingError(f"`max` on a board whose clocks are not known ({board or 'not said'})")
    return len(table) - 1


def _check_range(clocks: list[Clock], order: str, hosts: dict[str, str], board: str) -> None:
    for clock, pe in zip(clocks, order, strict=True):
        try:
            clock_mhz(board, hosts["N"] if pe == "N" else pe, clock.own)
            clock_mhz(board, hosts["G"], clock.host)
        except ValueError as error:
            raise SettingError(str(error)) from None


def contradiction(clocks: tuple[Clock, ...], order: str, gpu_host: str, npu_host: str, seen: list[Triple]) -> bool:
    """Say whether governors print other clocks than the setting asks for.

    A governor names the clocks of L, B and G; PEs that its layer does not use are at index 0. There may be fewer
    governors than layers: a row of layers on the NPU has one.

    Parameters
    ----------
    clocks, order, gpu_host, npu_host
        The setting, one clock per layer.
    seen
        What the governors print, in any order; lines may be missing.
    """
    expected: Counter[Triple] = Counter()
    for clock, pe in zip(clocks, order, strict=True):
        of = {"L": 0, "B": 0, "G": 0}
        if pe == "G":
            of["G"], of[gpu_host or "B"] = clock.own, clock.host or 0
        else:
            of[(npu_host or "B") if pe == "N" else pe] = clock.own
        expected[of["L"], of["B"], of["G"]] += 1
    # A clock that no governor prints is not confirmed; one that is printed too often is another layer's.
    return bool(Counter(seen) - expected) or not set(expected) <= set(seen)


def mhz(board: str, pe: str, index: int | None) -> int | None:
    """Return a clock; None where the board says nothing. The range was checked when the setting was read."""
    return clock_mhz(board, pe, index) if board == RK3399PRO else None
