"""What do measured pipeline runs say about contention? Two methods, on a folder of measurements.

Pairs: two runs of the same order and clocks, of which one thing differs: where the driver thread of the GPU (or NPU)
sits, or one PE's clock. One stage is the slowest in both, by a margin, as the simulator sees it; the ratio of the
measured periods is what the change did to that stage. Medians, and the slowdown *while* the other PE works (its load is
the share of the slowest stage's time in which it computes or copies, as simulated). "sim" is the same statistic of the
simulator's periods on the same pairs, that is, what the board's fitted terms say.

Runs: the terms of the board's pipeline runtime fitted to the periods themselves, alone or with all terms that touch B,
and the error with a term held at a value.

All intervals are 95 %, by bootstrap over whole orders: runs of one order are no independent evidence.

    python scenarios/studies/contention.py MEASUREMENTS [--margin 0.1] [--json]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError, Problem
from eesim.hardware.spec import Board
from eesim.plan.chain_pipeline import COPY
from eesim.scenario.library import find_board
from eesim.spec import validate_document
from eesim.validate.effects import Effect, median_effect, while_busy
from eesim.validate.fit import Linear, bootstrap, linearise, solve
from eesim.validate.pairs import (
    Pair,
    Witness,
    clock_pairs,
    configurations,
    host_pairs,
    ratios,
    slowest_in_both,
    witness,
)
from eesim.validate.parameters import Parameter, parameters, with_values
from eesim.validate.parameters import Path as TermPath
from eesim.validate.predict import Predictor
from eesim.validate.runs import MHZ, Run, order_groups, read_runs
from eesim.validate.term_profile import TermFit, alone, among, held
from eesim.yamldoc import load_document

BOARD = "rk3399pro"
LOADS = (0.0, 0.35, 0.6, 1.01)
MARGINS = (0.0, 0.1, 0.2, 0.35)
B_CLOCKS_MHZ = {
    "B at most at 1200 MHz": (0, 1200),
    "B at 1416 and 1608 MHz": (1416, 1608),
    "B at 1800 MHz": (1800, 1800),
}
CLEAR = 0.35
"""Margin from which the hosting PE cannot have become the bottleneck unseen."""
CLOCK_LOAD = 0.1
"""A clock must change a PE's load by so much."""
COPIES_FROM = 0.005
SAMPLE = 2
"""Runs of each order that terms are fitted to."""
SEED = 1
BOOTSTRAP = 100
ROUNDS = 3
FAR = 0.2
"""Distance from the board's value from which the simulator is linearised again."""
GA_PY = 0.6
HOSTED: TermPath = ("pipeline", "slowdowns", "B", "hosted", "G")
BY_G: TermPath = ("pipeline", "slowdowns", "B", "by", "G")
COPIES: TermPath = ("pipeline", "slowdowns", "B", "copies")
PAIR_TERMS = (HOSTED, BY_G, COPIES)


class Row(NamedTuple):
    """One set of pairs: measured effect, and what the simulator says about the same pairs."""

    name: str
    load: float
    measured: Effect
    simulated: Effect
    measured_busy: Effect | None
    simulated_busy: Effect | None


class Held(NamedTuple):
    """Errors of predicted periods with a term held, %: all runs, and those in which B is the slowest stage."""

    value: float
    others: str
    mape_pct: float
    slowest_b_pct: float


