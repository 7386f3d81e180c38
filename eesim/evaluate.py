"""The one evaluator: simulate a scenario and say what its metrics are. Search, reports and validation use it, too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from eesim.base import IntArray
from eesim.engine.protocol import Memory
from eesim.engine.simulate import EngineName, drive, make_engine
from eesim.metrics.bounds import Bounds, Paths, bounds, paths_of
from eesim.metrics.observe import PILOT_FRAMES, Observation, Observer
from eesim.metrics.replication import Replication, batch_metrics, replication_metrics
from eesim.metrics.requirements import Verdict, judge
from eesim.metrics.result import Result, combine
from eesim.metrics.statistics import MIN_FOR_WARMUP, Estimate
from eesim.metrics.tallies import Frames
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import Draws, Plan
from eesim.provenance import provenance
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import ClosedLoop, Periodic, Poisson
from eesim.workload.stream import DrawnBefore

SNAPSHOTS = 64
"""Frames at which a warm-up can end, per replication."""

LAGS_BEHIND = 5
GROWTH = 0.02
"""A run is called overloaded if its answers fall behind its arrivals by more than so many times the longest way through
an empty system, and by more than this share of the time that the arrivals take."""

NEARLY_FULL = 0.98
"""Utilisation above which a run is suspected to be overloaded."""

KEEP_FRAMES_UP_TO = 2_000_000
"""Frames (over all replications) up to which their records are kept unless told otherwise."""


MAX_PATHS = 4096
"""Plans whose critical paths are kept."""


class Scratch:
    """Memory for those who simulate one scenario after the other: drawn streams, and room for records.

    Not for two threads at a time.

    Parameters
    ----------
    drawn_bytes
        Drawn streams to keep, for scenarios that share them.
    """

    def __init__(self, drawn_bytes: int = 1 << 28) -> None:
        self.drawn = DrawnBefore(drawn_bytes)
        self.memory = Memory()
        self.frames = Frames(PILOT_FRAMES)
        self._paths: dict[int, tuple[Plan, Paths]] = {}

    def paths(self, plan: Plan) -> Paths:
        """Critical paths of a plan."""
        known = self._paths.get(id(plan))
        if known is None:
            if len(self._paths) >= MAX_PATHS:
                self._paths.clear()
            known = self._paths[id(plan)] = plan, paths_of(plan)
        return known[1]


@dataclass(frozen=True, slots=True)
class _Job:
    """What every replication of a run has in common."""

    scenario: Scenario
    lowered: Lowered
    engine: EngineName
    seed: int
    keep: bool
    batches: bool
    progress: Callable[[int], None] | None
    scratch: Scratch | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the replications of one scenario say.

    Attributes
    ----------
    scenario, lowered
        What was simulated.
    replications
        Metrics of each replication.
    estimates
        Flat metric name to estimate over the replications.
    bounds
        Analytical bounds.
    verdicts
        Each requirement, judged.
    notes
        What the reader should know.
    """

    scenario: Scenario
    lowered: Lowered
    replications: tuple[Replication, ...]
    estimates: dict[str, Estimate]
    bounds: Bounds
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]

    def value(self, name: str) -> float | None:
        """Point estimate of a metric by its flat name."""
        return self.estimates[name].value


def measure(scenario: Scenario, lowered: Lowered, scratch: Scratch) -> Measurement:
    """Simulate a scenario on one thread with the compiled engine and keep its metrics only: what `run` finds, for less.

    Parameters
    ----------
    scenario, lowered
        What to simulate.
    scratch
        Memory that is used again from call to call.

    Raises
    ------
    SimulationDeadlock
        If the run cannot go on.
    """
    settings = scenario.spec.run
    alone = settings.replications == 1
    job = _Job(scenario, lowered, "compiled", settings.seed, False, alone, None, scratch)
    return _measurement(job, (_observe(job, r) for r in range(settings.replications)))


