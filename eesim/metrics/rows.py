"""Metrics that follow from frames alone, of many tallies at a time: the whole of a replication, then its batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray
from eesim.metrics.tally import PARTS, Cells, Tally
from eesim.plan.plan import Status

NS_PER_MS = 1e6
NS_PER_S = 1e9
QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
EXIT_SHARE = 0.99


class Loss(NamedTuple):
    """A reason for which frames are dropped: its name, how their records end, and the resource whose queue is full."""

    name: str
    status: int
    place: int = -1


class Rows(NamedTuple):
    """Tallies as columns of numbers. Sums of ns are exact until they become these numbers.

    R is the number of tallies, K that of exits, L that of levels (level 0 included). Quantiles mean nothing where there
    are no answers.
    """

    answered: FloatArray
    dropped: FloatArray
    missed: FloatArray
    """(R,) frames that answered, that were dropped, and that answered too late."""
    latency_ns: FloatArray
    """(R,) summed latency."""
    largest_ns: FloatArray
    """(R,) largest latency."""
    quantile_ns: FloatArray
    """(R, 4) quantiles of the latency (`QUANTILES`)."""
    part_ns: FloatArray
    """(R, 4) summed parts of the latency (`PARTS`)."""
    span_ns: FloatArray
    """(R,) time from the first answer to the last."""
    cells: FloatArray
    """(R, K, L) frames' own answers at each exit and level, forced ones included."""
    exit_ns: FloatArray
    """(R, K) summed latency at each exit."""
    exit_p99_ns: FloatArray
    """(R, K) quantile `EXIT_SHARE` of the latency at each exit."""
    judged: FloatArray
    """(K,) 1 for exits whose answers are known to be right or wrong one by one."""
    right: FloatArray
    """(R,) answers that are known to be right."""
    lost: FloatArray
    """(R, S, P) dropped frames by how their records end (`eesim.plan.plan.Status`) and where (-1 first)."""
    again: FloatArray
    """(R, K, L) answers from there that frames of the same scene got, too."""
    stale: FloatArray
    """(R, K) answers from there that frames of another scene got."""
    forced: FloatArray
    """(R, K, L) own answers that a budget forced."""

    def of_exits(self, own: slice) -> Rows:
        """Return the same of some exits, all other columns as they are."""
        return self._replace(
            cells=self.cells[:, own],
            exit_ns=self.exit_ns[:, own],
            exit_p99_ns=self.exit_p99_ns[:, own],
            again=self.again[:, own],
            stale=self.stale[:, own],
            forced=self.forced[:, own],
        )


class OfPlan(NamedTuple):
    """Cells sorted by exits and levels of the plan; the columns of `Rows` of these names."""

    cells: FloatArray
    judged: FloatArray
    again: FloatArray
    stale: FloatArray
    forced: FloatArray


def of_plan(cells: FloatArray, judged: FloatArray, of: Cells) -> OfPlan:
    """Sort answers in all cells, (R, K', L'), and exits that are judged, (K',), by exits and levels of the plan."""
    n_exits, n_levels = of.plan_exits or of.n_exits, of.plan_levels or of.n_levels
    own, forced = cells[:, :, :n_levels], np.zeros((len(cells), n_exits, n_levels))
    if of.plan_levels:
        forced = cells[:, :n_exits, n_levels:]
    again, stale = np.zeros_like(forced), np.zeros((len(cells), n_exits))
    if of.plan_exits:
        again = own[:, n_exits : 2 * n_exits]
        stale = own[:, 2 * n_exits :].sum(axis=2)
        judged = judged.reshape(-1, n_exits).max(axis=0)
    return OfPlan(own[:, :n_exits] + forced, judged, again, stale, forced)


def rows_of(tallies: Sequence[Tally], of: Cells) -> Rows:
    """Return tallies as rows."""
    n_exits = of.n_exits
    cells, lost = np.zeros((len(tallies), n_exits, of.n_levels)), np.zeros((len(tallies), len(Status), of.n_places))
    judged = np.zeros(n_exits)
    for r, tally in enumerate(tallies):
        for (exit_, level), count in tally.taken.items():
            cells[r, exit_, level] = count
        for (status, place), count in tally.lost.items():
            lost[r, status, place + 1] = count
        judged[[exit_ for exit_ in tally.right if exit_ >= 0]] = 1
    own = of_plan(cells, judged, of)
    n_plan = len(own.judged)
    latency, exits = [tally.latency for tally in tallies], [tally.by_exit for tally in tallies]
    return Rows(
        np.array([tally.answered for tally in tallies], float),
        np.array([tally.dropped for tally in tallies], float),
        np.array([tally.missed for tally in tallies], float),
        np.array([one.total for one in latency], float),
        np.array([one.largest for one in latency], float),
        np.array([[one.quantile(share) for share in QUANTILES.values()] for one in latency]),
        np.array([[tally.parts_ns[part] for part in PARTS] for tally in tallies], float),
        np.array([tally.last_answer_ns - tally.first_answer_ns for tally in tallies], float),
        own.cells,
        np.array([[one.total for one in row[:n_plan]] for row in exits], float).reshape(len(tallies), n_plan),
        np.array([[one.quantile(EXIT_SHARE) for one in row[:n_plan]] for row in exits]).reshape(len(tallies), n_plan),
        own.judged,
        np.array([sum(tally.right.values()) for tally in tallies], float),
        lost,
        own.again,
        own.stale,
        own.forced,
    )


