"""Loss of a finite queue: the simulator, the exact solution, and CEED's formula of two moments, side by side.

One server, Poisson arrivals, a queue that drops what finds it full. For each service law, queue and load: the simulated
share of dropped frames, and by how much the formula (`eesim.metrics.queueing.loss_ratio`) is off the exact solution of
M/G/1/K (`exact_loss_ratio`). The program fails if an exact loss lies outside of the simulation's 99.9 % interval (seeds
are fixed: it is the same every time). With ``--write`` the table goes into docs/tiers.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy import stats

import eesim
from eesim.base import FloatArray
from eesim.metrics.queueing import during_deterministic, during_lognormal, exact_loss_ratio, loss_ratio

PAGE = Path(__file__).parents[1] / "docs" / "tiers.md"
BEGIN, END = "<!-- loss:begin -->", "<!-- loss:end -->"

LOADS = (0.5, 0.8, 1.0, 1.3)
QUEUES = (4, 10)
SERVICES: dict[str, float | None] = {
    "exponential": None,
    "deterministic": 0.0,
    "lognormal, cv 0.25": 0.25,
    "lognormal, cv 1": 1.0,
    "lognormal, cv 2": 2.0,
}
"""Coefficient of variation of lognormal service; None for exponential service."""

FILES: dict[str, dict[str, Any]] = {
    "job.yaml": {
        "eesim": 1,
        "name": "job",
        "origin": {"kind": "assumed"},
        "input": "0 B",
        "segments": [{"name": "all", "exit": "final", "output": "0 B"}],
    },
    "job_profile.yaml": {
        "eesim": 1,
        "network": "job",
        "origin": {"kind": "assumed"},
        "clocks": {"at": {"worker": "1 GHz"}, "origin": {"kind": "assumed"}},
        "times": {"all": {"worker": "1 ms"}},
    },
}
SCENARIO: dict[str, Any] = {
    "eesim": 1,
    "board": "tiers",
    "network": "job",
    "profile": "job_profile.yaml",
    "mapping": {"segments": ["worker"]},
    "run": {"warmup": 2000, "replications": 20, "confidence": 0.95},
}


class Case(NamedTuple):
    """Losses at one load; ``low`` and ``high`` are the ends of the simulation's interval."""

    simulated: float
    low: float
    high: float
    exact: float
    formula: float


def simulate(folder: Path, load: float, queue: int, cv: float | None, frames: int) -> Any:
    """Share of frames that are dropped, with its interval."""
    noise: dict[str, Any] | None = {"kind": "exponential"}
    if cv is not None:
        noise = {"kind": "lognormal", "cv": cv} if cv else None
    stream = {
        "arrivals": {"kind": "poisson", "rate": f"{1000 * load} Hz"},
        "exits": {"kind": "fixed", "exit": 1},
        "noise": noise,
    }
    changes = {
        "stream": stream,
        "policy": {"frames_in_flight": 1, "queue": {"capacity": queue, "full": "drop_newest"}},
        "run": SCENARIO["run"] | {"frames": frames},
    }
    return eesim.run(eesim.load(SCENARIO | changes, folder=folder), keep_frames=False).estimates["drop_rate"]


def case(folder: Path, load: float, queue: int, cv: float | None, frames: int) -> Case:
    """Simulate, and compute what should come out."""
    capacity = queue + 1
    scv = 1.0 if cv is None else cv * cv
    formula = loss_ratio(load, capacity, scv)
    if cv is None:
        exact = formula
    else:
        during: FloatArray = during_lognormal(load, cv, capacity) if cv else during_deterministic(load, capacity)
        exact = exact_loss_ratio(load, capacity, during)
    found = simulate(folder, load, queue, cv, frames)
    wider = np.divide(*stats.t.ppf((0.9995, 0.975), SCENARIO["run"]["replications"] - 1))
    if abs(exact - found.value) > wider * (found.ci_high - found.ci_low) / 2:
        raise SystemExit(f"load {load}, queue {queue}, cv {cv}: simulated {found}, exact {exact}")
    return Case(found.value, found.ci_low, found.ci_high, exact, formula)


def cell(found: Case) -> str:
    """Simulated loss in per cent with its interval, and the formula's error."""
    half = (found.high - found.low) / 2
    error = 100 * (found.formula / found.exact - 1)
    told = "exact" if abs(error) < 1e-6 else f"{error:+.1f} %"
    digits = 2 if 100 * found.simulated >= 1 else 3 if 100 * found.simulated >= 0.01 else 5
    return f"{100 * found.simulated:.{digits}f} ± {100 * half:.{digits}f} ({told})"


def table(frames: int) -> list[str]:
    """Rows of the table, Markdown."""
    rows = [
        "| service | places in the queue | " + " | ".join(f"load {load:g}" for load in LOADS) + " |",
        "|---|---|" + "---|" * len(LOADS),
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in FILES.items():
            (folder / file).write_text(yaml.safe_dump(data), encoding="utf-8")
        for service, cv in SERVICES.items():
            for queue in QUEUES:
                cells = [cell(case(folder, load, queue, cv, frames)) for load in LOADS]
                rows.append(f"| {service} | {queue} | {' | '.join(cells)} |")
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200_000, help="frames of each of 20 replications")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args(arguments)
    text = "\n".join(table(options.frames))
    print(text)
    if options.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
