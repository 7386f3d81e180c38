"""Explore a scenario's design space: choose the algorithm, run it (again), certify, confirm."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eesim.document import Document
from eesim.errors import InputError
from eesim.evaluate import run, trace_digests
from eesim.explore.additive import why_not
from eesim.explore.branch_and_bound import BOUNDED, BranchAndBound, why_unbounded
from eesim.explore.certificate import Certificate, certify
from eesim.explore.disagreement import Disagreement, disagreement
from eesim.explore.dynamic_programming import DynamicProgramming, why_not_dp
from eesim.explore.evaluator import Evaluator
from eesim.explore.exhaustive import Exhaustive
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.journal import forget, load_state, save_state
from eesim.explore.nsga2 import Nsga2
from eesim.explore.objectives import OBJECTIVES, constraints_of
from eesim.explore.outcome import Found, Progress, Status
from eesim.explore.random_search import RandomSearch
from eesim.explore.search import Search
from eesim.explore.space import Space, build_space
from eesim.metrics.result import Result
from eesim.provenance import digest, provenance
from eesim.scenario.explore import AlgorithmName, ExploreSpec
from eesim.scenario.load import Scenario, resolve

ENUMERABLE = 250_000
"""Spaces up to this size are enumerated by ``auto``."""

ENUMERABLE_ONE_BY_ONE = 5_000
"""The same where each design has to be lowered on its own."""

FEW = 1_000
"""Spaces of chains up to this size are enumerated all the same."""

SAVE_EVERY_S = 1.0
"""Seconds between two states on disk."""

CONFIRM_REFERENCE_FRAMES = 500

COUNTS = ("simulated", "by_single_frames", "by_general_road")
"""How many designs took each road."""


@dataclass(frozen=True)
class Exploration:
    """What an exploration found, and how sure that is.

    Attributes
    ----------
    space, evaluator
        What was searched, and with what.
    algorithm, why
        The algorithm, and why ``auto`` chose it.
    found, certificate
        The best genome or front, and what is shown about it.
    search
        The search itself: its memo holds everything that was evaluated.
    confirmation
        The best candidate, simulated again with fresh seeds; None if nothing is feasible.
    engines_agree
        Whether the reference engine gives the best candidate the same metrics to the bit.
    wall_s
        Seconds that the search took, over all resumptions.
    """

    space: Space
    evaluator: Evaluator
    algorithm: str
    why: str
    found: Found
    certificate: Certificate
    search: Search
    confirmation: Result | None
    engines_agree: bool | None
    wall_s: float
    provenance: dict[str, Any]

    @property
    def best_document(self) -> Document:
        """The scenario of the best candidate (or the nearest to feasible)."""
        return self.space.document(self.found.genomes[0])

    @property
    def rejected(self) -> dict[str, int]:
        """How many evaluated genomes break each constraint."""
        broken = (self.search.memo.visited.violations > 0).sum(axis=0)
        return {name: int(count) for name, count in zip(self.evaluator.constraint_names, broken, strict=True)}

    @property
    def hypervolume(self) -> dict[str, Any] | None:
        """Hypervolume of the front, and its reference point: the worst values of the first step."""
        reference = self.search.archive.reference
        if reference is None:
            return None
        names = self.evaluator.objective_names
        worst = {name: OBJECTIVES[name][1] * float(x) for name, x in zip(names, reference, strict=True)}
        return {"value": self.search.archive.hypervolume, "reference": worst}

    def describe(self, row: int = 0) -> dict[str, Any]:
        """Return one of the found genomes as plain data: mapping, choices, objectives, violations."""
        genome = self.found.genomes[row]
        changes = {".".join(path): value for path, value in self.space.changes(genome).items()}
        values = self.found.objectives[row]
        signs = [OBJECTIVES[name][1] for name in self.evaluator.objective_names]
        excess = zip(self.evaluator.constraint_names, self.found.violations[row], strict=True)
        return {
            "mapping": changes["mapping.segments"],
            "changes": changes,
            **{
                name: _number(sign * value)
                for name, sign, value in zip(self.evaluator.objective_names, signs, values, strict=True)
            },
            "violations": {name: float(value) for name, value in excess if value > 0},
        }

    def disagreement(self) -> Disagreement | None:
        """Where GA.py's rules and the simulator part for the best design, if it was sought by those rules."""
        if "ga_py" not in self.evaluator.objective_names or not len(self.found.genomes):
            return None
        return disagreement(str(self.describe()["mapping"]))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that ``eesim explore --json`` prints."""
        parting = self.disagreement()
        return {
            "best": self.describe(),
            "feasible": self.found.is_feasible,
            "front": [self.describe(row) for row in range(len(self.found.genomes))],
            "hypervolume": self.hypervolume,
            "certificate": self.certificate.as_dict(),
            "algorithm": self.algorithm,
            "why": self.why,
            "rejected": self.rejected,
            "evaluations": self.search.evaluations,
            "by_single_frames": self.evaluator.by_single_frames,
            "simulated": self.evaluator.simulated,
            "by_general_road": self.evaluator.by_general_road,
            "confirmation": None if self.confirmation is None else _summary(self.confirmation),
            "engines_agree": self.engines_agree,
            **({} if parting is None else {"disagreement": parting.to_dict()}),
            "wall_s": round(self.wall_s, 3),
            "provenance": self.provenance,
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _summary(result: Result) -> dict[str, Any]:
    keys = ("latency_ms", "throughput_fps", "deadline_miss_rate", "drop_rate", "energy_mj_per_frame", "requirements")
    data = result.to_dict()
    return {**{key: data[key] for key in keys}, "seed": result.seed, "frames": data["frames"]}


def choose(spec: ExploreSpec, evaluator: Evaluator, wanted: AlgorithmName | None) -> tuple[str, str]:
    """Return the algorithm and why."""
    asked, space = wanted or spec.algorithm, evaluator.space
    if asked != "auto":
        return asked, "asked for"
    single = len(spec.objectives) == 1
    additive = not (why_not(space) or why_not_dp(evaluator))
    if space.size <= (ENUMERABLE if not additive else FEW):
        return "exhaustive", f"the space of {space.size:,} can be enumerated"
    if additive and _fits_dp(evaluator):
        return "dp", "one frame at a time through a chain: time and energy add up, so the best path is found exactly"
    if space.size <= (ENUMERABLE_ONE_BY_ONE if evaluator.general_reasons or any(space.own_clocks) else ENUMERABLE):
        return "exhaustive", f"the space of {space.size:,} can be enumerated"
    if not single:
        return "nsga2", f"{len(spec.objectives)} objectives over {space.size:,} genomes"
    if spec.objectives[0] in BOUNDED and not why_unbounded(evaluator):
        return (
            "branch-and-bound",
            f"{spec.objectives[0]} has a bound, and {space.size:,} genomes are too many to enumerate",
        )
    return "ga", f"{space.size:,} genomes are too many to enumerate, and {spec.objectives[0]} has no bound"


def _fits_dp(evaluator: Evaluator) -> bool:
    """Whether dynamic programming takes the question."""
    try:
        DynamicProgramming(evaluator, budget=1, seed=0)
    except ValueError:
        return False
    return True


def _make(name: str, spec: ExploreSpec, space: Space, evaluator: Evaluator, budget: int) -> Search:
    own = space.genome_of(space.scenario)
    start = None if own is None or not space.is_allowed(own[None]).all() else own[None]
    options: dict[str, Any] = {"budget": budget, "seed": spec.seed, "start": start, "memo": None, "reference": None}
    if name == "exhaustive":
        return Exhaustive(evaluator, space, **options)
    if name == "branch-and-bound":
        return BranchAndBound(evaluator, **options)
    if name == "dp":
        return DynamicProgramming(evaluator, **options)
    if name == "ga":
        return GeneticAlgorithm(evaluator, **options)
    if name == "nsga2":
        return Nsga2(evaluator, **options)
    return RandomSearch(evaluator, **options)


def explore(
    scenario: Scenario,
    *,
    algorithm: AlgorithmName | None = None,
    evaluations: int | None = None,
    folder: Path | None = None,
    resume: bool = False,
    threads: int | None = None,
    confirm: bool = True,
    progress: Callable[[Space, Search, Progress], None] | None = None,
) -> Exploration:
    """Search the design space that a scenario's ``explore:`` section declares.

    Parameters
    ----------
    scenario
        What to explore.
    algorithm, evaluations
        Instead of the scenario's; without a budget of its own, an exhaustive search visits the whole space.
    folder
        Where the state is kept while the search runs.
    resume
        Go on from the state in ``folder``, if there is one: the result is that of a search that was never interrupted.
    threads
        Threads to use; results do not depend on it.
    confirm
        Simulate the best candidate again with fresh seeds, and in the reference engine.
    progress
        Called after every step.

    Raises
    ------
    InputError
        If the scenario has no design space, or one that makes no sense.
    """
    spec = scenario.spec.explore
    if spec is None:
        raise InputError([scenario.document.problem(("explore",), "missing: what may vary, and what is wanted?")])
    space = build_space(scenario, spec)
    try:
        evaluator = Evaluator(space, spec, threads=threads)
        name, why = choose(spec, evaluator, algorithm)
        budget = evaluations or (space.size if name == "exhaustive" else spec.evaluations)
        search = _make(name, spec, space, evaluator, budget)
    except ValueError as error:
        raise InputError([scenario.document.problem(("explore",), str(error))]) from None
    files = trace_digests(scenario)
    identity = digest({**scenario.documents, **files, "algorithm": name, "budget": budget})
    before_s = _restore(search, evaluator, folder, identity) if folder is not None and resume else 0.0
    wall_s = before_s + _drive(search, evaluator, space, folder, identity, before_s, progress)
    found = search.found()
    confirmation, agree = (None, None)
    if confirm and found.is_feasible:
        confirmation, agree = _confirm(space, found, spec)
    if folder is not None:
        forget(folder)
    traces = provenance(scenario.documents, scenario.files, files, seed=spec.seed, replications=1)
    certificate = certify(search, found, space.size)
    return Exploration(
        space, evaluator, name, why, found, certificate, search, confirmation, agree, wall_s, traces
    )  # fmt: skip


def _restore(search: Search, evaluator: Evaluator, folder: Path, identity: str) -> float:
    state = load_state(folder, identity)
    if state is None:
        return 0.0
    search.restore(state)
    for name in COUNTS:
        setattr(evaluator, name, int(state[name]))
    return float(state["wall_s"])


def _drive(
    search: Search,
    evaluator: Evaluator,
    space: Space,
    folder: Path | None,
    identity: str,
    before_s: float,
    progress: Callable[[Space, Search, Progress], None] | None,
) -> float:
    begin = saved = time.monotonic()
    while search.status is Status.RUNNING or not search.history:
        step = search.step()
        if progress is not None:
            progress(space, search, step)
        now = time.monotonic()
        if folder is not None and now - saved > SAVE_EVERY_S:
            counts = {name: getattr(evaluator, name) for name in COUNTS}
            save_state(folder, identity, {**search.state(), **counts, "wall_s": before_s + now - begin})
            saved = time.monotonic()
    return time.monotonic() - begin


def _confirm(space: Space, found: Found, spec: ExploreSpec) -> tuple[Result, bool]:
    """Simulate the best candidate with seeds that the search has not seen, and in both engines."""
    beside = Path(space.scenario.document.source).parent
    scenario = resolve(space.document(found.genomes[0]), beside)
    longer = replace(
        scenario,
        spec=scenario.spec.model_copy(update={"requirements": constraints_of(spec, scenario.spec.requirements)}),
    )
    seed = spec.seed + 1_000_003
    short = replace(
        longer,
        spec=longer.spec.model_copy(
            update={
                "run": longer.spec.run.model_copy(update={"frames": min(scenario.n_frames, CONFIRM_REFERENCE_FRAMES)})
            }
        ),
    )
    compiled = run(short, replications=1, seed=seed)
    reference = run(short, engine="reference", replications=1, seed=seed)
    return run(longer, seed=seed), compiled.estimates == reference.estimates
