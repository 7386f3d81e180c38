"""What is known of candidates after they ran on plausible boards: shares, regret, what decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from eesim.base import FloatArray
from eesim.metrics.paired import wilson
from eesim.metrics.statistics import Estimate
from eesim.whatif.amounts import amount
from eesim.whatif.metrics import unit
from eesim.whatif.plausible import PlausibleBoards
from eesim.whatif.points import Outcome
from eesim.wording import DataPath, dotted


class Candidate(NamedTuple):
    """One mapping, over all plausible boards."""

    mapping: str
    best: Estimate
    """Share of boards on which it is best, with Wilson's interval."""
    wins: int
    regret_pct: Mapping[str, float | None]
    """How much worse than the best one it is: mean, p95 and max over boards, %."""
    value: Mapping[str, float | None]
    """The metric itself: mean, min and max over boards."""
    meets: Estimate
    """Share of boards on which it meets the scenario's requirements."""
    failures: int
    """Boards on which it could not be simulated."""

    def as_dict(self) -> dict[str, Any]:
        """Return the candidate as plain data."""
        return {
            "mapping": self.mapping,
            "best": self.best.as_dict(),
            "wins": self.wins,
            "regret_pct": dict(self.regret_pct),
            "value": dict(self.value),
            "meets_requirements": self.meets.as_dict(),
            "failures": self.failures,
        }


class Influence(NamedTuple):
    """How an input goes along with the gap between the two candidates that win most."""

    path: str
    correlation: float
    """Spearman's rank correlation with (winner - runner-up); 0 where nothing varies."""


@dataclass(frozen=True)
class Ranking:
    """Candidates on plausible boards.

    Attributes
    ----------
    candidates
        Most frequent winner first.
    metric
        What is compared.
    boards, rejected, ties
        Boards drawn, draws that made no valid board, boards on which two or more were best (the first one listed
        counts).
    influences
        What decides between the first two candidates, strongest first.
    plausible
        Where the boards come from.
    values
        (boards, candidates) the metric; nan where a candidate could not be simulated. Candidates as first listed.
    drawn
        What was drawn for each board.
    frames, replications, confidence, has_requirements, provenance
        Of the runs.
    """

    candidates: tuple[Candidate, ...]
    metric: str
    boards: int
    rejected: int
    ties: int
    influences: tuple[Influence, ...]
    plausible: PlausibleBoards
    listed: tuple[str, ...]
    values: FloatArray
    drawn: tuple[Mapping[DataPath, Any], ...]
    frames: int
    replications: int
    confidence: float
    has_requirements: bool
    provenance: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of ``eesim sensitivity --candidates ... --json`` (docs/what-if.md)."""
        return {
            "schema_version": 1,
            "metric": self.metric,
            "unit": unit(self.metric),
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "boards": self.boards,
            "rejected": self.rejected,
            "ties": self.ties,
            "influences": [influence._asdict() for influence in self.influences],
            "plausible": {"source": self.plausible.source, "paths": self.plausible.paths},
            "frames": self.frames,
            "replications": self.replications,
            "confidence": self.confidence,
            "provenance": dict(self.provenance),
        }


def mean_of(outcome: Outcome, metric: str) -> float:
    """Mean of a metric over an outcome's replications; nan if it could not be simulated."""
    values = (outcome.values or {}).get(metric, ())
    return float(np.mean(values)) if values else float("nan")


def candidate_of(
    name: str,
    wins: np.ndarray[Any, np.dtype[np.bool_]],
    costs: FloatArray,
    least: FloatArray,
    values: FloatArray,
    meets: np.ndarray[Any, np.dtype[np.bool_]],
    level: float,
) -> Candidate:
    """Summarise one candidate.

    Parameters
    ----------
    name
        Its order.
    wins, meets
        (boards,) whether it is best, and whether it meets the requirements.
    costs, least
        (boards,) what is minimised, its own and the best candidate's; inf where it could not be simulated.
    values
        (boards,) the metric.
    level
        Confidence of the intervals.
    """
    known = np.isfinite(costs)
    with np.errstate(divide="ignore", invalid="ignore"):
        regret = 100 * (costs[known] - least[known]) / np.abs(least[known])
    regret = regret[np.isfinite(regret)]
    seen = values[known]
    return Candidate(
        mapping=name,
        best=wilson(int(wins.sum()), len(wins), level),
        wins=int(wins.sum()),
        regret_pct={
            "mean": float(regret.mean()) if len(regret) else None,
            "p95": float(np.quantile(regret, 0.95)) if len(regret) else None,
            "max": float(regret.max()) if len(regret) else None,
        },
        value={
            "mean": float(seen.mean()) if len(seen) else None,
            "min": float(seen.min()) if len(seen) else None,
            "max": float(seen.max()) if len(seen) else None,
        },
        meets=wilson(int(meets.sum()), len(meets), level),
        failures=int((~known).sum()),
    )


def influences_of(drawn: Sequence[Mapping[DataPath, Any]], gap: FloatArray) -> list[Influence]:
    """Rank correlation of every number that was drawn with the gap between two candidates."""
    known = np.isfinite(gap)
    found = []
    for path in drawn[0]:
        numbers = [amount(board[path]) if not isinstance(board[path], bool) else None for board in drawn]
        column = np.array(
            [float(one.number) if one else float(board[path]) if isinstance(board[path], bool) else np.nan
             for one, board in zip(numbers, drawn, strict=True)]
        )  # fmt: skip
        usable = known & np.isfinite(column)
        varies = usable.sum() > 2 and np.ptp(column[usable]) > 0 and np.ptp(gap[usable]) > 0
        rho = float(stats.spearmanr(column[usable], gap[usable]).statistic) if varies else 0.0
        found.append(Influence(dotted(path), rho))
    return sorted(found, key=lambda influence: -abs(influence.correlation))
