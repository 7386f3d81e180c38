"""Each search in a small setting, for tests that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eesim.explore.breeding import Variation
from eesim.explore.ga import GeneticAlgorithm
from eesim.explore.nsga2 import Nsga2
from eesim.explore.outcome import Found
from eesim.explore.random_search import RandomSearch
from eesim.explore.search import Search
from tests.test_explore.toys import Toy

Make = Callable[..., Search]


def genetic(problem: Toy, **options: Any) -> Search:
    return GeneticAlgorithm(problem, population=20, islands=3, migration_interval=2, **{"seed": 1, **options})


def one_point(problem: Toy, **options: Any) -> Search:
    variation = Variation(crossover="one-point", tournament=3)
    return GeneticAlgorithm(problem, population=20, islands=1, variation=variation, **{"seed": 1, **options})


def nsga2(problem: Toy, **options: Any) -> Search:
    return Nsga2(problem, population=20, **{"seed": 1, **options})


def at_random(problem: Toy, **options: Any) -> Search:
    return RandomSearch(problem, batch=20, **{"seed": 1, **options})


SEARCHES = [genetic, one_point, nsga2, at_random]
every_search = pytest.mark.parametrize("make", SEARCHES)


def same(a: Found, b: Found) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def assert_equal_states(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert np.array_equal(value, b[name], equal_nan=name == "history"), name
