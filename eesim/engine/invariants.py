"""Laws that every run must keep, whatever the plan; the reference engine checks them as it goes.

They are stated apart from the rules that they watch, so that a wrong rule cannot hide behind itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from eesim.engine.frames import Frame, Task
from eesim.engine.servers import Mode, Resource, Section, Server
from eesim.errors import InvariantViolation


def check_time(before: int, now: int) -> None:
    """Hold that time never runs backwards."""
    if now < before:
        _fail(f"the log goes back from {before} ns to {now} ns")


def check_start(server: Server, now: int) -> None:
    """Hold that a server takes up one task at a time."""
    if server.mode is not Mode.IDLE:
        _fail(f"server {server.number} starts a task at {now} ns although it is {server.mode.name.lower()}")
    if now < server.last_end:
        _fail(f"server {server.number} starts a task at {now} ns, before its last one ended")


def check_batch(server: Server) -> None:
    """Hold that tasks served together are of one node and in order, no more than may be."""
    batch = server.batch
    keys = [task.key for task in batch]
    if len({task.node.number for task in batch}) > 1 or len(batch) > batch[0].node.batch or keys != sorted(set(keys)):
        _fail(f"server {server.number} serves {[_name(task) for task in batch]} together")


def check_service(server: Server, task: Task, now: int) -> None:
    """Hold that a task got exactly its work in the time it was served, and the server not more than all time.

    The work may exceed the goal by less than one ns at the last speed, because tasks end on a whole ns.
    """
    name = _name(task)
    elapsed = sum(duration for duration, _ in server.stints)
    if elapsed != now - task.start_ns:
        _fail(f"{name} took {now - task.start_ns} ns on server {server.number}, served for {elapsed} ns")
    done = sum(duration * speed for duration, speed in server.stints)
    if not server.goal <= done < server.goal + server.speed:
        _fail(f"{name} got {done} units of work instead of {server.goal} (last speed {server.speed} ppm)")
    if server.busy_ns > now:
        _fail(f"server {server.number} was busy for {server.busy_ns} ns of {now} ns")


def check_settled(resources: Sequence[Resource], sections: Sequence[Section] = (), now: int = 0) -> None:
    """Hold that no server idles beside a task it could start, and that one member of a group is active."""
    full = {section.number for section in sections if len(section.inside) >= section.places}
    groups: dict[int, list[Resource]] = {}
    for resource in resources:
        if resource.group >= 0:
            groups.setdefault(resource.group, []).append(resource)
        elif resource.is_ready() and resource.first().node.enter not in full and not _may_gather(resource, now):
            _fail(f"resource {resource.number} is idle although a task waits for it")
    for group, members in groups.items():
        active = [member for member in members if member.is_serving()]
        if len(active) > 1:
            _fail(f"{len(active)} members of exclusive group {group} are active at once")
        ready = [member for member in members if member.is_ready()]
        if ready:
            first = min(ready, key=Resource.lowest_key)
            if first.first().node.enter not in full and (not active or active[0] is first):
                _fail(f"resource {first.number} is idle although group {group} lets it start a task")


def _may_gather(resource: Resource, now: int) -> bool:
    """Whether too few tasks of the first one's node wait, and it has not waited too long."""
    first = resource.first()
    alike = sum(task.node is first.node for _, task in resource.waiting)
    return alike < first.node.batch and now - first.ready_ns < resource.batch_wait_ns


def check_inside(section: Section) -> None:
    """Hold that a section has no more frames inside than places, and each of them once."""
    if len(section.inside) > section.places or len(set(section.inside)) < len(section.inside):
        _fail(f"section {section.number} of {section.places} places holds {_numbers(section)}")


def check_give_back(section: Section, frame: Frame) -> None:
    """Hold that a frame gives back only a place that it holds."""
    if frame not in section.inside:
        _fail(f"frame {frame.number} leaves section {section.number}, which holds {_numbers(section)}")


def check_all_given_back(sections: Sequence[Section]) -> None:
    """Hold that all places are free again at the end of a run."""
    for section in sections:
        if section.inside:
            _fail(f"section {section.number} still holds {_numbers(section)} at the end")


def check_answer(frame: Frame, exit_: int, need: int) -> None:
    """Hold that a frame answers once, and only from an exit whose nodes are all done."""
    if frame.answer >= 0 or frame.dropped:
        _fail(f"frame {frame.number} answers from exit {exit_} although it has answered or was dropped")
    done = sum(task.node.exit == exit_ and task.has_ended() for task in frame.tasks)
    if done != need:
        _fail(f"frame {frame.number} answers from exit {exit_} with {done} of its {need} nodes done")


def check_drop(frame: Frame) -> None:
    """Hold that a frame is dropped once, and not after its answer."""
    if frame.answer >= 0 or frame.dropped:
        _fail(f"frame {frame.number} is dropped although it has answered or was dropped")


def check_leave(frame: Frame) -> None:
    """Hold that a frame leaves once, after its answer or drop, and leaves nothing behind."""
    if frame.left:
        _fail(f"frame {frame.number} leaves twice")
    if frame.answer < 0 and not frame.dropped:
        _fail(f"frame {frame.number} leaves without an answer")
    if frame.running or frame.gate_left:
        _fail(f"frame {frame.number} leaves: {frame.running} tasks run, {frame.gate_left} gate nodes are left")


def check_split(latency: int, parts: Sequence[int]) -> None:
    """Hold that the parts of a latency are not negative and add up to it."""
    if min(parts) < 0 or sum(parts) != latency:
        _fail(f"queueing, service, transfer, contention = {tuple(parts)} do not make up {latency} ns")


def check_end(present: int, presence_ns: int, sojourn_ns: int) -> None:
    """Hold Little's law, an exact identity once every frame has answered or was dropped."""
    if present:
        _fail(f"{present} frames have neither answered nor been dropped at the end")
    if presence_ns != sojourn_ns:
        _fail(f"Little's law: {presence_ns} frame-ns over time, {sojourn_ns} frame-ns over frames")


def _name(task: Task) -> str:
    return f"node {task.node.number} of frame {task.frame.number}"


def _numbers(section: Section) -> str:
    return f"frames {[frame.number for frame in section.inside]}"


def _fail(message: str) -> NoReturn:
    raise InvariantViolation(message)
