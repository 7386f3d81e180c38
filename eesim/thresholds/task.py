"""What a threshold search works on: the samples, the exits that can answer, their costs, the levels to try."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from eesim.base import FloatArray
from eesim.errors import InputError, suggest
from eesim.scenario.load import Scenario
from eesim.scenario.thresholds import ThresholdsSpec
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.costs import KINDS, ExitCosts, exit_costs
from eesim.thresholds.levels import Levels, all_levels, evenly, on_grid
from eesim.thresholds.shortest_path import LEVELS
from eesim.workload.confidences import ExitConfidences, Samples


@dataclass(frozen=True)
class Task:
    """What is searched: a cascade over calibration samples, and the same exits over test samples."""

    scenario: Scenario
    spec: ThresholdsSpec
    costs: ExitCosts
    names: tuple[str, ...]
    calibration: Cascade
    test: Cascade | None

    @property
    def accuracy(self) -> Fraction | None:
        """Accuracy that is wanted: of the section, or else of the scenario's requirements."""
        asked = self.spec.accuracy
        return self.scenario.spec.requirements.accuracy if asked is None else asked

    def problem(self, key: str, message: str, hint: str = "") -> InputError:
        """Return an error about a key of the section."""
        return InputError([self.scenario.document.problem(("thresholds", key), message, hint)])


def make_task(scenario: Scenario) -> Task:
    """Gather what a scenario's ``thresholds:`` section asks for.

    Raises
    ------
    InputError
        If there are several streams, their exits do not come from a table of confidences, or files and sections do not
        fit.
    """
    if scenario.members:
        message = f"{len(scenario.members)} streams share the platform: search the thresholds of each alone"
        raise InputError([scenario.document.problem(("streams",), message)])
    spec, model = scenario.spec.thresholds, scenario.spec.stream.exits
    if not isinstance(model, ExitConfidences):
        message = f"thresholds are searched on a table of confidences, not on exits of kind {model.kind}"
        raise InputError([scenario.document.problem(("stream", "exits", "kind"), message)])
    costs = exit_costs(scenario, spec.cost if spec.cost in KINDS else "exit_latency")
    names = tuple(scenario.network.exit_names[int(k)] for k in costs.exits)
    searched = samples_of(scenario, spec.calibrate_on)
    test = None if spec.test_on is None else _cascade(samples_of(scenario, spec.test_on), costs)
    return Task(scenario, spec, costs, names, _cascade(searched, costs), test)


def samples_of(scenario: Scenario, split: str | None) -> Samples:
    """Samples of a split of the stream's table; None for those that the stream replays."""
    model = scenario.spec.stream.exits
    assert isinstance(model, ExitConfidences), "checked before"
    if split is None or split == model.split:
        return scenario.traces.samples
    from eesim.workload.traces import read_samples

    beside = Path(scenario.document.source).parent
    return read_samples(beside / model.path, split, len(scenario.network.exit_names))


def _cascade(samples: Samples, costs: ExitCosts) -> Cascade:
    return Cascade(samples.confidence[:, costs.exits[:-1]], samples.correct[:, costs.exits], costs.cost)


def grids_of(task: Task, count: int) -> list[FloatArray]:
    """Levels as lists; ``count`` evenly spaced ones where the section says ``all``."""
    written, early = task.spec.levels, task.names[:-1]
    if written == "all":
        return [evenly(count)] * len(early)
    if isinstance(written, int):
        return [evenly(written)] * len(early)
    if not isinstance(written, dict):
        return [np.array(written, np.float64)] * len(early)
    unknown = [name for name in written if name not in early]
    if unknown:
        message = f"{unknown[0]!r} is not an early exit that can answer ({', '.join(early)})"
        raise task.problem("levels", message, suggest(unknown[0], early))
    missing = [name for name in early if name not in written]
    if missing:
        raise task.problem("levels", f"no levels for {', '.join(missing)}")
    return [np.array(written[name], np.float64) for name in early]


def levels_of(task: Task) -> Levels:
    """Levels of the exact search."""
    return (
        all_levels(task.calibration) if task.spec.levels == "all" else on_grid(task.calibration, grids_of(task, LEVELS))
    )
