"""Which of several mappings is best, and on how many of the boards that may be true?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from eesim.engine.simulate import EngineName
from eesim.errors import InputError, Problem
from eesim.evaluate import trace_digests
from eesim.metrics.paired import ROUNDING
from eesim.provenance import digest, provenance
from eesim.scenario.load import Scenario
from eesim.scenario.sensitivity import SensitivitySpec
from eesim.whatif.metrics import checked, is_larger_better
from eesim.whatif.plausible import PlausibleBoards, draw, own_plausible, read_plausible
from eesim.whatif.points import Laboratory, Outcome, Point, StartProgress, evaluate_points
from eesim.whatif.ranking import Ranking, candidate_of, influences_of, mean_of
from eesim.wording import DataPath

TRIES = 20
"""Draws per board that is wanted, after which so few valid ones were found that the intervals must be wrong."""

SEGMENTS: DataPath = ("mapping", "segments")


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
    progress: StartProgress | None = None,
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
    if scenario.members:
        message = f"{len(scenario.members)} streams share the platform, and a candidate is a mapping of one stream"
        problems.append(Problem("--candidates", 0, "", message))
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
    sign = -1 if is_larger_better(metric) else 1
    values = np.array([[mean_of(outcome, metric) for outcome in row] for row in table])
    costs = np.where(np.isfinite(values), sign * values, np.inf)
    least = costs.min(axis=1)
    solved = np.isfinite(least)
    tied = (costs <= least[:, None] + ROUNDING * np.abs(np.where(solved, least, 0))[:, None]) & solved[:, None]
    winner = np.where(solved, tied.argmax(axis=1), -1)
    level = scenario.spec.run.confidence
    meets = np.array([[outcome.values is not None and outcome.meets for outcome in row] for row in table])
    rows = [
        candidate_of(name, winner == c, costs[:, c], least, values[:, c], meets[:, c], level)
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
        influences=tuple(influences_of(drawn, costs[:, first] - costs[:, second])),
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
