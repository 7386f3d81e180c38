"""The compiled lowering gives the plan of the general one, and the evaluator the metrics of a run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eesim.engine import candidate_lowering as lo
from eesim.engine import candidate_runs as cr
from eesim.errors import SimulationDeadlock
from eesim.evaluate import run
from eesim.explore.candidates import candidate_tables, unsupported
from eesim.plan.lower import lower
from eesim.plan.plan import PURE_DELAY
from eesim.scenario.load import Scenario, load
from tests.properties.documents import Document, worlds, write_world
from tests.scenarios import camera
from tests.test_explore.spaces import BUSY, RICH, Explored, camera_space, explored, scenario_of_genome, simulated


def supported(world: dict[str, Document], *, closed_loops: bool = True) -> Scenario:
    """Load a world after taking out what candidates cannot have."""
    scenario = world["scenario"]
    opp = {key: clock for key, clock in scenario["mapping"]["opp"].items() if key in world["board"]["pes"]}
    scenario["policy"].pop("adaptive", None)
    scenario["stream"]["exits"].pop("alternatives", None)
    for limits in (scenario["policy"]["stage_queue"], *scenario["policy"]["stage_queue"].get("pes", {}).values()):
        limits.pop("bytes", None)
    changed = {
        **scenario,
        "mapping": {**scenario["mapping"], "opp": opp},
        "policy": {**scenario["policy"], "send_policy": "after_segment", "merge_order": "exit_first"},
        "stream": {key: value for key, value in scenario["stream"].items() if key != "noise"},
    }
    if not closed_loops:
        assume(changed["stream"]["arrivals"]["kind"] != "closed_loop")
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(write_world({**world, "scenario": changed}, Path(folder)))
    assume(not unsupported(loaded))
    return loaded


def own_columns(scenario: Scenario) -> tuple[Any, Any, Any, Any]:
    board, mapping = scenario.board, scenario.mapping
    names = list(board.pes)
    pes = np.array([names.index(pe) for pe in mapping.pes], np.int64)
    pe_opps = np.array([board.pes[pe].opps.frequencies.index(mapping.pe_opp_hz[pe]) for pe in names], np.int64)
    return pes, pe_opps[pes], pe_opps, np.array(mapping.enabled_exits, np.int64)


def lowered_candidate(scenario: Scenario) -> dict[str, list[Any]]:
    """What the compiled lowering makes of a scenario's own mapping."""
    tables = candidate_tables(scenario)
    memory = cr.make_memory(tables, len(scenario.network.exit_names), 1)
    scratch = lo.Scratch(memory.node, memory.place, memory.exit_of, memory.exit_label, memory.sizes)
    assert lo.lower_candidate(tables, *own_columns(scenario), scratch)
    n, n_exits = scratch.sizes
    rows = scratch.node[:n]
    names = [*scenario.board.pes, *sorted({route.link for route in scenario.board.transfers.routes.values()})]
    followers = [[j for j in range(n) if i in (rows[j, lo.BEFORE], rows[j, lo.BLOCKED_BY])] for i in range(n)]
    return {
        "kind": rows[:, lo.KIND].tolist(),
        "resource": ["" if r == PURE_DELAY else names[r] for r in rows[:, lo.RESOURCE]],
        "missing": rows[:, lo.MISSING].tolist(),
        "exit": rows[:, lo.EXIT].tolist(),
        "need": rows[:, lo.NEED].tolist(),
        "gate": rows[:, lo.GATE].tolist(),
        "work": rows[:, lo.WORK].tolist(),
        "kernels": rows[:, lo.KERNELS].tolist(),
        "power": rows[:, lo.POWER].tolist(),
        "host power": rows[:, lo.HOST].tolist(),
        "segment": rows[:, lo.SEGMENT_OF].tolist(),
        "followers": followers,
        "exit of": scratch.exit_of.tolist(),
        "exit label": scratch.exit_label[:n_exits].tolist(),
    }


