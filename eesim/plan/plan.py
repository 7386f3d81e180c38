"""The one boundary object: what an engine reads, as flat arrays.

Everything friendly (board, network, mapping, policy) is lowered to a `Plan`; everything drawn at random
(arrivals, exits, service-time noise) is drawn beforehand into `Draws`. An engine sees nothing else, so two
engines that agree on every `Plan` agree on every scenario.

Units: time in integer nanoseconds, speed in parts per million of full speed, work in ns x ppm (a task of
``t`` ns at full speed is ``t * 1_000_000`` units of work; 9,200 s fit in 64 bits), power in microwatts.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from eesim.base import FULL_SPEED, IntArray

__all__ = [
    "FULL_SPEED",
    "KEEP_STATE",
    "LOG_COLUMNS",
    "NEVER",
    "NOTHING",
    "PURE_DELAY",
    "RECORD_COLUMNS",
    "UNBOUNDED",
    "Basis",
    "Cancellation",
    "Dispatch",
    "Draws",
    "EventKind",
    "IntArray",
    "NodeKind",
    "Plan",
    "Status",
    "WhenFull",
]

UNBOUNDED = np.iinfo(np.int64).max
"""Capacity or limit that never binds."""

NEVER = np.iinfo(np.int64).max
"""The instant of an event that is not scheduled."""

PURE_DELAY = -1
"""`Plan.node_resource` of a task that occupies nothing: it only takes time."""

KEEP_STATE = -1
"""`Plan.node_state` of a task that leaves its processing element in the state it found."""


NOTHING: IntArray = np.zeros(0, np.int64)
"""What stands for columns that a plan does not need."""


class NodeKind(IntEnum):
    """What a node of the task graph does."""

    SEGMENT = 0
    TRANSFER = 1


class Cancellation(IntEnum):
    """What happens to the rest of a frame's work once its answer is known."""

    NONE = 0
    QUEUED = 1
    RUNNING_AT_KERNEL = 2
    RUNNING_AT_ONCE = 3


class WhenFull(IntEnum):
    """What a full queue does."""

    BLOCK = 0
    DROP_NEWEST = 1
    DROP_OLDEST = 2


class Dispatch(IntEnum):
    """Which of the tasks that wait for a processing element is served next."""

    OLDEST_FRAME = 0
    FIFO = 1


