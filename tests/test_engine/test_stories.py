"""Tiny stories with their exact logs, and closed forms, told by both engines.

Every expected number was worked out by hand from ``docs/semantics.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from eesim.engine.protocol import Engine
from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.errors import SimulationDeadlock
from eesim.plan.plan import FULL_SPEED, UNBOUNDED, Cancellation, Dispatch, IntArray, Plan, WhenFull
from tests.plans import (
    Step,
    blocks,
    build,
    delayed_pair,
    draws,
    early_exit_pair,
    resnet_like,
    run,
    single_server,
    story,
    tandem,
    told,
)

CHOICE: EngineName = "reference"


@pytest.fixture(autouse=True, params=ENGINES)
def _choose_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "CHOICE", request.param)


def engine_for(plan: Plan, *, log: bool = False) -> Engine:
    return make_engine(CHOICE, plan, log=log)


def simulate(plan: Plan, arrivals: npt.ArrayLike, exits: npt.ArrayLike = 0, noise: Any = None) -> Engine:
    engine = engine_for(plan, log=True)
    run(engine, draws(plan, arrivals, exits, noise))
    return engine


def log_of(plan: Plan, arrivals: npt.ArrayLike, exits: npt.ArrayLike = 0) -> list[str]:
    return story(simulate(plan, arrivals, exits).take_log())


def only(lines: Sequence[str], *kinds: str) -> list[str]:
    return [line for line in lines if line.split()[1] in kinds]


def finishes(records: IntArray) -> list[int]:
    return list(records[:, 2])


# -- one queue and lines of queues ------------------------------------------------------------------------


def test_one_server_serves_one_frame_after_the_other() -> None:
    engine = simulate(single_server(10), [0, 4, 30])
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        4 ARRIVE 1, ADMIT 1, READY 1.0 @0
        10 FINISH 0.0 @0, EXIT 0.0 @0, ANSWER 0.0 @0, LEAVE 0, START 1.0 @0
        20 FINISH 1.0 @0, EXIT 1.0 @0, ANSWER 1.0 @0, LEAVE 1
        30 ARRIVE 2, ADMIT 2, READY 2.0 @0, START 2.0 @0
        40 FINISH 2.0 @0, EXIT 2.0 @0, ANSWER 2.0 @0, LEAVE 2
    """)
    assert engine.take_records()[:, :8].tolist() == [
        [0, 0, 10, 0, 0, 0, 10, 0],
        [1, 4, 20, 0, 0, 6, 10, 0],
        [2, 30, 40, 0, 0, 0, 10, 0],
    ]
    counters = engine.counters()
    assert counters.now_ns == 40
    assert counters.busy_ns.tolist() == [[30]]
    assert counters.wasted_ns.tolist() == [0]


def test_an_overloaded_server_adds_the_same_wait_to_every_frame() -> None:
    records = simulate(single_server(8), range(0, 500, 5)).take_records()
    assert records[:, 5].tolist() == [3 * k for k in range(100)]


def test_two_servers_share_a_queue() -> None:
    lines = log_of(single_server(10, servers=2), [0, 1, 2])
    assert only(lines, "START") == ["0 START 0.0 @0", "1 START 1.0 @1", "10 START 2.0 @0"]


@pytest.mark.parametrize("works", [[3, 7, 5], [5, 1], [1, 2, 3, 4, 9]])
def test_a_line_of_servers_follows_its_recursion(works: list[int]) -> None:
    arrivals = np.cumsum(np.random.default_rng(1).integers(0, 12, size=200)).tolist()
    free = [0] * len(works)
    expected = []
    for arrival in arrivals:
        at = arrival
        for stage, work in enumerate(works):
            at = free[stage] = max(at, free[stage]) + work
        expected.append(at)
    assert finishes(simulate(tandem(works), arrivals).take_records()) == expected


def test_the_order_inside_an_instant_is_finishes_delays_arrival_settle() -> None:
    lines = log_of(early_exit_pair(2, 3, 3), [0, 5], exits=1)
    assert [line for line in lines if line.startswith("5 ")] == told("""
        5 FINISH 0.2 @0, EXIT 0.2 @1, FINISH 0.1 @1, EXIT 0.1 @0, ANSWER 0.1 @1, LEAVE 0
        5 ARRIVE 1, ADMIT 1, READY 1.0 @0, START 1.0 @0
    """)
    steps = [Step(0, 2), Step(-1, 3, [0]), Step(0, 3, [0]), Step(0, 1, [1, 2], exit=0)]
    assert [line for line in log_of(build(steps), [0, 5]) if line.startswith("5 ")] == told("""
        5 FINISH 0.2 @0, FINISH 0.1, READY 0.3 @0
        5 ARRIVE 1, ADMIT 1, READY 1.0 @0, START 0.3 @0
    """)


