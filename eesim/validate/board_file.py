"""A calibrated board as a file: the board that the fit started from, with fitted values, intervals and their origin."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from eesim.validate.calibrate import Calibration, Estimate


def board_data(written: dict[str, Any], found: Calibration, origin: dict[str, str]) -> dict[str, Any]:
    """Return the document of a calibrated board.

    Parameters
    ----------
    written
        Document of the board that the fit started from.
    found
        What was fitted.
    origin
        ``kind``, ``source`` (one of the board's sources) and ``note`` of the fitted values.
    """
    data = deepcopy(written)
    for estimate in found.estimates:
        if estimate.parameter.path[0] in ("switch", "pipeline"):
            _put(data["runtimes"], estimate)
    for mode in found.runs:
        data["runtimes"][mode]["origin"] = dict(origin)
    if found.runs.get("pipeline"):
        runtime = found.board.runtimes.pipeline
        assert runtime is not None, "it was fitted"
        powers = {pe: [_milliwatts(uw) for uw in row] for pe, row in runtime.active_power.items()}
        data["runtimes"]["pipeline"] |= {"base_power": _milliwatts(runtime.base_power), "active_power": powers}
    return data


def _milliwatts(microwatts: int) -> str:
    return f"{microwatts / 1e3:.0f} mW"


def _put(runtimes: dict[str, Any], estimate: Estimate) -> None:
    item: Any = runtimes
    for step in estimate.parameter.path:
        item = item[step]
    written = estimate.parameter.written
    item.update(value=written(estimate.value), low=written(estimate.low), high=written(estimate.high))


def dumped(data: dict[str, Any], header: str) -> str:
    """Return a document as YAML, below a header of comment lines."""
    text: str = yaml.safe_dump(data, sort_keys=False, width=150, allow_unicode=True, default_flow_style=None)
    return "".join(f"# {line}\n" for line in header.splitlines()) + text
