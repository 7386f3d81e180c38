"""Levels and several streams, told event by event, in both engines."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.engine.protocol import Engine
from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.plan.merge import merge_plans
from eesim.plan.plan import Dispatch, Draws, Plan, WhenFull
from tests.plans import Step, build, draws, early_exit_pair, ints, run, single_server, story, told

EARLY, LATE = 3, 2
"""Sets of confident exits, of two: both, or the last one alone."""


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> EngineName:
    return request.param  # type: ignore[no-any-return]


def simulated(name: EngineName, plan: Plan, whole: Draws) -> Engine:
    engine = make_engine(name, plan, log=True)
    run(engine, whole)
    return engine


def leveled(at_exit: int, up: list[int], down: list[int]) -> Plan:
    return early_exit_pair(4, 2, 10, level_up=[up], level_down=[down], level_at_exit=at_exit)


def frames(plan: Plan, arrivals: list[int], confident: Any) -> Draws:
    """Frames that bring the same sets of confident exits."""
    return draws(plan, arrivals)._replace(confident=ints([confident] * len(arrivals)))


def test_a_level_is_read_at_every_exit(name: EngineName) -> None:
    plan = leveled(1, [1], [1])
    engine = simulated(name, plan, frames(plan, [0, 1], [LATE, EARLY]))
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        1 ARRIVE 1, ADMIT 1, READY 1.0 @0
        4 FINISH 0.0 @0, READY 0.1 @1, READY 0.2 @0, START 0.2 @0, START 0.1 @1
        6 FINISH 0.1 @1, EXIT 0.1 @0, LEVEL 0 @1, ANSWER 0.1 @0
        14 FINISH 0.2 @0, LEAVE 0, START 1.0 @0
        18 FINISH 1.0 @0, READY 1.1 @1, READY 1.2 @0, START 1.2 @0, START 1.1 @1
        20 FINISH 1.1 @1, EXIT 1.1 @0, LEVEL 1 @0
        28 FINISH 1.2 @0, EXIT 1.2 @1, ANSWER 1.2 @1, LEAVE 1
    """)
    assert engine.take_records()[:, [0, 3, 9]].tolist() == [[0, 0, 1], [1, 1, 0]]


def test_a_level_is_read_once_where_a_frame_is_admitted(name: EngineName) -> None:
    plan = leveled(0, [1], [1])
    engine = simulated(name, plan, frames(plan, [0, 1], [LATE, EARLY]))
    lines = story(engine.take_log())
    assert [line for line in lines if "LEVEL" in line] == ["1 LEVEL 1 @1"]
    assert lines.index("1 LEVEL 1 @1") == lines.index("1 ADMIT 1") + 1
    # Frame 0 came into an empty system and stays at level 0 although frame 1 is there when it decides.
    assert engine.take_records()[:, [0, 3, 9]].tolist() == [[0, 1, 0], [1, 0, 1]]


def test_a_frame_may_decline_at_one_level_and_answer_at_the_next(name: EngineName) -> None:
    """Three exits one after the other on one server; two more frames arrive between the first and the second."""
    steps = [Step(0, 4, exit=0), Step(0, 4, [0], exit=1), Step(0, 4, [1], exit=2)]
    plan = build(steps, level_up=[[2]], level_down=[[2]], level_at_exit=1)
    engine = simulated(name, plan, frames(plan, [0, 5, 6], [0b100, 0b111]))
    assert engine.take_records()[0, [0, 2, 3, 9]].tolist() == [0, 8, 1, 1]


def test_hysteresis_keeps_a_level(name: EngineName) -> None:
    arrivals = [0, 0, 0, 0]
    for down, levels in ((2, [1, 1, 0, 0]), (1, [1, 1, 1, 0])):
        steps = [Step(0, 4, exit=0), Step(0, 4, [0], exit=1)]
        plan = build(steps, level_up=[[2]], level_down=[[down]], level_at_exit=1)
        engine = simulated(name, plan, frames(plan, arrivals, [LATE, EARLY]))
        # At the first exits 4, 3, 2, 1 frames are in the system.
        assert engine.take_records()[:, 9].tolist() == levels, down


def test_levels_can_be_jumped_over(name: EngineName) -> None:
    plan = single_server(5, level_up=[[1, 2]], level_down=[[1, 2]], level_at_exit=1)
    engine = simulated(name, plan, frames(plan, [0] * 3, [1, 1, 1]))
    assert [line for line in story(engine.take_log()) if "LEVEL" in line] == [
        "5 LEVEL 0 @2", "10 LEVEL 1 @1", "15 LEVEL 2 @0",
    ]  # fmt: skip


def test_frames_that_wait_to_be_admitted_count(name: EngineName) -> None:
    plan = single_server(5, level_up=[[2]], level_down=[[2]], level_at_exit=1, frames_in_flight=1)
    engine = simulated(name, plan, frames(plan, [0] * 3, [1, 1]))
    assert engine.take_records()[:, 9].tolist() == [1, 0, 0]


