"""Exact layer switching on measured networks, beside the best single state, random search and a genetic algorithm.

Each network is a chain over PE and operating point per layer, with transfers and frequency changes between neighbours
(`eesim.explore.chain_tables`). For limits of 1, 1.1, 1.3 and 2 times the least time: the least energy, proven by
`eesim.explore.dp`, and by how much the others exceed it. Both searches get the same number of evaluations, and start
from all networks that stay in one state. Networks measured on an NPU are solved with and without it: the model does
not know that an NPU fuses layers, and its quantised networks are not the same as those on the other PEs.

The program fails if an optimum is not proven, or if anything is better. The genetic algorithm should come within
0.5 %, or find a path at all where the limit leaves next to no room. The tables are not part of this project.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from eesim.errors import InputError
from eesim.explore.breeding import Variation
from eesim.explore.chain import Chain
from eesim.explore.chain_search import ChainProblem, best_single, uniform_paths
from eesim.explore.chain_tables import read_chain
from eesim.explore.dp import Infeasible, front, min_energy
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.random_search import RandomSearch
from eesim.hardware.spec import Board
from eesim.spec import validate_document
from eesim.yamldoc import load_document

GRAPHS = ("alexnet", "googlenet", "mobilenet_v1", "resnet50_v1", "squeezenet_v1", "yolov3")
PERCENT = (100, 110, 130, 200)
BOARD = Path(__file__).parents[1] / "hw_models" / "rk3399pro" / "board.yaml"
GA_TARGET = 0.005
NPU = "N"

# Good paths stay where they are for many layers: children whose runs of layers move together find them.
GENETIC: dict[str, Any] = {"population": 200, "islands": 8, "variation": Variation(run_rate=0.4)}

SEARCHES: dict[str, Callable[..., Any]] = {"random": RandomSearch, "genetic": partial(GeneticAlgorithm, **GENETIC)}

T = TypeVar("T")


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """Return a result and the seconds that it took."""
    begin = time.perf_counter()
    result = function()
    return result, time.perf_counter() - begin


def searched(chain: Chain, limit_ns: int, least_nj: int, args: argparse.Namespace) -> dict[str, Any]:
    """Run the searches; return their excess over the least energy, None where no path met the limit."""
    rows: dict[str, Any] = {}
    for name, algorithm in SEARCHES.items():
        problem = ChainProblem(chain, limit_ns)
        options = {"budget": args.evaluations, "seed": args.seed, "start": uniform_paths(chain)}
        found, seconds = timed(algorithm(problem, **options).run)
        excess = round(1e6 * float(found.objectives[0, 0])) / least_nj - 1 if found.is_feasible else None
        rows[name] = {"excess": excess, "seconds": seconds, "evaluations": found.evaluations}
    return rows


def at_limit(chain: Chain, percent: int, shortest_ns: int, args: argparse.Namespace) -> dict[str, Any]:
    """Solve for one limit."""
    limit = shortest_ns * percent // 100
    found, seconds = timed(lambda: min_energy(chain, limit))
    assert not isinstance(found, Infeasible)
    single = best_single(chain, limit)
    return {
        "percent": percent,
        "limit_ms": limit / 1e6,
        "energy_mj": found.energy_nj / 1e6,
        "time_ms": found.time_ns / 1e6,
        "pes": "".join(sorted({state.pe for state in chain.labels(found.path)})),
        "switches": sum(a != b for a, b in zip(found.path, found.path[1:], strict=False)),
        "proven": found.certificate.proven,
        "seconds": seconds,
        "labels": found.certificate.work.labels,
        "single": {
            "state": None if single is None else str(single.state),
            "excess": None if single is None else single.energy_nj / found.energy_nj - 1,
        },
        **searched(chain, limit, found.energy_nj, args),
    }


def network(graph: str, without: str, board: Board, args: argparse.Namespace) -> dict[str, Any]:
    """Solve one network for all limits, and its whole front."""
    measured, reading = timed(
        lambda: read_chain(args.measurements, graph, board, campaign=args.campaign, allow=lambda s: s.pe != without)
    )
    chain = measured.chain
    whole, seconds = timed(lambda: front(chain))
    return {
        "graph": graph + (f" without {without}" if without else ""),
        "layers": chain.layers,
        "states": len(chain.states),
        "notes": measured.notes,
        "reading_seconds": reading,
        "front": {"points": len(whole.time_ns), "gap": whole.gap, "labels": whole.work.labels, "seconds": seconds},
        "limits": [at_limit(chain, percent, int(whole.time_ns[0]), args) for percent in PERCENT],
    }


def warm_up(chain: Chain) -> None:
    """Compile all kernels."""
    points = front(chain)
    min_energy(chain, int(points.time_ns[0]) + 1)


def networks(board: Board, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Solve all networks; those with an NPU also without it."""
    results = []
    for graph in args.graphs:
        chain = read_chain(args.measurements, graph, board, campaign=args.campaign).chain
        if not results:
            warm_up(chain)
        has_npu = any(state.pe == NPU for state in chain.states)
        results += [network(graph, without, board, args) for without in ("", NPU)[: 1 + has_npu]]
    return results


