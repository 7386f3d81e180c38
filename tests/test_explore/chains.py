"""Small random chains, and answers about them that are found without any of the code under test."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from eesim.base import IntArray
from eesim.explore.chain import NEVER, Chain, State


@st.composite
def chains(draw: st.DrawFn, scale: int = 1) -> Chain:
    """Up to 5 layers and 4 states with small costs: many ties, zeros, negative edges and impossible states."""
    layers, size = draw(st.sampled_from([3, 4, 5, 1, 2])), draw(st.sampled_from([4, 3, 2, 1]))
    edges = draw(st.sampled_from(sorted({layers - 1, 1}, reverse=True)))
    most = draw(st.sampled_from([4, 2, 8]))
    rarity = draw(st.sampled_from([0.0, 0.2, 0.6]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def costs(shape: tuple[int, ...], least: int) -> IntArray:
        return rng.integers(least, most, shape, endpoint=True) * scale

    nodes, switches = (layers, size), (edges, size, size)
    time, switch_time = costs(nodes, 2), costs(switches, -2)
    time[rng.random(nodes) < rarity] = NEVER
    switch_time[rng.random(switches) < rarity] = NEVER
    return Chain(states_of(size), time, costs(nodes, 0), switch_time, costs(switches, -1))


def tied_chain(seed: int) -> Chain:
    """Four layers and four states with costs of so few values that ties are everywhere."""
    rng = np.random.default_rng(seed)
    nodes, switches = rng.integers(1, 5, (2, 4, 4)), rng.integers(0, 3, (2, 3, 4, 4))
    return Chain(states_of(4), nodes[0], nodes[1], switches[0], switches[1])


def states_of(size: int) -> tuple[State, ...]:
    return tuple(State("P", clock) for clock in range(1, size + 1))


def random_chain(layers: int, size: int, seed: int, most: int = 1000) -> Chain:
    """Slow states need less energy; switching costs both."""
    rng = np.random.default_rng(seed)
    time = rng.integers(most // 10, most, (layers, size))
    energy = most * most // time + rng.integers(0, most // 4, (layers, size))
    switch_time, switch_energy = rng.integers(0, most // 10, (2, layers - 1, size, size))
    return Chain(states_of(size), time, energy, switch_time, switch_energy)


def all_paths(chain: Chain) -> IntArray:
    return np.array(list(product(range(len(chain.states)), repeat=chain.layers)), np.int64)


def costs_by_hand(chain: Chain, path: list[int]) -> tuple[int, int]:
    """Time and energy of a path, NEVER and NEVER if it is not possible."""
    shared = len(chain.switch_time_ns) == 1
    times = [int(chain.time_ns[i, s]) for i, s in enumerate(path)]
    energies = [int(chain.energy_nj[i, s]) for i, s in enumerate(path)]
    for i in range(chain.layers - 1):
        edge = (0 if shared else i, path[i], path[i + 1])
        times.append(int(chain.switch_time_ns[edge]))
        energies.append(int(chain.switch_energy_nj[edge]))
    return (NEVER, NEVER) if NEVER in times else (sum(times), sum(energies))


def brute_force(chain: Chain) -> list[tuple[int, int]]:
    """Costs of all possible paths."""
    costs = [costs_by_hand(chain, path) for path in all_paths(chain).tolist()]
    return [cost for cost in costs if cost[0] != NEVER]


def efficient(costs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What no other is at least as good as in both, by time."""
    front: list[tuple[int, int]] = []
    for time, energy in sorted(set(costs)):
        if not front or energy < front[-1][1]:
            front.append((time, energy))
    return front


def front_by_sets(chain: Chain) -> list[tuple[int, int]]:
    """Efficient costs by dynamic programming over plain Python sets, without bounds."""
    labels = {s: [(int(t), int(e))] for s, (t, e) in enumerate(zip(chain.time_ns[0], chain.energy_nj[0], strict=True))}
    for i in range(1, chain.layers):
        k = min(i, len(chain.switch_time_ns)) - 1
        ahead = {}
        for s in range(len(chain.states)):
            node = int(chain.time_ns[i, s]), int(chain.energy_nj[i, s])
            ahead[s] = efficient(
                [
                    (
                        t + int(chain.switch_time_ns[k, p, s]) + node[0],
                        e + int(chain.switch_energy_nj[k, p, s]) + node[1],
                    )
                    for p, known in labels.items()
                    for t, e in known
                ]
            )
        labels = ahead
    return efficient([cost for known in labels.values() for cost in known])


def measurements() -> Path:
    """Folder of the measured tables; the test is skipped where they are not at hand."""
    shared = Path(os.environ.get("EESIM_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared / "measurements"
    if not (folder / "layer_times.csv").is_file():
        pytest.skip(f"no measured tables in {folder} (set EESIM_SHARED)")
    return folder
