"""The baseline draws uniformly, without replacement, around what is known."""

from __future__ import annotations

import numpy as np
from scipy import stats

from eesim.explore.memo import Memo
from eesim.explore.random_search import RandomSearch
from tests.test_explore.toys import Barred, Knapsack, OneMax, Tradeoff


def test_each_genome_is_equally_likely_to_be_among_the_first() -> None:
    problem = Barred([3, 3, 3])
    allowed = [tuple(genome) for genome in problem.everything().tolist()]
    for seed in range(2000):
        RandomSearch(problem, batch=2, budget=4, seed=seed).run()
    counts = [problem.log.count(genome) for genome in allowed]
    assert sum(counts) == 8000
    # Four of twelve without replacement vary less than independent draws: by 8/11.
    assert stats.chi2.sf(stats.chisquare(counts).statistic * 11 / 8, len(allowed) - 1) > 1e-3


def test_batches_do_not_change_the_sequence() -> None:
    logs = []
    for batch in (1, 7, 50):
        problem = OneMax([3] * 7)
        RandomSearch(problem, batch=batch, budget=100, seed=4).run()
        logs.append(problem.log)
    assert logs[0] == logs[1] == logs[2]


def test_what_is_known_is_passed_over() -> None:
    problem = Knapsack(10)
    memo = Memo(problem)
    memo.claim(problem.everything()[:1000], 1000)
    memo.evaluate()
    found = RandomSearch(problem, budget=9999, seed=1, memo=memo).run()
    assert (found.evaluations, found.hits) == (24, 1000)
    problem.assert_nothing_twice()


def test_the_expected_maximum_of_a_sample() -> None:
    # Of N ranks the smallest of n drawn without replacement is (N - n) / (n + 1) on average.
    class Ranked(OneMax):
        def objectives(self, genomes: np.ndarray) -> object:
            return genomes @ [20, 1]

    best = [RandomSearch(Ranked([20, 20]), budget=19, seed=seed).run().objectives[0, 0] for seed in range(1500)]
    assert abs(np.mean(best) - (400 - 19) / 20) < 4 * np.std(best) / np.sqrt(1500)


def test_several_objectives() -> None:
    problem = Tradeoff([3] * 5, 3)
    search = RandomSearch(problem, batch=50, budget=243, seed=1, reference=np.full(3, 250.0))
    search.run()
    volumes = [row.hypervolume for row in search.history]
    assert volumes == sorted(volumes)
    assert volumes[0] > 0
