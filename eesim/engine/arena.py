"""Build the compiled engine's memory from a plan, and let it grow between two calls of the kernel."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from eesim.engine import layout as c
from eesim.engine.protocol import Memory
from eesim.plan.check import check_batches, check_sections, limits_stages
from eesim.plan.plan import NEVER, PURE_DELAY, UNBOUNDED, Draws, IntArray, Plan, WhenFull

LOG_ROWS_PER_NODE = 9
"""No task makes more log rows: ready, start, finish, exit, level or reuse, force, answer, block, unblock."""
LOG_ROWS_PER_FRAME = 5
"""Arrive, admit, level, drop, leave."""
MIN_SLOTS = 16
MAX_BEGUN = 4096
"""Plans whose first memory is kept for the next engine of the same plan."""
MIN_MEMORY, MAX_KEPT_MEMORY = 1 << 16, 1 << 22
"""Numbers that memory begins with, and up to which memory that has grown is kept for the next engine."""


class Arena:
    """The flat memory ``m`` of one run (see `eesim.engine.layout`).

    Growing appends at the end, so offsets that the kernel has stored stay valid; a region that has to be larger is
    copied to the end and its old place is left unused (sizes double, so at most half of the memory is waste).

    Parameters
    ----------
    plan
        What is simulated.
    log
        Keep an event log.
    memory
        Where to begin, if not in fresh memory.

    Raises
    ------
    ValueError
        If the plan has sections or batches that cannot be kept (see `eesim.plan.check`).
    """

    def __init__(self, plan: Plan, *, log: bool, memory: Memory | None = None) -> None:
        self.plan = plan
        self.m: IntArray = np.zeros(MIN_MEMORY, np.int64) if memory is None else memory.arena
        self._memory = memory
        if memory is not None:
            self.m[: memory.used] = 0
            memory.used = c.RUN_WIDTH
        self._end = c.RUN_WIDTH
        self.slots: list[list[IntArray]] = [[] for _ in range(plan.n_streams)]
        # Streams that go first lie first: the kernels scan them in this order.
        self._order = np.argsort(plan.stream_priority, kind="stable")
        self._capacity: dict[str | int, int] = {"records": 0, "log": 0, c.NOISE: 0, c.CONFIDENT: 0, c.SCENE: 0}
        self._pending = [0] * plan.n_streams
        begun = None if memory is None else memory.begun.get((id(plan), log))
        if begun is not None:
            offset = self.place(begun[1][c.RUN_WIDTH :])
            self.m[:offset] = begun[1][: c.RUN_WIDTH]
            return
        check_sections(plan)
        check_batches(plan)
        self._place_rules(log)
        self._place_streams()
        self._place_resources()
        self._place_sections()
        self._place_nodes()
        if memory is not None:
            if len(memory.begun) >= MAX_BEGUN:
                memory.begun.clear()
            memory.begun[id(plan), log] = plan, self.m[: self._end].copy()

    def allocate(self, size: int) -> int:
        """Set ``size`` zeros aside at the end and return their offset."""
        offset = self._end
        self._end += size
        if self._end > len(self.m):
            grown = np.zeros(max(2 * len(self.m), self._end), np.int64)
            grown[:offset] = self.m[:offset]
            self.m = grown
            if self._memory is not None and len(grown) <= MAX_KEPT_MEMORY:
                self._memory.arena = grown
        if self._memory is not None and self.m is self._memory.arena:
            self._memory.used = self._end
        return offset

    def place(self, values: IntArray) -> int:
        """Put ``values``, flattened, at the end and return their offset."""
        flat = np.ascontiguousarray(values, np.int64).ravel()
        offset = self.allocate(len(flat))
        self.m[offset : self._end] = flat
        return offset

    def rows(self, begin: int, count: int, width: int) -> IntArray:
        """Return a view of ``count`` objects of ``width`` fields that lie side by side, (count, width)."""
        return self.m[begin : begin + count * width].reshape(count, width)

    @property
    def node_rows(self) -> IntArray:
        """All nodes, (N, NODE_WIDTH)."""
        return self.rows(int(self.m[c.NODES]), self.plan.n_nodes, c.NODE_WIDTH)

    @property
    def resource_rows(self) -> IntArray:
        """All resources, (R, RES_WIDTH)."""
        return self.rows(int(self.m[c.RESOURCES]), self.plan.n_resources, c.RES_WIDTH)

    @property
    def server_rows(self) -> IntArray:
        """All servers, (S, SERVER_WIDTH)."""
        return self.rows(int(self.m[c.SERVERS]), self.plan.n_servers, c.SERVER_WIDTH)

    @cached_property
    def stream_offsets(self) -> IntArray:
        """Offset of each stream, (G,)."""
        return np.asarray(self.m[c.STREAMS] + np.argsort(self._order) * c.STREAM_WIDTH, np.int64)

    @property
    def slot_offsets(self) -> IntArray:
        """Offsets of all slots."""
        return np.concatenate([np.zeros(0, np.int64), *(block for blocks in self.slots for block in blocks)])

    def _place_rules(self, log: bool) -> None:
        plan, m = self.plan, self.m
        # Where no stage queue can be full, its rule never matters: choose the one that costs the kernel nothing.
        m[c.STAGE_FULL] = plan.stage_full if limits_stages(plan) else WhenFull.DROP_NEWEST
        m[c.DISPATCH] = plan.dispatch
        m[c.LOGGING] = log
        m[c.N_STREAMS] = plan.n_streams
        m[c.N_NODES] = plan.n_nodes
        m[c.N_STATES] = plan.n_states
        m[c.N_RESOURCES] = plan.n_resources
        m[c.N_SERVERS] = plan.n_servers
        m[c.CONFIDENT_WIDTH] = plan.n_levels + 1
        m[c.BATCH_WIDTH] = plan.batch_work_ns.shape[2]

    def _place_streams(self) -> None:
        plan = self.plan
        up, down, last = (self.place(limits) for limits in (plan.level_up, plan.level_down, plan.level_last))
        nodes = np.diff(plan.stream_node)
        index = np.arange(plan.n_streams)
        streams = np.zeros((plan.n_streams, c.STREAM_WIDTH), np.int64)
        for column, values in (
            (c.STREAM_INDEX, index),
            (c.STREAM_KEY, plan.stream_priority << c.PRIORITY_SHIFT),
            (c.STREAM_N_NODES, nodes),
            (c.STREAM_FIRST_EXIT, plan.stream_exit[:-1]),
            (c.STREAM_END_EXIT, plan.stream_exit[1:]),
            (c.STREAM_EXIT_LEFT, c.SLOT_WIDTH + nodes * c.TASK_WIDTH - plan.stream_exit[:-1]),
            (c.STREAM_IN_FLIGHT_LIMIT, plan.frames_in_flight),
            (c.STREAM_GATE_NODES, np.add.reduceat(plan.node_gate, plan.stream_node[:-1])),
            (c.STREAM_QUEUE_CAPACITY, plan.queue_capacity),
            (c.STREAM_QUEUE_FULL, plan.queue_full),
            (c.STREAM_CANCELLATION, plan.cancellation),
            (c.STREAM_FIRST_CONFIDENT, plan.first_confident),
            (c.STREAM_LEVELS, (plan.level_up != UNBOUNDED).sum(axis=1)),
            (c.STREAM_LEVEL_UP, up + index * plan.n_levels),
            (c.STREAM_LEVEL_DOWN, down + index * plan.n_levels),
            (c.STREAM_LEVEL_AT_EXIT, plan.level_at_exit),
            (c.STREAM_REUSE, plan.reuse_patience),
            (c.STREAM_BUCKET, plan.bucket_most),
            (c.STREAM_PER_FRAME, plan.bucket_per_frame),
            (c.STREAM_PER_NS, plan.bucket_per_ns),
            (c.STREAM_TOKENS, plan.bucket_most),
            (c.STREAM_REUSE_MOST, plan.reuse_most),
            (c.STREAM_LEVEL_LAST, last + index * (plan.n_levels + 1)),
        ):
            streams[:, column] = values
        offset = self.place(streams[self._order])
        self.m[c.STREAMS] = offset

    def _place_resources(self) -> None:
        plan = self.plan
        counts = np.bincount(plan.server_resource, minlength=plan.n_resources)
        servers = np.zeros((plan.n_servers, c.SERVER_WIDTH), np.int64)
        resources = np.zeros((plan.n_resources, c.RES_WIDTH), np.int64)
        first_server = self._end + resources.size
        first_resource = self._end
        resources[:, c.RES_INDEX] = np.arange(plan.n_resources)
        resources[:, c.RES_GROUP] = plan.resource_group
        guards = np.unique(plan.node_resource[plan.node_enter >= 0])
        alone = guards[plan.resource_group[guards] < 0]
        resources[alone, c.RES_GROUP] = plan.resource_group.max() + 1 + np.arange(len(alone))
        resources[:, c.RES_BIT] = plan.resource_bit
        resources[:, c.RES_CAPACITY] = plan.stage_capacity
        resources[:, c.RES_MEMORY] = np.where(plan.stage_bytes == UNBOUNDED, 0, plan.stage_bytes)
        resources[:, c.RES_SERVER] = first_server + (np.cumsum(counts) - counts) * c.SERVER_WIDTH
        resources[:, c.RES_IDLE] = counts
        resources[:, c.RES_STATE] = plan.resource_state
        servers[:, c.SERVER_INDEX] = np.arange(plan.n_servers)
        servers[:, c.SERVER_RESOURCE] = first_resource + plan.server_resource * c.RES_WIDTH
        servers[:, c.SERVER_FINISH] = NEVER
        batching = plan.node_resource[plan.node_batch > 1]
        resources[batching, c.RES_BATCHES] = 1
        resources[:, c.RES_WAIT] = plan.batch_wait_ns
        members = np.isin(plan.server_resource, batching)
        room = self._end + resources.size + servers.size + np.arange(members.sum()) * (plan.batch_work_ns.shape[2] + 1)
        servers[members, c.SERVER_MEMBERS] = room
        places = self.place(resources), self.place(servers)
        self.allocate(int(members.sum()) * (plan.batch_work_ns.shape[2] + 1))
        offsets = *places, self.place(plan.speed_ppm), self.place(plan.exit_need)
        self.m[[c.RESOURCES, c.SERVERS, c.SPEEDS, c.EXIT_NEED]] = offsets
        offset = self.place(plan.exit_cost)
        self.m[c.EXIT_COST] = offset

    def _place_sections(self) -> None:
        plan = self.plan
        if len(plan.section_places):
            places = self.place(plan.section_places)
            sections = np.stack([plan.node_enter, plan.node_leave], axis=1)
            offset = self.place(np.where(sections < 0, c.NOBODY, places + sections))
            self.m[[c.PLACES, c.SECTIONS]] = places, offset

    def _place_nodes(self) -> None:
        plan = self.plan
        # Followers are places in a slot, which holds the nodes of one stream.
        place = np.arange(plan.n_nodes) - np.repeat(plan.stream_node[:-1], np.diff(plan.stream_node))
        followers = self.place(c.SLOT_WIDTH + place[plan.succ] * c.TASK_WIDTH)
        work = self.place(plan.node_work_ns)
        together = self.place(plan.batch_work_ns)
        busy = self.allocate(plan.n_nodes * plan.n_states)
        node = np.zeros((plan.n_nodes, c.NODE_WIDTH), np.int64)
        served = plan.node_resource != PURE_DELAY
        resource = np.where(served, self.m[c.RESOURCES] + plan.node_resource * c.RES_WIDTH, PURE_DELAY)
        index = np.arange(plan.n_nodes)
        for column, values in (
            (c.NODE_INDEX, index),
            (c.NODE_KIND, plan.node_kind),
            (c.NODE_RESOURCE, resource),
            (c.NODE_RANK, plan.node_rank),
            (c.NODE_MISSING, plan.node_missing),
            (c.NODE_EXIT, plan.node_exit),
            (c.NODE_NEED, plan.node_need),
            (c.NODE_GATE, plan.node_gate),
            (c.NODE_STATE, plan.node_state),
            (c.NODE_KERNELS, plan.node_kernels),
            (c.NODE_BYTES, plan.node_bytes),
            (c.NODE_BATCH, plan.node_batch),
            (c.NODE_BATCH_WORK, together + index * plan.n_states * plan.batch_work_ns.shape[2]),
            (c.NODE_DETECTS, plan.node_detects),
            (c.NODE_COMPLETES, (plan.node_exit >= 0) | (plan.node_leave >= 0) | (plan.node_detects > 0)),
            (c.NODE_FOLLOWERS, followers + plan.succ_ptr[:-1]),
            (c.NODE_FOLLOWERS_END, followers + plan.succ_ptr[1:]),
            (c.NODE_WORK, work + index * plan.n_states),
            (c.NODE_BUSY, busy + index * plan.n_states),
        ):
            node[:, column] = values
        offset = self.place(node)
        self.m[c.NODES] = offset
        self.m[self.stream_offsets + c.STREAM_NODES] = offset + plan.stream_node[:-1] * c.NODE_WIDTH

    def reserve(self, frames: int) -> None:
        """Grow the queues and outputs so that they hold whatever ``frames`` more arrivals can bring."""
        for g, stream in enumerate(self.stream_offsets):
            waiting = int(self.m[stream + c.STREAM_N_PENDING]) + frames
            if waiting > self._pending[g]:
                self._pending[g] = 2 * waiting
                self._grow_pending(stream, 2 * waiting)
        present = int(self.m[c.IN_FLIGHT] + self.m[c.N_PENDING]) + frames
        if present > self._capacity["records"]:
            self._capacity["records"] = 2 * present
            offset = self.allocate(2 * present * c.RECORD_WIDTH)
            self.m[c.RECORDS] = offset
        rows = present * (LOG_ROWS_PER_FRAME + LOG_ROWS_PER_NODE * self.plan.n_nodes)
        if self.m[c.LOGGING] and rows > self._capacity["log"]:
            self._capacity["log"] = 2 * rows
            offset = self.allocate(2 * rows * c.LOG_WIDTH)
            self.m[c.LOG] = offset

    def _grow_pending(self, stream: int, capacity: int) -> None:
        waiting = np.zeros((capacity, c.PENDING_WIDTH), np.int64)
        size, count = int(self.m[stream + c.STREAM_PENDING_SIZE]), int(self.m[stream + c.STREAM_N_PENDING])
        if count:
            ring = self.rows(int(self.m[stream + c.STREAM_PENDING]), size, c.PENDING_WIDTH)
            waiting[:count] = ring[(int(self.m[stream + c.STREAM_PENDING_HEAD]) + np.arange(count)) % size]
        offset = self.place(waiting)
        self.m[stream + c.STREAM_PENDING] = offset
        self.m[stream + c.STREAM_PENDING_SIZE] = capacity
        self.m[stream + c.STREAM_PENDING_HEAD] = 0

    def add_slots(self) -> None:
        """Double the number of frames in flight of each stream that has too few slots (the kernel asks for it)."""
        for g, stream in enumerate(self.stream_offsets):
            free, waiting = (int(self.m[stream + field]) for field in (c.STREAM_N_FREE, c.STREAM_N_PENDING))
            in_flight, limit = int(self.m[stream + c.STREAM_IN_FLIGHT]), int(self.plan.frames_in_flight[g])
            if free <= waiting and free < limit - in_flight:
                have = sum(map(len, self.slots[g]))
                self._add_slots(g, stream, min(max(MIN_SLOTS, 2 * have, in_flight + waiting + 1), limit) - have)
        self._grow_heaps()

    def _add_slots(self, g: int, stream: int, added: int) -> None:
        plan = self.plan
        nodes, exits = int(np.diff(plan.stream_node)[g]), int(np.diff(plan.stream_exit)[g])
        width = c.SLOT_WIDTH + nodes * c.TASK_WIDTH + exits
        first = self._end
        offsets = first + np.arange(added) * width
        block = np.zeros((added, width), np.int64)
        block[:, c.SLOT_STREAM] = stream
        block[:, c.SLOT_NEXT_FREE] = np.append(offsets[1:], self.m[stream + c.STREAM_FREE_SLOT])
        tasks = block[:, c.SLOT_WIDTH : c.SLOT_WIDTH + nodes * c.TASK_WIDTH]
        tasks[:, c.TASK_SLOT :: c.TASK_WIDTH] = offsets[:, None]
        tasks[:, c.TASK_NODE :: c.TASK_WIDTH] = self.m[stream + c.STREAM_NODES] + np.arange(nodes) * c.NODE_WIDTH
        self.place(block)
        self.m[stream + c.STREAM_FREE_SLOT] = first
        self.m[stream + c.STREAM_N_FREE] += added
        self.slots[g].append(offsets)

    def _grow_heaps(self) -> None:
        """Give each resource, and the delays, a heap that all slots' tasks fit in."""
        slots = np.array([sum(map(len, blocks)) for blocks in self.slots])
        room = slots[self.plan.node_stream]
        old = int(self.m[c.DELAYS])
        offset = self.allocate(int(room[self.plan.node_resource == PURE_DELAY].sum()))
        self.m[offset : offset + self.m[c.N_DELAYS]] = self.m[old : old + self.m[c.N_DELAYS]]
        self.m[c.DELAYS] = offset
        for r in range(self.plan.n_resources):
            offset = self.allocate(int(room[self.plan.node_resource == r].sum()))
            row = self.resource_rows[r]
            old, waiting = int(row[c.RES_HEAP]), int(row[c.RES_WAITING])
            self.m[offset : offset + waiting] = self.m[old : old + waiting]
            row[c.RES_HEAP] = offset

    def keep_draws(self, first: int, draws: Draws) -> None:
        """Hold noise, confident sets and scenes of frames that are not over, and of those from ``first`` on."""
        known = int(self.m[c.NOISE]) + int(self.m[c.CONFIDENT]) + int(self.m[c.SCENE])
        if not len(draws.noise_ppm) + len(draws.confident) + len(draws.scene) + known:
            return
        oldest = self._oldest_frame(first)
        self._keep_rows(c.NOISE, self.plan.n_nodes, oldest, first, draws.noise_ppm)
        self._keep_rows(c.CONFIDENT, self.plan.n_levels + 1, oldest, first, draws.confident)
        self._keep_rows(c.SCENE, 1, oldest, first, draws.scene)

    def _oldest_frame(self, first: int) -> int:
        m = self.m
        heads = [
            int(m[m[g + c.STREAM_PENDING] + m[g + c.STREAM_PENDING_HEAD] * c.PENDING_WIDTH + c.PENDING_FRAME])
            for g in self.stream_offsets
            if m[g + c.STREAM_N_PENDING]
        ]
        slots = self.slot_offsets
        used = slots[m[slots + c.SLOT_USED] == 1]
        return int(min([first, *heads, *m[used + c.SLOT_FRAME].tolist()]))

    def _keep_rows(self, region: int, width: int, oldest: int, first: int, rows: IntArray) -> None:
        """Keep one region of rows per frame; the number of its first frame stands in the field after the region's."""
        known = int(self.m[region])
        if not known and not len(rows):
            return
        begin = known + (oldest - int(self.m[region + 1])) * width
        values = np.concatenate([self.m[begin : begin + (first - oldest) * width], rows.ravel()])
        if len(values) > self._capacity[region]:
            self._capacity[region] = 2 * len(values)
            known = self.allocate(2 * len(values))
        self.m[known : known + len(values)] = values
        self.m[[region, region + 1]] = known, oldest
