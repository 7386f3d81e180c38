"""The laws that the reference engine holds every run to: kept ones pass, broken ones are caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from eesim.engine import invariants
from eesim.engine.frames import Frame, read_nodes
from eesim.engine.reference import ReferenceEngine
from eesim.engine.servers import Mode, Resource, Section, Server
from eesim.errors import InvariantViolation
from eesim.plan.plan import FULL_SPEED, UNBOUNDED
from tests.plans import Step, build, draws, run, single_server


def test_a_run_that_breaks_a_law_is_caught() -> None:
    plan = single_server(10)
    with pytest.raises(InvariantViolation, match="leaves without an answer"):
        run(ReferenceEngine(plan), draws(plan, [0], 3))
    too_fast = single_server(10, speed_ppm=[[2 * FULL_SPEED]])
    with pytest.raises(InvariantViolation, match="do not make up"):
        run(ReferenceEngine(too_fast), draws(too_fast, [0]))


def served(*stints: tuple[int, int]) -> Callable[[], None]:
    """Check one task of 10 ns that was served from 0 to 14 in these stints."""
    task = frame_with().tasks[0]
    task.begin(0, state=0)
    server = Server(0, 0)
    server.start([task], 0)
    server.speed = stints[-1][1]
    server.stints = list(stints)
    return partial(invariants.check_service, server, task, 14)


def settled(*modes: Mode, group: int = -1, waiting: Sequence[int] = ()) -> Callable[[], None]:
    """Check resources of one server each, with a task waiting at each of ``waiting``, first come first."""
    resources = []
    for number, mode in enumerate(modes):
        server = Server(number, number)
        server.mode = mode
        resources.append(Resource(number, (server,), UNBOUNDED, UNBOUNDED, group, 0, 0, 0))
    for key, number in enumerate(waiting):
        task = frame_with().tasks[0]
        task.key = (0, key)
        resources[number].add(task)
    return partial(invariants.check_settled, resources)


def frame_with(**state: Any) -> Frame:
    """An admitted frame of one node, with the given attributes."""
    frame = Frame(0, 0, 0, 0, None, None)
    frame.enter(read_nodes(single_server(10)), range(1))
    for name, value in state.items():
        setattr(frame, name, value)
    return frame


def section_with(places: int, *inside: int) -> Section:
    """A section that these frames are in; a frame that is named twice is in it twice."""
    frames = {number: Frame(number, 0, 0, 0, None, None) for number in inside}
    section = Section(0, places)
    section.inside = [frames[number] for number in inside]
    return section


def held_by(section: Section, *, group: int = -1) -> Callable[[], None]:
    """Check a resource that idles although a task that enters ``section`` waits for it, and its group, if any."""
    plan = build([Step(0, 10, exit=0, enter=0, leave=0)], section_places=[1])
    frame = Frame(0, 0, 0, 0, None, None)
    frame.enter(read_nodes(plan), range(1))
    resources = [
        Resource(number, (Server(number, number),), UNBOUNDED, UNBOUNDED, group, 0, 0, 0) for number in range(2)
    ]
    resources[0].add(frame.tasks[0])
    younger = frame_with().tasks[0]
    younger.key = (1, 0)
    if group >= 0:
        resources[1].add(younger)
    return partial(invariants.check_settled, resources, [section])


FULL, HALF = FULL_SPEED, FULL_SPEED // 2
IDLE, SERVING, BLOCKED = Mode.IDLE, Mode.SERVING, Mode.BLOCKED


@pytest.mark.parametrize(
    "check",
    [
        served((8, HALF), (6, FULL)),
        served((7, HALF), (7, FULL)),  # half a ns more than it needed: it ends on a whole ns
        settled(SERVING, waiting=[0]),
        settled(BLOCKED, waiting=[0]),
        settled(IDLE, SERVING, group=0, waiting=[0]),
        held_by(section_with(1, 7)),
        held_by(section_with(1, 7), group=0),
        partial(invariants.check_inside, section_with(2, 7, 8)),
        partial(invariants.check_all_given_back, [section_with(1)]),
    ],
)
def test_laws_that_are_kept(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(
    "check",
    [
        served((9, HALF), (5, FULL)),  # too little work
        served((6, HALF), (8, FULL)),  # too much
        served((10, FULL)),  # the right work, in the wrong time
        settled(IDLE, waiting=[0]),
        settled(SERVING, SERVING, group=0),
        settled(IDLE, IDLE, group=0, waiting=[1, 0]),
        settled(SERVING, IDLE, IDLE, waiting=[2]),
        held_by(section_with(1)),
        held_by(section_with(2, 7), group=0),
        partial(invariants.check_inside, section_with(1, 7, 8)),
        partial(invariants.check_inside, section_with(2, 7, 7)),
        partial(invariants.check_give_back, section_with(1), frame_with()),
        partial(invariants.check_all_given_back, [section_with(1), section_with(2, 7)]),
        partial(invariants.check_time, 5, 4),
        partial(invariants.check_answer, frame_with(), 0, 1),
        partial(invariants.check_answer, frame_with(answer=0), 0, 0),
        partial(invariants.check_drop, frame_with(answer=0)),
        partial(invariants.check_drop, frame_with(dropped=True)),
        partial(invariants.check_leave, frame_with()),
        partial(invariants.check_leave, frame_with(answer=0, left=True)),
        partial(invariants.check_leave, frame_with(answer=0, running=1)),
        partial(invariants.check_split, 10, (5, 6, -1, 0)),
        partial(invariants.check_split, 10, (5, 6, 0, 0)),
        partial(invariants.check_end, 1, 10, 10),
        partial(invariants.check_end, 0, 10, 11),
    ],
)
def test_laws_that_are_broken(check: Callable[[], None]) -> None:
    with pytest.raises(InvariantViolation):
        check()


def test_a_server_starts_one_task_at_a_time() -> None:
    server = Server(0, 0)
    invariants.check_start(server, 5)
    server.last_end = 6
    with pytest.raises(InvariantViolation, match="before its last one ended"):
        invariants.check_start(server, 5)
    server.mode = SERVING
    with pytest.raises(InvariantViolation, match="although it is serving"):
        invariants.check_start(server, 7)