class Plan(NamedTuple):
    """The task graph of one frame of each stream, the resources that serve them and the rules between them.

    Sizes: ``G`` streams, ``N`` nodes, ``E`` edges and ``K`` exits of all streams together, ``R`` resources (processing
    elements first, then links), ``S`` servers, ``V`` states of a processing element (its operating points in use),
    ``M`` busy masks, ``A`` levels above level 0, ``Z`` sections. Every array is C-contiguous int64.

    A *section* is a part of the task graph that a limited number of frames may be in: a frame takes a place when the
    section's enter node starts and gives it back when its leave node is done. A stream either has one enter node and
    one leave node of a section, the first of which precedes or is the second, or none of both; streams may share
    sections. Sections need that every frame that enters also leaves: the ``cancellation`` of their streams is NONE, and
    no stage queue drops. What enters is not a pure delay, which nothing could hold back. `eesim.plan.check` checks it.

    A *batch* is several tasks of one node that a resource serves together. Resources that do so have one server, and
    are in no exclusive group; no stage queue blocks, there are no sections, and the streams stop nothing that runs.
    """

    # -- the task graphs, one stream's after the other -------------------------------------------------
    stream_node: IntArray
    """(G + 1,) nodes of stream g are ``stream_node[g]`` to ``stream_node[g + 1] - 1``; the first is its root."""
    stream_exit: IntArray
    """(G + 1,) exits of stream g are ``stream_exit[g]`` to ``stream_exit[g + 1] - 1``."""
    node_kind: IntArray
    """(N,) `NodeKind`."""
    node_resource: IntArray
    """(N,) the resource that serves the node, or `PURE_DELAY`."""
    node_rank: IntArray
    """(N,) place of the node in the dispatch order within a frame; a permutation of 0..N-1, also of each stream's
    own numbers."""
    node_missing: IntArray
    """(N,) number of predecessors; the root of each stream is the only one of its nodes with none."""
    node_exit: IntArray
    """(N,) exit whose output the node completes, or -1."""
    node_need: IntArray
    """(N,) lowest exit whose answer needs this node, the exit after its stream's last if none does; work on it is
    wasted for frames that answer earlier."""
    node_gate: IntArray
    """(N,) 1 if the next frame may enter only after this node is done or cancelled."""
    node_state: IntArray
    """(N,) state that the node puts its processing element in, or `KEEP_STATE`."""
    node_work_ns: IntArray
    """(N, V) service time at full speed when the processing element is found in state v, ns."""
    node_kernels: IntArray
    """(N,) number of equal kernels that the node consists of (>= 1): where a running task can be stopped."""
    node_batch: IntArray
    """(N,) tasks of the node that its resource serves together at most; 1: each alone."""
    batch_work_ns: IntArray
    """(N, V, D) service time of 2 to D + 1 tasks of the node together, like ``node_work_ns``, D the size of the largest
    batch of any PE less 1; the columns beyond the node's own are not read."""
    node_bytes: IntArray
    """(N,) size of the tensor that the node reads, which takes up memory of its resource from `READY` to the end."""
    node_detects: IntArray
    """(N,) 1 if it is known after the node whether the frame shows what the stream's reference did. At most one node of
    a stream, which completes an exit alone, or is its root and completes none."""
    node_enter: IntArray
    """(N,) section whose place the node takes when it starts, or -1."""
    node_leave: IntArray
    """(N,) section whose place the frame gives back when the node is done, or -1."""
    succ_ptr: IntArray
    """(N + 1,) successors of node n are ``succ[succ_ptr[n]:succ_ptr[n + 1]]``."""
    succ: IntArray
    """(E,) successor nodes."""
    exit_need: IntArray
    """(K,) number of nodes that must be done before the exit's output is known."""
    # -- resources ------------------------------------------------------------------------------------
    server_resource: IntArray
    """(S,) resource of each server; servers of one resource are adjacent, resources in order."""
    resource_group: IntArray
    """(R,) exclusive group (only one member may be active at a time), or -1."""
    resource_bit: IntArray
    """(R,) what the resource adds to the busy mask while it serves; 0 for one that slows nobody."""
    resource_state: IntArray
    """(R,) state at the start of the run."""
    speed_ppm: IntArray
    """(M, R) speed of each resource for each busy mask, ppm of full speed."""
    stage_capacity: IntArray
    """(R,) tasks that may wait for the resource, `UNBOUNDED` if there is no limit; those in service do not count."""
    stage_bytes: IntArray
    """(R,) memory for what the tasks read that wait for the resource or are served by it, `UNBOUNDED` likewise."""
    batch_wait_ns: IntArray
    """(R,) time from `READY` for which a task waits at its idle resource for others of its node."""
    section_places: IntArray
    """(Z,) places of each section, at least one; Z = 0 where there is none."""
    # -- rules ----------------------------------------------------------------------------------------
    stage_full: int
    """`WhenFull` of the queues in front of the resources."""
    dispatch: int
    """`Dispatch` discipline."""
    # -- rules of each stream -------------------------------------------------------------------------
    stream_priority: IntArray
    """(G,) a stream with a lower number goes first, wherever there is a choice; equal ones are equal."""
    queue_capacity: IntArray
    """(G,) frames that may wait to be admitted."""
    queue_full: IntArray
    """(G,) `WhenFull` of the queue of frames."""
    frames_in_flight: IntArray
    """(G,) frames that may be admitted and not yet finished."""
    cancellation: IntArray
    """(G,) `Cancellation` rule."""
    first_confident: IntArray
    """(G,) 0: exits answer in order; 1: the first confident exit to finish answers."""
    level_up: IntArray
    """(G, A) the level rises from a to a + 1 if more frames than this are in the system; `UNBOUNDED`: never."""
    level_down: IntArray
    """(G, A) the level falls from a + 1 to a if no more frames than this are in the system; at most ``level_up``."""
    level_last: IntArray
    """(G, A + 1) at this level, a frame that declines this exit (numbered over all streams) is dropped; for none, the
    stream's last exit, which no frame declines."""
    level_at_exit: IntArray
    """(G,) 1: a frame's level is read at every decision of an exit; 0: once, when it is admitted."""
    reuse_patience: IntArray
    """(G,) frames of one scene that must be answered in a row before others get their answer; 0: none ever do."""
    reuse_most: IntArray
    """(G,) frames in a row that may get an answer of another one."""
    exit_cost: IntArray
    """(K,) tokens (in some unit) that a frame takes from its stream's bucket when it declines this exit."""
    bucket_most: IntArray
    """(G,) tokens that the bucket holds, full at the start; 0: there is none."""
    bucket_per_frame: IntArray
    """(G,) tokens that come in with each frame that is admitted."""
    bucket_per_ns: IntArray
    """(G,) tokens that come in with each ns."""
    # -- power (no engine reads it; energy is service time x power) -------------------------------------
    node_power_uw: IntArray
    """(N, V) mean active power of the node's own resource above its idle power, found in state v."""
    node_host_uw: IntArray
    """(N, V) mean active power of the host thread that drives the resource (GPU, NPU)."""
    resource_idle_uw: IntArray
    """(R,) power of the idle resource above the board's base."""
    base_uw: int
    """Power of the board that does nothing."""

    @property
    def n_streams(self) -> int:
        """Number of streams."""
        return len(self.stream_priority)

    @property
    def n_levels(self) -> int:
        """Number of levels above level 0 that any stream has."""
        return int(self.level_up.shape[1])

    @property
    def node_stream(self) -> IntArray:
        """(N,) stream of each node."""
        return np.repeat(np.arange(self.n_streams), np.diff(self.stream_node))

    @property
    def exit_stream(self) -> IntArray:
        """(K,) stream of each exit."""
        return np.repeat(np.arange(self.n_streams), np.diff(self.stream_exit))

    @property
    def n_nodes(self) -> int:
        """Number of nodes in all task graphs."""
        return len(self.node_kind)

    @property
    def n_exits(self) -> int:
        """Number of exits that can answer."""
        return len(self.exit_need)

    @property
    def n_resources(self) -> int:
        """Number of processing elements and links."""
        return len(self.resource_bit)

    @property
    def n_servers(self) -> int:
        """Number of servers over all resources."""
        return len(self.server_resource)

    @property
    def n_states(self) -> int:
        """Number of states a processing element can be found in."""
        return int(self.node_work_ns.shape[1])


