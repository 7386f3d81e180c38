"""Bounds: computed by hand, and never beaten by any simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import eesim
from eesim.metrics.bounds import bounds, critical_paths_ns
from eesim.metrics.result import Result
from eesim.plan.lower import lower
from eesim.scenario.load import Scenario, load
from tests.plans import Step, build
from tests.scenarios import (
    FAR_APART,
    MS,
    PAIR,
    board_data,
    camera,
    network_data,
    scenario_data,
    scenarios,
    write_world,
)


def shares(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.float64)


# -- by hand ------------------------------------------------------------------------------------------------


def test_critical_paths_follow_the_longest_chain() -> None:
    #     0 (3) -> 1 (10) -> 3 (1, exit 0)
    #     0     -> 2 (4)  -> 3
    plan = build([Step(0, 3), Step(1, 10, [0]), Step(0, 4, [0]), Step(1, 1, [1, 2], exit=0)])
    assert critical_paths_ns(plan).tolist() == [3, 13, 7, 14]


def test_a_state_counts_with_its_least_work() -> None:
    plan = build([Step(0, [9, 5], exit=0)])
    assert critical_paths_ns(plan).tolist() == [5]


def test_an_exit_answers_after_all_earlier_ones_have_declined() -> None:
    # Exit 0 takes 2 + 20, exit 1 is known after 2 + 3: in order, it answers after 22.
    steps = [Step(0, 2), Step(1, 20, [0], exit=0), Step(0, 3, [0], exit=1)]
    in_order = bounds(build(steps), shares(0.5, 0.5))
    assert in_order.exit_latency_ns.tolist() == [22, 22]
    assert in_order.mean_latency_ns == 22
    first = bounds(build(steps, first_confident=1), shares(0.5, 0.5))
    assert first.exit_latency_ns.tolist() == [22, 5]


def test_demand_counts_only_what_answers_need() -> None:
    steps = [Step(0, 2), Step(1, 20, [0], exit=0), Step(0, 10, [0], exit=1)]
    found = bounds(build(steps), shares(0.75, 0.25))
    # PE 0: the first segment for all, the second for a quarter; PE 1: the branch for all.
    assert found.demand_ns.tolist() == [2 + 10 / 4, 20]
    assert found.bottleneck == 1
    assert found.throughput_fps == pytest.approx(1e9 / 20)


def test_servers_share_the_demand() -> None:
    steps = [Step(0, 2), Step(1, 20, [0], exit=0)]
    found = bounds(build(steps, servers=[1, 20]), shares(1.0))
    assert found.bottleneck == 0
    assert found.throughput_fps == pytest.approx(1e9 / 2)


def test_no_work_bounds_nothing() -> None:
    found = bounds(build([Step(0, 0, exit=0)]), shares(1.0))
    assert (found.throughput_fps, found.bottleneck) == (float("inf"), -1)


def test_bounds_of_the_shipped_mapping_are_its_paths() -> None:
    # b1 + e1, b1 + b2 + e2, ... of the published table, BGLGLGL; transfers and contention off.
    scenario = camera(FAR_APART)
    found = bounds(lower(scenario).plan, shares(1, 0, 0, 0))
    b1, e1, b2, e2, b3, e3, b4 = 8.09, 5.29, 7.21, 4.04, 7.25, 3.07, 10.70
    paths = [b1 + e1, b1 + b2 + e2, b1 + b2 + b3 + e3, b1 + b2 + b3 + b4]
    assert found.exit_latency_ns.tolist() == [round(path * MS) for path in paths]
    # Everybody leaves at exit 1: B and G work for b1 and e1.
    assert found.demand_ns.tolist() == pytest.approx([b1 * MS, 0, e1 * MS, 0])
    assert found.throughput_fps == pytest.approx(1000 / b1)


def test_an_empty_system_meets_its_latency_bound() -> None:
    result = eesim.run(camera({**FAR_APART, "run.frames": 1000}))
    for name, bound in zip(result.lowered.labels.exits, result.bounds.exit_latency_ns, strict=True):
        assert result.value(f"exit_latency_ms.{name}") == pytest.approx(bound / MS)
    assert result.value("latency_ms.mean") == pytest.approx(result.bounds.mean_latency_ns / MS)


def test_an_overloaded_pe_meets_its_throughput_bound() -> None:
    # All on G: one server that is never idle; a frame needs what its exit needs.
    overrides = {**FAR_APART, "mapping.segments": "GGGGGGG", "policy": "sequential"}
    scenario = camera({**overrides, "stream.arrivals": {"kind": "periodic", "rate": "1 kHz"}, "run.frames": 1000})
    result = eesim.run(scenario)
    assert result.value("throughput_fps") == pytest.approx(result.bounds.throughput_fps, rel=0.01)


# -- against simulation -------------------------------------------------------------------------------------


def assert_bounded(result: Result) -> None:
    """No frame answers before its critical path; no more frames answer than the bottleneck can serve."""
    frames = result.frames()
    answered = frames[frames["status"] == "answered"]
    latency = answered["finish_ns"].astype("int64") - answered["arrival_ns"]
    least = latency.groupby(answered["exit"].astype("int64")).min()
    limit = dict(zip(result.lowered.labels.exit_number, result.bounds.exit_latency_ns.tolist(), strict=True))
    for exit_, value in least.items():
        assert value >= limit[exit_]
    assert latency.mean() >= result.bounds.mean_latency_ns * (1 - 1e-12)
    # From the first arrival to the last answer, all the work that answers need is done.
    span = int(answered["finish_ns"].max()) - int(frames["arrival_ns"].min())
    assert len(answered) * 1e9 / span <= result.bounds.throughput_fps * (1 + 1e-9)


@settings(max_examples=70, deadline=None)
@given(scenarios())
def test_no_simulation_beats_the_bounds(scenario: Scenario) -> None:
    assert_bounded(eesim.run(scenario))


def slow_branch(folder: Path, policy: dict[str, str]) -> Scenario:
    """b1 and b2 take 1 ms each, the branch between them 50 ms; every frame answers at the final exit."""
    times = {"b1": {"B": "1 ms"}, "e1": {"L": "50 ms"}, "b2": {"B": "1 ms"}}
    (folder / "e.csv").write_text("exit,confident_1,confident_2\n" + "2,0,1\n" * 200)
    data = scenario_data(
        "BLB",
        policy=policy,
        physics={"transfers": False},
        stream={"arrivals": {"kind": "periodic", "rate": "100 Hz"}, "exits": {"kind": "trace", "path": "e.csv"}},
        run={"frames": 200, "warmup": "none", "replications": 1},
    )
    return load(write_world(folder, board_data(), network_data(*PAIR), times, data))


@pytest.mark.parametrize("cancellation", ["none", "queued", "running"])
def test_no_simulation_beats_the_bounds_where_the_first_confident_exit_answers(
    cancellation: str, tmp_path: Path
) -> None:
    # Exit 1 is never confident: frames answer without waiting for it.
    policy = {"exit_order": "first_confident", "cancellation": cancellation, "abort_at": "once"}
    assert_bounded(eesim.run(slow_branch(tmp_path, policy)))


@pytest.mark.parametrize("cancellation", ["none", "queued", "running"])
def test_no_simulation_beats_the_bounds_where_nothing_is_decided(cancellation: str, tmp_path: Path) -> None:
    # The final classifier answers and needs nothing of the branch.
    policy = {"exit_decision": "none", "cancellation": cancellation, "abort_at": "once"}
    assert_bounded(eesim.run(slow_branch(tmp_path, policy)))
