"""Several streams on one platform: their plans as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eesim.plan.plan import UNBOUNDED, IntArray, Plan

_COMMON = (
    "server_resource", "resource_group", "resource_bit", "resource_state", "speed_ppm", "stage_capacity",
    "stage_bytes", "batch_wait_ns", "resource_idle_uw",
)  # fmt: skip
"""Arrays of the platform, the same in all plans."""

_PER_NODE = (
    "node_kind", "node_resource", "node_missing", "node_gate", "node_state", "node_work_ns", "node_kernels",
    "node_bytes", "node_batch", "batch_work_ns", "node_detects", "node_power_uw", "node_host_uw",
)  # fmt: skip
_PER_STREAM = (
    "queue_capacity", "queue_full", "frames_in_flight", "cancellation", "first_confident", "level_at_exit",
    "reuse_patience", "reuse_most", "bucket_most", "bucket_per_frame", "bucket_per_ns",
)  # fmt: skip


def merge_plans(plans: Sequence[Plan], priorities: Sequence[int]) -> Plan:
    """Return one plan of several streams.

    Parameters
    ----------
    plans
        A plan of each stream alone, all of the same resources, states and rules of the platform. Their sections stay
        their own.
    priorities
        Of each stream; lower goes first.
    """
    first = plans[0]
    for plan in plans[1:]:
        assert all(np.array_equal(getattr(first, name), getattr(plan, name)) for name in _COMMON)
        assert (first.stage_full, first.dispatch, first.base_uw) == (plan.stage_full, plan.dispatch, plan.base_uw)

    def joined(name: str) -> IntArray:
        return np.concatenate([getattr(plan, name) for plan in plans])

    nodes = np.cumsum([0, *(plan.n_nodes for plan in plans)])
    exits = np.cumsum([0, *(plan.n_exits for plan in plans)])
    edges = np.cumsum([0, *(len(plan.succ) for plan in plans)])
    sections = np.cumsum([0, *(len(plan.section_places) for plan in plans)])

    def renumbered(name: str, first: IntArray) -> IntArray:
        parts = zip([getattr(plan, name) for plan in plans], first[:-1], strict=True)
        return np.concatenate([np.where(part < 0, -1, part + number) for part, number in parts])

    pairs = list(zip(plans, nodes[:-1], exits[:-1], edges[:-1], strict=True))
    alike: dict[str, Any] = {
        name: joined(name) for name in (*_PER_NODE, *_PER_STREAM, "exit_need", "exit_cost", "section_places")
    }
    return first._replace(
        **alike,
        stream_node=nodes,
        stream_exit=exits,
        stream_priority=np.array(priorities, np.int64),
        node_rank=np.concatenate([plan.node_rank + node for plan, node, _, _ in pairs]),
        node_exit=renumbered("node_exit", exits),
        node_enter=renumbered("node_enter", sections),
        node_leave=renumbered("node_leave", sections),
        node_need=np.concatenate([plan.node_need + e for plan, _, e, _ in pairs]),
        succ_ptr=np.concatenate([[0], *(plan.succ_ptr[1:] + edge for plan, _, _, edge in pairs)]),
        succ=np.concatenate([plan.succ + node for plan, node, _, _ in pairs]),
        level_last=_last_exits(plans, exits),
        level_up=_padded([plan.level_up for plan in plans], UNBOUNDED),
        level_down=_padded([plan.level_down for plan in plans], 0),
    )


def _last_exits(plans: Sequence[Plan], exits: IntArray) -> IntArray:
    """Number the exits beyond which frames are dropped over all streams; levels that are never reached drop nothing."""
    width = max(plan.level_last.shape[1] for plan in plans)
    rows = [
        np.pad(plan.level_last, ((0, 0), (0, width - plan.level_last.shape[1])), constant_values=plan.n_exits - 1)
        + first
        for plan, first in zip(plans, exits[:-1], strict=True)
    ]
    return np.concatenate(rows)


def _padded(rows: Sequence[IntArray], fill: int) -> IntArray:
    """Levels of each stream, (G, A); streams that have fewer get levels that are never reached."""
    width = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1])), constant_values=fill) for row in rows])
