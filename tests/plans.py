"""Small plans built by hand, draws for them, and the event log as text that a test can spell out.

Every builder takes ``**rules``: any field of `Plan`, which replaces what the builder would put there. Arrays
may be given as lists, and a single number stands for one per resource in `stage_capacity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from eesim.engine.protocol import Engine
from eesim.plan.plan import (
    FULL_SPEED,
    KEEP_STATE,
    PURE_DELAY,
    UNBOUNDED,
    Cancellation,
    Dispatch,
    Draws,
    EventKind,
    IntArray,
    NodeKind,
    Plan,
    WhenFull,
)


@dataclass(frozen=True)
class Step:
    """One node of a task graph; ``work`` is a number, or one per state of the resource."""

    resource: int
    work: int | Sequence[int]
    after: Sequence[int] = ()
    exit: int = -1
    gate: bool = False
    state: int = KEEP_STATE
    kernels: int = 1
    transfer: bool = False
    enter: int = -1
    leave: int = -1
    size: int = 0
    detects: bool = False
    together: Sequence[int] = ()
    """Work of 2, 3, ... tasks together."""


def ints(values: Any) -> IntArray:
    """A C-contiguous int64 array."""
    return np.ascontiguousarray(values, dtype=np.int64)


def needs(steps: Sequence[Step]) -> list[int]:
    """For each node the lowest exit that it, or something after it, completes."""
    n_exits = max(step.exit for step in steps) + 1
    need = [step.exit if step.exit >= 0 else n_exits for step in steps]
    for node in reversed(range(len(steps))):
        for before in steps[node].after:
            need[before] = min(need[before], need[node])
    return need


RULES = {
    "stage_capacity": UNBOUNDED,
    "stage_bytes": UNBOUNDED,
    "batch_wait_ns": 0,
    "section_places": [],
    "stage_full": WhenFull.BLOCK,
    "queue_capacity": UNBOUNDED,
    "queue_full": WhenFull.BLOCK,
    "frames_in_flight": UNBOUNDED,
    "dispatch": Dispatch.OLDEST_FRAME,
    "cancellation": Cancellation.QUEUED,
    "first_confident": 0,
    "stream_priority": 0,
    "level_up": [[]],
    "level_down": [[]],
    "level_at_exit": 0,
    "reuse_patience": 0,
    "reuse_most": UNBOUNDED,
    "bucket_most": 0,
    "bucket_per_frame": 0,
    "bucket_per_ns": 0,
}
"""Nothing is limited, and what waits is cancelled after the answer."""


def graph(steps: Sequence[Step]) -> dict[str, Any]:
    """The fields of a `Plan` that describe the task graph, its nodes in topological order."""
    n = len(steps)
    exits = [step.exit for step in steps]
    successors = [[later for later in range(n) if node in steps[later].after] for node in range(n)]
    work = [[step.work] if isinstance(step.work, int) else list(step.work) for step in steps]
    n_states = max(map(len, work))
    most = max(len(step.together) for step in steps)
    return {
        "stream_node": [0, n],
        "stream_exit": [0, max(exits) + 1],
        "node_kind": [NodeKind.TRANSFER if step.transfer else NodeKind.SEGMENT for step in steps],
        "node_resource": [step.resource for step in steps],
        "node_rank": range(n),
        "node_missing": [len(step.after) for step in steps],
        "node_exit": exits,
        "node_need": needs(steps),
        "node_gate": [step.gate for step in steps],
        "node_state": [step.state for step in steps],
        "node_work_ns": [row * n_states if len(row) == 1 else row for row in work],
        "node_kernels": [step.kernels for step in steps],
        "node_bytes": [step.size for step in steps],
        "node_batch": [len(step.together) + 1 for step in steps],
        "batch_work_ns": [
            [[*step.together, *[0] * (most - len(step.together))] for _ in range(n_states)] for step in steps
        ],
        "node_detects": [step.detects for step in steps],
        "node_enter": [step.enter for step in steps],
        "node_leave": [step.leave for step in steps],
        "succ_ptr": np.cumsum([0, *map(len, successors)]),
        "succ": list(chain.from_iterable(successors)),
        "exit_need": [exits.count(exit_) for exit_ in range(max(exits) + 1)],
        "node_power_uw": np.zeros((n, n_states)),
        "node_host_uw": np.zeros((n, n_states)),
    }


def platform(servers: Sequence[int]) -> dict[str, Any]:
    """The fields of a `Plan` that describe resources with so many servers each; none slows another."""
    n = len(servers)
    return {
        "server_resource": np.repeat(np.arange(n), servers),
        "resource_group": [-1] * n,
        "resource_bit": [0] * n,
        "resource_state": [0] * n,
        "speed_ppm": [[FULL_SPEED] * n],
        "resource_idle_uw": [0] * n,
        "base_uw": 0,
    }


def build(steps: Sequence[Step], *, servers: Sequence[int] = (), **rules: Any) -> Plan:
    """A plan of ``steps`` on resources with so many ``servers`` each; one each, unless given."""
    counts = list(servers) or [1] * (max(step.resource for step in steps) + 1)
    fields = graph(steps) | platform(counts) | RULES | rules
    fields.setdefault("exit_cost", [0] * len(fields["exit_need"]))
    if "level_last" not in fields:
        fields["level_last"] = [[len(fields["exit_need"]) - 1] * (len(fields["level_up"][0]) + 1)]
    for name in ("stage_capacity", "stage_bytes", "batch_wait_ns"):
        if isinstance(fields[name], int):
            fields[name] = [fields[name]] * len(counts)
    arrays = {name for name, kind in Plan.__annotations__.items() if "IntArray" in str(kind)}
    typed: dict[str, Any] = {name: ints(value) if name in arrays else int(value) for name, value in fields.items()}
    return Plan(**typed)


def single_server(work_ns: int | Sequence[int], *, servers: int = 1, **rules: Any) -> Plan:
    """One node on one processing element: a single queue."""
    return build([Step(0, work_ns, exit=0)], servers=[servers], **rules)


def tandem(works: Sequence[int], **rules: Any) -> Plan:
    """A chain of nodes, each on its own processing element; the last one answers."""
    last = len(works) - 1
    return build(
        [Step(k, work, after=[k - 1] if k else [], exit=0 if k == last else -1) for k, work in enumerate(works)],
        **rules,
    )


def early_exit_pair(first: int, branch: int, rest: int, *, kernels: int = 1, **rules: Any) -> Plan:
    """Segment 0 on PE 0; then, side by side, exit 0's branch on PE 1 and the rest, exit 1, on PE 0."""
    return build([Step(0, first), Step(1, branch, [0], exit=0), Step(0, rest, [0], exit=1, kernels=kernels)], **rules)


