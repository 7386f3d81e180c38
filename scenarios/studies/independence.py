"""Where taking exits to be independent misleads a threshold search: the digits table, and tables of shared difficulty.

``python scenarios/studies/independence.py`` prints, for each table, how far the published shortest-path search (exits
independent) is from the truth: on its own pick, against the exact search for the same weighted sum on the same levels,
and over all 169 settings. docs/thresholds.md quotes the result.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import eesim
from eesim.thresholds.baseline import independence
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.enumerate import enumerate_all
from eesim.thresholds.goal import Goal
from eesim.thresholds.levels import evenly, on_grid
from eesim.thresholds.shortest_path import LEVELS, shortest_path
from eesim.thresholds.task import make_task

DIGITS = Path(__file__).parents[1] / "digits_psoc6.yaml"
WEIGHTS = (0.3, 0.7)
"""Of efficiency and accuracy. With the paper's 0.9 and 0.1 nearly every digit leaves at the first exit."""


def shared_difficulty(n: int, exits: int, *, seed: int, rank: float, digits: int = 3) -> Cascade:
    """Return samples whose ease at each exit is, with probability ``rank``, the same at all of them.

    Confidence grows with ease; an exit is right about the easiest 60 % (the first) to 95 % (the last) of the samples.
    Costs grow with the square of the depth.
    """
    rng = np.random.default_rng(seed)
    common, own = rng.random((n, 1)), rng.random((n, exits))
    ease = np.where(rng.random((n, exits)) < rank, common, own)
    skill = np.linspace(0.6, 0.95, exits)
    confidence = np.round(np.clip(ease * 0.6 + 0.4, 0, 1), digits)[:, :-1]
    return Cascade(confidence, ease > 1 - skill, np.array([(k + 1) ** 2 * 10 for k in range(exits)], np.int64))


def compare(cascade: Cascade, original: int) -> dict[str, float]:
    """Compare the published search with the truth and with the exact search."""
    levels = on_grid(cascade, [evenly(LEVELS)] * cascade.n_early)
    n = cascade.n_samples
    path = shortest_path(cascade, levels, WEIGHTS, original)
    true = cascade.outcome(levels.at(path.index))
    goal = Goal("weighted", n, original, efficiency_weight=WEIGHTS[0], accuracy_weight=WEIGHTS[1])
    table = enumerate_all(cascade, levels)
    right, _ = goal.pick(table.best)
    best = goal.value_of(int(table.best[right]), right)
    wrong = independence(cascade, levels)
    assert wrong is not None, "169 settings are few"
    return {
        "promised accuracy, %": 100 * path.prediction.accuracy,
        "true accuracy, %": 100 * true.right / n,
        "cost above promise, %": 100 * (true.cost / n / path.prediction.cost - 1),
        "weighted sum above the exact search's, %": 100 * (goal.value_of(true.cost, true.right) / best - 1),
        "largest error of accuracy, points": 100 * wrong.accuracy_worst,
        "largest error of cost, %": 100 * wrong.cost_worst,
    }


def study() -> dict[str, dict[str, float]]:
    """Return the comparison for each table."""
    task = make_task(eesim.load(DIGITS))
    out: dict[str, dict[str, float]] = {"digits": compare(task.calibration, task.costs.original)}
    for rank in (0.0, 0.3, 0.6, 0.9):
        out[f"shared difficulty {rank:g}"] = compare(shared_difficulty(5000, 3, seed=2, rank=rank), 90)
    return out


def main() -> None:
    """Print the table."""
    rows: dict[str, Any] = study()
    print("| table | " + " | ".join(next(iter(rows.values()))) + " |")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |")


if __name__ == "__main__":
    main()
