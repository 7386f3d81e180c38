"""Output of Pipe-All and of the n-pipe examples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eesim.errors import InputError
from eesim.validate.importers import import_path
from eesim.validate.importers.protocol import Imported

PIPEALL = """
./graph_squeezenet_all_pipe_sync

Threads : 2
Small Cores Threads : 4
Target : Neon
Data type : F32
Partition point is : 3
Second partition point is : 5
Order is : B-G-L
Total number of cores is : 6
Run network for 10 times.

First partition point:3
Second partition point:5
Total parts:10

stage1_input_time: 0.0021 ms
stage1_inference_time: 80.25 ms
stage1_total_time: 80.2521 ms

stage2_input_time: 59.5 ms
stage2_inference_time: 40.125 ms
stage2_total_time: 99.625 ms

stage3_input_time: 50 ms
stage3_inference_time: 30.5 ms
stage3_total_time: 80.5 ms
************************************************
Frame rate is: 10.0376 FPS
Frame latency is: 260.377 ms

Test passed
"""

NPIPE = """
./graph_alexnet_n_pipe_npu
Number of little cores is : 4
Number of big cores is : 2
Order is : BBNNL
GPU host is: B
NPU host is: L
Running Graph with Frequency: 0-1-2
Cost0:30.1
input0_time:10.5
task0_time:20
output0_time:0.25
total0_time:30.75
Cost1:5
input1_time:1
task1_time:4
output1_time:0.5
total1_time:5.5
input2_time:2 task2_time:8 output2_time:0.5 total2_time:10.5
NPU subgraph: 1 --> Cost: 5
Frame Latency: 46.75
Running Graph with Frequency: 7-7-7
input0_time:1 task0_time:2 output0_time:0.25 total0_time:3.25
input1_time:1 task1_time:2 output1_time:0.25 total1_time:3.25
input2_time:1 task2_time:2 output2_time:0.25 total2_time:3.25
Frame Latency: 9.75
Test passed
"""


def read(folder: Path, text: str, **options: Any) -> Imported:
    path = folder / "output.txt"
    path.write_text(text, encoding="utf-8")
    return import_path("pipeall-log", path, **options).found


def test_pipe_all(tmp_path: Path) -> None:
    found = read(tmp_path, PIPEALL)
    (run,) = found.tables["pipeline_runs"]
    assert (run["graph"], run["order"], run["n_stages"]) == ("squeezenet_v1", "BBBGGLLLLL", 3)
    assert (run["latency_ms"], run["period_ms"], run["board"]) == (260.377, 99.625, "rk3399pro")
    stages = [(s["pe"], s["first_layer"], s["last_layer"], s["total_time_ms"]) for s in found.tables["stage_times"]]
    assert stages == [("B", 0, 2, 80.2521), ("G", 3, 4, 99.625), ("L", 5, 9, 80.5)]
    assert (found.tally.unknown_lines, found.tally.skipped_records) == (0, 0)


def test_n_pipe_with_several_runs(tmp_path: Path) -> None:
    found = read(tmp_path, NPIPE)
    first, second = found.tables["pipeline_runs"]
    assert (first["setting"], first["order"], first["npu_host"]) == ("0-1-2", "BBNNL", "L")
    assert (first["period_ms"], first["latency_ms"]) == (30.75, 46.75)
    assert (second["period_ms"], second["latency_ms"]) == (3.25, 9.75)
    outputs = [row["output_time_ms"] for row in found.tables["stage_times"]]
    assert outputs == [0.25, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert found.tally.unknown_lines == 0


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("stage2_total_time: 99.625 ms\n", "", "stages are missing"),
        ("stage2_inference_time: 40.125 ms\n", "", "stages are missing"),
        ("stage3", "stage4", "stages are missing"),
        ("stage2_inference_time: 40.125", "stage2_inference_time: 41.125", "do not add up to its total"),
        ("stage3_total_time: 80.5", "stage3_total_time: 81.5", "do not add up to its total"),
        ("is: 260.377", "is: 261.377", "not the sum of the stages"),
        ("is: 10.0376", "is: 10.9376", "does not fit the slowest stage"),
        ("Frame rate is: 10.0376 FPS\n", "", "truncated: no frame rate"),
        ("Frame latency is: 260.377 ms\n", "", "truncated: no latency"),
        ("stage1_input_time: 0.0021", "stage1_input_time: nan", "no time"),
    ],
)
def test_a_damaged_run_is_left_out(old: str, new: str, reason: str, tmp_path: Path) -> None:
    assert old in PIPEALL
    with pytest.raises(InputError, match=re.escape(reason)):
        read(tmp_path, PIPEALL.replace(old, new))
    # Beside a good one, only the damaged run is missing.
    twice = PIPEALL + PIPEALL.replace(old, new)
    found = read(tmp_path, twice)
    assert len(found.tables["pipeline_runs"]) == 1


def test_digits_of_a_n_pipe_run_are_checked(tmp_path: Path) -> None:
    for old, new in (("task0_time:20", "task0_time:21"), ("Latency: 46.75", "Latency: 146.75")):
        assert len(read(tmp_path, NPIPE.replace(old, new)).tables["pipeline_runs"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Total parts:10", "Total parts:5", "do not fit"),
        ("Partition point is : 3", "Partition point is : 4", "contradicts itself about `first_part`"),
        ("Order is : B-G-L\n", "", "does not say which stage ran on which PE"),
        ("./graph_squeezenet_all_pipe_sync", "", "use --graph NAME"),
        ("Order is : B-G-L", "Order is : B-B-L", "do not fit"),
    ],
)
def test_an_output_that_does_not_say_enough_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path, PIPEALL.replace(old, new))


def test_threads_give_the_board_away(tmp_path: Path) -> None:
    khadas = PIPEALL.replace("Threads : 2", "Threads : 4", 1).replace(
        "Small Cores Threads : 4", "Small Cores Threads : 2"
    )
    with pytest.raises(InputError, match=r"4 big and 2 little threads \(khadas\)"):
        read(tmp_path, khadas)
    assert read(tmp_path, khadas, allow_board="khadas").tables["pipeline_runs"][0]["board"] == "khadas"
    other = PIPEALL.replace("Threads : 2", "Threads : 3", 1)
    assert read(tmp_path, other).tables["pipeline_runs"][0]["board"] == ""
