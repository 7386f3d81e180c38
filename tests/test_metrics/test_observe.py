"""Watching a run: what is measured after the warm-up, whatever chunks the records come in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eesim.base import IntArray
from eesim.engine.protocol import Counters
from eesim.metrics import observe
from eesim.metrics.correctness import UNKNOWN, AnswerKey
from eesim.metrics.observe import BATCHES, Observation, Observer
from eesim.metrics.replication import tally_metrics
from eesim.metrics.rows import Rows
from eesim.metrics.tallies import Frames
from eesim.metrics.tally import Cells, Tally
from eesim.plan.plan import Status
from tests.plans import ints

EXITS = ("one", "two", "final")
STEP = 10


ALONE = Cells((0,) * len(EXITS), 1, (120,), by_stream=False)


def counters(now: int) -> Counters:
    return Counters(now, ints([[now]]), ints([0]), ints([0]))


def records(n: int, *, transient: int = 0, seed: int = 1) -> IntArray:
    """Frames every 100 ns that end out of order, some dropped; the first ones are slow."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((n, 12), np.int64)
    rows[:, observe.PLACE] = -1
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
    cells = options.pop("cells", ALONE._replace(deadlines_ns=options.pop("deadlines_ns", (120,))))
    settings = {"warmup": "none", "keep": True, "batches": True} | options
    observer = Observer(n, cells, step=STEP, **settings)
    observer.snapshots(np.zeros(1, np.int64), [counters(0)])
    edges = sorted({*cuts, *range(0, n, STEP), n})
    for begin, end in pairwise(edges):
        observer.add(rows[begin:end])
        if end % STEP == 0:
            observer.snapshots(np.array([end]), [counters(end)])
    return observer.finish(counters(n))


