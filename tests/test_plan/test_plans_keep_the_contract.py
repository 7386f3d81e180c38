"""Whatever is lowered, the plan has the form that the engines rely on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings

from eesim.plan.check import check_batches, check_sections
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import FULL_SPEED, PURE_DELAY, NodeKind, Plan
from eesim.scenario.load import Scenario, load
from tests.properties.documents import worlds, write_world
from tests.scenarios import scenarios


def arrays(plan: Plan) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: value for name, value in plan._asdict().items() if isinstance(value, np.ndarray)}


def followers(plan: Plan, node: int) -> list[int]:
    return plan.succ[slice(*plan.succ_ptr[node : node + 2])].tolist()


def edges(plan: Plan) -> list[tuple[int, int]]:
    return [
        (node, after) for node in range(plan.n_nodes) for after in plan.succ[slice(*plan.succ_ptr[node : node + 2])]
    ]


def in_order(plan: Plan) -> list[int]:
    """Nodes in an order in which each comes after its predecessors; shorter than N if there is a circle."""
    missing = plan.node_missing.copy()
    done = [int(node) for node in np.flatnonzero(missing == 0)]
    for node in done:
        for after in followers(plan, node):
            missing[after] -= 1
            if missing[after] == 0:
                done.append(after)
    return done


def assert_form(plan: Plan) -> None:
    """Types, memory layout and shapes."""
    found = arrays(plan)
    assert len(found) == sum("IntArray" in str(kind) for kind in Plan.__annotations__.values())
    for name, array in found.items():
        assert array.dtype == np.int64, name
        assert array.flags.c_contiguous, name
    n, k, r, s, g = plan.n_nodes, plan.n_exits, plan.n_resources, plan.n_servers, plan.n_streams
    shapes = {
        "batch_work_ns": (n, plan.n_states, max(plan.node_batch.max() - 1, plan.batch_work_ns.shape[2])),
        "node_work_ns": (n, plan.n_states), "node_power_uw": (n, plan.n_states), "node_host_uw": (n, plan.n_states),
        "succ_ptr": (n + 1,), "succ": (int(plan.node_missing.sum()),), "exit_need": (k,), "server_resource": (s,),
        **dict.fromkeys(("stream_node", "stream_exit"), (g + 1,)),
        **dict.fromkeys(("stream_priority", "queue_capacity", "queue_full", "frames_in_flight"), (g,)),
        **dict.fromkeys(("cancellation", "first_confident", "level_at_exit", "reuse_patience", "reuse_most"), (g,)),
        **dict.fromkeys(("bucket_most", "bucket_per_frame", "bucket_per_ns"), (g,)), "exit_cost": (k,),
        "level_last": (g, plan.n_levels + 1),
        **dict.fromkeys(("level_up", "level_down"), (g, plan.n_levels)),
        "section_places": (len(plan.section_places),),
        "speed_ppm": (1 << np.count_nonzero(plan.resource_bit), r),
    }  # fmt: skip
    for name, array in found.items():
        expected = shapes[name] if name in shapes else (n,) if name.startswith("node_") else (r,)
        assert array.shape == expected, name


def assert_graph(plan: Plan) -> None:
    """One root per stream, no circles, no loose ends, nothing that leads from one stream to another."""
    assert np.flatnonzero(plan.node_missing == 0).tolist() == plan.stream_node[:-1].tolist()
    assert (plan.stream_node[0], plan.stream_node[-1]) == (0, plan.n_nodes)
    assert (plan.stream_exit[0], plan.stream_exit[-1]) == (0, plan.n_exits)
    stream = plan.node_stream
    assert all(stream[before] == stream[after] for before, after in edges(plan))
    assert all(plan.exit_stream[e] == g for e, g in zip(plan.node_exit, stream, strict=True) if e >= 0)
    assert all(
        plan.stream_exit[g] <= need <= plan.stream_exit[g + 1] for need, g in zip(plan.node_need, stream, strict=True)
    )
    assert (plan.level_down <= plan.level_up).all()
    assert (plan.stream_exit[:-1, None] <= plan.level_last).all()
    assert (plan.level_last < plan.stream_exit[1:, None]).all()
    # At level 0 nobody is given up.
    assert (plan.level_last[:, 0] == plan.stream_exit[1:] - 1).all()
    assert sorted(in_order(plan)) == list(range(plan.n_nodes))
    pairs = edges(plan)
    assert len(set(pairs)) == len(pairs)
    assert np.bincount([after for _, after in pairs], minlength=plan.n_nodes).tolist() == plan.node_missing.tolist()
    # Work before an exit is needed as early as what follows it.
    assert all(plan.node_need[node] <= plan.node_need[after] for node, after in pairs)
    assert sorted(plan.node_rank) == list(range(plan.n_nodes))
    check_sections(plan)
    check_batches(plan)


def assert_numbers(lowered: Lowered) -> None:
    """Every number is possible."""
    plan = lowered.plan
    exits = plan.node_exit[plan.node_exit >= 0]
    assert np.bincount(exits, minlength=plan.n_exits).tolist() == plan.exit_need.tolist()
    assert plan.exit_need.min() >= 1
    # K where no answer needs the node.
    assert 0 == plan.node_need.min() <= plan.node_need.max() <= plan.n_exits
    assert (plan.node_need[plan.node_exit >= 0] <= exits).all()
    assert 1 <= plan.speed_ppm.min() <= plan.speed_ppm.max() == FULL_SPEED
    assert plan.node_work_ns.min() >= 0
    assert plan.node_kernels.min() >= 1
    assert plan.node_state.max() < plan.n_states
    assert set(plan.server_resource.tolist()) == set(range(plan.n_resources))
    assert (np.diff(plan.server_resource) >= 0).all()
    # Only a transfer, or what compares inputs, can be a pure delay, and no segment is lost on a link.
    delays = plan.node_resource == PURE_DELAY
    assert ((plan.node_kind == NodeKind.TRANSFER) | (plan.node_detects > 0))[delays].all()
    assert (plan.node_resource[plan.node_kind == NodeKind.SEGMENT] < lowered.labels.n_pes).all()
    assert lowered.exit_of[-1] == plan.n_exits - 1
    assert (np.diff(lowered.exit_of) >= 0).all()
    assert len(lowered.labels.nodes) == plan.n_nodes


@settings(max_examples=80, deadline=None)
@given(scenarios())
def test_every_plan_keeps_the_contract(scenario: Scenario) -> None:
    lowered = lower(scenario)
    assert_form(lowered.plan)
    assert_graph(lowered.plan)
    assert_numbers(lowered)
    assert len(lowered.exit_of) == len(scenario.network.exit_names)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(worlds(several=True))
def test_plans_of_several_streams_keep_the_contract(world: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lowered = lower(load(write_world(world, Path(folder))))
    assert_form(lowered.plan)
    assert_graph(lowered.plan)
    assert_numbers(lowered)
