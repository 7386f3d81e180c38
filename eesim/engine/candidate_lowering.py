"""Compiled lowering: from a candidate (PE and operating point per segment, exits, limits) to plan arrays.

The same rules as `eesim.plan.graph` and `eesim.plan.lower` for policies that send after each segment, written for
speed; a property test holds the two equal, array by array. One frame costs about as much to lower as to simulate.
"""

from __future__ import annotations

from typing import NamedTuple

from eesim.base import IntArray
from eesim.engine import candidate_tables as k
from eesim.engine.candidate_tables import CandidateTables
from eesim.engine.jit import kernel
from eesim.plan.plan import PURE_DELAY, NodeKind

SEGMENT = int(NodeKind.SEGMENT)
TRANSFER = int(NodeKind.TRANSFER)

# Columns of a node's row in `Scratch.node`.
KIND = 0
RESOURCE = 1
MISSING = 2
EXIT = 3
NEED = 4
GATE = 5
WORK = 6
KERNELS = 7
POWER = 8
HOST = 9
SEGMENT_OF = 10
BEFORE = 11
BLOCKED_BY = 12
WIDTH = 13


class Scratch(NamedTuple):
    """Where one candidate is lowered to; reused for the next."""

    node: IntArray
    """(2 S, WIDTH) rows of nodes; transfers are at most one per segment, because each has one source."""
    place: IntArray
    """(S,) node of each segment, -1 if the segment is not in the graph."""
    exit_of: IntArray
    """(K,) plan exit for each exit of the network."""
    exit_label: IntArray
    """(K,) network exit of each plan exit."""
    sizes: IntArray
    """(2,) number of nodes and of plan exits."""


@kernel
def mark_active(tables: CandidateTables, enabled: IntArray, scratch: Scratch) -> None:
    """Set ``place`` to 0 for segments from which an enabled exit can be reached, to -1 for the others."""
    n = tables.source.shape[0]
    final = enabled.shape[0] - 1
    for s in range(n):
        scratch.place[s] = -1
    for s in range(n):
        e = tables.exit[s]
        if e >= 0 and (e == final or enabled[e]):
            at = s
            while at >= 0 and scratch.place[at] < 0:
                scratch.place[at] = 0
                at = tables.source[at]


@kernel
def first_reader(tables: CandidateTables, pes: IntArray, scratch: Scratch, s: int) -> int:
    """First segment on the same PE as ``s`` that reads the same tensor: the copy is made for it."""
    for reader in range(s):
        same = scratch.place[reader] >= 0 and tables.source[reader] == tables.source[s] and pes[reader] == pes[s]
        if same:
            return reader
    return s


@kernel
def add_segment(
    tables: CandidateTables, pes: IntArray, opps: IntArray, pe_opps: IntArray, scratch: Scratch, s: int, before: int
) -> None:
    """Append the node of segment ``s``, which waits for node ``before``."""
    i = scratch.sizes[0]
    scratch.sizes[0] = i + 1
    scratch.place[s] = i
    pe = pes[s]
    row = scratch.node[i]
    row[KIND] = SEGMENT
    row[RESOURCE] = pe
    row[MISSING] = 1 if before >= 0 else 0
    row[EXIT] = -1
    row[WORK] = tables.time_ns[s, pe, opps[s]]
    row[KERNELS] = tables.kernels[s]
    row[POWER] = tables.active_uw[pe, opps[s]]
    row[HOST] = tables.host_uw[pe, pe_opps[tables.host[pe]]] if tables.host[pe] >= 0 else 0
    row[SEGMENT_OF] = s
    row[BEFORE] = before
    row[BLOCKED_BY] = -1


