"""Build the compiled engine's memory from a plan, and let it grow between two calls of the kernel."""

from __future__ import annotations

import numpy as np

from eesim.engine import layout as c
from eesim.engine.protocol import Memory
from eesim.plan.plan import NEVER, PURE_DELAY, UNBOUNDED, IntArray, Plan, WhenFull

LOG_ROWS_PER_NODE = 7
"""No task makes more log rows: ready, start, finish, exit, answer, block, unblock."""
LOG_ROWS_PER_FRAME = 4
"""Arrive, admit, drop, leave."""
MIN_SLOTS = 16
MAX_BEGUN = 4096
"""Plans whose first memory is kept for the next engine of the same plan."""
MIN_MEMORY = 1 << 16
"""Numbers that memory begins with."""


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
    """

    def __init__(self, plan: Plan, *, log: bool, memory: Memory | None = None) -> None:
        self.plan = plan
        self.m: IntArray = np.zeros(MIN_MEMORY, np.int64) if memory is None else memory.arena
        self._memory = memory
        if memory is not None:
            self.m[: memory.used] = 0
            memory.used = max(memory.used, c.RUN_WIDTH)
        self._end = c.RUN_WIDTH
        self.slots: list[IntArray] = []
        self._capacity = {"slots": 0, "pending": 0, "records": 0, "log": 0, "noise": 0}
        known = None if memory is None else memory.begun.get((id(plan), log))
        if known is not None:
            self._end = len(known[1])
            self.m[: self._end] = known[1]
            return
        self._place_rules(log)
        self._place_resources()
        self._place_nodes()
        if memory is not None:
            if len(memory.begun) >= MAX_BEGUN:
                memory.begun.clear()
            memory.begun[id(plan), log] = plan, self.m[: self._end].copy()

    def allocate(self, size: int) -> int:
        """Set ``size`` zeros aside at the end and return their offset."""
        offset = self._end
        self._end += size
        if self._memory is not None:
            self._memory.used = max(self._memory.used, min(self._end, len(self._memory.arena)))
        if self._end > len(self.m):
            grown = np.zeros(max(2 * len(self.m), self._end), np.int64)
            grown[:offset] = self.m[:offset]
            self.m = grown
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

    @property
    def slot_offsets(self) -> IntArray:
        """Offsets of all slots."""
        return np.concatenate(self.slots) if self.slots else np.zeros(0, np.int64)

    def _place_rules(self, log: bool) -> None:
        plan, m = self.plan, self.m
        unbounded = bool((plan.stage_capacity == UNBOUNDED).all())
        # Where no stage queue can be full, its rule never matters: choose the one that costs the kernel nothing.
        m[c.STAGE_FULL] = WhenFull.DROP_NEWEST if unbounded else plan.stage_full
        m[c.QUEUE_CAPACITY] = plan.queue_capacity
        m[c.QUEUE_FULL] = plan.queue_full
        m[c.IN_FLIGHT_LIMIT] = plan.frames_in_flight
        m[c.DISPATCH] = plan.dispatch
        m[c.CANCELLATION] = plan.cancellation
        m[c.FIRST_CONFIDENT] = plan.first_confident
        m[c.GATE_NODES] = plan.node_gate.sum()
        m[c.LOGGING] = log
        m[c.N_NODES] = plan.n_nodes
        m[c.N_STATES] = plan.n_states
        m[c.N_EXITS] = plan.n_exits
        m[c.N_RESOURCES] = plan.n_resources
        m[c.N_SERVERS] = plan.n_servers
        m[c.EXIT_LEFT] = c.SLOT_WIDTH + plan.n_nodes * c.TASK_WIDTH

    def _place_resources(self) -> None:
        plan = self.plan
        counts = np.bincount(plan.server_resource, minlength=plan.n_resources)
        servers = np.zeros((plan.n_servers, c.SERVER_WIDTH), np.int64)
        resources = np.zeros((plan.n_resources, c.RES_WIDTH), np.int64)
        first_server = self._end + resources.size
        first_resource = self._end
        resources[:, c.RES_INDEX] = np.arange(plan.n_resources)
        resources[:, c.RES_GROUP] = plan.resource_group
        resources[:, c.RES_BIT] = plan.resource_bit
        resources[:, c.RES_CAPACITY] = plan.stage_capacity
        resources[:, c.RES_SERVER] = first_server + (np.cumsum(counts) - counts) * c.SERVER_WIDTH
        resources[:, c.RES_IDLE] = counts
        resources[:, c.RES_STATE] = plan.resource_state
        servers[:, c.SERVER_INDEX] = np.arange(plan.n_servers)
        servers[:, c.SERVER_RESOURCE] = first_resource + plan.server_resource * c.RES_WIDTH
        servers[:, c.SERVER_FINISH] = NEVER
        offsets = self.place(resources), self.place(servers), self.place(plan.speed_ppm), self.place(plan.exit_need)
        self.m[[c.RESOURCES, c.SERVERS, c.SPEEDS, c.EXIT_NEED]] = offsets

    def _place_nodes(self) -> None:
        plan = self.plan
        followers = self.place(c.SLOT_WIDTH + plan.succ * c.TASK_WIDTH)
        work = self.place(plan.node_work_ns)
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
            (c.NODE_FOLLOWERS, followers + plan.succ_ptr[:-1]),
            (c.NODE_FOLLOWERS_END, followers + plan.succ_ptr[1:]),
            (c.NODE_WORK, work + index * plan.n_states),
            (c.NODE_BUSY, busy + index * plan.n_states),
        ):
            node[:, column] = values
        offset = self.place(node)
        self.m[c.NODES] = offset

    def reserve(self, frames: int) -> None:
        """Grow the queues and outputs so that they hold whatever ``frames`` more arrivals can bring."""
        present = int(self.m[c.IN_FLIGHT] + self.m[c.N_PENDING]) + frames
        if present > self._capacity["pending"]:
            self._grow_pending(2 * present)
        if present > self._capacity["records"]:
            self._capacity["records"] = 2 * present
            offset = self.allocate(2 * present * c.RECORD_WIDTH)
            self.m[c.RECORDS] = offset
        rows = present * (LOG_ROWS_PER_FRAME + LOG_ROWS_PER_NODE * self.plan.n_nodes)
        if self.m[c.LOGGING] and rows > self._capacity["log"]:
            self._capacity["log"] = 2 * rows
            offset = self.allocate(2 * rows * c.LOG_WIDTH)
            self.m[c.LOG] = offset

    def _grow_pending(self, capacity: int) -> None:
        waiting = np.zeros((capacity, c.PENDING_WIDTH), np.int64)
        size, count = int(self.m[c.PENDING_SIZE]), int(self.m[c.N_PENDING])
        if count:
            ring = self.rows(int(self.m[c.PENDING]), size, c.PENDING_WIDTH)
            waiting[:count] = ring[(int(self.m[c.PENDING_HEAD]) + np.arange(count)) % size]
        self._capacity["pending"] = capacity
        offset = self.place(waiting)
        self.m[[c.PENDING, c.PENDING_SIZE, c.PENDING_HEAD]] = offset, capacity, 0

    def add_slots(self) -> None:
        """Double the number of frames that can be in flight (the kernel asks for it)."""
        plan = self.plan
        need = int(self.m[c.IN_FLIGHT] + self.m[c.N_PENDING]) + 1
        capacity = min(max(MIN_SLOTS, 2 * self._capacity["slots"], need), plan.frames_in_flight)
        added = capacity - self._capacity["slots"]
        width = c.SLOT_WIDTH + plan.n_nodes * c.TASK_WIDTH + plan.n_exits
        first = self._end
        offsets = first + np.arange(added) * width
        block = np.zeros((added, width), np.int64)
        block[:, c.SLOT_NEXT_FREE] = np.append(offsets[1:], self.m[c.FREE_SLOT])
        tasks = block[:, c.SLOT_WIDTH : c.SLOT_WIDTH + plan.n_nodes * c.TASK_WIDTH]
        tasks[:, c.TASK_SLOT :: c.TASK_WIDTH] = offsets[:, None]
        tasks[:, c.TASK_NODE :: c.TASK_WIDTH] = int(self.m[c.NODES]) + np.arange(plan.n_nodes) * c.NODE_WIDTH
        self.place(block)
        self.m[c.FREE_SLOT] = first
        self.m[c.N_FREE] += added
        self.slots.append(offsets)
        self._capacity["slots"] = capacity
        self._grow_heaps(capacity)

    def _grow_heaps(self, capacity: int) -> None:
        """Give each resource, and the delays, a heap that all slots' tasks fit in."""
        delays = int(np.sum(self.plan.node_resource == PURE_DELAY))
        old = int(self.m[c.DELAYS])
        offset = self.allocate(capacity * delays)
        self.m[offset : offset + self.m[c.N_DELAYS]] = self.m[old : old + self.m[c.N_DELAYS]]
        self.m[c.DELAYS] = offset
        for r in range(self.plan.n_resources):
            offset = self.allocate(capacity * int(np.sum(self.plan.node_resource == r)))
            row = self.resource_rows[r]
            old, waiting = int(row[c.RES_HEAP]), int(row[c.RES_WAITING])
            self.m[offset : offset + waiting] = self.m[old : old + waiting]
            row[c.RES_HEAP] = offset

    def keep_noise(self, first: int, noise_ppm: IntArray) -> None:
        """Hold the noise of all frames that are not over, and of those that come: rows from frame ``first``."""
        known = int(self.m[c.NOISE])
        if not known and not len(noise_ppm):
            return
        oldest = first
        if self.m[c.N_PENDING]:
            head = int(self.m[c.PENDING] + self.m[c.PENDING_HEAD] * c.PENDING_WIDTH)
            oldest = min(oldest, int(self.m[head + c.PENDING_FRAME]))
        slots = self.slot_offsets
        used = slots[self.m[slots + c.SLOT_USED] == 1]
        if len(used):
            oldest = min(oldest, int(self.m[used + c.SLOT_FRAME].min()))
        n = self.plan.n_nodes
        begin = known + (oldest - int(self.m[c.NOISE_FIRST])) * n
        values = np.concatenate([self.m[begin : begin + (first - oldest) * n], noise_ppm.ravel()])
        if len(values) > self._capacity["noise"]:
            self._capacity["noise"] = 2 * len(values)
            known = self.allocate(2 * len(values))
        self.m[known : known + len(values)] = values
        self.m[[c.NOISE, c.NOISE_FIRST]] = known, oldest