def run(
    scenario: Scenario,
    *,
    engine: EngineName = "compiled",
    replications: int | None = None,
    seed: int | None = None,
    keep_frames: bool | None = None,
    log_frames: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Simulate a scenario.

    Parameters
    ----------
    scenario
        What to simulate (`eesim.load`).
    engine
        ``"compiled"``, or ``"reference"``: slow, with every invariant checked on the way; same results to the bit.
    replications, seed
        Instead of the scenario's.
    keep_frames
        Keep every frame's record (`Result.frames`). By default runs of up to `KEEP_FRAMES_UP_TO` frames keep them;
        without, memory does not grow with the run, and quantiles of more than 2^20 latencies are within 0.05 %.
    log_frames
        Keep the event log of the first replication until this many frames have arrived.
    progress
        Called with the number of frames simulated since its last call, from several threads.

    Raises
    ------
    SimulationDeadlock
        If the run cannot go on: stage queues that block each other in a circle.
    """
    count = scenario.spec.run.replications if replications is None else replications
    chosen = scenario.spec.run.seed if seed is None else seed
    keep = scenario.n_frames * count <= KEEP_FRAMES_UP_TO if keep_frames is None else keep_frames
    job = _Job(scenario, lower(scenario), engine, chosen, keep, count == 1, progress)
    observations = _observe_all(job, count)
    return _result(job, observations, _log(job, log_frames) if log_frames else None)


def _observe_all(job: _Job, count: int) -> list[Observation]:
    """Run the replications: on threads where the engine lets go of the interpreter."""
    workers = min(count, os.cpu_count() or 1)
    if job.engine == "reference" or workers == 1:
        return [_observe(job, r) for r in range(count)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda r: _observe(job, r), range(count)))


def _blocks(job: _Job, replication: int, n_frames: int) -> Iterator[Draws]:
    drawn = job.scratch.drawn if job.scratch else None
    for frames in job.scenario.stream.blocks(n_frames, seed=job.seed, replication=replication, drawn=drawn):
        yield job.lowered.draws(frames)


def _observe(job: _Job, replication: int) -> Observation:
    scenario, n = job.scenario, job.scenario.n_frames
    warmup = scenario.spec.run.warmup
    stop_at = min(int(warmup), n - 1) if isinstance(warmup, int) else 0
    step = max(n // SNAPSHOTS, 1)
    observer = Observer(
        n,
        job.lowered.plan.n_exits,
        warmup=stop_at if isinstance(warmup, int) else warmup,
        deadline_ns=scenario.spec.requirements.deadline,
        keep=job.keep,
        batches=job.batches,
        step=step,
        frames=job.scratch.frames if job.scratch else None,
        # The reference shares as little with the compiled engine as it can.
        compiled=job.engine == "compiled",
    )
    if job.scratch:
        job.scratch.memory.sink = observer.sink
    end = drive(
        make_engine(job.engine, job.lowered.plan, memory=job.scratch.memory if job.scratch else None),
        _blocks(job, replication, n),
        observer,
        step=step,
        stop_at=stop_at,
        progress=job.progress,
    )
    return observer.finish(end)


def _log(job: _Job, frames: int) -> IntArray:
    """Event log of the first replication until ``frames`` frames have arrived: exactly as in the whole run."""
    engine = make_engine(job.engine, job.lowered.plan, log=True)
    parts = []
    left = min(frames, job.scenario.n_frames)
    final = left == job.scenario.n_frames
    for block in _blocks(job, 0, job.scenario.n_frames):
        part = Draws(*(array[:left] for array in block))
        left -= len(part.arrival_ns)
        engine.feed(part, final=final and left == 0)
        parts.append(engine.take_log())
        if left == 0:
            break
    return np.concatenate(parts)


def _measurement(job: _Job, observations: Iterable[Observation]) -> Measurement:
    scenario, lowered = job.scenario, job.lowered
    accuracy = scenario.spec.stream.exits.accuracy
    right = None if accuracy is None else [float(share) for share in accuracy]
    measured: list[Replication] = []
    batches: dict[str, list[float]] = {}
    # One after the other: with scratch memory, the next observation takes the place of the last.
    for seen in observations:
        measured.append(replication_metrics(lowered.plan, lowered.labels, seen, right))
        if seen.batches:
            batches = batch_metrics(seen.batches, lowered.labels.exits)
    estimates = combine(measured, batches, scenario.spec.run.confidence)
    shares = np.array([estimates[f"exit_share.{name}"].value or 0.0 for name in lowered.labels.exits])
    verdicts = judge(scenario.spec.requirements, estimates)
    paths = job.scratch.paths(lowered.plan) if job.scratch else None
    limits = bounds(lowered.plan, shares, paths=paths)
    found = Measurement(scenario, lowered, tuple(measured), estimates, limits, verdicts, scenario.notes)
    return replace(found, notes=(*scenario.notes, *_notes(found, measured)))


def _result(job: _Job, observations: list[Observation], log: IntArray | None) -> Result:
    scenario, found = job.scenario, _measurement(job, observations)
    return Result(
        scenario=scenario,
        lowered=job.lowered,
        engine=job.engine,
        seed=job.seed,
        replications=found.replications,
        estimates=found.estimates,
        bounds=found.bounds,
        verdicts=found.verdicts,
        notes=found.notes,
        records=tuple(o.frames for o in observations if o.frames is not None) if job.keep else None,
        log=log,
        provenance=provenance(
            scenario.documents, scenario.files, trace_digests(scenario), seed=job.seed, replications=len(observations)
        ),
    )


def _servers(result: Measurement) -> list[int]:
    """Servers of each resource that the plan uses, 0 for one that it does not."""
    plan = result.lowered.plan
    return [
        int((plan.server_resource == r).sum()) if (plan.node_resource == r).any() else 0
        for r in range(plan.n_resources)
    ]


def trace_digests(scenario: Scenario) -> dict[str, str]:
    """Digest of each trace of a scenario's stream."""
    return {
        f"trace_{name}": hashlib.sha256(array.tobytes()).hexdigest()
        for name, array in scenario.traces._asdict().items()
        if len(array)
    }


def _notes(result: Measurement, measured: list[Replication]) -> list[str]:
    """What the reader of this result should know."""
    notes = []
    scenario, limit = result.scenario, result.bounds.throughput_fps
    arrivals = scenario.spec.stream.arrivals
    rate = None
    if isinstance(arrivals, Periodic):
        rate = float(arrivals.exact_rate)
    elif isinstance(arrivals, Poisson):
        rate = float(arrivals.rate)
    elif len(scenario.traces.arrival_ns) > 1:
        span = int(scenario.traces.arrival_ns[-1] - scenario.traces.arrival_ns[0])
        rate = (len(scenario.traces.arrival_ns) - 1) * 1e9 / span if span else None
    if rate is not None and rate > limit:
        name = result.lowered.labels.resources[result.bounds.bottleneck]
        notes.append(
            f"overload: {rate:.4g} frames per second arrive, but {name} can serve at most {limit:.4g}: "
            "without drops, latency grows with the length of the run"
        )
    far = LAGS_BEHIND * int(result.bounds.exit_latency_ns.max(initial=0))
    behind = any(r.lag_ns > max(far, r.span_ns * GROWTH) for r in measured)
    if behind and not notes and not isinstance(arrivals, ClosedLoop):
        answered = result.value("throughput_fps") or 0.0
        came = f"{rate:.4g} frames per second arrive" if rate is not None else "frames arrive faster than they leave"
        notes.append(f"overload: {came} and {answered:.4g} are answered: latency grows with the length of the run")
    full = [
        name
        for name, servers in zip(result.lowered.labels.resources, _servers(result), strict=True)
        if servers and (result.value(f"utilisation.{name}") or 0) > NEARLY_FULL
    ]
    if full and not notes and scenario.n_frames >= MIN_FOR_WARMUP and not isinstance(arrivals, ClosedLoop):
        notes.append(f"{', '.join(full)} never rests: without drops, latency may grow with the length of the run")
    n = scenario.n_frames
    if scenario.spec.run.warmup == "auto" and any(r.warmup_frames * 2 >= n > 1 for r in measured):
        notes.append("no steady state was found: the warm-up rule would remove half of the run")
    if not all(r.exact_quantiles for r in measured):
        notes.append("quantiles are read from bins and are within 0.05 % (more than 2^20 frames)")
    return notes
