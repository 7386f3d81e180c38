"""Every allowed genome, once, in order."""

from __future__ import annotations

import numpy as np
import pytest

from eesim.explore.exhaustive import Exhaustive
from eesim.explore.outcome import Status
from tests.scenarios import FAR_APART
from tests.test_explore.spaces import ANYWHERE, ISSUE, Explored, camera_space, issue_space
from tests.test_explore.toys import front_of, through_files


@pytest.fixture(scope="module")
def issue() -> Explored:
    return issue_space()


def search(found: Explored, budget: int | None = None, batch: int = 500) -> Exhaustive:
    return Exhaustive(found.evaluator, found.space, batch=batch, budget=budget or found.space.size, seed=1)


@pytest.mark.parametrize("batch", [1000, 2187, 4096])
def test_it_visits_everything_once_in_order(issue: Explored, batch: int) -> None:
    every = search(issue, batch=batch)
    found = every.run()
    np.testing.assert_array_equal(every.memo.visited.genomes, issue.everything())
    assert (every.evaluations, every.status) == (2187, Status.EXHAUSTED)
    judged = issue.evaluator.evaluate(issue.everything())
    feasible = judged.violations.sum(axis=1) == 0
    assert found.objectives[0, 0] == judged.objectives[feasible].min()


def test_the_front_is_the_front_of_everything() -> None:
    found = camera_space(FAR_APART, {**ISSUE, "opp": {"G": "all"}, "objective": ["mean_latency", "energy"]})
    judged = found.evaluator.evaluate(found.everything())
    feasible = judged.violations.sum(axis=1) == 0
    front = search(found, batch=4096).run().objectives
    assert set(map(tuple, front.tolist())) == front_of(judged.objectives[feasible])


def test_what_is_forbidden_is_not_visited() -> None:
    found = camera_space(FAR_APART, {"segments": ANYWHERE, "forbid": [{"b1": "B"}]})
    every = search(found)
    every.run()
    assert every.evaluations == 2 * 3**6
    assert every.status is Status.EXHAUSTED


@pytest.mark.parametrize(("budget", "batch"), [(100, 4096), (700, 500), (2186, 2187), (1000, 500)])
def test_a_budget_smaller_than_the_space_ends_before_everything_was_seen(
    issue: Explored, budget: int, batch: int
) -> None:
    every = search(issue, budget, batch)
    every.run()
    assert every.evaluations == budget
    assert every.status is Status.BUDGET


def test_restoring_at_any_step_gives_the_same_end(issue: Explored) -> None:
    whole = search(issue)
    states = [through_files(whole.state())]
    while whole.status is Status.RUNNING:
        whole.step()
        states.append(through_files(whole.state()))
    assert len(states) == 6
    for state in states:
        again = search(issue)
        again.restore(state)
        again.run()
        np.testing.assert_array_equal(again.memo.visited.genomes, whole.memo.visited.genomes)
        np.testing.assert_array_equal(again.found().objectives, whole.found().objectives)
        assert len(again.history) == len(whole.history)
