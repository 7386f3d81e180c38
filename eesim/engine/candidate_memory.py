"""The working memory of compiled candidate runs: a candidate's plan is written where the last one's was.

One memory block serves one thread. Its layout is that of the compiled engine's arena (`eesim.engine.layout`), with
room for any number of frames in flight, so that nothing has to move while a candidate runs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import candidate_lowering as lo
from eesim.engine import layout as c
from eesim.engine.candidate_lowering import Scratch
from eesim.engine.candidate_tables import CandidateTables
from eesim.engine.jit import kernel, pointer
from eesim.engine.kernels import simulate
from eesim.plan.plan import KEEP_STATE, NEVER, PURE_DELAY

MIN_SLOTS = 16


class Memory(NamedTuple):
    """One thread's working memory and where its regions begin."""

    m: IntArray
    draw: IntArray
    latency: FloatArray
    node: IntArray
    place: IntArray
    exit_of: IntArray
    exit_label: IntArray
    sizes: IntArray


def make_memory(tables: CandidateTables, n_exits: int, frames: int) -> Memory:
    """Allocate what one thread needs for runs of ``frames`` frames."""
    segments, resources = len(tables.source), len(tables.resource_bit)
    nodes, slots = 2 * segments, frames + MIN_SLOTS
    fixed = (
        c.RUN_WIDTH
        + c.STREAM_WIDTH
        + resources * c.RES_WIDTH
        + len(tables.server_resource) * c.SERVER_WIDTH
        + tables.speed_ppm.size
        + n_exits
        + nodes * (2 + 2 + c.NODE_WIDTH)
    )
    queues = frames * (c.PENDING_WIDTH + c.RECORD_WIDTH) + 2 * slots * nodes
    per_slot = c.SLOT_WIDTH + nodes * c.TASK_WIDTH + n_exits
    return Memory(
        m=np.zeros(fixed + queues + slots * per_slot, np.int64),
        draw=np.zeros(frames, np.int64),
        latency=np.zeros(frames, np.float64),
        node=np.zeros((nodes, lo.WIDTH), np.int64),
        place=np.zeros(segments, np.int64),
        exit_of=np.zeros(n_exits, np.int64),
        exit_label=np.zeros(n_exits, np.int64),
        sizes=np.zeros(2, np.int64),
    )


@kernel
def place_resources(m: IntArray, tables: CandidateTables, at: int) -> int:
    """Write resources, servers and speeds at offset ``at``; return what follows."""
    n_resources = tables.resource_bit.shape[0]
    n_servers = tables.server_resource.shape[0]
    m[c.RESOURCES] = at
    m[c.SERVERS] = at + n_resources * c.RES_WIDTH
    m[c.SPEEDS] = m[c.SERVERS] + n_servers * c.SERVER_WIDTH
    m[c.N_RESOURCES] = n_resources
    m[c.N_SERVERS] = n_servers
    for i in range(n_resources):
        r = at + i * c.RES_WIDTH
        for column in range(c.RES_WIDTH):
            m[r + column] = 0
        m[r + c.RES_INDEX] = i
        m[r + c.RES_GROUP] = tables.resource_group[i]
        m[r + c.RES_BIT] = tables.resource_bit[i]
        m[r + c.RES_CAPACITY] = tables.stage_capacity[i]
    for i in range(n_servers):
        v = m[c.SERVERS] + i * c.SERVER_WIDTH
        for column in range(c.SERVER_WIDTH):
            m[v + column] = 0
        r = at + tables.server_resource[i] * c.RES_WIDTH
        m[v + c.SERVER_INDEX] = i
        m[v + c.SERVER_RESOURCE] = r
        m[v + c.SERVER_FINISH] = NEVER
        if m[r + c.RES_IDLE] == 0:
            m[r + c.RES_SERVER] = v
        m[r + c.RES_IDLE] += 1
    end = m[c.SPEEDS]
    for mask in range(tables.speed_ppm.shape[0]):
        for i in range(n_resources):
            m[end] = tables.speed_ppm[mask, i]
            end += 1
    return end