def test_zero_length_tasks_happen_in_one_instant() -> None:
    assert log_of(tandem([0, 0, 5]), [0]) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        0 FINISH 0.0 @0, READY 0.1 @1, START 0.1 @1
        0 FINISH 0.1 @1, READY 0.2 @2, START 0.2 @2
        5 FINISH 0.2 @2, EXIT 0.2 @0, ANSWER 0.2 @0, LEAVE 0
    """)
    # A frame that arrives at the same instant comes before the settle that starts the first one.
    assert only(log_of(single_server(0), [7, 7]), "ARRIVE", "START", "LEAVE") == told("""
        7 ARRIVE 0, ARRIVE 1, START 0.0 @0, LEAVE 0, START 1.0 @0, LEAVE 1
    """)


def test_a_pure_delay_only_takes_time() -> None:
    engine = simulate(delayed_pair(2, 3, 4), [0, 0])
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, ARRIVE 1, ADMIT 1, READY 1.0 @0, START 0.0 @0
        2 FINISH 0.0 @0, START 0.1, START 1.0 @0
        4 FINISH 1.0 @0, START 1.1
        5 FINISH 0.1, READY 0.2 @1, START 0.2 @1
        7 FINISH 1.1, READY 1.2 @1
        9 FINISH 0.2 @1, EXIT 0.2 @0, ANSWER 0.2 @0, LEAVE 0, START 1.2 @1
        13 FINISH 1.2 @1, EXIT 1.2 @0, ANSWER 1.2 @0, LEAVE 1
    """)
    assert engine.take_records()[:, :8].tolist() == [[0, 0, 9, 0, 0, 0, 6, 3], [1, 0, 13, 0, 0, 4, 6, 3]]
    assert engine.counters().busy_ns.tolist() == [[4], [6], [8]]


def test_dispatch_prefers_the_oldest_frame_or_the_first_that_is_ready() -> None:
    steps = [Step(0, 4), Step(0, 4, [0], exit=0)]
    oldest = log_of(build(steps), [0, 1])
    assert only(oldest, "START") == told("0 START 0.0 @0\n4 START 0.1 @0\n8 START 1.0 @0\n12 START 1.1 @0")
    fifo = log_of(build(steps, dispatch=Dispatch.FIFO), [0, 1])
    assert only(fifo, "START") == told("0 START 0.0 @0\n4 START 1.0 @0\n8 START 0.1 @0\n12 START 1.1 @0")


def test_the_latency_follows_the_predecessor_that_was_done_last() -> None:
    steps = [Step(0, 1), Step(1, 5, [0], transfer=True), Step(2, 3, [0]), Step(2, 2, [1, 2], exit=0)]
    # 0 until 1, then the transfer until 6, then node 3: node 2's 3 ns are hidden behind the transfer.
    assert simulate(build(steps), [0]).take_records()[:, :8].tolist() == [[0, 0, 8, 0, 0, 0, 3, 5]]


# -- speed, state, noise ----------------------------------------------------------------------------------


def test_contention_changes_the_speed_of_a_running_task() -> None:
    plan = early_exit_pair(
        10,
        10,
        20,
        resource_bit=[1, 2],
        speed_ppm=[[FULL_SPEED] * 2] * 3 + [[500_000, 800_000]],
    )
    engine = simulate(plan, [0], exits=1)
    # Side by side from 10: 10 ns of work at 0.8 take 12.5 ns, so PE 1 is done at 23. By then PE 0 has
    # done 6.5 of its 20 ns; the other 13.5 ns, alone, end at 23 + 14.
    assert only(story(engine.take_log()), "FINISH") == [
        "10 FINISH 0.0 @0",
        "23 FINISH 0.1 @1",
        "37 FINISH 0.2 @0",
    ]
    assert engine.take_records()[:, :8].tolist() == [[0, 0, 37, 1, 0, 0, 30, 0]]  # and 7 ns of contention
    assert engine.counters().busy_ns.tolist() == [[10], [13], [27]]