@kernel
def add_transfer(
    tables: CandidateTables, pes: IntArray, opps: IntArray, pe_opps: IntArray, scratch: Scratch, reader: int
) -> None:
    """Append the transfer of the tensor that segment ``reader`` reads."""
    i = scratch.sizes[0]
    scratch.sizes[0] = i + 1
    source = tables.source[reader]
    a, b = pes[source], pes[reader]
    clock = tables.route_clock[a, b]
    opp = 0
    if clock == a:
        opp = opps[source]
    elif clock == b:
        opp = opps[reader]
    elif clock >= 0:
        opp = pe_opps[clock]
    row = scratch.node[i]
    row[KIND] = TRANSFER
    row[MISSING] = 1
    row[EXIT] = -1
    row[WORK] = tables.transfer_ns[source, a, b, opp]
    row[KERNELS] = 1
    row[POWER] = 0
    row[HOST] = 0
    row[SEGMENT_OF] = source
    row[BEFORE] = scratch.place[source]
    row[BLOCKED_BY] = -1
    if tables.charge == k.CHARGE_DELAY:
        row[RESOURCE] = PURE_DELAY
    elif tables.charge == k.CHARGE_LINK:
        row[RESOURCE] = tables.route_link[a, b]
    else:
        payer = source if tables.charge == k.CHARGE_SENDER else reader
        pe = pes[payer]
        row[RESOURCE] = pe
        row[POWER] = tables.active_uw[pe, opps[payer]]
        row[HOST] = tables.host_uw[pe, pe_opps[tables.host[pe]]] if tables.host[pe] >= 0 else 0


@kernel
def find_copy(scratch: Scratch, tables: CandidateTables, pes: IntArray, s: int) -> int:
    """Node that brings segment ``s`` its input: the transfer, or the source itself."""
    source = tables.source[s]
    if source < 0:
        return -1
    if tables.charge == k.CHARGE_NOTHING or pes[source] == pes[s]:
        return scratch.place[source]
    # Transfers lie between their source and their first reader; walk back from the end.
    reader = first_reader(tables, pes, scratch, s)
    for i in range(scratch.sizes[0] - 1, -1, -1):
        row = scratch.node[i]
        if row[KIND] == TRANSFER and row[SEGMENT_OF] == source and row[BLOCKED_BY] == -2 - reader:
            return i
    return -1


@kernel
def add_nodes(tables: CandidateTables, pes: IntArray, opps: IntArray, pe_opps: IntArray, scratch: Scratch) -> None:
    """Lay out the nodes in dispatch order; each has one predecessor so far."""
    n = tables.source.shape[0]
    scratch.sizes[0] = 0
    for s in range(n):
        if scratch.place[s] < 0:
            continue
        source = tables.source[s]
        crosses = source >= 0 and tables.charge != k.CHARGE_NOTHING and pes[source] != pes[s]
        if crosses and tables.charge == k.CHARGE_RECEIVER and first_reader(tables, pes, scratch, s) == s:
            add_transfer(tables, pes, opps, pe_opps, scratch, s)
            scratch.node[scratch.sizes[0] - 1, BLOCKED_BY] = -2 - s
        add_segment(tables, pes, opps, pe_opps, scratch, s, find_copy(scratch, tables, pes, s))
        if tables.charge == k.CHARGE_NOTHING or tables.charge == k.CHARGE_RECEIVER:
            continue
        for reader in range(s + 1, n):
            if scratch.place[reader] < 0 or tables.source[reader] != s or pes[reader] == pes[s]:
                continue
            if first_reader(tables, pes, scratch, reader) == reader:
                add_transfer(tables, pes, opps, pe_opps, scratch, reader)
                scratch.node[scratch.sizes[0] - 1, BLOCKED_BY] = -2 - reader
    for i in range(scratch.sizes[0]):
        scratch.node[i, BLOCKED_BY] = -1


