"""``coup-tables``: CSV tables of CO-UP-Profiling and LW-GA, known by their columns and not by their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from eesim.validate.importers import table_delays, table_layers, table_runs
from eesim.validate.importers.protocol import Imported, Options
from eesim.validate.importers.records import BadRecord, cells_of, records
from eesim.validate.importers.table_source import Source
from eesim.validate.importers.text import PICKLES, files_in, read_lines, refuse
from eesim.wording import clean

OPTIONS = frozenset(("campaign", "npu_model"))
CAMPAIGN = "coup"


class Kind(NamedTuple):
    """A kind of table."""

    columns: frozenset[str]
    """Columns that it must have; others may be there."""
    add: Callable[[Source, Imported], None]
    others: frozenset[str] = frozenset()
    """Columns that it may have."""


KINDS = (
    Kind(
        frozenset(["Graph", "Component", "Freq", "Freq_Host", "Layer", "Metric", "Time", "Power"]),
        table_layers.add_layers,
    ),
    Kind(frozenset(["Graph", "Layer", "Dest", "Src", "Time"]), table_layers.add_transfers),
    Kind(
        frozenset(["kernels", "order", "SenderFreq", "RecFreq", "transfer_time", "transfer_power", "time_ratio"]),
        table_delays.add_transfer_scaling,
        frozenset(["freq", "power_ratio"]),
    ),
    Kind(
        frozenset(("Num_iterations", "PE", "Freq", "NextFreq", *(f"T{i}" for i in range(1, 11)), "AVG")),
        table_delays.add_dvfs_delays,
    ),
    Kind(
        frozenset(["graph", "order", "freq", "host", "input_time", "task_time", "total_time"]),
        table_runs.add_evaluations,
        frozenset(table_runs.OTHERS),
    ),
)


def read(path: Path, options: Options) -> Imported:
    """Read a table, or all tables (``.csv``) of a folder.

    Pickles, which the authors keep much in, are never loaded: a file is refused, in a folder they are counted.

    Raises
    ------
    InputError
        If a single file is no table that is known.
    """
    found = Imported()
    files = files_in(path, lambda file: file.suffix.lower() in (".csv", *PICKLES), "table (*.csv)")
    for file in files:
        if file != path and file.suffix.lower() in PICKLES:
            found.tally.skip("file left out: a pickle, which could run any code if it were loaded", file, 0)
            continue
        _read_file(file, options, found, alone=file == path)
    return found


def _read_file(file: Path, options: Options, found: Imported, *, alone: bool) -> None:
    lines = read_lines(file)
    try:
        columns = [cell.strip() for cell in cells_of(lines[0].removeprefix("\ufeff"))] if lines else []
    except BadRecord:
        columns = []
    kind = next((kind for kind in KINDS if kind.columns <= set(columns) and len(set(columns)) == len(columns)), None)
    if kind is None:
        if alone:
            raise refuse(file, f"is no table that eesim knows: its columns are {', '.join(columns[:12]) or 'none'}")
        found.tally.skip("file left out: not a table that eesim knows", file, 1, ", ".join(columns))
        return
    found.tally.lines += 1
    found.tally.understood += 1
    if not file.read_bytes().endswith(b"\n"):
        found.tally.warn(f"{file}: its last line has no end: it may be cut off")
    strange = set(columns) - kind.columns - kind.others
    for column in sorted(name for name in strange if not name.startswith("Unnamed")):
        found.tally.warn(f"{file}: column {clean(column)!r} is not known and not read")
    for column in sorted(kind.others - set(columns) - {"Power"}):
        found.tally.warn(f"{file}: there is no column {column}: what follows from it is empty, or not checked")
    rows = list(records(file, lines, columns, found.tally))
    found.files.append(file)
    kind.add(Source(file, options.campaign or CAMPAIGN, options, rows), found)
