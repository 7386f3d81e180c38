"""Compiled running totals: what a run's counters are at an instant, the elapsed part of what is under way included."""

from __future__ import annotations

from eesim.engine import layout as c
from eesim.engine.jit import WarmOnce, kernel, pointer
from eesim.plan.plan import IntArray


def row_width(n_nodes: int, n_states: int, n_resources: int) -> int:
    """Numbers in a row of totals: the instant, service per node and state, waste per node, three per resource.

    Those are the time blocked, the batches and the tasks in them.
    """
    return 1 + n_nodes * n_states + n_nodes + 3 * n_resources


@kernel
def write_totals(m: IntArray, row: IntArray, at: int) -> None:
    """Write the totals of the present instant to ``row``, from index ``at`` on (both are pointers)."""
    now = m[c.NOW]
    n_nodes, nodes = m[c.N_NODES], m[c.NODES]
    busy, n_busy = m[nodes + c.NODE_BUSY], n_nodes * m[c.N_STATES]
    row[at] = now
    at += 1
    for i in range(n_busy):
        row[at + i] = m[busy + i]
    blocked = at + n_busy + n_nodes
    for n in range(n_nodes):
        row[at + n_busy + n] = m[nodes + n * c.NODE_WIDTH + c.NODE_WASTED]
    n_resources = m[c.N_RESOURCES]
    for i in range(n_resources):
        r = m[c.RESOURCES] + i * c.RES_WIDTH
        row[blocked + i] = m[r + c.RES_BLOCKED_NS]
        row[blocked + n_resources + i] = m[r + c.RES_STARTS]
        row[blocked + 2 * n_resources + i] = m[r + c.RES_STARTED]
    for i in range(m[c.N_SERVERS]):
        server = m[c.SERVERS] + i * c.SERVER_WIDTH
        if m[server + c.SERVER_BLOCKED]:
            row[blocked + m[m[server + c.SERVER_RESOURCE] + c.RES_INDEX]] += now - m[server + c.SERVER_SINCE]
        elif m[server + c.SERVER_TASK] != c.NOBODY:
            add_elapsed(m, row, at - busy, m[server + c.SERVER_TASK])
    for i in range(m[c.N_DELAYS]):
        add_elapsed(m, row, at - busy, m[m[c.DELAYS] + i])


@kernel
def add_elapsed(m: IntArray, row: IntArray, shift: int, task: int) -> None:
    """Add the elapsed part of a task to the service of its node in the state that it found."""
    row[shift + m[m[task + c.TASK_NODE] + c.NODE_BUSY] + m[task + c.TASK_FOUND]] += m[c.NOW] - m[task + c.TASK_START]


@kernel
def totals_now(m: IntArray, row: IntArray) -> None:
    """Write the totals of the present instant to a row."""
    write_totals(pointer(m), pointer(row), 0)


totals = WarmOnce(totals_now)
