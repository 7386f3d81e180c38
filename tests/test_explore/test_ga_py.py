"""GA.py's closed form, exactly."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.explore.ga_py import ga_py_exits, ga_py_fitness, ga_py_printed, ga_py_terms
from eesim.explore.ga_py_table import Table, all_orders, genes_of, shipped_table, table_of
from tests.scenarios import COUNTS, MS, PAIR, camera, network_of

ORDERS = all_orders()

B_MS = [8.09, 8.15, 6.60, 4.77, 9.57, 3.15, 11.18]
L_MS = [12.03, 11.63, 7.21, 6.83, 7.25, 4.29, 10.70]
G_MS = [8.57, 5.29, 7.39, 4.04, 7.96, 3.07, 11.43]


def rules(ns: dict[str, list[int]], x: str) -> list[int]:
    """E1..E4 in ns, rule by rule as the study's source has them."""
    l0, l1, l2, l3, l4, l5, l6 = (ns[pe][i] for i, pe in enumerate(x))
    e = {1: l0 + l1, 2: l0 + l2 + l3, 3: l0 + l2 + l4 + l5, 4: l0 + l2 + l4 + l6}

    def add(exits: str, amount: int) -> None:
        for k in exits:
            e[int(k)] += amount

    if x[1] == x[2]:
        add("234", l1)
    if x[3] == x[4]:
        add("34", l3)
    if x[5] == x[6]:
        add("4", l5)
    if x[1] == x[3] and l2 < l1:
        add("234", l1 - l2)
    if x[3] == x[5] and l4 < l3:
        add("34", l3 - l4)
    for i, j, k in ((1, 2, 1), (3, 4, 2), (5, 6, 3)):
        if x[i] == "B" and x[j] == "G":
            add(str(k), round(0.6 * ns["B"][i]))
        if x[i] == "G" and x[j] == "B":
            add("1234"[k:], round(0.6 * ns["B"][j]))
    if x[4] == x[5]:
        add("34", 50_000)
    if x[2] == x[3]:
        add("234", 50_000)
    if x[0] == x[1]:
        add("1234", 50_000)
    return list(e.values())


def exits_ms(orders: list[str]) -> np.ndarray:
    return ga_py_exits(shipped_table().times_ms, genes_of(orders))


# -- the table --------------------------------------------------------------------------------------------


def test_the_shipped_table_is_the_one_in_ga_py() -> None:
    times_ms, counts = shipped_table()
    assert times_ms.tolist() == [B_MS, L_MS, G_MS]
    assert tuple(counts) == COUNTS
    with pytest.raises(ValueError, match="read-only"):
        times_ms[0, 0] = 0


def test_a_table_at_other_clocks() -> None:
    slow = table_of(camera({"mapping.opp": {"L": "816 MHz"}}))
    np.testing.assert_array_equal(slow.times_ms[[0, 2]], [B_MS, G_MS])
    assert (slow.times_ms[1] > L_MS).all()


def test_a_table_needs_the_right_network_all_times_and_counts() -> None:
    scenario = camera({"stream.exits": {"kind": "fixed", "exit": 1}})
    with pytest.raises(InputError, match="net has another shape"):
        table_of(replace(scenario, network=network_of(*PAIR)))
    times = {
        segment: {pe: ns for pe, ns in row.items() if pe != "G"} for segment, row in scenario.profile.times.items()
    }
    with pytest.raises(InputError) as caught:
        table_of(replace(scenario, profile=scenario.profile.model_copy(update={"times": times})))
    missing = [f"profile.times.{segment}.G" for segment in times]
    assert [problem.path for problem in caught.value.problems] == [*missing, "stream.exits"]


# -- the closed form --------------------------------------------------------------------------------------


def test_a_plain_transcription_of_the_rules_agrees_on_every_string() -> None:
    ns = {pe: [round(ms * MS) for ms in row] for pe, row in zip("BLG", (B_MS, L_MS, G_MS), strict=True)}
    assert sorted(ORDERS) == sorted("".join(letters) for letters in product("BLG", repeat=7))
    expected = np.array([rules(ns, order) for order in ORDERS])
    np.testing.assert_array_equal(exits_ms(ORDERS), expected / MS)
    np.testing.assert_array_equal(ga_py_fitness(ORDERS), expected @ COUNTS / MS)


def test_any_table() -> None:
    rng = np.random.default_rng(5)
    # Segments from 1 to 20 us in whole us make every rule apply and many times tie.
    ns = rng.integers(1, 20, (3, 7)) * 1000
    table = Table(ns / MS, np.array([1, 2, 3, 4]))
    expected = np.array([rules(dict(zip("BLG", ns.tolist(), strict=True)), order) for order in ORDERS])
    np.testing.assert_array_equal(ga_py_exits(table.times_ms, genes_of(ORDERS)), expected / MS)
    np.testing.assert_array_equal(ga_py_fitness(ORDERS, table), expected @ [1, 2, 3, 4] / MS)


def test_the_optimum() -> None:
    late = exits_ms(ORDERS)[:, 3] > 40
    fitness = np.where(late, np.inf, ga_py_fitness(ORDERS))
    assert ORDERS[int(np.argmin(fitness))] == "BGLGLGL"
    assert fitness.min() == 152766.99
    assert np.count_nonzero(~late) == 576


def test_the_ten_best() -> None:
    exits, fitness = exits_ms(ORDERS), ga_py_fitness(ORDERS)
    best = np.argsort(np.where(exits[:, 3] <= 40, fitness, np.inf))[:10]
    assert [(ORDERS[i], round(fitness[i] / 1e4, 4), exits[i, 3]) for i in best] == [
        ("BGLGLGL", 15.2767, 33.25),
        ("BGLGLBL", 15.2791, 33.25),
        ("BGLGLLB", 15.3389, 33.78),
        ("BGLGLLG", 15.3506, 34.03),
        ("BGLBLGL", 15.3508, 33.25),
        ("BGLBLBL", 15.3531, 33.25),
        ("BGLGLBG", 15.3689, 33.98),
        ("BGLBLLB", 15.4130, 33.78),
        ("BGLBLLG", 15.4247, 34.03),
        ("BGLBLBG", 15.4429, 33.98),
    ]


