"""``algorithm: dp``: the exact optimum, or the whole front, where a design's time and energy add up along a chain."""

from __future__ import annotations

from typing import NoReturn, Unpack

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError
from eesim.explore.additive import Additive, Link
from eesim.explore.chain import MAX_TOTAL, evaluate
from eesim.explore.dp import Infeasible, front, min_energy, min_time
from eesim.explore.dp_lattice import ENERGY_ONLY, Lattice
from eesim.explore.evaluator import Evaluator
from eesim.explore.front import sorted_front
from eesim.explore.outcome import Status
from eesim.explore.search import Search, SearchOptions

LATENCIES = ("mean_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency", "worst_latency")
NS_PER_MS = 1e6
NJ_PER_MJ = 1e6
AGREES = 1e-6
"""Relative difference of energies that rounding to whole nJ may make between the sums and the simulator."""

CONFIRMED = 32
"""Designs of a front that are compared with the simulator at most."""

CONFIRMED_FRAMES = 16
"""Frames that they are compared on."""


def why_not_dp(evaluator: Evaluator) -> str:
    """Say what dynamic programming cannot minimise or limit; empty if there is nothing."""
    names = evaluator.objective_names
    if len(names) > 2 or not set(names) <= {*LATENCIES, "energy"} or sum(name in LATENCIES for name in names) > 1:
        return f"dp minimises one latency, energy, or both, not {', '.join(names)}"
    if evaluator.memory.names:
        return "dp takes limits of latency, not of memory"
    foreign = [limit.name for limit in evaluator.limits if not limit.metric.startswith("latency_ms.")]
    foreign = [name for name in foreign if name != "drop_rate"]
    late = "deadline_miss_rate"
    if late in foreign and next(limit.limit for limit in evaluator.limits if limit.name == late) == 0:
        foreign.remove(late)
    if foreign:
        return f"dp takes limits of latency, not of {', '.join(foreign)}"
    return ""


