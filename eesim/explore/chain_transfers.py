"""What it costs to move a layer's tensor to another PE, from the tables of a campaign and the board file.

Time is that measured at minimum clocks (``transfer_times.csv``, by receiving layer), times the ratio measured for the
clock of the copying cluster (``transfer_freq_scaling.csv``, with the board's power while copying): the form of
CO-UP-Profiling's ``predict_cost.py``. The copying cluster is ``clock.pe`` of the board file's route.

Without a measured ratio a route borrows that of a route with the same source and clock PE (G->L that of G->B, as
its authors do), else it takes the board's law and power. A boundary without a measured time takes the board's law of
the tensor's size (``layer_shapes.csv``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from eesim.explore.chain_layers import FJ_PER_NJ, hertz, read_table
from eesim.hardware.laws import transfer_ns
from eesim.hardware.spec import Board, Route

RouteKey = tuple[str, str]


class Scale(NamedTuple):
    """A measured ratio to the time at minimum clocks, and the board's power while copying, uW."""

    ratio: Fraction
    power_uw: int


@dataclass(slots=True)
class TransferTable:
    """Costs of transfers; `notes` collects what had to be made up for.

    Attributes
    ----------
    board
        Laws for what was not measured.
    least_clock_ns
        Time at minimum clocks, by receiving layer, source and destination.
    scales
        By route and clock in Hz.
    size_bytes
        Output of each layer; may be empty.
    notes
        What was not measured, each once.
    """

    board: Board
    least_clock_ns: Mapping[tuple[int, str, str], int]
    scales: Mapping[RouteKey, Mapping[int, Scale]]
    size_bytes: Mapping[int, int]
    notes: dict[str, None] = field(default_factory=dict)

    def clock_pe(self, source: str, target: str) -> str | None:
        """PE whose clock sets the speed of a route."""
        route = self.board.transfers.route(source, target)
        return route.clock.pe if route is not None and route.clock is not None else None

    def cost(self, layer: int, source: str, target: str, clock_hz: int) -> tuple[int, int] | None:
        """Return ns and nJ of handing the input of ``layer`` over, None if nothing is known about the route."""
        route = self.board.transfers.route(source, target)
        measured = self.least_clock_ns.get((layer, source, target))
        scale = self._scale(source, target, clock_hz)
        power = self._board_power(source, target, clock_hz) if scale is None else scale.power_uw
        if measured is None:
            if route is None or layer - 1 not in self.size_bytes:
                self._note(f"{source}->{target}: nothing is known about it; no layer may change so")
                return None
            self._note(f"{source}->{target}: times not measured; the board's law of the tensor's size is taken")
            time = transfer_ns(route, self.size_bytes[layer - 1], clock_hz)
        else:
            ratio = self._law(route, source, target, clock_hz) if scale is None else scale.ratio
            time = round(measured * ratio)
        return time, round(Fraction(time * power, FJ_PER_NJ))

    def _scale(self, source: str, target: str, clock_hz: int) -> Scale | None:
        """Measured ratio and power of a route, its own or borrowed."""
        found = self.scales.get((source, target), {}).get(clock_hz)
        if found is not None:
            return found
        pe = self.clock_pe(source, target)
        for (other_source, other), table in self.scales.items():
            same = other_source == source and pe is not None and self.clock_pe(other_source, other) == pe
            if same and clock_hz in table:
                self._note(f"{source}->{target}: no ratio measured; that of {source}->{other} is taken")
                return table[clock_hz]
        return None

    def _law(self, route: Route | None, source: str, target: str, clock_hz: int) -> Fraction:
        """The board's ratio of the time at a clock to that at the clock PE's lowest."""
        if route is None or route.clock is None:
            return Fraction(1)
        self._note(f"{source}->{target}: no ratio measured; the board's law is taken")
        lowest = self.board.pes[route.clock.pe].opps.frequencies[0]
        size = 10**9
        return Fraction(transfer_ns(route, size, clock_hz), transfer_ns(route, size, lowest))

    def _board_power(self, source: str, target: str, clock_hz: int) -> int:
        """The board's base and the active power of the copying cluster."""
        self._note(f"{source}->{target}: no power measured; the board's base and its copying cluster are taken")
        pe = self.board.pes[self.clock_pe(source, target) or source]
        active = [opp.active_power for opp in pe.opps.table if opp.frequency <= clock_hz]
        return self.board.base_power.value + (active[-1] if active else pe.opps.table[0].active_power)

    def _note(self, text: str) -> None:
        self.notes[text] = None


def read_transfers(folder: Path, graph: str, campaign: str, board: Board) -> TransferTable:
    """Read what the folder holds about transfers; each of the tables may be missing."""
    table = TransferTable(board, {}, {}, {})
    if (folder / "transfer_times.csv").is_file():
        rows = read_table(folder, "transfer_times.csv", campaign, graph)
        keys = zip(rows["recv_layer"], rows["src_pe"], rows["dst_pe"], strict=True)
        times = [round(ms * 10**6) for ms in rows["time_ms_at_min_freq"]]
        table.least_clock_ns = {(int(n), str(a), str(b)): t for (n, a, b), t in zip(keys, times, strict=True)}
    if (folder / "transfer_freq_scaling.csv").is_file():
        table.scales = _read_scales(read_table(folder, "transfer_freq_scaling.csv"), board)
    if (folder / "layer_shapes.csv").is_file():
        rows = read_table(folder, "layer_shapes.csv", None, graph)
        table.size_bytes = {int(n): int(size) for n, size in zip(rows["layer"], rows["output_bytes_fp32"], strict=True)}
    return table


def _read_scales(rows: pd.DataFrame, board: Board) -> dict[RouteKey, dict[int, Scale]]:
    """Sort measured ratios by route and the clock of its clock PE."""
    scales: dict[RouteKey, dict[int, Scale]] = {}
    own = [hertz(rows[f"{end}_freq_mhz"]) for end in ("src", "dst")]
    hosts = [max(pair) for pair in zip(*(hertz(rows[f"{end}_host_freq_mhz"]) for end in ("src", "dst")), strict=True)]
    values = zip(rows["src_pe"], rows["dst_pe"], *own, hosts, rows["time_ratio_to_min"], rows["power_mw"], strict=True)
    for source, target, source_hz, target_hz, host_hz, ratio, power_mw in values:
        route = board.transfers.route(source, target)
        if route is None or route.clock is None:
            continue
        clock_hz = {target: target_hz, source: source_hz}.get(route.clock.pe, host_hz)
        scales.setdefault((source, target), {})[clock_hz] = Scale(Fraction(str(ratio)), round(power_mw * 1000))
    return scales
