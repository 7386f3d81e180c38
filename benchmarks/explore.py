"""How fast, and how good, the design-space explorer is beside DEAP and pymoo, on the same problems in one run.

(a) evaluations per second, end to end, of a genetic search on the ga_py objective, beside DEAP's search of
    `benchmarks/ga_py_deap.py`. What an evaluation is: of DEAP, a call of the objective, repeated strings included; of
    eesim, a string that the search asked the value of, repeated strings included, which its memo answers. eesim never
    computes a string twice and stops when the space is used up; new evaluations alone, and how much sooner the whole
    search ends, stand beside it. Each round gives both the same time, eesim in as many searches as that holds;
(b) seconds to prove the optimum of ga_py by looking at all 2,187 strings, beside DEAP's first generation;
(c) evaluations and seconds until NSGA-II holds 99.9 % of the exact front's hypervolume, beside pymoo's NSGA2, both on
    the same compiled objective: the simulator on three spaces, and sums along chains, which cost next to nothing, so
    that the searches' own time shows. The time is judged on the chains; on the simulator it is shown;
(d) what lowering a candidate costs in frames, and the share of wall time inside compiled calls;
(e) regret of the genetic search against the enumerated truth, at fractions of the space.

Rivals are needed for their parts only: ``pip install deap pymoo``. Exit status 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import ga_py_deap
from eesim.base import FloatArray, IntArray
from eesim.document import Document
from eesim.engine import candidate_runs as cr
from eesim.explore import evaluator as evaluator_module
from eesim.explore.additive import Additive
from eesim.explore.chain import Chain
from eesim.explore.chain import evaluate as chain_costs
from eesim.explore.dp import front as whole_front
from eesim.explore.evaluator import Evaluator
from eesim.explore.exhaustive import Exhaustive
from eesim.explore.front import hypervolume, nondominated
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.ga_py import ga_py_exits
from eesim.explore.ga_py_table import N_GENES, PES, shipped_table
from eesim.explore.nsga2 import Nsga2
from eesim.explore.outcome import Status
from eesim.explore.problem import Evaluations
from eesim.explore.space import Space, build_space
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import load
from eesim.spec import validate_document

POPULATION, GENERATIONS, DEADLINE_MS = 500, 50, 40.0
ANYWHERE = ["B", "L", "G"]
FAR_APART: dict[str, Any] = {
    "physics.transfers": False,
    "physics.contention": False,
    "stream.arrivals": {"kind": "periodic", "rate": "1 Hz"},
    "requirements": {},
}
BUSY: dict[str, Any] = {"stream.arrivals.rate": "45 Hz", "requirements": {}}
SHARE_OF_FRONT = 0.999


class Targets:
    """Prints measurements beside their targets and remembers what was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def judge(self, name: str, value: float, target: float, *, at_least: bool) -> None:
        """Print whether a value meets its target."""
        met = value >= target if at_least else value <= target
        if not met:
            self.missed.append(name)
        sign = ">=" if at_least else "<="
        print(f"    {'met   ' if met else 'MISSED'}  {name}: {value:.4g} (target {sign} {target:g})")


def spread(values: list[float], unit: str = "", scale: float = 1.0) -> str:
    scaled = [value * scale for value in values]
    return f"{statistics.median(scaled):.4g}{unit} ({min(scaled):.4g} to {max(scaled):.4g}, n = {len(scaled)})"


def problem(changes: Mapping[str, Any], explore: Mapping[str, Any], threads: int | None = None) -> Evaluator:
    scenario = load(scenario_folder() / "ee_resnet18_camera.yaml", dict(changes))
    spec = validate_document(ExploreSpec, Document.of(dict(explore)))
    return Evaluator(build_space(scenario, spec), spec, threads=threads)


def everything(space: Space) -> IntArray:
    return np.concatenate(list(space.batches(20_000)))


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