class Study:
    """Runs of a folder, what the simulator says about each, and pairs of them."""

    def __init__(self, folder: Path, margin: float) -> None:
        self.board = validate_document(Board, load_document(find_board(BOARD, Path(), Problem("", 0, "", ""))))
        self.predictor = Predictor(folder, self.board)
        self.margin = margin
        self.runs: list[Run] = configurations(read_runs(folder))
        self.seen: list[Witness | None] = [witness(self.predictor, run) for run in self.runs]
        if not any(self.seen):
            raise InputError([Problem(str(folder), 0, "", "no run in pipeline mode can be predicted")])
        self.periods = np.array([run.measured["period"] for run in self.runs])
        self.orders = order_groups(self.runs)
        self._simulated: dict[int, float] = {}

    def simulated(self, i: int) -> float:
        """Simulated period of a run, ms."""
        if i not in self._simulated:
            self._simulated[i] = self.predictor.predict(self.runs[i]).values["period"]
        return self._simulated[i]

    def hosts(self, pe: str, host: str, victim: str, margin: float | None = None) -> list[Pair]:
        """Pairs in which a PE that works has its driver thread moved to ``host``, and ``victim`` is the slowest."""
        pairs = [pair for pair in host_pairs(self.runs, pe, host) if pe in self.runs[pair.more].order]
        return slowest_in_both(pairs, self.seen, victim, self.margin if margin is None else margin)

    def clocks(self, pe: str, victim: str, host: str | None = None) -> list[Pair]:
        """Pairs in which the clock of ``pe`` changes its load; the GPU's driver thread sits on ``host``."""
        pairs = slowest_in_both(clock_pairs(self.runs, pe, self.seen, CLOCK_LOAD), self.seen, victim, self.margin)
        return [pair for pair in pairs if host in (None, dict(self.runs[pair.more].hosts)["G"])]

    def load(self, pairs: Sequence[Pair], pe: str) -> FloatArray:
        """Load of a PE in ``more``, (n,)."""
        return np.array([seen.load(pe) for pair in pairs if (seen := self.seen[pair.more])], np.float64)

    def copying(self, pairs: Sequence[Pair], pe: str) -> FloatArray:
        """Share of time in which the driver thread copies in ``more``, (n,)."""
        return np.array([seen.beside.get(pe + COPY, 0.0) for p in pairs if (seen := self.seen[p.more])], np.float64)

    def groups(self, pairs: Sequence[Pair]) -> IntArray:
        """Order of each pair, (n,)."""
        return self.orders[[pair.more for pair in pairs]]

    def row(self, name: str, pairs: Sequence[Pair], pe: str, *, busy: bool = True) -> Row | None:
        """Effects on some pairs; None without any."""
        if not pairs:
            return None
        groups, load = self.groups(pairs), self.load(pairs, pe)
        both = [np.array([self.simulated(i) for i in column]) for column in zip(*pairs, strict=True)]
        found = ratios(pairs, self.periods), both[1] / both[0]
        busy = busy and bool((load > 0).any())
        return Row(
            name,
            float(load.mean()),
            *(median_effect(ratio, groups, seed=SEED) for ratio in found),
            *(while_busy(ratio, load, groups, seed=SEED) if busy else None for ratio in found),
        )


def pair_rows(study: Study) -> list[Row]:
    """All sets of pairs, the placebo first."""
    runs = study.runs
    absent = [p for pe in "GN" for p in host_pairs(runs, pe, "B") if pe not in runs[p.more].order]
    rows = [study.row("placebo: host of a PE that is not used", [p for p in absent if study.seen[p.more]], "")]
    main = study.hosts("G", "B", "B")
    rows.append(study.row("B, G's host moved to B", main, "G"))
    load, copying = study.load(main, "G"), study.copying(main, "G")
    for low, high in pairwise(LOADS):
        inside = [p for p, at in zip(main, load, strict=True) if low <= at < high]
        rows.append(study.row(f"  load {low:g} to {min(high, 1):g}", inside, "G"))
    for name, (slow, fast) in B_CLOCKS_MHZ.items():
        inside = [p for p in main if slow <= dict(runs[p.more].pe_hz)["B"] / MHZ <= fast]
        rows.append(study.row(f"  {name}", inside, "G"))
    for name, wanted in (("no copies beside B", False), ("copies beside B", True)):
        inside = [p for p, share in zip(main, copying, strict=True) if (share >= COPIES_FROM) == wanted]
        rows.append(study.row(f"  {name}", inside, "G"))
    rows += [study.row(f"  margin {m:g}", study.hosts("G", "B", "B", m), "G") for m in MARGINS]
    rows.append(study.row("B, N's host moved to B", study.hosts("N", "B", "B"), "N"))
    for pe in "GN":
        for margin in (study.margin, CLEAR):
            name = f"L, {pe}'s host moved to L, margin {margin:g}"
            rows.append(study.row(name, study.hosts(pe, "L", "L", margin), pe))
    rows += [
        study.row("B, G busier by its clock, its host on L", study.clocks("G", "B", "L"), "G", busy=False),
        study.row("B, G busier by its clock, its host on B", study.clocks("G", "B", "B"), "G", busy=False),
        study.row("B, L busier by its clock", study.clocks("L", "B"), "L", busy=False),
        study.row("L, G busier by its clock, its host on B", study.clocks("G", "L", "B"), "G", busy=False),
        study.row("L, B busier by its clock", study.clocks("B", "L"), "B", busy=False),
        study.row("G itself, its host moved to L", (own := study.hosts("G", "L", "G")), "", busy=False),
        study.row("  its thread copies nothing", [p for p in own if not _copies(study, p, "G")], "", busy=False),
        study.row("N itself, its host moved to L", (own := study.hosts("N", "L", "N")), "", busy=False),
        study.row(
            "  its thread does not read the image", [p for p in own if not _reads(study, p, "N")], "", busy=False
        ),
    ]
    return [row for row in rows if row is not None]