def test_work_depends_on_the_state_in_which_the_resource_is_found() -> None:
    steps = [Step(0, [10, 4], state=1), Step(0, [6, 3], [0], state=0, exit=0)]
    engine = simulate(build(steps), [0, 0])
    # Found in state 0 (10 ns) and left in 1, then found in 1 (3 ns) and left in 0: the same for both frames.
    assert finishes(engine.take_records()) == [13, 26]
    assert engine.counters().busy_ns.tolist() == [[20, 0], [0, 6]]
    engine = simulate(single_server([10, 4], node_state=[1]), [0, 0, 0])
    assert finishes(engine.take_records()) == [10, 14, 18]
    assert engine.counters().busy_ns.tolist() == [[10, 8]]
    engine = simulate(single_server([10, 4], resource_state=[1]), [0])
    assert finishes(engine.take_records()) == [4]


def test_noise_multiplies_the_work_and_tasks_end_on_a_whole_ns() -> None:
    noise = [[1_500_000, 1_000_000], [333_333, 0]]
    engine = simulate(tandem([10, 6]), [0, 100], noise=noise)
    # 15 + 6; 3.33333 rounded up to 4, + 0.
    assert engine.take_records()[:, :8].tolist() == [[0, 0, 21, 0, 0, 0, 21, 0], [1, 100, 104, 0, 0, 0, 4, 0]]


# -- exits and cancellation -------------------------------------------------------------------------------

UP_TO_THE_ANSWER = """
    0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
    4 FINISH 0.0 @0, READY 0.1 @1, READY 0.2 @0, START 0.2 @0, START 0.1 @1
    7 FINISH 0.1 @1, EXIT 0.1 @0, ANSWER 0.1 @0
"""


@pytest.mark.parametrize(
    ("cancellation", "rest", "wasted"),
    [
        (Cancellation.NONE, "14 FINISH 0.2 @0, EXIT 0.2 @1, LEAVE 0", 10),
        (Cancellation.QUEUED, "14 FINISH 0.2 @0, LEAVE 0", 10),
        # Kernels of 2 ns: 3 of 10 ns are done, the second kernel ends at 8.
        (Cancellation.RUNNING_AT_KERNEL, "8 ABORT 0.2 @0, LEAVE 0", 4),
        (Cancellation.RUNNING_AT_ONCE, "7 ABORT 0.2 @0, LEAVE 0", 3),
    ],
)
def test_cancellation_of_a_running_task(cancellation: Cancellation, rest: str, wasted: int) -> None:
    engine = simulate(early_exit_pair(4, 3, 10, kernels=5, cancellation=cancellation), [0])
    assert story(engine.take_log()) == told(UP_TO_THE_ANSWER + rest)
    assert engine.take_records()[:, :8].tolist() == [[0, 0, 7, 0, 0, 0, 7, 0]]
    assert engine.counters().wasted_ns.tolist() == [0, 0, wasted]
    assert engine.counters().busy_ns.tolist() == [[4], [3], [wasted]]


@pytest.mark.parametrize(
    ("branch", "kernels", "end"),
    [
        (4, 5, "8 ABORT 0.2 @0"),  # on the edge of a kernel: at once
        (9, 5, "14 FINISH 0.2 @0"),  # in the last kernel: it ends as it would have
        (3, 3, "8 ABORT 0.2 @0"),  # 3.33.. ns each: the first one ends in the 4th ns
        (3, 10_000_001, "7 ABORT 0.2 @0"),  # less work than kernels: at once
    ],
)
def test_where_a_kernel_ends(branch: int, kernels: int, end: str) -> None:
    plan = early_exit_pair(4, branch, 10, kernels=kernels, cancellation=Cancellation.RUNNING_AT_KERNEL)
    assert only(log_of(plan, [0]), "FINISH", "ABORT")[-1] == end


