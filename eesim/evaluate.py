"""The one evaluator: simulate a scenario and say what its metrics are. Search, reports and validation use it, too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.simulate import EngineName, drive, make_engine
from eesim.metrics.bounds import bounds
from eesim.metrics.correctness import AnswerKey
from eesim.metrics.observe import BATCHES, Observation, Observer
from eesim.metrics.replication import Replication, batch_metrics, replication_metrics
from eesim.metrics.requirements import Verdict, judge
from eesim.metrics.result import Result, combine
from eesim.metrics.statistics import MIN_FOR_WARMUP, Estimate
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import Draws
from eesim.provenance import provenance
from eesim.scenario.load import Scenario
from eesim.scenario.stream_checks import memory_frames
from eesim.workload.arrivals import ClosedLoop, mean_rate
from eesim.workload.confidences import ExitConfidences
from eesim.workload.exits import alternatives_of

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

    def warmup(self) -> str | int:
        """Warm-up as the scenario asks for it."""
        return self.scenario.spec.run.warmup

    def metrics(self, observation: Observation) -> Replication:
        """Metrics of one replication."""
        right = [accuracy_table(member) for member in self.scenario.streams]
        return replication_metrics(self.lowered.plan, self.lowered.labels, observation, right)


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
    return _result(job, observations, _log(job, log_frames) if log_frames else None)


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
            self._done[r] = self._job.metrics(observation)
            self._own_warmup.setdefault(r, observation.warmup_frames)

    def result(self) -> Result:
        """Summary of the replications so far, as `run` gives it (without frames, log and batches)."""
        result = _summary(self._job, self.done, [], None, None)
        # Whether a steady state was found is for its own warm-up to say, not for one that others needed.
        own = [done._replace(warmup_frames=self._own_warmup[r]) for r, done in sorted(self._done.items())]
        return replace(result, notes=(*self.scenario.notes, *_notes(result, own)))


def _observe_all(job: _Job, replications: Sequence[tuple[int, str | int]]) -> list[Observation]:
    """Run replications with their warm-ups: on threads where the engine lets go of the interpreter."""
    workers = min(len(replications), os.cpu_count() or 1)
    if job.engine == "reference" or workers <= 1:
        return [_observe(job, *pair) for pair in replications]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda pair: _observe(job, *pair), replications))


def _blocks(job: _Job, replication: int, n_frames: int, key: AnswerKey | None = None) -> Iterator[Draws]:
    for frames in job.scenario.blocks(n_frames, seed=job.seed, replication=replication):
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
        job.lowered.plan.n_exits,
        warmup=stop_at if isinstance(warmup, int) else warmup,
        deadlines_ns=[member.spec.requirements.deadline for member in scenario.streams],
        keep=job.keep,
        batches=job.batches,
        step=step,
        by_stream=bool(scenario.members),
        key=key,
    )
    end = drive(
        make_engine(job.engine, job.lowered.plan),
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


def _result(job: _Job, observations: list[Observation], log: IntArray | None) -> Result:
    plan, labels = job.lowered.plan, job.lowered.labels
    measured = [job.metrics(observation) for observation in observations]
    right = [accuracy_table(member) for member in job.scenario.streams]
    batches = [batch_metrics(tally, plan, labels, right) for tally in observations[0].batches if tally.frames]
    records = tuple(o.frames for o in observations if o.frames is not None) if job.keep else None
    return _summary(job, measured, batches, records, log)


def _summary(
    job: _Job,
    measured: list[Replication],
    batches: list[dict[str, float]],
    records: tuple[IntArray, ...] | None,
    log: IntArray | None,
) -> Result:
    scenario, lowered = job.scenario, job.lowered
    estimates = combine(measured, batches, scenario.spec.run.confidence)
    again = "reuse_share" in estimates
    shares = np.array([estimates[f"exit_share.{name}"].value or 0.0 for name in lowered.labels.exits])
    result = Result(
        scenario=scenario,
        lowered=lowered,
        engine=job.engine,
        seed=job.seed,
        replications=tuple(measured),
        estimates=estimates,
        bounds=bounds(lowered.plan, shares, reused=estimates["reuse_share"].value or 0.0 if again else 0.0),
        verdicts=judge_all(scenario, estimates),
        notes=(),
        records=records,
        log=log,
        provenance=provenance(
            scenario.documents, scenario.files, trace_digests(scenario), seed=job.seed, replications=len(measured)
        ),
    )
    return replace(result, notes=(*scenario.notes, *_notes(result, measured)))


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


def _servers(result: Result) -> list[int]:
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


def _notes(result: Result, measured: list[Replication]) -> list[str]:
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
