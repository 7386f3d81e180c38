"""Tasks that are served together, told event by event and in closed form, in both engines."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.engine.protocol import Engine
from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.plan.check import check_batches
from eesim.plan.plan import FULL_SPEED, PURE_DELAY, Cancellation, Dispatch, Plan, WhenFull
from tests.plans import Step, build, draws, run, story, told

TOGETHER = (12, 14, 16)
"""Of 2, 3 and 4 tasks; one alone takes 10."""


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> EngineName:
    return request.param  # type: ignore[no-any-return]


def simulated(name: EngineName, plan: Plan, arrivals: list[int], exits: Any = 0, noise: Any = None) -> Engine:
    engine = make_engine(name, plan, log=True)
    run(engine, draws(plan, arrivals, exits, noise))
    return engine


def one_node(wait: int = 0, **rules: Any) -> Plan:
    return build([Step(0, 10, exit=0, together=TOGETHER)], batch_wait_ns=wait, **rules)


def starts(engine: Engine) -> list[str]:
    """Instant, frame and node of each start."""
    return [line.replace(" START", "").split(" @")[0] for line in story(engine.take_log()) if " START " in line]


def test_four_frames_that_meet_are_one_batch(name: EngineName) -> None:
    engine = simulated(name, one_node(), [0] * 4)
    assert story(engine.take_log()) == told(
        """
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, ARRIVE 1, ADMIT 1, READY 1.0 @0
        0 ARRIVE 2, ADMIT 2, READY 2.0 @0, ARRIVE 3, ADMIT 3, READY 3.0 @0
        0 START 0.0 @0, START 1.0 @0, START 2.0 @0, START 3.0 @0
        16 FINISH 0.0 @0, EXIT 0.0 @0, ANSWER 0.0 @0, LEAVE 0
        16 FINISH 1.0 @0, EXIT 1.0 @0, ANSWER 1.0 @0, LEAVE 1
        16 FINISH 2.0 @0, EXIT 2.0 @0, ANSWER 2.0 @0, LEAVE 2
        16 FINISH 3.0 @0, EXIT 3.0 @0, ANSWER 3.0 @0, LEAVE 3
    """
    )
    # Queueing and service of each: all of them are served for the whole time, the PE is busy once.
    assert engine.take_records()[:, 5:7].tolist() == [[0, 16]] * 4
    totals = engine.counters()
    assert totals.busy_ns.tolist() == [[16]]
    assert (totals.batches.tolist(), totals.batched.tolist()) == ([1], [4])


def test_what_comes_during_a_batch_makes_the_next(name: EngineName) -> None:
    engine = simulated(name, one_node(), [0, 1, 2, 3, 4, 5, 6])
    assert starts(engine) == ["0 0.0", "10 1.0", "10 2.0", "10 3.0", "10 4.0", "26 5.0", "26 6.0"]
    assert engine.take_records()[:, 2].tolist() == [10, 26, 26, 26, 26, 38, 38]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_saturated_server_ends_a_batch_of_b_every_t_of_b(name: EngineName, size: int) -> None:
    times = (10, *TOGETHER)[:size]
    plan = build([Step(0, 10, exit=0, together=times[1:])])
    engine = simulated(name, plan, [0] * 120)
    assert engine.counters().now_ns == 120 // size * times[-1]
    assert engine.counters().busy_ns.tolist() == [[120 // size * times[-1]]]


def test_the_head_waits_for_a_full_batch_or_the_end_of_its_window(name: EngineName) -> None:
    engine = simulated(name, one_node(wait=5), [0, 1, 2, 3, 100, 104, 200])
    # The first four are full at 3; of the next two one has waited for 5; the last one waits for nobody.
    expected = ["3 0.0", "3 1.0", "3 2.0", "3 3.0", "105 4.0", "105 5.0", "205 6.0"]
    assert starts(engine) == expected
    assert engine.take_records()[:, 5:7].tolist() == [[3, 16], [2, 16], [1, 16], [0, 16], [5, 12], [1, 12], [5, 10]]
    # An idle server that waits is not busy.
    assert engine.counters().busy_ns.tolist() == [[16 + 12 + 10]]


def test_who_waited_behind_a_busy_server_has_waited(name: EngineName) -> None:
    """Frame 1 comes at 6, its window ends at 11, the server is free at 15."""
    assert starts(simulated(name, one_node(wait=5), [0, 6])) == ["5 0.0", "15 1.0"]


def test_the_last_one_comes_at_the_end_of_the_window(name: EngineName) -> None:
    assert starts(simulated(name, one_node(wait=5), [0, 5])) == ["5 0.0", "5 1.0"]


def test_two_nodes_do_not_mix(name: EngineName) -> None:
    """First come, first served: the second segments of frames 0 and 1 wait behind the first ones of 2 and 3."""
    steps = [Step(0, 10, together=(12,)), Step(0, 20, [0], exit=0, together=(24,))]
    engine = simulated(name, build(steps, dispatch=Dispatch.FIFO), [0, 0, 1, 2])
    expected = ["0 0.0", "0 1.0", "12 2.0", "12 3.0", "24 0.1", "24 1.1", "48 2.1", "48 3.1"]
    assert starts(engine) == expected
    assert engine.counters().now_ns == 72


def test_the_batch_is_what_follows_of_the_same_node_even_behind_others(name: EngineName) -> None:
    """The head is frame 0's second segment; frame 2's stands behind frame 1's first."""
    steps = [Step(0, 1, together=(1, 1, 1)), Step(1, 4, [0]), Step(0, 9, [1], exit=0, together=(11,))]
    engine = simulated(name, build(steps, servers=[1, 1]), [0, 1, 4])
    # PE 1 serves them at 1, 5 and 9; at 5 and 9 PE 0 is busy with the second segment of frame 0, at 14 with nothing.
    assert starts(engine) == ["0 0.0", "1 1.0", "1 0.1", "4 2.0", "5 0.2", "5 1.1", "9 2.1", "14 1.2", "14 2.2"]