def test_a_hard_frame_is_given_up_where_its_level_says_so(name: EngineName) -> None:
    """Frame 0 declines exit 0 with another frame in the system: dropped. Frame 1 declines it alone: it goes on."""
    plan = leveled(1, [1], [1])._replace(level_last=ints([[1, 0]]))
    engine = simulated(name, plan, frames(plan, [0, 1], [LATE, LATE]))
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        1 ARRIVE 1, ADMIT 1, READY 1.0 @0
        4 FINISH 0.0 @0, READY 0.1 @1, READY 0.2 @0, START 0.2 @0, START 0.1 @1
        6 FINISH 0.1 @1, EXIT 0.1 @0, LEVEL 0 @1, DROP 0
        14 FINISH 0.2 @0, LEAVE 0, START 1.0 @0
        18 FINISH 1.0 @0, READY 1.1 @1, READY 1.2 @0, START 1.2 @0, START 1.1 @1
        20 FINISH 1.1 @1, EXIT 1.1 @0, LEVEL 1 @0
        28 FINISH 1.2 @0, EXIT 1.2 @1, ANSWER 1.2 @1, LEAVE 1
    """)
    assert engine.take_records()[:, [0, 2, 3, 4, 9]].tolist() == [[0, 6, -1, 2, 1], [1, 28, 1, 0, 0]]
    assert engine.counters().wasted_ns.tolist() == [4, 2, 10]


def test_a_frame_that_is_given_up_leaves_at_once_if_nothing_of_it_runs(name: EngineName) -> None:
    steps = [Step(0, 4, exit=0), Step(0, 4, [0], exit=1)]
    plan = build(steps, level_up=[[1]], level_down=[[1]], level_at_exit=0, level_last=[[1, 0]])
    engine = simulated(name, plan, frames(plan, [0, 1], [LATE, LATE]))
    lines = [line for line in story(engine.take_log()) if "DROP" in line or "LEAVE" in line or "ANSWER" in line]
    assert lines == ["8 ANSWER 0.1 @1", "8 LEAVE 0", "12 DROP 1", "12 LEAVE 1"]


# -- several streams ---------------------------------------------------------------------------------------------


def two_streams(priorities: tuple[int, int], works: tuple[int, int] = (5, 3), **rules: Any) -> Plan:
    """Two streams of one node each, on one server."""
    return merge_plans([single_server(work, **rules) for work in works], priorities)


def of_streams(arrivals: list[int], streams: list[int]) -> Draws:
    plan = two_streams((0, 0))
    return draws(plan, arrivals, streams)._replace(stream=ints(streams))


@pytest.mark.parametrize("dispatch", list(Dispatch))
def test_a_stream_of_lower_priority_number_goes_first_but_interrupts_nothing(
    name: EngineName, dispatch: Dispatch
) -> None:
    engine = simulated(name, two_streams((1, 0), dispatch=dispatch), of_streams([0, 0, 1, 1], [0, 0, 1, 1]))
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0 @0, ADMIT 0, READY 0.0 @0, ARRIVE 1 @0, ADMIT 1, READY 1.0 @0, START 0.0 @0
        1 ARRIVE 2 @1, ADMIT 2, READY 2.1 @0, ARRIVE 3 @1, ADMIT 3, READY 3.1 @0
        5 FINISH 0.0 @0, EXIT 0.0 @0, ANSWER 0.0 @0, LEAVE 0, START 2.1 @0
        8 FINISH 2.1 @0, EXIT 2.1 @1, ANSWER 2.1 @1, LEAVE 2, START 3.1 @0
        11 FINISH 3.1 @0, EXIT 3.1 @1, ANSWER 3.1 @1, LEAVE 3, START 1.0 @0
        16 FINISH 1.0 @0, EXIT 1.0 @0, ANSWER 1.0 @0, LEAVE 1
    """)
    assert engine.take_records()[:, 8].tolist() == [0, 1, 1, 0]
    assert engine.counters().busy_ns.tolist() == [[10], [6]]


def test_streams_of_equal_priority_go_by_the_frame(name: EngineName) -> None:
    engine = simulated(name, two_streams((4, 4)), of_streams([0, 1, 2, 3], [1, 0, 1, 0]))
    assert engine.take_records()[:, [0, 2]].tolist() == [[0, 3], [1, 8], [2, 11], [3, 16]]


def test_each_stream_has_its_own_queue_limit_and_gate(name: EngineName) -> None:
    rules = {"frames_in_flight": 1, "queue_capacity": 1, "queue_full": WhenFull.DROP_NEWEST}
    engine = simulated(name, two_streams((0, 0), **rules), of_streams([0] * 6, [0, 0, 0, 1, 1, 1]))
    lines = [line for line in story(engine.take_log()) if "ADMIT" in line or "DROP" in line]
    assert lines == ["0 ADMIT 0", "0 DROP 2", "0 ADMIT 3", "0 DROP 5", "5 ADMIT 1", "13 ADMIT 4"]


def test_admission_goes_by_priority(name: EngineName) -> None:
    """Both streams wait for room on the one server; what has priority is let in first."""
    rules = {"stage_capacity": 0, "stage_full": WhenFull.BLOCK, "queue_full": WhenFull.DROP_NEWEST}
    engine = simulated(name, two_streams((1, 0), **rules), of_streams([0, 1, 1], [0, 0, 1]))
    assert [line for line in story(engine.take_log()) if "ADMIT" in line] == ["0 ADMIT 0", "5 ADMIT 2", "8 ADMIT 1"]


def test_waste_is_counted_within_a_stream(name: EngineName) -> None:
    """The second stream's exits are numbered after the first one's: its early answers waste its own late work."""
    pair = early_exit_pair(4, 2, 10)
    plan = merge_plans([pair, pair], (0, 0))
    whole = draws(plan, [0, 100], [1, 2])._replace(stream=ints([0, 1]))
    engine = simulated(name, plan, whole)
    assert engine.take_records()[:, [2, 3, 8]].tolist() == [[14, 1, 0], [106, 2, 1]]
    assert engine.counters().wasted_ns.tolist() == [0, 0, 0, 0, 0, 10]
