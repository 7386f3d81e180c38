"""A simulated and a measured run in one trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eesim.cli.main import main
from eesim.report.measured_track import MEASURED, layer_names
from tests.scenarios import CAMERA
from tests.test_report.trace_format import validate_trace
from tests.test_validate.coup_logs import Log, write_log

SETTINGS = ("7-[4,7]-5-[4,7]-5-[4,7]-5", "0-[0,0]-0-[0,0]-0-[0,0]-0")
FEW = ("--set", "run.frames=50", "--set", "requirements={}")


def write(folder: Path, log: Log) -> Path:
    path = folder / "time_ee_X.txt"
    path.write_text(write_log(log), encoding="utf-8")
    return path


def trace(folder: Path, log: Log, *options: str) -> dict[str, Any]:
    out = folder / "trace.json"
    arguments = ["show", "trace", str(CAMERA), "--measured", str(write(folder, log)), "-o", str(out), *FEW, *options]
    assert main(arguments) == 0
    data: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert validate_trace(data) == []
    return data


def bars(data: dict[str, Any], pid: int = MEASURED) -> list[dict[str, Any]]:
    return [event for event in data["traceEvents"] if event["ph"] == "X" and event["pid"] == pid]


def test_two_groups_of_processes(tmp_path: Path) -> None:
    data = trace(tmp_path, Log(order="BGLGLGL", mode="whole", settings=SETTINGS))
    names = [e["args"]["name"] for e in data["traceEvents"] if e["name"] == "process_name"]
    assert sorted(name.split()[0] for name in names) == ["measured", "simulated", "simulated"]
    measured, simulated = bars(data), bars(data, 1)
    layers = [bar["name"] for bar in measured if bar["args"]["kind"] == "layer"]
    assert layers == ["b1", "e1", "b2", "e2", "b3", "e3", "b4"]
    assert set(layers) <= {bar["name"] for bar in simulated}
    assert measured[0]["ts"] == min(bar["ts"] for bar in simulated), "the same origin"
    assert "reconstructed" in data["otherData"]["measured timeline"]
    assert data["otherData"]["measured run"] == f"0: {SETTINGS[0]}"


def test_bars_are_the_log_s_times(tmp_path: Path) -> None:
    data = trace(tmp_path, Log(order="BGLGLGL", mode="whole", settings=SETTINGS), "--run", "1")
    text = write_log(Log(order="BGLGLGL", mode="whole", settings=SETTINGS))
    second = text[text.index("1 Running") :]
    times = [float(line.split("time: ")[1]) for line in second.split("\n") if line.startswith("Layer Number")]
    durations = [bar["dur"] / 1000 for bar in bars(data) if bar["args"]["kind"] == "layer"]
    assert durations == pytest.approx(times, abs=1e-6)
    assert data["otherData"]["measured run"].startswith("1: ")


def test_the_lone_relu_of_ee_resnet18() -> None:
    segments = ("b1", "e1", "b2", "e2", "b3", "e3", "b4")
    assert layer_names("BBGLGLGL", segments) == ("b1", "b1 (last ReLU)", *segments[1:])
    assert layer_names("BBB", segments) is None


def test_layers_that_are_no_segments_have_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = trace(tmp_path, Log(order="BNN", settings=("0-0-0",)))
    assert [bar["name"] for bar in bars(data)] == ["input", "layer 0", "send of layer 0", "layers 1 to 2", "output"]
    assert "the log has 3 layers, ee_resnet18 7 segments" in capsys.readouterr().err


def test_without_a_log_the_simulated_run_is_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both, alone = trace(tmp_path, Log(order="BGLGLGL", settings=SETTINGS[:1])), tmp_path / "alone.json"
    assert main(["show", "trace", str(CAMERA), "-o", str(alone)]) == 0
    assert f"wrote {alone}: 10 frames" in capsys.readouterr().err
    events = json.loads(alone.read_text())["traceEvents"]
    assert {event["pid"] for event in events} < {event["pid"] for event in both["traceEvents"]}
    assert [event["name"] for event in events if event.get("ph") == "X"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("trace", "CAMERA"), "-o: is missing"),
        (("trace", "CAMERA", "-o", "OUT", "--run", "1"), "--run: is a run of a log"),
        (("trace", "CAMERA", "--measured", "LOG", "-o", "nowhere/x.json"), "its directory does not exist"),
        (
            ("trace", "CAMERA", "--measured", "LOG", "-o", "OUT", "--run", "7"),
            "has no run 7 that can be trusted",
        ),
        (("trace", "CAMERA", "--measured", "LOG", "-o", "OUT", "--json"), "--json: means nothing"),
        (("trace", "CAMERA", "--measured", "NONE", "-o", "OUT"), "cannot be read"),
        (("board", "rk3399pro", "--measured", "LOG"), "--measured: belongs to `eesim show trace`"),
    ],
)
def test_what_cannot_be_shown_is_status_2(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(tmp_path, Log(order="BGLGLGL", settings=SETTINGS[:1]))
    names = {
        "CAMERA": str(CAMERA),
        "LOG": str(log),
        "OUT": str(tmp_path / "t.json"),
        "NONE": str(tmp_path / "none.txt"),
    }
    assert main(["show", *(names.get(option, option) for option in options)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()
