"""Watching a run: what is measured after the warm-up, whatever chunks the records come in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eesim.base import IntArray
from eesim.engine.protocol import Counters
from eesim.metrics import observe
from eesim.metrics.observe import BATCHES, Observation, Observer
from eesim.metrics.replication import tally_metrics
from eesim.plan.plan import Status
from tests.plans import ints

EXITS = ("one", "two", "final")
STEP = 10


def counters(now: int) -> Counters:
    return Counters(now, ints([[now]]), ints([0]), ints([0]))


def records(n: int, *, transient: int = 0, seed: int = 1) -> IntArray:
    """Frames every 100 ns that end out of order, some dropped; the first ones are slow."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((n, 12), np.int64)
    rows[:, observe.FRAME] = np.arange(n)
    rows[:, observe.ARRIVAL] = 100 * np.arange(n)
    queueing, service, transfer, contention = rng.integers(0, 50, (4, n))
    queueing[:transient] += 5000
    rows[:, observe.FINISH] = rows[:, observe.ARRIVAL] + queueing + service + transfer + contention
    rows[:, observe.EXIT] = rng.integers(0, len(EXITS), n)
    rows[:, observe.QUEUEING], rows[:, observe.SERVICE], rows[:, observe.TRANSFER] = queueing, service, transfer
    dropped = rng.random(n) < 0.1
    rows[dropped, observe.STATUS] = Status.DROPPED
    rows[dropped, observe.EXIT] = -1
    return rows[np.argsort(rows[:, observe.FINISH], kind="stable")]


def observed(rows: IntArray, cuts: list[int], **options: Any) -> Observation:
    """Feed chunks as a run does: each chunk's records, then a snapshot when a step of frames is complete."""
    n = len(rows)
    settings = {"warmup": "none", "deadlines_ns": [120], "keep": True, "batches": True} | options
    observer = Observer(n, len(EXITS), step=STEP, **settings)
    observer.snapshot(0, counters(0))
    edges = sorted({*cuts, *range(0, n, STEP), n})
    for begin, end in pairwise(edges):
        observer.add(rows[begin:end])
        if end % STEP == 0:
            observer.snapshot(end, counters(end))
    return observer.finish(counters(n))


def summary(found: Observation) -> dict[str, Any]:
    """Everything that an observation says, in comparable form."""
    tallies = [found.tally, *found.batches]
    return {
        "warmup": found.warmup_frames,
        "begin": found.begin.now_ns,
        "end": found.end.now_ns,
        "frames": None if found.frames is None else found.frames.tolist(),
        "tallies": [repr(sorted(tally_metrics(tally, EXITS).items())) for tally in tallies],
        "counts": [(tally.answered, tally.dropped, tally.missed, tally.frames, tally.lag_ns) for tally in tallies],
    }


def counted(found: Observation) -> int:
    return found.tally.frames


# -- what is counted ----------------------------------------------------------------------------------------


def test_without_warmup_everything_is_counted() -> None:
    rows = records(300)
    found = observed(rows, [])
    answered = rows[rows[:, observe.STATUS] == Status.ANSWERED]
    latency = answered[:, observe.FINISH] - answered[:, observe.ARRIVAL]
    tally = found.tally
    assert (tally.answered, tally.dropped) == (len(answered), 300 - len(answered))
    assert tally.latency.total == latency.sum()
    assert tally.missed == (latency > 120).sum()
    assert tally.deadline_misses == tally.missed + tally.dropped
    assert sum(tally.parts_ns.values()) == latency.sum()
    assert [h.n for h in tally.by_exit] == np.bincount(answered[:, observe.EXIT]).tolist()
    assert (tally.first_answer_ns, tally.last_answer_ns) == (answered[0, observe.FINISH], answered[-1, observe.FINISH])