def test_what_waits_is_cancelled_after_the_answer() -> None:
    plan = early_exit_pair(4, 3, 10, dispatch=Dispatch.FIFO)
    engine = simulate(plan, [0, 1], exits=[0, 1])
    # First come, first served: frame 1's first segment is served before the rest of frame 0.
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        1 ARRIVE 1, ADMIT 1, READY 1.0 @0
        4 FINISH 0.0 @0, READY 0.1 @1, READY 0.2 @0, START 1.0 @0, START 0.1 @1
        7 FINISH 0.1 @1, EXIT 0.1 @0, ANSWER 0.1 @0, CANCEL 0.2 @0, LEAVE 0
        8 FINISH 1.0 @0, READY 1.1 @1, READY 1.2 @0, START 1.2 @0, START 1.1 @1
        11 FINISH 1.1 @1, EXIT 1.1 @0
        18 FINISH 1.2 @0, EXIT 1.2 @1, ANSWER 1.2 @1, LEAVE 1
    """)
    assert engine.counters().wasted_ns.tolist() == [0, 0, 0]


def test_a_later_exit_waits_for_the_earlier_one_to_decline() -> None:
    engine = simulate(early_exit_pair(2, 9, 3), [0], exits=1)
    assert story(engine.take_log())[-6:] == told("""
        5 FINISH 0.2 @0, EXIT 0.2 @1
        11 FINISH 0.1 @1, EXIT 0.1 @0, ANSWER 0.1 @1, LEAVE 0
    """)
    # The chain that led to the answer is the branch's, whose decision was waited for.
    assert engine.take_records()[:, :8].tolist() == [[0, 0, 11, 1, 0, 0, 11, 0]]


@pytest.mark.parametrize(
    ("branch", "confident", "exit_", "finish"),
    [
        (9, 0b10, 1, 5),  # the last exit is first, and confident
        (9, 0b11, 1, 5),  # both are: the first to finish answers
        (1, 0b11, 0, 3),
        (1, 0b10, 1, 5),  # the branch is first, but not confident
    ],
)
def test_the_first_confident_exit_answers(branch: int, confident: int, exit_: int, finish: int) -> None:
    engine = simulate(early_exit_pair(2, branch, 3, first_confident=1), [0], exits=confident)
    assert engine.take_records()[:, [2, 3]].tolist() == [[finish, exit_]]


# -- admission --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gate", "second"),
    [([0, 0, 0], 0), ([1, 0, 0], 2), ([1, 1, 0], 5), ([0, 0, 1], 7), ([1, 1, 1], 7)],
)
def test_the_gate_lets_the_next_frame_in(gate: list[int], second: int) -> None:
    lines = log_of(early_exit_pair(2, 3, 5, node_gate=gate), [0, 0], exits=1)
    assert only(lines, "ADMIT") == ["0 ADMIT 0", f"{second} ADMIT 1"]


def test_cancelled_and_stopped_nodes_open_the_gate() -> None:
    gate = [0, 0, 1]
    stopped = early_exit_pair(2, 3, 5, node_gate=gate, cancellation=Cancellation.RUNNING_AT_ONCE)
    assert only(log_of(stopped, [0, 0]), "ABORT", "ADMIT")[:3] == told("0 ADMIT 0\n5 ABORT 0.2 @0, ADMIT 1")
    left_running = early_exit_pair(2, 3, 5, node_gate=gate)
    assert only(log_of(left_running, [0, 0]), "ADMIT") == ["0 ADMIT 0", "7 ADMIT 1"]
    # Node 2 never gets to wait: exit 0 answers at node 0, which cancels it silently.
    steps = [Step(0, 2, exit=0), Step(0, 3, [0]), Step(0, 3, [1], exit=1, gate=True)]
    assert only(log_of(build(steps), [0, 0]), "ADMIT", "CANCEL") == told("0 ADMIT 0\n2 ADMIT 1")


def test_frames_in_flight_are_limited() -> None:
    lines = log_of(tandem([3, 4], frames_in_flight=1), [0, 1, 2])
    assert only(lines, "ADMIT", "LEAVE") == told("""
        0 ADMIT 0
        7 LEAVE 0, ADMIT 1
        14 LEAVE 1, ADMIT 2
        21 LEAVE 2
    """)
    lines = log_of(tandem([3, 4], frames_in_flight=2), [0, 1, 2])
    assert only(lines, "ADMIT") == ["0 ADMIT 0", "1 ADMIT 1", "7 ADMIT 2"]


def test_a_full_queue_holds_the_source_back() -> None:
    plan = single_server(10, frames_in_flight=1, queue_capacity=1)
    engine = simulate(plan, [0, 1, 2, 3])
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        1 ARRIVE 1
        10 FINISH 0.0 @0, EXIT 0.0 @0, ANSWER 0.0 @0, LEAVE 0, ADMIT 1, READY 1.0 @0, ARRIVE 2, START 1.0 @0
        20 FINISH 1.0 @0, EXIT 1.0 @0, ANSWER 1.0 @0, LEAVE 1, ADMIT 2, READY 2.0 @0, ARRIVE 3, START 2.0 @0
        30 FINISH 2.0 @0, EXIT 2.0 @0, ANSWER 2.0 @0, LEAVE 2, ADMIT 3, READY 3.0 @0, START 3.0 @0
        40 FINISH 3.0 @0, EXIT 3.0 @0, ANSWER 3.0 @0, LEAVE 3
    """)
    assert engine.take_records()[:, [1, 2]].tolist() == [[0, 10], [1, 20], [10, 30], [20, 40]]