def window(together: tuple[int, ...]) -> Plan:
    """A first segment that waits on PE 0 for 10; one on PE 1; and a last one on PE 0, at most so many together."""
    steps = [Step(0, 2, together=(3, 4)), Step(1, 5, [0]), Step(0, 4, [1], exit=0, together=together)]
    return build(steps, batch_wait_ns=[10, 0])


def test_an_older_task_of_another_node_is_a_new_head_and_goes_at_once_if_it_is_full(name: EngineName) -> None:
    engine = simulated(name, window(()), [0, 13])
    assert starts(engine) == ["10 0.0", "12 0.1", "17 0.2", "23 1.0", "25 1.1", "30 1.2"]


def test_a_new_head_has_a_window_of_its_own(name: EngineName) -> None:
    """Frame 0's last segment waits until 27; frame 1's first one, whose window ends at 23, is not the head."""
    engine = simulated(name, window((6,)), [0, 13])
    assert starts(engine) == ["10 0.0", "12 0.1", "27 0.2", "31 1.0", "33 1.1", "48 1.2"]


def test_a_head_that_is_cancelled_takes_its_window_along(name: EngineName) -> None:
    """The rest waits from 1 to 21, the branch answers at 4: nothing happens at 21."""
    steps = [Step(0, 1), Step(1, 3, [0], exit=0), Step(2, 10, [0], exit=1, together=(11,))]
    engine = simulated(name, build(steps, batch_wait_ns=[0, 0, 20]), [0])
    assert engine.counters().now_ns == 4
    assert engine.counters().busy_ns.tolist() == [[1], [3], [0]]


def test_a_frame_that_is_answered_stays_in_its_batch_and_has_wasted_its_share(name: EngineName) -> None:
    steps = [Step(0, 1), Step(1, 3, [0], exit=0), Step(0, 10, [0], exit=1, together=(11,))]
    engine = simulated(name, build(steps, dispatch=Dispatch.FIFO), [0, 0], exits=[0, 1])
    # Frame 0 answers at 4, during the batch of 2 to 13, which takes no less; of 11 the first of two has 5.
    assert engine.take_records()[:, [0, 2]].tolist() == [[0, 4], [1, 13]]
    totals = engine.counters()
    assert totals.busy_ns.tolist() == [[2], [6], [11]]
    assert totals.wasted_ns.tolist() == [0, 0, 5]
    log = story(engine.take_log())
    assert "13 LEAVE 0" in log
    assert not any("CANCEL" in line for line in log)


