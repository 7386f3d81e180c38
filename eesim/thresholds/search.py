"""Find thresholds for a scenario: the exact search, the published baseline, and what they come to on other samples."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from eesim.base import FloatArray
from eesim.evaluate import run, trace_digests
from eesim.explore.certificate import Certificate
from eesim.provenance import provenance
from eesim.scenario.load import Scenario
from eesim.thresholds.baseline import make_baseline
from eesim.thresholds.boxes import search_boxes
from eesim.thresholds.costs import KINDS, steps_of
from eesim.thresholds.enumerate import Table, enumerate_all, front_of, work_of
from eesim.thresholds.goal import Goal
from eesim.thresholds.levels import Levels, on_grid
from eesim.thresholds.loaded import search_under_load
from eesim.thresholds.outcome import Measured, ThresholdSearch, measure
from eesim.thresholds.shortest_path import LEVELS, shortest_path
from eesim.thresholds.task import Task, grids_of, levels_of, make_task
from eesim.units import UnitError

COUNTED = 3_000_000_000
"""Elementary steps up to which every setting is counted (a few seconds); beyond, boxes are bounded."""


@dataclass(frozen=True)
class Pick:
    """A setting that a search chose."""

    thresholds: FloatArray
    certificate: Certificate
    front: tuple[tuple[float, float, tuple[float, ...]], ...] = ()


def find_thresholds(scenario: Scenario, *, simulate: bool = True) -> ThresholdSearch:
    """Search the thresholds that a scenario's ``thresholds:`` section asks for.

    Parameters
    ----------
    scenario
        Its exits must come from a table of confidences.
    simulate
        Run the scenario's own stream with what was found.

    Raises
    ------
    InputError
        If there is nothing to search, or the section makes no sense here.
    """
    begin = time.monotonic()
    task = make_task(scenario)
    spec = task.spec
    notes: list[str] = []
    if spec.cost in KINDS:
        levels = levels_of(task)
        goal = _goal(task)
        pick = _exact(task, levels, goal) if spec.method == "exact" else _by_path(task, notes)
        found = measure(task.calibration, pick.thresholds * spec.correction, spec.cost)
    else:
        loaded = search_under_load(task, grids_of(task, LEVELS))
        pick = Pick(loaded.thresholds, loaded.certificate)
        plain = measure(task.calibration, pick.thresholds * spec.correction, spec.cost)
        found = plain._replace(cost=loaded.cost, accuracy=loaded.accuracy)
        goal = loaded.goal
        notes += loaded.notes
    thresholds = pick.thresholds * spec.correction
    if spec.correction != 1:
        notes.append(f"thresholds are multiplied by {spec.correction:.4g}: the certificate holds before that")
    if spec.calibrate_on is None:
        notes.append("searched on the samples that the stream replays: on others expect less (calibrate_on, test_on)")
    chosen = _with_thresholds(task, thresholds)
    violations = _violations(task, goal, found, thresholds)
    own = KINDS.get(spec.cost)
    return ThresholdSearch(
        scenario=chosen,
        exits=task.names,
        thresholds=tuple(float(value) for value in thresholds),
        method=spec.method,
        goal=goal.kind,
        cost_kind=spec.cost,
        unit=own.unit if own else "mJ" if spec.cost == "energy" else "ms",
        original=task.costs.original / own.per_unit if own else None,
        feasible=not violations,
        violations=violations,
        certificate=pick.certificate,
        calibration=found,
        test=None if task.test is None else measure(task.test, thresholds, spec.cost),
        front=pick.front,
        baseline=make_baseline(task, on_grid(task.calibration, grids_of(task, LEVELS)), goal) if own else None,
        simulation=run(chosen) if simulate else None,
        notes=tuple(notes),
        wall_s=time.monotonic() - begin,
        provenance=provenance(
            scenario.documents, scenario.files, trace_digests(scenario), seed=scenario.spec.run.seed, replications=1
        ),
    )


def _goal(task: Task) -> Goal:
    spec, budget = task.spec, None
    if spec.budget is not None:
        try:
            budget = Fraction(steps_of(spec.budget, spec.cost))
        except UnitError as error:
            raise task.problem("budget", str(error)) from None
    kind = "least cost" if task.accuracy is not None else "most accuracy" if budget is not None else "weighted"
    n, original = task.calibration.n_samples, task.costs.original
    return Goal(kind, n, original, task.accuracy, budget, spec.weights.efficiency, spec.weights.accuracy)


def _exact(task: Task, levels: Levels, goal: Goal) -> Pick:
    cascade = task.calibration
    per_unit = KINDS[task.spec.cost].per_unit
    counted = work_of(levels.sizes, cascade.n_samples) <= COUNTED
    if counted:
        table = enumerate_all(cascade, levels)
        front = tuple(
            (int(table.best[r]) / cascade.n_samples / per_unit, int(r) / cascade.n_samples,
             tuple(float(t) for t in levels.at(table.where[r])))
            for r in front_of(table)
        )  # fmt: skip
        right, feasible = goal.pick(table.best)
        value = goal.value_of(int(table.best[right]), right)
        kind = "proven optimum" if feasible else "proven infeasible"
        bound = _told(goal, value, per_unit) if feasible else None
        certificate = Certificate(kind, True, bound, 0.0 if feasible else None, levels.settings, table.settings, 0)
        return Pick(levels.at(table.where[right]), certificate, front)
    search = search_boxes(cascade, levels, goal, boxes=task.spec.evaluations)
    return Pick(*_from_boxes(search.table, levels, goal, per_unit, search.lower_bound, search.complete, search.pruned))


def _from_boxes(
    table: Table, levels: Levels, goal: Goal, per_unit: int, bound: float, complete: bool, pruned: int
) -> tuple[FloatArray, Certificate]:
    right, feasible = goal.pick(table.best)
    value = goal.value_of(int(table.best[right]), right)
    counts = (levels.settings, table.settings, pruned)
    thresholds = levels.at(table.where[right])
    if not feasible:
        kind = "proven infeasible" if complete else "best of n evaluations"
        return thresholds, Certificate(kind, complete, None, None, *counts)
    told = _told(goal, min(bound, value), per_unit)
    if complete:
        return thresholds, Certificate("proven optimum", True, _told(goal, value, per_unit), 0.0, *counts)
    return thresholds, Certificate("within gap", False, told, (value - bound) / abs(value) if value else 0.0, *counts)


def _told(goal: Goal, value: float, per_unit: int) -> float:
    """Objective as it is told: cost per sample in its unit, accuracy, or the weighted cost as it is."""
    if goal.kind == "least cost":
        return value / goal.n_samples / per_unit
    return 1 - value / goal.n_samples if goal.kind == "most accuracy" else value


def _by_path(task: Task, notes: list[str]) -> Pick:
    levels = on_grid(task.calibration, grids_of(task, LEVELS))
    weights = (task.spec.weights.efficiency, task.spec.weights.accuracy)
    path = shortest_path(task.calibration, levels, weights, task.costs.original)
    notes.append("the shortest path minimises the weighted sum under independence; limits are judged afterwards")
    certificate = Certificate(
        "shortest path, exits independent", False, None, None, levels.settings, int(levels.sizes.sum()), 0
    )
    return Pick(levels.at(path.index), certificate)


def _violations(task: Task, goal: Goal, found: Measured, thresholds: FloatArray) -> dict[str, float]:
    """What is missed, relative to its limit."""
    out = {}
    if task.spec.cost in KINDS:
        outcome = task.calibration.outcome(thresholds)
        if outcome.right < goal.least_right:
            out["accuracy"] = 1 - outcome.right / goal.least_right
        if outcome.cost > goal.most_cost:
            out["budget"] = outcome.cost / max(goal.most_cost, 1) - 1
    else:
        if goal.accuracy is not None and found.accuracy < float(goal.accuracy) - 1e-12:
            out["accuracy"] = 1 - found.accuracy / float(goal.accuracy)
        if goal.budget is not None and (found.cost is None or found.cost > float(goal.budget) * (1 + 1e-12)):
            out["budget"] = (found.cost or np.inf) / float(goal.budget) - 1
    limit = task.spec.worst_latency
    if limit is not None and task.costs.worst_latency_ns > limit:
        out["worst_latency"] = task.costs.worst_latency_ns / max(limit, 1) - 1
    return out


def _with_thresholds(task: Task, thresholds: FloatArray) -> Scenario:
    """Return the scenario with these thresholds, in its document, too."""
    scenario = task.scenario
    values = list(scenario.mapping.thresholds)
    for exit_, value in zip(task.costs.exits, thresholds, strict=False):
        values[int(exit_)] = float(value)
    named = zip(scenario.network.exit_names, values, strict=False)
    written: dict[str, Any] = {name: value for name, value in named if np.isfinite(value)}
    document = scenario.document.with_value(("mapping", "thresholds"), written, source="eesim thresholds")
    return replace(
        scenario,
        document=document,
        documents={**scenario.documents, "scenario": document.data},
        mapping=replace(scenario.mapping, thresholds=tuple(values)),
        spec=scenario.spec.model_copy(
            update={"mapping": scenario.spec.mapping.model_copy(update={"thresholds": written})}
        ),
    )
