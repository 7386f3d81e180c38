"""Tokens for going deeper, told event by event, in both engines, and against a bucket of a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.engine.protocol import Engine
from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.plan.plan import Plan
from tests.plans import Step, build, draws, ints, run, story, told


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> EngineName:
    return request.param  # type: ignore[no-any-return]


def line(**rules: Any) -> Plan:
    """Three exits one after the other on one server; the first two cost 10 tokens each to decline."""
    steps = [Step(0, 4, exit=0), Step(0, 4, [0], exit=1), Step(0, 4, [1], exit=2)]
    return build(steps, **{"exit_cost": [10, 10, 0], "bucket_most": 25, **rules})


def simulated(name: EngineName, plan: Plan, arrivals: Any, exits: Any) -> Engine:
    engine = make_engine(name, plan, log=True)
    run(engine, draws(plan, arrivals, exits))
    return engine


def told_exits(engine: Engine) -> list[list[int]]:
    """Frame, exit, and what the answer rests on."""
    return list(engine.take_records()[:, [0, 3, 11]].tolist())


def test_a_frame_that_cannot_pay_answers_where_it_is(name: EngineName) -> None:
    engine = simulated(name, line(), [0, 20, 40], 2)
    # 25 tokens: frame 0 pays twice, the next two cannot pay at all.
    assert told_exits(engine) == [[0, 2, 0], [1, 0, 3], [2, 0, 3]]


def test_the_log_says_who_was_forced(name: EngineName) -> None:
    engine = simulated(name, line(bucket_most=10), [0], 2)
    assert story(engine.take_log()) == told("""
        0 ARRIVE 0, ADMIT 0, READY 0.0 @0, START 0.0 @0
        4 FINISH 0.0 @0, EXIT 0.0 @0, READY 0.1 @0, START 0.1 @0
        8 FINISH 0.1 @0, EXIT 0.1 @1, FORCE 0.1 @1, ANSWER 0.1 @1, LEAVE 0
    """)


def test_a_frame_that_is_confident_pays_nothing(name: EngineName) -> None:
    engine = simulated(name, line(bucket_most=10), [0, 20, 40], [0, 1, 1])
    assert told_exits(engine) == [[0, 0, 0], [1, 1, 0], [2, 0, 3]]


def test_tokens_come_with_time_and_with_frames_and_no_more_than_the_bucket_holds(name: EngineName) -> None:
    # Frame 0 leaves 4 at 8; frame 1 finds 16 at 20 and 10 at 24; frame 3, of the full bucket's rest, 12 and then 6.
    engine = simulated(name, line(bucket_most=20, bucket_per_ns=1), [0, 16, 1000, 1012], 2)
    assert told_exits(engine) == [[0, 2, 0], [1, 2, 0], [2, 2, 0], [3, 1, 3]]
    engine = simulated(name, line(bucket_most=20, bucket_per_frame=10), [0, 20, 40], 2)
    assert told_exits(engine) == [[0, 2, 0], [1, 1, 3], [2, 1, 3]]


def test_a_long_silence_does_not_overflow(name: EngineName) -> None:
    most = 9 * 10**18
    plan = line(exit_cost=[most, 1, 0], bucket_most=most, bucket_per_ns=10**12)
    # Empty after the first decision, it is full again after nine million ns, and after more than 64 bits hold.
    assert told_exits(simulated(name, plan, [0, 10**15], 1)) == [[0, 1, 0], [1, 1, 0]]
    assert told_exits(simulated(name, plan, [0, 9 * 10**6], 1)) == [[0, 1, 0], [1, 1, 0]]
    assert told_exits(simulated(name, plan, [0, 9 * 10**6 - 1], 1)) == [[0, 1, 0], [1, 0, 3]]


def test_a_frame_that_is_given_up_pays_nothing(name: EngineName) -> None:
    plan = line(level_up=[[0]], level_down=[[0]], level_at_exit=1, level_last=[[2, 0]], bucket_most=10)
    engine = make_engine(name, plan)
    run(engine, draws(plan, [0, 20])._replace(confident=ints([[4, 4]] * 2)))
    assert engine.take_records()[:, [0, 3, 4]].tolist() == [[0, -1, 2], [1, -1, 2]]


@pytest.mark.parametrize(
    "income", [{"bucket_per_frame": 7, "bucket_most": 31}, {"bucket_per_ns": 1, "bucket_most": 15}]
)
def test_frames_that_never_meet_see_a_bucket_of_a_few_lines(name: EngineName, income: dict[str, int]) -> None:
    rng = np.random.default_rng(5)
    arrivals = np.cumsum(rng.integers(13, 30, 400))
    exits = rng.integers(0, 3, 400)
    plan, most = line(**income), income["bucket_most"]
    tokens, at, expected = most, 0, []
    for arrival, wanted in zip(arrivals.tolist(), exits.tolist(), strict=True):
        tokens = min(most, tokens + income.get("bucket_per_frame", 0) + income.get("bucket_per_ns", 0) * (arrival - at))
        at = arrival
        taken = 0
        while taken < wanted:
            now = arrival + 4 * (taken + 1)
            tokens, at = min(most, tokens + income.get("bucket_per_ns", 0) * (now - at)), now
            if tokens < 10:
                break
            tokens -= 10
            taken += 1
        expected.append([taken, 3 if taken < wanted else 0])
    found = simulated(name, plan, arrivals, exits).take_records()
    assert found[:, [3, 11]].tolist() == expected
    assert 3 in found[:, 11]
