"""How long a genetic search with DEAP takes on the problem of EEDNN_on_HMPSoCs ``python/GA.py``.

The search has that study's operators and settings: random strings, uniform crossover, shuffled genes, tournaments of
three, `eaSimple` without elitism. Its objective is written as a user of DEAP would write it: plain Python, one string
at a time. Before anything is timed, it must agree with `eesim.explore.ga_py` on every string. The times are end to
end, from the first random string to the last population, without importing DEAP; enumeration of all 2,187 strings by
`eesim.explore.ga_py` stands beside them. DEAP is needed for this program only: ``pip install deap``.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from eesim.explore.ga_py import ga_py_exits, ga_py_fitness
from eesim.explore.ga_py_table import PES, all_orders, genes_of, shipped_table

CROSSOVER, GENE_SWAP = 0.8, 0.5
MUTATION, GENE_SHUFFLE = 0.5, 0.2
TOURNAMENT = 3

Objective = Callable[[Sequence[str]], tuple[float]]


def make_objective(deadline_ms: float) -> Objective:
    """Return GA.py's rules as a function of a list of letters; infinity where the last exit misses the deadline."""
    times_ms, counts = shipped_table()
    table = {pe: [float(time) for time in row] for pe, row in zip(PES, times_ms, strict=True)}
    frames = [int(count) for count in counts]

    def fitness(x: Sequence[str]) -> tuple[float]:
        t = [table[pe][i] for i, pe in enumerate(x)]
        e = [t[0] + t[1], t[0] + t[2] + t[3], t[0] + t[2] + t[4] + t[5], t[0] + t[2] + t[4] + t[6]]
        for k, (block, branch, beside) in enumerate(((0, 1, 2), (2, 3, 4), (4, 5, 6))):
            here, deeper = 0.0, 0.0
            if x[branch] == x[beside]:
                deeper += t[branch]
            if beside < 6 and x[branch] == x[branch + 2] and t[beside] < t[branch]:
                deeper += t[branch] - t[beside]
            if x[branch] == "B" and x[beside] == "G":
                here += 0.6 * t[branch]
            if x[branch] == "G" and x[beside] == "B":
                deeper += 0.6 * t[beside]
            if x[block] == x[branch]:
                here += 0.05
                deeper += 0.05
            e[k] += here
            for m in range(k + 1, 4):
                e[m] += deeper
        if e[3] > deadline_ms:
            return (math.inf,)
        return (sum(n * latency for n, latency in zip(frames, e, strict=True)),)

    return fitness


def enumerate_all(deadline_ms: float, rounds: int = 21) -> tuple[str, float, float]:
    """Return the best string, its fitness and the seconds (median) that looking at all of them takes."""
    times_ms, _ = shipped_table()
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        orders = all_orders()
        fitness = ga_py_fitness(orders)
        fitness[ga_py_exits(times_ms, genes_of(orders))[:, 3] > deadline_ms] = np.inf
        best = int(np.argmin(fitness))
        seconds.append(time.perf_counter() - begin)
    return orders[best], float(fitness[best]), float(np.median(seconds))


def check_equal(objective: Objective, deadline_ms: float) -> None:
    """Stop the program unless the plain objective and `eesim.explore.ga_py` agree on every string."""
    orders = all_orders()
    late = ga_py_exits(shipped_table().times_ms, genes_of(orders))[:, 3] > deadline_ms
    for order, ours, misses in zip(orders, ga_py_fitness(orders), late, strict=True):
        (plain,) = objective(order)
        if math.isinf(plain) != misses or not (misses or math.isclose(plain, ours, rel_tol=1e-12)):
            sys.exit(f"the objectives differ, nothing was timed: {order} is {plain} here and {ours} in eesim")


