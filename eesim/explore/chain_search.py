"""What exact layer switching is compared with: one state for all layers, and searches over all assignments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.explore.chain import NEVER, Chain, State, evaluate
from eesim.explore.problem import BoolArray, Evaluations

NJ_PER_MJ = 10**6


class Single(NamedTuple):
    """A network that stays in one state."""

    state: State
    time_ns: int
    energy_nj: int


def single_states(chain: Chain) -> list[Single]:
    """Return what each state costs if all layers stay in it, where that is possible; in the order of the states."""
    costs = evaluate(chain, uniform_paths(chain))
    rows = zip(chain.states, costs.time_ns.tolist(), costs.energy_nj.tolist(), strict=True)
    return [Single(*row) for row in rows if row[1] != NEVER]


def best_single(chain: Chain, time_limit_ns: int) -> Single | None:
    """Return the state of least energy that meets a time limit for all layers alone, None if none does."""
    within = [single for single in single_states(chain) if single.time_ns <= time_limit_ns]
    return min(within, key=lambda single: (single.energy_nj, single.time_ns), default=None)


def uniform_paths(chain: Chain) -> IntArray:
    """Assignments with all layers in one state, (S, layers)."""
    return np.repeat(np.arange(len(chain.states), dtype=np.int64)[:, None], chain.layers, axis=1)


class ChainProblem:
    """Least energy within a time limit, as a `eesim.explore.problem.Problem`: a gene per layer, an allele per state.

    Parameters
    ----------
    chain
        The model.
    time_limit_ns
        Most time allowed, ns, at least 1.
    """

    objective_names = ("energy_mj",)
    constraint_names = ("time",)

    def __init__(self, chain: Chain, time_limit_ns: int) -> None:
        if time_limit_ns < 1:
            raise ValueError(f"a limit of {time_limit_ns} ns is none")
        self._chain, self._limit = chain, time_limit_ns

    @property
    def n_alleles(self) -> IntArray:
        """Number of states of each layer, (layers,)."""
        return np.full(self._chain.layers, len(self._chain.states), np.int64)

    def evaluate(self, genomes: IntArray) -> Evaluations:
        """Energy in mJ, (n, 1), and relative excess of time over the limit, (n, 1); infinite if not possible."""
        time, energy = evaluate(self._chain, genomes)
        excess = np.maximum(time / self._limit - 1, 0)
        never = time == NEVER
        objectives, violations = np.where(never, np.inf, energy / NJ_PER_MJ), np.where(never, np.inf, excess)
        return Evaluations(objectives[:, None], violations[:, None])

    def is_allowed(self, genomes: IntArray) -> BoolArray:
        """Whether all layers can run in these states, one after the other, (n,)."""
        return np.asarray(evaluate(self._chain, genomes).time_ns != NEVER)