def failures(results: list[dict[str, Any]]) -> list[str]:
    """Say what contradicts the proofs."""
    found = []
    for result in results:
        for row in result["limits"]:
            others = [row[name]["excess"] for name in ("single", *SEARCHES)]
            if not row["proven"] or any(excess is not None and excess < 0 for excess in others):
                found.append(f"{result['graph']} at {row['percent']} %")
    return found


def percent_text(excess: float | None) -> str:
    """Write an excess in percent."""
    return "none" if excess is None else f"+{100 * excess:.2f} %"


def show(results: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print what was found."""
    console = Console(width=max(130, Console().width), highlight=False, markup=False)
    table = Table(
        "network", title=f"{args.evaluations:,} evaluations per search, seed {args.seed}", title_justify="left"
    )
    columns = (
        "limit ms",
        "least mJ",
        "time ms",
        "PEs",
        "switches",
        "labels",
        "ms",
        "one state",
        "random",
        "genetic",
        "",
    )
    for column in columns:
        table.add_column(column, justify="right")
    for result in results:
        for row in result["limits"]:
            excess = row["genetic"]["excess"]
            costs = f"{row['limit_ms']:,.1f}", f"{row['energy_mj']:,.1f}", f"{row['time_ms']:,.1f}"
            work = row["pes"], str(row["switches"]), f"{row['labels']:,}", f"{1000 * row['seconds']:.1f}"
            others = (percent_text(row[name]["excess"]) for name in ("single", *SEARCHES))
            verdict = "" if excess is not None and excess <= GA_TARGET else f"> {100 * GA_TARGET:g} %"
            table.add_row(f"{result['graph']} {row['percent'] / 100:g}x", *costs, *work, *others, verdict)
        table.add_section()
    console.print(table)
    for result in results:
        whole = result["front"]
        size = f"{result['layers']} layers x {result['states']} states"
        proof = "complete" if whole["gap"] == 0 else f"within {100 * whole['gap']:.2g} %"
        console.print(
            f"{result['graph']}: {size}; front of {whole['points']:,} points in {whole['seconds']:.2f} s, {proof}"
        )
        for note in result["notes"]:
            console.print(f"    {note}")


def main() -> int:
    """Run the benchmark; return 1 if a proof is contradicted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measurements", type=Path, required=True, metavar="DIR", help="folder of the tables")
    parser.add_argument("--campaign", default="coup")
    parser.add_argument("--graphs", nargs="+", default=list(GRAPHS), metavar="GRAPH")
    parser.add_argument("--evaluations", type=int, default=100_000, help="of each search")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    try:
        results = networks(validate_document(Board, load_document(BOARD)), args)
    except (InputError, ValueError) as error:
        parser.error(str(error))
    if args.json:
        versions = {"python": platform.python_version(), **{name: version(name) for name in ("numba", "numpy")}}
        print(json.dumps({"versions": versions, "results": results}, indent=2))
    else:
        show(results, args)
    wrong = failures(results)
    for failure in wrong:
        print(f"not the optimum: {failure}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
