"""What the compiled lowering reads: one scenario's costs for every PE and operating point, as flat tables."""

from __future__ import annotations

from typing import NamedTuple

from eesim.base import IntArray

CHARGE_NOTHING = 0
CHARGE_SENDER = 1
CHARGE_RECEIVER = 2
CHARGE_LINK = 3
CHARGE_DELAY = 4

GATE_OPEN = 0
GATE_FIRST = 1
GATE_LAST = 2
GATE_ALL = 3


class CandidateTables(NamedTuple):
    """Everything that stays the same while mappings, operating points, exits and limits vary.

    Sizes: ``S`` segments, ``P`` PEs, ``O`` operating points (of the PE that has most), ``K`` exits, ``R`` resources
    (PEs, then links), ``M`` busy masks, ``V`` servers.
    """

    source: IntArray
    """(S,) segment that feeds each segment, -1 for the first."""
    exit: IntArray
    """(S,) exit that each segment ends in, or -1."""
    kernels: IntArray
    """(S,) kernels of each segment."""
    time_ns: IntArray
    """(S, P, O) service time; -1 where the segment cannot run."""
    transfer_ns: IntArray
    """(S, P, P, O) time of moving a segment's output, by the operating point of the route's clock."""
    route_clock: IntArray
    """(P, P) PE whose operating point scales the route, or -1."""
    route_link: IntArray
    """(P, P) resource of the link that the route queues for."""
    active_uw: IntArray
    """(P, O) active power."""
    host: IntArray
    """(P,) PE that hosts the driver thread, or -1."""
    host_uw: IntArray
    """(P, O) power of the host thread, by the operating point of the host."""
    idle_uw: IntArray
    """(R,) idle power."""
    server_resource: IntArray
    """(V,) resource of each server."""
    resource_group: IntArray
    """(R,) exclusive group, or -1."""
    resource_bit: IntArray
    """(R,) contribution to the busy mask."""
    speed_ppm: IntArray
    """(M, R) speeds."""
    base_uw: int
    """Base power."""
    charge: int
    """Who pays for transfers."""
    decide: int
    """1 if exits decide."""
    blocking: int
    """1 if the next segment waits for the exit's decision."""
    gate: int
    """Frame gate."""
    stage_full: int
    """`WhenFull` of the queues in front of the resources."""
    queue_full: int
    """`WhenFull` of the queue of frames; its capacity, and the frames in flight, come with the candidate."""
    dispatch: int
    """`Dispatch` discipline."""
    cancellation: int
    """`Cancellation` rule."""
    stage_capacity: IntArray
    """(R,) tasks that may wait for each resource."""
