"""Evaluate candidates in batches: by single frames where that is exact, else by simulating the stream.

Designs that the compiled lowering does not know take the general road (`eesim.explore.general_road`); so do those that
change a PE's clock between segments, where that takes time.

One frame at a time is exact when no frame can ever meet another: every frame's last task ends before the next frame
arrives. Then the metrics of the stream are those of the exits, weighted by their shares. All candidates see the same
frames otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import candidate_runs as cr
from eesim.engine.candidate_tables import CandidateTables
from eesim.engine.jit import WarmOnce
from eesim.explore.candidates import candidate_tables, unsupported
from eesim.explore.decision_bank import Deal, DecisionBank
from eesim.explore.general_road import GeneralRoad
from eesim.explore.genes import Columns, Genes
from eesim.explore.memory import MemoryLimits
from eesim.explore.objectives import IMPOSSIBLE, OBJECTIVES, Limit, constraints_of, limits_of
from eesim.explore.problem import Evaluations
from eesim.explore.space import Space, pe_of
from eesim.explore.stream_facts import exit_shares, least_gap_ns
from eesim.mapping.policy import PolicyChange, resolve_policy
from eesim.metrics.replication import QUANTILES
from eesim.plan.plan import UNBOUNDED, WhenFull
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import Periodic

FJ_PER_MJ = 1e12
NS_PER_MS = 1e6
NEVER_LATE = 2**62
RUNS = "runs"
"""The constraint that a candidate can run: every segment has a time where it is mapped, and nothing deadlocks."""

CHUNK = 64
"""Candidates that a thread takes at a time."""

_run_candidates = WarmOnce(cr.run_candidates)
_run_single_frames = WarmOnce(cr.run_single_frames)

Metrics = dict[str, FloatArray]
"""Flat metric name to one value per candidate."""


class Evaluator:
    """Metrics, objectives and violations of genomes; see `eesim.explore.problem.Problem`.

    Parameters
    ----------
    space
        What varies.
    spec
        Objectives and constraints.
    threads
        Threads to use; results do not depend on it.
    """

    def __init__(self, space: Space, spec: ExploreSpec, *, threads: int | None = None) -> None:
        scenario = space.scenario
        self.space = space
        constraints = constraints_of(spec, scenario.spec.requirements)
        self.limits: tuple[Limit, ...] = limits_of(constraints)
        self.objective_names: tuple[str, ...] = tuple(spec.objectives)
        self.memory = MemoryLimits(scenario, spec)
        self.constraint_names = (*(limit.name for limit in self.limits), *self.memory.names, RUNS)
        self.n_alleles = space.n_alleles
        self.is_allowed = space.is_allowed
        self.simulated = 0
        self.by_single_frames = 0
        self.by_general_road = 0
        self._threads = threads or os.cpu_count() or 1
        self._deadline = constraints.deadline
        variants = [self._with(policy) for policy in space.genes[-1].alleles]
        self.general_reasons: tuple[str, ...] = tuple(dict.fromkeys(filter(None, map(unsupported, variants))))
        self._tables = [None if unsupported(variant) else candidate_tables(variant) for variant in variants]
        self.tables = [tables for tables in self._tables if tables is not None]
        self.columns = Columns(space)
        self._frames(spec, scenario)
        self._constraints, self._seed = constraints, spec.seed
        self._general = self.general_road(len(self.arrival), self.warm)

    def general_road(self, frames: int, warm: int) -> GeneralRoad:
        """Return the general road for the first of the frames that candidates are simulated on."""
        options = {"frames": frames, "warm": warm, "seed": self._seed, "threads": self._threads}
        return GeneralRoad(self.space, self._constraints, **options)

    def _with(self, policy: str | PolicyChange) -> Scenario:
        return replace(self.space.scenario, policy=resolve_policy(policy))

    def _frames(self, spec: ExploreSpec, scenario: Scenario) -> None:
        """Draw the frames that every candidate is simulated on."""
        wanted = spec.frames or min(scenario.n_frames, 2000)
        blocks = list(scenario.stream.blocks(wanted, seed=spec.seed, replication=0))
        self.arrival = np.concatenate([frames.arrival_ns for frames in blocks])
        self.exits = np.concatenate([frames.exit for frames in blocks])
        self.bank = DecisionBank(self.space, self.exits, np.concatenate([frames.sample for frames in blocks]))
        warmup = scenario.spec.run.warmup
        self.warm = min(int(warmup), wanted - 1) if isinstance(warmup, int) else 0 if warmup == "none" else wanted // 10
        self.n_exits = len(scenario.network.exit_names)
        self.shares = exit_shares(scenario, self.exits)
        self.gap_ns = least_gap_ns(scenario)
        accuracy = scenario.spec.stream.exits.accuracy
        self._accuracy = None if accuracy is None else np.array([float(a) for a in accuracy])

    def evaluate(self, genomes: IntArray) -> Evaluations:
        """Objectives (minimised) and violations of genomes, (n, G)."""
        return self.judge(genomes, self.metrics(genomes))

    def judge(self, genomes: IntArray, metrics: Metrics) -> Evaluations:
        """Turn metrics into objectives and violations."""
        objectives = np.empty((len(genomes), len(self.objective_names)))
        for i, name in enumerate(self.objective_names):
            metric, sign = OBJECTIVES[name]
            values = self._ga_py(genomes) if metric == "ga_py" else metrics[metric]
            objectives[:, i] = np.where(np.isfinite(values), sign * values, np.inf)
        violations = np.zeros((len(genomes), len(self.constraint_names)))
        for i, limit in enumerate(self.limits):
            violations[:, i] = limit.violation(metrics[limit.metric])
        if self.memory.names:
            violations[:, len(self.limits) : -1] = self.memory.violations(self.columns.genes(genomes))
        violations[:, -1] = np.where(np.isin(metrics["status"], [cr.INVALID, cr.DEADLOCKED]), IMPOSSIBLE, 0)
        return Evaluations(objectives, violations)

    def _ga_py(self, genomes: IntArray) -> FloatArray:
        from eesim.explore.ga_py import ga_py_fitness

        genes = self.space.genes[: self.space.n_segments]
        letters = [[pe_of(allele) for allele in gene.alleles] for gene in genes]
        return ga_py_fitness(["".join(names[a] for names, a in zip(letters, row, strict=False)) for row in genomes])

    def metrics(self, genomes: IntArray) -> Metrics:
        """Every metric of genomes by its flat name, and ``status`` and ``exact`` (1: by single frames)."""
        parts = self.columns.genes(genomes)
        policy = genomes[:, -1]
        out = {name: np.full(len(genomes), np.nan) for name in (*METRIC_NAMES, "status", "exact")}
        general = self.columns.changes_clocks(parts)
        for p, tables in enumerate(self._tables):
            if tables is None:
                general |= policy == p
                continue
            rows = np.flatnonzero((policy == p) & ~general)
            for deal in self.bank.deals(genomes[rows], decide=bool(tables.decide)) if len(rows) else ():
                mine = rows[deal.rows]
                for name, values in self._metrics(tables, parts.part(mine), deal).items():
                    out[name][mine] = values
        if general.any():
            self.by_general_road += int(general.sum())
            for name, values in self._general.metrics(genomes[general], METRIC_NAMES).items():
                out[name][general] = values
            out["exact"][general] = 0
        return out

    def _metrics(self, tables: CandidateTables, genes: Genes, deal: Deal) -> Metrics:
        shares = deal.shares[deal.choice]
        latency, occupied, active = self._single_frames(tables, genes, shares)
        out = self._from_single_frames(tables, latency, active, shares)
        out["accuracy"] = self._accuracies(self._answered(tables, genes, shares), deal.accuracy[deal.choice])
        possible = latency[:, 0] != -1
        exact = (latency[:, 0] >= 0) & (np.where(shares > 0, occupied, 0).max(axis=1) <= self.gap_ns)
        out["exact"] = exact.astype(float)
        out["status"] = np.where(possible, cr.SIMULATED, cr.INVALID)
        self.by_single_frames += int(exact.sum())
        rest = possible & ~exact
        if rest.any():
            self.simulated += int(rest.sum())
            for name, values in self._simulate(tables, genes.part(rest), deal, deal.choice[rest]).items():
                out[name][rest] = values
        return out

    def _over_threads(self, n: int, work: Callable[[slice], None]) -> None:
        slices = [slice(begin, min(begin + CHUNK, n)) for begin in range(0, n, CHUNK)]
        if self._threads == 1 or len(slices) == 1:
            for part in slices:
                work(part)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(work, slices))

    def _single_frames(
        self, tables: CandidateTables, genes: Genes, shares: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        n = len(genes.pes)
        latency, occupied, active = (np.zeros((n, self.n_exits)) for _ in range(3))
        taken = (shares > 0).any(axis=0).astype(np.int64)

        def work(part: slice) -> None:
            memory = cr.make_memory(tables, self.n_exits, self.n_exits)
            columns = genes.part(part)[:4]
            _run_single_frames(tables, *columns, taken, memory, latency[part], occupied[part], active[part])

        self._over_threads(n, work)
        return latency, occupied, active

    def _answered(self, tables: CandidateTables, genes: Genes, shares: FloatArray) -> FloatArray:
        """Share of frames that answer at each exit: those of a disabled exit answer at the next enabled one, (n, K)."""
        enabled = genes.enabled.astype(bool) if tables.decide else np.zeros_like(genes.enabled, bool)
        enabled[:, -1] = True
        out = np.zeros(enabled.shape)
        waiting = np.zeros(len(enabled))
        for e in range(self.n_exits):
            waiting = waiting + shares[:, e]
            out[:, e] = np.where(enabled[:, e], waiting, 0)
            waiting = np.where(enabled[:, e], 0, waiting)
        return out

    def _from_single_frames(
        self, tables: CandidateTables, latency: FloatArray, active: FloatArray, shares: FloatArray
    ) -> Metrics:
        """Metrics of a stream whose frames never meet."""
        period_ns = self.gap_mean_ns
        order = np.argsort(latency, axis=1, kind="stable")
        ordered = np.take_along_axis(latency, order, axis=1)
        below = np.cumsum(np.take_along_axis(shares, order, axis=1), axis=1)
        out: Metrics = {"latency_ms.mean": (latency * shares).sum(axis=1) / NS_PER_MS}
        for name, share in QUANTILES.items():
            at = np.argmax(below >= share - 1e-12, axis=1)
            out[f"latency_ms.{name}"] = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0] / NS_PER_MS
        out["latency_ms.max"] = np.where(shares > 0, latency, -np.inf).max(axis=1) / NS_PER_MS
        late = latency > (self._deadline if self._deadline is not None else NEVER_LATE)
        out["deadline_miss_rate"] = (late * shares).sum(axis=1)
        out["drop_rate"] = np.zeros(len(latency))
        out["period_ms"] = np.full(len(latency), period_ns / NS_PER_MS)
        quiet_uw = float(tables.base_uw) + float(tables.idle_uw.sum())
        energy_fj = quiet_uw * period_ns + (active * shares).sum(axis=1)
        return self._complete(out, energy_fj / FJ_PER_MJ)

    def _simulate(self, tables: CandidateTables, genes: Genes, deal: Deal, choice: IntArray) -> Metrics:
        n = len(genes.pes)
        raw = np.zeros((n, cr.EXIT0 + self.n_exits))
        limits = self._hopeless_limits()
        deadline = self._deadline if self._deadline is not None else NEVER_LATE

        def work(part: slice) -> None:
            memory = cr.make_memory(tables, self.n_exits, len(self.arrival))
            frames = (self.arrival, choice[part], deal.exits, self.bank.correct)
            stream = (*frames, self.warm, deadline, limits, max(len(self.arrival) // 8, 64))
            _run_candidates(tables, *genes.part(part), *stream, memory, raw[part])

        self._over_threads(n, work)
        answered = np.where(raw[:, cr.ANSWERS] > 0, raw[:, cr.ANSWERS], np.nan)
        ended = raw[:, cr.ANSWERS] + raw[:, cr.DROPS]
        out: Metrics = {
            "latency_ms.mean": np.where(np.isfinite(answered), raw[:, cr.MEAN_NS], np.nan) / NS_PER_MS,
            "latency_ms.max": np.where(np.isfinite(answered), raw[:, cr.MAX_NS], np.nan) / NS_PER_MS,
            "deadline_miss_rate": raw[:, cr.MISSES] / np.maximum(ended, 1),
            "drop_rate": raw[:, cr.DROPS] / np.maximum(ended, 1),
            "period_ms": np.where(raw[:, cr.ANSWERS] > 1, raw[:, cr.PERIOD_NS], np.nan) / NS_PER_MS,
            "status": raw[:, cr.STATUS],
        }
        for name, column in zip(QUANTILES, (cr.P50_NS, cr.P90_NS, cr.P95_NS, cr.P99_NS), strict=True):
            out[f"latency_ms.{name}"] = np.where(np.isfinite(answered), raw[:, column], np.nan) / NS_PER_MS
        energy = raw[:, cr.ENERGY_FJ] / FJ_PER_MJ
        out = self._complete(out, energy / answered)
        out["accuracy"] = self._accuracies(raw[:, cr.EXIT0 :], raw[:, cr.RIGHT] / answered)
        out["power_mw"] = energy * 1e9 / np.maximum(raw[:, cr.SPAN_NS], 1)
        return out

    def _accuracies(self, shares: FloatArray, counted: FloatArray) -> FloatArray:
        """Share of right answers, (n,): counted, or from the shares of the exits that answered, or nan."""
        if self.bank.by_sample:
            return counted
        return np.full(len(shares), np.nan) if self._accuracy is None else shares @ self._accuracy

    def _complete(self, out: Metrics, energy_mj: FloatArray) -> Metrics:
        """Add the metrics that follow from the others."""
        period = np.where(out["period_ms"] > 0, out["period_ms"], np.nan)
        out["throughput_fps"] = 1e3 / period
        out["energy_mj_per_frame.total"] = energy_mj
        out["energy_delay_mj_ms"] = energy_mj * out["latency_ms.mean"]
        out["power_mw"] = energy_mj / period * 1e3
        return out

    def _hopeless_limits(self) -> IntArray:
        """How many measured frames may be late or dropped before a latency quantile's limit is certainly broken."""
        measured = len(self.arrival) - self.warm
        quantile = {f"latency_ms.{name}": share for name, share in QUANTILES.items()} | {"latency_ms.max": 1.0}
        pairs: list[int] = []
        drops = measured
        for limit in self.limits:
            if limit.metric in quantile:
                allowed = int(np.floor((1 - quantile[limit.metric]) * measured + 1e-9))
                pairs += [round(limit.limit * NS_PER_MS), allowed]
            elif limit.metric == "drop_rate":
                drops = min(drops, int(limit.limit * measured + 1e-6))
            elif limit.metric == "deadline_miss_rate" and self._deadline is not None:
                pairs += [self._deadline, int(limit.limit * measured + 1e-6)]
        return np.array([*pairs, 0, drops] if pairs or drops < measured else [], np.int64)

    @property
    def deadline(self) -> int | None:
        """Latency beyond which an answer is a miss, ns."""
        return self._deadline

    @property
    def decide(self) -> bool:
        """Whether exits decide, under any of the policies."""
        return any(tables.decide for tables in self.tables)

    @property
    def droppable(self) -> float:
        """Share of frames that a feasible candidate may drop."""
        drops = any(t.queue_full != WhenFull.BLOCK for t in self.tables) and self.columns.bounded_queue
        limited = (t for t in self.tables if (t.stage_capacity != UNBOUNDED).any())
        drops |= any(t.stage_full != WhenFull.BLOCK for t in limited)
        if not drops:
            return 0.0
        allowed = [limit.limit for limit in self.limits if limit.metric in ("drop_rate", "deadline_miss_rate")]
        return min([*allowed, 1.0])

    @property
    def least_span_ns(self) -> float:
        """Time that the stream itself gives every measured frame, at least, ns."""
        measured = max(len(self.arrival) - self.warm, 1)
        begin = self.arrival[self.warm - 1] if self.warm else 0
        return min(float(self.arrival[-1] - begin) / measured, self.gap_mean_ns)

    @property
    def stream_span_ns(self) -> float:
        """Time from the arrival of the first measured frame to that of the last, ns."""
        return float(self.arrival[-1] - self.arrival[self.warm])

    @property
    def gap_mean_ns(self) -> float:
        """Mean time between arrivals."""
        if len(self.arrival) < 2:
            return float(self.gap_ns)
        arrivals = self.space.scenario.spec.stream.arrivals
        if isinstance(arrivals, Periodic):
            return float(1e9 / arrivals.exact_rate)
        return float(self.arrival[-1] - self.arrival[0]) / (len(self.arrival) - 1)


METRIC_NAMES = (
    "latency_ms.mean",
    *(f"latency_ms.{name}" for name in QUANTILES),
    "latency_ms.max",
    "deadline_miss_rate",
    "drop_rate",
    "period_ms",
    "throughput_fps",
    "energy_mj_per_frame.total",
    "energy_delay_mj_ms",
    "power_mw",
    "accuracy",
)
