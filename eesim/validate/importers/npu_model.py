"""Which variant of a network's NPU model a run used: the two are 2 to 10 times apart, and never mixed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eesim.validate.importers.protocol import Row, Value

QUANTIZED, UNQUANTIZED = "quantized", "fp16_or_unquantized"
NPU_MODELS = (QUANTIZED, UNQUANTIZED)

BETWEEN_MS = {"alexnet": 45, "googlenet": 60, "mobilenet_v1": 53, "resnet50_v1": 120, "squeezenet_v1": 42}
"""Total time, all layers on N at the highest clocks, between the two variants: the geometric mean, rounded, of 28.6 and
69.8, 26.9 and 131, 30.3 and 94, 39.1 and 387, 24.4 and 71 ms (CO-UP-Profiling, commit 22005a9, Profiling/Data)."""

HIGHEST_HOST_INDEX = "7"


def model_of_name(name: str) -> str:
    """Return the variant that a file's name says, or an empty string."""
    low = name.lower()
    if re.search(r"unquanti[sz]ed|fp16", low):
        return UNQUANTIZED
    return QUANTIZED if re.search(r"quanti[sz]ed", low) else ""


def model_of_time(row: Row) -> str:
    """Return the variant that a run's time gives away: all layers on N, host at its highest clock."""
    limit = BETWEEN_MS.get(str(row["graph"]))
    at_highest = set(str(row["freq_indices"]).split("-")) == {HIGHEST_HOST_INDEX}
    total = row["total_time_ms"]
    if limit is None or set(str(row["order"])) != {"N"} or not at_highest or not isinstance(total, float):
        return ""
    return QUANTIZED if total < limit else UNQUANTIZED


def assign(rows: Sequence[dict[str, Value]], said: str | None, name: str) -> bool:
    """Fill the column ``npu_model`` of one file's runs.

    What the user says counts; else what a run's own time gives away; else the file's name; else what all times of this
    file agree on; else, for CO-UP-Profiling's ``Evaluations_*`` tables, quantized: its authors mark the others.

    Returns
    -------
    bool
        Whether all runs on the NPU got a variant.
    """
    with_npu = [row for row in rows if "N" in str(row["order"])]
    by_time = [model_of_time(row) for row in with_npu]
    known = {model for model in by_time if model}
    agreed = known.pop() if len(known) == 1 else ""
    of_name = model_of_name(name) or agreed or (QUANTIZED if not known and name.startswith("Evaluations_") else "")
    for row, timed in zip(with_npu, by_time, strict=True):
        row["npu_model"] = said or timed or of_name
    return all(row["npu_model"] for row in with_npu)
