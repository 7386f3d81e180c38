"""A `Chain` from the tables of one measured campaign: layers, transfers and frequency changes of one network.

The tables are CSV files in a folder. ``layer_times.csv`` must be there (columns: `eesim.explore.chain_layers`);
``transfer_times.csv``, ``transfer_freq_scaling.csv``, ``layer_shapes.csv`` and ``dvfs_delay.csv`` may be missing, and
then the board file's laws and delays are taken. What is missing or left out comes with the chain as notes.

How the parts become nodes and edges: `eesim.explore.chain_layers`, `eesim.explore.chain_switches`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from eesim.errors import InputError, Problem
from eesim.explore.chain import Chain, State
from eesim.explore.chain_layers import CAMPAIGN, hertz, read_layers, read_table
from eesim.explore.chain_switches import Delay, edges
from eesim.explore.chain_transfers import read_transfers
from eesim.hardware.laws import dvfs_delay_ns
from eesim.hardware.spec import Board
from eesim.units import format_frequency


@dataclass(frozen=True, slots=True)
class MeasuredChain:
    """A chain and what its tables lack.

    Attributes
    ----------
    chain
        The model.
    notes
        What is missing or left out, one line each.
    """

    chain: Chain
    notes: tuple[str, ...]


def read_chain(
    folder: Path | str,
    graph: str,
    board: Board,
    *,
    campaign: str = CAMPAIGN,
    allow: Callable[[State], bool] | None = None,
) -> MeasuredChain:
    """Build the chain of one network from one campaign's tables.

    Parameters
    ----------
    folder
        Where the tables are.
    graph, campaign
        Which rows.
    board
        Which PE hosts which; laws and delays for what was not measured.
    allow
        Leaves out states for which it is false.

    Raises
    ------
    InputError
        If there are no such tables, rows or PEs, or neither tables nor board know the delay of a frequency change.
    """
    where = Path(folder)
    table, notes = read_layers(where, graph, campaign)
    unknown = sorted({state.pe for state in table.states} - set(board.pes))
    if unknown:
        message = f"board {board.name} has no {', '.join(unknown)}"
        raise InputError([Problem(str(where / "layer_times.csv"), 0, "pe", message)])
    transfers = read_transfers(where, graph, campaign, board)
    delay, delay_notes = read_delays(where, board)
    time, energy = edges(table, transfers, board, delay)
    nodes = table.nodes()
    kept = np.array([s for s, state in enumerate(table.states) if allow is None or allow(state)], np.int64)
    chain = Chain(
        tuple(table.states[s] for s in kept),
        nodes[0][:, kept],
        nodes[1][:, kept],
        time[:, kept][:, :, kept],
        energy[:, kept][:, :, kept],
    )
    return MeasuredChain(chain, (*notes, *delay_notes, *transfers.notes))


def read_delays(folder: Path, board: Board) -> tuple[Delay, tuple[str, ...]]:
    """Read ``dvfs_delay.csv``: the mean of all rows of a change, as its authors take; else the board's delay."""
    measured: dict[tuple[str, int, int], float] = {}
    if (folder / "dvfs_delay.csv").is_file():
        rows = (
            read_table(folder, "dvfs_delay.csv").groupby(["pe", "from_mhz", "to_mhz"], as_index=False)["mean_ms"].mean()
        )
        changes = zip(rows["pe"], hertz(rows["from_mhz"]), hertz(rows["to_mhz"]), strict=True)
        measured = dict(zip(changes, rows["mean_ms"], strict=True))

    @cache
    def delay(pe: str, old: int, new: int) -> int:
        if (pe, old, new) in measured:
            return max(round(measured[pe, old, new] * 10**6), 0)
        if board.pes[pe].dvfs is not None and not {old, new} <= set(board.pes[pe].opps.frequencies):
            change = f"no delay of {pe} from {format_frequency(old)} to {format_frequency(new)}"
            message = f"{change}, and these are not clocks of board {board.name}"
            raise InputError([Problem(str(folder / "dvfs_delay.csv"), 0, "", message)])
        return dvfs_delay_ns(board.pes[pe], old, new)

    return delay, () if measured else ("no dvfs_delay.csv; the board's delays are taken",)
