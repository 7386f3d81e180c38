"""Exact layer switching against brute force: equal on every small chain, and honest where it gives up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.explore.chain import Chain, evaluate
from eesim.explore.dp import Infeasible, Solution, front, min_energy, min_time
from tests.test_explore.chains import (
    brute_force,
    chains,
    efficient,
    front_by_sets,
    random_chain,
    states_of,
    tied_chain,
)

HUGE = 1 << 55


def least(costs: list[tuple[int, int]], limit: int) -> int | None:
    """Least energy within a time limit."""
    return min((energy for time, energy in costs if time <= limit), default=None)


def check_costs(chain: Chain, found: Solution) -> None:
    costs = evaluate(chain, found.path)
    assert (costs.time_ns[0], costs.energy_nj[0]) == (found.time_ns, found.energy_nj)


@settings(max_examples=200, deadline=None)
@given(chains())
def test_least_time_is_that_of_brute_force(chain: Chain) -> None:
    costs, found = brute_force(chain), min_time(chain)
    if not costs:
        assert found is None
        return
    assert (found.time_ns, found.energy_nj) == min(costs)
    assert found.certificate.proven
    assert found.certificate.bound == found.time_ns
    check_costs(chain, found)


@settings(max_examples=200, deadline=None)
@given(chains())
def test_least_energy_is_that_of_brute_force_at_every_limit(chain: Chain) -> None:
    costs = brute_force(chain)
    for limit in sorted({time + step for time, _ in efficient(costs) for step in (-1, 0)} | {-1, 10**6}):
        found = min_energy(chain, limit)
        expected = least(costs, limit)
        if expected is None:
            assert isinstance(found, Infeasible)
            assert found.excess_ns == (min(costs)[0] - limit if costs else None)
            continue
        assert isinstance(found, Solution)
        assert found.energy_nj == expected
        assert found.time_ns <= limit
        assert found.certificate.proven
        assert found.certificate.bound == expected
        check_costs(chain, found)


@settings(max_examples=200, deadline=None)
@given(chains())
def test_the_front_is_that_of_brute_force(chain: Chain) -> None:
    found = front(chain)
    assert list(zip(found.time_ns.tolist(), found.energy_nj.tolist(), strict=True)) == efficient(brute_force(chain))
    assert found.gap == 0
    costs = evaluate(chain, found.paths) if len(found.paths) else found
    assert (costs.time_ns == found.time_ns).all()
    assert (costs.energy_nj == found.energy_nj).all()


def test_chains_full_of_ties() -> None:
    for seed in range(100):
        chain = tied_chain(seed)
        costs = brute_force(chain)
        expected, found = efficient(costs), front(chain)
        assert list(zip(found.time_ns.tolist(), found.energy_nj.tolist(), strict=True)) == expected
        assert [min_energy(chain, time).energy_nj for time, _ in expected] == [energy for _, energy in expected]
        fastest, thriftiest = min_time(chain), min_energy(chain, 10**6)
        assert (fastest.time_ns, fastest.energy_nj) == expected[0]
        assert (thriftiest.time_ns, thriftiest.energy_nj) == expected[-1]


@settings(max_examples=200, deadline=None)
@given(chains(scale=HUGE >> 8))
def test_costs_near_the_end_of_the_range_lose_nothing(chain: Chain) -> None:
    found = front(chain)
    assert list(zip(found.time_ns.tolist(), found.energy_nj.tolist(), strict=True)) == efficient(brute_force(chain))


@pytest.mark.parametrize(("seed", "most"), [(0, 1000), (1, 1000), (2, 10**9), (3, 10**9), (4, 20)])
def test_larger_chains_agree_with_plain_dynamic_programming(seed: int, most: int) -> None:
    chain = random_chain(12, 6, seed, most)
    expected = front_by_sets(chain)
    found = front(chain)
    assert list(zip(found.time_ns.tolist(), found.energy_nj.tolist(), strict=True)) == expected
    for time, _ in expected[:: max(1, len(expected) // 20)]:
        for limit in (time - 1, time):
            answer = min_energy(chain, limit)
            if isinstance(answer, Solution):
                assert answer.energy_nj == least(expected, limit)


def test_more_time_never_costs_energy() -> None:
    chain = random_chain(20, 10, 1)
    shortest = min_time(chain).time_ns
    limits = [*range(shortest, 2 * shortest, shortest // 40), 10**15]
    energies = [min_energy(chain, limit).energy_nj for limit in limits]
    assert (np.diff(energies) <= 0).all()
    assert energies[-1] < energies[0]


def test_a_limit_that_cannot_be_met_says_by_how_much() -> None:
    chain = random_chain(6, 4, 2)
    fastest = min_time(chain)
    found = min_energy(chain, fastest.time_ns - 17)
    assert isinstance(found, Infeasible)
    assert found.excess_ns == 17
    assert found.fastest.path == fastest.path
    assert isinstance(min_energy(chain, fastest.time_ns), Solution)


@settings(max_examples=200, deadline=None)
@given(chains(), st.integers(0, 30), st.integers(0, 4))
def test_certificates_are_true_where_labels_run_out(chain: Chain, limit: int, max_labels: int) -> None:
    expected, found = least(brute_force(chain), limit), min_energy(chain, limit, max_labels=max_labels)
    if expected is None:
        assert isinstance(found, Infeasible)
        return
    assert found.certificate.bound <= expected <= found.energy_nj
    assert found.time_ns <= limit
    assert found.certificate.proven == (found.certificate.bound == found.energy_nj)
    check_costs(chain, found)


@pytest.mark.parametrize("max_labels", [10, 100, 1000, 10_000])
def test_a_search_that_gives_up_states_its_gap(max_labels: int) -> None:
    chain = random_chain(16, 8, 3)
    limit = min_time(chain).time_ns * 5 // 4
    exact, found = min_energy(chain, limit), min_energy(chain, limit, max_labels=max_labels)
    assert exact.certificate.proven
    assert found.certificate.bound <= exact.energy_nj <= found.energy_nj
    assert found.certificate.gap == pytest.approx(1 - found.certificate.bound / found.energy_nj)
    assert found.certificate.work.labels <= max_labels
    assert ("proven" in str(found.certificate)) == found.certificate.proven


def covers(found: list[tuple[int, int]], expected: list[tuple[int, int]], gap: float) -> bool:
    """Whether each expected point has one of no more time and at most 1 + gap times its energy."""
    return all(any(t <= time and e <= (1 + gap) * energy * (1 + 1e-12) for t, e in found) for time, energy in expected)


@pytest.mark.parametrize("epsilon", [0.001, 0.02, 0.5])
def test_a_coarse_front_leaves_out_no_more_than_it_says(epsilon: float) -> None:
    chain = random_chain(12, 6, 5)
    exact, coarse = front_by_sets(chain), front(chain, epsilon=epsilon)
    points = list(zip(coarse.time_ns.tolist(), coarse.energy_nj.tolist(), strict=True))
    assert set(points) <= set(exact)
    assert coarse.gap <= epsilon
    assert covers(points, exact, coarse.gap)
    assert "within" in str(coarse) if coarse.gap else "complete" in str(coarse)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([20, 1000]), st.sampled_from([1, 20, 50, 200, 2000]))
def test_a_front_with_few_labels_splits_its_boxes_or_states_the_gap(seed: int, most: int, max_labels: int) -> None:
    chain = random_chain(8, 4, seed, most)
    exact, found = front_by_sets(chain), front(chain, max_labels=max_labels)
    points = list(zip(found.time_ns.tolist(), found.energy_nj.tolist(), strict=True))
    assert covers(points, exact, found.gap)
    assert (points == exact) or found.gap > 0
    assert (np.diff(found.time_ns) > 0).all()
    assert (np.diff(found.energy_nj) < 0).all()


def test_a_chain_without_any_path() -> None:
    never = np.full((1, 2, 2), np.iinfo(np.int64).max)
    chain = Chain(states_of(2), np.ones((3, 2)), np.ones((3, 2)), never, np.zeros((1, 2, 2)))
    assert min_time(chain) is None
    assert min_energy(chain, 100) == Infeasible(100, None)
    assert min_energy(chain, 100).excess_ns is None
    assert len(front(chain).time_ns) == 0
