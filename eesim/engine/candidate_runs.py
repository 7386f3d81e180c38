"""Simulate many candidates in compiled code, on the same frames (common random numbers), and measure them.

Nothing is allocated between candidates but the sorted latencies.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray
from eesim.engine import candidate_lowering as lo
from eesim.engine import layout as c
from eesim.engine.candidate_lowering import Scratch, lower_candidate
from eesim.engine.candidate_memory import Memory, advance_to, make_memory, write_plan
from eesim.engine.candidate_tables import CandidateTables
from eesim.engine.jit import kernel
from eesim.plan.plan import PURE_DELAY, UNBOUNDED, Status

ANSWERED = int(Status.ANSWERED)

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
RIGHT = 14
EXIT0 = 15
"""The share of each network exit follows from here."""

SIMULATED = 0.0
INVALID = 1.0
STOPPED_EARLY = 2.0
DEADLOCKED = 3.0


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
def measure(
    m: IntArray, scratch: Scratch, warm: int, deadline: int, correct: IntArray, latency: FloatArray, out: FloatArray
) -> None:
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
        label = scratch.exit_label[m[row + 3]]
        out[EXIT0 + label] += 1
        if correct.shape[0] > 0:
            out[RIGHT] += correct[m[row]] >> label & 1
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
    taken: IntArray,
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
    taken
        (K,) 1 for each exit that some frame takes; the others are not simulated.
    latency, occupied, active_fj
        (n, K) arrival to answer, ns; arrival to the end of all work for the frame, ns; energy above base and idle, fJ.
        Overwritten; latencies are -1 for candidates that cannot run and -2 for those that a single frame blocks,
        or that lose it.
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
        frame = 0
        latency[i] = 0
        for e in range(n_exits):
            if not taken[e]:
                continue
            arrival[frame] = m[c.NOW] + 1
            memory.draw[frame] = scratch.exit_of[e]
            if advance_to(m, arrival, memory.draw, frame + 1, True, slots) == c.STUCK:
                latency[i] = -2
                break
            row = m[c.RECORDS] + frame * c.RECORD_WIDTH
            if m[row + 4] != ANSWERED:
                latency[i] = -2
                break
            latency[i, e] = m[row + 2] - m[row + 1]
            occupied[i, e] = m[c.NOW] - arrival[frame]
            frame += 1
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
    choice: IntArray,
    exits: npt.NDArray[np.int16],
    correct: IntArray,
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
    arrival
        (F,) instants.
    choice, exits
        (n,) row of ``exits`` that holds for each candidate; (C, F) network exits that the frames would take.
    correct
        (F,) bit masks of the network exits that answer a frame rightly; empty if that is not known.
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
            memory.draw[f] = scratch.exit_of[exits[choice[i], f]]
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
        measure(m, scratch, warm, deadline, correct, memory.latency, out[i])
        out[i, SPAN_NS] = m[c.NOW] - begin_ns
        out[i, ENERGY_FJ] = energy_so_far(m, tables, scratch) - begin_fj


__all__ = ["Memory", "make_memory", "run_candidates", "run_single_frames"]
