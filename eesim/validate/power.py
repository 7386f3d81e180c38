"""The board's powers in pipeline mode: base, PEs by clock and voltage, copying threads.

A PE that computes draws ``c + k f V^2`` (switching losses, with a part that no clock changes), a thread that copies a
share of what its cluster draws when it computes. What counts is work at full speed: a task that waits for memory or for
its core draws no more for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from eesim.base import FloatArray, IntArray
from eesim.hardware.spec import Board
from eesim.plan.chain import Chain, Missing
from eesim.plan.chain_pipeline import COPY, Pipeline
from eesim.validate.fit import folds
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


class PowerFit(NamedTuple):
    """What was fitted, and how well.

    Attributes
    ----------
    board
        With the fitted powers.
    parameters
        Each with its value and its 95 % interval by bootstrap over orders.
    rows
        Indices of the runs that have a power reading and could be simulated, (n,).
    fitted, held_out
        Power of those runs by the fit, and by fits without the run's order, mW, (n,).
    """

    board: Board
    parameters: list[Fitted]
    rows: IntArray
    fitted: FloatArray
    held_out: FloatArray


class _Design(NamedTuple):
    """Loads of each run, (n, 6), ``f V^2`` of its PEs, (n, 4), and its measured power, mW, (n,)."""

    used: FloatArray
    clocks: FloatArray
    power: FloatArray

    def rows(self, chosen: IntArray) -> _Design:
        """Some of the runs."""
        return _Design(*(column[chosen] for column in self))

    def columns(self, fit: FloatArray | None) -> FloatArray:
        """What power is linear in, (n, 8): a copy draws a share of its cluster's active power, which ``fit`` tells."""
        clusters = self.clocks[:, :2]
        active = clusters if fit is None else fit[1] + fit[2:4] * clusters
        used = self.used
        parts = [np.ones(len(used)), used[:, :3].sum(axis=1), used[:, :4] * self.clocks, used[:, 4:] * active]
        return np.column_stack(parts)

    def weighted(self, fit: FloatArray | None) -> FloatArray:
        """Columns such that errors are relative."""
        return self.columns(fit) / self.power[:, None]

    def solved(self) -> tuple[FloatArray, FloatArray]:
        """Powers by least squares, none below zero, (8,); and the weighted columns that gave them."""
        fit = None
        for _ in range(ROUNDS):
            weighted = self.weighted(fit)
            fit = nnls(weighted, np.ones(len(self.power)))[0]
        assert fit is not None
        return fit, weighted

    def predicted(self, fit: FloatArray) -> FloatArray:
        """Power of the runs, mW, (n,)."""
        return np.asarray(self.columns(fit) @ fit, np.float64)


def fit_power(folder: Path, board: Board, runs: Sequence[Run], seed: int) -> PowerFit:
    """Fit the powers of a board.

    Parameters
    ----------
    folder
        Where the layer tables are.
    board
        With fitted terms of time.
    runs
        In pipeline mode; those without a power reading are left out.
    seed
        Of the bootstrap and the folds.
    """
    predictor = Predictor(folder, board)
    found, kept = [], []
    for i, run in enumerate(runs):
        if "power" not in run.measured:
            continue
        try:
            chain = predictor.chain(run)
            pipeline, plan, log = predictor.simulate_pipeline(chain)
        except Missing:
            continue
        found.append(_by_resource(chain, pipeline, loads(plan, pipeline, log)))
        kept.append(i)
    power = np.array([runs[i].measured["power"] for i in kept])
    design = _Design(np.array([used for used, _ in found]), np.array([clocks for _, clocks in found]), power)
    groups = order_groups(runs[i] for i in kept)
    fit, weighted = design.solved()
    low, high = np.percentile(_bootstrap(weighted, groups, seed), [2.5, 97.5], axis=0)
    shares: dict[TermPath, float] = {("pipeline", "copy_power", pe): float(fit[6 + i]) for i, pe in enumerate(CLUSTERS)}
    names = ["base_power", "active_fixed", *(f"{pe}.per_GHz_V2" for pe in CLOCKED), "N.active"]
    known = [Parameter(("power", name), "mW", float(fit[i])) for i, name in enumerate(names)]
    known += [Parameter(path, "", value) for path, value in shares.items()]
    held_out, fold = np.empty(len(power)), folds(groups, seed)
    for k in np.unique(fold):
        inside, outside = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        held_out[inside] = design.rows(inside).predicted(design.rows(outside).solved()[0])
    return PowerFit(
        board=with_values(_with_powers(board, fit), shares),
        parameters=[(p, p.value, float(low[i]), float(high[i])) for i, p in enumerate(known)],
        rows=np.array(kept, np.int64),
        fitted=design.predicted(fit),
        held_out=held_out,
    )


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