@kernel
def number_exits(tables: CandidateTables, enabled: IntArray, scratch: Scratch) -> None:
    """Number the exits that can answer, and say which node ends in each."""
    n_exits = enabled.shape[0]
    if not tables.decide:
        for e in range(n_exits):
            scratch.exit_of[e] = 0
        scratch.exit_label[0] = n_exits - 1
        scratch.sizes[1] = 1
    else:
        count = 0
        for e in range(n_exits):
            scratch.exit_of[e] = count
            if e == n_exits - 1 or enabled[e]:
                scratch.exit_label[count] = e
                count += 1
        scratch.sizes[1] = count
    for s in range(tables.source.shape[0]):
        e = tables.exit[s]
        if scratch.place[s] >= 0 and e >= 0 and (tables.decide or e == n_exits - 1):
            scratch.node[scratch.place[s], EXIT] = scratch.exit_of[e]


@kernel
def find_needs(scratch: Scratch) -> None:
    """Lowest exit that each node leads to, if any; predecessors have lower numbers."""
    nobody = scratch.sizes[1]
    for i in range(scratch.sizes[0]):
        e = scratch.node[i, EXIT]
        scratch.node[i, NEED] = e if e >= 0 else nobody
    for i in range(scratch.sizes[0] - 1, 0, -1):
        before = scratch.node[i, BEFORE]
        if before >= 0 and scratch.node[i, NEED] < scratch.node[before, NEED]:
            scratch.node[before, NEED] = scratch.node[i, NEED]


@kernel
def block_speculation(tables: CandidateTables, scratch: Scratch) -> None:
    """What lies past an exit waits for it, besides its own predecessor."""
    for i in range(1, scratch.sizes[0]):
        need = scratch.node[i, NEED]
        if need == 0 or scratch.node[scratch.node[i, BEFORE], NEED] >= need:
            continue
        for s in range(tables.source.shape[0]):
            at = scratch.place[s]
            if at >= 0 and scratch.node[at, EXIT] == need - 1:
                scratch.node[i, BLOCKED_BY] = at
                scratch.node[i, MISSING] += 1


@kernel
def mark_gate(tables: CandidateTables, pes: IntArray, scratch: Scratch) -> None:
    """Mark the nodes that the next frame waits for."""
    n = scratch.sizes[0]
    for i in range(n):
        scratch.node[i, GATE] = 1 if tables.gate == k.GATE_ALL else 0
    if tables.gate != k.GATE_FIRST and tables.gate != k.GATE_LAST:
        return
    # The first or last run of active segments on one PE: walk from that end until the PE changes.
    n_segments = tables.source.shape[0]
    pe = -1
    for step in range(n_segments):
        s = step if tables.gate == k.GATE_FIRST else n_segments - 1 - step
        if scratch.place[s] < 0:
            continue
        if pe < 0:
            pe = pes[s]
        elif pes[s] != pe:
            break
        for i in range(n):
            row = scratch.node[i]
            own = row[KIND] == SEGMENT or tables.charge != k.CHARGE_RECEIVER
            if row[SEGMENT_OF] == s and own:
                row[GATE] = 1


@kernel
def lower_candidate(
    tables: CandidateTables, pes: IntArray, opps: IntArray, pe_opps: IntArray, enabled: IntArray, scratch: Scratch
) -> bool:
    """Lower one candidate into ``scratch``.

    Parameters
    ----------
    tables
        Costs and switches.
    pes, opps
        (S,) PE and operating point of each segment.
    pe_opps
        (P,) operating point of each PE where no segment asks for another.
    enabled
        (K,) 1 for each enabled exit; the final one counts as enabled.
    scratch
        Overwritten.

    Returns
    -------
    bool
        False if a segment cannot run where it is mapped, or a tensor has no route.
    """
    for s in range(pes.shape[0]):
        if tables.time_ns[s, pes[s], opps[s]] < 0:
            return False
    mark_active(tables, enabled, scratch)
    add_nodes(tables, pes, opps, pe_opps, scratch)
    for i in range(scratch.sizes[0]):
        if scratch.node[i, WORK] < 0:
            return False
    number_exits(tables, enabled, scratch)
    find_needs(scratch)
    if tables.blocking and tables.decide:
        block_speculation(tables, scratch)
    mark_gate(tables, pes, scratch)
    return True
