from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import eesim
from eesim.plan.plan import EventKind
from eesim.report.perfetto import write_trace
from tests.test_report.runs import all_dropped, blocking, camera, wide
from tests.test_report.trace_format import nanoseconds, validate_trace


def trace_of(result: eesim.Result, folder: Path) -> Any:
    write_trace(result, folder / "trace.json")
    return json.loads((folder / "trace.json").read_text())


def of_phase(trace: Any, phase: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == phase]


SCENARIOS = {
    "camera": {},
    "loaded": {"stream.arrivals.rate": "110 Hz"},
    "nothing cancelled": {"policy": {"cancellation": "none"}},
    "stopped": {"policy": {"cancellation": "running"}, "stream.arrivals.rate": "90 Hz"},
    "subgraphs": {"policy": "coup-pipeline", "stream.arrivals.rate": "60 Hz"},
    "dropped on arrival": {
        "policy": {"queue": {"capacity": 0}, "frames_in_flight": 1},
        "stream.arrivals.rate": "1 kHz",
    },
    "closed loop": {"stream.arrivals": {"kind": "closed_loop"}, "policy": {"frames_in_flight": 2}},
    "batches": {"stream.arrivals": {"kind": "periodic", "rate": "1000 kHz"}},
}


@pytest.mark.parametrize("overrides", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_is_well_formed_and_has_every_episode(overrides, tmp_path):
    result = camera(overrides)
    trace, tasks = trace_of(result, tmp_path), result.tasks()
    assert validate_trace(trace) == []
    assert len(of_phase(trace, "X")) == len(tasks)
    arrived = int((result.log[:, 1] == EventKind.ARRIVE).sum())
    assert len(of_phase(trace, "b")) == len(of_phase(trace, "e")) == arrived


@pytest.mark.parametrize("charge", ["sender", "receiver", "link", "delay"])
def test_any_way_to_pay_for_transfers(charge, tmp_path):
    result = wide(tmp_path, n_pes=4, n_backbone=9, servers=2, charge=charge)
    trace = trace_of(result, tmp_path)
    assert validate_trace(trace) == []
    assert len(of_phase(trace, "X")) == len(result.tasks())


@pytest.mark.parametrize("make", [lambda _: all_dropped(), blocking, lambda _: camera(frames=1, replications=1)])
def test_odd_runs(make, tmp_path):
    assert validate_trace(trace_of(make(tmp_path), tmp_path)) == []


def test_time_served_on_each_server_is_that_of_the_task_table(tmp_path):
    result = wide(tmp_path, n_pes=3, n_backbone=8, servers=3, charge="delay")
    trace = trace_of(result, tmp_path)
    names = {e["tid"]: e["args"]["name"] for e in of_phase(trace, "M") if e["name"] == "thread_name" and e["pid"] == 1}
    served: dict[str, int] = defaultdict(int)
    for event in of_phase(trace, "X"):
        served[names[event["tid"]]] += nanoseconds(event["dur"])
    tasks = result.tasks()
    ended = tasks["end_ns"].fillna(int(result.log[-1, 0]))
    expected = (ended - tasks["start_ns"]).groupby(tasks["server"]).sum().to_dict()
    delays = sum(time for name, time in served.items() if name.startswith("delay "))
    assert delays == expected.pop("")
    assert {name: time for name, time in served.items() if not name.startswith("delay ")} == expected
    assert {"pe_number_0.0", "pe_number_0.1"} <= set(served)


def test_overlapping_delays_get_tracks_of_their_own(tmp_path):
    rules = {"stream.arrivals.rate": "1 kHz"}
    result = wide(tmp_path, rules, n_pes=2, n_backbone=2, exits=1, servers=8, charge="delay")
    names = {e["args"]["name"] for e in of_phase(trace_of(result, tmp_path), "M") if e["name"] == "thread_name"}
    assert "delay b1>pe_number_1" in names


def test_slices_say_what_they_are(tmp_path):
    trace = trace_of(camera(), tmp_path)
    first, *_, wasted = [e for e in of_phase(trace, "X") if e["args"]["frame"] == 0]
    assert first["name"] == "b1"
    assert first["cat"] == "segment"
    assert first["dur"] == 8090.0
    assert first["args"] == {
        "frame": 0,
        "exit": "exit1",
        "kind": "segment",
        "wait_us": 0.0,
        "status": "finished",
        "needed": True,
    }
    assert wasted["name"] == "b2"
    assert wasted["cat"] == "segment,wasted"
    assert wasted["args"]["needed"] is False


def test_frames_are_spans_from_arrival_to_answer(tmp_path):
    result = camera()
    trace, records = trace_of(result, tmp_path), result.records[0]
    begins = {e["args"]["frame"]: e for e in of_phase(trace, "b")}
    for frame, arrival, finish, exit_, *_ in records[:20].tolist():
        event = begins[frame]
        assert nanoseconds(event["ts"]) == arrival
        assert nanoseconds(event["args"]["latency_us"]) == finish - arrival
        assert event["name"] == f"frame {frame}: {result.lowered.labels.exits[exit_]}"


def test_arrows_go_along_the_task_graph(tmp_path):
    trace = trace_of(camera(), tmp_path)
    at = {(e["tid"], e["ts"]): e["name"] for e in of_phase(trace, "X")}
    flows: dict[str, list[str]] = defaultdict(list)
    for event in trace["traceEvents"]:
        if event["ph"] in "stf":
            flows[event["id"]].append(at[event["tid"], event["ts"]])
    # Frame 0 answers at exit 1: the branch, and the speculation that nobody needed.
    assert flows["0x1"] == ["b1", "b1>G", "e1"]
    assert flows["0x2"] == ["b1", "b1>L", "b2"]


def test_counters_end_where_the_log_leaves_them(tmp_path):
    result = camera({"stream.arrivals.rate": "110 Hz"})
    levels = {e["name"]: e["args"] for e in of_phase(trace_of(result, tmp_path), "C")}
    kinds = result.log[:, 1]
    in_flight = (kinds == EventKind.ADMIT).sum() - (kinds == EventKind.LEAVE).sum()
    assert levels["frames in flight"] == {"frames": in_flight}
    assert set(levels) == {f"waiting for {name}" for name in "BLGN"} | {"frames in flight"}
    assert all(value >= 0 for e in of_phase(trace_of(result, tmp_path), "C") for value in e["args"].values())


def test_says_where_it_comes_from(tmp_path):
    result = camera()
    trace = trace_of(result, tmp_path)
    assert trace["displayTimeUnit"] == "ms"
    assert trace["otherData"]["inputs_sha256"] == result.provenance["inputs_sha256"]
    assert trace["otherData"]["seed"] == "1"
    assert trace["otherData"]["eesim"] == result.provenance["eesim"]


def test_compressed_by_name_with_the_same_bytes_every_time(tmp_path):
    result = camera()
    for name in ("trace.json", "a.json.gz", "b.json.gz"):
        write_trace(result, tmp_path / name)
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()) == (tmp_path / "trace.json").read_bytes()
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_needs_the_log(tmp_path):
    with pytest.raises(ValueError, match="log_frames"):
        write_trace(camera(log_frames=0), tmp_path / "trace.json")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        write_trace(camera(), tmp_path / "nowhere" / "trace.json")
    assert error.value.filename == str(tmp_path / "nowhere" / "trace.json")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda events: events.append({"ph": "Q"}), "unknown phase"),
        (lambda events: next(e for e in events if e["ph"] == "X").update(dur=-1.0), "dur is -1.0"),
        (lambda events: next(e for e in events if e["ph"] == "X").update(dur=8200.0), "overlaps"),
        (lambda events: events.remove(next(e for e in events if e["ph"] == "e")), "never ends"),
        (lambda events: events.remove(next(e for e in events if e["ph"] == "s")), "flow"),
        (lambda events: next(e for e in events if e["ph"] == "f").pop("bp"), "binds"),
        (lambda events: next(e for e in events if e["ph"] == "X").update(tid=99), "has no name"),
    ],
)
def test_the_validator_finds_what_is_wrong(change, problem, tmp_path):
    trace = trace_of(camera(), tmp_path)
    change(trace["traceEvents"])
    assert any(problem in found for found in validate_trace(trace))