def test_a_source_without_a_queue_waits_until_the_frame_is_admitted_at_once() -> None:
    plan = single_server(10, frames_in_flight=1, queue_capacity=0)
    assert only(log_of(plan, [0, 1, 25]), "ARRIVE") == ["0 ARRIVE 0", "10 ARRIVE 1", "25 ARRIVE 2"]


def test_a_full_queue_drops() -> None:
    rules = {"frames_in_flight": 1, "queue_capacity": 1}
    newest = simulate(single_server(10, queue_full=WhenFull.DROP_NEWEST, **rules), [0, 1, 2, 3])
    assert only(story(newest.take_log()), "DROP", "ADMIT") == told("""
        0 ADMIT 0
        2 DROP 2
        3 DROP 3
        10 ADMIT 1
    """)
    assert newest.take_records()[:, :8].tolist() == [
        [2, 2, 2, -1, 1, 0, 0, 0],
        [3, 3, 3, -1, 1, 0, 0, 0],
        [0, 0, 10, 0, 0, 0, 10, 0],
        [1, 1, 20, 0, 0, 9, 10, 0],
    ]
    oldest = single_server(10, queue_full=WhenFull.DROP_OLDEST, **rules)
    lines = log_of(oldest, [0, 1, 2, 3])
    assert only(lines, "DROP", "ADMIT") == told("0 ADMIT 0\n2 DROP 1\n3 DROP 2\n10 ADMIT 3")
    none_waits = single_server(10, queue_full=WhenFull.DROP_OLDEST, frames_in_flight=1, queue_capacity=0)
    assert only(log_of(none_waits, [0, 1, 2]), "DROP") == ["1 DROP 1", "2 DROP 2"]


# -- queues between the stages ----------------------------------------------------------------------------


