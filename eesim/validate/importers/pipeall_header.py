"""What an output of Pipe-All or n-pipe says about all of its runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eesim.errors import InputError, Problem
from eesim.validate.importers.coup_clocks import subgraph_ranges
from eesim.validate.importers.coup_grammar import Line
from eesim.validate.importers.names import KHADAS, RK3399PRO, board_of_cores
from eesim.validate.importers.protocol import Options
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import refuse


@dataclass(frozen=True, slots=True)
class PipelineHeader:
    """Board, hosts, and the layers of each stage."""

    board: str
    order: str
    gpu_host: str
    npu_host: str

    @property
    def ranges(self) -> list[tuple[str, int, int]]:
        """PE, first and last layer of each stage."""
        return subgraph_ranges(self.order)


def read_pipeline_header(file: Path, lines: Sequence[Line], options: Options, tally: Tally) -> PipelineHeader:
    """Return what an output says about its runs.

    Raises
    ------
    InputError
        If it contradicts itself, does not say the order, or comes from a board that is not let in.
    """

    def one(kind: str) -> str | None:
        said = {line.groups[0] for line in lines if line.kind == kind}
        if len(said) > 1:
            numbers = ", ".join(str(line.number) for line in lines if line.kind == kind)
            raise InputError([Problem(str(file), 0, "", f"contradicts itself about `{kind}`: lines {numbers}")])
        return said.pop() if said else None

    stages = one("stages_order")
    if stages is None:
        order = one("order")
        if not order:
            raise refuse(file, "does not say which stage ran on which PE (no `Order is`)")
    else:
        order = _order(file, stages.split("-"), *(one(kind) for kind in ("first_part", "second_part", "parts")))
    board = _board(file, one("little"), one("big"), one("threads_little"), one("threads_big"), options, tally)
    return PipelineHeader(board, order, one("gpu_host") or "", one("npu_host") or "")


def _order(file: Path, stages: list[str], first: str | None, second: str | None, parts: str | None) -> str:
    """Return one letter per part: the partition points say how many parts come before each cut."""
    cuts = [0, *(int(cut) for cut in (first, second)[: len(stages) - 1] if cut is not None), int(parts or -1)]
    sizes = [later - earlier for earlier, later in itertools.pairwise(cuts)]
    if len(sizes) != len(stages) or min(sizes) < 1 or any(a == b for a, b in itertools.pairwise(stages)):
        said = f"{'-'.join(stages)} cut at {first}, {second} of {parts}"
        raise refuse(file, f"its stages and its partition points do not fit: {said}")
    return "".join(pe * size for pe, size in zip(stages, sizes, strict=True))


def _board(
    file: Path,
    little: str | None,
    big: str | None,
    threads_little: str | None,
    threads_big: str | None,
    options: Options,
    tally: Tally,
) -> str:
    """Return the board: from the cores, or from threads that fit one board only."""
    cores = (int(little), int(big)) if little is not None and big is not None else None
    if cores is None and threads_little is not None and threads_big is not None:
        threads = int(threads_little), int(threads_big)
        cores = threads if board_of_cores(*threads) else None
    if cores is None:
        tally.warn(f"{file}: the output does not say how many cores the board has: which board it was is not known")
        return ""
    board = board_of_cores(*cores)
    if board == RK3399PRO or (board is not None and board == options.allow_board):
        return board
    what = "cores" if little is not None and big is not None else "threads"
    found = f"was written on a board with {cores[1]} big and {cores[0]} little {what}"
    if board == KHADAS:
        raise refuse(
            file,
            f"{found} ({KHADAS}): the RK3399Pro has 2 big and 4 little ones, and other clocks. "
            f"`--allow-board {KHADAS}` imports it all the same, with its rows labelled",
        )
    raise refuse(file, f"{found}: that is neither the RK3399Pro (2 and 4) nor a board that can be let in")
