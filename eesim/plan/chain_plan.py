"""Chains as plans: the tasks of `chain_switch` and `chain_pipeline`, one after the other, on their resources."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from eesim.base import FULL_SPEED, IntArray
from eesim.hardware.runtime import PipelineRuntime
from eesim.plan.chain import Chain, Task
from eesim.plan.chain_pipeline import COPY, Pipeline, slowdowns
from eesim.plan.plan import KEEP_STATE, UNBOUNDED, Cancellation, Dispatch, NodeKind, Plan, WhenFull


def switch_plan(chain: Chain, tasks: Sequence[Task], resources: list[str] | None = None) -> Plan:
    """Plan of one frame at a time; energies are the whole board's, task by task.

    Parameters
    ----------
    resources
        Names of the resources, in order; those that the tasks use by default.
    """
    resources = resources or list(dict.fromkeys(task.pe for task in tasks))
    power = np.array([task.energy / task.time_ns if task.time_ns else 0.0 for task in tasks])
    # What the board draws beside every task: below the least of them, so that no task draws less than nothing.
    runtime = chain.board.runtimes.switch
    base = min(runtime.idle_power if runtime else 0, *(int(p) for p in power if p > 0))
    drawn = np.maximum(np.rint(power).astype(np.int64) - base, 0)
    return _plan(tasks, resources, power_uw=drawn, base_uw=base, gate=True)


SpeedTables = dict[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], tuple[IntArray, IntArray]]
"""Bits and speeds by resources and hosts: many chains share them."""


def pipeline_plan(
    chain: Chain,
    runtime: PipelineRuntime,
    pipeline: Pipeline,
    known: SpeedTables | None = None,
    resources: list[str] | None = None,
) -> Plan:
    """Plan of free-running stages; powers are those of the board's operating points.

    Parameters
    ----------
    known
        Speed tables of earlier chains of this board, to be added to.
    resources
        Names of the resources, in order; those that the tasks use by default.
    """
    tasks = pipeline.tasks
    resources = resources or list(dict.fromkeys(task.pe for task in tasks))
    hosted = {name: name.removesuffix(COPY) for name in resources if name.endswith(COPY)}
    groups = {name: g for g, (copy, pe) in enumerate(hosted.items()) for name in (copy, pe)}
    npus = set(runtime.npus)
    # A hosted PE and its copying thread take turns; the NPU's device runs on while its thread reads the next image.
    group = [-1 if name.removesuffix(COPY) in npus else groups.get(name, -1) for name in resources]
    key = tuple(resources), tuple(sorted(chain.hosts.items()))
    if not chain.on("contention"):
        bits, speed = np.zeros(len(resources), np.int64), np.full((1, len(resources)), FULL_SPEED, np.int64)
    elif known is not None and key in known:
        bits, speed = known[key]
    else:
        bits, speed = _speeds(chain, runtime, resources)
        if known is not None:
            known[key] = bits, speed
    section: dict[str, Any] = {}
    if pipeline.enter >= 0:
        enter, leave = np.full((2, len(tasks)), -1, np.int64)
        enter[pipeline.enter] = leave[pipeline.leave] = 0
        section = {"node_enter": enter, "node_leave": leave, "section_places": np.array([pipeline.places], np.int64)}
    return _plan(
        tasks,
        resources,
        power_uw=np.array([_task_uw(chain, runtime, task) for task in tasks], np.int64),
        base_uw=runtime.base_power,
        gate=False,
        resource_group=np.array(group, np.int64),
        resource_bit=bits,
        speed_ppm=speed,
        **section,
    )


def _task_uw(chain: Chain, runtime: PipelineRuntime, task: Task) -> int:
    """Active power of a PE that computes, or of the cluster whose thread copies."""
    if "layers" in task.terms_ns:
        return _active_uw(chain, runtime, task.pe)
    pe = task.pe.removesuffix(COPY)
    cluster = chain.hosts.get(pe, pe)
    share = runtime.copy_power.get(cluster)
    return round(_active_uw(chain, runtime, cluster) * share.value) if share else 0


def _active_uw(chain: Chain, runtime: PipelineRuntime, pe: str) -> int:
    """Active power of a PE at its clock; at its highest where it has none of its own."""
    clocks, powers = chain.board.pes[pe].opps.frequencies, runtime.active_power.get(pe, ())
    known = dict(zip(clocks, powers, strict=False))
    return known.get(chain.pe_hz.get(pe, 0), powers[-1] if powers else 0)


def _speeds(chain: Chain, runtime: PipelineRuntime, resources: list[str]) -> tuple[IntArray, IntArray]:
    """Bit of each resource in the busy mask, and speeds for each mask, ppm."""
    bits = 1 << np.arange(len(resources), dtype=np.int64)
    masks = [dict(zip(reversed(resources), on, strict=True)) for on in product((False, True), repeat=len(resources))]
    factors = np.array([slowdowns(chain, runtime, resources, busy) for busy in masks], np.float64)
    return bits, np.rint(FULL_SPEED / factors).astype(np.int64)


def _plan(
    tasks: Sequence[Task],
    resources: list[str],
    *,
    power_uw: IntArray,
    base_uw: int,
    gate: bool,
    **own: IntArray,
) -> Plan:
    """Build the plan of tasks that follow each other."""
    n, r = len(tasks), len(resources)
    last = np.zeros(n, np.int64)
    last[-1] = 1
    index = {name: i for i, name in enumerate(resources)}
    fields: dict[str, Any] = {
        "stream_node": np.array([0, n], np.int64),
        "stream_exit": np.array([0, 1], np.int64),
        "node_kind": np.full(n, NodeKind.SEGMENT, np.int64),
        "node_resource": np.array([index[task.pe] for task in tasks], np.int64),
        "node_rank": np.arange(n, dtype=np.int64),
        "node_missing": np.minimum(np.arange(n, dtype=np.int64), 1),
        "node_exit": last - 1,
        "node_need": np.zeros(n, np.int64),
        "node_gate": last * gate,
        "node_state": np.full(n, KEEP_STATE, np.int64),
        "node_work_ns": np.array([[task.time_ns] for task in tasks], np.int64),
        "node_kernels": np.ones(n, np.int64),
        "succ_ptr": np.minimum(np.arange(n + 1, dtype=np.int64), n - 1),
        "succ": np.arange(1, n, dtype=np.int64),
        "exit_need": np.ones(1, np.int64),
        "exit_cost": np.zeros(1, np.int64),
        "node_bytes": np.zeros(n, np.int64),
        "node_detects": np.zeros(n, np.int64),
        "node_batch": np.ones(n, np.int64),
        "batch_work_ns": np.zeros((n, 1, 0), np.int64),
        "batch_wait_ns": np.zeros(r, np.int64),
        "node_enter": np.full(n, -1, np.int64),
        "node_leave": np.full(n, -1, np.int64),
        "section_places": np.zeros(0, np.int64),
        "server_resource": np.arange(r, dtype=np.int64),
        "resource_group": np.full(r, -1, np.int64),
        "resource_bit": np.zeros(r, np.int64),
        "resource_state": np.zeros(r, np.int64),
        "speed_ppm": np.full((1, r), FULL_SPEED, np.int64),
        "stage_capacity": np.full(r, UNBOUNDED, np.int64),
        "stage_bytes": np.full(r, UNBOUNDED, np.int64),
        "stage_full": int(WhenFull.BLOCK),
        "dispatch": int(Dispatch.OLDEST_FRAME),
        "node_power_uw": power_uw[:, None].copy(),
        "node_host_uw": np.zeros((n, 1), np.int64),
        "resource_idle_uw": np.zeros(r, np.int64),
        "base_uw": base_uw,
    }
    rules = {
        "stream_priority": 0,
        "queue_capacity": UNBOUNDED,
        "queue_full": WhenFull.BLOCK,
        "frames_in_flight": UNBOUNDED,
        "cancellation": Cancellation.NONE,
        "first_confident": 0,
        "level_at_exit": 0,
        "reuse_patience": 0,
        "reuse_most": UNBOUNDED,
        "bucket_most": 0,
        "bucket_per_frame": 0,
        "bucket_per_ns": 0,
    }
    fields |= {name: np.array([rule], np.int64) for name, rule in rules.items()}
    fields |= {name: np.zeros((1, 0), np.int64) for name in ("level_up", "level_down")}
    fields["level_last"] = np.zeros((1, 1), np.int64)
    return Plan(**{**fields, **own})