def test_a_full_stage_blocks_the_server_that_would_fill_it() -> None:
    engine = simulate(tandem([2, 10], stage_capacity=0), [0, 0, 0])
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, ARRIVE 1, ARRIVE 2, START 0.0 @0
        2 FINISH 0.0 @0, READY 0.1 @1, ADMIT 1, READY 1.0 @0, START 1.0 @0, START 0.1 @1
        4 FINISH 1.0 @0, BLOCK 1.0 @0
        12 FINISH 0.1 @1, EXIT 0.1 @0, ANSWER 0.1 @0, LEAVE 0
        12 READY 1.1 @1, UNBLOCK 1.0 @0, ADMIT 2, READY 2.0 @0, START 2.0 @0, START 1.1 @1
        14 FINISH 2.0 @0, BLOCK 2.0 @0
        22 FINISH 1.1 @1, EXIT 1.1 @0, ANSWER 1.1 @0, LEAVE 1
        22 READY 2.1 @1, UNBLOCK 2.0 @0, START 2.1 @1
        32 FINISH 2.1 @1, EXIT 2.1 @0, ANSWER 2.1 @0, LEAVE 2
    """)
    counters = engine.counters()
    assert counters.blocked_ns.tolist() == [16, 0]
    assert counters.busy_ns.tolist() == [[6], [30]]


def test_blocking_after_service_follows_its_recursion() -> None:
    # Without buffers: a task leaves stage j when it is done there and stage j + 1 has let its last one go.
    works = [[4, 9, 2], [5, 1, 7], [3, 8, 8], [6, 6, 1], [2, 2, 9], [7, 3, 3]]
    gone = [0, 0, 0]
    expected = []
    for frame in works:
        start = max(gone[0], 0)
        for stage, work in enumerate(frame):
            done = start + work
            start = gone[stage] = max(done, gone[stage + 1]) if stage < 2 else done
        expected.append(start)
    noise = np.array(works) * FULL_SPEED
    records = simulate(tandem([1, 1, 1], stage_capacity=0), [0] * 6, noise=noise).take_records()
    assert finishes(records) == expected


def test_an_answer_frees_the_server_that_its_frame_blocks() -> None:
    # Node 0 feeds the branch on PE 1 and the rest on PE 2, which frame 0's rest fills: frame 1 blocks PE 0.
    steps = [Step(0, 2), Step(1, 3, [0], exit=0), Step(2, 20, [0], exit=1)]
    lines = log_of(build(steps, stage_capacity=[UNBOUNDED, UNBOUNDED, 0]), [0, 0], exits=[1, 0])
    assert only(lines, "BLOCK", "UNBLOCK", "ANSWER", "LEAVE") == told("""
        4 BLOCK 1.0 @0
        8 ANSWER 1.1 @0, UNBLOCK 1.0 @0, LEAVE 1
        22 ANSWER 0.2 @1, LEAVE 0
    """)


def test_a_delay_is_not_held_back_by_a_full_stage() -> None:
    lines = log_of(delayed_pair(2, 3, 10, stage_capacity=[UNBOUNDED, 0]), [0, 0, 0])
    assert only(lines, "BLOCK") == []
    assert [line for line in lines if "READY" in line and ".2" in line] == told("""
        5 READY 0.2 @1
        7 READY 1.2 @1
        9 READY 2.2 @1
    """)


def test_servers_that_block_each_other_are_a_deadlock() -> None:
    steps = [Step(0, 5), Step(1, 2, [0]), Step(0, 1, [1], exit=0)]
    plan = build(steps, stage_capacity=0)
    with pytest.raises(SimulationDeadlock) as caught:
        simulate(plan, [0, 0])
    # Frame 0 wants back to PE 0, which frame 1 cannot leave before frame 0 has left PE 1.
    assert caught.value.frames_in_flight == 2
    assert caught.value.blocked == ((0, 1, 0), (1, 0, 1))
    # Held back for good, a frame that is known can never arrive: that is seen before the final block.
    held = engine_for(build(steps, stage_capacity=0, queue_capacity=0))
    with pytest.raises(SimulationDeadlock):
        held.feed(draws(plan, [0, 0, 0]), final=False)


def test_memory_is_taken_up_by_what_waits_and_what_is_served() -> None:
    """Three tasks of 4 bytes each want 10 bytes of memory."""
    steps = [Step(0, 10, exit=0, size=4)]
    engine = simulate(build(steps, stage_bytes=10, stage_full=WhenFull.DROP_NEWEST), [0, 1, 2, 10])
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        1 ARRIVE 1, ADMIT 1, READY 1.0 @0
        2 ARRIVE 2, ADMIT 2, DROP 2 @0, LEAVE 2
        10 FINISH 0.0 @0, EXIT 0.0 @0, ANSWER 0.0 @0, LEAVE 0, ARRIVE 3, ADMIT 3, READY 3.0 @0, START 1.0 @0
        20 FINISH 1.0 @0, EXIT 1.0 @0, ANSWER 1.0 @0, LEAVE 1, START 3.0 @0
        30 FINISH 3.0 @0, EXIT 3.0 @0, ANSWER 3.0 @0, LEAVE 3
    """)


def test_a_large_tensor_makes_room_for_itself_by_several_frames() -> None:
    """Node 1 reads 6 bytes on a PE with 10 on which node 0 of later frames holds 2 each: two of them must go."""
    steps = [Step(0, 3, size=2), Step(1, 4, [0], size=2), Step(0, 5, [1], exit=0, size=6)]
    rules: dict[str, Any] = {"stage_bytes": [10, UNBOUNDED], "stage_full": WhenFull.DROP_OLDEST}
    engine = simulate(build(steps, dispatch=Dispatch.FIFO, **rules), [0, 3, 4, 5, 6])
    assert [line for line in story(engine.take_log()) if line.startswith("7 DROP")] == ["7 DROP 3 @0"]
    steps[2] = Step(0, 5, [1], exit=0, size=8)
    engine = simulate(build(steps, dispatch=Dispatch.FIFO, **rules), [0, 3, 4, 5, 5])
    lines = [line for line in story(engine.take_log()) if line.startswith("7 DROP")]
    assert lines == ["7 DROP 3 @0", "7 DROP 4 @0"]


def test_a_full_memory_blocks_the_server_that_would_fill_it() -> None:
    steps = [Step(0, 2, size=1), Step(1, 10, [0], exit=0, size=4)]
    lines = log_of(build(steps, stage_bytes=[UNBOUNDED, 7]), [0, 0])
    assert [line for line in lines if "BLOCK" in line] == ["4 BLOCK 1.0 @0", "12 UNBLOCK 1.0 @0"]


