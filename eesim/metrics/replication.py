"""The metrics of one replication, as plain numbers; what every summary, search and comparison is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from eesim.engine import kernel_tally as k
from eesim.metrics.energy import TERMS, energy_of, per_resource, window
from eesim.metrics.observe import Observation
from eesim.metrics.tallies import Batches
from eesim.metrics.tally import PARTS, Tally
from eesim.plan.lower import Labels
from eesim.plan.plan import Plan

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


def tally_metrics(tally: Tally, exits: Sequence[str]) -> dict[str, float]:
    """Metrics that follow from the frames alone."""
    out = {"latency_ms.mean": tally.latency.mean / NS_PER_MS}
    for name, share in QUANTILES.items():
        out[f"latency_ms.{name}"] = tally.latency.quantile(share) / NS_PER_MS
    out["latency_ms.max"] = tally.latency.largest / NS_PER_MS if tally.answered else NAN
    for part in PARTS:
        out[f"parts_ms.{part}"] = tally.parts_ns[part] / tally.answered / NS_PER_MS if tally.answered else NAN
    for name, histogram in zip(exits, tally.by_exit, strict=True):
        out[f"exit_share.{name}"] = histogram.n / tally.answered if tally.answered else NAN
        out[f"exit_latency_ms.{name}"] = histogram.mean / NS_PER_MS
        out[f"exit_p99_ms.{name}"] = histogram.quantile(0.99) / NS_PER_MS
    out["deadline_miss_rate"] = tally.deadline_misses / tally.frames if tally.frames else NAN
    out["drop_rate"] = tally.dropped / tally.frames if tally.frames else NAN
    span = tally.last_answer_ns - tally.first_answer_ns
    out["period_ms"] = span / (tally.answered - 1) / NS_PER_MS if tally.answered > 1 else NAN
    out["throughput_fps"] = (tally.answered - 1) * NS_PER_S / span if tally.answered > 1 and span > 0 else NAN
    return out


def batch_metrics(batches: Sequence[Tally], exits: Sequence[str]) -> dict[str, list[float]]:
    """`tally_metrics` of those batches in which frames ended: for each metric, a number per batch."""
    if isinstance(batches, Batches):
        return _metrics_of_rows(batches, exits)
    rows = [tally_metrics(tally, exits) for tally in batches if tally.frames]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _metrics_of_rows(batches: Batches, exits: Sequence[str]) -> dict[str, list[float]]:
    """The same from the rows of numbers that `Batches` holds, column by column."""
    used = [b for b, row in enumerate(batches.sums) if row[k.N_ANSWERED] + row[k.N_DROPPED]]
    if not used:
        return {}
    columns = list(zip(*(batches.sums[b] for b in used), strict=True))
    answered, dropped, missed = columns[k.N_ANSWERED], columns[k.N_DROPPED], columns[k.N_MISSED]

    def per(totals: Iterable[float], counts: Iterable[int]) -> list[float]:
        return [total / n if n else NAN for total, n in zip(totals, counts, strict=True)]

    def in_ms(values: Iterable[float]) -> list[float]:
        return [value / NS_PER_MS for value in values]

    def known(values: Iterable[float], counts: Iterable[int]) -> list[float]:
        return [value / NS_PER_MS if n else NAN for value, n in zip(values, counts, strict=True)]

    latency, frames = columns[k.SUM_LATENCY], [a + d for a, d in zip(answered, dropped, strict=True)]
    parts = [columns[k.SUM_QUEUEING], columns[k.SUM_SERVICE], columns[k.SUM_TRANSFER]]
    parts.append(tuple(total - sum(row) for total, *row in zip(latency, *parts, strict=True)))
    out = {"latency_ms.mean": in_ms(per(latency, answered))}
    for q, name in enumerate(QUANTILES):
        out[f"latency_ms.{name}"] = known([batches.quantiles[b][q] for b in used], answered)
    out["latency_ms.max"] = known(columns[k.LARGEST], answered)
    for part, totals in zip(PARTS, parts, strict=True):
        out[f"parts_ms.{part}"] = in_ms(per(totals, answered))
    for e, name in enumerate(exits):
        counts = [batches.by_exit[b][e][0] for b in used]
        out[f"exit_share.{name}"] = per(counts, answered)
        out[f"exit_latency_ms.{name}"] = in_ms(per([batches.by_exit[b][e][1] for b in used], counts))
        out[f"exit_p99_ms.{name}"] = known([batches.exit_p99[b][e] for b in used], counts)
    out["deadline_miss_rate"] = per([m + d for m, d in zip(missed, dropped, strict=True)], frames)
    out["drop_rate"] = per(dropped, frames)
    gaps = [a - 1 if a > 1 else 0 for a in answered]
    spans = [b - a for a, b in zip(columns[k.FIRST_ANSWER], columns[k.LAST_ANSWER], strict=True)]
    out["period_ms"] = in_ms(per(spans, gaps))
    out["throughput_fps"] = [
        n * NS_PER_S / span if n and span > 0 else NAN for n, span in zip(gaps, spans, strict=True)
    ]
    return out


def replication_metrics(
    plan: Plan, labels: Labels, observation: Observation, accuracy: Sequence[float] | None
) -> Replication:
    """Metrics of one replication after its warm-up.

    Parameters
    ----------
    plan, labels
        What was simulated.
    observation
        What was seen.
    accuracy
        Share of right answers at each exit of the network; None if unknown.
    """
    tally = observation.tally
    values = tally_metrics(tally, labels.exits)
    values["accuracy"] = _accuracy(values, labels, accuracy)
    spent = window(observation.begin, observation.end)
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


def _accuracy(values: dict[str, float], labels: Labels, accuracy: Sequence[float] | None) -> float:
    """Shares of the exits that answered x accuracy there; dropped frames are not answers."""
    if accuracy is None:
        return NAN
    return sum(
        values[f"exit_share.{name}"] * float(accuracy[number - 1])
        for name, number in zip(labels.exits, labels.exit_number, strict=True)
    )