class ClosedForm:
    """The ga_py objective and its deadline as a problem; alleles are rows of the table."""

    objective_names = ("ga_py",)
    constraint_names = ("worst_latency",)

    def __init__(self, space: Space) -> None:
        assert all("".join(gene.alleles) == "".join(PES) for gene in space.genes[: space.n_segments])
        self.times_ms, self.counts = shipped_table()
        self.n_alleles = space.n_alleles

    def evaluate(self, genomes: IntArray) -> Evaluations:
        """Fitness and excess over the deadline."""
        exits = ga_py_exits(self.times_ms, genomes[:, :N_GENES])
        return Evaluations((exits @ self.counts)[:, None], np.maximum(exits[:, 3:] / DEADLINE_MS - 1, 0))

    def is_allowed(self, genomes: IntArray) -> Any:
        """All are."""
        return np.ones(len(genomes), np.bool_)


# -- (a), (b): DEAP -----------------------------------------------------------------------------------------


def against_deap(targets: Targets, rounds: int) -> None:
    """Parts (a) and (b)."""
    explore = {"segments": ANYWHERE, "objective": "ga_py", "constraints": {"worst_latency": f"{DEADLINE_MS} ms"}}
    asked = POPULATION * (GENERATIONS + 1)
    space = problem(FAR_APART, explore).space

    def search(whole: bool, seed: int) -> tuple[int, int, float]:
        """New and asked evaluations, and seconds; of the closed form alone, or also of the metrics of the design."""
        judge: Any = problem(FAR_APART, explore) if whole else ClosedForm(space)
        genetic = GeneticAlgorithm(judge, population=POPULATION, budget=asked, seed=seed)
        seconds, found = timed(genetic.run)
        return genetic.evaluations, genetic.evaluations + found.hits, seconds

    def proof(whole: bool) -> float:
        judge: Any = problem(FAR_APART, explore) if whole else ClosedForm(space)
        every = Exhaustive(judge, space, budget=space.size, seed=1)
        seconds, _ = timed(every.run)
        assert every.status is Status.EXHAUSTED
        return seconds

    for whole in (False, True):  # compiled kernels are loaded before anything is timed, as DEAP is imported before
        search(whole, 0), proof(whole)
    objective = ga_py_deap.make_objective(DEADLINE_MS)
    ga_py_deap.check_equal(objective, DEADLINE_MS)
    try:
        toolbox = ga_py_deap.make_toolbox(objective)
    except ModuleNotFoundError:
        print("(a), (b) skipped: DEAP is not installed")
        return
    deap, ours, proofs = [], {False: [], True: []}, {False: [], True: []}
    for seed in range(rounds):
        deap.append(ga_py_deap.search(toolbox, seed, POPULATION, GENERATIONS))
        for whole in ours:  # as long as DEAP's search took, so that whatever else runs meets both alike
            ours[whole].append(filled(deap[-1]["seconds"], lambda k, w=whole, s=seed: search(w, 1000 * s + k)))
            proofs[whole].append(filled(deap[-1]["seconds"] / 4, lambda _, w=whole: (proof(w),))[0])
    rate = [row["evaluations_per_second"] for row in deap]
    first = [row["first_generation_ms"] / 1000 for row in deap]
    print(f"(a) genetic search on ga_py, population {POPULATION}, {GENERATIONS} generations, end to end")
    print(f"    DEAP: {spread(rate)} calls of the objective per second")
    print("(b) proof of the optimum of all 2,187 strings")
    print(f"    DEAP, its first generation: {spread(first, ' ms', 1e3)}")
    for whole, name in ((False, "the closed form alone"), (True, "with all metrics of each design")):
        new = [row[0] / row[2] for row in ours[whole]]
        by_asked = [row[1] / row[2] for row in ours[whole]]
        mean = ours[whole][0]
        print(f"    eesim, {name}: a search ends when the space is used up")
        print(f"        {mean[0]:,.0f} designs evaluated, {mean[1]:,.0f} asked for (those from the memo included)")
        print(f"        new evaluations per second   {spread(new)}")
        print(f"        asked evaluations per second {spread(by_asked)}")
        ratios = [mine / theirs for mine, theirs in zip(by_asked, rate, strict=True)]
        fresh = [mine / theirs for mine, theirs in zip(new, rate, strict=True)]
        print(f"        ratio to DEAP, asked {spread(ratios)}; new alone {spread(fresh)}")
        sooner = [theirs["seconds"] / mine[2] for mine, theirs in zip(ours[whole], deap, strict=True)]
        print(f"        ratio of whole searches in time {spread(sooner)}")
        print(f"        proof {spread(proofs[whole], ' ms', 1e3)}")
        if not whole:
            proven = [theirs / mine for mine, theirs in zip(proofs[whole], first, strict=True)]
            targets.judge(
                "(a) asked evaluations per second, eesim / DEAP", statistics.median(ratios), 50, at_least=True
            )
            targets.judge("(b) DEAP's first generation / our proof", statistics.median(proven), 1, at_least=True)


