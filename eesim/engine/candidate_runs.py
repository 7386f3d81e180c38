"""Lower and simulate many candidates in compiled code, on the same frames (common random numbers).

One memory block serves one thread: each candidate's plan is written where the last one's was, so nothing is allocated
between candidates but the sorted latencies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine import candidate_lowering as lo
from eesim.engine import layout as c
from eesim.engine.candidate_lowering import Scratch, lower_candidate
from eesim.engine.candidate_tables import CandidateTables
from eesim.engine.jit import kernel, pointer
from eesim.engine.kernels import simulate
from eesim.plan.plan import KEEP_STATE, NEVER, PURE_DELAY, UNBOUNDED, Status

ANSWERED = int(Status.ANSWERED)
MIN_SLOTS = 16

# Columns of the metrics.
MEAN_NS = 0
P50_NS = 1
P90_NS = 2
P95_NS = 3
P99_NS = 4
MAX_NS = 5
ANSWERS = 6
DROPS = 7
MISSES = 8
PERIOD_NS = 9
ENERGY_FJ = 10
SPAN_NS = 11
MAKESPAN_NS = 12
STATUS = 13
EXIT0 = 14
"""The share of each network exit follows from here."""

SIMULATED = 0.0
INVALID = 1.0
STOPPED_EARLY = 2.0
DEADLOCKED = 3.0


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
        m[r + c.RES_CAPACITY] = tables.stage_capacity
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
    m[c.N_NODES] = n
    m[c.N_EXITS] = scratch.sizes[1]
    m[c.EXIT_NEED] = at
    for _ in range(scratch.sizes[1]):
        m[at] = 1
        at += 1
    work = at
    busy = work + n
    m[c.NODES] = busy + n
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
        gates += row[lo.GATE]
        m[node + c.NODE_FOLLOWERS] = at
        # A transfer comes before the exit whose decision it waits for, so followers may have lower numbers.
        for j in range(n):
            if scratch.node[j, lo.BEFORE] == i or scratch.node[j, lo.BLOCKED_BY] == i:
                m[at] = c.SLOT_WIDTH + j * c.TASK_WIDTH
                at += 1
        m[node + c.NODE_FOLLOWERS_END] = at
    m[c.GATE_NODES] = gates
    return at


@kernel
def place_queues(m: IntArray, scratch: Scratch, frames: int, at: int) -> int:
    """Lay out pending frames, records and heaps for any number of slots; return where slots begin."""
    n = scratch.sizes[0]
    slots = frames + MIN_SLOTS
    m[c.PENDING] = at
    m[c.PENDING_SIZE] = frames
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
    m[c.EXIT_LEFT] = c.SLOT_WIDTH + n * c.TASK_WIDTH
    return at


@kernel
def add_slots(m: IntArray, begin: int, have: int, more: int) -> None:
    """Link ``more`` fresh slots to the free list; ``have`` exist from offset ``begin`` on."""
    n = m[c.N_NODES]
    width = c.SLOT_WIDTH + n * c.TASK_WIDTH + m[c.N_EXITS]
    for i in range(have + more - 1, have - 1, -1):
        s = begin + i * width
        m[s + c.SLOT_USED] = 0
        m[s + c.SLOT_NEXT_FREE] = m[c.FREE_SLOT]
        m[c.FREE_SLOT] = s
        for j in range(n):
            t = s + c.SLOT_WIDTH + j * c.TASK_WIDTH
            m[t + c.TASK_SLOT] = s
            m[t + c.TASK_NODE] = m[c.NODES] + j * c.NODE_WIDTH
    m[c.N_FREE] += more


@kernel
def write_plan(m: IntArray, tables: CandidateTables, scratch: Scratch, in_flight: int, queue: int, frames: int) -> int:
    """Write a lowered candidate into the memory; return where its slots begin."""
    for i in range(c.RUN_WIDTH):
        m[i] = 0
    for i in range(tables.rules.shape[0]):
        m[c.STAGE_FULL + i] = tables.rules[i]
    m[c.IN_FLIGHT_LIMIT] = in_flight
    m[c.QUEUE_CAPACITY] = queue
    at = place_resources(m, tables, c.RUN_WIDTH)
    at = place_nodes(m, scratch, at)
    return place_queues(m, scratch, frames, at)


@kernel
def advance_to(m: IntArray, arrival: IntArray, draw: IntArray, known: int, final: bool, slots: IntArray) -> int:
    """Simulate until frame ``known - 1`` has arrived (or the end), giving the run slots as it needs them."""
    status = c.CRAMPED
    while status == c.CRAMPED:
        status = simulate(pointer(m), pointer(arrival), pointer(draw), 0, known, final)
        if status == c.CRAMPED:
            more = min(max(slots[1], MIN_SLOTS), arrival.shape[0] + MIN_SLOTS - slots[1])
            add_slots(m, slots[0], slots[1], more)
            slots[1] += more
    return status


@kernel
def hopeless(m: IntArray, warm: int, limits: IntArray) -> bool:
    """Whether more frames are late, or lost, than the constraints allow of the whole run.

    ``limits`` holds, in pairs, a latency and how many measured frames may exceed it; the last pair's latency is
    ignored and its number is of drops.
    """
    pairs = limits.shape[0] // 2
    for p in range(pairs):
        over = 0
        for i in range(m[c.N_RECORDS]):
            row = m[c.RECORDS] + i * c.RECORD_WIDTH
            if m[row] < warm:
                continue
            dropped = m[row + 4] != ANSWERED
            late = not dropped and m[row + 2] - m[row + 1] > limits[2 * p]
            over += dropped if p == pairs - 1 else late
        if over > limits[2 * p + 1]:
            return True
    return False


@kernel
def measure(m: IntArray, scratch: Scratch, warm: int, deadline: int, latency: FloatArray, out: FloatArray) -> None:
    """Turn records and counters into one row of metrics."""
    answers = 0
    total = 0
    first = -1
    last = -1
    for i in range(m[c.N_RECORDS]):
        row = m[c.RECORDS] + i * c.RECORD_WIDTH
        if m[row] < warm:
            continue
        if m[row + 4] != ANSWERED:
            out[DROPS] += 1
            out[MISSES] += 1
            continue
        late = m[row + 2] - m[row + 1]
        latency[answers] = late
        total += late
        answers += 1
        out[MISSES] += late > deadline
        out[EXIT0 + scratch.exit_label[m[row + 3]]] += 1
        first = m[row + 2] if first < 0 else first
        last = m[row + 2]
    out[ANSWERS] = answers
    out[MAKESPAN_NS] = m[c.NOW]
    if answers == 0:
        return
    ordered = np.sort(latency[:answers])
    out[MEAN_NS] = total / answers
    for column, share in ((P50_NS, 0.5), (P90_NS, 0.9), (P95_NS, 0.95), (P99_NS, 0.99)):
        out[column] = ordered[max(int(np.ceil(share * answers - 1e-9)), 1) - 1]
    out[MAX_NS] = ordered[answers - 1]
    out[PERIOD_NS] = (last - first) / (answers - 1) if answers > 1 else np.nan
    for e in range(scratch.exit_of.shape[0]):
        out[EXIT0 + e] /= answers


@kernel
def energy_so_far(m: IntArray, tables: CandidateTables, scratch: Scratch) -> float:
    """Energy until now, fJ: base, idle, service and host threads; the elapsed part of what is under way included."""
    now = m[c.NOW]
    energy = float(tables.base_uw) * now
    for i in range(m[c.N_RESOURCES]):
        energy += float(tables.idle_uw[i]) * now
    for i in range(scratch.sizes[0]):
        node = m[c.NODES] + i * c.NODE_WIDTH
        energy += energy_rate(m, tables, scratch, i, node) * m[m[node + c.NODE_BUSY]]
    for i in range(m[c.N_SERVERS]):
        t = m[m[c.SERVERS] + i * c.SERVER_WIDTH + c.SERVER_TASK]
        if t != c.NOBODY and not m[m[c.SERVERS] + i * c.SERVER_WIDTH + c.SERVER_BLOCKED]:
            node = m[t + c.TASK_NODE]
            energy += energy_rate(m, tables, scratch, m[node + c.NODE_INDEX], node) * (now - m[t + c.TASK_START])
    return energy


@kernel
def energy_rate(m: IntArray, tables: CandidateTables, scratch: Scratch, i: int, node: int) -> float:
    """Power that serving node ``i`` adds, uW: its own and its host's, less the idle power that it replaces."""
    rate = float(scratch.node[i, lo.POWER] + scratch.node[i, lo.HOST])
    r = m[node + c.NODE_RESOURCE]
    if r != PURE_DELAY:
        index = m[r + c.RES_INDEX]
        servers = 0
        for v in range(tables.server_resource.shape[0]):
            servers += tables.server_resource[v] == index
        rate -= tables.idle_uw[index] / servers
    return rate


