"""Sections: exact logs, closed forms and what goes wrong, told by both engines.

The plans model an accelerator without a queue: the core before it loads the next tensor when the accelerator has a
place for it, and is held until then. Every expected number was worked out by hand from ``docs/semantics.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.engine.protocol import Engine
from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.errors import SimulationDeadlock
from eesim.plan.merge import merge_plans
from eesim.plan.plan import FULL_SPEED, PURE_DELAY, UNBOUNDED, Cancellation, Dispatch, Draws, Plan
from tests.plans import Step, build, draws, ints, run, story, told

pytestmark = pytest.mark.parametrize("engine", ENGINES)
KEEP: dict[str, Any] = {"cancellation": Cancellation.NONE}


def accelerator(x: int, load: int, y: int, places: int, *, loader: int = 0, **rules: Any) -> Plan:
    """A core (PE 0) does ``x`` and, unless PE 2 does, loads; the accelerator (PE 1) does ``y`` and so frees a place."""
    steps = [Step(0, x), Step(loader, load, [0], transfer=True, enter=0), Step(1, y, [1], exit=0, leave=0)]
    return build(steps, servers=[1, 1, 1], **KEEP, section_places=[places], **rules)


def simulate(engine: EngineName, plan: Plan, arrivals: list[int], exits: Any = 0, noise: Any = None) -> Engine:
    made = make_engine(engine, plan, log=True)
    run(made, draws(plan, arrivals, exits, noise))
    return made


def log_of(engine: EngineName, plan: Plan, arrivals: list[int]) -> list[str]:
    return story(simulate(engine, plan, arrivals).take_log())


def only(lines: list[str], *kinds: str) -> list[str]:
    return [line for line in lines if line.split()[1] in kinds]


def test_the_head_waits_for_a_place_and_holds_its_core(engine: EngineName) -> None:
    made = simulate(engine, accelerator(2, 1, 10, places=1), [0, 0, 0])
    # Frame 1 could load from 5 on, but the accelerator is free only at 13; until then frame 2 cannot start either.
    assert story(made.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, ARRIVE 1, ADMIT 1, READY 1.0 @0, ARRIVE 2, ADMIT 2, READY 2.0 @0
        0 START 0.0 @0
        2 FINISH 0.0 @0, READY 0.1 @0, START 0.1 @0
        3 FINISH 0.1 @0, READY 0.2 @1, START 1.0 @0, START 0.2 @1
        5 FINISH 1.0 @0, READY 1.1 @0
        13 FINISH 0.2 @1, EXIT 0.2 @0, ANSWER 0.2 @0, LEAVE 0, START 1.1 @0
        14 FINISH 1.1 @0, READY 1.2 @1, START 2.0 @0, START 1.2 @1
        16 FINISH 2.0 @0, READY 2.1 @0
        24 FINISH 1.2 @1, EXIT 1.2 @0, ANSWER 1.2 @0, LEAVE 1, START 2.1 @0
        25 FINISH 2.1 @0, READY 2.2 @1, START 2.2 @1
        35 FINISH 2.2 @1, EXIT 2.2 @0, ANSWER 2.2 @0, LEAVE 2
    """)
    # Waiting for a place is queueing: nothing serves, nothing is blocked.
    assert made.take_records()[:, 5:8].tolist() == [[0, 12, 1], [11, 12, 1], [22, 12, 1]]
    assert made.counters().busy_ns.tolist() == [[6], [3], [30]]
    assert made.counters().blocked_ns.tolist() == [0, 0, 0]


