"""Every term of pipeline mode against numbers worked out by hand, and the event log around the NPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from eesim.base import FULL_SPEED, IntArray
from eesim.engine.simulate import EngineName, make_engine
from eesim.hardware.runtime import PipelineRuntime
from eesim.plan.chain import Chain, Missing, Task
from eesim.plan.chain_pipeline import Pipeline, pipeline_tasks, slowdowns
from eesim.plan.chain_plan import pipeline_plan
from eesim.plan.plan import EventKind
from eesim.validate.harness import FRAMES, LATENCY_FRAME, TIMED, read_harness
from eesim.validate.predict import _draws
from tests.test_validate.synthetic import LAYERS, MS, PIPELINE, board, chain

RUNTIME = PipelineRuntime.model_validate(PIPELINE)


def tasks_of(own: Chain) -> list[tuple[str, str, dict[str, float]]]:
    """Name, resource and terms in ms of each task; terms of 0 left out."""
    return [
        (task.name, task.pe, {name: pytest.approx(t / MS, abs=1e-9) for name, t in task.terms_ns.items() if t})
        for task in pipeline_tasks(own).tasks
    ]


def test_one_stage_reads_and_computes() -> None:
    assert tasks_of(chain("BBB", [1000] * 3)) == [
        ("read", "B", {"input": 20}),
        ("a", "B", {"layers": 10, "profiling": -1}),
        ("b", "B", {"layers": 20, "profiling": -2}),
        ("c", "B", {"layers": 5, "profiling": -0.5}),
    ]


def test_stages_pay_for_each_other() -> None:
    found = tasks_of(chain("GBB", [400, 1000, 1000], [1000, 0, 0], off=["profiling"]))
    # G: 0.5 ms and 0.5 Mcycles of its host at 1 GHz; its thread reads the image on the host.
    assert found == [
        ("read", "G.copy", {"input": 20}),
        ("a", "G", {"layers": 10, "stage_overhead": 1}),
        ("b", "B", {"layers": 20, "stage_overhead": 1}),
        ("c", "B", {"layers": 5}),
    ]
    assert tasks_of(chain("GBB", [400, 1000, 1000], [1000, 0, 0], off=["profiling", "stage_overhead", "input"])) == [
        ("a", "G", {"layers": 10}),
        ("b", "B", {"layers": 20}),
        ("c", "B", {"layers": 5}),
    ]


def test_a_first_stage_on_l_does_part_of_its_work_on_b() -> None:
    layers = replace(LAYERS, early=frozenset({0}))
    slow = {"B": 500, "L": 800, "G": 400, "N": 0}
    found = tasks_of(chain("LLB", [800, 800, 500], pe_mhz=slow, off=["profiling", "stage_overhead"], layers=layers))
    # a and b take 10 and 20 ms on B at 1 GHz: 0.4 of that at half the clock, and 0.3 of the early part.
    assert found[1] == ("a", "L", {"layers": 25, "first_stage": 0.4 * 10 * 2 + 0.3 * 10})
    assert found[2] == ("b", "L", {"layers": 50, "first_stage": 0.4 * 20 * 2})
    off = ["profiling", "stage_overhead", "first_stage"]
    assert tasks_of(chain("LLB", [800, 800, 500], pe_mhz=slow, off=off, layers=layers))[1][2] == {"layers": 25}


def with_npu(order: str, off: Sequence[str] = (), host: str = "B") -> Chain:
    mhz = {"B": 1000, "L": 800, "G": 400, "N": 0}
    hosts = {"G": "B", "N": host}
    own = chain(
        order,
        [mhz[pe] for pe in order],
        [mhz[hosts[pe]] if pe in hosts else 0 for pe in order],
        pe_mhz=mhz,
        hosts=hosts,
        off=off,
    )

    class WithParts:
        campaign = "lw"

        def layer(self, i: int, pe: str, clock_hz: int, host_hz: int) -> object:
            known = own.source.layer(i, pe, clock_hz, host_hz)
            return known._replace(time_ns=(4, 6, 8)[i] * MS) if pe == "N" and known else known

        def input(self, *_: object) -> None: ...

    return replace(own, source=WithParts())  # type: ignore[arg-type]


def test_npu_between_two_stages() -> None:
    found = tasks_of(with_npu("BNG", off=["profiling", "stage_overhead"]))
    # 2 MB are loaded by B's thread, 0.5 MB fetched by G's, which sits on B.
    assert found == [
        ("read", "B", {"input": 20}),
        ("a", "B", {"layers": 10}),
        ("load N", "B", {"transfers": 1 + 5 * 2}),
        ("b", "N", {"layers": 6, "transfers": 1 * 2 + 2 * 0.5}),
        ("unload N", "G.copy", {"transfers": 2 + 6 * 0.5}),
        ("c", "G", {"layers": 5}),
    ]


def test_npu_without_transfers_still_waits_for_its_load() -> None:
    found = tasks_of(with_npu("BNG", off=["profiling", "stage_overhead", "transfers"]))
    assert [(name, said) for name, _, said in found[2:5]] == [
        ("load N", {}),
        ("b", {"layers": 6}),
        ("c", {"layers": 5}),
    ]


def test_npu_first_and_last() -> None:
    first = tasks_of(with_npu("NNB", off=["profiling", "stage_overhead"], host="L"))
    # The NPU's own thread, on L at 800 MHz, reads and loads; B fetches 0.5 MB.
    assert first[:4] == [
        ("read", "N.copy", {"input": 75}),
        ("a", "N", {"layers": 4}),
        ("b", "N", {"layers": 6, "transfers": 2 * 0.5}),
        ("unload N", "B", {"transfers": 2 + 6 * 0.5}),
    ]
    last = tasks_of(with_npu("BNN", off=["profiling", "stage_overhead"]))
    assert last[-2:] == [("b", "N", {"layers": 6, "transfers": 1 * 2}), ("c", "N", {"layers": 8})]


def test_section_around_the_npu() -> None:
    middle, first, last = (pipeline_tasks(with_npu(order)) for order in ("BNG", "NNB", "BNN"))
    assert (middle.enter, middle.leave, middle.places) == (2, 5, 2)
    assert (first.enter, first.leave, first.places) == (0, 4, 2)
    assert (last.enter, last.leave, last.places) == (2, 4, 1)
    assert pipeline_tasks(chain("GBB", [400, 1000, 1000], [1000, 0, 0])).enter == -1


def test_slowdowns_add_up() -> None:
    own = chain("GBB", [400, 1000, 1000], [1000, 0, 0])
    names = ["B", "L", "G", "G.copy"]

    def of(*busy: str) -> list[float]:
        return slowdowns(own, RUNTIME, names, {name: name in busy for name in names})

    assert of() == [1, 1, 1, 1]
    assert of("L") == pytest.approx([1.1, 1, 1, 1])
    assert of("G") == pytest.approx([1.2, 1, 1, 1])
    assert of("G", "L") == pytest.approx([1.3, 1, 1, 1])
    assert of("G.copy") == pytest.approx([1.5, 1, 1, 1])
    assert of("B") == pytest.approx([1, 1.05, 1, 1.25])
    elsewhere = replace(own, hosts={"G": "L", "N": "B"})
    assert slowdowns(elsewhere, RUNTIME, names, {"G": True, "G.copy": True}) == [1, 1, 1, 1]


def test_speed_table_is_that_of_each_set_of_busy_pes() -> None:
    own = chain("LBB", [800, 1000, 1000])
    pipeline = pipeline_tasks(own)
    plan = pipeline_plan(own, RUNTIME, pipeline)
    b, line = 1, 0
    both = int(plan.resource_bit.sum())
    assert plan.speed_ppm[both, b] == round(FULL_SPEED / 1.1)
    assert plan.speed_ppm[both, line] == round(FULL_SPEED / 1.05)
    off = pipeline_plan(replace(own, off=frozenset({"contention"})), RUNTIME, pipeline)
    assert (off.speed_ppm == FULL_SPEED).all()
    known: dict[object, object] = {}
    again = [pipeline_plan(own, RUNTIME, pipeline, known) for _ in range(2)]  # type: ignore[arg-type]
    assert len(known) == 1
    assert again[1].speed_ppm is again[0].speed_ppm


def test_what_is_missing_is_said() -> None:
    with pytest.raises(Missing, match="a PE serves two stages"):
        pipeline_tasks(chain("BLB", [1000, 800, 1000]))
    own = board()
    bare = own.model_copy(update={"runtimes": own.runtimes.model_copy(update={"pipeline": None})})
    with pytest.raises(Missing, match="no pipeline runtime"):
        pipeline_tasks(chain("BBB", [1000] * 3, on=bare))


# -- the event log around the NPU -------------------------------------------------------------------

QUIET = ("contention", "warm_up", "profiling", "stage_overhead")


def log_of(own: Chain, engine: EngineName) -> tuple[Pipeline, IntArray, IntArray]:
    """Tasks, and instants at which each starts and finishes in each frame, (F, N) ns."""
    pipeline = pipeline_tasks(own)
    plan = pipeline_plan(own, RUNTIME, pipeline)
    run = make_engine(engine, plan, log=True)
    run.feed(_draws(plan, FRAMES, 1.0), final=True)
    log = run.take_log()
    found = []
    for kind in (EventKind.START, EventKind.FINISH):
        rows = log[log[:, 1] == kind]
        times = np.zeros((FRAMES, plan.n_nodes), np.int64)
        times[rows[:, 2], rows[:, 3]] = rows[:, 0]
        found.append(times)
    return pipeline, found[0], found[1]


def by_hand(front: int, load: int, run: int, back: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Ends of front, load, NPU and back stage of each frame.

    The thread before the NPU starts to load frame i when it has computed it and when frame i - 2 has left the stage
    behind the NPU; only then does it go on to frame i + 1. The NPU runs one frame after the other, the stage behind it
    likewise.
    """
    fronts, loads, runs, backs = [], [], [], []
    for i in range(FRAMES):
        fronts.append((loads[-1] if i else 0) + front)
        loads.append(max(fronts[i], backs[i - 2] if i > 1 else 0) + load)
        runs.append(max(loads[i], runs[-1] if i else 0) + run)
        backs.append(max(runs[i], backs[-1] if i else 0) + back)
    return fronts, loads, runs, backs


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("slowest", ["front", "npu", "back"])
def test_three_stages_around_an_npu_follow_the_recursion(engine: EngineName, slowest: str) -> None:
    own = with_npu("BNG", off=QUIET)
    wanted = {"front": {"b": 6, "c": 5}, "npu": {"b": 90, "c": 5}, "back": {"b": 6, "c": 120}}[slowest]

    class Source:
        campaign = "lw"

        def layer(self, i: int, pe: str, clock_hz: int, host_hz: int) -> object:
            known = own.source.layer(i, pe, clock_hz, host_hz)
            name = "abc"[i]
            return known._replace(time_ns=wanted[name] * MS) if known and name in wanted else known

        def input(self, *_: object) -> None: ...

    pipeline, _, finish = log_of(replace(own, source=Source()), engine)  # type: ignore[arg-type]
    time = [task.time_ns for task in pipeline.tasks]
    fronts, loads, runs, backs = by_hand(time[0] + time[1], time[2], time[3], time[4] + time[5])
    assert finish[:, 1].tolist() == fronts
    assert finish[:, 2].tolist() == loads
    assert finish[:, 3].tolist() == runs
    assert finish[:, 5].tolist() == backs


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_harness_readings_by_hand(engine: EngineName) -> None:
    own = with_npu("BNG", off=QUIET)
    pipeline = pipeline_tasks(own)
    plan = pipeline_plan(own, RUNTIME, pipeline)
    run = make_engine(engine, plan, log=True)
    run.feed(_draws(plan, FRAMES, 1.0), final=True)
    found = read_harness(plan, pipeline, run.take_log())
    time = [task.time_ns for task in pipeline.tasks]
    _, loads, runs, backs = by_hand(time[0] + time[1], time[2], time[3], time[4] + time[5])
    # The NPU's thread is done when it hands over: its run is over and the stage behind has let the frame before go.
    handed = [max(runs[i], backs[i - 1] if i else 0) for i in range(FRAMES)]
    periods = [(ends[TIMED] - ends[0]) / TIMED / MS for ends in (loads, handed, backs)]
    assert found.period_ms == pytest.approx(max(periods))
    assert found.slowest == int(np.argmax(periods))
    begins = loads[LATENCY_FRAME - 1]
    assert found.latency_ms == pytest.approx((backs[LATENCY_FRAME] - begins) / MS)
    # The front stage sets the pace: it is never idle in the window, which ends with the first stage that is done.
    window = min(ends[TIMED] for ends in (loads, handed, backs)) - loads[0]
    assert window == loads[TIMED] - loads[0]
    front = (time[0] + time[2]) / sum(time[:3]) * 800 + time[1] / sum(time[:3]) * 1600
    others = 0.0
    for i in range(FRAMES):
        spans = [(loads[i], time[3], 100), (runs[i], time[4], 800), (runs[i] + time[4], time[5], 900)]
        for begin, length, mw in spans:
            inside = min(begin + length, loads[TIMED]) - max(begin, loads[0])
            others += max(inside, 0) * mw / window
    assert found.power_mw == pytest.approx(3000 + front + others, rel=1e-6)


def test_warm_up_stretches_the_first_frame_only() -> None:
    own = chain("BBB", [1000] * 3, off=["profiling"])
    pipeline = pipeline_tasks(own)
    plan = pipeline_plan(own, RUNTIME, pipeline)
    run = make_engine("compiled", plan, log=True)
    run.feed(_draws(plan, FRAMES, RUNTIME.warm_up), final=True)
    found = read_harness(plan, pipeline, run.take_log())
    whole = sum(task.time_ns for task in pipeline.tasks) / MS
    assert found.period_ms == pytest.approx(whole)
    assert found.latency_ms == pytest.approx(whole)
    assert run.take_records()[0, 2] == pytest.approx(1.5 * whole * MS)


def test_no_task_is_shorter_than_nothing() -> None:
    assert Task("x", 0, "B", {"layers": 2.0, "profiling": -5.0}).time_ns == 0
