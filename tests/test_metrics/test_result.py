"""Results: tables of frames and tasks, metrics that follow from them, and what is handed out as plain data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.metrics.observe import PARTS
from eesim.metrics.result import Result
from eesim.plan.plan import EventKind
from tests.scenarios import (
    COUNTS,
    FAR_APART,
    MS,
    NO_PHYSICS,
    PAIR,
    board_data,
    camera,
    everywhere,
    network_data,
    scenario_of,
)

BUSY = {
    "stream.arrivals": {"kind": "poisson", "rate": "60 Hz"},
    "run": {"frames": 3000, "warmup": "none", "replications": 1},
    "requirements": {},
}
DROPPING = {**BUSY, "policy.queue": {"capacity": 1, "full": "drop_newest"}, "policy.frames_in_flight": 1}


def frames_of(overrides: dict[str, Any]) -> tuple[Result, pd.DataFrame]:
    result = eesim.run(camera(overrides), keep_frames=True)
    return result, result.frames()


def answered(frames: pd.DataFrame) -> pd.DataFrame:
    rows = frames[frames["status"] == "answered"]
    return rows.assign(latency=rows["finish_ns"].astype("int64") - rows["arrival_ns"])


# -- frames -------------------------------------------------------------------------------------------------


def test_every_frame_has_a_row_in_the_order_of_the_stream() -> None:
    _, frames = frames_of({**BUSY, "run.replications": 3, "run.frames": 500})
    assert frames["frame"].tolist() == list(range(500)) * 3
    assert frames["replication"].tolist() == [0] * 500 + [1] * 500 + [2] * 500
    assert frames.groupby("replication")["arrival_ns"].is_monotonic_increasing.all()


def test_the_parts_of_a_latency_add_up_to_it() -> None:
    result, frames = frames_of(BUSY)
    rows = answered(frames)
    parts = rows[[f"{part}_ns" for part in PARTS]]
    assert (parts >= 0).all(axis=None)
    assert parts.sum(axis=1).tolist() == rows["latency"].tolist()
    assert sum(result.value(f"parts_ms.{part}") or 0 for part in PARTS) == pytest.approx(
        result.value("latency_ms.mean")
    )
    for part in PARTS:
        assert result.value(f"parts_ms.{part}") == pytest.approx(parts[f"{part}_ns"].mean() / MS)


def test_dropped_frames_have_no_answer() -> None:
    result, frames = frames_of(DROPPING)
    dropped = frames[frames["status"] == "dropped"]
    assert 0 < len(dropped) < len(frames)
    assert dropped[["finish_ns", "exit"]].isna().all(axis=None)
    assert (dropped[[f"{part}_ns" for part in PARTS]] == 0).all(axis=None)
    assert result.value("drop_rate") == pytest.approx(len(dropped) / len(frames))


def test_exits_are_numbered_as_in_the_network_where_some_are_disabled() -> None:
    _, frames = frames_of({**FAR_APART, "mapping.exits": ["exit2"]})
    # 8,222 frames of exit 1 leave at exit 2, 294 of exit 3 at the final one.
    assert frames["exit"].value_counts().to_dict() == {2: COUNTS[0] + COUNTS[1], 4: COUNTS[2] + COUNTS[3]}


def test_metrics_follow_from_the_frames() -> None:
    result, frames = frames_of({**BUSY, "requirements": {"deadline": "25 ms"}})
    rows = answered(frames)
    latency = rows["latency"].to_numpy()
    assert result.value("latency_ms.mean") == pytest.approx(latency.mean() / MS)
    assert result.value("latency_ms.max") == latency.max() / MS
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert result.value(f"latency_ms.{name}") == np.quantile(latency, share, method="inverted_cdf") / MS
    assert result.value("deadline_miss_rate") == (latency > 25 * MS).mean()
    for number, name in enumerate(result.lowered.labels.exits, 1):
        own = latency[rows["exit"].to_numpy() == number]
        assert result.value(f"exit_share.{name}") == len(own) / len(latency)
        assert result.value(f"exit_latency_ms.{name}") == pytest.approx(own.mean() / MS)
    finish = np.sort(rows["finish_ns"].to_numpy(np.int64))
    assert result.value("period_ms") == pytest.approx(np.diff(finish).mean() / MS)
    assert result.value("throughput_fps") == pytest.approx(1e9 / np.diff(finish).mean())


def test_frames_that_were_not_kept_cannot_be_had() -> None:
    result = eesim.run(camera({**FAR_APART, "run.frames": 10}), keep_frames=False)
    with pytest.raises(ValueError, match="keep_frames"):
        result.frames()
    with pytest.raises(ValueError, match="log_frames"):
        result.tasks()


def test_accuracy_is_that_of_the_exits_that_answered() -> None:
    accuracy = [0.9, 0.8, 0.7, 0.6]
    exits = {"kind": "counts", "counts": list(COUNTS), "accuracy": accuracy}
    overrides = {**FAR_APART, "stream.exits": exits}
    all_on = eesim.run(camera(overrides)).value("accuracy")
    assert all_on == pytest.approx(np.dot(COUNTS, accuracy) / sum(COUNTS))
    # Frames of exit 1 leave at exit 2 and are as right as answers there.
    some = eesim.run(camera({**overrides, "mapping.exits": ["exit2", "exit3"]})).value("accuracy")
    assert some == pytest.approx(np.dot(COUNTS, [0.8, 0.8, 0.7, 0.6]) / sum(COUNTS))


def test_an_exit_that_nobody_takes_has_no_latency() -> None:
    result = eesim.run(camera({**FAR_APART, "run.frames": 10, "stream.exits": {"kind": "fixed", "exit": 4}}))
    assert result.value("exit_share.exit1") == 0
    assert result.value("exit_latency_ms.exit1") is None
    assert result.value("accuracy") is None


# -- Little's law -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overrides", [BUSY, {**BUSY, **NO_PHYSICS, "policy": "coup-switch"}])
def test_littles_law(overrides: dict[str, Any]) -> None:
    result = eesim.run(camera({**overrides, "stream.arrivals.rate": "18 Hz"}), log_frames=3000)
    rows = answered(result.frames())
    # Frames in the system over time: one more at each arrival, one less at each answer.
    instants = np.concatenate([rows["arrival_ns"].to_numpy(), rows["finish_ns"].to_numpy(np.int64)])
    change = np.repeat([1, -1], len(rows))
    order = np.argsort(instants, kind="stable")
    area = int(np.sum(np.cumsum(change[order])[:-1] * np.diff(instants[order])))
    assert area == rows["latency"].sum()
    # The event log tells the same story.
    assert result.log is not None
    log = result.log[np.isin(result.log[:, 1], [EventKind.ARRIVE, EventKind.ANSWER])]
    steps = np.where(log[:, 1] == EventKind.ARRIVE, 1, -1)
    assert int(np.sum(np.cumsum(steps)[:-1] * np.diff(log[:, 0]))) == area
    mean_in_system = area / (instants.max() - instants.min())
    throughput, latency = result.value("throughput_fps"), result.value("latency_ms.mean")
    assert throughput is not None
    assert latency is not None
    # Throughput is taken from the first to the last answer, the number from the first arrival: 1 part in 3,000.
    assert throughput * latency / 1000 == pytest.approx(mean_in_system, rel=0.002)


# -- utilisation, waste -------------------------------------------------------------------------------------


def test_utilisation_and_waste_by_hand() -> None:
    # b1 on B 4 ms, e1 on G 2 ms answers at 6; b2 on L is done at 10 ms, in vain. A frame each 20 ms.
    board = board_data()
    times = everywhere(board, {"b1": 4, "e1": 2, "b2": 6})
    stream = {"arrivals": {"kind": "periodic", "period": "20 ms"}, "exits": {"kind": "fixed", "exit": 1}}
    scenario = scenario_of(
        board, network_data(*PAIR), times, "BGL", stream=stream, physics={"transfers": False},
        run={"frames": 11, "warmup": "none", "replications": 1},
    )  # fmt: skip
    result = eesim.run(scenario)
    length = 10 * 20 + 10
    for name, busy in (("B", 4), ("G", 2), ("L", 6)):
        assert result.value(f"utilisation.{name}") == pytest.approx(11 * busy / length)
    assert [result.value(f"wasted_ms_per_frame.{name}") for name in "BGL"] == [0, 0, pytest.approx(6)]
    assert result.value("period_ms") == pytest.approx(20)
    assert result.value("latency_ms.mean") == pytest.approx(6)


# -- tasks --------------------------------------------------------------------------------------------------


def test_every_service_is_a_row_of_tasks() -> None:
    last = {**FAR_APART, "run.frames": 1, "stream.exits": {"kind": "fixed", "exit": 4}}
    result = eesim.run(camera(last), log_frames=1)
    tasks = result.tasks()
    assert tasks.sort_values("start_ns", kind="stable")["task"].tolist() == tasks["task"].tolist()
    assert sorted(tasks["task"]) == sorted(["b1", "e1", "b2", "e2", "b3", "e3", "b4"])
    by_task = tasks.set_index("task")
    # 8.09 ms of b1 on B, then e1 on G and b2 on L at once.
    assert by_task.loc["b1", ["start_ns", "end_ns", "resource"]].tolist() == [0, 8_090_000, "B"]
    assert by_task.loc["e1", ["start_ns", "end_ns", "resource"]].tolist() == [8_090_000, 13_380_000, "G"]
    assert by_task.loc["b2", ["start_ns", "end_ns", "resource"]].tolist() == [8_090_000, 15_300_000, "L"]
    assert set(tasks["status"]) == {"finished"}
    assert (tasks["ready_ns"] <= tasks["start_ns"]).all()


def test_services_of_a_pe_do_not_overlap() -> None:
    result = eesim.run(camera({**BUSY, "run.frames": 300}), log_frames=300)
    for _, rows in result.tasks().groupby("server"):
        own = rows.sort_values("start_ns")
        assert (own["start_ns"].to_numpy()[1:] >= own["end_ns"].to_numpy(np.int64)[:-1]).all()


def test_tasks_that_were_stopped_or_still_run_say_so() -> None:
    stopping = {"preset": "cooperative", "cancellation": "running", "abort_at": "once"}
    result = eesim.run(camera({**BUSY, "run.frames": 300, "policy": stopping}), log_frames=100)
    assert set(result.tasks()["status"]) == {"finished", "stopped", "running"}
    running = result.tasks().query("status == 'running'")
    assert running["end_ns"].isna().all()


def test_a_pure_delay_is_served_by_nobody() -> None:
    result = eesim.run(camera({**BUSY, "run.frames": 5, "board.transfers.charge": "delay"}), log_frames=5)
    delays = result.tasks().query("kind == 'transfer'")
    assert len(delays) > 0
    assert set(delays["resource"]) == {"delay"}
    assert set(delays["server"]) == {""}


# -- plain data ---------------------------------------------------------------------------------------------


def test_a_result_is_plain_json_without_nan() -> None:
    result = eesim.run(camera({**FAR_APART, "run.frames": 3, "stream.exits": {"kind": "fixed", "exit": 1}}))
    data = result.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_a_run_without_answers_is_plain_json_too() -> None:
    # Nothing can wait and one frame at a time: with a frame in flight for ever, all others are dropped.
    overrides = {**DROPPING, "policy.queue.capacity": 0, "run.frames": 50, "run.warmup": 10}
    slow = {"stream.arrivals": {"kind": "periodic", "rate": "1000000 kHz"}, "requirements": {"p99_latency": "1 s"}}
    result = eesim.run(camera({**overrides, **slow}))
    data = result.to_dict()
    json.dumps(data, allow_nan=False)
    assert data["drop_rate"] == 1
    assert data["latency_ms"]["mean"]["value"] is None
    assert data["energy_mj_per_frame"]["total"] is None
    assert data["requirements"][0]["met"] is False


def test_estimates_are_those_of_the_replications() -> None:
    result = eesim.run(camera({**BUSY, "run.replications": 4, "run.frames": 500}))
    means = [r.values["latency_ms.mean"] for r in result.replications]
    found = result.estimates["latency_ms.mean"]
    assert found.value == pytest.approx(np.mean(means))
    assert len(set(means)) == 4
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < found.value < found.ci_high
