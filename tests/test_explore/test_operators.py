"""What the operators may and may not do, and how often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.base import IntArray
from eesim.explore.breeding import Breeder, Variation
from eesim.explore.operators import cross_at_one_point, cross_uniformly, mutate_genes, runs_set, tournament_winners

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=6)


def population(n_alleles: IntArray, rng: np.random.Generator, size: int = 7) -> IntArray:
    return rng.integers(0, n_alleles, (size, len(n_alleles)))


# -- tournament ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(seed=st.integers(0, 99), contestants=st.integers(1, 4))
def test_the_best_contestant_wins(seed: int, contestants: int) -> None:
    rng = np.random.default_rng(seed)
    n = 30
    begin = rng.integers(0, 12, n)
    size = rng.integers(1, 13 - begin)
    draws, winners = rng.random((2 * n, contestants)), np.empty(2 * n, np.int64)
    tournament_winners(begin, size, draws, winners)
    for i in range(2 * n):
        group = i % n
        entered = begin[group] + np.floor(draws[i] * size[group]).astype(int)
        assert winners[i] == entered.min()
        assert begin[group] <= winners[i] < begin[group] + size[group]


def test_extreme_draws_stay_within_the_group() -> None:
    draws = np.array([[0.0], [np.nextafter(1.0, 0.0)]])
    for size in range(1, 1000):
        winners = np.empty(2, np.int64)
        tournament_winners(np.full(2, 5), np.full(2, size), draws, winners)
        assert winners.tolist() == [5, 4 + size]


# -- crossover ----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 99))
def test_children_have_their_parents_alleles(sizes: list[int], seed: int) -> None:
    n_alleles, rng, n = np.array(sizes), np.random.default_rng(seed), 9
    parents = population(n_alleles, rng)
    mothers, fathers = rng.integers(0, 7, (2, n))
    draws, cuts = rng.random((n, len(sizes))), rng.integers(0, len(sizes) + 1, n)
    share = rng.choice([0.0, 0.5, 1.0], n)
    out = np.empty((n, len(sizes)), np.int64)
    cross_uniformly(parents, mothers, fathers, share, draws, out)
    assert np.array_equal(out, np.where(draws < share[:, None], parents[fathers], parents[mothers]))
    cross_at_one_point(parents, mothers, fathers, cuts, out)
    assert np.array_equal(out, np.where(np.arange(len(sizes)) < cuts[:, None], parents[mothers], parents[fathers]))


# -- mutation -----------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 99), rate=st.floats(0, 1))
def test_mutation_stays_in_range_and_always_changes(sizes: list[int], seed: int, rate: float) -> None:
    n_alleles, rng = np.array(sizes), np.random.default_rng(seed)
    before = population(n_alleles, rng)
    draws, after = rng.random(before.shape), np.empty_like(before)
    mutate_genes(before, n_alleles, rate, draws, after)
    assert ((after >= 0) & (after < n_alleles)).all()
    assert np.array_equal(after != before, (draws < rate) & (n_alleles > 1))
    mutate_genes(before, n_alleles, rate, draws, before)
    assert np.array_equal(after, before)


def test_mutation_reaches_all_other_alleles_equally_often() -> None:
    rng, n_alleles, rate = np.random.default_rng(6), np.array([1, 2, 5]), 0.3
    before = np.tile([0, 1, 2], (100_000, 1))
    after = np.empty_like(before)
    mutate_genes(before, n_alleles, rate, rng.random(before.shape), after)
    assert (after[:, 0] == 0).all()
    for gene in (1, 2):
        counts = np.bincount(after[:, gene], minlength=n_alleles[gene])
        expected = np.full(n_alleles[gene], rate / (n_alleles[gene] - 1))
        expected[before[0, gene]] = 1 - rate
        error = np.sqrt(expected * (1 - expected) / len(after))
        assert (np.abs(counts / len(after) - expected) < 4 * error).all()


def test_the_largest_draw_that_mutates_gives_the_last_allele() -> None:
    rng = np.random.default_rng(7)
    n_alleles = rng.integers(2, 1 << 15, 50)
    for rate in (1.0, 0.25, *rng.random(500)):
        draws, out = np.full((1, 50), np.nextafter(rate, 0.0)), np.zeros((1, 50), np.int64)
        mutate_genes(out, n_alleles, rate, draws, out)
        assert np.array_equal(out[0], n_alleles - 1)


# -- all of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crossover", ["uniform", "one-point"])
def test_children_of_each_group_descend_from_it(crossover: Any) -> None:
    n_alleles, rng = np.full(12, 2), np.random.default_rng(1)
    parents = np.repeat(np.array([[0], [1]]), 12, axis=1).repeat([3, 5], axis=0)
    breeder = Breeder(n_alleles, Variation(crossover=crossover, mutation_rate=0.0), rng)
    children, mothers = breeder.breed(parents, np.array([0] * 20 + [3] * 20), np.array([3] * 20 + [5] * 20))
    assert children[:20].max() == 0
    assert children[20:].min() == 1
    assert (mothers < 3).tolist() == [True] * 20 + [False] * 20


@pytest.mark.parametrize("rate", [0.0, 0.6, 1.0])
def test_half_the_genes_of_a_crossed_child_are_its_fathers(rate: float) -> None:
    parents = np.repeat(np.array([[0], [1]]), 50, axis=1)
    variation = Variation(tournament=1, crossover_rate=rate, mutation_rate=0.0)
    breeder, n = Breeder(np.full(50, 2), variation, np.random.default_rng(5)), 4000
    children, mothers = breeder.breed(parents, np.zeros(n, np.int64), np.full(n, 2))
    mixed = (children != mothers[:, None]).any(axis=1)
    # The father is somebody else in one case of two.
    assert abs(mixed.mean() - rate / 2) <= 4 * np.sqrt(rate / 2 * (1 - rate / 2) / n)
    assert rate == 0 or abs(children[mixed].mean() - 0.5) < 4 * 0.5 / np.sqrt(50 * mixed.sum())


def test_a_gene_is_mutated_once_per_child_on_average() -> None:
    n_alleles, rng = np.array([1, 3] * 20), np.random.default_rng(2)
    breeder = Breeder(n_alleles, Variation(), rng)
    children, _ = breeder.breed(np.zeros((1, 40), np.int64), np.zeros(5000, np.int64), np.ones(5000, np.int64))
    assert abs((children > 0).sum(axis=1).mean() - 1) < 4 * np.sqrt(1 / 5000)


def test_runs_of_genes_get_one_allele() -> None:
    n_alleles, n = np.array([3] * 10 + [2] * 5), 3000
    before = population(n_alleles, np.random.default_rng(6), n)
    after, draws = before.copy(), np.random.default_rng(7).random((n, 5))
    runs_set(after, n_alleles, 0.4, draws)
    untouched = draws[:, 0] >= 0.4
    assert np.array_equal(after[untouched], before[untouched])
    assert ((after >= 0) & (after < n_alleles)).all()
    extended = 0
    for old, new, draw in zip(before[~untouched], after[~untouched], draws[~untouched], strict=True):
        changed = np.flatnonzero(old != new)
        assert len(set(new[changed].tolist())) <= 1
        if len(changed):
            first, last = changed[0], changed[-1]
            run = new[first : last + 1]
            # Inside a run only genes without the allele keep theirs.
            assert all(gene == run[0] or run[0] >= n_alleles[first + k] for k, gene in enumerate(run))
            extended += draw[3] < 0.5 and int(draw[1] * 15) > 0
    assert extended > 100


def test_a_step_aside_changes_one_gene() -> None:
    n_alleles = np.array([1, 2, 1, 4])
    genomes = population(n_alleles, np.random.default_rng(3), 500)
    before, which = genomes.copy(), np.arange(0, 500, 3)
    aside = Breeder(n_alleles, Variation(), np.random.default_rng(4)).step_aside(genomes, which)
    assert np.array_equal(aside, genomes[which])
    changed = (genomes != before).sum(axis=1)
    assert (changed[which] == 1).all()
    assert changed.sum() == len(which)
    assert ((genomes >= 0) & (genomes < n_alleles)).all()
    assert set(genomes[which][changed[which] > 0, 3].tolist()) == {0, 1, 2, 3}
    still = Breeder(np.ones(2, np.int64), Variation(), np.random.default_rng(4))
    assert np.array_equal(still.step_aside(np.zeros((3, 2), np.int64), np.arange(3)), np.zeros((3, 2), np.int64))


@pytest.mark.parametrize(
    ("written", "match"),
    [
        ({"tournament": 0}, "needs a contestant"),
        ({"crossover": "two-point"}, "not 'two-point'"),
        ({"crossover_rate": 1.5}, "crossover_rate is a probability"),
        ({"mutation_rate": -0.1}, "mutation_rate is a probability"),
    ],
)
def test_variations_that_make_no_sense(written: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Variation(**written)
