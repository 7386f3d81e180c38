"""The fixed parts of the reference engine: resources, their servers and the tasks that wait for them."""

from __future__ import annotations

import bisect
from enum import Enum

from eesim.engine.frames import Frame, Node, Task
from eesim.engine.timeline import Happening
from eesim.plan.plan import Plan


class Mode(Enum):
    """What a server does."""

    IDLE = "waits for a task"
    SERVING = "works on a task"
    BLOCKED = "done, but a successor of its task has no place to go"


class Server:
    """One server of a resource.

    Attributes
    ----------
    task
        The task that it serves, or that blocks it; the first of its batch.
    batch
        The tasks that it serves together, in order; most often one.
    speed
        Present speed; 0 between the start of a task and the retiming that follows.
    remaining
        Units of work left at the instant ``since``; below 0 where the last ns was not needed whole.
    goal
        Units of work after which it ends: all of the task's, or less if the task was stopped.
    stints
        (duration, speed) of each part of the service so far.
    finish
        The finish that is scheduled; of an idle server, the end of a wait for a larger batch.
    blocked_since
        Instant at which it became blocked.
    last_end, busy_ns
        End of its last service and the time it has served: what the invariants watch.
    """

    def __init__(self, number: int, resource: int) -> None:
        self.number = number
        self.resource = resource
        self.mode = Mode.IDLE
        self.task: Task | None = None
        self.batch: list[Task] = []
        self.speed = 0
        self.remaining = 0
        self.goal = 0
        self.since = 0
        self.stints: list[tuple[int, int]] = []
        self.finish: Happening | None = None
        self.blocked_since = 0
        self.last_end = 0
        self.busy_ns = 0

    @property
    def current(self) -> Task:
        """The task that it serves, or that blocks it; there must be one."""
        assert self.task is not None
        return self.task

    @property
    def stopped_short(self) -> bool:
        """Whether its task ends before its full work."""
        return self.goal < self.current.work

    def start(self, batch: list[Task], now: int) -> None:
        """Take up tasks that have just begun; all have the work of the whole."""
        self.mode = Mode.SERVING
        self.batch = batch
        self.task = task = batch[0]
        self.speed = 0
        self.remaining = self.goal = task.work
        self.since = now
        self.stints = []

    def work_until(self, now: int) -> None:
        """Subtract the work done since the last change."""
        self.stints.append((now - self.since, self.speed))
        self.remaining -= (now - self.since) * self.speed
        self.since = now

    def due(self) -> int:
        """Instant at which the task ends if the speed stays."""
        return self.since + -(-self.remaining // self.speed)

    def stop(self, now: int, *, at_kernel: bool) -> bool:
        """Stop the task at the end of its kernel under way, or at once; False if it ends by then anyway."""
        self.work_until(now)
        task = self.current
        done = task.work - self.remaining
        kernel = task.work // task.node.kernels if at_kernel else 0
        left = -(-done // kernel) * kernel - done if kernel > 0 else 0
        if left >= self.remaining:
            return False
        self.remaining = left
        self.goal = done + left
        return True

    def rest(self) -> None:
        """Become idle."""
        self.mode = Mode.IDLE
        self.task = None
        self.batch = []
        self.finish = None


class Resource:
    """A processing element or link: its servers, its state and the tasks that wait for it.

    Attributes
    ----------
    waiting
        (key, task) in the order in which they will be served.
    capacity, memory
        Tasks that may wait, and bytes for what those that wait or are served read.
    group
        Exclusive group, or -1.
    bit
        What it adds to the busy mask while it serves.
    batch_wait_ns
        How long a task waits at the idle resource for others, to be served together.
    """

    def __init__(
        self,
        number: int,
        servers: tuple[Server, ...],
        capacity: int,
        memory: int,
        group: int,
        bit: int,
        state: int,
        batch_wait_ns: int,
    ) -> None:
        self.number = number
        self.servers = servers
        self.capacity = capacity
        self.memory = memory
        self.group = group
        self.bit = bit
        self.state = state
        self.batch_wait_ns = batch_wait_ns
        self.waiting: list[tuple[tuple[int, int], Task]] = []

    def idle_server(self) -> Server | None:
        """Find the lowest idle server."""
        return next((server for server in self.servers if server.mode is Mode.IDLE), None)

    def is_serving(self) -> bool:
        """Whether one of its servers serves; a blocked one does not."""
        return any(server.mode is Mode.SERVING for server in self.servers)

    def is_ready(self) -> bool:
        """Whether it has both an idle server and a waiting task."""
        return bool(self.waiting) and self.idle_server() is not None

    def held_bytes(self) -> int:
        """Bytes that the tasks read that wait or are served."""
        served = (task for server in self.servers if server.mode is Mode.SERVING for task in server.batch)
        return sum(task.node.bytes for task in (*(task for _, task in self.waiting), *served))

    def has_room(self, node: Node) -> bool:
        """Whether one more task, of ``node``, may wait."""
        idle = sum(server.mode is Mode.IDLE for server in self.servers)
        return len(self.waiting) < self.capacity + idle and self.held_bytes() + node.bytes <= self.memory

    def add(self, task: Task) -> None:
        """Let ``task`` wait in the place that its key gives it."""
        bisect.insort(self.waiting, (task.key, task))

    def remove(self, task: Task) -> None:
        """Let ``task`` wait no more."""
        # Keys differ, so the comparison never reaches the tasks.
        del self.waiting[bisect.bisect_left(self.waiting, (task.key, task))]

    def first(self) -> Task:
        """Look at the task that is served next; one must wait."""
        return self.waiting[0][1]

    def first_batch(self) -> list[Task]:
        """List the task that is served next and those that would be served with it now, in order; one must wait."""
        node = self.first().node
        if node.batch == 1:
            return [self.first()]
        return [task for _, task in self.waiting if task.node is node][: node.batch]

    def gathers_until(self) -> int:
        """Instant until which what is served next, one of which must wait, is held back to be served with more."""
        batch = self.first_batch()
        return 0 if len(batch) == batch[0].node.batch else batch[0].ready_ns + self.batch_wait_ns

    def lowest_key(self) -> tuple[int, int]:
        """Key of the task that is served next; one must wait."""
        return self.waiting[0][0]


class Section:
    """A part of the task graph that a limited number of frames may be in.

    Attributes
    ----------
    inside
        The frames that hold a place.
    """

    def __init__(self, number: int, places: int) -> None:
        self.number = number
        self.places = places
        self.inside: list[Frame] = []

    def has_place(self) -> bool:
        """Whether one more frame may enter."""
        return len(self.inside) < self.places


def read_sections(plan: Plan) -> tuple[Section, ...]:
    """Read the sections of ``plan``, all empty."""
    return tuple(Section(number, places) for number, places in enumerate(plan.section_places.tolist()))


def read_resources(plan: Plan) -> tuple[Resource, ...]:
    """Read the resources of ``plan``, all idle."""
    servers = [Server(number, resource) for number, resource in enumerate(plan.server_resource.tolist())]
    columns = zip(
        plan.stage_capacity.tolist(),
        plan.stage_bytes.tolist(),
        plan.resource_group.tolist(),
        plan.resource_bit.tolist(),
        plan.resource_state.tolist(),
        plan.batch_wait_ns.tolist(),
        strict=True,
    )
    return tuple(
        Resource(number, tuple(s for s in servers if s.resource == number), *row) for number, row in enumerate(columns)
    )
