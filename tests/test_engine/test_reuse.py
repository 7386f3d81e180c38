"""Answers that are used again, told event by event, in both engines."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.engine.protocol import Engine
from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.plan.plan import Cancellation, Plan
from tests.plans import Step, build, draws, ints, run, story, told


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> EngineName:
    return request.param  # type: ignore[no-any-return]


def simulated(name: EngineName, plan: Plan, arrivals: list[int], scenes: list[int], exits: Any = 1) -> Engine:
    """Frames that show these scenes (`Draws.scene`)."""
    engine = make_engine(name, plan, log=True)
    run(engine, draws(plan, arrivals, exits)._replace(scene=ints(scenes)))
    return engine


def at_the_input(**rules: Any) -> Plan:
    """A detector of 1 on PE 1, then two segments of 4 on PE 0, each with an exit."""
    steps = [Step(1, 1, detects=True), Step(0, 4, [0], exit=0), Step(0, 4, [1], exit=1)]
    return build(steps, **{"reuse_patience": 1, **rules})


def at_an_exit(**rules: Any) -> Plan:
    """Segment 0, then exit 0's branch, where frames are compared, beside the rest."""
    steps = [Step(0, 2), Step(1, 3, [0], exit=0, detects=True), Step(0, 10, [0], exit=1)]
    return build(steps, **{"reuse_patience": 1, **rules})


def fates(engine: Engine) -> list[list[int]]:
    """Frame, exit, status and whose answer."""
    return list(engine.take_records()[:, [0, 3, 4, 11]].tolist())


SAME, NEW = 4, 8
"""Scenes 1 and 2, by a detector that does not err."""


def test_a_frame_of_a_known_scene_runs_nothing_but_the_detector(name: EngineName) -> None:
    engine = simulated(name, at_the_input(), [0, 10], [SAME, SAME])
    assert story(engine.take_log()) == told(
        """
        0 ARRIVE 0, ADMIT 0, READY 0.0 @1, START 0.0 @1
        1 FINISH 0.0 @1, READY 0.1 @0, START 0.1 @0
        5 FINISH 0.1 @0, EXIT 0.1 @0, READY 0.2 @0, START 0.2 @0
        9 FINISH 0.2 @0, EXIT 0.2 @1, ANSWER 0.2 @1, LEAVE 0
        10 ARRIVE 1, ADMIT 1, READY 1.0 @1, START 1.0 @1
        11 FINISH 1.0 @1, REUSE 1.0, ANSWER 1.0 @1, LEAVE 1
    """.replace("REUSE 1.0,", "REUSE 1.0 @0,")
    )
    assert fates(engine) == [[0, 1, 0, 0], [1, 1, 0, 1]]
    assert engine.counters().wasted_ns.tolist() == [0, 0, 0]


def test_another_scene_runs_and_is_the_reference_from_then_on(name: EngineName) -> None:
    engine = simulated(name, at_the_input(), [0, 10, 20, 30], [SAME, NEW, NEW, SAME], exits=[1, 0, 1, 1])
    assert fates(engine) == [[0, 1, 0, 0], [1, 0, 0, 0], [2, 0, 0, 1], [3, 1, 0, 0]]


def test_nothing_is_known_before_the_first_answer(name: EngineName) -> None:
    engine = simulated(name, at_the_input(), [0, 3, 20], [SAME] * 3)
    assert fates(engine) == [[0, 1, 0, 0], [1, 1, 0, 0], [2, 1, 0, 1]]


def test_an_older_frame_does_not_replace_a_later_reference(name: EngineName) -> None:
    """Frame 1 answers at exit 0 while frame 0 still waits for exit 1 on another PE."""
    steps = [Step(0, 1, detects=True), Step(0, 1, [0], exit=0), Step(1, 20, [1], exit=1)]
    engine = simulated(name, build(steps, reuse_patience=1), [0, 3, 30, 40], [SAME, NEW, NEW, SAME], exits=[1, 0, 1, 0])
    assert fates(engine) == [[1, 0, 0, 0], [0, 1, 0, 0], [2, 0, 0, 1], [3, 0, 0, 0]]


def test_work_that_went_ahead_is_wasted_when_an_exit_knows_the_scene(name: EngineName) -> None:
    engine = simulated(name, at_an_exit(), [0, 20], [SAME, SAME])
    assert [line for line in story(engine.take_log()) if int(line.split()[0]) >= 20] == told("""
        20 ARRIVE 1, ADMIT 1, READY 1.0 @0, START 1.0 @0
        22 FINISH 1.0 @0, READY 1.1 @1, READY 1.2 @0, START 1.2 @0, START 1.1 @1
        25 FINISH 1.1 @1, EXIT 1.1 @0, REUSE 1.1 @0, ANSWER 1.1 @1
        32 FINISH 1.2 @0, LEAVE 1
    """)
    assert fates(engine) == [[0, 1, 0, 0], [1, 1, 0, 1]]
    # The branch of frame 0 was looked at; the rest of frame 1 was in vain.
    assert engine.counters().wasted_ns.tolist() == [0, 0, 10]


def test_what_runs_is_stopped_where_the_rules_say_so_and_nothing_goes_on_where_they_do_not(name: EngineName) -> None:
    for rule, left in ((Cancellation.RUNNING_AT_ONCE, "25 LEAVE 1"), (Cancellation.NONE, "32 LEAVE 1")):
        engine = simulated(name, at_an_exit(cancellation=rule), [0, 20], [SAME, SAME])
        assert story(engine.take_log())[-1] == left


def test_a_detector_errs_as_it_was_drawn(name: EngineName) -> None:
    engine = simulated(name, at_the_input(), [0, 10, 20, 30], [SAME, SAME + 1, NEW + 2, NEW + 3])
    # A false alarm makes frame 1 the reference; the changes to scene 2 are both missed.
    assert fates(engine) == [[0, 1, 0, 0], [1, 1, 0, 0], [2, 1, 0, 2], [3, 1, 0, 2]]


def test_patience_counts_answers_of_one_scene_in_a_row(name: EngineName) -> None:
    scenes = [SAME, NEW, NEW, NEW, NEW, SAME]
    engine = simulated(name, at_the_input(reuse_patience=3), list(range(0, 60, 10)), scenes)
    assert [row[3] for row in fates(engine)] == [0, 0, 0, 0, 1, 0]


def test_after_so_many_a_frame_runs_again(name: EngineName) -> None:
    engine = simulated(name, at_the_input(reuse_most=2), list(range(0, 80, 10)), [SAME] * 8)
    assert [row[3] for row in fates(engine)] == [0, 1, 1, 0, 1, 1, 0, 1]


def test_a_frame_that_was_dropped_teaches_nothing(name: EngineName) -> None:
    plan = at_the_input(level_up=[[0]], level_down=[[0]], level_at_exit=1, level_last=[[1, 0]])
    whole = draws(plan, [0, 20])._replace(scene=ints([SAME, SAME]), confident=ints([[2, 2]] * 2))
    engine = make_engine(name, plan)
    run(engine, whole)
    assert fates(engine) == [[0, -1, 2, 0], [1, -1, 2, 0]]