@kernel
def run_single_frames(
    tables: CandidateTables,
    pes: IntArray,
    opps: IntArray,
    pe_opps: IntArray,
    enabled: IntArray,
    memory: Memory,
    latency: FloatArray,
    occupied: FloatArray,
    active_fj: FloatArray,
) -> None:
    """Lower ``n`` candidates and simulate one frame at a time in an empty system, one for each exit of the network.

    Parameters
    ----------
    tables, pes, opps, pe_opps, enabled, memory
        As for `run_candidates`.
    latency, occupied, active_fj
        (n, K) arrival to answer, ns; arrival to the end of all work for the frame, ns; energy above base and idle, fJ.
        Overwritten; -1 for candidates that cannot run.
    """
    scratch = Scratch(memory.node, memory.place, memory.exit_of, memory.exit_label, memory.sizes)
    m = memory.m
    n_exits = enabled.shape[1]
    arrival = np.zeros(n_exits, np.int64)
    slots = np.zeros(2, np.int64)
    quiet = float(tables.base_uw)
    for i in range(tables.idle_uw.shape[0]):
        quiet += tables.idle_uw[i]
    for i in range(pes.shape[0]):
        latency[i] = -1
        if not lower_candidate(tables, pes[i], opps[i], pe_opps[i], enabled[i], scratch):
            continue
        slots[0] = write_plan(m, tables, scratch, UNBOUNDED, UNBOUNDED, n_exits)
        slots[1] = 0
        before = 0.0
        for e in range(n_exits):
            arrival[e] = m[c.NOW] + 1
            memory.draw[e] = scratch.exit_of[e]
            if advance_to(m, arrival, memory.draw, e + 1, True, slots) == c.STUCK:
                latency[i] = -1
                break
            row = m[c.RECORDS] + e * c.RECORD_WIDTH
            latency[i, e] = m[row + 2] - m[row + 1]
            occupied[i, e] = m[c.NOW] - arrival[e]
            active = energy_so_far(m, tables, scratch) - quiet * m[c.NOW]
            active_fj[i, e] = active - before
            before = active


