"""The metrics of one replication, as plain numbers; what every summary, search and comparison is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.engine.protocol import Counters
from eesim.metrics.energy import TERMS, energy_of, per_resource, window
from eesim.metrics.observe import Observation
from eesim.metrics.rows import NS_PER_MS, NS_PER_S, QUANTILES, Loss, Rows, columns, rows_of
from eesim.metrics.rows import accuracy as accuracy_of
from eesim.metrics.tally import Cells, Tally
from eesim.plan.lower import Labels
from eesim.plan.plan import UNBOUNDED, Plan, Status, WhenFull

__all__ = ["NS_PER_MS", "NS_PER_S", "QUANTILES", "Metrics", "Replication", "replication_metrics", "tally_metrics"]

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


def batching_of(plan: Plan, labels: Labels) -> dict[str, int]:
    """Resources that serve tasks together, by name."""
    return {labels.resources[r]: r for r in np.unique(plan.node_resource[plan.node_batch > 1]).tolist()}


class Metrics(NamedTuple):
    """The metrics of one replication, and of its batches."""

    replication: Replication
    batches: Mapping[str, FloatArray]
    """A number for each batch in which frames ended, of the metrics that follow from the frames alone."""


def tally_metrics(tally: Tally, cells: Cells, exits: Sequence[str], losses: Sequence[Loss] = ()) -> dict[str, float]:
    """Metrics that follow from the frames alone."""
    found = columns(rows_of([tally], cells), exits, cells.n_levels - 1, losses)
    return {name: float(values[0]) for name, values in found.items()}


def features_of(plan: Plan, number: int | None = None) -> list[str]:
    """What a stream (None: any) does besides taking its own exits: ``reuse``, ``budget``."""
    mine = slice(None) if number is None else slice(number, number + 1)
    found = {"reuse": plan.reuse_patience, "budget": plan.bucket_most}
    return [name for name, column in found.items() if column[mine].any()]


def replication_metrics(
    plan: Plan, labels: Labels, observation: Observation, accuracy: Sequence[FloatArray | None]
) -> Metrics:
    """Metrics of one replication after its warm-up, and of its batches.

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
    tally, spent = observation.tally, window(observation.begin, observation.end)
    exit_stream = plan.exit_stream.tolist()
    told = columns(observation.rows, labels.exits, plan.n_levels, losses_of(plan, labels), features_of(plan))
    told["accuracy"] = accuracy_of(observation.rows, accuracy, exit_stream, labels.exit_number)
    for g, rows in enumerate(observation.stream_rows):
        prefix = f"stream.{labels.streams[g]}."
        told |= {prefix + name: column for name, column in _columns_of_stream(rows, plan, labels, g).items()}
        told[f"{prefix}accuracy"] = accuracy_of(rows, accuracy, exit_stream, labels.exit_number)
    table = np.array(list(told.values()))
    values = dict(zip(told, table[:, 0].tolist(), strict=True))
    for g in range(len(observation.stream_rows)):
        values |= _work_of_stream(plan, labels, spent, g, int(observation.stream_rows[g].answered[0]))
    busy = per_resource(plan, spent.busy_ns.sum(axis=1))
    wasted = per_resource(plan, spent.wasted_ns)
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources)
    for r, name in enumerate(labels.resources):
        capacity = spent.now_ns * int(servers[r])
        values[f"utilisation.{name}"] = busy[r] / capacity if capacity else NAN
        values[f"wasted_ms_per_frame.{name}"] = wasted[r] / tally.frames / NS_PER_MS if tally.frames else NAN
        values[f"blocked_share.{name}"] = int(spent.blocked_ns[r]) / capacity if capacity else NAN
    for name, r in batching_of(plan, labels).items():
        begun = int(spent.batches[r])
        values[f"batch_size.{name}"] = int(spent.batched[r]) / begun if begun else NAN
    energy = energy_of(plan, spent)
    frames = tally.answered or NAN
    values["energy_mj_per_frame.total"] = energy.total / frames
    for term in TERMS:
        values[f"energy_mj_per_frame.{term}"] = getattr(energy, term) / frames
    values["power_mw"] = energy.total * NS_PER_S / spent.now_ns if spent.now_ns else NAN
    values["energy_delay_mj_ms"] = values["energy_mj_per_frame.total"] * values["latency_ms.mean"]
    ended = observation.rows.answered + observation.rows.dropped > 0
    ended[0] = False
    found = Replication(
        values,
        worst_ns=tally.latency.largest,
        measured_frames=tally.frames,
        warmup_frames=observation.warmup_frames,
        exact_quantiles=tally.latency.is_exact,
        lag_ns=tally.lag_ns,
        span_ns=tally.last_arrival_ns - tally.first_arrival_ns,
    )
    return Metrics(found, dict(zip(told, table[:, ended], strict=True)) if ended.any() else {})


def _work_of_stream(plan: Plan, labels: Labels, spent: Counters, number: int, answered: int) -> dict[str, float]:
    """What one stream's tasks take of the platform.

    Energy is the active part that its own tasks draw: base and idle power belong to the platform.
    """
    prefix = f"stream.{labels.streams[number]}."
    servers = np.bincount(plan.server_resource, minlength=plan.n_resources)
    mine = plan.node_stream == number
    energy = energy_of(plan, spent._replace(busy_ns=np.where(mine[:, None], spent.busy_ns, 0)))
    active = energy.compute + energy.host + energy.transfer
    out = {f"{prefix}active_energy_mj_per_frame": active / answered if answered else NAN}
    busy = per_resource(plan, np.where(mine, spent.busy_ns.sum(axis=1), 0))
    for r, resource in enumerate(labels.resources):
        capacity = spent.now_ns * int(servers[r])
        out[f"{prefix}utilisation.{resource}"] = busy[r] / capacity if capacity else NAN
    return out


def _columns_of_stream(rows: Rows, plan: Plan, labels: Labels, number: int) -> dict[str, FloatArray]:
    """Metrics of one stream that follow from its frames alone; its exits under their own names."""
    own = slice(int(plan.stream_exit[number]), int(plan.stream_exit[number + 1]))
    prefix = f"{labels.streams[number]}/"
    names = [name.removeprefix(prefix) for name in labels.exits[own]]
    losses, features = losses_of(plan, labels, number), features_of(plan, number)
    return columns(rows.of_exits(own), names, levels_of(plan, number), losses, features)


def levels_of(plan: Plan, number: int) -> int:
    """Levels above level 0 that a stream has."""
    return int((plan.level_up[number] != UNBOUNDED).sum())
