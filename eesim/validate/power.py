"""The board's powers in pipeline mode: base, PEs by clock and voltage, copying threads.

A PE that computes draws ``c + k f V^2`` (switching losses, with a part that no clock changes), a thread that copies a
share of what its cluster draws when it computes. What counts is work at full speed: a task that waits for memory or for
its core draws no more for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from eesim.base import FloatArray
from eesim.hardware.spec import Board
from eesim.plan.chain import Chain, Missing
from eesim.plan.chain_pipeline import COPY, Pipeline
from eesim.validate.harness import loads
from eesim.validate.parameters import Parameter, with_values
from eesim.validate.parameters import Path as TermPath
from eesim.validate.predict import Predictor
from eesim.validate.runs import Run, order_groups

CLUSTERS = ("B", "L")
CLOCKED = ("B", "L", "G")
BOOTSTRAP = 100
ROUNDS = 2

Fitted = tuple[Parameter, float, float, float]


def fit_power(folder: Path, board: Board, runs: Sequence[Run], seed: int) -> tuple[Board, list[Fitted]]:
    """Fit the powers of a board; return it, and each parameter with its 95 % interval by bootstrap over orders.

    Parameters
    ----------
    folder
        Where the layer tables are.
    board
        With fitted terms of time.
    runs
        In pipeline mode; those without a power reading are left out.
    seed
        Of the bootstrap.
    """
    predictor = Predictor(folder, board)
    rows, measured, kept = [], [], []
    for run in runs:
        if "power" not in run.measured:
            continue
        try:
            chain = predictor.chain(run)
            pipeline, plan, log = predictor.simulate_pipeline(chain)
        except Missing:
            continue
        rows.append(_by_resource(chain, pipeline, loads(plan, pipeline, log)))
        measured.append(run.measured["power"])
        kept.append(run)
    power, groups = np.array(measured), order_groups(kept)
    used, clocks = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    copy_factor = clocks[:, :2].copy()
    for _ in range(ROUNDS):
        design = np.column_stack(
            [np.ones(len(power)), used[:, :3].sum(axis=1), used[:, :4] * clocks, used[:, 4:] * copy_factor]
        )
        weighted = design / power[:, None]
        fit, _ = nnls(weighted, np.ones(len(power)))
        # A copy draws a share of the cluster's active power: that column follows from the fit.
        copy_factor = fit[1] + fit[2:4] * clocks[:, :2]
    samples = _bootstrap(weighted, groups, seed)
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    names = ["base_power", "active_fixed", *(f"{pe}.per_GHz_V2" for pe in CLOCKED), "N.active"]
    found = [
        (Parameter(("power", name), "mW", fit[i]), float(fit[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(names)
    ]
    shares: dict[TermPath, float] = {("pipeline", "copy_power", pe): float(fit[6 + i]) for i, pe in enumerate(CLUSTERS)}
    found += [
        (Parameter(path, "", value), value, float(low[6 + i]), float(high[6 + i]))
        for i, (path, value) in enumerate(shares.items())
    ]
    return with_values(_with_powers(board, fit), shares), found


def _bootstrap(weighted: FloatArray, groups: np.ndarray, seed: int) -> FloatArray:
    names, index = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), BOOTSTRAP)
    roots = [np.sqrt(counts[index]) for counts in drawn]
    return np.array([nnls(weighted * root[:, None], root)[0] for root in roots])


def _by_resource(chain: Chain, pipeline: Pipeline, load: FloatArray) -> tuple[list[float], list[float]]:
    """Load of B, L, G, N and of copies on B and L; and ``f V^2`` (GHz V^2) of B, L, G, and 1 for N."""
    used = dict.fromkeys([*CLOCKED, "N", *(pe + COPY for pe in CLUSTERS)], 0.0)
    for task, share in zip(pipeline.tasks, load, strict=True):
        pe = task.pe.removesuffix(COPY)
        place = task.pe if "layers" in task.terms_ns else chain.hosts.get(pe, pe) + COPY
        used[place] += float(share)
    return list(used.values()), [*(_f_v2(chain, pe) for pe in CLOCKED), 1.0]


def _f_v2(chain: Chain, pe: str) -> float:
    table = chain.board.pes[pe].opps.table
    return next((_switching(opp.frequency, opp.voltage) for opp in table if opp.frequency == chain.pe_hz[pe]), 0.0)


def _switching(frequency_hz: int, voltage_uv: int | None) -> float:
    return frequency_hz / 1e9 * ((voltage_uv or 0) / 1e6) ** 2


def _with_powers(board: Board, fit: FloatArray) -> Board:
    """The board with fitted powers of its pipeline runtime, mW of ``fit`` in uW."""
    runtime = board.runtimes.pipeline
    assert runtime is not None, "its runs were simulated"
    powers: dict[str, tuple[int, ...]] = {
        pe: tuple(
            round((fit[1] + k * _switching(opp.frequency, opp.voltage)) * 1e3) for opp in board.pes[pe].opps.table
        )
        for pe, k in zip(CLOCKED, fit[2:5], strict=True)
    }
    powers["N"] = (round(fit[5] * 1e3),) * len(board.pes["N"].opps.table)
    fitted = runtime.model_copy(update={"base_power": round(fit[0] * 1e3), "active_power": powers})
    return board.model_copy(update={"runtimes": board.runtimes.model_copy(update={"pipeline": fitted})})
