"""Is what an import of a damaged file gives part of what the undamaged file gives?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from eesim.validate.importers.protocol import Imported

Rows = Mapping[str, Any]

IGNORED = {"run_id", "line", "ordinal", "source", "kernel", "first_task", "input_shape", "output_shape", "n_tasks"}
"""Keys that follow from the place in the file; names and shapes of tasks, which nothing checks."""

OPEN = (
    *("frames", "threads_big", "threads_little", "board", "gpu_host", "npu_host", "mode"),
    *("freq_mhz", "host_freq_mhz", "npu_model"),
)
"""What stays empty where the damaged log no longer says it."""

LOOSE_RUN = {"latency_ms": 0.12}
"""Shares by which docs/measurements.md lets a number be wrong."""
ROUNDING_MS, ROUNDING_SHARE = 2e-3, 3e-5
"""Damage that is smaller than the rounding of the sums that confirm a number (share: of the subgraph's Process)."""
NPU = ("npu_load", "npu_run_get", "npu_fill_tensor", "task")


def by_identity(found: Imported) -> dict[str, dict[tuple[Any, ...], list[Rows]]]:
    """Rows by table and by what is not a measured number; runs by their clocks instead of by their ids."""
    runs = {row["run_id"]: row["freq_indices"] for row in found.tables.get("runs", [])}
    out: dict[str, dict[tuple[Any, ...], list[Rows]]] = defaultdict(lambda: defaultdict(list))
    for table, rows in found.tables.items():
        for row in rows:
            keys = tuple(
                sorted(
                    (name, str(value))
                    for name, value in row.items()
                    if name not in IGNORED and name not in OPEN and not is_measured(name) and value is not None
                )
            )
            out[table][runs.get(row.get("run_id")), *keys].append(row)
    return out


def is_measured(name: str) -> bool:
    return name.endswith(("_ms", "_mw", "_mj", "_ms_at_min_freq", "distinct_values"))


def wrong_rows(clean: Imported, found: Imported) -> list[str]:
    """Rows of a damaged import that the clean one does not have, within the bounds that the documentation states."""
    expected = by_identity(clean)
    problems = []
    for table, groups in by_identity(found).items():
        for key, rows in groups.items():
            candidates = expected[table].get(key, [])
            for row in rows:
                if not any(close(table, row, candidate) for candidate in candidates):
                    problems.append(f"{table}: {dict(row)} (clean: {candidates[:1]})")
    return problems


def close(table: str, row: Rows, other: Rows) -> bool:
    for name in OPEN:
        if row.get(name) not in (None, "", other.get(name)):
            return False
    return all(_near(table, name, row, other) for name in row if is_measured(name))


def _near(table: str, name: str, row: Rows, other: Rows) -> bool:
    value, expected = row[name], other.get(name)
    if value is None or expected is None:
        # A power that could not be aligned is left out.
        return value is None
    slack = ROUNDING_MS + ROUNDING_SHARE * max(1000.0 if table != "kernel_times_cpu" else 0.0, abs(expected))
    if name in LOOSE_RUN:
        slack += LOOSE_RUN[name] * expected
    npu_row = table == "layer_times" and row["pe"] == "N" and row["metric"] in NPU
    if npu_row or name.startswith("npu_"):
        # Checked against the layer's time only: 5 ms and 5 %.
        slack += 6 + 0.2 * expected if row.get("metric") != "task" and name != "npu_task_ms" else 1e9
    return bool(abs(value - expected) <= slack)
