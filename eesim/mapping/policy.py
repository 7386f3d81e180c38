"""Execution policies: named runtimes, each one a set of explicit switches (docs/semantics.md, section 2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, model_validator

from eesim.findings import SpecError
from eesim.mapping.batching import Batching
from eesim.mapping.budget import Budget
from eesim.mapping.reuse import BLIND, INPUT, Reuse
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import Bytes

PresetName = Literal["cooperative", "sequential", "coup-switch", "coup-pipeline"]

Count = Annotated[Literal["unbounded"] | Annotated[int, Field(ge=0)], OneOf()]
PositiveCount = Annotated[Literal["unbounded"] | Annotated[int, Field(ge=1)], OneOf()]


class Queue(Spec):
    """A place to wait and what happens when it is full."""

    capacity: Count = "unbounded"
    full: Literal["block", "drop_newest", "drop_oldest"] = "drop_newest"


def _written_size(value: object) -> object:
    """Write a size as it is read, so that a policy that was found can be written into a scenario."""
    return f"{value} B" if isinstance(value, int) else value


Size = Annotated[
    Literal["unbounded"] | Annotated[Bytes, Field(ge=1)], OneOf(), PlainSerializer(_written_size, return_type=object)
]


class StageLimits(Spec):
    """Limits of the queue of one PE or link; what is not said is as for all of them."""

    capacity: Count | None = None
    bytes: Size | None = None


class StageQueue(Queue):
    """The queue in front of each PE; a full one holds back the server that would fill it, unless told otherwise.

    ``capacity`` counts tasks that wait, not those in service; ``bytes`` is memory for the tensors that tasks read which
    wait or are served. ``pes`` changes either for single PEs (or links that queue).
    """

    full: Literal["block", "drop_newest", "drop_oldest"] = "block"
    bytes: Size = "unbounded"
    pes: dict[str, StageLimits] = {}

    @property
    def is_limited(self) -> bool:
        """Whether any queue can be full."""
        limits = [
            self.capacity,
            self.bytes,
            *(limit for own in self.pes.values() for limit in (own.capacity, own.bytes)),
        ]
        return any(limit not in (None, "unbounded") for limit in limits)

    @property
    def in_bytes(self) -> bool:
        """Whether any limit is one of bytes."""
        sizes = (self.bytes, *(own.bytes for own in self.pes.values()))
        return any(size not in (None, "unbounded") for size in sizes)

    def limits(self, name: str) -> tuple[int | str, int | str]:
        """Return the limits of tasks and of bytes that hold for a PE or link; ``"unbounded"`` where there is none."""
        own = self.pes.get(name, StageLimits())
        return (
            self.capacity if own.capacity is None else own.capacity,
            self.bytes if own.bytes is None else own.bytes,
        )


class Adaptive(Spec):
    """Exits that are easier to take when many frames are in the system: level *k* while more than ``above[k - 1]`` are.

    A level is left for the one below once no more than its limit less ``hysteresis`` are in the system.
    """

    above: Annotated[tuple[Annotated[int, Field(ge=1, le=10**9)], ...], Field(min_length=1, max_length=16)]
    hysteresis: Annotated[int, Field(ge=0)] = 0
    read_at: Literal["exit", "frame"] = "exit"
    give_up_after: tuple[str | None, ...] = ()

    @model_validator(mode="after")
    def _can_rise_and_fall(self) -> Self:
        rising = all(a < b for a, b in pairwise(self.above))
        if not rising:
            raise SpecError([(("above",), "must rise from level to level")])
        if self.give_up_after and len(self.give_up_after) != len(self.above):
            message = f"has {len(self.give_up_after)} entries, but there are {len(self.above)} levels above level 0"
            raise SpecError([(("give_up_after",), message)])
        if self.hysteresis >= self.above[0]:
            message = (
                f"must be below {self.above[0]}: with the asking frame in the system the level would never fall to 0"
            )
            raise SpecError([(("hysteresis",), message)])
        return self


class Policy(Spec):
    """Every switch, resolved."""

    preset: PresetName = "cooperative"
    exit_decision: Literal["none", "decide"] = "decide"
    exit_order: Literal["in_order", "first_confident"] = "in_order"
    speculation: Literal["parallel", "blocking"] = "parallel"
    cancellation: Literal["none", "queued", "running"] = "queued"
    abort_at: Literal["kernel", "once"] = "kernel"
    send_policy: Literal["after_segment", "after_subgraph"] = "after_segment"
    merge_order: Literal["exit_first", "coup_dfs"] = "exit_first"
    frame_gate: Literal["open", "first_subgraph", "last_subgraph", "all"] = "open"
    frames_in_flight: PositiveCount = "unbounded"
    queue: Queue = Queue()
    stage_queue: StageQueue = StageQueue()
    dispatch: Literal["oldest_frame", "fifo"] = "oldest_frame"
    adaptive: Adaptive | None = None
    reuse: Reuse | None = None
    budget: Budget | None = None
    batching: Batching | None = None


COUP: dict[str, Any] = {
    "exit_decision": "none",
    "cancellation": "none",
    "send_policy": "after_subgraph",
    "merge_order": "coup_dfs",
}

PRESETS: dict[str, dict[str, Any]] = {
    "cooperative": {},
    "sequential": {"speculation": "blocking"},
    "coup-switch": {**COUP, "frame_gate": "last_subgraph"},
    "coup-pipeline": {**COUP, "frame_gate": "first_subgraph"},
}


class PolicyChange(Spec):
    """A preset with some switches changed, as written in a scenario."""

    preset: PresetName = "cooperative"
    exit_decision: Literal["none", "decide"] | None = None
    exit_order: Literal["in_order", "first_confident"] | None = None
    speculation: Literal["parallel", "blocking"] | None = None
    cancellation: Literal["none", "queued", "running"] | None = None
    abort_at: Literal["kernel", "once"] | None = None
    send_policy: Literal["after_segment", "after_subgraph"] | None = None
    merge_order: Literal["exit_first", "coup_dfs"] | None = None
    frame_gate: Literal["open", "first_subgraph", "last_subgraph", "all"] | None = None
    frames_in_flight: PositiveCount | None = None
    queue: Queue | None = None
    stage_queue: StageQueue | None = None
    dispatch: Literal["oldest_frame", "fifo"] | None = None
    adaptive: Adaptive | None = None
    reuse: Reuse | None = None
    budget: Budget | None = None
    batching: Batching | None = None


PolicyReference = Annotated[PresetName | PolicyChange, OneOf()]


def resolve_policy(written: str | PolicyChange) -> Policy:
    """Return every switch of a policy as written in a scenario.

    Raises
    ------
    SpecError
        If the switches contradict each other.
    """
    change = PolicyChange(preset=written) if isinstance(written, str) else written
    switches = {key: value for key in PolicyChange.model_fields if (value := getattr(change, key)) is not None}
    policy = Policy(**{**PRESETS[change.preset], **switches})
    findings = []
    if policy.speculation == "blocking" and policy.merge_order == "coup_dfs":
        message = "blocking cannot wait for an exit that coup_dfs runs last: use merge_order exit_first"
        findings.append((("speculation",), message))
    if policy.exit_decision == "none" and policy.speculation == "blocking":
        findings.append((("speculation",), "blocking waits for a decision that exit_decision none never makes"))
    if policy.exit_decision == "none" and policy.exit_order == "first_confident":
        findings.append((("exit_order",), "first_confident needs exit_decision decide"))
    if policy.exit_decision == "none" and policy.adaptive is not None:
        findings.append((("adaptive",), "changes decisions that exit_decision none never makes"))
    if policy.exit_decision == "none" and policy.reuse is not None and policy.reuse.at not in (INPUT, BLIND):
        findings.append((("reuse",), "exits decide nothing under exit_decision none: compare inputs (at: input)"))
    if policy.exit_decision == "none" and policy.budget is not None:
        findings.append((("budget",), "is for decisions that exit_decision none never makes"))
    if policy.exit_order == "first_confident" and policy.budget is not None:
        findings.append((("budget",), "is for exits that answer in order: use exit_order in_order"))
    if policy.reuse is not None and policy.budget is not None:
        findings.append((("budget",), "cannot be combined with reuse: nobody knows how right a forced answer stays"))
    if policy.exit_order == "first_confident" and policy.adaptive is not None:
        findings.append((("adaptive",), "is of exits that answer in order: use exit_order in_order"))
    if policy.batching is not None and policy.batching.largest > 1:
        if policy.cancellation == "running":
            message = "cannot be combined with cancellation running: others need the batch that would be stopped"
            findings.append((("batching",), message))
        if policy.stage_queue.full == "block" and policy.stage_queue.is_limited:
            message = "cannot be combined with a stage_queue that blocks: let a full one drop (full: drop_newest)"
            findings.append((("batching",), message))
    if findings:
        raise SpecError(findings)
    return policy
