"""A search that is killed, fails or goes back ends as if nothing had happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.base import IntArray
from eesim.explore.outcome import Status
from eesim.explore.problem import Evaluations
from eesim.explore.search import Search
from tests.test_explore.searches import (
    SEARCHES,
    Make,
    assert_equal_states,
    every_search,
    genetic,
    nsga2,
    one_point,
    same,
)
from tests.test_explore.toys import Barred, Knapsack, OneMax, Toy, through_files

RESUMED = [
    (lambda: Knapsack(14), {"budget": 250, "start": np.ones((2, 14), np.int64)}),
    (lambda: Barred([3] * 6), {"budget": 999}),
    (lambda: OneMax([5] * 40), {"budget": 150}),
]


@every_search
@pytest.mark.parametrize(("new", "options"), RESUMED, ids=["knapsack", "whole space", "huge space"])
def test_a_search_killed_after_any_step_ends_the_same(
    make: Make, new: Callable[[], Toy], options: dict[str, Any]
) -> None:
    problem = new()
    whole = make(problem, **options)
    states = [through_files(whole.state())]
    while whole.status is Status.RUNNING:
        whole.step()
        states.append(through_files(whole.state()))
    assert len(states) > 5
    for state in states:
        again = new()
        rest = make(again, **{**options, "seed": 99, "start": None})
        rest.restore(state)
        assert same(rest.run(), whole.found())
        assert again.log == problem.log[len(problem.log) - len(again.log) :]
        assert len(again.log) == whole.evaluations - state["evaluations"]
        assert_equal_states(rest.state(), whole.state())


@every_search
def test_a_state_is_not_changed_by_what_follows(make: Make) -> None:
    search = make(OneMax([3] * 12), budget=3000)
    search.step()
    state = search.state()
    kept = through_files(state)
    search.run()
    assert_equal_states(state, kept)


@every_search
def test_a_state_goes_back_as_well(make: Make) -> None:
    problem = OneMax([3] * 12)
    search = make(problem, budget=200)
    search.step()
    state = search.state()
    first = search.run()
    search.restore(state)
    assert same(search.run(), first)
    assert problem.log[20:200] == problem.log[200:]


@every_search
def test_a_step_that_fails_can_be_taken_again(make: Make) -> None:
    class Flaky(OneMax):
        calls = 0

        def evaluate(self, genomes: IntArray) -> Evaluations:
            self.calls += 1
            if self.calls % 2:
                raise KeyboardInterrupt
            return super().evaluate(genomes)

    steady, flaky = OneMax([3] * 8), Flaky([3] * 8)
    expected, search = make(steady, budget=300).run(), make(flaky, budget=300)
    while search.status is Status.RUNNING:
        before = through_files(search.state())
        with pytest.raises(KeyboardInterrupt):
            search.step()
        assert_equal_states(search.state(), before)
        search.step()
    assert same(search.found(), expected)
    assert flaky.log == steady.log


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (lambda: nsga2(OneMax([3] * 5), budget=9), "algorithm is 'GeneticAlgorithm' there and 'Nsga2' here"),
        (lambda: one_point(OneMax([3] * 5), budget=9), "crossover is 'uniform' there and 'one-point' here"),
        (lambda: genetic(OneMax([3] * 4), budget=9), "n_alleles is"),
        (lambda: genetic(Knapsack(5), budget=9), "constraints is"),
    ],
)
def test_states_of_other_searches_are_refused(other: Callable[[], Search], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        other().restore(genetic(OneMax([3] * 5), budget=9).state())


SCRIPT = """
import hashlib
import numpy as np
from tests.test_explore.searches import SEARCHES
from tests.test_explore.toys import Knapsack
for make in SEARCHES:
    problem = Knapsack(14)
    search = make(problem, budget=300)
    found = search.run()
    told = repr((problem.log, search.history, found.status, found.evaluations, found.hits))
    print(hashlib.sha256(told.encode() + b"".join(array.tobytes() for array in found[4:])).hexdigest())
"""


def test_hash_seeds_change_nothing() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert len(set(told[0].split())) == len(SEARCHES)


@every_search
def test_another_seed_goes_another_way(make: Make) -> None:
    logs = []
    for seed in (1, 1, 2):
        problem = OneMax([3] * 12)
        make(problem, budget=60, seed=seed).run()
        logs.append(problem.log)
    assert logs[0] == logs[1] != logs[2]
