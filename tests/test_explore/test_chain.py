"""The additive model: what it adds up, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eesim.explore.chain import NEVER, Chain, State, evaluate
from eesim.explore.chain_search import ChainProblem, best_single, single_states, uniform_paths
from tests.test_explore.chains import all_paths, chains, costs_by_hand

B, L = State("B", 1_800_000_000), State("L", 1_416_000_000)


def two_layers() -> Chain:
    """B costs 5 ns and 50 nJ, then 7 and 70; L costs 9 and 20, then 8 and 10; going B to L 3 and 4, back 6 and 1."""
    switches = np.array([[[0, 3], [6, 0]]]), np.array([[[0, 4], [1, 0]]])
    return Chain((B, L), np.array([[5, 9], [7, 8]]), np.array([[50, 20], [70, 10]]), *switches)


def test_sums_by_hand() -> None:
    costs = evaluate(two_layers(), [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert costs.time_ns.tolist() == [12, 16, 22, 17]
    assert costs.energy_nj.tolist() == [120, 64, 91, 30]


@settings(deadline=None)
@given(chains())
def test_every_path_is_the_sum_of_its_nodes_and_edges(chain: Chain) -> None:
    paths = all_paths(chain)
    costs = evaluate(chain, paths)
    expected = [costs_by_hand(chain, path) for path in paths.tolist()]
    assert list(zip(costs.time_ns.tolist(), costs.energy_nj.tolist(), strict=True)) == expected


def test_one_layer_has_no_edges() -> None:
    none = np.zeros((0, 2, 2), np.int64)
    chain = Chain((B, L), np.array([[5, 9]]), np.array([[50, 20]]), none, none)
    assert evaluate(chain, [[1]]).time_ns.tolist() == [9]
    assert evaluate(chain, [1]).energy_nj.tolist() == [20]


def test_shared_edges_serve_all_neighbours() -> None:
    switch = np.array([[[0, 3], [6, 1]]])
    chain = Chain((B, L), np.ones((4, 2)), np.ones((4, 2)), switch, switch)
    assert evaluate(chain, [[0, 1, 1, 0]]).time_ns.tolist() == [4 + 3 + 1 + 6]


def test_what_is_not_possible_is_never() -> None:
    chain = two_layers()
    node = Chain(
        chain.states, np.array([[NEVER, 9], [7, 8]]), chain.energy_nj, chain.switch_time_ns, chain.switch_time_ns
    )
    assert evaluate(node, [[0, 1], [1, 1]]).time_ns.tolist() == [NEVER, 17]
    edge = Chain(chain.states, chain.time_ns, chain.energy_nj, np.array([[[0, NEVER], [6, 0]]]), chain.switch_time_ns)
    assert evaluate(edge, [[0, 1], [0, 0]]).energy_nj.tolist() == [NEVER, 120]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_ns": np.zeros((2, 3))}, "time_ns is"),
        ({"energy_nj": np.zeros((3, 2))}, "energy_nj is"),
        ({"switch_time_ns": np.zeros((3, 2, 2))}, "switch_time_ns is"),
        ({"switch_energy_nj": np.zeros((2, 2, 2))}, "switch_energy_nj is"),
        ({"time_ns": np.full((2, 2), 1 << 59)}, "do not fit"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    zeros = np.zeros((2, 2))
    arrays = {"time_ns": zeros, "energy_nj": zeros, "switch_time_ns": [zeros], "switch_energy_nj": [zeros]} | change
    with pytest.raises(ValueError, match=message):
        Chain((B, L), **arrays)


@pytest.mark.parametrize("paths", [[[0, 1, 0]], [[0, 2]], [[-1, 0]]])
def test_paths_that_do_not_fit_are_refused(paths: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="not"):
        evaluate(two_layers(), paths)


def test_states_have_names() -> None:
    chain = two_layers()
    assert [str(state) for state in chain.labels([0, 1])] == ["B 1800 MHz", "L 1416 MHz"]
    assert str(State("G", 600_000_000, 408_000_000)) == "G 600 MHz, host 408 MHz"
    assert str(State("N", 0, 408_000_000)) == "N, host 408 MHz"


def test_best_single_state_within_a_limit() -> None:
    chain = two_layers()
    assert [single.time_ns for single in single_states(chain)] == [12, 17]
    assert best_single(chain, 11) is None
    assert best_single(chain, 12).state == B
    assert best_single(chain, 17).energy_nj == 30


@settings(deadline=None)
@given(chains(), st.integers(1, 20))
def test_the_problem_says_what_the_chain_says(chain: Chain, limit: int) -> None:
    problem = ChainProblem(chain, limit)
    paths = all_paths(chain)
    costs = evaluate(chain, paths)
    allowed = problem.is_allowed(paths)
    found = problem.evaluate(paths)
    assert problem.n_alleles.tolist() == [len(chain.states)] * chain.layers
    assert (allowed == (costs.time_ns != NEVER)).all()
    assert ((found.violations[:, 0] == 0) == (costs.time_ns <= limit)).all()
    assert np.allclose(found.objectives[allowed, 0] * 1e6, costs.energy_nj[allowed])
    assert not np.isnan(found.objectives).any()
    assert (uniform_paths(chain)[:, 0] == uniform_paths(chain)[:, -1]).all()
