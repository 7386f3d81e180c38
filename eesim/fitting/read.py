"""Traces of exits to fit: arrays or files, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.errors import InputError, Problem
from eesim.workload.traces import read_column

MAX_EXITS = 1000

Trace = npt.ArrayLike | str | Path


def read_trace(
    trace: Trace, *, first: int, n_exits: int | None, column: str, name: str = "trace"
) -> tuple[IntArray, int]:
    """Return the exits of a trace, 0-based, and how many exits the network has.

    Parameters
    ----------
    trace
        Exits in order of the frames: an array, or the path of a CSV or Parquet file.
    first
        Number of the first exit.
    n_exits
        Exits of the network; None: up to the largest one seen.
    column
        Column of a file.
    name
        What messages call an array.

    Raises
    ------
    InputError
        If there are fewer than two frames, or exits that are not whole numbers in the range.
    """
    last = first + (n_exits or MAX_EXITS) - 1
    if isinstance(trace, str | Path):
        name, exits = str(trace), read_column(Path(trace), column, first, last)
    else:
        values = np.asarray(trace)
        if values.ndim != 1 or not (values.size == 0 or np.issubdtype(values.dtype, np.number)):
            raise InputError([Problem(name, 0, "", "must be one-dimensional, with a number for each frame")])
        bad = ~np.isfinite(values) | (values != np.rint(values)) | (values < first) | (values > last)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            message = f"must be a whole number from {first} to {last}, not {values[row]}"
            raise InputError([Problem(name, 0, str(row), message, "first=0" if values[row] == first - 1 else "")])
        exits = values.astype(np.int64)
    if len(exits) < 2:
        raise InputError([Problem(name, 0, "", "must have at least 2 frames to be fitted")])
    exits = exits - first
    return exits, n_exits or int(exits.max()) + 1
