"""Which of several mappings is best, and on how many of the boards that may be true?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from eesim.base import FloatArray
from eesim.engine.simulate import EngineName
from eesim.errors import InputError, Problem
from eesim.evaluate import trace_digests
from eesim.metrics.paired import ROUNDING, wilson
from eesim.metrics.statistics import Estimate
from eesim.provenance import digest, provenance
from eesim.scenario.load import Scenario
from eesim.scenario.sensitivity import SensitivitySpec
from eesim.whatif.amounts import amount
from eesim.whatif.metrics import LARGER_IS_BETTER, checked, unit
from eesim.whatif.plausible import PlausibleBoards, draw, own_plausible, read_plausible
from eesim.whatif.points import Laboratory, Outcome, Point, evaluate_points
from eesim.wording import DataPath, dotted

TRIES = 20
"""Draws per board that is wanted, after which so few valid ones were found that the intervals must be wrong."""

SEGMENTS: DataPath = ("mapping", "segments")


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


def rank_candidates(
    scenario: Scenario,
    candidates: Sequence[Any] | None = None,
    plausible: str | None = None,
    *,
    boards: int | None = None,
    metric: str | None = None,
    frames: int | None = None,
    replications: int | None = None,
    seed: int | None = None,
    engine: EngineName = "compiled",
    progress: Callable[[str, int], Callable[[int], None] | None] | None = None,
) -> Ranking:
    """Draw plausible boards, and see on how many of them each candidate is best.

    All candidates on all boards see the same frames.

    Parameters
    ----------
    scenario
        What the candidates are mappings of; its ``sensitivity:`` section counts where an argument is left out.
    candidates
        Mappings of segments, as under ``mapping.segments``: order strings, lists or tables. At least two.
    plausible
        File of intervals (YAML) or of draws (CSV), see docs/what-if.md.
    boards
        How many to draw (of a file of draws: its first rows).
    metric
        What is best: smallest, but for throughput and accuracy.
    frames, replications, seed, engine, progress
        As in `eesim.sensitivity`.

    Raises
    ------
    InputError
        If candidates or boards are missing or wrong.
    """
    spec = scenario.spec.sensitivity or SensitivitySpec()
    chosen = list(candidates or spec.candidates or ())
    source = plausible if plausible is not None else own_plausible(scenario)
    problems = []
    if len(chosen) < 2:
        problems.append(Problem("--candidates", 0, "", "needs at least two mappings to choose from"))
    if source is None:
        message = "candidates are ranked on plausible boards: say which (--plausible FILE, or sensitivity.plausible)"
        problems.append(Problem("--plausible", 0, "", message))
    if problems or source is None:
        raise InputError(problems)
    boards_of = read_plausible(scenario, source)
    laboratory = Laboratory(
        scenario,
        frames=frames or spec.frames,
        replications=replications or spec.replications,
        seed=seed,
        engine=engine,
    )
    names = _check_candidates(laboratory, chosen)
    (name,) = checked([metric or spec.metrics[0]], laboratory.outcome.values or {}, "--metric")
    drawn, rejected = _drawn(laboratory, boards_of, boards or spec.draws)
    points = [Point((*board.items(), (SEGMENTS, one))) for board in drawn for one in map(_plain, chosen)]
    outcomes = evaluate_points(laboratory, points, progress("boards x candidates", len(points)) if progress else None)
    table = [outcomes[i : i + len(chosen)] for i in range(0, len(outcomes), len(chosen))]
    return _ranking(laboratory, scenario, boards_of, names, name, drawn, rejected, table)


def _plain(candidate: Any) -> Any:
    return list(candidate) if isinstance(candidate, tuple) else candidate


def _check_candidates(laboratory: Laboratory, candidates: Sequence[Any]) -> list[str]:
    """Return the candidates' order strings; the problems of all of them are reported together."""
    names, problems = [], []
    for candidate in candidates:
        try:
            name = laboratory.variant(Point(((SEGMENTS, _plain(candidate)),))).mapping.order
        except InputError as error:
            problems += [Problem("--candidates", 0, str(candidate), problem.message) for problem in error.problems]
            continue
        if name in names:
            problems.append(Problem("--candidates", 0, name, "is listed twice"))
        names.append(name)
    if problems:
        raise InputError(problems)
    return names


