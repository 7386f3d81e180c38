"""The metrics of one replication, as plain numbers; what every summary, search and comparison is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.engine.protocol import Counters
from eesim.metrics.energy import TERMS, energy_of, per_resource, window
from eesim.metrics.histogram import Histogram
from eesim.metrics.observe import PARTS, Observation, Tally
from eesim.plan.lower import Labels
from eesim.plan.plan import UNBOUNDED, Plan, Status, WhenFull

NS_PER_MS = 1e6
NS_PER_S = 1e9
QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
NAN = float("nan")


class Replication(NamedTuple):
    """One replication's metrics.

    ``values`` maps flat names (``latency_ms.p99``, ``utilisation.B``, ``exit_share.exit1``) to numbers; nan where a
    metric does not exist (the latency of an exit that nobody took). ``lag_ns`` says by how much latency grew from the
    first to the last measured frame, of arrivals that span ``span_ns``.
    """

    values: dict[str, float]
    worst_ns: int
    measured_frames: int
    warmup_frames: int
    exact_quantiles: bool
    lag_ns: int = 0
    span_ns: int = 0


class Loss(NamedTuple):
    """A reason for which frames are dropped: its name, how their records end, and the resource whose queue is full."""

    name: str
    status: int
    place: int = -1


def losses_of(plan: Plan, labels: Labels, number: int | None = None) -> list[Loss]:
    """Reasons for which frames of a stream (None: of any) can be dropped."""
    mine = slice(None) if number is None else slice(number, number + 1)
    found = []
    if ((plan.queue_capacity[mine] != UNBOUNDED) & (plan.queue_full[mine] != WhenFull.BLOCK)).any():
        found.append(Loss("queue", Status.DROPPED))
    if (plan.level_last[mine] < plan.stream_exit[1:][mine, None] - 1).any():
        found.append(Loss("given_up", Status.GIVEN_UP))
    if plan.stage_full != WhenFull.BLOCK:
        nodes = np.ones(plan.n_nodes, np.bool_) if number is None else plan.node_stream == number
        limited = (plan.stage_capacity != UNBOUNDED) | (plan.stage_bytes != UNBOUNDED)
        used = np.isin(np.arange(plan.n_resources), plan.node_resource[nodes])
        found += [Loss(labels.resources[r], Status.LOST, int(r)) for r in np.flatnonzero(limited & used)]
    return found


def tally_metrics(
    tally: Tally, exits: Sequence[str], levels: int = 0, losses: Sequence[Loss] = (), features: Sequence[str] = ()
) -> dict[str, float]:
    """Metrics that follow from the frames alone.

    Parameters
    ----------
    tally
        The frames.
    exits
        Names of the exits.
    levels
        Number of levels above level 0.
    losses
        Reasons for which frames can be dropped.
    features
        ``reuse`` if frames can get the answers of others, ``budget`` if tokens can run out.
    """
    return _metrics(tally, exits, tally.by_exit, levels, losses, features)


def _metrics(
    tally: Tally,
    exits: Sequence[str],
    by_exit: Sequence[Histogram],
    levels: int,
    losses: Sequence[Loss],
    features: Sequence[str],
) -> dict[str, float]:
    out = {"latency_ms.mean": tally.latency.mean / NS_PER_MS}
    for name, share in QUANTILES.items():
        out[f"latency_ms.{name}"] = tally.latency.quantile(share) / NS_PER_MS
    out["latency_ms.max"] = tally.latency.largest / NS_PER_MS if tally.answered else NAN
    for part in PARTS:
        out[f"parts_ms.{part}"] = tally.parts_ns[part] / tally.answered / NS_PER_MS if tally.answered else NAN
    for name, histogram in zip(exits, by_exit, strict=True):
        out[f"exit_share.{name}"] = histogram.n / tally.answered if tally.answered else NAN
        out[f"exit_latency_ms.{name}"] = histogram.mean / NS_PER_MS
        out[f"exit_p99_ms.{name}"] = histogram.quantile(0.99) / NS_PER_MS
    if "reuse" in features:
        again = sum(tally.reused.values()) + tally.stale
        out["reuse_share"] = again / tally.answered if tally.answered else NAN
        out["stale_share"] = tally.stale / tally.answered if tally.answered else NAN
    if "budget" in features:
        out["forced_share"] = tally.forced / tally.answered if tally.answered else NAN
    for level in range(levels + 1 if levels else 0):
        count = sum(n for (_, at), n in tally.taken.items() if at == level)
        out[f"level_share.{level}"] = count / tally.answered if tally.answered else NAN
    out["deadline_miss_rate"] = tally.deadline_misses / tally.frames if tally.frames else NAN
    out["drop_rate"] = tally.dropped / tally.frames if tally.frames else NAN
    for loss in losses:
        lost = tally.lost[loss.status, loss.place]
        out[f"drop_rate_by.{loss.name}"] = lost / tally.frames if tally.frames else NAN
    span = tally.last_answer_ns - tally.first_answer_ns
    out["period_ms"] = span / (tally.answered - 1) / NS_PER_MS if tally.answered > 1 else NAN
    out["throughput_fps"] = (tally.answered - 1) * NS_PER_S / span if tally.answered > 1 and span > 0 else NAN
    return out


def _of_all(tally: Tally, plan: Plan, labels: Labels) -> dict[str, float]:
    return tally_metrics(tally, labels.exits, plan.n_levels, losses_of(plan, labels), features_of(plan))


def features_of(plan: Plan, number: int | None = None) -> list[str]:
    """What a stream (None: any) does besides taking its own exits: ``reuse``, ``budget``."""
    mine = slice(None) if number is None else slice(number, number + 1)
    found = {"reuse": plan.reuse_patience, "budget": plan.bucket_most}
    return [name for name, column in found.items() if column[mine].any()]


def replication_metrics(
    plan: Plan, labels: Labels, observation: Observation, accuracy: Sequence[FloatArray | None]
) -> Replication:
    """Metrics of one replication after its warm-up.

    Parameters
    ----------
    plan, labels
        What was simulated.
    observation
        What was seen.
    accuracy
        For each stream, the share of right answers at each level and each exit of its network, (A + 1, exits); None if
        unknown, or known answer by answer.
    """
    tally = observation.tally
    values = _of_all(tally, plan, labels)
    values["accuracy"] = accuracy_of(tally, plan, labels, accuracy)
    spent = window(observation.begin, observation.end)
    values |= metrics_of_streams(plan, labels, tally, spent, accuracy)
    busy = per_resource(plan, spent.busy_ns.sum(axis=1))
    wasted = per_resource(plan, spent.wasted_ns)
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources)
    for r, name in enumerate(labels.resources):
        capacity = spent.now_ns * int(servers[r])
        values[f"utilisation.{name}"] = busy[r] / capacity if capacity else NAN
        values[f"wasted_ms_per_frame.{name}"] = wasted[r] / tally.frames / NS_PER_MS if tally.frames else NAN
        values[f"blocked_share.{name}"] = int(spent.blocked_ns[r]) / capacity if capacity else NAN
    energy = energy_of(plan, spent)
    frames = tally.answered or NAN
    values["energy_mj_per_frame.total"] = energy.total / frames
    for term in TERMS:
        values[f"energy_mj_per_frame.{term}"] = getattr(energy, term) / frames
    values["power_mw"] = energy.total * NS_PER_S / spent.now_ns if spent.now_ns else NAN
    values["energy_delay_mj_ms"] = values["energy_mj_per_frame.total"] * values["latency_ms.mean"]
    return Replication(
        values,
        worst_ns=tally.latency.largest,
        measured_frames=tally.frames,
        warmup_frames=observation.warmup_frames,
        exact_quantiles=tally.latency.is_exact,
        lag_ns=tally.lag_ns,
        span_ns=tally.last_arrival_ns - tally.first_arrival_ns,
    )


def accuracy_of(tally: Tally, plan: Plan, labels: Labels, accuracy: Sequence[FloatArray | None]) -> float:
    """Share of right answers; dropped frames are not answers.

    Counted one by one where that is known, else answers at each exit and level x accuracy there. An answer that was
    used again in the same scene is as good as any of its exit; one that is stale, or that a budget forced, counts as
    wrong.
    """
    stream = plan.exit_stream
    total = sum(tally.right.values()) / tally.answered if tally.answered else 0.0
    for (exit_, level), count in sorted((tally.taken + tally.reused).items()):
        if exit_ in tally.right:
            continue
        table = accuracy[stream[exit_]]
        if table is None:
            return NAN
        total += count / tally.answered * float(table[level, labels.exit_number[exit_] - 1])
    return total if tally.answered else NAN


def metrics_of_streams(
    plan: Plan, labels: Labels, tally: Tally, spent: Counters, accuracy: Sequence[FloatArray | None]
) -> dict[str, float]:
    """Metrics of each stream by itself, named ``stream.NAME.``...; none where there is one without a name.

    Energy is the active part that its own tasks draw: base and idle power belong to the platform.
    """
    out: dict[str, float] = {}
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources)
    for g, (name, own) in enumerate(zip(labels.streams, tally.streams, strict=True)):
        values = stream_metrics(own, plan, labels, g)
        values["accuracy"] = accuracy_of(own, plan, labels, accuracy)
        mine = plan.node_stream == g
        energy = energy_of(plan, spent._replace(busy_ns=np.where(mine[:, None], spent.busy_ns, 0)))
        active = energy.compute + energy.host + energy.transfer
        values["active_energy_mj_per_frame"] = active / own.answered if own.answered else NAN
        busy = per_resource(plan, np.where(mine, spent.busy_ns.sum(axis=1), 0))
        for r, resource in enumerate(labels.resources):
            capacity = spent.now_ns * int(servers[r])
            values[f"utilisation.{resource}"] = busy[r] / capacity if capacity else NAN
        out |= {f"stream.{name}.{key}": value for key, value in values.items()}
    return out


def stream_metrics(tally: Tally, plan: Plan, labels: Labels, number: int) -> dict[str, float]:
    """Metrics of one stream that follow from its frames alone; its exits under their own names."""
    begin, end = int(plan.stream_exit[number]), int(plan.stream_exit[number + 1])
    prefix = f"{labels.streams[number]}/"
    names = [name.removeprefix(prefix) for name in labels.exits[begin:end]]
    losses = losses_of(plan, labels, number)
    features = features_of(plan, number)
    return _metrics(tally, names, tally.by_exit[begin:end], levels_of(plan, number), losses, features)


def levels_of(plan: Plan, number: int) -> int:
    """Levels above level 0 that a stream has."""
    return int((plan.level_up[number] != UNBOUNDED).sum())


def batch_metrics(tally: Tally, plan: Plan, labels: Labels, accuracy: Sequence[FloatArray | None]) -> dict[str, float]:
    """Metrics of one batch of frames, those of each stream included."""
    out = _of_all(tally, plan, labels)
    out["accuracy"] = accuracy_of(tally, plan, labels, accuracy)
    for g, own in enumerate(tally.streams):
        prefix = f"stream.{labels.streams[g]}."
        out |= {prefix + key: value for key, value in stream_metrics(own, plan, labels, g).items()}
        out[f"{prefix}accuracy"] = accuracy_of(own, plan, labels, accuracy)
    return out
