"""Design spaces for tests: scenarios with an `explore:` section, and evaluators for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.document import Document
from eesim.explore.evaluator import Evaluator, Metrics
from eesim.explore.space import Space, build_space
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.load import Scenario, resolve
from eesim.spec import validate_document
from tests.scenarios import CAMERA, FAR_APART, camera

ANYWHERE = ["B", "L", "G"]

ISSUE = {"segments": ANYWHERE, "objective": "mean_latency", "constraints": {"worst_latency": "40 ms"}}
"""The smallest form: every segment anywhere, the mean within a worst case."""

BUSY = {
    "stream.arrivals.rate": "90 Hz",
    "run": {"frames": 300, "warmup": 30, "replications": 1, "seed": 1},
    "requirements": {},
    "board.pes.B.idle_power.value": "30 mW",
}
"""Changes to the shipped scenario after which frames meet, and every term of the energy counts."""

RICH = {
    "segments": ANYWHERE,
    "opp": {"B": "all", "G": "all"},
    "exits": "any",
    "frames_in_flight": [1, 2, "unbounded"],
    "queue_capacity": [0, 2, "unbounded"],
    "policy": ["cooperative", "sequential"],
    "frames": 300,
}
"""Everything that can vary, varies."""


class Explored(NamedTuple):
    """A space and what it is evaluated with."""

    space: Space
    spec: ExploreSpec
    evaluator: Evaluator

    def everything(self) -> IntArray:
        return self.space.at(np.arange(self.space.size))

    def at_random(self, count: int, seed: int = 0) -> IntArray:
        return self.space.at(np.random.default_rng(seed).integers(0, self.space.size, count))


def explored(scenario: Scenario, explore: Mapping[str, Any], *, threads: int = 1) -> Explored:
    spec = validate_document(ExploreSpec, Document.of(dict(explore)))
    space = build_space(scenario, spec)
    return Explored(space, spec, Evaluator(space, spec, threads=threads))


def camera_space(changes: Mapping[str, Any], explore: Mapping[str, Any], *, threads: int = 1) -> Explored:
    """The shipped scenario with changes, and a design space around it."""
    return explored(camera(changes), explore, threads=threads)


def issue_space(explore: Mapping[str, Any] = {}, **changes: Any) -> Explored:
    """The smallest form, frames far apart."""
    return camera_space({**FAR_APART, **changes}, {**ISSUE, **explore})


def scenario_of_genome(space: Space, genome: IntArray, beside: Path = CAMERA.parent) -> Scenario:
    return resolve(space.document(genome), beside)


def letters(space: Space, genome: IntArray) -> str:
    return "".join(gene.alleles[a] for gene, a in zip(space.genes[: space.n_segments], genome, strict=False))


def simulated(explored: Explored, genomes: IntArray) -> Metrics:
    """Metrics by simulating the stream, also where single frames would do."""
    evaluator, gap = explored.evaluator, explored.evaluator.gap_ns
    evaluator.gap_ns = -1
    try:
        return evaluator.metrics(genomes)
    finally:
        evaluator.gap_ns = gap
