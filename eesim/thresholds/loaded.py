"""Thresholds whose cost depends on what other frames do: every setting simulated under the scenario's own stream."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.explore.certificate import Certificate
from eesim.explore.exploration import explore
from eesim.explore.objectives import OBJECTIVES
from eesim.metrics.requirements import RULES
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.requirements import Requirements
from eesim.thresholds.costs import steps_of
from eesim.thresholds.goal import Goal
from eesim.thresholds.task import Task, samples_of
from eesim.units import UnitError


class Loaded(NamedTuple):
    """What the search under load found."""

    thresholds: FloatArray
    certificate: Certificate
    goal: Goal
    accuracy: float
    """Of the frames that were simulated."""
    cost: float | None
    """In ms or mJ."""
    notes: list[str]


def search_under_load(task: Task, grids: list[FloatArray]) -> Loaded:
    """Simulate every setting of a grid on the same frames (`eesim explore` over thresholds alone).

    Parameters
    ----------
    task
        What is searched; the stream replays the calibration samples.
    grids
        Levels of each early exit.

    Raises
    ------
    InputError
        If neither an accuracy nor a budget is given, or the scenario cannot be lowered in compiled code.
    """
    spec, scenario = task.spec, task.scenario
    goal = _goal(task)
    limits = {"accuracy": goal.accuracy, spec.cost: None}
    if spec.budget is not None:
        limits[spec.cost] = Fraction(_steps(task))
    early = task.names[:-1]
    asked = ExploreSpec().model_copy(
        update={
            "thresholds": {name: tuple(map(float, grid)) for name, grid in zip(early, grids, strict=True)},
            "objective": spec.cost if goal.kind == "least cost" else "accuracy",
            "constraints": Requirements().model_copy(update=limits),
            "evaluations": spec.evaluations,
            "seed": scenario.spec.run.seed,
        }
    )
    found = explore(
        replace(
            scenario,
            spec=scenario.spec.model_copy(update={"explore": asked}),
            traces=scenario.traces._replace(samples=samples_of(task.scenario, task.spec.calibrate_on)),
        ),
        confirm=False,
    )
    genome = found.found.genomes[0]
    choice = found.space.choice(genome)
    metrics = found.evaluator.metrics(genome[None])
    value = float(metrics[OBJECTIVES[spec.cost][0]][0])
    n = len(found.evaluator.arrival)
    how = "by single frames, exactly" if metrics["exact"][0] else f"on {n:,} frames of the stream"
    notes = [f"each setting was evaluated {how}: accuracy and cost are those of that evaluation"]
    if spec.levels == "all":
        notes.append(f"{len(grids[0])} levels per exit: settings are simulated one by one, and all would be too many")
    return Loaded(
        np.array([float(choice[f"threshold.{name}"]) for name in early]),
        found.certificate,
        goal,
        float(metrics["accuracy"][0]),
        value if np.isfinite(value) else None,
        notes,
    )


def _steps(task: Task) -> int:
    """Budget as a requirement counts it: ns, or nJ."""
    assert task.spec.budget is not None
    try:
        steps = steps_of(task.spec.budget, task.spec.cost)
    except UnitError as error:
        raise task.problem("budget", str(error)) from None
    return steps if task.spec.cost.endswith("latency") else steps // 1000


def _goal(task: Task) -> Goal:
    """What is wanted; the budget in ms or mJ, as results tell it."""
    budget = None if task.spec.budget is None else Fraction(_steps(task)) / Fraction(RULES[task.spec.cost].per_unit)
    if task.accuracy is None and budget is None:
        raise task.problem("accuracy", f"missing: {task.spec.cost} under load needs an accuracy or a budget")
    kind = "least cost" if task.accuracy is not None else "most accuracy"
    weights = task.spec.weights.efficiency, task.spec.weights.accuracy
    return Goal(kind, task.calibration.n_samples, task.costs.original, task.accuracy, budget, *weights)