def summary(found: Observation) -> dict[str, Any]:
    """Everything that an observation says, in comparable form."""
    return {
        "warmup": found.warmup_frames,
        "begin": found.begin.now_ns,
        "end": found.end.now_ns,
        "frames": None if found.frames is None else found.frames.tolist(),
        "metrics": repr(sorted(tally_metrics(found.tally, ALONE, EXITS).items())),
        "counts": [found.tally.answered, found.tally.dropped, found.tally.missed, found.tally.lag_ns],
        "rows": repr([column.tolist() for column in found.rows]),
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
    assert observed(rows, [], deadlines_ns=(119,)).tally.missed == 1
    assert observed(rows, [], deadlines_ns=(None,)).tally.missed == 0


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
    frames = found.rows.answered + found.rows.dropped
    assert frames.tolist() == [400, *[400 // BATCHES] * BATCHES]
    assert found.rows.latency_ns[1:].sum() == found.rows.latency_ns[0] == found.tally.latency.total
    assert len(observed(records(450), [], batches=False).rows.answered) == 1


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


# -- counted in compiled code ---------------------------------------------------------------------------------

TWO_STREAMS = Cells((0, 0, 0, 1, 1), 1, (120, None), by_stream=True, n_places=4)
"""Three exits of a stream with a deadline, and two of one without."""
LEVELS = Cells((0, 0, 0), 3, (120,), by_stream=False, n_places=3)
BOTH = Cells((0, 0, 0, 1, 1), 2, (90, 130), by_stream=True, n_places=3)
ONE_BY_ITSELF = Cells((0, 0, 0), 1, (120,), by_stream=True)
UNTOLD = Cells((0, 0, 0, 1, 1), 1, (90, 130), by_stream=False)


def any_records(n: int, cells: Cells, seed: int, transient: int = 0) -> IntArray:
    """`records` of several streams and levels."""
    rng = np.random.default_rng(seed + 1000)
    rows = records(n, transient=transient, seed=seed)
    answered = rows[:, observe.STATUS] == Status.ANSWERED
    exits = rng.integers(0, cells.n_exits, n)
    rows[:, observe.EXIT] = np.where(answered, exits, -1)
    rows[:, observe.STREAM] = np.array(cells.exit_stream)[exits]
    rows[:, observe.LEVEL] = rng.integers(0, cells.n_levels, n)
    lost = np.flatnonzero(~answered)
    rows[lost, observe.STATUS] = rng.integers(1, len(Status), len(lost))
    rows[lost, observe.PLACE] = rng.integers(-1, cells.n_places - 1, len(lost))
    return rows


class HalfRight(AnswerKey):
    """Knows of the first stream's frames: two in three are right."""

    def __init__(self) -> None:
        super().__init__([1])

    def check(self, records: IntArray) -> IntArray:
        right = np.where(records[:, observe.FRAME] % 3 > 0, 1, 0) * (records[:, observe.STATUS] == Status.ANSWERED)
        return np.where(records[:, observe.STREAM] == 0, right, UNKNOWN)


def everything(tally: Tally) -> dict[str, Any]:
    """All that a tally says, those of its streams included."""
    facts = {name: value for name, value in vars(tally).items() if not name.startswith("_")}
    latency, by_exit, streams = facts.pop("latency"), facts.pop("by_exit"), facts.pop("streams")
    facts["right"] = {exit_: n for exit_, n in facts["right"].items() if exit_ >= 0}
    quantiles = [latency.quantile(share) for share in (0.5, 0.9, 0.95, 0.99)] if latency.n else []
    return facts | {
        "latency": (latency.n, latency.total, latency.largest if latency.n else 0, latency.is_exact, quantiles),
        "exits": [(one.n, one.total, one.quantile(0.99) if one.n else 0) for one in by_exit],
        "streams": [everything(stream) for stream in streams],
        "frames": tally.frames,
        "lag": tally.lag_ns,
    }


def assert_same(compiled: Observation, plain: Observation) -> None:
    assert compiled.warmup_frames == plain.warmup_frames
    assert everything(compiled.tally) == everything(plain.tally)
    assert len(compiled.stream_rows) == len(plain.stream_rows)
    for ours, theirs in zip((compiled.rows, *compiled.stream_rows), (plain.rows, *plain.stream_rows), strict=True):
        assert_same_rows(ours, theirs)


def assert_same_rows(ours: Rows, theirs: Rows) -> None:
    at_exit = theirs.cells.sum(axis=2)
    # Where there are no answers there is no quantile.
    known = {"quantile_ns": theirs.answered > 0, "exit_p99_ns": at_exit > 0}
    for name, a, b in zip(Rows._fields, ours, theirs, strict=True):
        which = known.get(name, ...)
        np.testing.assert_array_equal(a[which], b[which], name)


@pytest.mark.parametrize("cells", [ONE_BY_ITSELF, TWO_STREAMS, LEVELS, BOTH, UNTOLD])
@pytest.mark.parametrize("is_judged", [False, True])
@settings(deadline=None)
@given(seed=st.integers(0, 99), n=st.integers(1, 400), transient=st.integers(0, 150))
def test_compiled_code_counts_as_plain_code_does(
    cells: Cells, is_judged: bool, seed: int, n: int, transient: int
) -> None:
    rows = any_records(n, cells, seed, transient)
    key = HalfRight() if is_judged else None
    plain, compiled = (
        observed(rows, [n // 3] if n > 3 else [], cells=cells, warmup="auto", key=key, compiled=by_kernel)
        for by_kernel in (False, True)
    )
    assert_same(compiled, plain)


def test_memory_that_is_used_again_holds_nothing_of_the_run_before() -> None:
    frames = Frames(500)
    first = any_records(500, BOTH, 1)
    observed(first, [], cells=BOTH, warmup="auto", key=HalfRight(), frames=frames)
    # The second run is shorter, and some of its frames never end.
    second = any_records(300, TWO_STREAMS, 2)[:250]
    again, fresh = (observed(second, [], cells=TWO_STREAMS, warmup="auto", frames=memory) for memory in (frames, None))
    assert_same(again, fresh)


@pytest.mark.parametrize("cells", [ONE_BY_ITSELF, BOTH])
@pytest.mark.parametrize("shift", [50, 55])
def test_latencies_of_weeks_are_counted_as_well(cells: Cells, shift: int) -> None:
    rows = any_records(200, cells, 3)
    rows[:, observe.FINISH] += 1 << shift
    rows[:, observe.QUEUEING] += 1 << shift
    plain, compiled = (
        observed(rows, [], cells=cells, key=HalfRight(), compiled=by_kernel) for by_kernel in (False, True)
    )
    assert_same(compiled, plain)