def filled(seconds: float, work: Callable[[int], tuple[float, ...]]) -> tuple[float, ...]:
    """Repeat some work for as long; the mean of what it returns."""
    rows, begin = [work(0)], time.perf_counter()
    while time.perf_counter() - begin < seconds:
        rows.append(work(len(rows)))
    return tuple(statistics.fmean(column) for column in zip(*rows, strict=True))


# -- (c): pymoo ---------------------------------------------------------------------------------------------


class Reached(Exception):
    """A search holds enough of the front."""


class Tracker:
    """Counts evaluations and stops the clock once the front's share is reached; its own work is not timed."""

    def __init__(self, reference: FloatArray, goal: float) -> None:
        self.reference, self.goal = reference, goal
        self.front = np.empty((0, 2))
        self.evaluations = 0
        self.aside_s = 0.0
        self.best = 0.0

    def add(self, objectives: FloatArray) -> None:
        """Take in a batch; raises `Reached` at the goal."""
        begin = time.perf_counter()
        self.evaluations += len(objectives)
        pool = np.unique(np.concatenate([self.front, objectives]), axis=0)
        self.front = pool[nondominated(pool)]
        self.best = hypervolume(self.front, self.reference)
        self.aside_s += time.perf_counter() - begin
        if self.best >= self.goal:
            raise Reached


def until_reached(tracker: Tracker, work: Callable[[], Any]) -> tuple[bool, int, float]:
    begin = time.perf_counter()
    try:
        work()
        reached = False
    except Reached:
        reached = True
    return reached, tracker.evaluations, time.perf_counter() - begin - tracker.aside_s


class SimpleChain:
    """Time and energy of paths through a chain, which sums tell in well under a microsecond, with its exact front."""

    objective_names = ("time", "energy")
    constraint_names = ()

    def __init__(self, repeats: int) -> None:
        study = {
            "physics.dvfs_delay": False,
            "stream.arrivals": {"kind": "closed_loop"},
            "stream.exits": {"kind": "fixed", "exit": 4},
            "mapping.exits": ["final"],
            "requirements": {},
        }
        clocks = dict.fromkeys(("b1", "b2", "b3", "b4"), "all")
        explore = {"segments": ANYWHERE, "opp": clocks, "objective": ["mean_latency", "energy"]}
        one = next(Additive(problem(study, explore)).links()).chain
        edges = [*range(one.layers - 1), *([0, *range(one.layers - 1)] * (repeats - 1))]
        nodes = np.tile(one.time_ns, (repeats, 1)), np.tile(one.energy_nj, (repeats, 1))
        self.chain = Chain(one.states, *nodes, one.switch_time_ns[edges], one.switch_energy_nj[edges])
        self.n_alleles = np.full(self.chain.layers, len(one.states))
        exact = whole_front(self.chain)
        assert exact.gap == 0
        self.exact = np.stack([exact.time_ns, exact.energy_nj], axis=1).astype(float)

    def evaluate(self, genomes: IntArray) -> Evaluations:
        """Time, ns, and energy, nJ."""
        costs = chain_costs(self.chain, genomes)
        return Evaluations(np.stack(costs, axis=1).astype(float), np.zeros((len(genomes), 0)))

    def is_allowed(self, genomes: IntArray) -> Any:
        """All are."""
        return np.ones(len(genomes), np.bool_)


