"""Does it matter that hard frames follow each other? EE-ResNet18: same exit shares, difficulty correlated in time.

The published exit counts, dealt in an order whose latent difficulty has a given autocorrelation from frame to frame (0:
as a shuffled test set), at several camera rates, mapping BGLGLGL. Every run is whole passes over the 10,000 counted
frames without warm-up removal, so the exit shares are the counts', exactly; only the order differs. Intervals are
Student's t over 20 independent replications of two passes.

    python scenarios/studies/correlated_difficulty.py [--json] [--figure FILE.png]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

import eesim
from eesim.fitting.normal import exit_autocorrelation
from eesim.metrics.statistics import Estimate
from eesim.report.style import DASHES, SETTINGS, colour, light_grid

SCENARIO = Path(__file__).parents[1] / "ee_resnet18_camera.yaml"
COUNTS = [8222, 1015, 294, 469]
RATES_FPS = (30, 40, 45, 55, 60)
AUTOCORRELATIONS = (0.0, 0.5, 0.9, 0.99)
DEADLINE = "40 ms"


class Cell(NamedTuple):
    """What one rate and one autocorrelation give."""

    rate_fps: int
    autocorrelation: float
    p99_ms: Estimate
    mean_ms: Estimate
    late: Estimate
    shares: tuple[float, ...]
    p99_of_replications: tuple[float, ...]


def run(rate_fps: int, autocorrelation: float, replications: int) -> Cell:
    """Simulate one cell."""
    scenario = eesim.load(
        SCENARIO,
        {
            "stream.arrivals": {"kind": "periodic", "rate": f"{rate_fps} fps"},
            "stream.exits": {"kind": "correlated", "counts": COUNTS, "autocorrelation": autocorrelation},
            "run": {"frames": 2 * sum(COUNTS), "warmup": "none", "replications": replications, "seed": 1},
            "requirements": {"deadline": DEADLINE},
        },
    )
    result = eesim.run(scenario, keep_frames=False)
    found = result.estimates
    return Cell(
        rate_fps,
        autocorrelation,
        found["latency_ms.p99"],
        found["latency_ms.mean"],
        found["deadline_miss_rate"],
        tuple(found[f"exit_share.{name}"].value or 0.0 for name in scenario.network.exit_names),
        tuple(r.values["latency_ms.p99"] for r in result.replications),
    )


def study(replications: int = 20) -> list[Cell]:
    """Simulate all cells."""
    return [run(rate, lag_1, replications) for rate in RATES_FPS for lag_1 in AUTOCORRELATIONS]


def p_value(cell: Cell, base: Cell) -> float:
    """P-value of the difference in p99 from the uncorrelated stream, by Welch's test over replications."""
    a, b = cell.p99_of_replications, base.p99_of_replications
    errors = np.array([np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)])
    apart, total = abs(float(np.mean(a) - np.mean(b))), float(errors.sum())
    if total == 0:
        return 0.0 if apart else 1.0
    freedom = total**2 / float(np.sum(errors**2 / np.array([len(a) - 1, len(b) - 1])))
    return float(2 * stats.t.sf(apart / np.sqrt(total), freedom))


def words(cell: Cell, base: Cell) -> str:
    """p99 with its interval, a star where it differs from the uncorrelated stream's, and the share of late frames."""
    half = (cell.p99_ms.ci_high or 0.0) - (cell.p99_ms.value or 0.0)
    star = "*" if cell is not base and p_value(cell, base) < 0.001 else ""
    return f"{cell.p99_ms.value:.1f} ± {half:.1f}{star} ({100 * (cell.late.value or 0.0):.1f} %)"


def table(cells: list[Cell]) -> list[str]:
    """Rows of the table that the docs show."""
    shares = np.array(COUNTS) / sum(COUNTS)
    heads = [f"r = {r:g} (exits {abs(exit_autocorrelation(shares, r)):.2f})" for r in AUTOCORRELATIONS]
    rows = [f"| camera | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for rate in RATES_FPS:
        row = [cell for cell in cells if cell.rate_fps == rate]
        if not row:
            continue
        rows.append(f"| {rate} fps | {' | '.join(words(cell, row[0]) for cell in row)} |")
    return rows


def figure(cells: list[Cell], path: Path) -> None:
    """Draw p99 over the camera's rate, one line for each autocorrelation."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        drawing = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = drawing.subplots()
        for i, lag_1 in enumerate(AUTOCORRELATIONS):
            mine = [cell for cell in cells if cell.autocorrelation == lag_1]
            values = np.array([[cell.p99_ms.value, cell.p99_ms.ci_low, cell.p99_ms.ci_high] for cell in mine], float)
            axes.errorbar(
                [cell.rate_fps for cell in mine],
                values[:, 0],
                yerr=[values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]],
                color=colour(i),
                linestyle=DASHES[i],
                marker="os^D"[i],
                markersize=4,
                capsize=3,
                label=f"r = {lag_1:g}",
            )
        axes.set_yscale("log")
        axes.set_yticks([40, 100, 400, 1000], ["40", "100", "400", "1000"])
        axes.minorticks_off()
        axes.set_xlabel("camera, frames per second")
        axes.set_ylabel("p99 latency, ms")
        axes.set_title("Same exit shares, difficulty correlated from frame to frame (r)")
        light_grid(axes, "y")
        axes.legend()
        part = path.with_name(path.name + ".part")
        drawing.savefig(part, format="png", metadata={"Software": None})
    os.replace(part, path)


def plain(cell: Cell, base: Cell) -> dict[str, Any]:
    """Return one cell as plain data."""
    data = cell._asdict() | {"p_value": p_value(cell, base)}
    return {key: value.as_dict() if isinstance(value, Estimate) else value for key, value in data.items()}


def main() -> int:
    """Print the table, or everything as JSON; draw the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--figure", type=Path, help="draw p99 over the rate to this file")
    options = parser.parse_args()
    cells = study()
    bases = {cell.rate_fps: cell for cell in cells if cell.autocorrelation == 0}
    if options.figure:
        figure(cells, options.figure)
    if options.json:
        print(json.dumps([plain(cell, bases[cell.rate_fps]) for cell in cells], indent=1))
        return 0
    print("\n".join(table(cells)))
    kinds = {cell.shares for cell in cells}
    listed = "; ".join(" / ".join(f"{100 * share:.2f}" for share in kind) for kind in sorted(kinds))
    print("\np99 latency in ms with its 95 % interval; *: differs from r = 0 (Welch's test, p < 0.001)")
    print(f"in brackets: frames that take longer than {DEADLINE}")
    print(f"exit shares of all runs, %: {listed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
