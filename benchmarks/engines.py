"""How fast the compiled engine is, beside the SimPy reference and the same event loop in C.

All three simulate the same stream of the camera scenario (EE-ResNet18 mapped BGLGLGL, with contention,
transfers and cancellation), first at 30 Hz, then at 60 Hz, where queues form. Before anything is timed, their
records and counters must be equal, number by number.

Frames per second depend on the machine and on what else it does at the time. So the engines take turns in one
run, and the targets are ratios within a round: compiled to reference (what compiling is worth), compiled to
C (how near it comes to what the machine can do). `engine.c` refuses plans that it does not simulate in full.
Only `feed` is timed: not the drawing of the stream, nor the compilers, nor handing over the records. The
reference runs fewer frames, as rates are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from native import NativeEngine, compile_command, compile_library, compiler_version
from rich.console import Console
from rich.table import Table
from rich.text import Text

import eesim
from eesim.engine.compiled import CompiledEngine
from eesim.engine.protocol import Counters
from eesim.engine.reference import ReferenceEngine
from eesim.plan.plan import RECORD_COLUMNS, Draws, IntArray, Plan

TARGETS = {"reference": 150.0, "C": 0.5}
"""The compiled engine's speed as a multiple of each other's, at least."""

SCENARIO = Path(__file__).parents[1] / "scenarios" / "ee_resnet18_camera.yaml"
RATES_HZ = (30, 60)
EXIT_SHARES = (0.8222, 0.1015, 0.0294, 0.0469)
SEED = 1

Outcome = tuple[IntArray, Counters]
Makers = dict[str, Callable[[], Any]]


def camera_plan() -> Plan:
    """Lower the camera scenario."""
    return eesim.lower(eesim.load(SCENARIO)).plan


def stream(plan: Plan, frames: int, rate_hz: int) -> Draws:
    """Draw a periodic stream."""
    exits = np.random.default_rng(SEED).choice(len(EXIT_SHARES), size=frames, p=EXIT_SHARES)
    return Draws(np.arange(frames) * 10**9 // rate_hz, exits, np.zeros((0, plan.n_nodes), np.int64))


def first(draws: Draws, frames: int) -> Draws:
    """Take the first frames of a stream."""
    return draws._replace(arrival_ns=draws.arrival_ns[:frames].copy(), exit=draws.exit[:frames].copy())


def run(make: Callable[[], Any], draws: Draws) -> tuple[Outcome, float]:
    """Simulate a stream on a new engine; return what it found and its frames per second."""
    engine = make()
    begin = time.perf_counter()
    engine.feed(draws, final=True)
    seconds = time.perf_counter() - begin
    return (engine.take_records(), engine.counters()), len(draws.arrival_ns) / seconds


def difference(a: Outcome, b: Outcome) -> str | None:
    """Say what differs between two outcomes, or None."""
    if a[0].shape != b[0].shape:
        return f"{len(a[0])} and {len(b[0])} records"
    rows, columns = np.nonzero(a[0] != b[0])
    if len(rows):
        row, column = rows[0], columns[0]
        values = f"{a[0][row, column]} and {b[0][row, column]}"
        return f"{RECORD_COLUMNS[column]} of record {row} is {values}; {len(set(rows))} records differ"
    for name in Counters._fields:
        mine, other = getattr(a[1], name), getattr(b[1], name)
        if not np.array_equal(mine, other):
            return f"counter {name} is {mine} and {other}"
    return None


def check_equal(makers: Makers, draws: Draws) -> None:
    """Stop the program unless all engines find the same."""
    outcomes = {name: run(make, draws)[0] for name, make in makers.items()}
    for name, outcome in outcomes.items():
        found = difference(outcomes["compiled"], outcome)
        if found:
            sys.exit(f"compiled and {name} differ, nothing was timed: {found}")


def measure(makers: Makers, streams: dict[str, Draws], rounds: int) -> dict[str, list[float]]:
    """Time the engines in turn; return each one's frames per second in each round."""
    rates: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(rounds):
        for name, make in makers.items():
            rates[name].append(run(make, streams[name])[1])
    return rates


