"""From the scenario's `explore:` section to the certified answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.explore.exploration import Exploration, choose, explore
from eesim.explore.outcome import Status
from eesim.explore.search import Search
from tests.scenarios import FAR_APART, camera
from tests.test_explore.spaces import ANYWHERE, BUSY, ISSUE, camera_space

GPU_SLOWS_BIG = {"physics.contention": True, "board.contention.pairs": {"B": {"G": 1.6}}}
ALGORITHMS = ("exhaustive", "branch-and-bound", "ga", "random")


def search(explore_: dict[str, Any] = {}, changes: dict[str, Any] = FAR_APART, **options: Any) -> Exploration:  # noqa: B006
    return explore(camera({**changes, "explore": {**ISSUE, **explore_}}), **{"confirm": False, **options})


def feasible(found: Exploration) -> int:
    return int((found.search.memo.violation == 0).sum())


# -- the smallest form --------------------------------------------------------------------------------------


def test_the_smallest_form_is_proven() -> None:
    found = search()
    assert found.describe()["mapping"] == "BGBGLGL"
    assert found.describe()["mean_latency"] == pytest.approx(15.168241, abs=1e-6)
    assert (feasible(found), found.search.evaluations) == (852, 2187)
    assert found.algorithm == "exhaustive"
    assert found.certificate.kind == "proven optimum"
    assert found.certificate.proven_optimal
    assert found.rejected == {"worst_latency": 2187 - 852, "runs": 0}


def test_with_the_slowdown_of_the_big_cluster_the_published_mapping_is_best() -> None:
    found = search(changes={**FAR_APART, **GPU_SLOWS_BIG})
    assert found.describe()["mapping"] == "BGLGLGL"
    assert found.describe()["mean_latency"] == pytest.approx(15.276699, abs=1e-6)
    assert feasible(found) == 737


def test_the_published_objective_gives_the_published_mapping() -> None:
    found = search({"objective": "ga_py"}, {**FAR_APART, **GPU_SLOWS_BIG})
    assert found.describe()["mapping"] == "BGLGLGL"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_finds_the_best_when_the_budget_is_the_space(algorithm: Any) -> None:
    found = search(algorithm=algorithm, evaluations=2187)
    assert found.describe()["mapping"] == "BGBGLGL"
    assert found.certificate.kind == "proven optimum"


# -- choices ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("explore_", "wanted"),
    [
        ({}, "exhaustive"),
        ({"objective": ["mean_latency", "energy"]}, "exhaustive"),
        ({"opp": {"B": "all", "L": "all", "G": "all"}}, "branch-and-bound"),
        ({"opp": {"B": "all", "L": "all", "G": "all"}, "objective": "throughput"}, "ga"),
        ({"opp": {"B": "all", "L": "all", "G": "all"}, "objective": ["energy", "mean_latency"]}, "nsga2"),
        ({"algorithm": "random"}, "random"),
    ],
)
def test_auto_chooses_what_can_prove_most_and_says_why(explore_: dict[str, Any], wanted: str) -> None:
    found = camera_space(FAR_APART, {**ISSUE, **explore_})
    name, why = choose(found.spec, found.evaluator, None)
    assert name == wanted
    assert why


def test_the_option_comes_before_the_scenario() -> None:
    found = camera_space(FAR_APART, {**ISSUE, "algorithm": "ga"})
    assert choose(found.spec, found.evaluator, "random") == ("random", "asked for")


@pytest.mark.parametrize(
    ("algorithm", "objective"),
    [("branch-and-bound", "throughput"), ("branch-and-bound", ["energy", "mean_latency"]), ("ga", ["energy", "power"])],
)
def test_an_algorithm_that_cannot_is_refused(algorithm: Any, objective: Any) -> None:
    with pytest.raises(InputError):
        search({"objective": objective}, algorithm=algorithm)


def test_without_a_section_there_is_nothing_to_explore() -> None:
    with pytest.raises(InputError, match="explore"):
        explore(camera(FAR_APART))


# -- never worse than the user's own ------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("mapping", ["BGBGLGL", "LLLLLLL"])
def test_the_result_is_never_worse_than_the_scenarios_own_mapping(algorithm: Any, mapping: str) -> None:
    changes = {**FAR_APART, "mapping.segments": mapping}
    own = camera_space(changes, {**ISSUE, "segments": None, "constraints": {}})
    value = own.evaluator.evaluate(own.everything()).objectives[0, 0]
    found = search({"constraints": {}}, changes, algorithm=algorithm, evaluations=1 if mapping[0] == "B" else 20)
    assert found.found.objectives[0, 0] <= value


# -- infeasible ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["exhaustive", "branch-and-bound"])
def test_an_infeasible_problem_names_the_constraint_and_the_nearest_design(algorithm: Any) -> None:
    found = search({"constraints": {"worst_latency": "10 ms"}}, algorithm=algorithm, confirm=True)
    assert not found.found.is_feasible
    assert found.certificate.kind == "proven infeasible"
    assert found.confirmation is None
    assert found.rejected["worst_latency"] == found.search.evaluations
    (name, excess) = next(iter(found.describe()["violations"].items()))
    assert name == "worst_latency"
    values = camera_space(FAR_APART, {**ISSUE, "constraints": {}, "objective": "worst_latency"})
    nearest = values.evaluator.evaluate(values.everything()).objectives.min()
    assert excess >= nearest / 10 - 1 - 1e-12
    if algorithm == "exhaustive":
        assert excess == pytest.approx(nearest / 10 - 1)


# -- confirmation -------------------------------------------------------------------------------------------


def test_the_best_is_confirmed_with_seeds_that_the_search_has_not_seen() -> None:
    changes = {
        **BUSY,
        "stream.arrivals.rate": "40 Hz",
        "run": {"frames": 400, "warmup": 40, "replications": 2, "seed": 1},
    }
    constraints = {"p99_latency": "60 ms"}
    found = search({"segments": ["B", "G"], "frames": 200, "constraints": constraints}, changes, confirm=True)
    assert found.engines_agree
    assert found.confirmation is not None
    assert found.confirmation.seed != found.evaluator.space.scenario.spec.run.seed
    assert len(found.confirmation.replications) == 2
    assert [verdict.name for verdict in found.confirmation.verdicts] == ["p99_latency"]
    told = found.to_dict()
    assert told["confirmation"]["frames"] == 400
    assert told["confirmation"]["seed"] == found.confirmation.seed
    mean = found.confirmation.value("latency_ms.mean")
    assert mean == pytest.approx(found.describe()["mean_latency"], rel=0.2)


def test_a_constraint_of_the_scenario_holds_when_the_section_has_none() -> None:
    changes = {**FAR_APART, "requirements": {"worst_latency": "40 ms"}}
    found = search({"constraints": {}}, changes)
    assert feasible(found) == 852


# -- resuming -----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """What ends a search in the middle."""


SPACES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exhaustive": ({"opp": {"G": "all"}}, FAR_APART),
    "branch-and-bound": ({"opp": {"B": "all"}, "objective": "energy_delay", "frames": 100, "constraints": {}}, BUSY),
    "ga": ({"frames": 100}, BUSY),
    "nsga2": ({"frames": 100, "objective": ["mean_latency", "energy"]}, BUSY),
    "random": ({"frames": 100}, BUSY),
}


def alike(found: Exploration) -> dict[str, Any]:
    told = found.to_dict()
    for key in ("wall_s", "provenance"):
        del told[key]
    return told


@pytest.mark.parametrize("algorithm", SPACES)
def test_a_search_that_was_killed_ends_as_if_it_had_not_been(
    algorithm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eesim.explore.exploration.SAVE_EVERY_S", -1.0)
    monkeypatch.setattr("eesim.explore.branch_and_bound.LEAVES", 4)
    monkeypatch.setattr("eesim.explore.branch_and_bound.EXPANDED", 32)
    explore_, changes = SPACES[algorithm]
    evaluations = 3000 if algorithm == "branch-and-bound" else 600
    options: dict[str, Any] = {"algorithm": algorithm, "evaluations": evaluations, "threads": 1}
    whole = search(explore_, changes, **options)
    steps = len(whole.search.history)
    assert steps > 2 or algorithm == "exhaustive"
    killed = 0
    for kill_at in (1, 2):

        def stop(space: Any, search: Search, progress: Any, last: int = kill_at) -> None:
            if len(search.history) > last:
                raise Killed

        try:
            search(explore_, changes, folder=tmp_path, resume=True, progress=stop, **options)
        except Killed:
            killed += 1
            assert (tmp_path / "search.state").is_file()
    assert killed or steps <= 1
    resumed = search(explore_, changes, folder=tmp_path, resume=True, **options)
    assert alike(resumed) == alike(whole)
    for mine, theirs in zip(resumed.search.memo.visited, whole.search.memo.visited, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not list(tmp_path.glob("*.state"))


def test_threads_do_not_matter() -> None:
    one, two = (search({"frames": 100}, BUSY, algorithm="ga", evaluations=400, threads=threads) for threads in (1, 2))
    assert alike(one) == alike(two)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_search_overdraws_its_budget(algorithm: Any) -> None:
    explore_ = {"opp": {"B": "all", "G": "all"}, "objective": "energy_delay", "frames": 100, "constraints": {}}
    found = search(explore_, BUSY, algorithm=algorithm, evaluations=600)
    assert found.search.evaluations <= 600


def test_a_budget_ends_the_search() -> None:
    found = search(algorithm="random", evaluations=100)
    assert (found.search.evaluations, found.found.status) == (100, Status.BUDGET)
    assert found.certificate.kind == "best of n evaluations"
    assert not found.certificate.proven_optimal


def test_segments_may_be_left_alone() -> None:
    found = search({"segments": {"b1": ANYWHERE, "e1": ["G"]}})
    assert found.space.size == 3
    assert found.describe()["mapping"][1:] == "GLGLGL"