class DynamicProgramming(Search):
    """Solves every chain of a space and evaluates the best designs with the simulator.

    Parameters
    ----------
    evaluator
        Of a space whose designs are chains (`eesim.explore.additive.why_not`).
    options
        Of `eesim.explore.search.Search`.

    Attributes
    ----------
    solved
        Whether all chains were solved, without a gap, and the simulator gave the optimum the value of its sums.

    Raises
    ------
    ValueError
        If costs do not add up, or the question is not one of time and energy.
    """

    def __init__(self, evaluator: Evaluator, **options: Unpack[SearchOptions]) -> None:
        reason = why_not_dp(evaluator)
        if reason:
            raise ValueError(reason)
        super().__init__(evaluator, {}, **options)
        self._evaluator = evaluator
        self._additive = Additive(evaluator)
        self._limit = self._time_limit()
        self._least_nj = MAX_TOTAL
        self.solved = False

    def _time_limit(self) -> int:
        """Largest latency that is asked for, ns; frames that would meet are not additive."""
        evaluator = self._evaluator
        limits = [limit.limit * NS_PER_MS for limit in evaluator.limits if limit.metric.startswith("latency_ms.")]
        if evaluator.deadline is not None:
            limits.append(evaluator.deadline)
        wanted = int(min(limits, default=2**60))
        if self._additive.closed:
            return wanted
        gap = evaluator.gap_ns
        if wanted > gap and "energy" in evaluator.objective_names:
            raise ValueError(
                f"dp needs a latency limit of at most {gap / NS_PER_MS:g} ms, the least time between two frames: "
                "frames that meet do not add up"
            )
        return min(wanted, gap)

    @property
    def status(self) -> Status:
        """One step does it."""
        return Status.EXHAUSTED if self.history else Status.RUNNING

    def _advance(self) -> None:
        genomes, sums, complete = self._solve()
        rows, _ = self._claim(np.concatenate([genomes, self._start]), self._left)
        self.memo.evaluate()
        rows = rows[: len(genomes)]
        self.solved = complete and bool((rows >= 0).all()) and self._confirmed(rows, sums)

    def _confirmed(self, rows: IntArray, sums: FloatArray) -> bool:
        """Whether the simulator gives the designs the latencies and energies of their sums, (n, 2) ns and mJ."""
        evaluator, chosen = self._evaluator, np.unique(np.linspace(0, len(rows) - 1, CONFIRMED).astype(np.int64))
        frames = min(CONFIRMED_FRAMES, len(evaluator.arrival))
        names = ("latency_ms.max", "energy_mj_per_frame.total")
        genomes = self.memo.genomes(rows[chosen])
        # The last half of the frames: what a run's first frames and its end cost is in both.
        half, whole = (evaluator.general_road(n, 0).metrics(genomes, names) for n in (frames // 2, frames))
        late = evaluator.general_road(frames, frames // 2).metrics(genomes, names[:1])[names[0]] * NS_PER_MS
        spent = frames * whole[names[1]] - frames // 2 * half[names[1]]
        told = (frames - frames // 2) * sums[chosen, 1]
        if not self._additive.closed:
            span = float(evaluator.arrival[frames - 1] - evaluator.arrival[frames // 2 - 1])
            told += self._additive.quiet_mj(span - (frames - frames // 2) * evaluator.gap_mean_ns)
        exact = np.abs(late - sums[chosen, 0]) < 1
        return bool((exact & (np.abs(spent - told) <= AGREES * np.abs(told))).all())

    def _solve(self) -> tuple[IntArray, FloatArray, bool]:
        """Best designs over all chains, their latencies and energies (ns, mJ), and whether that is proven."""
        genomes: list[IntArray] = []
        costs: list[tuple[int, int]] = []
        fastest: tuple[int, IntArray, int] | None = None
        complete = True
        for link in self._additive.links():
            paths, proven = self._paths(link)
            complete &= proven
            if not len(paths):
                best = min_time(link.chain)
                if best is not None and (fastest is None or best.time_ns < fastest[0]):
                    fastest = best.time_ns, self._additive.genome(link, np.array(best.path)), best.energy_nj
                continue
            spent = evaluate(link.chain, paths)
            genomes += [self._additive.genome(link, path) for path in paths]
            costs += list(zip(spent.time_ns.tolist(), spent.energy_nj.tolist(), strict=True))
        if not genomes:
            if fastest is None:
                self._refuse("no design can run: a segment has no time, or a tensor no route")
            if not self._additive.closed and fastest[0] > self._evaluator.gap_ns:
                self._refuse(
                    f"no design ends a frame ({fastest[0] / NS_PER_MS:.4g} ms at best) before the next one arrives "
                    f"({self._evaluator.gap_ns / NS_PER_MS:.4g} ms): frames meet, and nothing adds up"
                )
            spent_mj = self._additive.quiet_mj(0 if self._additive.closed else self._evaluator.gap_mean_ns)
            return fastest[1][None], np.array([[fastest[0], fastest[2] / NJ_PER_MJ + spent_mj]]), complete
        return self._best(np.array(genomes), np.array(costs, np.float64), complete)

    def _refuse(self, message: str) -> NoReturn:
        raise InputError([self._evaluator.space.scenario.document.problem(("explore",), message)])

    def _paths(self, link: Link) -> tuple[IntArray, bool]:
        """Best paths of one chain within the limit, and whether that is proven."""
        names = self._evaluator.objective_names
        if len(names) > 1:
            whole = front(link.chain)
            return whole.paths[whole.time_ns <= self._limit], whole.gap == 0
        if names[0] == "energy":
            thriftiest = Lattice(link.chain).best(ENERGY_ONLY)
            if thriftiest is None or thriftiest[0] > self._least_nj:
                return np.empty((0, 0), np.int64), True
            found = min_energy(link.chain, self._limit)
            if isinstance(found, Infeasible):
                return np.empty((0, 0), np.int64), True
            self._least_nj = min(self._least_nj, found.energy_nj)
            return np.array([found.path]), found.certificate.proven
        best = min_time(link.chain)
        if best is None or best.time_ns > self._limit:
            return np.empty((0, 0), np.int64), True
        return np.array([best.path]), True

    def _best(self, genomes: IntArray, costs: FloatArray, complete: bool) -> tuple[IntArray, FloatArray, bool]:
        """Keep what no other chain beats."""
        quiet_mj = self._additive.quiet_mj(0 if self._additive.closed else self._evaluator.gap_mean_ns)
        sums = np.stack([costs[:, 0], costs[:, 1] / NJ_PER_MJ + quiet_mj], axis=1)
        wanted = sorted({int(name == "energy") for name in self._evaluator.objective_names})
        kept = sorted_front(sums[:, wanted])
        return genomes[kept], sums[kept], complete
