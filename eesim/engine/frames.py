"""The moving parts of the reference engine: a frame of the stream and its tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from eesim.plan.plan import FULL_SPEED, Basis, Draws, NodeKind, Plan, Status


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the plan's task graph: its row of the `Plan` arrays in plain ints."""

    number: int
    kind: NodeKind
    resource: int
    rank: int
    missing: int
    exit: int
    need: int
    gate: bool
    state: int
    work_ns: tuple[int, ...]
    kernels: int
    bytes: int
    batch: int
    batch_work_ns: tuple[tuple[int, ...], ...]
    detects: bool
    enter: int
    leave: int
    successors: tuple[int, ...]


class Phase(Enum):
    """How far a task has come."""

    PENDING = "not released: a predecessor is missing, or a full resource holds it back"
    WAITING = "released, waits at its resource"
    RUNNING = "started"
    ENDED = "finished or stopped"
    CANCELLED = "will never start"


@dataclass(slots=True, eq=False)
class Task:
    """One node of one frame.

    Attributes
    ----------
    missing
        Predecessors that are not done.
    cause
        The predecessor that was done last; None for node 0, which the arrival causes.
    key
        Place in the queue of the resource, (priority, number): the lowest is served first.
    ready_ns
        Instant at which it began to wait for its resource.
    state, work
        State in which the resource was found at the start, and the units of work that follow from it; those of the
        whole batch if it is served with others.
    service_ns
        Its share of the service, once it has ended: all of it, unless it was served with others.
    """

    frame: Frame
    node: Node
    missing: int
    phase: Phase = Phase.PENDING
    cause: Task | None = None
    key: tuple[int, int] = (-1, -1)
    state: int = 0
    work: int = 0
    ready_ns: int = 0
    start_ns: int = 0
    end_ns: int = 0
    service_ns: int = 0

    @property
    def full_speed_ns(self) -> int:
        """Time that the work takes at full speed."""
        return -(-self.work // FULL_SPEED)

    @property
    def noise(self) -> int:
        """Factor on its work, ppm."""
        noise = self.frame.noise_ppm
        return FULL_SPEED if noise is None else noise[self.node.number]

    def begin(self, now: int, state: int, batch: int = 1, noise: int | None = None) -> None:
        """Start at ``now`` on a resource that is found in ``state``, in a ``batch`` of so many with that ``noise``."""
        work_ns = self.node.work_ns[state] if batch == 1 else self.node.batch_work_ns[state][batch - 2]
        self.state = state
        self.work = work_ns * (self.noise if noise is None else noise)
        self.start_ns = now
        self.phase = Phase.RUNNING
        self.frame.running += 1

    def end(self, now: int, place: int = 0, batch: int = 1) -> None:
        """Finish or be stopped at ``now``, in this ``place`` of a ``batch``: the shares add up to its service."""
        service = now - self.start_ns
        self.end_ns = now
        self.service_ns = service * (place + 1) // batch - service * place // batch
        self.phase = Phase.ENDED
        self.frame.running -= 1

    def has_ended(self) -> bool:
        """Whether it finished or was stopped."""
        return self.phase is Phase.ENDED


class Frame:
    """One input of the stream on its way through the task graph.

    Parameters
    ----------
    number
        Place among the frames of all streams, from 0.
    stream
        Number of its stream.
    arrival_ns
        Drawn instant of arrival; becomes the instant of arrival.
    drawn_exit
        The exit it takes, or the bit mask of its confident exits.
    noise_ppm
        Factor on each node's work, or None.
    confident
        At each level, the bit mask of its confident exits, or None.
    scene
        What it shows, as `Draws.scene` has it, or None.

    Attributes
    ----------
    level
        The level that was read for it last; 0 before.
    answer
        The exit that answered, or -1.
    dropped, closed, left
        Whether it was dropped; whether nothing more of it may start; whether it has left.
    status, place
        How it ended, and the resource whose full queue lost it, or -1.
    running, done
        Tasks under way (pure delays included) and nodes done.
    gate_left
        Gate nodes that are neither done nor cancelled.
    exit_done
        Per exit of its stream, the nodes done of those that complete it.
    undecided
        First exit that has neither declined nor answered, where exits answer in order.
    last
        At each level, the exit at which it is dropped if it declines there, too; empty for none.
    hopeless
        Whether it declined that exit.
    seems_known, seems_new
        Whether a detector would take it for any other scene, and would not know its own again.
    basis, told
        Whose answer it got, and if another frame's, that one's exit and level.
    """

    def __init__(
        self,
        number: int,
        stream: int,
        arrival_ns: int,
        drawn_exit: int,
        noise_ppm: list[int] | None,
        confident: list[int] | None,
        scene: int | None = None,
    ) -> None:
        self.number = number
        self.stream = stream
        self.arrival_ns = arrival_ns
        self.drawn_exit = drawn_exit
        self.noise_ppm = noise_ppm
        self.confident = confident
        self.scene = 0 if scene is None else scene >> 2
        self.seems_known = bool(scene and scene & 2)
        self.seems_new = bool(scene and scene & 1)
        self.basis = Basis.OWN
        self.told: tuple[int, int] | None = None
        self.level = 0
        self.tasks: tuple[Task, ...] = ()
        self.answer = -1
        self.dropped = False
        self.status = Status.ANSWERED
        self.place = -1
        self.closed = False
        self.left = False
        self.running = 0
        self.done = 0
        self.gate_left = 0
        self.exit_done: dict[int, int] = {}
        self.undecided = 0
        self.last: list[int] = []
        self.hopeless = False

    def enter(self, nodes: tuple[Node, ...], exits: range) -> None:
        """Unfold the task graph: the frame is admitted."""
        self.tasks = tuple(Task(self, node, node.missing) for node in nodes)
        self.gate_left = sum(node.gate for node in nodes)
        self.exit_done = dict.fromkeys(exits, 0)
        self.undecided = exits.start

    def task(self, number: int) -> Task:
        """Return the task of a node, by the node's number in the plan."""
        return self.tasks[number - self.tasks[0].node.number]

    def is_confident(self, exit_: int, first: int) -> bool:
        """Whether exit ``exit_`` is confident at the frame's level; its stream's exits begin at ``first``."""
        mask = self.drawn_exit if self.confident is None else self.confident[self.level]
        return bool(mask >> (exit_ - first) & 1)

    def decide(
        self, completed: int, exit_need: dict[int, int], can_pay: Callable[[int], bool], *, first_confident: bool
    ) -> int:
        """Find the exit that answers now that exit ``completed`` has its output, or -1; ``can_pay`` to decline one."""
        first = next(iter(exit_need))
        if first_confident:
            return completed if self.is_confident(completed, first) else -1
        while self.undecided in exit_need and self.exit_done[self.undecided] == exit_need[self.undecided]:
            if self.confident is None and self.undecided == self.drawn_exit:
                return self.undecided
            if self.confident is not None and self.is_confident(self.undecided, first):
                return self.undecided
            if self.last and self.undecided >= self.last[self.level]:
                self.hopeless = True
                return -1
            if not can_pay(self.undecided):
                self.basis = Basis.BUDGET
                return self.undecided
            self.undecided += 1
        return -1

    def wastes(self, node: Node) -> bool:
        """Whether service on ``node`` turned out to be for nothing."""
        return self.dropped or (self.answer >= 0 and node.need > self.answer)

    def is_through(self) -> bool:
        """Whether nothing of the frame is left to run."""
        return self.done == len(self.tasks) or (self.closed and self.running == 0)


def read_nodes(plan: Plan) -> tuple[Node, ...]:
    """Read the task graph of ``plan``."""
    pointers = plan.succ_ptr.tolist()
    successors = plan.succ.tolist()
    columns = zip(
        plan.node_kind.tolist(),
        plan.node_resource.tolist(),
        plan.node_rank.tolist(),
        plan.node_missing.tolist(),
        plan.node_exit.tolist(),
        plan.node_need.tolist(),
        plan.node_gate.tolist(),
        plan.node_state.tolist(),
        plan.node_work_ns.tolist(),
        plan.node_kernels.tolist(),
        plan.node_bytes.tolist(),
        plan.node_batch.tolist(),
        plan.batch_work_ns.tolist(),
        plan.node_detects.tolist(),
        plan.node_enter.tolist(),
        plan.node_leave.tolist(),
        [tuple(successors[first:end]) for first, end in pairwise(pointers)],
        strict=True,
    )
    return tuple(
        Node(
            number=number,
            kind=NodeKind(kind),
            resource=resource,
            rank=rank,
            missing=missing,
            exit=exit_,
            need=need,
            gate=bool(gate),
            state=state,
            work_ns=tuple(work),
            kernels=kernels,
            bytes=size,
            batch=batch,
            batch_work_ns=tuple(map(tuple, together)),
            detects=bool(detects),
            enter=enter,
            leave=leave,
            successors=followers,
        )
        for number, (
            kind, resource, rank, missing, exit_, need, gate, state, work, kernels, size, batch, together, detects,
            enter, leave, followers
        ) in enumerate(columns)
    )  # fmt: skip


def read_frames(draws: Draws, first: int) -> list[Frame]:
    """Read the frames of a block, numbered from ``first``."""
    arrivals = draws.arrival_ns.tolist()
    absent = [None] * len(arrivals)
    columns = zip(
        draws.stream.tolist() or [0] * len(arrivals),
        arrivals,
        draws.exit.tolist(),
        draws.noise_ppm.tolist() or absent,
        draws.confident.tolist() or absent,
        draws.scene.tolist() or absent,
        strict=True,
    )
    return [Frame(first + place, *row) for place, row in enumerate(columns)]
