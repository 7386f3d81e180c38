"""Measured runs of whole networks, as a folder of measurements states them (docs/measurements.md).

Switch mode (``switch_runs*.csv``): one frame at a time, a PE and clocks for each layer. Pipeline mode
(``pipeline_runs*.csv``, ``pipeline_front*.csv``): a stage for each PE, all stages at once, one clock per PE.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from eesim.base import IntArray
from eesim.errors import InputError, Problem
from eesim.validate.tables import HEADER_LINES, known_labels, read_rows

Suite = Literal["switch", "pipeline"]
Quantity = Literal["time", "energy", "power", "period", "latency"]

MHZ = 10**6
HOSTED = "GN"
HOSTS = ("B", "L")


class Clocks(NamedTuple):
    """Clock of a layer's PE and of the CPU cluster that hosts it, Hz; 0 where there is none."""

    own_hz: int
    host_hz: int


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run.

    Attributes
    ----------
    run_id
        Name of the run in its file.
    suite, graph, campaign
        Which mode, network and build.
    order
        PE of each layer or part, one letter each.
    clocks
        Of each layer or part.
    hosts
        Cluster of the driver threads, by PE.
    npu_model
        ``quantized``, ``fp16_or_unquantized``, or empty where no NPU is used.
    pe_hz
        Clock of each PE in pipeline mode, whether it is used or not; empty in switch mode.
    measured
        Quantity to value: ms, mW, mJ.
    """

    run_id: str
    suite: Suite
    graph: str
    campaign: str
    order: str
    clocks: tuple[Clocks, ...]
    hosts: tuple[tuple[str, str], ...]
    npu_model: str
    pe_hz: tuple[tuple[str, int], ...]
    measured: dict[Quantity, float]

    @property
    def build(self) -> str:
        """Build of the runtime: the first part of the campaign's name."""
        return self.campaign.partition("_")[0]

    @property
    def is_mixed(self) -> bool:
        """Whether several PEs take part."""
        return len(set(self.order)) > 1

    @property
    def changes(self) -> int:
        """How often a frame changes from one PE to another."""
        return sum(a != b for a, b in pairwise(self.order))

    @property
    def used_hosts(self) -> tuple[tuple[str, str], ...]:
        """Hosts of the hosted PEs that take part."""
        return tuple((pe, at) for pe, at in self.hosts if pe in self.order)

    @property
    def configuration(self) -> tuple[object, ...]:
        """What was set; runs that share it are repeats of each other."""
        campaign = self.campaign.partition("_")[0]
        return self.suite, self.graph, self.order, self.clocks, self.used_hosts, self.pe_hz, self.npu_model, campaign


@cache
def _steps(text: str) -> tuple[int, int]:
    own, _, host = text.partition(":")
    return int(own), int(host) if host else -1


def read_frequencies(folder: Path) -> dict[str, tuple[int, ...]]:
    """Read ``freq_table.csv``: clocks of each PE in Hz, by index."""
    path = folder / "freq_table.csv"
    table = read_rows(path, ["pe"], ["freq_index", "freq_mhz"], above_0=["freq_mhz"])
    found: dict[str, tuple[int, ...]] = {}
    for pe, rows in table.groupby("pe"):
        ordered = rows.sort_values("freq_index")
        if list(ordered["freq_index"]) != list(range(len(ordered))):
            raise InputError([Problem(str(path), 0, "freq_index", f"indices of {pe} are not 0, 1, 2, ...")])
        found[str(pe)] = tuple(round(mhz * MHZ) for mhz in ordered["freq_mhz"])
    return found


def read_switch_runs(path: Path, frequencies: dict[str, tuple[int, ...]]) -> list[Run]:
    """Read runs in switch mode.

    Raises
    ------
    InputError
        With every cell that cannot be understood.
    """
    text = ["run_id", "campaign", "graph", "order", "freq_indices", "gpu_host", "npu_host", "npu_model"]
    positive = ["task_time_ms", "total_time_ms", "energy_mj"]
    table = read_rows(path, text, positive, empty=["npu_model", "gpu_host", "npu_host"], above_0=positive)
    known_labels(path, table, {"gpu_host": ("", *HOSTS), "npu_host": ("", *HOSTS)})
    problems: list[Problem] = []
    runs = []
    for row, line in _rows(table):
        clocks = _clocks_of(row, frequencies, str(path), line, problems)
        if clocks is None:
            continue
        total, energy = float(row.total_time_ms), float(row.energy_mj)
        runs.append(
            Run(
                run_id=row.run_id,
                suite="switch",
                graph=row.graph,
                campaign=row.campaign,
                order=row.order,
                clocks=clocks,
                hosts=(("G", row.gpu_host or "B"), ("N", row.npu_host or "B")),
                npu_model=row.npu_model,
                pe_hz=(),
                measured={"time": total, "energy": energy, "power": energy / total * 1000},
            )
        )
    if problems:
        raise InputError(problems)
    return runs


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, int]]:
    for i, row in enumerate(table.itertuples(index=False)):
        yield row, i + 1 + HEADER_LINES


