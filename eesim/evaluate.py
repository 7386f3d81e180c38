"""The one evaluator: simulate a scenario and say what its metrics are. Search, reports and validation use it, too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.protocol import Memory
from eesim.engine.simulate import EngineName, drive, make_engine
from eesim.metrics.bounds import Bounds, Paths, bounds, paths_of
from eesim.metrics.correctness import AnswerKey
from eesim.metrics.observe import BATCHES, PILOT_FRAMES, Observation, Observer
from eesim.metrics.replication import Metrics, Replication, replication_metrics
from eesim.metrics.requirements import Verdict, judge
from eesim.metrics.result import Result, combine
from eesim.metrics.statistics import MIN_FOR_WARMUP, Estimate
from eesim.metrics.tally import cells_of
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import Draws, Plan
from eesim.provenance import provenance
from eesim.scenario.load import Scenario
from eesim.scenario.stream_checks import memory_frames
from eesim.workload.arrivals import ClosedLoop, mean_rate
from eesim.workload.confidences import ExitConfidences
from eesim.workload.exits import alternatives_of
from eesim.workload.stream import DrawnBefore

SNAPSHOTS = 64
"""Frames at which a warm-up can end, per replication."""

LAGS_BEHIND = 5
GROWTH = 0.02
"""A run is called overloaded if its answers fall behind its arrivals by more than so many times the longest way through
an empty system, and by more than this share of the time that the arrivals take."""

NEARLY_FULL = 0.98
"""Utilisation above which a run is suspected to be overloaded."""

ALIKE = 10
"""Batches should be so many times longer than the frames over which a stream is alike."""

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
        # Imported here: it brings the compiled engine, which `run` needs only if it is asked for.
        from eesim.metrics.tallies import Frames

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

    def warmup(self) -> str | int:
        """Warm-up as the scenario asks for it."""
        return self.scenario.spec.run.warmup

    def metrics(self, observation: Observation) -> Metrics:
        """Metrics of one replication, and of its batches."""
        right = [accuracy_table(member) for member in self.scenario.streams]
        return replication_metrics(self.lowered.plan, self.lowered.labels, observation, right)


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
    job = _Job(scenario, lowered, "compiled", settings.seed, keep=False, batches=alone, progress=None, scratch=scratch)
    # One after the other: the next observation takes the memory of the last.
    return _measurement(job, [job.metrics(_observe(job, r, job.warmup())) for r in range(settings.replications)])


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
    observations = _observe_all(job, [(r, job.warmup()) for r in range(count)])
    found = _measurement(job, [job.metrics(seen) for seen in observations])
    records = tuple(seen.frames for seen in observations if seen.frames is not None) if keep else None
    return _result(job, found, records, _log(job, log_frames) if log_frames else None)


class Replications:
    """Replications of one scenario, run a few at a time; only their metrics are kept.

    What comparisons are made of: replication ``r`` of two scenarios with the same seed sees the same random numbers.

    Parameters
    ----------
    scenario
        What to simulate.
    engine, seed, progress
        As in `run`.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        engine: EngineName = "compiled",
        seed: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        chosen = scenario.spec.run.seed if seed is None else seed
        self._job = _Job(scenario, lower(scenario), engine, chosen, keep=False, batches=False, progress=progress)
        self._done: dict[int, Replication] = {}
        self._own_warmup: dict[int, int] = {}

    @property
    def scenario(self) -> Scenario:
        """What is simulated."""
        return self._job.scenario

    @property
    def lowered(self) -> Lowered:
        """What the engine reads."""
        return self._job.lowered

    @property
    def done(self) -> list[Replication]:
        """Metrics of the replications so far, in order."""
        return [self._done[r] for r in sorted(self._done)]

    def simulate(self, replications: Sequence[int], warmups: Mapping[int, int] | None = None) -> None:
        """Run some replications (again, if need be).

        Parameters
        ----------
        replications
            Their numbers, from 0.
        warmups
            Frames to leave out, by replication, instead of what the scenario asks for: what is compared must be
            measured on the same frames.
        """
        pairs = [(r, (warmups or {}).get(r, self._job.warmup())) for r in replications]
        for r, observation in zip(replications, _observe_all(self._job, pairs), strict=True):
            self._done[r] = self._job.metrics(observation).replication
            self._own_warmup.setdefault(r, observation.warmup_frames)

    def result(self) -> Result:
        """Summary of the replications so far, as `run` gives it (without frames, log and batches)."""
        # Whether a steady state was found is for its own warm-up to say, not for one that others needed.
        own = [done._replace(warmup_frames=self._own_warmup[r]) for r, done in sorted(self._done.items())]
        return _result(self._job, _measurement(self._job, [Metrics(done, {}) for done in self.done], own), None, None)