def spread(values: list[float]) -> dict[str, float]:
    """Return the median of ``values`` and their range."""
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}


def benchmark(makers: Makers, plan: Plan, rate_hz: int, args: argparse.Namespace) -> dict[str, Any]:
    """Check and time all engines on one stream."""
    draws = stream(plan, args.frames, rate_hz)
    fewer = first(draws, args.reference_frames)
    check_equal(makers, fewer)
    check_equal({name: make for name, make in makers.items() if name != "reference"}, draws)
    streams = {name: fewer if name == "reference" else draws for name in makers}
    rates = measure(makers, streams, args.rounds)
    ratios = {}
    for name, target in TARGETS.items():
        if name in makers:
            per_round = [a / b for a, b in zip(rates["compiled"], rates[name], strict=True)]
            ratios[name] = spread(per_round) | {
                "target": target,
                "pass": bool(np.median(per_round) >= target),
            }
    return {
        "rate_hz": rate_hz,
        "frames": {name: len(streams[name].arrival_ns) for name in makers},
        "frames_per_second": {name: spread(values) for name, values in rates.items()},
        "compiled_to": ratios,
    }


def machine(cc: list[str] | None) -> dict[str, str]:
    """Describe what the numbers depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "simpy")},
        "compiler": compiler_version(cc) if cc else "none",
        "command": " ".join(cc or ["none"]),
    }


def text(values: dict[str, Any], unit: float = 1.0) -> str:
    """Write a median and its range, with decimals if it is small."""
    numbers = [values[key] / unit for key in ("median", "min", "max")]
    digits = 2 if numbers[0] < 10 else 0
    return "{:,.{d}f} [{:,.{d}f}, {:,.{d}f}]".format(*numbers, d=digits)


def show(results: list[dict[str, Any]], about: dict[str, str], rounds: int) -> None:
    """Print what was measured."""
    console = Console(width=max(100, Console().width), highlight=False, markup=False)
    for result in results:
        title = f"{result['rate_hz']} Hz: median [min, max] of {rounds} rounds"
        table = Table("engine", title=Text(title), title_justify="left")
        for column in ("frames", "1000 frames/s", "compiled / engine", "target", "verdict"):
            table.add_column(column, justify="right")
        for name, rate in result["frames_per_second"].items():
            ratio = result["compiled_to"].get(name)
            verdict = (text(ratio), f">= {ratio['target']:g}", "PASS" if ratio["pass"] else "FAIL") if ratio else ()
            table.add_row(name, f"{result['frames'][name]:,}", text(rate, 1000), *verdict)
        console.print(table)
    for key, value in about.items():
        console.print(f"{key:9} {value}")


def main() -> int:
    """Run the benchmark; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=2_000_000, help="frames of the compiled engine and of C")
    parser.add_argument("--reference-frames", type=int, default=5_000, help="frames of the reference engine")
    parser.add_argument("--rounds", type=int, default=5, help="times that each engine is measured")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    args = parser.parse_args()
    if min(args.frames, args.reference_frames, args.rounds) < 1:
        parser.error("frames and rounds must be at least 1")
    plan, cc = camera_plan(), compile_command()
    makers: Makers = {"reference": partial(ReferenceEngine, plan), "compiled": partial(CompiledEngine, plan)}
    if cc:
        makers["C"] = partial(NativeEngine, compile_library(cc), plan)
    else:
        print("No C compiler was found: the comparison with C is left out.", file=sys.stderr)
    results = [benchmark(makers, plan, rate_hz, args) for rate_hz in RATES_HZ]
    about = machine(cc)
    if args.json:
        print(json.dumps({"machine": about, "rounds": args.rounds, "results": results}, indent=2))
    else:
        show(results, about, args.rounds)
    return 0 if all(ratio["pass"] for result in results for ratio in result["compiled_to"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