def lowered_plan(scenario: Scenario) -> dict[str, list[Any]]:
    """The same of the general lowering."""
    lowered = lower(scenario)
    plan, labels = lowered.plan, lowered.labels
    assert plan.n_states == 1
    return {
        "kind": plan.node_kind.tolist(),
        "resource": ["" if r == PURE_DELAY else labels.resources[r] for r in plan.node_resource],
        "missing": plan.node_missing.tolist(),
        "exit": plan.node_exit.tolist(),
        "need": plan.node_need.tolist(),
        "gate": plan.node_gate.tolist(),
        "work": plan.node_work_ns[:, 0].tolist(),
        "kernels": plan.node_kernels.tolist(),
        "power": plan.node_power_uw[:, 0].tolist(),
        "host power": plan.node_host_uw[:, 0].tolist(),
        "segment": list(labels.node_segment),
        "followers": [
            sorted(plan.succ[a:b].tolist()) for a, b in zip(plan.succ_ptr[:-1], plan.succ_ptr[1:], strict=True)
        ],
        "exit of": lowered.exit_of.tolist(),
        "exit label": [number - 1 for number in labels.exit_number],
    }


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=150, **COMMON)
@given(worlds(several=False))
def test_both_lowerings_give_the_same_plan(world: dict[str, Document]) -> None:
    scenario = supported(world)
    assert lowered_candidate(scenario) == lowered_plan(scenario)


@pytest.mark.slow
@settings(max_examples=3000, **COMMON)
@given(worlds(several=False))
def test_both_lowerings_give_the_same_plan_of_many_worlds(world: dict[str, Document]) -> None:
    scenario = supported(world)
    assert lowered_candidate(scenario) == lowered_plan(scenario)


# -- metrics ------------------------------------------------------------------------------------------------


def assert_same_metrics(explored: Explored, genome: Any, scenario: Scenario) -> None:
    """Compare what the evaluator says of a genome with a run of its scenario on the same frames."""
    found = simulated(explored, genome[None])
    try:
        result = run(scenario)
    except SimulationDeadlock:
        assert found["status"][0] in (cr.INVALID, cr.DEADLOCKED)
        return
    assert found["status"][0] == cr.SIMULATED
    compared = 0
    for name, values in found.items():
        if name in result.estimates:
            wanted = result.estimates[name].value
            got = values[0] if np.isfinite(values[0]) else None
            assert got == (None if wanted is None else pytest.approx(wanted, rel=1e-12, abs=1e-15)), name
            compared += 1
    assert compared >= 12


def check_world(world: dict[str, Document]) -> None:
    check_scenario(supported(world, closed_loops=False))


def check_scenario(scenario: Scenario) -> None:
    run_ = scenario.spec.run
    found = explored(scenario, {"frames": scenario.n_frames, "seed": run_.seed})
    assert found.space.size == 1
    assert_same_metrics(found, np.zeros(len(found.space.genes), np.int64), scenario)


@settings(max_examples=80, **COMMON)
@given(worlds(several=False))
def test_the_evaluator_gives_the_metrics_of_a_run(world: dict[str, Document]) -> None:
    check_world(world)


@pytest.mark.slow
@settings(max_examples=2000, **COMMON)
@given(worlds(several=False))
def test_the_evaluator_gives_the_metrics_of_a_run_in_many_worlds(world: dict[str, Document]) -> None:
    check_world(world)


def check_any_world(world: dict[str, Document]) -> None:
    """Whatever the world: subgraphs sent at once, noise, closed loops, segments with clocks of their own."""
    with tempfile.TemporaryDirectory() as folder:
        check_scenario(load(write_world(world, Path(folder))))


@settings(max_examples=40, **COMMON)
@given(worlds())
def test_the_evaluator_gives_the_metrics_of_a_run_on_any_road(world: dict[str, Document]) -> None:
    check_any_world(world)


@pytest.mark.slow
@settings(max_examples=1000, **COMMON)
@given(worlds())
def test_the_evaluator_gives_the_metrics_of_a_run_on_any_road_in_many_worlds(world: dict[str, Document]) -> None:
    check_any_world(world)


def test_closed_loops_and_subgraphs_take_the_general_road() -> None:
    for changes in ({"stream.arrivals": {"kind": "closed_loop"}}, {"policy": "coup-switch"}):
        scenario = camera({**BUSY, **changes})
        assert unsupported(scenario)
        found = explored(scenario, {"frames": scenario.n_frames, "seed": scenario.spec.run.seed})
        assert_same_metrics(found, np.zeros(len(found.space.genes), np.int64), scenario)
        counts = found.evaluator.simulated, found.evaluator.by_single_frames, found.evaluator.by_general_road
        assert counts == (0, 0, 1)


@pytest.fixture(scope="module")
def rich() -> Explored:
    return camera_space(BUSY, RICH)


@settings(max_examples=40, **COMMON)
@given(seed=st.integers(0, 2**32))
def test_any_design_of_the_shipped_scenario_has_the_metrics_of_its_run(rich: Explored, seed: int) -> None:
    (genome,) = rich.at_random(1, seed)
    assert_same_metrics(rich, genome, scenario_of_genome(rich.space, genome))