class Draws(NamedTuple):
    """A block of consecutive frames of all streams, drawn before the engine runs."""

    arrival_ns: IntArray
    """(F,) instant at which each frame arrives; never decreasing."""
    exit: IntArray
    """(F,) the exit that each frame would take, or, where ``first_confident``, the bit mask of the exits that are
    confident about it (bit 0 is its stream's first exit; the last exit's bit is always set)."""
    noise_ppm: IntArray
    """(F, N) factor on each node's work in ppm, or (0, N) for none."""
    stream: IntArray = NOTHING
    """(F,) stream of each frame; may be empty where there is one stream."""
    confident: IntArray = NOTHING
    """(F, A + 1) bit mask of the exits that are confident at each level, as above; may be empty where no stream has
    levels. Streams that have none ignore it."""
    scene: IntArray = NOTHING
    """(F,) 4 x number of the scene that each frame shows, + 2 if a detector would take it for any other scene, + 1 if
    it would not know it again; may be empty where no stream uses answers again. Others ignore it."""


class Status(IntEnum):
    """How a frame ended."""

    ANSWERED = 0
    DROPPED = 1
    """Never admitted: the queue of frames was full."""
    GIVEN_UP = 2
    """It declined an exit after which its level gives frames up."""
    LOST = 3
    """A task of it met a full queue of a resource, or had to make room there."""


class Basis(IntEnum):
    """What a frame's answer rests on."""

    OWN = 0
    SAME_SCENE = 1
    """That of a frame of the same scene."""
    STALE = 2
    """That of a frame of another scene: the change was not noticed."""
    BUDGET = 3
    """Its own, from an exit that it would have declined: there were no tokens left."""


class EventKind(IntEnum):
    """Kinds of rows in the event log; the numbers are part of the log format."""

    ARRIVE = 0
    ADMIT = 1
    READY = 2
    START = 3
    FINISH = 4
    ABORT = 5
    CANCEL = 6
    EXIT = 7
    ANSWER = 8
    DROP = 9
    BLOCK = 10
    UNBLOCK = 11
    LEAVE = 12
    LEVEL = 13
    REUSE = 14
    FORCE = 15


LOG_COLUMNS = ("time_ns", "kind", "frame", "node", "place")
"""Columns of the event log, all int64."""

RECORD_COLUMNS = (
    "frame", "arrival_ns", "finish_ns", "exit", "status", "queueing_ns", "service_ns", "transfer_ns", "stream", "level",
    "place", "basis",
)  # fmt: skip
"""Columns of the frame records, all int64; contention is the rest of the latency; the place is the resource whose queue
lost the frame, or -1; of an answer of another frame
(`Basis`), that one's exit and level stand in the record."""
