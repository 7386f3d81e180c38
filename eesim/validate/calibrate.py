"""Fit the terms of a board's runtimes to measured runs, and say how sure each of them is.

Switch mode first: the terms of time on frame times, then the two of energy on energies. Then pipeline mode, on periods
and latencies of a sample of runs from every order. Whole orders are drawn, split and held out, never single runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eesim.base import FloatArray
from eesim.errors import InputError, Problem
from eesim.hardware.spec import Board
from eesim.validate.fit import Linear, bootstrap, cross_validated, inseparable, linearise, solve
from eesim.validate.parameters import Parameter, parameters, with_values
from eesim.validate.parameters import Path as TermPath
from eesim.validate.pool import PredictionPool
from eesim.validate.power import PowerFit, fit_power
from eesim.validate.runs import Quantity, Run, order_groups, read_runs
from eesim.validate.suites import pools

RUNS_PER_ORDER = 3
"""Pipeline runs of each order that are fitted to."""
ROUNDS = 2
BOOTSTRAP = 100
LATENCY_WEIGHT = 0.4
"""Latency is one frame's, and noisier than the period."""
MEASURED_ALONE = ("load", "unload", "unload_fixed")
"""Copies into and out of the NPU in switch mode: the layer tables time them; frame times could not tell them apart."""
ENERGY_TERMS = ("meter_lag", "power")
POWER_TERMS = ("copy_power",)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A term and its 95 % interval, by bootstrap over orders."""

    parameter: Parameter
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted.

    Attributes
    ----------
    board
        The board with fitted terms.
    estimates
        Every term.
    train, test
        Mean absolute error in per cent by ``suite.pool.quantity``: of what was fitted to, and cross-validated over
        whole orders.
    left_out
        The same of each network in switch mode, with terms fitted to the others.
    inseparable
        Pairs of terms that the data do not tell apart, with their correlation.
    runs
        Runs fitted to, by suite.
    """

    board: Board
    estimates: tuple[Estimate, ...]
    train: Mapping[str, float]
    test: Mapping[str, float]
    left_out: Mapping[str, float]
    inseparable: tuple[tuple[str, str, float], ...]
    runs: Mapping[str, int]


