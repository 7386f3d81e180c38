"""Evaluate candidates that the compiled lowering does not know: `eesim.run` itself, one design after the other.

Slower by the time that a design takes to be lowered, but the same frames, the same warm-up and the same metrics: which
road a design took makes no difference to what is said of it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import candidate_runs as cr
from eesim.errors import SimulationDeadlock
from eesim.evaluate import run
from eesim.explore.space import Space
from eesim.scenario.checks import unprofiled, unroutable
from eesim.scenario.load import Scenario
from eesim.scenario.requirements import Requirements


class GeneralRoad:
    """Metrics of genomes by the one evaluator.

    Parameters
    ----------
    space
        What varies.
    requirements
        Constraints; their deadline decides what a miss is.
    frames, warm
        Frames that each design is simulated on, and how many of them are not measured.
    seed
        Of the frames.
    threads
        Threads to use; results do not depend on it.
    """

    def __init__(
        self, space: Space, requirements: Requirements, *, frames: int, warm: int, seed: int, threads: int
    ) -> None:
        self._space, self._requirements = space, requirements
        self._run = {"frames": frames, "warmup": warm or "none", "replications": 1}
        self._seed, self._threads = seed, threads

    def scenario(self, genome: IntArray) -> Scenario | None:
        """Return a design as a scenario; None if a segment cannot run where it is mapped, or a tensor has no route."""
        scenario = self._space.scenario_of(genome)
        board, network, mapping = scenario.board, scenario.network, scenario.mapping
        written = scenario.document, scenario.spec.mapping, board, network, scenario.profile, mapping
        if unprofiled(*written):
            return None
        if scenario.spec.physics.transfers and unroutable(scenario.document, board, network, mapping):
            return None
        run_ = scenario.spec.run.model_copy(update=self._run)
        return replace(
            scenario, spec=scenario.spec.model_copy(update={"run": run_, "requirements": self._requirements})
        )

    def metrics(self, genomes: IntArray, names: tuple[str, ...]) -> dict[str, FloatArray]:
        """Return metrics by their flat names, and ``status``, (n,) each; nan where there is no value."""
        with ThreadPoolExecutor(self._threads) as pool:
            rows = list(pool.map(lambda genome: self._measure(genome, names), genomes))
        values = np.array(rows, np.float64).reshape(len(genomes), len(names) + 1)
        return dict(zip((*names, "status"), values.T, strict=True))

    def _measure(self, genome: IntArray, names: tuple[str, ...]) -> list[float]:
        nothing = [float("nan")] * len(names)
        scenario = self.scenario(genome)
        if scenario is None:
            return [*nothing, cr.INVALID]
        try:
            estimates = run(scenario, seed=self._seed, keep_frames=True).estimates
        except SimulationDeadlock:
            return [*nothing, cr.DEADLOCKED]
        known = (estimates[name].value if name in estimates else None for name in names)
        return [*(float("nan") if value is None else float(value) for value in known), cr.SIMULATED]