def _clocks_of(
    row: Any, frequencies: dict[str, tuple[int, ...]], source: str, line: int, problems: list[Problem]
) -> tuple[Clocks, ...] | None:
    order, written = row.order, row.freq_indices.split("-")
    unknown = sorted(set(order) - {"B", "L", "G", "N"})
    if unknown:
        problems.append(Problem(source, line, "order", f"there is no PE {', '.join(unknown)}"))
        return None
    if len(written) != len(order):
        message = f"has {len(written)} items for {len(order)} layers"
        problems.append(Problem(source, line, "freq_indices", message))
        return None
    found = []
    for pe, item in zip(order, written, strict=True):
        try:
            own, host = _steps(item)
            if pe == "G":
                found.append(Clocks(frequencies["G"][own], frequencies["B"][max(host, 0)]))
            elif pe == "N":
                found.append(Clocks(0, frequencies["B"][own]))
            else:
                found.append(Clocks(frequencies[pe][own], 0))
        except (ValueError, IndexError, KeyError):
            problems.append(Problem(source, line, "freq_indices", f"{item!r} is no clock of {pe}"))
            return None
    return tuple(found)


def read_pipeline_runs(path: Path) -> list[Run]:
    """Read runs in pipeline mode; ``latency_ms`` may be missing as a column (fronts).

    Power counts only where ``power_ok`` is 1: elsewhere the reading is a glitch (docs/measurements.md).

    Raises
    ------
    InputError
        With every cell that cannot be understood.
    """
    text = ["graph", "order", "gpu_host", "npu_host"]
    clocks = ["little_mhz", "big_mhz", "gpu_mhz"]
    header = list(pd.read_csv(path, nrows=0).columns) if path.is_file() else []
    is_front = "latency_ms" not in header and "energy_mj_per_frame" in header
    more = ["energy_mj_per_frame"] if is_front else ["latency_ms", "power_mw"]
    numbers = [*clocks, "period_ms", *more, "power_ok"]
    positive = [*clocks, "period_ms", *(name for name in more if name != "power_mw")]
    table = read_rows(path, text, numbers, empty=["power_mw", "gpu_host", "npu_host"], above_0=positive)
    known_labels(path, table, {"gpu_host": ("", *HOSTS), "npu_host": ("", *HOSTS)})
    problems: list[Problem] = []
    runs = []
    for row, line in _rows(table):
        unknown = sorted(set(row.order) - {"B", "L", "G", "N"})
        if unknown:
            problems.append(Problem(str(path), line, "order", f"there is no PE {', '.join(unknown)}"))
            continue
        runs.append(_pipeline_run(row, getattr(row, "run_id", f"{path.stem}:{line}"), is_front=is_front))
    if problems:
        raise InputError(problems)
    return runs


def _pipeline_run(row: Any, run_id: str, *, is_front: bool) -> Run:
    hosts = {"G": row.gpu_host or "B", "N": row.npu_host or "B"}
    hz = {"L": round(row.little_mhz * MHZ), "B": round(row.big_mhz * MHZ), "G": round(row.gpu_mhz * MHZ), "N": 0}
    measured: dict[Quantity, float] = {"period": float(row.period_ms)}
    if is_front:
        measured["energy"] = float(row.energy_mj_per_frame)
        measured["power"] = measured["energy"] / measured["period"] * 1000
    else:
        measured["latency"] = float(row.latency_ms)
        if row.power_ok == 1 and row.power_mw > 0:
            measured["power"] = float(row.power_mw)
            measured["energy"] = measured["power"] * measured["period"] / 1000
    return Run(
        run_id=run_id,
        suite="pipeline",
        graph=row.graph,
        campaign="pipeall",
        order=row.order,
        clocks=tuple(Clocks(hz[pe], hz[hosts[pe]] if pe in HOSTED else 0) for pe in row.order),
        hosts=tuple(sorted(hosts.items())),
        npu_model="fp16_or_unquantized" if "N" in row.order else "",
        pe_hz=tuple(sorted(hz.items())),
        measured=measured,
    )


def read_runs(folder: Path) -> list[Run]:
    """Read every run of a folder: ``switch_runs*.csv``, ``pipeline_runs*.csv``, ``pipeline_front*.csv``.

    Raises
    ------
    InputError
        With every problem of every file; or if there is no run at all.
    """
    problems: list[Problem] = []
    runs: list[Run] = []
    files = [path for pattern in PATTERNS for path in sorted(folder.glob(pattern))]
    if not files:
        raise InputError([Problem(str(folder), 0, "", f"there are no runs ({', '.join(PATTERNS)})")])
    for path in files:
        try:
            if path.name.startswith("switch_runs"):
                runs += read_switch_runs(path, read_frequencies(folder))
            else:
                runs += read_pipeline_runs(path)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return runs


PATTERNS = ("switch_runs*.csv", "pipeline_runs*.csv", "pipeline_front*.csv")


def order_groups(runs: Iterable[Run]) -> IntArray:
    """Number of the (network, order) pair of each run: whole orders are drawn, split and held out together, (n,)."""
    pairs: dict[tuple[str, str], int] = {}
    return np.array([pairs.setdefault((run.graph, run.order), len(pairs)) for run in runs], np.int64)
