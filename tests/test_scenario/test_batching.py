"""Batches: what a user may write, and what comes out of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import eesim
from eesim.errors import InputError
from eesim.explore.candidates import unsupported
from eesim.metrics.bounds import paths_of
from eesim.plan.lower import lower
from eesim.report.tables import print_result
from eesim.report.words import policy_words
from eesim.sweeps.columns import metrics_of
from tests.scenarios import camera

LAW = {"fixed_share": 0.5, "origin": {"kind": "assumed"}}
ON_G = {"board": {"extends": "rk3399pro", "pes": {"G": {"batch_law": LAW}}}, "mapping": {"segments": "GGGGGGG"}}
FOUR = {"pes": {"G": {"size": 4}}}
FULL_LOAD = {
    "requirements": {},
    "policy": {"preset": "sequential", "batching": FOUR, "frames_in_flight": 40},
    "stream.arrivals": {"kind": "closed_loop"},
    "stream.exits": {"kind": "fixed", "exit": 4},
    "run": {"frames": 4000, "warmup": 400, "replications": 2, "seed": 1},
}


def batched(**changes: Any) -> eesim.Scenario:
    return camera({**ON_G, **FULL_LOAD, **{key.replace("__", "."): value for key, value in changes.items()}})


def problems(**changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        batched(**changes)
    return str(caught.value)


def test_a_full_load_is_served_at_the_bound() -> None:
    """The least share is that of a batch of four: 2.5 / 4 of the time of one."""
    found = eesim.run(batched())
    alone = eesim.run(batched(policy__batching=None))
    assert found.bounds.throughput_fps == pytest.approx(alone.bounds.throughput_fps * 4 / 2.5, rel=1e-6)
    assert found.bounds.mean_latency_ns == alone.bounds.mean_latency_ns
    assert found.value("throughput_fps") == pytest.approx(found.bounds.throughput_fps, rel=5e-3)
    assert alone.value("throughput_fps") == pytest.approx(alone.bounds.throughput_fps, rel=5e-3)
    assert found.value("batch_size.G") == pytest.approx(4, rel=5e-3)
    assert found.value("utilisation.G") == pytest.approx(1, abs=1e-3)
    assert (found.to_dict()["batch_size"], alone.to_dict()["batch_size"]) == ({"G": found.value("batch_size.G")}, {})
    # The GPU draws the same power all the time, for so many more frames.
    of_gpu = [r.value("energy_mj_per_frame.compute") or 0 for r in (found, alone)]
    assert of_gpu[0] == pytest.approx(of_gpu[1] * 2.5 / 4, rel=5e-3)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_no_simulation_beats_its_bounds(size: int) -> None:
    changes = {"policy.batching": {"pes": {"G": {"size": size, "wait": "2 ms"}}}, "stream.noise": None}
    found = eesim.run(camera({**ON_G, **FULL_LOAD, **changes, "stream.arrivals": {"kind": "poisson", "rate": "90 Hz"}}))
    # From the first answer to the last: all of the first and of the last batch are counted, too.
    edge = 1 + 2 * size / found.replications[0].measured_frames
    assert (found.value("throughput_fps") or 0) <= found.bounds.throughput_fps * edge
    assert (found.value("latency_ms.mean") or 0) >= found.bounds.mean_latency_ns / 1e6


def test_exits_thin_the_batch() -> None:
    """Of the frames of a batch, only those that go on meet again."""
    exits = {"kind": "shares", "shares": ["75 %", "0 %", "0 %", "25 %"]}
    changes = {"stream.exits": exits, "stream.arrivals": {"kind": "poisson", "rate": "60 Hz"}}
    tasks = eesim.run(camera({**ON_G, **FULL_LOAD, **changes}), replications=1, log_frames=3000).tasks()
    sizes = tasks[tasks["task"].isin(["b1", "b2"])].groupby(["task", "start_ns"]).size().groupby("task").mean()
    assert sizes["b1"] > 1.5 * sizes["b2"] > 1.5
    assert tasks.groupby(["start_ns", "server"])["task"].nunique().max() == 1


def test_times_of_batches_are_rounded_once() -> None:
    plan = lower(batched()).plan
    assert plan.node_batch.tolist() == [4] * plan.n_nodes
    one, two = plan.node_work_ns[:, 0].tolist(), plan.batch_work_ns[:, 0, 0].tolist()
    assert two == [round(time * 3 / 2) for time in one]
    table = {**LAW, "factors": [1, 1, 2.25, 7]}
    del table["fixed_share"]
    plan = lower(batched(board__pes__G__batch_law=table)).plan
    assert plan.batch_work_ns[0, 0].tolist() == [one[0], round(one[0] * 9 / 4), 7 * one[0]]
    # A batch of four is worse than two of two.
    assert paths_of(plan).work_ns[0] == one[0] / 2


def test_several_streams_share_the_batches_of_a_pe() -> None:
    twice = {"streams": [{"name": "one"}, {"name": "two"}], "stream.arrivals": {"kind": "periodic", "rate": "15 Hz"}}
    found = eesim.run(camera({**ON_G, **FULL_LOAD, **twice}))
    both = [found.value(f"stream.{name}.utilisation.G") or 0 for name in ("one", "two")]
    assert sum(both) == pytest.approx(found.value("utilisation.G") or 0)
    other = {"streams": [{"name": "one"}, {"name": "two", "policy": {"batching": {"pes": {"G": {"size": 2}}}}}]}
    with pytest.raises(InputError, match="batching"):
        camera({**ON_G, **FULL_LOAD, **twice, **other})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy__batching": {"pes": {"H": {"size": 2}}}}, "has no PE 'H'"),
        ({"policy__batching": {"pes": {"L": {"size": 2}}}}, "does not say how long a batch takes on L"),
        ({"policy__batching": {"pes": {}}}, "must not be empty"),
        ({"policy__batching": {"pes": {"G": {"size": 0}}}}, "size"),
        ({"policy__batching": {"pes": {"G": {"size": 2, "wait": "2 h"}}}}, "wait"),
        ({"policy__batching": {"pes": {"G": {"size": 2, "wiat": "2 ms"}}}}, "wait"),
        ({"policy__cancellation": "running"}, "cancellation running"),
        ({"policy__stage_queue": {"capacity": 3}}, "stage_queue that blocks"),
        ({"policy__stage_queue": {"pes": {"B": {"bytes": "1 MB"}}}}, "stage_queue that blocks"),
        ({"board__pes__G__servers": 2}, "has 2 servers"),
        ({"board__exclusive": [["G", "B"]]}, "exclusive group"),
        ({"board__pes__G__batch_law": {"origin": {"kind": "assumed"}}}, "either fixed_share or factors"),
        ({"board__pes__G__batch_law": {**LAW, "factors": [1, 2]}}, "either fixed_share or factors"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    assert message in problems(**changes)


def test_tables_of_factors_are_checked() -> None:
    def with_table(*factors: float) -> str:
        return problems(board__pes__G__batch_law={"factors": list(factors), "origin": {"kind": "assumed"}})

    assert "has factors for up to 3" in with_table(1, 1.5, 2)
    assert "must be 1" in with_table(2, 2, 2, 2)
    assert "must not be below" in with_table(1, 3, 2, 4)


def test_batches_of_one_need_nothing() -> None:
    one = {"pes": {"L": {"size": 1, "wait": "5 ms"}}}
    found = batched(policy__batching=one, policy__cancellation="running", policy__stage_queue={"capacity": 3})
    assert lower(found).plan.node_batch.max() == 1
    assert lower(found).plan.batch_wait_ns.max() == 0


def test_the_search_simulates_such_designs_one_by_one() -> None:
    assert "batching" in unsupported(batched(stream__arrivals={"kind": "periodic", "rate": "30 Hz"}))


def test_it_is_told() -> None:
    scenario = batched(policy__batching={"pes": {"G": {"size": 4, "wait": "3 ms"}}})
    assert "batching: up to 4 on G after 3 ms at most" in policy_words(scenario.policy)
    found = eesim.run(scenario)
    out = io.StringIO()
    print_result(found, Console(file=out, width=120))
    assert "mean batch on G" in out.getvalue()
    names = metrics_of(found.lowered)
    assert "batch_size.G" in names
    assert set(names) == set(found.estimates)
    estimate = found.estimates["batch_size.G"]
    assert None not in (estimate.ci_low, estimate.ci_high)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_shipped_example() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "batching.yaml"
    short = ["run.replications=2", "run.frames=4000"]
    in_batches = eesim.run(eesim.load(path, short))
    one_by_one = eesim.run(eesim.load(path, [*short, "policy.batching=null"]))
    assert (in_batches.value("drop_rate") or 0) < 0.01 < (one_by_one.value("drop_rate") or 0)
    assert (in_batches.value("latency_ms.mean") or 0) < (one_by_one.value("latency_ms.mean") or 0) / 2


def test_a_policy_that_was_found_can_be_written_again() -> None:
    policy = batched(policy__batching={"pes": {"G": {"size": 4, "wait": "3 ms"}}}).policy
    assert policy.batching is not None
    written = policy.batching.model_dump()
    assert written == {"pes": {"G": {"size": 4, "wait": "3000000 ns"}}}
    assert type(policy.batching).model_validate(written) == policy.batching