def test_with_two_places_the_next_tensor_is_loaded_during_the_work_on_the_last(engine: EngineName) -> None:
    assert log_of(engine, accelerator(2, 1, 10, places=2), [0, 0, 0]) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, ARRIVE 1, ADMIT 1, READY 1.0 @0, ARRIVE 2, ADMIT 2, READY 2.0 @0
        0 START 0.0 @0
        2 FINISH 0.0 @0, READY 0.1 @0, START 0.1 @0
        3 FINISH 0.1 @0, READY 0.2 @1, START 1.0 @0, START 0.2 @1
        5 FINISH 1.0 @0, READY 1.1 @0, START 1.1 @0
        6 FINISH 1.1 @0, READY 1.2 @1, START 2.0 @0
        8 FINISH 2.0 @0, READY 2.1 @0
        13 FINISH 0.2 @1, EXIT 0.2 @0, ANSWER 0.2 @0, LEAVE 0, START 2.1 @0, START 1.2 @1
        14 FINISH 2.1 @0, READY 2.2 @1
        23 FINISH 1.2 @1, EXIT 1.2 @0, ANSWER 1.2 @0, LEAVE 1, START 2.2 @1
        33 FINISH 2.2 @1, EXIT 2.2 @0, ANSWER 2.2 @0, LEAVE 2
    """)


@pytest.mark.parametrize("places", [1, 2, 3])
@pytest.mark.parametrize("loader", [0, 2])
def test_loading_follows_its_recursion(engine: EngineName, places: int, loader: int) -> None:
    rng = np.random.default_rng(3)
    works = rng.integers(0, 30, size=(200, 3)) * [1, 1, 2]
    arrivals = np.cumsum(rng.integers(0, 60, size=200)).tolist()
    x_free = load_free = y_free = 0
    loads, done = [], [0] * places
    for (x, load, y), arrival in zip(works.tolist(), arrivals, strict=True):
        x_done = max(arrival, x_free) + x
        # load i starts when x i is done and y (i - places) has left; on a PE of its own, also load i - 1.
        loads.append(max(x_done, done[-places], load_free))
        load_free = loads[-1] + load
        x_free = load_free if loader == 0 else x_done
        y_free = max(load_free, y_free) + y
        done.append(y_free)
    plan = accelerator(1, 1, 1, places, loader=loader)
    made = simulate(engine, plan, arrivals, noise=works * FULL_SPEED)
    log = made.take_log()
    assert log[(log[:, 1] == 3) & (log[:, 3] == 1), 0].tolist() == loads
    assert made.take_records()[:, 2].tolist() == done[places:]


def test_a_held_core_slows_nobody(engine: EngineName) -> None:
    slow = [[FULL_SPEED] * 3] * 3 + [[FULL_SPEED // 2] * 3]
    plan = accelerator(2, 1, 10, places=1, resource_bit=[1, 2, 0], speed_ppm=slow)
    # Frame 0's y runs from 3, at half speed while frame 1's x runs beside it (2 ns of work, 4 ns); then alone.
    lines = log_of(engine, plan, [0, 0])
    assert only(lines, "FINISH")[2:5] == told("7 FINISH 1.0 @0\n15 FINISH 0.2 @1\n16 FINISH 1.1 @0")


def test_one_node_that_enters_and_leaves_is_a_limit_of_its_own(engine: EngineName) -> None:
    plan = build([Step(0, 10, exit=0, enter=0, leave=0)], servers=[3], **KEEP, section_places=[2])
    assert only(log_of(engine, plan, [0, 0, 0]), "START", "FINISH") == told("""
        0 START 0.0 @0, START 1.0 @1
        10 FINISH 0.0 @0, FINISH 1.0 @1, START 2.0 @0
        20 FINISH 2.0 @0
    """)


def test_nothing_overtakes_the_head_even_where_another_server_idles(engine: EngineName) -> None:
    # PE 0 has two servers. Frame 1's first task is held; frame 2's, which needs no place, waits behind it.
    free = build([Step(0, 3, exit=0)], servers=[2, 1], **KEEP)
    limited = build(
        [Step(0, 2, enter=0), Step(1, 10, [0], exit=0, leave=0)], servers=[2, 1], **KEEP, section_places=[1]
    )
    plan = merge_plans([limited, free], [0, 0])
    made = make_engine(engine, plan, log=True)
    frames = Draws(ints([0, 0, 1]), ints([0, 0, 1]), ints(np.zeros((0, 3))), ints([0, 0, 1]))
    run(made, frames)
    assert only(story(made.take_log()), "START") == told("""
        0 START 0.0 @0
        2 START 0.1 @2
        12 START 1.0 @0, START 2.2 @1
        14 START 1.1 @2
    """)


def test_an_older_frame_goes_before_the_head_that_is_held(engine: EngineName) -> None:
    steps = [Step(0, 2, enter=0), Step(1, 10, [0]), Step(0, 1, [1], exit=0, leave=0)]
    lines = log_of(engine, build(steps, **KEEP, section_places=[1]), [0, 1])
    assert only(lines, "START") == told("""
        0 START 0.0 @0
        2 START 0.1 @1
        12 START 0.2 @0
        13 START 1.0 @0
        15 START 1.1 @1
        25 START 1.2 @0
    """)


def test_a_head_that_waits_for_what_is_behind_it_is_a_deadlock(engine: EngineName) -> None:
    steps = [Step(0, 2, enter=0), Step(1, 10, [0]), Step(0, 1, [1], exit=0, leave=0)]
    plan = build(steps, **KEEP, section_places=[1], dispatch=Dispatch.FIFO)
    made = make_engine(engine, plan, log=True)
    with pytest.raises(SimulationDeadlock, match="resource 0 waits with node 0 of frame 1 for a place in section 0"):
        run(made, draws(plan, [0, 1]))
    assert story(made.take_log())[-2:] == told("12 FINISH 0.1 @1, READY 0.2 @0")
    with pytest.raises(SimulationDeadlock) as caught:
        run(make_engine(engine, plan), draws(plan, [0, 1, 2]), size=1)
    assert (caught.value.frames_in_flight, caught.value.blocked, caught.value.held) == (3, (), ((0, 1, 0, 0),))


def test_a_head_that_waits_behind_a_full_stage_is_a_deadlock_with_both_reasons(engine: EngineName) -> None:
    steps = [Step(0, 2, enter=0), Step(1, 10, [0]), Step(0, 1, [1], exit=0, leave=0)]
    plan = build(steps, **KEEP, section_places=[1], stage_capacity=[0, UNBOUNDED])
    with pytest.raises(SimulationDeadlock) as caught:
        simulate(engine, plan, [0, 1])
    # Frame 1 takes the only room at PE 0, so frame 0 cannot go back there from PE 1 and never frees its place.
    assert (caught.value.blocked, caught.value.held) == (((1, 0, 1),), ((0, 1, 0, 0),))
    assert "server 1 holds node 1 of frame 0, resource 0 waits with node 0 of frame 1" in str(caught.value)


def test_a_held_head_still_excludes_younger_tasks_of_its_group(engine: EngineName) -> None:
    steps = [Step(3, 1), Step(0, 2, [0], enter=0), Step(1, 3, [0]), Step(2, 20, [1], exit=0, leave=0)]
    plan = build(steps, **KEEP, section_places=[1], resource_group=[0, 0, -1, -1])
    # At 6, PEs 0 and 1 idle: frame 1's node 1 waits for the place and its node 2, younger, for the group.
    assert only(log_of(engine, plan, [0, 0]), "START", "FINISH") == told("""
        0 START 0.0 @3
        1 FINISH 0.0 @3, START 0.1 @0, START 1.0 @3
        2 FINISH 1.0 @3
        3 FINISH 0.1 @0, START 0.2 @1, START 0.3 @2
        6 FINISH 0.2 @1
        23 FINISH 0.3 @2, START 1.1 @0
        25 FINISH 1.1 @0, START 1.2 @1, START 1.3 @2
        28 FINISH 1.2 @1
        45 FINISH 1.3 @2
    """)


def test_a_pure_delay_may_give_the_place_back(engine: EngineName) -> None:
    steps = [Step(0, 2, enter=0), Step(PURE_DELAY, 5, [0], transfer=True, leave=0), Step(1, 1, [1], exit=0)]
    lines = log_of(engine, build(steps, **KEEP, section_places=[1]), [0, 0])
    assert only(lines, "START") == told(
        "0 START 0.0 @0\n2 START 0.1\n7 START 1.0 @0, START 0.2 @1\n9 START 1.1\n14 START 1.2 @1"
    )


def test_a_section_can_be_shared_by_streams(engine: EngineName) -> None:
    alone = accelerator(2, 1, 10, places=1)
    merged = merge_plans([alone, alone], [1, 0])
    frames = Draws(ints([0, 0]), ints([0, 1]), ints(np.zeros((0, 6))), ints([0, 1]))
    together = {name: np.minimum(getattr(merged, name), 0) for name in ("node_enter", "node_leave")}
    shared = merged._replace(section_places=ints([1]), **together)
    # Frame 1, of the stream that goes first, loads at 2; only a section of both makes frame 0 wait for its end.
    for plan, second in ((merged, 5), (shared, 13)):
        made = make_engine(engine, plan, log=True)
        run(made, frames)
        starts = only(story(made.take_log()), "START")
        assert [line for line in starts if line.split()[2] in ("0.1", "1.4")] == [
            "2 START 1.4 @0",
            f"{second} START 0.1 @0",
        ]


def test_sections_that_cannot_be_kept_are_refused(engine: EngineName) -> None:
    plan = accelerator(2, 1, 10, places=1)
    with pytest.raises(ValueError, match="stream 0 has sections and cancels"):
        make_engine(engine, plan._replace(cancellation=ints([Cancellation.QUEUED])))