def delayed_pair(first: int, delay: int, second: int, **rules: Any) -> Plan:
    """Two segments on two processing elements with a pure delay (a transfer) between them."""
    return build([Step(0, first), Step(PURE_DELAY, delay, [0], transfer=True), Step(1, second, [1], exit=0)], **rules)


def resnet_like(**rules: Any) -> Plan:
    """Four backbone segments and three exits, ``BGLGLGL``, with contention between B, L and G."""
    b, little, g = 0, 1, 2
    ms = 1_000_000
    steps = [
        Step(b, 9 * ms),
        Step(g, 4 * ms, [0], exit=0),
        Step(little, 14 * ms, [0]),
        Step(g, 3 * ms, [2], exit=1),
        Step(little, 13 * ms, [2]),
        Step(g, 2 * ms, [4], exit=2),
        Step(little, 12 * ms, [4], exit=3),
    ]
    slow = [[FULL_SPEED - 70_000 * (mask & ~(1 << r)).bit_count() for r in range(3)] for mask in range(8)]
    return build(steps, **{"resource_bit": [1, 2, 4], "speed_ppm": slow, **rules})


def draws(plan: Plan, arrivals: npt.ArrayLike, exits: npt.ArrayLike = 0, noise: Any = None) -> Draws:
    """A block of frames for ``plan``; one exit for all or one each, the noise per frame and node."""
    arrival_ns = ints(arrivals)
    exit_ = ints(np.broadcast_to(ints(exits), arrival_ns.shape))
    return Draws(arrival_ns, exit_, ints(np.empty((0, plan.n_nodes)) if noise is None else noise))


def blocks(whole: Draws, size: int) -> list[Draws]:
    """The same frames in blocks of ``size``."""
    return [
        Draws(*(column[start : start + size] for column in whole)) for start in range(0, len(whole.arrival_ns), size)
    ]


def run(engine: Engine, whole: Draws, size: int | None = None) -> None:
    """Feed all frames, in one block or in blocks of ``size``, to the end."""
    parts = [whole] if size is None else blocks(whole, size)
    for number, part in enumerate(parts):
        engine.feed(part, final=number == len(parts) - 1)


def story(log: IntArray) -> list[str]:
    """The log as lines: ``time KIND frame[.node] [@place]``, without what is -1."""
    lines = []
    for time, kind, frame, node, place in log.tolist():
        where = f"{frame}.{node}" if node >= 0 else str(frame)
        lines.append(f"{time} {EventKind(kind).name} {where}" + (f" @{place}" if place >= 0 else ""))
    return lines


def told(text: str) -> list[str]:
    """The lines of a story as a test spells it: a line may tell several events, separated by commas.

    Only the first event of a line carries the time.
    """
    lines = []
    for line in filter(None, map(str.strip, text.splitlines())):
        time, events = line.split(maxsplit=1)
        lines += [f"{time} {event.strip()}" for event in events.split(",")]
    return lines