def test_a_latency_equal_to_the_deadline_is_in_time() -> None:
    rows = records(1)
    rows[0, [observe.ARRIVAL, observe.FINISH]] = 0, 120
    assert observed(rows, []).tally.missed == 0
    assert observed(rows, [], deadlines_ns=[119]).tally.missed == 1
    assert observed(rows, [], deadlines_ns=[None]).tally.missed == 0


@pytest.mark.parametrize("warmup", [0, 1, 90, 200])
def test_a_warmup_leaves_out_its_frames_even_where_they_end_late(warmup: int) -> None:
    rows = records(300, transient=50)
    found = observed(rows, [], warmup=warmup)
    assert found.warmup_frames == warmup
    assert counted(found) == 300 - warmup
    # The counters begin at the last snapshot that is not later.
    assert found.begin.now_ns == warmup - warmup % STEP


def test_an_automatic_warmup_ends_at_a_snapshot_behind_the_transient() -> None:
    found = observed(records(1000, transient=103), [], warmup="auto")
    assert 103 <= found.warmup_frames <= 103 + 5 + 2 * STEP
    assert found.warmup_frames % STEP == 0
    assert found.begin.now_ns == found.warmup_frames
    assert counted(found) == 1000 - found.warmup_frames


def test_a_run_without_a_transient_loses_little() -> None:
    found = observed(records(1000), [], warmup="auto")
    assert found.warmup_frames <= 50


def test_frames_are_kept_in_order_and_only_if_asked_for() -> None:
    rows = records(200, transient=20)
    kept = observed(rows, [], warmup="auto").frames
    assert kept is not None
    # The warm-up is among them.
    assert kept[:, observe.FRAME].tolist() == list(range(200))
    assert observed(rows, [], keep=False).frames is None


def test_batches_are_equal_parts_of_what_is_measured() -> None:
    found = observed(records(450), [], warmup=50)
    assert [tally.frames for tally in found.batches] == [400 // BATCHES] * BATCHES
    assert sum(tally.latency.total for tally in found.batches) == found.tally.latency.total
    assert observed(records(450), [], batches=False).batches == []


def test_a_run_of_one_frame_and_of_dropped_frames_only() -> None:
    assert observed(records(1), [], warmup="auto").tally.frames == 1
    rows = records(100)
    rows[:, observe.STATUS], rows[:, observe.EXIT] = Status.DROPPED, -1
    found = observed(rows, [], warmup="auto")
    assert (found.tally.answered, found.tally.dropped, found.warmup_frames) == (0, 100, 0)


# -- chunks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warmup", ["none", "auto", 37])
@given(cuts=st.lists(st.integers(1, 299), max_size=8), seed=st.integers(0, 9))
@example(cuts=[1, 2], seed=29)  # frame 1 answers before frame 0
def test_the_cutting_into_chunks_does_not_matter(warmup: Any, cuts: list[int], seed: int) -> None:
    rows = records(300, transient=60, seed=seed)
    assert summary(observed(rows, cuts, warmup=warmup)) == summary(observed(rows, [], warmup=warmup))


@pytest.mark.parametrize("cut", range(151, 160))
@pytest.mark.parametrize(("seed", "transient"), [(0, 90), (1, 35), (5, 40)])
def test_the_cutting_does_not_matter_where_the_warmup_is_found_before_the_end(
    cut: int, seed: int, transient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The warm-up is found on the first 155 frames: not on as many as happen to come with the 155th.
    monkeypatch.setattr(observe, "PILOT_FRAMES", 155)
    rows = records(300, transient=transient, seed=seed)
    assert summary(observed(rows, [cut], warmup="auto")) == summary(observed(rows, [], warmup="auto"))


@pytest.mark.parametrize("warmup", ["none", "auto", 37])
def test_keeping_frames_changes_nothing_else(warmup: Any) -> None:
    rows = records(300, transient=60)
    kept, thrown = (summary(observed(rows, [], warmup=warmup, keep=keep)) for keep in (True, False))
    assert kept | {"frames": None} == thrown
