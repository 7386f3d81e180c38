"""The permutation of a space: each genome once, in an order that only the key knows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eesim.explore.sampling import Sampler


def sampler(n_alleles: list[int], seed: int = 1) -> Sampler:
    return Sampler(np.array(n_alleles), np.random.default_rng(seed))


@settings(deadline=None)
@given(
    n_alleles=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 999), count=st.integers(1, 99)
)
def test_every_genome_comes_exactly_once(n_alleles: list[int], seed: int, count: int) -> None:
    source, size, found = sampler(n_alleles, seed), int(np.prod(n_alleles)), []
    while not source.exhausted:
        genomes = source.peek(count)
        assert np.array_equal(genomes, source.peek(count))
        assert ((genomes >= 0) & (genomes < n_alleles)).all()
        source.take(len(genomes))
        found += map(tuple, genomes.tolist())
    assert len(found) == len(set(found)) == size
    assert len(source.peek(count)) == 0


def test_the_first_and_the_second_genome_are_uniform() -> None:
    pairs = [sampler([5], seed).peek(2)[:, 0] for seed in range(4000)]
    counts = np.bincount([a * 5 + b for a, b in pairs], minlength=25).reshape(5, 5)
    assert (np.diag(counts) == 0).all()
    assert stats.chisquare(counts[~np.eye(5, dtype=bool)]).pvalue > 1e-3


def test_a_sample_of_a_large_space_is_uniform_in_every_gene() -> None:
    n_alleles = [3, 7, 2, 5] * 6
    genomes = sampler(n_alleles).peek(20_000)
    assert len(np.unique(genomes, axis=0)) == 20_000
    for column, n in zip(genomes.T, n_alleles, strict=True):
        assert stats.chisquare(np.bincount(column, minlength=n)).pvalue > 1e-4
    # Neighbours in the sequence have nothing to do with each other.
    assert abs(np.corrcoef(genomes[:-1, 0], genomes[1:, 0])[0, 1]) < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("genes", [61, 62, 63, 200])
def test_spaces_around_the_largest_with_keys(genes: int) -> None:
    source = sampler([2] * genes)
    genomes = source.peek(1000)
    source.take(1000)
    assert len(np.unique(np.concatenate([genomes, source.peek(1000)]), axis=0)) == 2000
    assert abs(genomes.mean() - 0.5) < 4 * 0.5 / np.sqrt(genomes.size)
    assert not source.exhausted


def test_key_and_position_are_all_its_state() -> None:
    one, other = sampler([4, 4, 4], 1), sampler([4, 4, 4], 2)
    one.take(10)
    assert not np.array_equal(one.peek(20), other.peek(20))
    other.key, other.position = one.key, one.position
    assert np.array_equal(one.peek(20), other.peek(20))