def test_a_full_stage_drops_the_newest_or_the_oldest() -> None:
    arrivals = [0, 1, 2]
    newest = single_server(10, stage_capacity=1, stage_full=WhenFull.DROP_NEWEST)
    assert log_of(newest, arrivals)[7:11] == told("2 ARRIVE 2, ADMIT 2, DROP 2 @0, LEAVE 2")
    oldest = single_server(10, stage_capacity=1, stage_full=WhenFull.DROP_OLDEST)
    assert log_of(oldest, arrivals)[7:13] == told("""
        2 ARRIVE 2, ADMIT 2, DROP 1 @0, CANCEL 1.0 @0, LEAVE 1, READY 2.0 @0
    """)


def test_all_service_for_a_dropped_frame_is_wasted() -> None:
    plan = tandem([1, 10], stage_capacity=[UNBOUNDED, 0], stage_full=WhenFull.DROP_NEWEST)
    engine = simulate(plan, [0, 0])
    assert only(story(engine.take_log()), "DROP", "LEAVE") == told("2 DROP 1 @1, LEAVE 1\n11 LEAVE 0")
    assert engine.counters().wasted_ns.tolist() == [1, 0]
    assert engine.take_records()[:, :8].tolist() == [[1, 0, 2, -1, 3, 0, 0, 0], [0, 0, 11, 0, 0, 0, 11, 0]]


def test_a_dropped_frame_stays_until_nothing_of_it_runs() -> None:
    # Frame 1's branch still runs when its rest finds PE 2 full.
    rules: dict[str, Any] = {"stage_capacity": [UNBOUNDED, 1, 0], "stage_full": WhenFull.DROP_NEWEST}
    steps = [Step(0, 2), Step(1, 3, [0]), Step(0, 1, [0]), Step(2, 20, [2]), Step(1, 1, [1, 3], exit=0)]
    engine = simulate(build(steps, **rules), [0, 0])
    # Frame 0: PE 0 until 3, PE 1 until 5, PE 2 until 23. Frame 1: PE 0 from 3 to 6, PE 1 from 5 to 8.
    assert only(story(engine.take_log()), "DROP", "LEAVE") == told("6 DROP 1 @2\n8 LEAVE 1\n24 LEAVE 0")
    assert engine.counters().wasted_ns.tolist() == [2, 3, 1, 0, 0]
    at_once = simulate(build(steps, cancellation=Cancellation.RUNNING_AT_ONCE, **rules), [0, 0])
    assert only(story(at_once.take_log()), "DROP", "ABORT", "LEAVE")[:3] == told("6 DROP 1 @2, ABORT 1.1 @1, LEAVE 1")
    assert at_once.counters().wasted_ns.tolist() == [2, 1, 1, 0, 0]


def test_a_frame_that_has_answered_is_not_dropped_but_loses_what_is_left() -> None:
    steps = [Step(0, 1, exit=0), Step(1, 10, [0], exit=1)]
    rules: dict[str, Any] = {"stage_full": WhenFull.DROP_OLDEST, "cancellation": Cancellation.NONE}
    engine = simulate(build(steps, stage_capacity=[UNBOUNDED, 1], **rules), [0, 1, 2])
    assert [line for line in story(engine.take_log()) if line.startswith("3 ")] == told("""
        3 FINISH 2.0 @0, EXIT 2.0 @0, ANSWER 2.0 @0, CANCEL 1.1 @1, LEAVE 1, READY 2.1 @1
    """)
    assert engine.take_records()[:, 4].tolist() == [0, 0, 0]
    assert engine.counters().wasted_ns.tolist() == [0, 20]


# -- exclusive groups -------------------------------------------------------------------------------------


def test_members_of_an_exclusive_group_take_turns() -> None:
    lines = log_of(early_exit_pair(2, 3, 4, resource_group=[0, 0]), [0, 0], exits=1)
    # The branch comes before the rest, and the whole of frame 0 before frame 1.
    assert only(lines, "START") == told("""
        0 START 0.0 @0
        2 START 0.1 @1
        5 START 0.2 @0
        9 START 1.0 @0
        11 START 1.1 @1
        14 START 1.2 @0
    """)


# -- the interface ----------------------------------------------------------------------------------------