@kernel
def run_candidates(
    tables: CandidateTables,
    pes: IntArray,
    opps: IntArray,
    pe_opps: IntArray,
    enabled: IntArray,
    in_flight: IntArray,
    queue: IntArray,
    arrival: IntArray,
    exits: IntArray,
    warm: int,
    deadline: int,
    limits: IntArray,
    check_every: int,
    memory: Memory,
    out: FloatArray,
) -> None:
    """Lower and simulate ``n`` candidates on the same frames.

    Parameters
    ----------
    tables
        Costs and switches.
    pes, opps
        (n, S) PE and operating point of each segment.
    pe_opps
        (n, P) operating point of each PE.
    enabled
        (n, K) enabled exits.
    in_flight, queue
        (n,) limit of frames in flight and of frames that wait.
    arrival, exits
        (F,) instants, and network exits that the frames would take.
    warm
        Frames at the start that are not measured.
    deadline
        Latency beyond which an answer is a miss, ns.
    limits
        When a candidate is hopeless (see `hopeless`); empty to never stop early.
    check_every
        Frames between two looks at ``limits``.
    memory
        Working memory (`make_memory`).
    out
        (n, EXIT0 + K) metrics, overwritten.
    """
    scratch = Scratch(memory.node, memory.place, memory.exit_of, memory.exit_label, memory.sizes)
    m = memory.m
    frames = arrival.shape[0]
    slots = np.zeros(2, np.int64)
    for i in range(pes.shape[0]):
        out[i] = 0
        out[i, STATUS] = INVALID
        if not lower_candidate(tables, pes[i], opps[i], pe_opps[i], enabled[i], scratch):
            continue
        slots[0] = write_plan(m, tables, scratch, in_flight[i], queue[i], frames)
        slots[1] = 0
        for f in range(frames):
            memory.draw[f] = scratch.exit_of[exits[f]]
        out[i, STATUS] = SIMULATED
        advance_to(m, arrival, memory.draw, warm, False, slots)
        begin_ns = m[c.NOW]
        begin_fj = energy_so_far(m, tables, scratch)
        known = warm
        while known < frames and out[i, STATUS] == SIMULATED:
            known = min(known + check_every, frames)
            status = advance_to(m, arrival, memory.draw, known, known == frames, slots)
            if status == c.STUCK:
                out[i, STATUS] = DEADLOCKED
            elif limits.shape[0] > 0 and hopeless(m, warm, limits):
                out[i, STATUS] = STOPPED_EARLY
        measure(m, scratch, warm, deadline, memory.latency, out[i])
        out[i, SPAN_NS] = m[c.NOW] - begin_ns
        out[i, ENERGY_FJ] = energy_so_far(m, tables, scratch) - begin_fj


__all__ = ["Memory", "make_memory", "run_candidates", "run_single_frames"]