@pytest.mark.parametrize(
    ("order", "exits", "mean"),
    [
        ("BGLGLGL", [13.38, 19.34, 25.62, 33.25], 15.2767),
        ("BBBBBBB", [16.29, 29.26, 42.03, 53.21], 20.0948),
        ("LLLLLLL", [23.71, 42.22, 53.81, 64.51], 28.3872),
        ("GGGGGGG", [13.91, 25.39, 36.47, 47.90], 17.3326),
        ("BLGBLBG", [19.72, 20.25, 27.77, 34.16], 20.6877),
        ("BGBGLGL", [13.38, 22.69, 28.97, 36.60], 15.8723),
    ],
)
def test_published_strings(order: str, exits: list[float], mean: float) -> None:
    np.testing.assert_array_equal(exits_ms([order])[0], exits)
    assert ga_py_fitness([order])[0] / 1e4 == pytest.approx(mean, abs=5e-5)


@pytest.mark.parametrize(
    ("order", "terms"),
    [
        # One PE: each exit runs before the next block; e2 "waits" 8.15 - 6.60 for e1 once more.
        (
            "BBBBBBB",
            [
                (16.24, 0, 0, 0, 0.05),
                (19.46, 8.15, 1.55, 0, 0.10),
                (27.41, 12.92, 1.55, 0, 0.15),
                (35.44, 16.07, 1.55, 0, 0.15),
            ],
        ),
        # Every exit on B beside its next block on G pays 60 %, and only for itself; e2 waits 8.15 - 7.39 for e1.
        (
            "LBGBGBG",
            [(20.18, 0, 0, 4.89, 0), (24.19, 0, 0.76, 2.862, 0), (30.53, 0, 0.76, 1.89, 0), (38.81, 0, 0.76, 0, 0)],
        ),
        # b2 on B beside e1 on G pays 60 % of 6.60; e3 and b4 share B; b1 and e1 share G.
        (
            "GGBGLBB",
            [
                (13.86, 0, 0, 0, 0.05),
                (19.21, 0, 0, 3.96, 0.05),
                (25.57, 0, 0, 3.96, 0.05),
                (33.60, 3.15, 0, 3.96, 0.05),
            ],
        ),
        # e1 before b2, e2 before b3, e2 "waits" 11.63 - 7.21 again; b4 on B beside e3 on G pays 60 % of 11.18.
        (
            "BLLLLGB",
            [
                (19.72, 0, 0, 0, 0),
                (22.13, 11.63, 4.42, 0, 0.05),
                (25.62, 18.46, 4.42, 0, 0.05),
                (33.73, 18.46, 4.42, 6.708, 0.05),
            ],
        ),
    ],
)
def test_terms_by_hand(order: str, terms: list[tuple[float, ...]]) -> None:
    found = ga_py_terms(order)
    assert [tuple(term) for term in found] == terms
    np.testing.assert_array_equal([term.total for term in found], exits_ms([order])[0])


def test_what_ga_py_prints_leaves_the_rules_out() -> None:
    mean, worst = ga_py_printed(["BGLGLBB", "BGBGLGL"]).T
    np.testing.assert_array_equal(worst, [33.73, 32.64])
    np.testing.assert_allclose(mean, [15.302, 15.168], atol=5e-4)
    assert ga_py_fitness(["BGLGLBB"])[0] / 1e4 == pytest.approx(15.449, abs=5e-4)
    assert exits_ms(["BGLGLBB"])[0, 3] == 36.88
    # By what is printed, another string would be the best.
    printed = ga_py_printed(ORDERS)
    assert printed[:, 0].min() == pytest.approx(ga_py_printed(["BGBGLGL"])[0, 0])


def test_all_strings_take_well_under_10_ms() -> None:
    ga_py_fitness(ORDERS)
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        ga_py_fitness(ORDERS)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.01


def test_every_bad_string_is_reported() -> None:
    with pytest.raises(InputError) as caught:
        ga_py_fitness(["BGLGLGL", "BGLGLGX", "BGL", "bglglgl", "éBBBBBB", "BN"])
    assert [str(problem) for problem in caught.value.problems] == [
        "<python>: orders[1]: 'BGLGLGX': GA.py does not know X",
        "<python>: orders[2]: 'BGL' does not have 7 letters",
        "<python>: orders[3]: 'bglglgl': GA.py does not know b, g, l",
        "<python>: orders[4]: 'éBBBBBB': GA.py does not know é",
        "<python>: orders[5]: 'BN' does not have 7 letters",
        "<python>: orders[5]: 'BN': GA.py does not know N",
    ]
    with pytest.raises(InputError):
        ga_py_printed(["BBBBBB"])
    with pytest.raises(InputError):
        ga_py_terms("NNNNNNN")


def test_no_strings() -> None:
    assert ga_py_fitness([]).shape == (0,)
    assert ga_py_printed([]).shape == (0, 2)


@pytest.mark.parametrize(
    ("times", "genes"),
    [
        (np.ones((4, 7)), np.zeros((1, 7), int)),
        (np.ones((3, 7)), np.zeros(7, int)),
        (np.ones((3, 7)), -np.ones((1, 7))),
    ],
)
def test_arrays_of_the_wrong_kind(times: np.ndarray, genes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="genes"):
        ga_py_exits(times, genes.astype(np.int64))