def test_counters_count_the_elapsed_part_of_what_is_under_way() -> None:
    plan = single_server(10)
    engine = engine_for(plan)
    engine.feed(draws(plan, [0, 4]), final=False)
    assert engine.counters().now_ns == 4
    assert engine.counters().busy_ns.tolist() == [[4]]
    engine.feed(draws(plan, []), final=True)
    assert engine.counters().busy_ns.tolist() == [[20]]
    assert engine.take_log().shape == (0, 5)
    assert engine.take_records().shape == (2, 12)
    assert engine.take_records().shape == (0, 12)

    plan = delayed_pair(2, 30, 1)
    engine = engine_for(plan)
    engine.feed(draws(plan, [0, 12]), final=False)
    assert engine.counters().busy_ns.tolist() == [[2], [10], [0]]

    plan = tandem([2, 10], stage_capacity=0)
    engine = engine_for(plan)
    engine.feed(draws(plan, [0, 0, 11]), final=False)
    assert engine.counters().blocked_ns.tolist() == [7, 0]


def test_feeding_nothing_is_a_run_without_frames() -> None:
    plan = single_server(10)
    engine = engine_for(plan, log=True)
    engine.feed(draws(plan, []), final=False)
    engine.feed(draws(plan, []), final=True)
    assert engine.take_records().shape == (0, 12)
    assert engine.counters().now_ns == 0


RULES: dict[str, dict[str, Any]] = {
    "open": {},
    "confident": {
        "first_confident": 1,
        "cancellation": Cancellation.RUNNING_AT_KERNEL,
        "node_kernels": [7] * 7,
    },
    "gated": {"node_gate": [1, 1, 1, 0, 0, 0, 0], "cancellation": Cancellation.NONE},
    "held": {"frames_in_flight": 3, "queue_capacity": 2},
    "lossy": {"frames_in_flight": 3, "queue_capacity": 2, "queue_full": WhenFull.DROP_OLDEST},
    "blocking": {"stage_capacity": [0, 7, 1], "dispatch": Dispatch.FIFO, "queue_capacity": 0},
    "stage drops": {
        "stage_capacity": 1,
        "stage_full": WhenFull.DROP_OLDEST,
        "cancellation": Cancellation.RUNNING_AT_ONCE,
    },
    "exclusive": {"resource_group": [-1, 0, 0]},
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_how_the_stream_is_cut_changes_nothing(rules: dict[str, Any]) -> None:
    plan = resnet_like(**rules)
    rng = np.random.default_rng(5)
    arrivals = np.cumsum(rng.choice([0, 10_000_000, 25_000_000, 60_000_000], size=60))
    exits = 8 | rng.integers(0, 16, size=60) if plan.first_confident else rng.integers(0, 4, size=60)
    noise = rng.integers(800_000, 1_300_000, size=(60, 7))
    whole = draws(plan, arrivals, exits, noise)
    expected = None
    for size in (60, 1, 3, 7, 59):
        engine = engine_for(plan, log=True)
        run(engine, whole, size)
        result = [engine.take_log().tolist(), engine.take_records().tolist()]
        result += [np.asarray(total).tolist() for total in engine.counters()]
        if expected is None:
            expected = result
            assert len(result[1]) == 60
        assert result == expected


def test_logs_and_records_come_in_the_order_of_the_blocks() -> None:
    plan = single_server(10)
    engine = engine_for(plan, log=True)
    parts = blocks(draws(plan, [0, 4, 12]), 2)
    engine.feed(parts[0], final=False)
    # The block ends with the arrival; the settle of that instant depends on what comes next.
    assert story(engine.take_log())[-3:] == told("4 ARRIVE 1, ADMIT 1, READY 1.0 @0")
    assert len(engine.take_records()) == 0
    engine.feed(parts[1], final=True)
    assert story(engine.take_log())[0] == "10 FINISH 0.0 @0"
    assert engine.take_records()[:, 0].tolist() == [0, 1, 2]


# -- queues with known answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["exponential", "constant"])
def test_mean_wait_of_a_random_queue(service: str) -> None:
    rng = np.random.default_rng(2026)
    n, work, load = 20_000, 1_000_000, 0.6
    arrivals = np.cumsum(np.rint(rng.exponential(work / load, size=n)))
    noise = np.rint(rng.exponential(FULL_SPEED, size=(n, 1))) if service == "exponential" else None
    records = simulate(single_server(work), arrivals, noise=noise).take_records()
    wait = records[:, 5].reshape(20, -1).mean(axis=1)
    # Pollaczek-Khinchine: load / (1 - load) x mean service for M/M/1, half of that for M/D/1.
    expected = load / (1 - load) * work * (1.0 if service == "exponential" else 0.5)
    error = wait.std(ddof=1) / np.sqrt(len(wait))
    assert abs(wait.mean() - expected) < 3 * error
    assert error < 0.08 * expected