def enumerated(changes: Mapping[str, Any], explore: Mapping[str, Any]) -> tuple[Any, FloatArray, FloatArray]:
    """A problem of the simulator, its exact front by enumeration, and the worst values."""
    evaluator = problem(changes, explore)
    values = np.concatenate([evaluator.evaluate(part).objectives for part in evaluator.space.batches(20_000)])
    points = np.unique(values, axis=0)
    return evaluator, points[nondominated(points)], values.max(axis=0) * 1.01


def summed(repeats: int) -> tuple[Any, FloatArray, FloatArray]:
    """A chain, its exact front by dynamic programming, and the corner behind the front, a tenth further."""
    chain = SimpleChain(repeats)
    return chain, chain.exact, chain.exact.max(axis=0) * 1.1


REAL = {**FAR_APART, "physics.transfers": True, "physics.contention": True}
TWO = {"segments": ANYWHERE, "objective": ["mean_latency", "energy"]}
WORST = {"segments": ANYWHERE, "opp": {"B": "all", "L": "all"}, "objective": ["worst_latency", "energy"]}
FRONTS: dict[str, tuple[Callable[[], tuple[Any, FloatArray, FloatArray]], float]] = {
    "simulator, mapping and clocks": (lambda: enumerated(FAR_APART, {**TWO, "opp": {"B": "all", "G": "all"}}), 0),
    "simulator, worst latency with transfers and contention": (lambda: enumerated(REAL, WORST), 0),
    "simulator, mapping, exits and a clock": (
        lambda: enumerated(FAR_APART, {**TWO, "opp": {"B": "all"}, "exits": "any"}),
        0,
    ),
    "sums along EE-ResNet18's blocks, PE and clock each": (lambda: summed(1), 20),
    "sums along its blocks twice over (synthetic)": (lambda: summed(2), 20),
}
"""Problems with an exact front, and how much less time is asked for; of the simulator, which takes its time of both, it
is only shown."""


PYMOO_ROUNDS = 8
"""Evaluations to a share of a front vary by a factor of two or more: medians of a few runs say little."""


def against_pymoo(targets: Targets, rounds: int) -> None:
    """Part (c)."""
    for name, (make, faster) in FRONTS.items():
        on_one_front(targets, rounds, name, faster, *make())