def _per(totals: FloatArray, counts: FloatArray) -> FloatArray:
    """Totals by counts; nan where nothing was counted."""
    return np.where(counts > 0, totals / counts, np.nan)


def columns(
    rows: Rows, exits: Sequence[str], levels: int, losses: Sequence[Loss], features: Sequence[str] = ()
) -> dict[str, FloatArray]:
    """Metrics of each tally, by name, (R,) each.

    ``levels`` is the number of levels above level 0; ``features`` are ``reuse`` if frames can get the answers of
    others, ``budget`` if tokens can run out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        out = _columns(rows, exits, levels, losses)
        stale = rows.stale.sum(axis=1)
        if "reuse" in features:
            out["reuse_share"] = _per(rows.again.sum(axis=(1, 2)) + stale, rows.answered)
            out["stale_share"] = _per(stale, rows.answered)
        if "budget" in features:
            out["forced_share"] = _per(rows.forced.sum(axis=(1, 2)), rows.answered)
    return out


def _columns(rows: Rows, exits: Sequence[str], levels: int, losses: Sequence[Loss]) -> dict[str, FloatArray]:
    answered, frames = rows.answered, rows.answered + rows.dropped
    has_answers = (answered > 0)[:, None]
    out = {"latency_ms.mean": _per(rows.latency_ns, answered) / NS_PER_MS}
    quantiles = np.where(has_answers, rows.quantile_ns, np.nan) / NS_PER_MS
    out |= {f"latency_ms.{name}": quantiles[:, q] for q, name in enumerate(QUANTILES)}
    out["latency_ms.max"] = np.where(answered > 0, rows.largest_ns, np.nan) / NS_PER_MS
    parts = _per(rows.part_ns, answered[:, None]) / NS_PER_MS
    out |= {f"parts_ms.{part}": parts[:, i] for i, part in enumerate(PARTS)}
    at_exit = rows.cells.sum(axis=2)
    shares, means = _per(at_exit, answered[:, None]), _per(rows.exit_ns, at_exit) / NS_PER_MS
    p99 = np.where(at_exit > 0, rows.exit_p99_ns, np.nan) / NS_PER_MS
    for e, name in enumerate(exits):
        out[f"exit_share.{name}"] = shares[:, e]
        out[f"exit_latency_ms.{name}"] = means[:, e]
        out[f"exit_p99_ms.{name}"] = p99[:, e]
    if levels:
        at_level = _per(rows.cells.sum(axis=1), answered[:, None])
        out |= {f"level_share.{level}": at_level[:, level] for level in range(levels + 1)}
    out["deadline_miss_rate"] = _per(rows.missed + rows.dropped, frames)
    out["drop_rate"] = _per(rows.dropped, frames)
    out |= {f"drop_rate_by.{of.name}": _per(rows.lost[:, of.status, of.place + 1], frames) for of in losses}
    out["period_ms"] = _per(rows.span_ns, answered - 1) / NS_PER_MS
    is_timed = (answered > 1) & (rows.span_ns > 0)
    out["throughput_fps"] = np.where(is_timed, (answered - 1) * NS_PER_S / rows.span_ns, np.nan)
    return out


def accuracy(
    rows: Rows, tables: Sequence[FloatArray | None], exit_stream: Sequence[int], exit_number: Sequence[int]
) -> FloatArray:
    """Share of right answers of each tally, (R,); dropped frames are not answers.

    Counted one by one where that is known, else answers at each exit and level x accuracy there. An answer that was
    used again in the same scene is as good as any of its exit; one that is stale, or that a budget forced, counts as
    wrong.

    Parameters
    ----------
    rows
        Tallies with all exits of the plan.
    tables
        For each stream, the share of right answers at each level and each exit of its network, (A + 1, exits); None if
        unknown, or known answer by answer.
    exit_stream, exit_number
        Stream of each exit, and its 1-based number in its network.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(rows.answered > 0, rows.right / rows.answered, 0.0)
        sure = rows.cells - rows.forced + rows.again
        shares = sure / rows.answered[:, None, None]
    for exit_, level in zip(*np.nonzero((rows.cells + rows.again).any(axis=0)), strict=True):
        if rows.judged[exit_]:
            continue
        table = tables[exit_stream[exit_]]
        worth = np.nan if table is None else table[level, exit_number[exit_] - 1]
        total = total + np.where(sure[:, exit_, level] > 0, shares[:, exit_, level] * worth, 0.0)
    return np.where(rows.answered > 0, total, np.nan)
