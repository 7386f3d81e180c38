"""Energy, term by term, against hand computations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import eesim
from eesim.engine.protocol import Counters
from eesim.metrics.energy import TERMS, energy_of, per_resource, window
from eesim.plan.lower import lower
from eesim.plan.plan import PURE_DELAY
from eesim.scenario.load import Scenario
from tests.plans import Step, build, ints
from tests.scenarios import (
    MS,
    ORIGIN,
    PAIR,
    STREAM,
    board_data,
    everywhere,
    network_data,
    pe_data,
    scenario_of,
    scenarios,
)

MW = 1000


def spent(now: int, busy: list[list[int]]) -> Counters:
    return Counters(now, ints(busy), ints([0] * len(busy)), ints([0]))


def test_terms_of_a_plan_by_hand() -> None:
    steps = [Step(0, [1, 1]), Step(PURE_DELAY, 1, [0], transfer=True), Step(1, 1, [1], exit=0)]
    power = [[1000 * MW, 500 * MW], [0, 0], [200 * MW, 200 * MW]]
    host = [[0, 0], [0, 0], [50 * MW, 50 * MW]]
    plan = build(
        steps,
        servers=[1, 2],
        node_power_uw=power,
        node_host_uw=host,
        resource_idle_uw=[10 * MW, 20 * MW],
        base_uw=3000 * MW,
    )
    # 100 ms: node 0 ran 10 ms in state 0 and 20 ms in state 1; the delay 5 ms; node 2 40 ms.
    energy = energy_of(plan, spent(100 * MS, [[10 * MS, 20 * MS], [5 * MS, 0], [40 * MS, 0]]))
    assert energy.base == pytest.approx(3 * 100)  # W x ms = mJ
    assert energy.compute == pytest.approx(1 * 10 + 0.5 * 20 + 0.2 * 40)
    assert energy.host == pytest.approx(0.05 * 40)
    # PE 0 idles 70 ms; one server of two is busy for 40 ms of 100, so PE 1 idles for 80 ms' worth.
    assert energy.idle == pytest.approx(0.01 * 70 + 0.02 * 80)
    assert energy.transfer == 0
    assert energy.total == pytest.approx(sum(getattr(energy, term) for term in TERMS))


def test_a_transfer_that_a_pe_pays_for_is_a_term_of_its_own() -> None:
    steps = [Step(0, 1), Step(0, 1, [0], transfer=True), Step(1, 1, [1], exit=0)]
    plan = build(steps, node_power_uw=[[100 * MW], [300 * MW], [0]], resource_idle_uw=[0, 0])
    energy = energy_of(plan, spent(10 * MS, [[2 * MS], [3 * MS], [1 * MS]]))
    assert energy.transfer == pytest.approx(0.3 * 3)
    assert energy.compute == pytest.approx(0.1 * 2)


def test_times_by_resource_leave_pure_delays_out() -> None:
    plan = build([Step(0, 1), Step(PURE_DELAY, 1, [0], transfer=True), Step(0, 1, [1], exit=0), Step(1, 1, [2])])
    assert per_resource(plan, ints([1, 10, 100, 1000])) == [101, 1000]


def test_a_window_is_the_difference_of_two_totals() -> None:
    found = window(
        Counters(5, ints([[1, 2]]), ints([3]), ints([4])), Counters(9, ints([[10, 20]]), ints([30]), ints([40]))
    )
    assert (found.now_ns, found.busy_ns.tolist(), found.wasted_ns.tolist(), found.blocked_ns.tolist()) == (
        4,
        [[9, 18]],
        [27],
        [36],
    )


def one_frame() -> Scenario:
    """b1 and b2 on B, e1 on G with its host on B: one frame that leaves at exit 1."""
    effect = {"slows_host": {"factor": 1.0}, "slows_self": {"factor": 1.0}, "host_power": "100 mW/GHz"}
    idle = {"value": "20 mW", "origin": ORIGIN}
    pes = {
        "B": pe_data(idle_power=idle),
        "L": pe_data(),
        "G": pe_data(idle_power=idle, host="B", hosts={"B": effect | {"origin": ORIGIN}}),
    }
    board = board_data(pes, base_power={"value": "3 W", "origin": ORIGIN})
    times = everywhere(board, {"b1": 4, "e1": 2, "b2": 6})
    return scenario_of(board, network_data(*PAIR), times, "BGB", run={"frames": 1, "warmup": "none", "replications": 1})


def test_the_energy_of_one_frame_by_hand() -> None:
    # B: b1 0-4 ms, the copy for G 4-5, b2 5-11. G: e1 5-7, which answers; b2 runs on, speculated in vain.
    result = eesim.run(one_frame())
    assert result.value("latency_ms.mean") == pytest.approx(7)
    assert result.value("wasted_ms_per_frame.B") == pytest.approx(6)
    expected = {
        "base": 3 * 11,
        "compute": 1 * (4 + 6) + 1 * 2,
        "transfer": 1 * 1,
        "host": 0.1 * 2,
        "idle": 0.02 * (11 - 11) + 0.02 * (11 - 2),
    }
    for term in TERMS:
        assert result.value(f"energy_mj_per_frame.{term}") == pytest.approx(expected[term])
    total = sum(expected.values())
    assert result.value("energy_mj_per_frame.total") == pytest.approx(total)
    assert result.value("power_mw") == pytest.approx(total / 11 * 1000)
    assert result.value("energy_delay_mj_ms") == pytest.approx(total * 7)


def test_physics_that_is_off_costs_nothing() -> None:
    result = eesim.run(one_frame())
    board = board_data("BLG")
    free = eesim.run(
        scenario_of(
            board, network_data(*PAIR), everywhere(board, {"b1": 4, "e1": 2, "b2": 6}), "BGB",
            physics={"transfers": False}, run={"frames": 1, "warmup": "none", "replications": 1},
        )
    )  # fmt: skip
    assert free.value("energy_mj_per_frame.transfer") == 0
    assert free.value("energy_mj_per_frame.compute") == result.value("energy_mj_per_frame.compute")


def test_energy_per_frame_is_power_over_throughput() -> None:
    # Far apart, frames cost what they cost: base power over the period, the rest over the work.
    board = board_data("BLG", base_power={"value": "3 W", "origin": ORIGIN})
    times = everywhere(board, {"b1": 4, "e1": 2, "b2": 6})
    run = {"frames": 101, "warmup": "none", "replications": 1}
    result = eesim.run(
        scenario_of(board, network_data(*PAIR), times, "BGL", stream=STREAM, run=run, physics={"transfers": False})
    )
    # 100 periods of 1 s and, after the last arrival, b1 and b2 (e1 answered at 6 ms).
    length = 100 * 1000 + 4 + 6
    assert result.value("energy_mj_per_frame.base") == pytest.approx(3 * length / 101)
    assert result.value("energy_mj_per_frame.compute") == pytest.approx(4 + 2 + 6)
    assert result.value("power_mw") == pytest.approx((3 * length + 101 * 12) / length * 1000)


@settings(max_examples=25, deadline=None)
@given(scenarios())
def test_terms_add_up_and_are_never_negative(scenario: Scenario) -> None:
    result = eesim.run(scenario)
    terms = [result.value(f"energy_mj_per_frame.{term}") for term in TERMS]
    assert all(term is not None and term >= 0 for term in terms)
    assert result.value("energy_mj_per_frame.total") == pytest.approx(sum(term or 0 for term in terms))


@settings(max_examples=25, deadline=None)
@given(scenarios())
def test_compute_energy_is_the_power_of_what_was_served(scenario: Scenario) -> None:
    # With one clock per PE and no noise, every full service of a node costs the same; nothing costs more.
    lowered = lower(scenario)
    result = eesim.run(scenario, log_frames=scenario.n_frames)
    tasks = result.tasks()
    served = (tasks["end_ns"] - tasks["start_ns"]).to_numpy(np.int64)
    most = dict(zip(lowered.labels.nodes, lowered.plan.node_power_uw.max(axis=1).tolist(), strict=False))
    ceiling = sum(most[name] * int(time) for name, time in zip(tasks["task"], served, strict=True)) / 10**12
    spent_mj = sum(result.value(f"energy_mj_per_frame.{term}") or 0 for term in ("compute", "transfer"))
    assert spent_mj <= ceiling / scenario.n_frames * (1 + 1e-9)