def on_one_front(
    targets: Targets, rounds: int, name: str, wanted: float, evaluator: Any, exact: FloatArray, reference: FloatArray
) -> None:
    """Both searches on one problem."""
    size = math.prod(int(n) for n in evaluator.n_alleles)
    whole = hypervolume(exact, reference)
    print(f"(c) NSGA-II, {name}: {size:,} genomes, {len(exact)} on the exact front")
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
        from pymoo.optimize import minimize
    except ModuleNotFoundError:
        print("    skipped: pymoo is not installed")
        return
    upper = np.asarray(evaluator.n_alleles) - 1

    class Design(Problem):  # type: ignore[misc]
        def __init__(self, tracker: Tracker) -> None:
            super().__init__(n_var=len(upper), n_obj=2, xl=0, xu=upper, vtype=int)
            self.tracker = tracker

        def _evaluate(self, x: IntArray, out: dict[str, Any], *_: Any, **__: Any) -> None:
            out["F"] = evaluator.evaluate(np.asarray(x, np.int64)).objectives
            self.tracker.add(out["F"])

    class Watched:
        """The evaluator, watched."""

        def __init__(self, tracker: Tracker) -> None:
            self.tracker = tracker

        def __getattr__(self, name: str) -> Any:
            return getattr(evaluator, name)

        def evaluate(self, genomes: IntArray) -> Any:
            """Judge a batch."""
            found = evaluator.evaluate(genomes)
            self.tracker.add(found.objectives)
            return found

    budget = min(size, 60_000)
    goal = SHARE_OF_FRONT * whole
    rows: dict[str, list[tuple[float, ...]]] = {"eesim": [], "pymoo": []}

    def ours_once(seed: int) -> tuple[float, float, float]:
        mine = Tracker(reference, goal)
        return until_reached(mine, Nsga2(Watched(mine), budget=budget, seed=seed).run)  # type: ignore[arg-type]

    for seed in range(rounds):
        theirs = Tracker(reference, goal)
        operators = {
            "sampling": IntegerRandomSampling(),
            "crossover": SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            "mutation": PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        }
        algorithm = NSGA2(pop_size=100, eliminate_duplicates=True, **operators)

        def work(algorithm: Any = algorithm, tracker: Tracker = theirs, seed: int = seed) -> None:
            minimize(Design(tracker), algorithm, ("n_eval", budget), seed=seed)

        rows["pymoo"].append(until_reached(theirs, work))
        # As many of our searches as pymoo's one takes, so that whatever else runs meets both alike.
        begin, k = time.perf_counter(), 0
        while k == 0 or time.perf_counter() - begin < rows["pymoo"][-1][2]:
            rows["eesim"].append(ours_once(1000 * seed + k))
            k += 1
    spent: dict[str, tuple[float, float]] = {}
    for who, results in rows.items():
        reached = 100 * statistics.fmean(row[0] for row in results)
        print(f"    {who}: reached {100 * SHARE_OF_FRONT:g} % in {reached:g} % of the runs of {budget:,} at most")
        counts, seconds = [float(row[1]) for row in results], [row[2] for row in results]
        print(f"        evaluations {spread(counts)}, mean {statistics.fmean(counts):,.0f}")
        print(f"        seconds     {spread(seconds, ' ms', 1e3)}, mean {1e3 * statistics.fmean(seconds):.4g} ms")
        spent[who] = statistics.median(counts), statistics.median(seconds)
    fewer, faster = (theirs / mine for mine, theirs in zip(spent["eesim"], spent["pymoo"], strict=True))
    print(f"    pymoo / eesim, of the medians: evaluations {fewer:.3g}, seconds {faster:.3g}")
    ours = statistics.fmean(row[0] for row in rows["eesim"])
    targets.judge(f"(c) {name}: share of our runs that reach the front", ours, 1, at_least=True)
    targets.judge(f"(c) {name}: pymoo's evaluations / ours", fewer, 1, at_least=True)
    if wanted:
        targets.judge(f"(c) {name}: pymoo's time / ours", faster, wanted, at_least=True)
        return
    batch = np.random.default_rng(0).integers(0, upper + 1, (50, len(upper)))
    each = min(timed(lambda: evaluator.evaluate(batch))[0] for _ in range(20)) / len(batch)
    print(f"    of both, the simulator takes {1e6 * each:.3g} us per design, in batches of 50")


# -- (d): lowering, and where the time goes -----------------------------------------------------------------


