"""Loss against accuracy on worker, edge and cloud: which thresholds, and how much of the network leaves the worker?

Scenario `ceed_tiers.yaml` (every queue is finite and drops) at five published sets of thresholds, and with thresholds
that give way while frames pile up; five placements of the four stages; three rates. All cells of a rate see the same
frames. Intervals are Student's t over replications.

    python scenarios/studies/ceed_tiers.py [--json] [--figure FILE.png]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import eesim
from eesim.metrics.queueing import during_lognormal, exact_loss_ratio, loss_ratio
from eesim.metrics.statistics import Estimate
from eesim.report.style import SETTINGS, colour, light_grid

SCENARIO = Path(__file__).parents[1] / "ceed_tiers.yaml"
RATES_FPS = (2, 4, 6)
TIERS = {"W": "worker", "E": "edge", "C": "cloud"}
PLACEMENTS = ("WWWW", "WWWE", "WWEE", "WWEC", "WEEE")
"""Tier of each stage; the exit of a stage is where the stage is."""

# sriharshamudumba/Hetero-PIM, EarlyExit/early_exit_detailed_results: answers and their accuracy (%) at each exit.
THRESHOLDS: dict[str, tuple[list[int], list[float]]] = {
    "0.5, 1, 1.5": ([38, 1065, 5450, 3447], [94.74, 92.49, 85.41, 55.18]),
    "1, 1.5, 2": ([118, 2144, 5325, 2413], [87.29, 81.67, 81.15, 48.90]),
    "1.5, 2, 2.5": ([326, 3293, 4889, 1492], [80.06, 72.43, 77.38, 44.84]),
    "2, 2.5, 3": ([815, 4277, 4125, 783], [65.15, 66.00, 71.25, 40.36]),
    "2.5, 3, 3.5": ([1597, 5293, 2889, 221], [55.60, 57.15, 63.41, 33.48]),
}
GIVE_WAY = "give way"
"""The first set; the third one while more than two frames are in the system, the last above four."""


class Cell(NamedTuple):
    """What one rate, placement and set of thresholds give; shares from 0 to 1."""

    rate_fps: int
    placement: str
    thresholds: str
    loss: Estimate
    accuracy: Estimate
    p95_ms: Estimate
    loss_at: dict[str, float]

    @property
    def right(self) -> float:
        """Share of all offered frames that get a right answer."""
        return (1 - (self.loss.value or 0.0)) * (self.accuracy.value or 0.0)


def exits(thresholds: str) -> dict[str, Any]:
    """Exit model of a set of thresholds."""

    def levels(name: str) -> dict[str, Any]:
        counts, accuracy = THRESHOLDS[name]
        return {"counts": counts, "accuracy": [share / 100 for share in accuracy]}

    if thresholds != GIVE_WAY:
        return {"kind": "counts", **levels(thresholds)}
    first, _, third, _, last = THRESHOLDS
    return {"kind": "counts", **levels(first), "alternatives": [levels(third), levels(last)]}


def run(rate_fps: int, placement: str, thresholds: str, replications: int = 10) -> Cell:
    """Simulate one cell."""
    stages = [TIERS[letter] for letter in placement]
    changes: dict[str, Any] = {
        "stream.arrivals.rate": f"{rate_fps} Hz",
        "stream.exits": exits(thresholds),
        # A stage and the exit behind it; the last stage ends in the final exit.
        "mapping.segments": [tier for stage in stages for tier in (stage, stage)][:-1],
        "run.replications": replications,
        "requirements": {},
    }
    if thresholds == GIVE_WAY:
        changes["policy.adaptive"] = {"above": [2, 4], "hysteresis": 1}
    found = eesim.run(eesim.load(SCENARIO, changes), keep_frames=False).estimates
    lost_at = {
        name.removeprefix("drop_rate_by."): e.value or 0.0 for name, e in found.items() if "drop_rate_by." in name
    }
    latency = found["latency_ms.p95"]
    return Cell(rate_fps, placement, thresholds, found["drop_rate"], found["accuracy"], latency, lost_at)


def study(replications: int = 10) -> list[Cell]:
    """Simulate all cells."""
    return [
        run(rate, placement, thresholds, replications)
        for rate in RATES_FPS
        for placement in PLACEMENTS
        for thresholds in (*THRESHOLDS, GIVE_WAY)
    ]


def percent(estimate: Estimate) -> str:
    """A share in per cent with half the width of its interval."""
    half = ((estimate.ci_high or 0.0) - (estimate.ci_low or 0.0)) / 2
    return f"{100 * (estimate.value or 0.0):.2f} ± {100 * half:.2f}"


def words(cell: Cell) -> str:
    """Loss in per cent with its interval, and the accuracy of the answers."""
    return f"{percent(cell.loss)}; {100 * (cell.accuracy.value or 0.0):.1f}"


def row(cells: list[Cell]) -> str:
    """One row of the table: cells of one rate and placement."""
    return f"| {cells[0].rate_fps} | {cells[0].placement} | {' | '.join(map(words, cells))} |"


def table(cells: list[Cell]) -> list[str]:
    """Rows of the table that the docs show."""
    heads = ("frames/s", "stages on", *THRESHOLDS, GIVE_WAY)
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    places = dict.fromkeys((cell.rate_fps, cell.placement) for cell in cells)
    return rows + [row([cell for cell in cells if (cell.rate_fps, cell.placement) == place]) for place in places]


def closed_forms(rate_fps: int, thresholds: str) -> tuple[float, float, float]:
    """Loss of the worker alone (WWWW) as an M/G/1/K queue: exactly, by two moments, and the load that is offered.

    A frame's service is what the stages and exits up to its own take, one after the other. Given the exit it is taken
    to be lognormal with mean and variance of that sum.
    """
    scenario = eesim.load(SCENARIO, {"mapping.segments": ["worker"] * 7})
    times = [row["worker"] / 1e9 for row in scenario.profile.times.values()]
    counts = np.array(THRESHOLDS[thresholds][0])
    shares = counts / counts.sum()
    # Behind stage k and its exit; the last stage ends in its exit.
    ends = [2, 4, 6, 7]
    means = np.array([sum(times[:end]) for end in ends])
    cv = scenario.document.get(("stream", "noise", "cv"))
    variances = np.array([sum((cv * time) ** 2 for time in times[:end]) for end in ends])
    mean = float(shares @ means)
    scv = float(shares @ (variances + means**2)) / mean**2 - 1
    capacity = scenario.document.get(("policy", "stage_queue", "pes", "worker", "capacity")) + 1
    by_exit = [during_lognormal(rate_fps * m, np.sqrt(v) / m, capacity) for m, v in zip(means, variances, strict=True)]
    load = rate_fps * mean
    return exact_loss_ratio(load, capacity, shares @ np.array(by_exit)), loss_ratio(load, capacity, scv), load


def closed_table(cells: list[Cell]) -> list[str]:
    """The worker alone: simulated, exact, and by the formula of two moments."""
    rows = ["| frames/s | thresholds | load | lost, % | exact, % | formula, % |", "|---|---|---|---|---|---|"]
    for cell in cells:
        if cell.placement == "WWWW" and cell.thresholds in THRESHOLDS:
            exact, formula, load = closed_forms(cell.rate_fps, cell.thresholds)
            told = (
                f"{percent(cell.loss)} | {100 * exact:.2f} | {100 * formula:.2f} ({100 * (formula / exact - 1):+.1f} %)"
            )
            rows.append(f"| {cell.rate_fps} | {cell.thresholds} | {load:.2f} | {told} |")
    return rows


def figure(cells: list[Cell], path: Path) -> None:
    """Draw accuracy over loss, a panel for each rate, a line for each placement."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        drawing = Figure(figsize=(9.6, 3.6), layout="constrained")
        for axes, rate in zip(drawing.subplots(1, len(RATES_FPS), sharey=True), RATES_FPS, strict=True):
            for i, placement in enumerate(PLACEMENTS):
                mine = [cell for cell in cells if (cell.rate_fps, cell.placement) == (rate, placement)]
                fixed = [cell for cell in mine if cell.thresholds != GIVE_WAY]
                points = [(100 * (c.loss.value or 0), 100 * (c.accuracy.value or 0)) for c in fixed]
                axes.plot(
                    *zip(*points, strict=True), color=colour(i), marker="os^Dvx"[i], markersize=4, label=placement
                )
                ((x, y),) = [(100 * (c.loss.value or 0), 100 * (c.accuracy.value or 0)) for c in mine if c not in fixed]
                axes.plot([x], [y], color=colour(i), marker="*", markersize=9, linestyle="none")
            axes.set_title(f"{rate} frames/s")
            axes.set_xlabel("lost, %")
            axes.set_xlim(left=-1)
            light_grid(axes, "y")
        drawing.axes[0].set_ylabel("accuracy of the answers, %")
        drawing.axes[0].legend(title="stages on")
        part = path.with_name(path.name + ".part")
        drawing.savefig(part, format="png", metadata={"Software": None})
    os.replace(part, path)


def plain(cell: Cell) -> dict[str, Any]:
    """Return one cell as plain data."""
    data = cell._asdict() | {"right": cell.right}
    return {key: value.as_dict() if isinstance(value, Estimate) else value for key, value in data.items()}


def main() -> int:
    """Print the table, or everything as JSON; draw the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--figure", type=Path, help="draw accuracy over loss to this file")
    options = parser.parse_args()
    cells = study()
    if options.figure:
        figure(cells, options.figure)
    if options.json:
        print(json.dumps([plain(cell) for cell in cells], indent=1))
    else:
        print("\n".join([*table(cells), "", "The worker alone, as one M/G/1/K queue:", "", *closed_table(cells)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
