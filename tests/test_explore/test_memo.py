"""The memo against a dictionary, in spaces with exact and with hashed keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.base import IntArray
from eesim.explore.keys import place_values
from eesim.explore.memo import Memo
from eesim.explore.problem import Evaluations
from tests.test_explore.toys import Knapsack, OneMax

SMALL, HUGE = [3, 1, 2, 4], [4] * 40


def genomes_of(n_alleles: list[int], numbers: list[int]) -> IntArray:
    """A genome per number; few numbers, so that many are asked for again."""
    rows = [[(number * 7 + gene) % n for gene, n in enumerate(n_alleles)] for number in numbers]
    return np.array(rows, np.int64).reshape(-1, len(n_alleles))


@pytest.mark.parametrize("n_alleles", [SMALL, HUGE], ids=["exact", "hashed"])
@settings(deadline=None)
@given(batches=st.lists(st.tuples(st.lists(st.integers(0, 15), max_size=12), st.integers(0, 12)), max_size=6))
def test_behaves_like_a_dictionary(n_alleles: list[int], batches: list[tuple[list[int], int]]) -> None:
    problem = OneMax(n_alleles)
    memo, known, hits = Memo(problem), dict[tuple[int, ...], int](), 0
    for numbers, limit in batches:
        genomes = genomes_of(n_alleles, numbers)
        rows, fresh = memo.claim(genomes, limit)
        left = limit
        for genome, row, new in zip(map(tuple, genomes.tolist()), rows.tolist(), fresh.tolist(), strict=True):
            assert new == (genome not in known and left > 0)
            if new:
                known[genome] = len(known)
                left -= 1
            elif genome in known and limit:
                hits += 1
            assert row == known.get(genome, -1)
        assert memo.pending == limit - left
        assert memo.evaluate() == limit - left
        assert memo.find(genomes).tolist() == [known.get(g, -1) for g in map(tuple, genomes.tolist())]
    assert (memo.evaluated, memo.hits, memo.pending) == (len(known), hits, 0)
    assert [tuple(g) for g in memo.visited.genomes.tolist()] == list(known) == problem.log
    assert memo.visited.objectives[:, 0].tolist() == [
        sum(g[i] != n_alleles[i] - 1 for i in range(len(g))) for g in known
    ]


@pytest.mark.parametrize("genes", [20, 80])
def test_ten_thousand_genomes(genes: int) -> None:
    # With 80 binary genes, numbers modulo 2^64 would not tell genomes apart that differ in the first 16.
    rng = np.random.default_rng(1)
    genomes = np.unique(rng.integers(0, 2, (10_000, genes)) * (np.arange(genes) < 16 + genes // 10), axis=0)
    problem = Knapsack(genes)
    memo = Memo(problem)
    for batch in np.array_split(genomes, 7):
        assert memo.claim(batch, len(batch))[1].all()
        memo.evaluate()
    shuffled = rng.permutation(len(genomes))
    assert memo.find(genomes[shuffled]).tolist() == shuffled.tolist()
    assert np.array_equal(memo.genomes(shuffled), genomes[shuffled])
    assert np.array_equal(memo.violation, memo.visited.violations.sum(axis=1))
    problem.assert_nothing_twice()


@pytest.mark.parametrize("gene", [0, 20, 39])
def test_genomes_with_equal_keys_are_told_apart(gene: int) -> None:
    memo = Memo(OneMax(HUGE))
    memo._weights[:] = 0
    genomes = np.zeros((4, 40), np.int64)
    genomes[:, gene] = range(4)
    assert memo.claim(genomes, 99)[1].all()
    assert memo.claim(genomes[::-1], 99)[0].tolist() == [3, 2, 1, 0]


def test_a_key_is_the_number_in_the_enumeration() -> None:
    problem = OneMax(SMALL)
    assert (problem.everything() @ place_values(problem.n_alleles)).tolist() == list(range(24))


class Broken(OneMax):
    answer: Any = None

    def evaluate(self, genomes: IntArray) -> Evaluations:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return super().evaluate(genomes) if self.answer is None else Evaluations(*map(np.array, self.answer))


@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (([[1.0]], np.zeros((1, 0))), ValueError, r"objectives have shape \(1, 1\), not \(2, 1\)"),
        (([[1.0], [np.nan]], np.zeros((2, 0))), ValueError, "NaN"),
        (([[1.0], [2.0]], [[0.0], [1.0]]), ValueError, "violations have shape"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
    ],
)
def test_a_failed_batch_is_forgotten(answer: Any, error: type[BaseException], match: str) -> None:
    problem = Broken(SMALL)
    memo = Memo(problem)
    first, second = np.array([[0, 0, 0, 0]]), np.array([[1, 0, 1, 2], [2, 0, 0, 0]])
    memo.claim(first, 9)
    memo.evaluate()
    before = memo.visited
    memo.claim(second, 9)
    problem.answer = answer
    with pytest.raises(error, match=match):
        memo.evaluate()
    assert (memo.evaluated, memo.pending, memo.find(second).tolist()) == (1, 0, [-1, -1])
    problem.answer = None
    assert memo.claim(second[::-1], 9)[0].tolist() == [1, 2]
    memo.evaluate()
    assert memo.visited.objectives[:, 0].tolist() == [3.0, 2.0, 2.0]
    assert (before.genomes.tolist(), before.objectives.tolist()) == ([[0, 0, 0, 0]], [[3.0]])


def test_negative_violations_are_refused() -> None:
    problem = Knapsack(4)
    problem.violations = lambda genomes: -np.ones(len(genomes))  # type: ignore[method-assign]
    memo = Memo(problem)
    memo.claim(np.zeros((1, 4), np.int64), 1)
    with pytest.raises(ValueError, match="below 0"):
        memo.evaluate()


def test_restoring_an_earlier_state_forgets_what_came_later() -> None:
    problem = Knapsack(16)
    memo = Memo(problem)
    genomes = problem.everything()[:3000]
    memo.claim(genomes[:1500], 1500)
    memo.evaluate()
    visited = memo.visited
    memo.claim(genomes, 3000)
    memo.evaluate()
    assert (memo.evaluated, memo.hits) == (3000, 1500)
    memo.restore(visited, 0)
    assert (memo.evaluated, memo.hits) == (1500, 0)
    assert memo.find(genomes).tolist() == [*range(1500), *[-1] * 1500]
    assert all(np.array_equal(a, b) for a, b in zip(memo.visited, visited, strict=True))
    assert np.array_equal(memo.violation, visited.violations[:, 0])


@pytest.mark.parametrize(
    ("n_alleles", "match"), [([], "needs genes"), ([2, 0], "an allele"), ([40_000], "40000 alleles; at most 32768")]
)
def test_impossible_spaces(n_alleles: list[int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Memo(OneMax(n_alleles))
