"""Measured runs against the simulator: predict every run of a folder, and say how wrong that is, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from eesim.engine.simulate import EngineName
from eesim.errors import InputError, Problem, suggest
from eesim.hardware.spec import Board
from eesim.overrides import apply_overrides, parse_overrides
from eesim.provenance import provenance
from eesim.scenario.library import find_board, shown
from eesim.spec import validate_document
from eesim.validate.budget import BudgetRow, budget_sample, error_budget
from eesim.validate.decisions import Decision, Repeats, decisions, repeats
from eesim.validate.measurements import fingerprint
from eesim.validate.pool import PredictionPool
from eesim.validate.requirements import require_tables
from eesim.validate.residuals import ResidualRow, residual_rows
from eesim.validate.runs import Quantity, Run, Suite, read_runs
from eesim.validate.suites import Prediction, Row, columns, rows_of
from eesim.validate.terms import TERMS
from eesim.yamldoc import load_document

Progress = Callable[[int], None]
Counted = tuple[str, str, str, int]
"""Suite, network, reason, number of runs."""

BUDGET_RUNS = 1000
"""Runs of each suite that the error budget draws, by whole orders."""

MAIN: dict[Suite, Quantity] = {"switch": "time", "pipeline": "period"}
"""Quantity of each suite that stands for its time."""


@dataclass(frozen=True)
class Validation:
    """Predictions of measured runs, and how wrong they are.

    Attributes
    ----------
    folder
        Where the measurements were.
    runs, predictions
        One prediction for each run; `Prediction.failure` says why, where there is none.
    off
        Physical terms that were switched off.
    budget
        Error with and without each term; empty if it was not asked for.
    budget_runs
        Runs that the budget was made on.
    provenance
        Digests of board and measurements, versions, seed.
    """

    folder: Path
    runs: Sequence[Run]
    predictions: Sequence[Prediction]
    off: tuple[str, ...]
    budget: tuple[BudgetRow, ...]
    budget_runs: int
    provenance: Mapping[str, Any]

    @cached_property
    def rows(self) -> list[Row]:
        """Scores by suite, network (and pool) and quantity."""
        return list(rows_of(self.runs, self.predictions))

    @cached_property
    def single_pe(self) -> list[Row]:
        """The same of runs on one PE: no term of switching takes part."""
        return self._rows_where(not run.is_mixed for run in self.runs)

    @cached_property
    def npu(self) -> list[Row]:
        """The same of runs in which the NPU takes part beside other PEs."""
        return self._rows_where("N" in run.order and run.is_mixed for run in self.runs)

    @cached_property
    def bottlenecks(self) -> list[tuple[str, Row]]:
        """The same of pipeline runs, by the PE of the slowest stage."""
        found = []
        for pe in sorted({p.slowest for p in self.predictions if p.slowest}):
            chosen = (r.suite == "pipeline" and p.slowest == pe for r, p in self._pairs())
            found += [(pe, row) for row in self._rows_where(chosen) if row.graph == "all"]
        return found

    @cached_property
    def not_predicted(self) -> list[Counted]:
        """Runs without a prediction, counted by suite, network and reason."""
        return _counted((run, p.failure) for run, p in self._pairs() if p.failure)

    @cached_property
    def outside(self) -> list[tuple[Counted, float]]:
        """Predicted runs outside of what was measured, with the mean error (in per cent) of their time or period."""
        reasons = _counted((run, reason) for run, p in self._pairs() for reason in p.outside)
        found = []
        for item in reasons:
            suite, graph, reason, _ = item
            chosen = [
                i
                for i, (run, p) in enumerate(self._pairs())
                if run.suite == suite and run.graph == graph and reason in p.outside
            ]
            predicted, measured = columns(self.runs, self.predictions, chosen, MAIN[self.runs[chosen[0]].suite])
            found.append((item, float(np.abs(predicted / measured - 1).mean() * 100)))
        return found

    @cached_property
    def residuals(self) -> list[ResidualRow]:
        """Errors by features of the runs."""
        return residual_rows(self.runs, self.predictions)

    @cached_property
    def decisions(self) -> list[Decision]:
        """What it costs to deploy what the simulator ranks first."""
        return decisions(self.runs, self.predictions)

    @cached_property
    def repeats(self) -> list[Repeats]:
        """How far repeats of one configuration are apart."""
        return repeats(self.runs)

    def _pairs(self) -> Iterable[tuple[Run, Prediction]]:
        return zip(self.runs, self.predictions, strict=True)

    def _rows_where(self, chosen: Iterable[bool]) -> list[Row]:
        kept = [i for i, keep in enumerate(chosen) if keep]
        return list(rows_of([self.runs[i] for i in kept], [self.predictions[i] for i in kept]))


def _counted(items: Iterable[tuple[Run, str]]) -> list[Counted]:
    counts = Counter((run.suite, run.graph, reason) for run, reason in items)
    return [(*key, n) for key, n in sorted(counts.items(), key=lambda item: (item[0][:2], -item[1], item[0][2]))]


def validate_runs(
    folder: Path | str,
    board: Board | Path | str = "rk3399pro",
    *,
    changes: Sequence[str] = (),
    off: Sequence[str] = (),
    workers: int = 1,
    engine: EngineName = "compiled",
    budget_runs: int = BUDGET_RUNS,
    seed: int = 1,
    progress: Progress | None = None,
) -> Validation:
    """Predict every run of a folder and score the predictions.

    Parameters
    ----------
    folder
        Tables and runs (docs/validation.md says which files).
    board
        A board, or the name or file of one.
    changes
        ``path=value`` texts that change the board's file.
    off
        Physical terms to switch off (`eesim.validate.terms.TERMS`).
    workers
        Processes; the results do not depend on how many.
    engine
        Which engine simulates.
    budget_runs
        Runs of each suite that the error budget is made on; 0 for none.
    seed
        Of the budget's sample.
    progress
        Called with a number of runs that are done; the budget's are not counted.

    Raises
    ------
    InputError
        With everything that is wrong with the folder, the board, or the names of terms.
    """
    folder = Path(folder)
    _known_terms(off)
    model, data, named = _board(board, changes)
    files = fingerprint(folder)
    runs = read_runs(folder)
    require_tables(folder, runs)
    with PredictionPool(folder, model, runs, workers, engine) as pool:
        predictions = pool.predict(off=off, progress=progress)
        sample = budget_sample(runs, predictions, budget_runs, seed)
        budget = error_budget(pool, runs, predictions, sample, off, seed)
    inputs = {"board": data, "measurements": files, "off": sorted(off)}
    stamp = provenance(inputs, {"board": named}, {}, seed=seed, replications=1)
    stamp = {**stamp, "measurements": files, "engine": engine}
    return Validation(folder, runs, predictions, tuple(sorted(off)), tuple(budget), len(sample), stamp)


def _known_terms(off: Sequence[str]) -> None:
    unknown = [name for name in off if name not in TERMS]
    if unknown:
        listed = f"is no physical term ({', '.join(TERMS)})"
        raise InputError(Problem("--off", 0, name, listed, suggest(name, TERMS)) for name in unknown)


def _board(board: Board | Path | str, changes: Sequence[str]) -> tuple[Board, Any, str]:
    """Return a board, its data for the provenance, and what to call it."""
    if isinstance(board, Board):
        if changes:
            raise ValueError("changes are made to a board's file")
        return board, board.model_dump(mode="json", warnings=False), board.name
    file = find_board(str(board), Path(), Problem("--board", 0, "", ""))
    document = apply_overrides(load_document(file), parse_overrides(changes))
    return validate_document(Board, document), document.data, shown(file)