def make_toolbox(objective: Objective) -> Any:
    """Return DEAP's toolbox for the problem."""
    from deap import base, creator, tools

    if not hasattr(creator, "Order"):
        creator.create("Least", base.Fitness, weights=(-1.0,))
        creator.create("Order", list, fitness=creator.Least)
    toolbox = base.Toolbox()
    toolbox.register("gene", random.choice, PES)
    toolbox.register("individual", tools.initRepeat, creator.Order, toolbox.gene, n=7)
    toolbox.register("population", tools.initRepeat, list, toolbox.individual)
    toolbox.register("evaluate", objective)
    toolbox.register("mate", tools.cxUniform, indpb=GENE_SWAP)
    toolbox.register("mutate", tools.mutShuffleIndexes, indpb=GENE_SHUFFLE)
    toolbox.register("select", tools.selTournament, tournsize=TOURNAMENT)
    return toolbox


def search(toolbox: Any, seed: int, population: int, generations: int) -> dict[str, Any]:
    """Run one search; the best is that of the last population, as in GA.py, which keeps no other."""
    from deap import algorithms, tools

    clock = tools.Statistics()
    clock.register("at", lambda _: time.perf_counter())
    random.seed(seed)
    begin = time.perf_counter()
    last, book = algorithms.eaSimple(
        toolbox.population(n=population), toolbox, CROSSOVER, MUTATION, generations, stats=clock, verbose=False
    )
    seconds = time.perf_counter() - begin
    evaluations, at = sum(book.select("nevals")), book.select("at")
    (best,) = tools.selBest(last, 1)
    return {
        "seed": seed,
        "evaluations": evaluations,
        "seconds": seconds,
        "evaluations_per_second": evaluations / seconds,
        "initial_population_ms": 1000 * (at[0] - begin),
        "first_generation_ms": 1000 * (at[1] - at[0]) if generations else None,
        "best": "".join(best),
        "best_fitness": best.fitness.values[0],
    }


def show(report: dict[str, Any]) -> None:
    """Print what was measured."""
    whole = report["enumeration"]
    print(f"enumeration: {whole['best']} {whole['best_fitness']:.2f} in {1000 * whole['seconds']:.2f} ms")
    print(f"DEAP {report['versions']['deap']}, population {report['population']}, {report['generations']} generations")
    print(f"{'seed':>6}{'evaluations':>13}{'s':>8}{'per second':>12}{'first gen.':>12}  best")
    for row in report["searches"]:
        first = "" if row["first_generation_ms"] is None else f"{row['first_generation_ms']:.1f} ms"
        print(
            f"{row['seed']:6}{row['evaluations']:13,}{row['seconds']:8.3f}{row['evaluations_per_second']:12,.0f}"
            f"{first:>12}  {row['best']} {row['best_fitness']:.2f}"
        )
    rates = [row["evaluations_per_second"] for row in report["searches"]]
    found = sum(row["best"] == whole["best"] for row in report["searches"])
    print(f"median {np.median(rates):,.0f} evaluations per second; the optimum was found {found} of {len(rates)} times")
    print("  ".join(f"{name} {number}" for name, number in report["versions"].items()))


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--population", type=int, default=500)
    parser.add_argument("--generations", type=int, default=50)
    parser.add_argument("--deadline", type=float, default=40.0, help="for the last exit, ms")
    parser.add_argument("--seeds", type=int, default=5, help="searches, with seeds from 0")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    if min(args.population, args.seeds) < 1 or args.generations < 0:
        parser.error("population and seeds must be at least 1, generations at least 0")
    best, fitness, seconds = enumerate_all(args.deadline)
    if math.isinf(fitness):
        parser.error("no string meets this deadline")
    objective = make_objective(args.deadline)
    check_equal(objective, args.deadline)
    try:
        toolbox = make_toolbox(objective)
    except ModuleNotFoundError:
        print("This benchmark needs DEAP: pip install deap", file=sys.stderr)
        return 2
    report = {
        "population": args.population,
        "generations": args.generations,
        "deadline_ms": args.deadline,
        "enumeration": {"best": best, "best_fitness": fitness, "seconds": seconds},
        "searches": [search(toolbox, seed, args.population, args.generations) for seed in range(args.seeds)],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("deap", "numpy")}},
    }
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