def cost_of_lowering(targets: Targets, rounds: int) -> None:
    """Part (d)."""
    evaluator = problem({**BUSY, "run.frames": 2000}, {"segments": ANYWHERE, "frames": 2000}, threads=1)
    tables = evaluator.tables[0]
    genes = evaluator.columns.genes(everything(evaluator.space))
    n = len(genes.pes)
    memory = cr.make_memory(tables, evaluator.n_exits, len(evaluator.arrival))
    out = np.zeros((n, cr.EXIT0 + evaluator.n_exits))
    never = np.zeros(0, np.int64)

    def simulate(frames: int) -> float:
        exits = evaluator.exits[None, :frames].astype(np.int16)
        stream = evaluator.arrival[:frames].copy(), np.zeros(n, np.int64), exits, evaluator.bank.correct
        begin = time.perf_counter()
        cr.run_candidates(tables, *genes, *stream, 0, evaluator_module.NEVER_LATE, never, 2**40, memory, out)
        return (time.perf_counter() - begin) / n

    simulate(1)
    lowering, hundred, ratios = [], [], []
    for _ in range(rounds):
        one, many = simulate(1), simulate(101)
        lowering.append(one)
        hundred.append(many - one)
        ratios.append(one / (many - one))
    print("(d) lowering a candidate (and one frame), beside 100 frames of it")
    print(f"    lowering {spread(lowering, ' us', 1e6)}; 100 frames {spread(hundred, ' us', 1e6)}")
    targets.judge("(d) lowering / 100 frames", statistics.median(ratios), 1, at_least=False)

    shares = []
    inside = 0.0

    def watch(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal inside
            begin = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                inside += time.perf_counter() - begin

        return call

    kept = evaluator_module._run_candidates
    evaluator_module._run_candidates = watch(kept)  # type: ignore[assignment]
    try:
        for seed in range(max(rounds // 2, 2)):
            fresh = problem({**BUSY, "run.frames": 2000}, {"segments": ANYWHERE, "frames": 2000}, threads=1)
            search = GeneticAlgorithm(fresh, budget=1000, seed=seed)
            inside = 0.0
            seconds, _ = timed(search.run)
            shares.append(inside / seconds)
    finally:
        evaluator_module._run_candidates = kept
    print("    streaming exploration: 1,000 evaluations of 2,000 frames by the genetic search, one thread")
    print(f"    share of wall time in the simulation kernel {spread(shares, ' %', 100)}")
    targets.judge("(d) share in the simulation kernel", statistics.median(shares), 0.85, at_least=True)


# -- (e): regret --------------------------------------------------------------------------------------------


def regret(seeds: int) -> None:
    """Part (e)."""
    spaces = {
        "mean latency": ({"segments": ANYWHERE, "objective": "mean_latency"}, FAR_APART),
        "mean latency, clocks of two PEs, one exit": (
            {"segments": ANYWHERE, "opp": {"B": "all", "G": "all"}, "exits": ["exit1"]},
            FAR_APART,
        ),
    }
    print(f"(e) regret of the genetic search against the enumerated truth, {seeds} seeds")
    for name, (explore, changes) in spaces.items():
        evaluator = problem(changes, explore)
        space = evaluator.space
        truth = min(float(evaluator.evaluate(part).objectives.min()) for part in space.batches(20_000))
        print(f"    {name}: {space.size:,} genomes")
        for share in (0.05, 0.1, 0.2):
            budget = max(int(share * space.size), 1)
            found = [
                float(GeneticAlgorithm(evaluator, budget=budget, seed=seed).run().objectives[0, 0])
                for seed in range(seeds)
            ]
            regrets = [value / truth - 1 for value in found]
            hits = sum(value <= truth * (1 + 1e-12) for value in found)
            print(
                f"        {100 * share:4.0f} % ({budget:6,}): optimum in {hits} of {seeds}, "
                f"median regret {100 * statistics.median(regrets):.3g} %, worst {100 * max(regrets):.3g} %"
            )


def machine() -> str:
    names = []
    for name in ("numpy", "numba", "deap", "pymoo"):
        try:
            names.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            names.append(f"no {name}")
    load_now = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, load {load_now:.1f}, Python {platform.python_version()}, "
        + ", ".join(names)
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each comparison")
    parser.add_argument("--seeds", type=int, default=20, help="seeds of the regret")
    parser.add_argument("--parts", default="abcde", help="which parts, e.g. cd")
    args = parser.parse_args()
    if min(args.rounds, args.seeds) < 1:
        parser.error("rounds and seeds must be at least 1")
    print(machine())
    targets = Targets()
    if {"a", "b"} & set(args.parts):
        against_deap(targets, args.rounds)
    if "c" in args.parts:
        against_pymoo(targets, PYMOO_ROUNDS * args.rounds)
    if "d" in args.parts:
        cost_of_lowering(targets, args.rounds)
    if "e" in args.parts:
        regret(args.seeds)
    print(f"missed: {'; '.join(targets.missed)}" if targets.missed else "all targets met")
    return 1 if targets.missed else 0


if __name__ == "__main__":
    sys.exit(main())
