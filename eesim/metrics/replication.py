"""The metrics of one replication, as plain numbers; what every summary, search and comparison is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.engine.protocol import Counters
from eesim.metrics.energy import TERMS, energy_of, per_resource, window
from eesim.metrics.observe import Observation
from eesim.metrics.tally import PARTS, Tally
from eesim.plan.lower import Labels
from eesim.plan.plan import UNBOUNDED, Plan

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


def tally_metrics(tally: Tally, exits: Sequence[str], levels: int = 0) -> dict[str, float]:
    """Metrics that follow from the frames alone; ``levels`` is the number of levels above level 0."""
    return _first(_columns([tally], exits, slice(None), levels))


def _first(columns: dict[str, list[float]]) -> dict[str, float]:
    return {name: values[0] for name, values in columns.items()}


def _per(totals: Iterable[float], counts: Iterable[int]) -> list[float]:
    return [total / n if n else NAN for total, n in zip(totals, counts, strict=True)]


def _in_ms(values: Iterable[float]) -> list[float]:
    return [value / NS_PER_MS for value in values]


def _columns(tallies: Sequence[Tally], exits: Sequence[str], own: slice, levels: int) -> dict[str, list[float]]:
    """Metrics that follow from the frames alone: a number for each tally, of exits ``own``, which have these names."""
    answered = [tally.answered for tally in tallies]
    latency = [tally.latency for tally in tallies]
    out = {"latency_ms.mean": _in_ms([of.mean for of in latency])}
    for name, share in QUANTILES.items():
        out[f"latency_ms.{name}"] = _in_ms([of.quantile(share) for of in latency])
    out["latency_ms.max"] = [of.largest / NS_PER_MS if n else NAN for of, n in zip(latency, answered, strict=True)]
    for part in PARTS:
        out[f"parts_ms.{part}"] = _in_ms(_per([tally.parts_ns[part] for tally in tallies], answered))
    by_exit = zip(*(tally.by_exit[own] for tally in tallies), strict=True)
    for name, at_exit in zip(exits, by_exit, strict=True):
        out[f"exit_share.{name}"] = _per([of.n for of in at_exit], answered)
        out[f"exit_latency_ms.{name}"] = _in_ms([of.mean for of in at_exit])
        out[f"exit_p99_ms.{name}"] = _in_ms([of.quantile(0.99) for of in at_exit])
    for level in range(levels + 1 if levels else 0):
        counts = [sum(n for (_, at), n in tally.taken.items() if at == level) for tally in tallies]
        out[f"level_share.{level}"] = _per(counts, answered)
    frames = [tally.frames for tally in tallies]
    out["deadline_miss_rate"] = _per([tally.deadline_misses for tally in tallies], frames)
    out["drop_rate"] = _per([tally.dropped for tally in tallies], frames)
    gaps = [max(n - 1, 0) for n in answered]
    spans = [tally.last_answer_ns - tally.first_answer_ns for tally in tallies]
    out["period_ms"] = _in_ms(_per(spans, gaps))
    out["throughput_fps"] = [
        n * NS_PER_S / span if n and span > 0 else NAN for n, span in zip(gaps, spans, strict=True)
    ]
    return out


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
    values = tally_metrics(tally, labels.exits, plan.n_levels)
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

    Counted one by one where that is known, else answers at each exit and level x accuracy there.
    """
    return _accuracy_of(tally, plan.exit_stream.tolist(), labels, accuracy)


def _accuracy_of(tally: Tally, stream: Sequence[int], labels: Labels, accuracy: Sequence[FloatArray | None]) -> float:
    """`accuracy_of`, with the stream of each exit."""
    total = sum(tally.right.values()) / tally.answered if tally.answered else 0.0
    for (exit_, level), count in sorted(tally.taken.items()):
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
    return _first(_columns_of_stream([tally], plan, labels, number))


def _columns_of_stream(tallies: Sequence[Tally], plan: Plan, labels: Labels, number: int) -> dict[str, list[float]]:
    own = slice(int(plan.stream_exit[number]), int(plan.stream_exit[number + 1]))
    prefix = f"{labels.streams[number]}/"
    names = [name.removeprefix(prefix) for name in labels.exits[own]]
    return _columns(tallies, names, own, levels_of(plan, number))


def levels_of(plan: Plan, number: int) -> int:
    """Levels above level 0 that a stream has."""
    return int((plan.level_up[number] != UNBOUNDED).sum())


def batch_metrics(
    batches: Sequence[Tally], plan: Plan, labels: Labels, accuracy: Sequence[FloatArray | None]
) -> dict[str, list[float]]:
    """Metrics of those batches in which frames ended, those of each stream included: a number for each batch."""
    tallies = [tally for tally in batches if tally.frames]
    if not tallies:
        return {}
    out = _columns(tallies, labels.exits, slice(None), plan.n_levels)
    stream = plan.exit_stream.tolist()
    out["accuracy"] = [_accuracy_of(tally, stream, labels, accuracy) for tally in tallies]
    for g, name in enumerate(labels.streams if tallies[0].streams else ()):
        own = [tally.streams[g] for tally in tallies]
        columns = _columns_of_stream(own, plan, labels, g)
        columns["accuracy"] = [_accuracy_of(tally, stream, labels, accuracy) for tally in own]
        out |= {f"stream.{name}.{key}": values for key, values in columns.items()}
    return out