def _copies(study: Study, pair: Pair, pe: str) -> bool:
    """Whether the driver thread of a PE reads the image, loads the NPU or unloads it."""
    order = study.runs[pair.more].order
    return _reads(study, pair, pe) or f"N{pe}" in order or f"{pe}N" in order


def _reads(study: Study, pair: Pair, pe: str) -> bool:
    """Whether the driver thread of a PE reads the image."""
    return study.runs[pair.more].order[0] == pe


class Terms:
    """The terms that touch stages on B, fitted to a sample of the runs that use B and G."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.terms = [p for p in parameters(study.board) if p.path[0] == "pipeline" and _touches_b(p)]
        self.sample = _sample(study)
        self.measured = study.periods[self.sample]
        self.slowest_b = np.array([study.seen[i].bottleneck == "B" for i in self.sample])  # type: ignore[union-attr]
        self.values = np.array([p.value for p in self.terms])
        self.linear = self.linearised(self.values)

    def index(self, path: TermPath) -> int:
        """Index of a term."""
        return [p.path for p in self.terms].index(path)

    def periods(self, values: FloatArray) -> FloatArray:
        """Simulated periods of the sample, ms."""
        board = with_values(self.study.board, dict(zip((p.path for p in self.terms), values.tolist(), strict=True)))
        predictor = self.study.predictor.on(board)
        return np.array([predictor.predict(self.study.runs[i]).values["period"] for i in self.sample])

    def linearised(self, values: FloatArray) -> Linear:
        """Linear model around some values."""
        groups, ones = self.study.orders[self.sample], np.ones(len(self.sample))
        return linearise(self.periods, values, self.measured, groups, ones)

    def error(self, values: FloatArray, others: str, value: float) -> Held:
        """Errors of the simulator (not of the linear model) at some values."""
        error = 100 * np.abs(self.periods(values) / self.measured - 1)
        return Held(value, others, float(error.mean()), float(error[self.slowest_b].mean()))

    def profile(self, path: TermPath, at: Sequence[float]) -> list[Held]:
        """Errors with a term held, the others where they are or refitted."""
        k, rows = self.index(path), []
        for value in at:
            moved = self.values.copy()
            moved[k] = value
            rows.append(self.error(moved, "kept", value))
            refitted = held(self.linear, k, value)
            if abs(value - self.values[k]) > FAR:
                refitted = held(self.linearised(refitted), k, value)
            rows.append(self.error(refitted, "refitted", value))
        return rows


def _touches_b(term: Parameter) -> bool:
    return term.path[1] in ("stages", "read", "slowdowns", "copies_slowed") and term.path[2] == "B"


def _sample(study: Study) -> list[int]:
    taken: dict[int, int] = {}
    kept = []
    for i in np.random.default_rng(SEED).permutation(len(study.runs)).tolist():
        order = int(study.orders[i])
        if {"B", "G"} <= set(study.runs[i].order) and study.seen[i] and taken.get(order, 0) < SAMPLE:
            taken[order] = taken.get(order, 0) + 1
            kept.append(i)
    return sorted(kept)


def fit_to_pairs(study: Study) -> dict[TermPath, TermFit]:
    """Fit the terms of what the GPU does to B to the ratios of periods, through the simulator."""
    pairs = [*study.hosts("G", "B", "B"), *study.clocks("G", "B", "L"), *study.clocks("G", "B", "B")]
    known = {p.path: p.value for p in parameters(study.board)}
    values = np.array([known[path] for path in PAIR_TERMS])
    upper = np.full(len(values), np.inf)
    groups, ones = study.groups(pairs), np.ones(len(pairs))
    for _ in range(ROUNDS):
        linear = linearise(_ratio_model(study, pairs), values, ratios(pairs, study.periods), groups, ones)
        values = solve(linear, upper)
    low, high = np.percentile(bootstrap(linear, upper, SEED, BOOTSTRAP), [2.5, 97.5], axis=0)
    return {path: TermFit(*map(float, found)) for path, *found in zip(PAIR_TERMS, values, low, high, strict=True)}


def _ratio_model(study: Study, pairs: Sequence[Pair]) -> Callable[[FloatArray], FloatArray]:
    used = sorted({i for pair in pairs for i in pair})

    def model(at: FloatArray) -> FloatArray:
        board = with_values(study.board, dict(zip(PAIR_TERMS, at.tolist(), strict=True)))
        predictor = study.predictor.on(board)
        periods = {i: predictor.predict(study.runs[i]).values["period"] for i in used}
        return np.array([periods[p.more] / periods[p.less] for p in pairs])

    return model


def study_of(folder: Path, margin: float) -> dict[str, Any]:
    """Everything, as plain data."""
    study = Study(folder, margin)
    rows, from_pairs, fitted = pair_rows(study), fit_to_pairs(study), Terms(study)
    board = {p.path: p.value for p in parameters(study.board)}
    terms = {
        ".".join(path[1:]): {  # type: ignore[arg-type]
            "board": board[path],
            "runs_alone": alone(fitted.linear, fitted.index(path), SEED, BOOTSTRAP)._asdict(),
            "runs_refitted": among(fitted.linear, fitted.index(path), SEED, BOOTSTRAP)._asdict(),
            "pairs": from_pairs[path]._asdict(),
        }
        for path in PAIR_TERMS
    }
    at = (0.0, from_pairs[HOSTED].value, board[HOSTED], GA_PY)
    return {
        "runs": len(study.runs),
        "fitted_runs": len(fitted.sample),
        "fitted_orders": len(set(study.orders[fitted.sample].tolist())),
        "margin": margin,
        "pairs": [_plain(row) for row in rows],
        "terms": terms,
        "hosted_held": [row._asdict() for row in fitted.profile(HOSTED, at)],
    }


def _plain(row: Row) -> dict[str, Any]:
    data = row._asdict()
    return {key: value._asdict() if isinstance(value, Effect) else value for key, value in data.items()}


def _pct(effect: dict[str, float] | None) -> str:
    if effect is None:
        return ""
    value, low, high = (100 * effect[key] for key in ("value", "low", "high"))
    # One digit is finer than any of the intervals.
    interval = "" if math.isnan(low) else f" [{low:.1f}, {high:.1f}]"
    return f"{value:.1f}{interval}".replace("-0.0", "0.0")


def table(found: dict[str, Any]) -> list[str]:
    """Lines that say it to people."""
    lines = [
        f"{found['runs']} configurations; slowest stage by {100 * found['margin']:g} %; all effects in %",
        "",
        "| slowest stage and change | pairs, orders | load | measured | sim | while busy, measured | sim |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["pairs"]:
        size = f"{row['measured']['pairs']}, {row['measured']['orders']}"
        effects = [_pct(row[key]) for key in ("measured", "simulated", "measured_busy", "simulated_busy")]
        lines.append(f"| {row['name']} | {size} | {row['load']:.2f} | {' | '.join(effects)} |")
    lines += ["", f"fitted to {found['fitted_runs']} runs of {found['fitted_orders']} orders; %, while busy", ""]
    lines += ["| term | board | runs, alone | runs, refitted | pairs |", "|---|---|---|---|---|"]
    for name, term in found["terms"].items():
        fits = [_pct(term[key]) for key in ("runs_alone", "runs_refitted", "pairs")]
        lines.append(f"| {name} | {100 * term['board']:.1f} | {' | '.join(fits)} |")
    lines += ["", "| B longer by, while G computes hosted there | others | error, % | where B is slowest, % |"]
    lines.append("|---|---|---|---|")
    for row in found["hosted_held"]:
        errors = f"{row['mape_pct']:.2f} | {row['slowest_b_pct']:.2f}"
        lines.append(f"| {100 * row['value']:.1f} % | {row['others']} | {errors} |")
    return lines


def _finite(item: Any) -> Any:
    """The same with None where there is no interval: JSON knows no NaN."""
    if isinstance(item, dict):
        return {key: _finite(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_finite(value) for value in item]
    return None if isinstance(item, float) and math.isnan(item) else item


def main(arguments: Sequence[str] | None = None) -> int:
    """Print tables, or everything as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("measurements", type=Path, help="folder of layer tables and runs")
    parser.add_argument("--margin", type=float, default=0.1, help="of the slowest stage (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        found = study_of(options.measurements, options.margin)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(_finite(found), indent=1) if options.json else "\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
