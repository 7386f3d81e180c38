"""A stream in the reference engine: its task graph, its rules, and who of it waits or is in flight."""

from __future__ import annotations

from collections import deque

from eesim.engine.frames import Frame, Node, read_nodes
from eesim.plan.plan import UNBOUNDED, Cancellation, Plan, WhenFull


class Bucket:
    """Tokens for going deeper.

    Attributes
    ----------
    tokens
        What it holds at the instant ``at``.
    """

    def __init__(self, most: int, per_frame: int, per_ns: int) -> None:
        self.most = most
        self.per_frame = per_frame
        self.per_ns = per_ns
        self.tokens = most
        self.at = 0

    def fill(self, now: int, more: int = 0) -> None:
        """Let the tokens of the time since the last count come in, and ``more``."""
        self.tokens = min(self.most, self.tokens + more + (now - self.at) * self.per_ns)
        self.at = now

    def can_pay(self, now: int, cost: int) -> bool:
        """Take ``cost`` tokens out; False if there are not enough."""
        self.fill(now)
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Stream:
    """One stream of a plan.

    Parameters
    ----------
    plan
        What is simulated.
    number
        Place among the plan's streams.
    nodes
        All nodes of the plan.

    Attributes
    ----------
    nodes
        Its task graph; the first node is the root.
    exits
        Its exits.
    exit_need
        Nodes that complete each of them.
    queue
        Frames that have arrived and were not admitted.
    in_flight
        Frames that were admitted and have not left.
    last_admitted
        The frame that the gate depends on.
    level
        Present level, as it was read last.
    reference
        The latest frame that was answered by itself.
    bucket
        Its tokens for going deeper, or None.
    alike, reused
        Frames in a row that were answered by themselves and showed its scene; that got its answer.
    """

    def __init__(self, plan: Plan, number: int, nodes: tuple[Node, ...]) -> None:
        first, end = int(plan.stream_node[number]), int(plan.stream_node[number + 1])
        self.number = number
        self.nodes = nodes[first:end]
        self.exits = range(int(plan.stream_exit[number]), int(plan.stream_exit[number + 1]))
        self.exit_need = {exit_: int(plan.exit_need[exit_]) for exit_ in self.exits}
        self.priority = int(plan.stream_priority[number])
        self.queue_capacity = int(plan.queue_capacity[number])
        self.queue_full = WhenFull(int(plan.queue_full[number]))
        self.in_flight_limit = int(plan.frames_in_flight[number])
        self.cancellation = Cancellation(int(plan.cancellation[number]))
        self.first_confident = bool(plan.first_confident[number])
        self.level_up = [limit for limit in plan.level_up[number].tolist() if limit != UNBOUNDED]
        self.level_down = plan.level_down[number].tolist()[: len(self.level_up)]
        self.level_last: list[int] = plan.level_last[number].tolist()
        self.level_at_exit = bool(plan.level_at_exit[number])
        self.reuse_patience = int(plan.reuse_patience[number])
        self.reuse_most = int(plan.reuse_most[number])
        most = int(plan.bucket_most[number])
        income = int(plan.bucket_per_frame[number]), int(plan.bucket_per_ns[number])
        self.bucket = Bucket(most, *income) if most else None
        self.exit_cost = {exit_: int(plan.exit_cost[exit_]) for exit_ in self.exits}
        self.queue: deque[Frame] = deque()
        self.in_flight = 0
        self.last_admitted: Frame | None = None
        self.level = 0
        self.reference: Frame | None = None
        self.alike = 0
        self.reused = 0

    @property
    def has_levels(self) -> bool:
        """Whether what a frame does depends on how many are in the system."""
        return bool(self.level_up)

    @property
    def gate_is_open(self) -> bool:
        """Whether the frame admitted last lets the next one in."""
        return self.last_admitted is None or self.last_admitted.gate_left == 0

    @property
    def holds_source(self) -> bool:
        """Whether a full queue has no place for a frame, and makes the source wait instead of dropping one."""
        return self.queue_full is WhenFull.BLOCK and len(self.queue) >= self.queue_capacity

    def takes_for_known(self, frame: Frame) -> bool:
        """Whether ``frame`` is taken to show what the reference did, and may get its answer."""
        if self.reference is None or self.alike < self.reuse_patience or self.reused >= self.reuse_most:
            return False
        return not frame.seems_new if frame.scene == self.reference.scene else frame.seems_known

    def learn(self, frame: Frame) -> None:
        """Take ``frame``, which was answered by itself, for the reference, unless a later one was."""
        if not self.reuse_patience or (self.reference is not None and frame.number < self.reference.number):
            return
        same = self.reference is not None and frame.scene == self.reference.scene
        self.alike = self.alike + 1 if same else 1
        self.reference = frame
        self.reused = 0

    def read_level(self) -> bool:
        """Move the level to where the number of frames in the system says; whether it moved."""
        before = self.level
        present = self.in_flight + len(self.queue)
        while self.level < len(self.level_up) and present > self.level_up[self.level]:
            self.level += 1
        while self.level > 0 and present <= self.level_down[self.level - 1]:
            self.level -= 1
        return self.level != before


def read_streams(plan: Plan) -> tuple[Stream, ...]:
    """Read the streams of ``plan`` and their task graphs."""
    nodes = read_nodes(plan)
    return tuple(Stream(plan, number, nodes) for number in range(plan.n_streams))
