"""Branch and bound: decide gene after gene, and drop every partial genome whose bound cannot beat the best known.

A genetic algorithm finds the first incumbent; then the lowest bound goes first, so that the proven bound rises. The
bounds are those of `eesim.explore.partial_bounds`; leaves are evaluated like everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.explore.evaluator import Evaluator
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.objectives import OBJECTIVES
from eesim.explore.outcome import Status
from eesim.explore.partial_bounds import OPEN, PartialBounds
from eesim.explore.search import Search, SearchOptions

BOUNDED = ("mean_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency", "worst_latency", "energy",
           "energy_delay")  # fmt: skip
"""Objectives that have a bound."""

EXPANDED = 512
"""Partial genomes that are expanded per step."""

SCOUT_SHARE = 5
"""The genetic algorithm that finds the first incumbent gets one part in so many of the budget."""

MOST_SCOUTED = 20_000

MOST_OPEN = 200_000
"""Up to so many partial genomes the lowest bound goes first (it raises the proven bound), beyond, the deepest."""

LEAVES = 256
"""Leaves that are evaluated per step."""

SLACK = 1 - 1e-9
"""Bounds are sums of floats: a bound must beat a limit by more than rounding to count."""


def why_unbounded(evaluator: Evaluator) -> str:
    """Say why partial designs have no bounds; empty if they have."""
    if evaluator.general_reasons:
        return evaluator.general_reasons[0]
    return "segments have clocks of their own" if any(evaluator.space.own_clocks) else ""


class BranchAndBound(Search):
    """Minimises one objective to proven optimality, or to a known gap when the budget ends first.

    Parameters
    ----------
    evaluator
        What to minimise.
    options
        ``budget``, ``seed``, ``start``, ``memo`` and ``reference`` of `eesim.explore.search.Search`.

    Raises
    ------
    ValueError
        If there are several objectives, or one without a bound.
    """

    def __init__(self, evaluator: Evaluator, **options: Unpack[SearchOptions]) -> None:
        names = evaluator.objective_names
        if len(names) != 1 or names[0] not in BOUNDED:
            raise ValueError(f"branch and bound minimises one of {', '.join(BOUNDED)}, not {', '.join(names)}")
        if why_unbounded(evaluator):
            raise ValueError(f"branch and bound has no bounds: {why_unbounded(evaluator)}")
        super().__init__(evaluator, {}, **options)
        self._seed = options["seed"]
        self._bounds = PartialBounds(evaluator)
        self._metric = OBJECTIVES[names[0]][0]
        self._limits = [limit for limit in evaluator.limits if limit.is_ceiling]
        self._floors = [limit for limit in evaluator.limits if limit.metric == "accuracy"]
        n = len(evaluator.n_alleles)
        segments = evaluator.space.n_segments
        # What all bounds depend on first (policy, queues, exits, clocks), then the segments along the chain.
        self._order = [*range(n - 1, segments - 1, -1), *range(segments)]
        self._open = np.full((1, n), OPEN, np.int64)
        self._depth = np.zeros(1, np.int64)
        self._bound = np.full(1, -np.inf)
        self.pruned = 0

    @property
    def status(self) -> Status:
        """Whether there is anything left that could be better."""
        if not len(self._open):
            return Status.EXHAUSTED
        return Status.BUDGET if self.evaluations >= self.budget else Status.RUNNING

    @property
    def lower_bound(self) -> float:
        """What no genome can beat, given all that was decided so far."""
        best = self._incumbent()
        return min(best, float(self._bound.min())) if len(self._bound) else best

    def _incumbent(self) -> float:
        feasible = self.memo.violation == 0
        values = self.memo.visited.objectives[feasible, 0]
        return float(values.min()) if len(values) else np.inf

    def _advance(self) -> None:
        before = self.memo.evaluated
        if not self.history:
            self._scout()
        known, depth, bound = self._open, self._depth, self._bound
        keep = bound < self._incumbent()
        pruned = self.pruned + int((~keep).sum())
        known, depth, bound = known[keep], depth[keep], bound[keep]
        if len(known) < MOST_OPEN:
            best_last = np.argsort(-bound, kind="stable")
            known, depth, bound = known[best_last], depth[best_last], bound[best_last]
        leaves = [np.empty((0, len(self._order)), np.int64)]
        promises = [np.empty(0)]
        while len(known) and sum(map(len, leaves)) < LEAVES:
            rest = max(len(known) - EXPANDED, 0)
            whole = depth[rest:] == len(self._order)
            leaves.append(known[rest:][whole])
            promises.append(bound[rest:][whole])
            children, deeper = self._children(known[rest:][~whole], depth[rest:][~whole])
            values, good = self._judge(children)
            pruned += int((~good).sum())
            left = np.flatnonzero(good)
            left = left[np.argsort(-values[left], kind="stable")]
            known = np.concatenate([known[:rest], children[left]])
            depth = np.concatenate([depth[:rest], deeper[left]])
            bound = np.concatenate([bound[:rest], values[left]])
        found, promised = np.concatenate(leaves), np.concatenate(promises)
        budget = max(self._left - (self.memo.evaluated - before), 0)
        self._claim(found[:budget], budget)
        self.memo.evaluate()
        # Leaves beyond the budget stay open: nothing is proven about them.
        self._open = np.concatenate([known, found[budget:]])
        self._depth = np.concatenate([depth, np.full(len(found[budget:]), len(self._order))])
        self._bound = np.concatenate([bound, promised[budget:]])
        self.pruned = pruned

    def _scout(self) -> None:
        """Let a genetic algorithm find a first incumbent: the better it is, the more the bounds cut."""
        budget = max(min(self._left // SCOUT_SHARE, MOST_SCOUTED), len(self._start), 1)
        GeneticAlgorithm(
            self.problem, budget=budget, seed=self._seed, start=self._start, memo=self.memo, reference=None
        ).run()

    def _children(self, parents: IntArray, depth: IntArray) -> tuple[IntArray, IntArray]:
        """Decide the next gene of each partial genome in every way."""
        gene = np.array(self._order)[depth]
        counts = np.asarray(self.problem.n_alleles)[gene]
        children = np.repeat(parents, counts, axis=0)
        allele = np.arange(len(children)) - np.repeat(np.cumsum(counts) - counts, counts)
        children[np.arange(len(children)), np.repeat(gene, counts)] = allele
        return children, np.repeat(depth + 1, counts)

    def _judge(self, children: IntArray) -> tuple[FloatArray, Any]:
        """Bounds of partial genomes, and whether they can still hold the optimum."""
        metrics = self._bounds.metrics(children)
        values = metrics[self._metric] * SLACK
        good = values < self._incumbent()
        for limit in self._limits:
            if limit.metric in metrics:
                good &= metrics[limit.metric] * SLACK <= limit.limit
        for limit in self._floors:
            if limit.metric in metrics:
                good &= metrics[limit.metric] >= limit.limit * SLACK
        complete = (children >= 0).all(axis=1)
        good[complete] &= self.problem.is_allowed(children[complete])
        return values, good

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on; see `Search.state`."""
        mine = {"open": self._open, "depth": self._depth, "bound": self._bound, "pruned": self.pruned}
        return {**super().state(), **mine}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or on, to where ``state`` was taken; see `Search.restore`."""
        super().restore(state)
        self._open = np.array(state["open"], np.int64)
        self._depth = np.array(state["depth"], np.int64)
        self._bound = np.array(state["bound"], np.float64)
        self.pruned = int(state["pruned"])