def _observe_all(job: _Job, replications: Sequence[tuple[int, str | int]]) -> list[Observation]:
    """Run replications with their warm-ups: on threads where the engine lets go of the interpreter."""
    workers = min(len(replications), os.cpu_count() or 1)
    if job.engine == "reference" or workers <= 1:
        return [_observe(job, *pair) for pair in replications]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda pair: _observe(job, *pair), replications))


def _blocks(job: _Job, replication: int, n_frames: int, key: AnswerKey | None = None) -> Iterator[Draws]:
    drawn = job.scratch.drawn if job.scratch else None
    for frames in job.scenario.blocks(n_frames, seed=job.seed, replication=replication, drawn=drawn):
        if key is not None:
            key.add(frames.correct)
        yield job.lowered.draws(frames)


def _observe(job: _Job, replication: int, warmup: str | int) -> Observation:
    scenario, n = job.scenario, job.scenario.n_frames
    stop_at = min(int(warmup), n - 1) if isinstance(warmup, int) else 0
    step = max(n // SNAPSHOTS, 1)
    by_sample = any(isinstance(member.spec.stream.exits, ExitConfidences) for member in scenario.streams)
    again = bool(job.lowered.plan.reuse_patience.any())
    key = AnswerKey(job.lowered.labels.exit_number, again=again) if by_sample else None
    observer = Observer(
        n,
        cells_of(
            job.lowered.plan,
            tuple(member.spec.requirements.deadline for member in scenario.streams),
            by_stream=bool(scenario.members),
        ),
        warmup=stop_at if isinstance(warmup, int) else warmup,
        keep=job.keep,
        batches=job.batches,
        step=step,
        key=key,
        frames=job.scratch.frames if job.scratch else None,
        # The reference shares as little with the compiled engine as it can.
        compiled=job.engine == "compiled",
    )
    memory = None
    if job.scratch:
        memory = job.scratch.memory
        memory.sink = observer.sink
    end = drive(
        make_engine(job.engine, job.lowered.plan, memory=memory),
        _blocks(job, replication, n, key),
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


def _measurement(
    job: _Job,
    metrics: Sequence[Metrics],
    own: Sequence[Replication] | None = None,
) -> Measurement:
    """Put the metrics of replications together; ``own`` are what notes are taken from, if not from these."""
    scenario, lowered = job.scenario, job.lowered
    measured = [of.replication for of in metrics]
    estimates = combine(measured, scenario.spec.run.confidence, metrics[0].batches)
    shares = np.array([estimates[f"exit_share.{name}"].value or 0.0 for name in lowered.labels.exits])
    paths = job.scratch.paths(lowered.plan) if job.scratch else None
    reused = (estimates["reuse_share"].value or 0.0) if "reuse_share" in estimates else 0.0
    limits = bounds(lowered.plan, shares, paths=paths, reused=reused)
    verdicts = judge_all(scenario, estimates)
    found = Measurement(scenario, lowered, tuple(measured), estimates, limits, verdicts, scenario.notes)
    return replace(found, notes=(*scenario.notes, *_notes(found, own or measured)))


def _result(job: _Job, found: Measurement, records: tuple[IntArray, ...] | None, log: IntArray | None) -> Result:
    """Return a measurement with all that says where it comes from."""
    scenario = job.scenario
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
        records=records,
        log=log,
        provenance=provenance(
            scenario.documents,
            scenario.files,
            trace_digests(scenario),
            seed=job.seed,
            replications=len(found.replications),
        ),
    )


def accuracy_table(scenario: Scenario) -> FloatArray | None:
    """Share of right answers at each level and exit, (A + 1, exits); None if unknown, or known answer by answer."""
    exits = scenario.spec.stream.exits
    alternatives = alternatives_of(exits)
    rows = [exits.accuracy, *(level.accuracy for level in alternatives)]
    if None in rows:
        return None
    adaptive = scenario.policy.adaptive
    if adaptive is not None and not alternatives:
        rows *= len(adaptive.above) + 1
    return np.array([[float(share) for share in row or ()] for row in rows])


def judge_all(scenario: Scenario, estimates: dict[str, Estimate]) -> tuple[Verdict, ...]:
    """Judge the scenario's requirements, and those of each of its streams."""
    verdicts = judge(scenario.spec.requirements, estimates)
    for name, member in zip(scenario.names, scenario.members, strict=True):
        verdicts += judge(member.spec.requirements, estimates, f"stream.{name}.", name)
    return verdicts


def _servers(result: Measurement) -> list[int]:
    """Servers of each resource that the plan uses, 0 for one that it does not."""
    plan = result.lowered.plan
    return [
        int((plan.server_resource == r).sum()) if (plan.node_resource == r).any() else 0
        for r in range(plan.n_resources)
    ]


def trace_digests(scenario: Scenario) -> dict[str, str]:
    """SHA-256 of what each of the files of the stream (or of each of the streams) holds."""
    found = {}
    for stream, member in zip(scenario.names or ("",), scenario.streams, strict=True):
        read = member.traces._asdict()
        read |= read.pop("samples")._asdict()
        for name, array in read.items():
            if len(array):
                key = f"trace_{name}.{stream}" if stream else f"trace_{name}"
                found[key] = hashlib.sha256(array.tobytes()).hexdigest()
    return found


def _notes(result: Measurement, measured: Sequence[Replication]) -> list[str]:
    """What the reader of this result should know."""
    notes = []
    scenario, limit = result.scenario, result.bounds.throughput_fps
    rates = [mean_rate(member.spec.stream.arrivals, member.traces.arrival_ns) for member in scenario.streams]
    rate = float(sum(known)) if len(known := [r for r in rates if r is not None]) == len(rates) else None
    waits = isinstance(scenario.spec.stream.arrivals, ClosedLoop)
    if rate is not None and rate > limit:
        name = result.lowered.labels.resources[result.bounds.bottleneck]
        notes.append(
            f"overload: {rate:.4g} frames per second arrive, but {name} can serve at most {limit:.4g}: "
            "without drops, latency grows with the length of the run"
        )
    far = LAGS_BEHIND * int(result.bounds.exit_latency_ns.max(initial=0))
    behind = any(r.lag_ns > max(far, r.span_ns * GROWTH) for r in measured)
    if behind and not notes and not waits:
        answered = result.value("throughput_fps") or 0.0
        came = f"{rate:.4g} frames per second arrive" if rate is not None else "frames arrive faster than they leave"
        notes.append(f"overload: {came} and {answered:.4g} are answered: latency grows with the length of the run")
    full = [
        name
        for name, servers in zip(result.lowered.labels.resources, _servers(result), strict=True)
        if servers and (result.value(f"utilisation.{name}") or 0) > NEARLY_FULL
    ]
    if full and not notes and scenario.n_frames >= MIN_FOR_WARMUP and not waits:
        notes.append(f"{', '.join(full)} never rests: without drops, latency may grow with the length of the run")
    n = scenario.n_frames
    if scenario.spec.run.warmup == "auto" and any(r.warmup_frames * 2 >= n > 1 for r in measured):
        notes.append("no steady state was found: the warm-up rule would remove half of the run")
    memory = max(memory_frames(member.spec.stream, member.traces) for member in scenario.streams)
    if len(measured) == 1 and memory > 1 and memory * BATCHES * ALIKE > n:
        notes.append(
            f"one replication: its intervals are from batches of {n // BATCHES:,} frames, too few for a stream whose "
            f"frames are alike over about {memory:,.0f}; use several replications"
        )
    if not all(r.exact_quantiles for r in measured):
        notes.append("quantiles are read from bins and are within 0.05 % (more than 2^20 frames)")
    return notes
