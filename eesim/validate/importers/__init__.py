"""Importers of foreign measurement formats: one module per format, one registry, one schema of tables.

A module of a format has what `eesim.validate.importers.protocol.Importer` asks for; one more entry in `FORMATS` makes
it known to `import_path` and to the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from eesim.validate.importers.protocol import Importer
    from eesim.validate.importers.summary import ImportSummary


class Format(NamedTuple):
    """A foreign format."""

    module: str
    """Name of its module in this package."""
    summary: str
    unit: str = "line"
    """What its files are counted in."""


FORMATS = {
    "ceed": Format("ceed", "profiles of CEED (JSON): to a network, its times, and a scenario", "value"),
    "coup-log": Format("coup_log", "run logs of ARM-CO-UP: times of layers, subgraphs and the NPU"),
    "coup-power": Format("coup_power", "power logs, aligned with their run log by the GPIO marks"),
    "coup-tables": Format("coup_tables", "tables of CO-UP-Profiling and LW-GA: layers, transfers, DVFS, runs"),
    "pipeall-log": Format("pipeall_log", "output of Pipe-All and of the n-pipe examples: pipeline runs"),
}


def importer(name: str) -> Importer:
    """Return the module of a format."""
    return cast("Importer", import_module(f"eesim.validate.importers.{FORMATS[name].module}"))


def import_path(
    format: str,
    path: str | Path,
    output: str | Path | None = None,
    *,
    append: bool = False,
    graph: str | None = None,
    campaign: str | None = None,
    npu_model: str | None = None,
    allow_board: str | None = None,
    run_log: str | Path | None = None,
    times: str | None = None,
    pe: Sequence[str] = (),
) -> ImportSummary:
    """Turn foreign measurements into eesim's own tables (docs/measurements.md).

    Parameters
    ----------
    format
        A key of `FORMATS`.
    path
        File, or folder of files.
    output
        Folder to write the tables into; nothing is written if None.
    append
        Keep the rows that the folder's tables have, instead of replacing those tables.
    graph, campaign, npu_model, allow_board, run_log, times, pe
        See `eesim.validate.importers.protocol.Options`.

    Returns
    -------
    ImportSummary
        Tables as lists of rows, documents as text, and what became of each line and record.

    Raises
    ------
    InputError
        If the format is not known, an option means nothing to it, nothing could be imported, or the files belong to
        another board. Then nothing is written.
    """
    from eesim.validate.importers.protocol import Options
    from eesim.validate.importers.summary import run_import

    log = None if run_log is None else Path(run_log)
    options = Options(graph, campaign, npu_model, allow_board, log, times, tuple(pe))
    return run_import(format, Path(path), None if output is None else Path(output), options, append=append)


__all__ = ["FORMATS", "Format", "import_path", "importer"]