@dataclass
class _State:
    """What the steps of a calibration hand on."""

    folder: Path
    board: Board
    runs: Sequence[Run]
    pool: PredictionPool
    seed: int
    say: Say
    values: dict[TermPath, float] = field(default_factory=dict)
    estimates: list[Estimate] = field(default_factory=list)
    pairs: list[tuple[str, str, float]] = field(default_factory=list)
    train: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    periods: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By run: fitted, and held out of the fit, ms."""
    left_out: dict[str, float] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)


def calibrate(folder: Path, board: Board, *, seed: int = 1, workers: int = 1, say: Say = lambda _: None) -> Calibration:
    """Fit a board to the runs of a folder.

    Parameters
    ----------
    folder
        Layer tables and runs (docs/measurements.md).
    board
        Where the fit starts; terms that it does not state are not fitted.
    seed
        Of folds, samples and bootstrap.
    workers
        Processes.
    say
        Called with a line on every step.

    Raises
    ------
    InputError
        If a table is wrong, or no run can be predicted.
    """
    runs = read_runs(folder)
    with PredictionPool(folder, board, runs, workers) as pool:
        state = _State(folder, board, runs, pool, seed, say)
        known = parameters(board)
        switch = [p for p in known if p.path[0] == "switch"]
        taken = (*ENERGY_TERMS, *MEASURED_ALONE)
        _fit(state, "switch", ("time",), [p for p in switch if p.path[-1] not in taken], rounds=1)
        _fit(state, "switch", ("energy",), [p for p in switch if p.path[-1] in ENERGY_TERMS], rounds=1)
        pipeline = [p for p in known if p.path[0] == "pipeline" and p.path[1] not in POWER_TERMS]
        _fit(state, "pipeline", ("period", "latency"), pipeline, rounds=ROUNDS)
    fitted = with_values(board, state.values)
    if state.used.get("pipeline"):
        say("power in pipeline mode")
        sample = _sample(state, "pipeline")
        power = fit_power(folder, fitted, [runs[i] for i in sample], seed)
        fitted = power.board
        state.estimates += [Estimate(*item) for item in power.parameters]
        _report_power(state, [sample[i] for i in power.rows], power)
    return Calibration(
        board=fitted,
        estimates=tuple(state.estimates),
        train=state.train,
        test=state.test,
        left_out=state.left_out,
        inseparable=tuple(state.pairs),
        runs=state.used,
    )


def _sample(state: _State, suite: str) -> list[int]:
    """Runs that are fitted to: all in switch mode, a few of each order in pipeline mode."""
    chosen = [i for i, run in enumerate(state.runs) if run.suite == suite]
    if suite == "switch":
        return chosen
    chosen = [i for i in chosen if "latency" in state.runs[i].measured]
    order = np.random.default_rng(state.seed).permutation(chosen)
    taken: dict[tuple[str, str], int] = {}
    kept = []
    for i in order.tolist():
        key = state.runs[i].graph, state.runs[i].order
        taken[key] = taken.get(key, 0) + 1
        if taken[key] <= RUNS_PER_ORDER:
            kept.append(i)
    return sorted(kept)


def _fit(
    state: _State, suite: str, quantities: tuple[Quantity, ...], terms: Sequence[Parameter], *, rounds: int
) -> None:
    if not terms:
        return
    sample = _sample(state, suite)
    known = state.pool.predict(sample, state.values)
    sample = [i for i, found in zip(sample, known, strict=True) if found.values]
    if not sample:
        raise InputError([Problem(str(state.folder), 0, "", f"no run in {suite} mode can be predicted")])
    state.used[suite] = len(sample)
    measured = np.concatenate([[state.runs[i].measured[q] for i in sample] for q in quantities])
    groups = np.tile(order_groups(state.runs[i] for i in sample), len(quantities))
    weights = np.repeat([LATENCY_WEIGHT if q == "latency" else 1.0 for q in quantities], len(sample))
    values = np.array([state.values.get(p.path, p.value) for p in terms])
    upper = np.full(len(terms), np.inf)
    state.say(f"{suite}: {len(terms)} terms on {' and '.join(quantities)} of {len(sample):,} runs")

    def model(at: FloatArray) -> FloatArray:
        moved = state.values | {p.path: float(v) for p, v in zip(terms, at, strict=True)}
        found = state.pool.predict(sample, moved)
        return np.concatenate([[prediction.values[q] for prediction in found] for q in quantities])

    for k in range(rounds):
        linear = linearise(model, values, measured, groups, weights)
        values = solve(linear, upper)
        state.say(f"{suite}: round {k + 1}, error {_mape(linear.predicted(values), measured):.2f} %")
    state.values |= {p.path: float(v) for p, v in zip(terms, values, strict=True)}
    _report(state, suite, quantities, terms, sample, linear, values, upper)


def _mape(predicted: FloatArray, measured: FloatArray) -> float:
    return float(np.abs(predicted / measured - 1).mean() * 100)


def _report(
    state: _State,
    suite: str,
    quantities: tuple[Quantity, ...],
    terms: Sequence[Parameter],
    sample: Sequence[int],
    linear: Linear,
    values: FloatArray,
    upper: FloatArray,
) -> None:
    """Intervals, held-out errors, and what the data cannot separate."""
    samples = bootstrap(linear, upper, state.seed, BOOTSTRAP)
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    rows = zip(terms, values, low, high, strict=True)
    state.estimates += [Estimate(p, float(v), float(min(a, v)), float(max(b, v))) for p, v, a, b in rows]
    state.pairs += inseparable(samples, [p.name for p in terms])
    fitted, held_out = linear.predicted(values), cross_validated(linear, upper, state.seed)
    graphs = np.array([state.runs[i].graph for i in sample])
    for k, quantity in enumerate(quantities):
        part = slice(k * len(sample), (k + 1) * len(sample))
        _score(state, f"{suite}.{{}}.{quantity}", graphs.tolist(), fitted[part], held_out[part], linear.measured[part])
        if quantity == "period":
            state.periods |= dict(zip(sample, zip(fitted[part], held_out[part], strict=True), strict=True))
    if suite == "switch":
        for graph in np.unique(graphs):
            tested = np.tile(graphs == graph, len(quantities))
            if tested.all():
                continue
            without = solve(linear.rows(np.flatnonzero(~tested)), upper)
            inside = linear.rows(np.flatnonzero(tested))
            state.left_out[f"{suite}.{graph}.{quantities[0]}"] = _mape(inside.predicted(without), inside.measured)


def _report_power(state: _State, sample: Sequence[int], power: PowerFit) -> None:
    """Errors of power, and of energy per frame: power times period, both without the run's order where held out."""
    graphs = [state.runs[i].graph for i in sample]
    measured = np.array([state.runs[i].measured["power"] for i in sample])
    _score(state, "pipeline.{}.power", graphs, power.fitted, power.held_out, measured)
    fitted, held_out = np.array([state.periods[i] for i in sample]).T
    measured = measured * np.array([state.runs[i].measured["period"] for i in sample])
    _score(state, "pipeline.{}.energy", graphs, power.fitted * fitted, power.held_out * held_out, measured)


def _score(
    state: _State, name: str, graphs: Sequence[str], fitted: FloatArray, held_out: FloatArray, measured: FloatArray
) -> None:
    for pool, names in pools(graphs).items():
        members = np.isin(graphs, names)
        state.train[name.format(pool)] = _mape(fitted[members], measured[members])
        state.test[name.format(pool)] = _mape(held_out[members], measured[members])