@kernel
def place_nodes(m: IntArray, scratch: Scratch, at: int) -> int:
    """Write nodes and their followers at offset ``at``; return what follows."""
    n = scratch.sizes[0]
    g = m[c.STREAMS]
    m[c.N_NODES] = n
    m[g + c.STREAM_N_NODES] = n
    m[g + c.STREAM_END_EXIT] = scratch.sizes[1]
    m[c.EXIT_NEED] = at
    for _ in range(scratch.sizes[1]):
        m[at] = 1
        at += 1
    work = at
    busy = work + n
    m[c.NODES] = busy + n
    m[g + c.STREAM_NODES] = m[c.NODES]
    at = m[c.NODES] + n * c.NODE_WIDTH
    gates = 0
    for i in range(n):
        row = scratch.node[i]
        m[work + i] = row[lo.WORK]
        m[busy + i] = 0
        node = m[c.NODES] + i * c.NODE_WIDTH
        resource = row[lo.RESOURCE]
        m[node + c.NODE_INDEX] = i
        m[node + c.NODE_KIND] = row[lo.KIND]
        m[node + c.NODE_RESOURCE] = PURE_DELAY
        if resource != PURE_DELAY:
            m[node + c.NODE_RESOURCE] = m[c.RESOURCES] + resource * c.RES_WIDTH
        m[node + c.NODE_RANK] = i
        m[node + c.NODE_MISSING] = row[lo.MISSING]
        m[node + c.NODE_EXIT] = row[lo.EXIT]
        m[node + c.NODE_NEED] = row[lo.NEED]
        m[node + c.NODE_GATE] = row[lo.GATE]
        m[node + c.NODE_STATE] = KEEP_STATE
        m[node + c.NODE_KERNELS] = row[lo.KERNELS]
        m[node + c.NODE_WORK] = work + i
        m[node + c.NODE_BUSY] = busy + i
        m[node + c.NODE_WASTED] = 0
        m[node + c.NODE_BYTES] = 0
        m[node + c.NODE_DETECTS] = 0
        m[node + c.NODE_COMPLETES] = row[lo.EXIT] >= 0
        gates += row[lo.GATE]
        m[node + c.NODE_FOLLOWERS] = at
        # A transfer comes before the exit whose decision it waits for, so followers may have lower numbers.
        for j in range(n):
            if scratch.node[j, lo.BEFORE] == i or scratch.node[j, lo.BLOCKED_BY] == i:
                m[at] = c.SLOT_WIDTH + j * c.TASK_WIDTH
                at += 1
        m[node + c.NODE_FOLLOWERS_END] = at
    m[g + c.STREAM_GATE_NODES] = gates
    return at


@kernel
def place_queues(m: IntArray, scratch: Scratch, frames: int, at: int) -> int:
    """Lay out pending frames, records and heaps for any number of slots; return where slots begin."""
    n = scratch.sizes[0]
    g = m[c.STREAMS]
    slots = frames + MIN_SLOTS
    m[g + c.STREAM_PENDING] = at
    m[g + c.STREAM_PENDING_SIZE] = frames
    m[c.RECORDS] = at + frames * c.PENDING_WIDTH
    at = m[c.RECORDS] + frames * c.RECORD_WIDTH
    m[c.DELAYS] = at
    delays = 0
    for i in range(n):
        r = m[m[c.NODES] + i * c.NODE_WIDTH + c.NODE_RESOURCE]
        if r == PURE_DELAY:
            delays += 1
        else:
            m[r + c.RES_HEAP] += slots
    at += delays * slots
    for i in range(m[c.N_RESOURCES]):
        r = m[c.RESOURCES] + i * c.RES_WIDTH
        size = m[r + c.RES_HEAP]
        m[r + c.RES_HEAP] = at
        at += size
    m[g + c.STREAM_EXIT_LEFT] = c.SLOT_WIDTH + n * c.TASK_WIDTH
    return at


@kernel
def add_slots(m: IntArray, begin: int, have: int, more: int) -> None:
    """Link ``more`` fresh slots to the free list; ``have`` exist from offset ``begin`` on."""
    n = m[c.N_NODES]
    g = m[c.STREAMS]
    width = c.SLOT_WIDTH + n * c.TASK_WIDTH + m[g + c.STREAM_END_EXIT]
    for i in range(have + more - 1, have - 1, -1):
        s = begin + i * width
        m[s + c.SLOT_USED] = 0
        m[s + c.SLOT_STREAM] = g
        m[s + c.SLOT_NEXT_FREE] = m[g + c.STREAM_FREE_SLOT]
        m[g + c.STREAM_FREE_SLOT] = s
        for j in range(n):
            t = s + c.SLOT_WIDTH + j * c.TASK_WIDTH
            m[t + c.TASK_SLOT] = s
            m[t + c.TASK_NODE] = m[c.NODES] + j * c.NODE_WIDTH
    m[g + c.STREAM_N_FREE] += more


@kernel
def write_plan(m: IntArray, tables: CandidateTables, scratch: Scratch, in_flight: int, queue: int, frames: int) -> int:
    """Write a lowered candidate into the memory; return where its slots begin."""
    for i in range(c.RUN_WIDTH + c.STREAM_WIDTH):
        m[i] = 0
    g = c.RUN_WIDTH
    m[c.STREAMS] = g
    m[c.N_STREAMS] = 1
    m[c.STAGE_FULL] = tables.stage_full
    m[c.DISPATCH] = tables.dispatch
    m[g + c.STREAM_IN_FLIGHT_LIMIT] = in_flight
    m[g + c.STREAM_QUEUE_CAPACITY] = queue
    m[g + c.STREAM_QUEUE_FULL] = tables.queue_full
    m[g + c.STREAM_CANCELLATION] = tables.cancellation
    at = place_resources(m, tables, g + c.STREAM_WIDTH)
    at = place_nodes(m, scratch, at)
    return place_queues(m, scratch, frames, at)


@kernel
def advance_to(m: IntArray, arrival: IntArray, draw: IntArray, known: int, final: bool, slots: IntArray) -> int:
    """Simulate until frame ``known - 1`` has arrived (or the end), giving the run slots as it needs them."""
    status = c.CRAMPED
    while status == c.CRAMPED:
        status = simulate(pointer(m), pointer(arrival), pointer(draw), pointer(draw), 0, known, final)
        if status == c.CRAMPED:
            more = min(max(slots[1], MIN_SLOTS), arrival.shape[0] + MIN_SLOTS - slots[1])
            add_slots(m, slots[0], slots[1], more)
            slots[1] += more
    return status