def _drawn(laboratory: Laboratory, boards: PlausibleBoards, count: int) -> tuple[list[dict[DataPath, Any]], int]:
    """Draw valid boards; return them and how many draws made none."""
    rng = np.random.default_rng(np.random.SeedSequence(laboratory.seed, spawn_key=(0, 4)))
    found: list[dict[DataPath, Any]] = []
    rejected = 0
    for board in islice(draw(boards, laboratory.base, rng), TRIES * count):
        try:
            laboratory.variant(Point(tuple(board.items())))
        except InputError as error:
            rejected += 1
            if boards.draws or (rejected >= TRIES and not found):
                raise InputError(
                    [Problem(boards.source, 0, p.path, p.message, p.hint) for p in error.problems]
                ) from None
            continue
        found.append(board)
        if len(found) == count:
            break
    return found, rejected


def _ranking(
    laboratory: Laboratory,
    scenario: Scenario,
    boards: PlausibleBoards,
    names: Sequence[str],
    metric: str,
    drawn: Sequence[Mapping[DataPath, Any]],
    rejected: int,
    table: Sequence[Sequence[Outcome]],
) -> Ranking:
    sign = -1 if metric in LARGER_IS_BETTER else 1
    values = np.array([[_mean(outcome, metric) for outcome in row] for row in table])
    costs = np.where(np.isfinite(values), sign * values, np.inf)
    least = costs.min(axis=1)
    solved = np.isfinite(least)
    tied = (costs <= least[:, None] + ROUNDING * np.abs(np.where(solved, least, 0))[:, None]) & solved[:, None]
    winner = np.where(solved, tied.argmax(axis=1), -1)
    level = scenario.spec.run.confidence
    meets = np.array([[outcome.values is not None and outcome.meets for outcome in row] for row in table])
    rows = [
        _candidate(name, winner == c, costs[:, c], least, values[:, c], meets[:, c], level)
        for c, name in enumerate(names)
    ]
    order = sorted(range(len(rows)), key=lambda c: (-rows[c].wins, rows[c].regret_pct["mean"] or np.inf, c))
    first, second = order[0], order[1]
    digests = trace_digests(scenario) | {"plausible": digest({".".join(map(str, p)): str(v) for p, v in _told(boards)})}
    return Ranking(
        candidates=tuple(rows[c] for c in order),
        metric=metric,
        boards=len(drawn),
        rejected=rejected,
        ties=int((tied.sum(axis=1) > 1).sum()),
        influences=tuple(_influences(drawn, costs[:, first] - costs[:, second])),
        plausible=boards,
        listed=tuple(names),
        values=values,
        drawn=tuple(drawn),
        frames=laboratory.frames,
        replications=laboratory.replications,
        confidence=level,
        has_requirements=bool(scenario.spec.requirements.model_fields_set),
        provenance=provenance(
            scenario.documents, scenario.files, digests, seed=laboratory.seed, replications=laboratory.replications
        ),
    )


def _told(boards: PlausibleBoards) -> list[tuple[DataPath, Any]]:
    return list(boards.terms.items()) if boards.terms else [((str(i),), row) for i, row in enumerate(boards.draws)]


def _mean(outcome: Outcome, metric: str) -> float:
    values = (outcome.values or {}).get(metric, ())
    return float(np.mean(values)) if values else float("nan")


def _candidate(
    name: str,
    wins: np.ndarray[Any, np.dtype[np.bool_]],
    costs: FloatArray,
    least: FloatArray,
    values: FloatArray,
    meets: np.ndarray[Any, np.dtype[np.bool_]],
    level: float,
) -> Candidate:
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


def _influences(drawn: Sequence[Mapping[DataPath, Any]], gap: FloatArray) -> list[Influence]:
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
