"""Many variants of one scenario on the same frames: the one place where what-if studies simulate.

`evaluate_points` is the seam: points in, outcomes in the same order out. Whoever wants to spread points over workers
replaces that function alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from eesim.engine.simulate import EngineName
from eesim.errors import EesimError, InputError
from eesim.evaluate import Replications, judge_all
from eesim.metrics.result import combine
from eesim.overrides import Override
from eesim.scenario.load import Scenario, changed
from eesim.scenario.shared import Shared
from eesim.whatif.inputs import simulation_key
from eesim.wording import DataPath

POINT_FRAMES = 50_000
"""Frames of one point over all replications, unless told otherwise: enough for hundreds of points in seconds."""

REPLICATIONS = 5
LEAST = 2


StartProgress: TypeAlias = Callable[[str, int], Callable[[int], None] | None]
"""Takes a label and a number of points; returns what is called with 1 after each."""


class Point(NamedTuple):
    """Values to set, by path."""

    changes: tuple[tuple[DataPath, Any], ...]


class Outcome(NamedTuple):
    """What became of a point."""

    values: Mapping[str, tuple[float, ...]] | None
    """Every metric, replication by replication; None if the point could not be simulated."""
    problem: str = ""
    """Why not."""
    is_read: bool = True
    """Whether anything that the point changes reaches the simulation."""
    meets: bool = True
    """Whether the scenario's requirements are met."""


class Laboratory:
    """A base scenario, its own outcome, and everything that was simulated so far.

    Parameters
    ----------
    scenario
        What points are variants of.
    frames, replications
        Of every point; by default the scenario's own, but at most `REPLICATIONS` and `POINT_FRAMES` together.
    seed, engine
        As in `eesim.run`.

    Raises
    ------
    EesimError
        If the base itself cannot be simulated.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        frames: int | None = None,
        replications: int | None = None,
        seed: int | None = None,
        engine: EngineName = "compiled",
    ) -> None:
        spec = scenario.spec.run
        self.replications = replications or max(LEAST, min(spec.replications, REPLICATIONS))
        self.frames = frames or min(scenario.n_frames, max(POINT_FRAMES // self.replications, 1))
        self.seed = spec.seed if seed is None else seed
        self.engine: EngineName = engine
        self._shared = Shared()
        self.base = changed(scenario, [Override(("run", "frames"), self.frames)], self._shared)
        runs = Replications(self.base, engine=engine, seed=self.seed)
        runs.simulate(range(self.replications))
        # Every point leaves out the frames that the base does: all are measured on the same ones.
        self._warmups = {r: done.warmup_frames for r, done in enumerate(runs.done)}
        self._key = simulation_key(self.base, runs.lowered)
        self.outcome = _outcome(runs, is_read=False)
        self._known = {self._key: self.outcome}
        self.simulated = 1

    def variant(self, point: Point) -> Scenario:
        """Return the base with a point's values; `InputError` if they make it invalid."""
        return changed(self.base, [Override(path, value) for path, value in point.changes], self._shared)

    def evaluate(self, point: Point) -> Outcome:
        """Simulate a point, unless one that is the same to the simulation has been."""
        try:
            scenario = self.variant(point)
            runs = Replications(scenario, engine=self.engine, seed=self.seed)
            key = simulation_key(scenario, runs.lowered)
            if key not in self._known:
                runs.simulate(range(self.replications), self._warmups)
                self._known[key] = _outcome(runs, is_read=True)
                self.simulated += 1
        except InputError as error:
            first = error.problems[0]
            return Outcome(None, f"{first.path}: {first.message}" if first.path else first.message)
        except EesimError as error:
            return Outcome(None, str(error))
        return self._known[key]


def _outcome(runs: Replications, *, is_read: bool) -> Outcome:
    names = runs.done[0].values
    values = {name: tuple(done.values[name] for done in runs.done) for name in names}
    verdicts = judge_all(runs.scenario, combine(runs.done, runs.scenario.spec.run.confidence))
    return Outcome(values, is_read=is_read, meets=all(verdict.met for verdict in verdicts))


def evaluate_points(
    laboratory: Laboratory, points: Sequence[Point], progress: Callable[[int], None] | None = None
) -> list[Outcome]:
    """Evaluate points in order; ``progress`` is called with 1 after each."""
    outcomes = []
    for point in points:
        outcomes.append(laboratory.evaluate(point))
        if progress is not None:
            progress(1)
    return outcomes