def test_exits_thin_the_batch(name: EngineName) -> None:
    """Of four frames two answer at the first exit: two meet at the second segment."""
    steps = [Step(0, 10, exit=0, together=TOGETHER), Step(0, 10, [0], exit=1, together=TOGETHER)]
    engine = simulated(name, build(steps), [0] * 4, exits=[0, 1, 0, 1])
    assert starts(engine)[4:] == ["16 1.1", "16 3.1"]
    assert engine.counters().busy_ns.tolist() == [[16], [12]]
    assert engine.counters().wasted_ns.tolist() == [0, 0]
    assert (engine.counters().batches.tolist(), engine.counters().batched.tolist()) == ([2], [6])


def test_a_batch_takes_as_long_as_its_slowest_member_would_make_it(name: EngineName) -> None:
    noise = [[FULL_SPEED], [3 * FULL_SPEED], [FULL_SPEED // 2]]
    engine = simulated(name, one_node(), [0] * 3, noise=noise)
    assert engine.counters().now_ns == 3 * 14


def test_a_batch_is_slowed_like_a_task(name: EngineName) -> None:
    """PE 1 is at half speed while PE 0 works. It begins with two at 16; PE 0 serves frame 2 from 18 to 26."""
    steps = [Step(0, 8), Step(1, 10, [0], exit=0, together=(12,))]
    slow = [[FULL_SPEED] * 2, [FULL_SPEED, FULL_SPEED // 2]]
    plan = build(steps, resource_bit=[1, 0], speed_ppm=slow, batch_wait_ns=[0, 100])
    records = simulated(name, plan, [0, 0, 18]).take_records()
    # 2 at full speed, 4 in 8 at half speed, the other 6 until 32: 4 of contention for each.
    assert records[:2, [2, 5, 6]].tolist() == [[32, 8, 20], [32, 8, 20]]
    assert records[2, 2] == 26 + 100 + 10


def test_memory_counts_every_member(name: EngineName) -> None:
    """Two tasks of 3 bytes are served, so one of 8 bytes' memory has room for none."""
    plan = build([Step(0, 10, exit=0, together=(12,), size=3)], stage_full=WhenFull.DROP_NEWEST, stage_bytes=8)
    engine = simulated(name, plan, [0, 0, 5, 12, 13])
    assert engine.take_records()[:, [0, 2, 4]].tolist() == [[2, 5, 3], [0, 12, 0], [1, 12, 0], [3, 22, 0], [4, 32, 0]]


def plan_with(**rules: Any) -> Plan:
    step = {"resource": 0, "work": 10, "exit": 0, "together": (12,)}
    own = {key: rules.pop(key) for key in list(rules) if key in Step.__dataclass_fields__}
    return build([Step(**{**step, **own})], **{"servers": [1], **rules})


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"servers": [2]}, "resource 0 has batches and 2 servers"),
        ({"resource_group": [0]}, "in an exclusive group"),
        ({"stage_capacity": 3}, "stage queues that block"),
        ({"cancellation": Cancellation.RUNNING_AT_ONCE}, "stream 0 has batches and stops what runs"),
        ({"resource": PURE_DELAY}, "a pure delay has batches"),
        ({"section_places": [1], "enter": 0, "leave": 0, "cancellation": Cancellation.NONE}, "sections"),
        ({"node_batch": [3]}, "no work is known"),
        ({"node_batch": [0]}, "node 0 has batches of 0"),
        ({"batch_wait_ns": -1}, "negative"),
    ],
)
def test_what_cannot_be_kept_is_refused(name: EngineName, rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_batches(plan_with(**rules))
    with pytest.raises(ValueError, match=message):
        make_engine(name, plan_with(**rules))


def test_what_can_be_kept_is_not_refused() -> None:
    for rules in ({}, {"stage_capacity": 3, "stage_full": WhenFull.DROP_OLDEST}, {"cancellation": Cancellation.NONE}):
        check_batches(plan_with(**rules))
