"""Which tables the runs of a folder need beside them; whatever is missing or wrong is said before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from eesim.errors import InputError, Problem, suggest
from eesim.validate.layers import known_graphs, read_layer_times
from eesim.validate.parts import googlenet_parts, googlenet_source
from eesim.validate.runs import Run, read_frequencies
from eesim.validate.sources import MeasuredSource, read_layers


class Need(NamedTuple):
    """A table, what it is for, and how to find out whether it can be read."""

    name: str
    purpose: str
    read: Callable[[Path], object]


def needs_of(runs: Iterable[Run]) -> list[Need]:
    """Return the tables that some runs need."""
    suites = {run.suite for run in runs}
    found = [
        Need("layer_times.csv", "times of single layers", read_layer_times),
        Need("layer_shapes.csv", "layers and tensor sizes", known_graphs),
    ]
    if "switch" in suites:
        found.append(Need("freq_table.csv", "clocks of switch_runs*.csv", read_frequencies))
    if any(run.suite == "pipeline" and run.graph == "googlenet" for run in runs):
        found.append(Need("kernel_shapes.csv", "GoogLeNet's 13 parts in pipeline mode", _parts))
        found.append(Need("kernel_times_cpu.csv", "GoogLeNet's 13 parts in pipeline mode", _shares))
    return found


def _parts(folder: Path) -> object:
    return googlenet_parts(folder, read_layers(folder, "googlenet"))


def _shares(folder: Path) -> object:
    return googlenet_source(folder, MeasuredSource("", {}), ())


def require_tables(folder: Path, runs: Iterable[Run]) -> None:
    """Raise `InputError` with everything that is missing or wrong in the tables that some runs need."""
    runs = list(runs)
    problems: list[Problem] = []
    present = sorted(path.name for path in folder.glob("*.csv"))
    for need in needs_of(runs):
        path = folder / need.name
        if not path.is_file():
            message = f"there is no such file; it is needed for {need.purpose}"
            problems.append(Problem(str(path), 0, "", message, suggest(need.name, present)))
            continue
        try:
            need.read(folder)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
