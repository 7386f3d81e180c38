"""``eesim sensitivity`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from eesim.scenario.library import scenario_folder
from tests.scenarios import CAMERA, CAMERAS
from tests.test_cli.commands import eesim, here

FEW = ("--frames", "200", "--replications", "2")
STUDY = scenario_folder() / "studies" / "mappings_on_plausible_boards.yaml"
PLAUSIBLE = scenario_folder() / "studies" / "plausible_ee_resnet18.yaml"


def test_every_number_by_default() -> None:
    done = eesim("sensitivity", CAMERA, *FEW, "--json")
    assert done.status == 0
    assert "one at a time: " in done.err
    data = done.json()
    assert data["metric"] == "latency_ms.mean"
    assert data["parameters"][0]["path"] == "profile.times.b1.B"
    assert {"path", "low", "high", "effect"} <= set(data["parameters"][0])
    assert "profile.times.b1.G" in data["no_effect"]
    assert "board.pes.B.idle_power.value" in data["invalid"]


def test_ranges_and_what_has_no_effect(capsys: pytest.CaptureFixture[str]) -> None:
    ranges = ("--range", "profile.times.b1.B=+-10%", "--range", "profile.times.b1.G=1..2 ms")
    done = here(capsys, "sensitivity", CAMERA, *FEW, *ranges)
    assert done.status == 0
    assert "+1.618 ms" in done.out
    assert "Not read by this run (1)" in done.out
    assert "- profile.times.b1.G" in done.out


def test_several_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = ("--metric", "p99_latency", "--metric", "energy")
    done = here(capsys, "sensitivity", CAMERA, *FEW, *metrics, "--range", "board.base_power.value=+-10%", "--json")
    (parameter,) = done.json()["parameters"]
    assert list(parameter["metrics"]) == ["latency_ms.p99", "energy_mj_per_frame.total"]
    assert parameter["effect"] == 0
    assert parameter["metrics"]["energy_mj_per_frame.total"]["effect"] > 0


def test_sobol(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ranges = ("--range", "profile.times.b1.B=8 ms..9 ms", "--range", "profile.times.e1.G=5..6 ms")
    done = here(capsys, "sensitivity", CAMERA, "--frames", 50, *ranges, "--sobol", 8, "-o", tmp_path)
    assert done.status == 0
    assert "Sobol's indices" in done.out
    assert {path.name for path in tmp_path.iterdir()} == {
        "command.json", "sensitivity.json", "parameters.csv", "sobol.csv", "tornado.png", "tornado.svg", "sobol.png",
        "sobol.svg",
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "sobol.csv")) == 2
    assert "inputs_sha256" in json.loads((tmp_path / "sensitivity.json").read_text())["provenance"]


def test_plausible_inputs_as_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "sensitivity", CAMERA, *FEW, "--plausible", PLAUSIBLE, "--json")
    found = {parameter["path"]: parameter for parameter in done.json()["parameters"]}
    assert len(found) == 34
    assert found["board.contention.pairs.B.G"]["low"] == 1.0
    assert found["board.contention.pairs.B.G"]["high"] == 1.6


def test_candidates_on_plausible_boards(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    few = ("-n", 4, "--frames", 100, "--replications", 2)
    done = here(
        capsys,
        "sensitivity",
        CAMERA,
        *few,
        "--candidates",
        "BGLGLGL, GGGGGGG",
        "--plausible",
        PLAUSIBLE,
        "-o",
        tmp_path,
    )
    assert done.status == 0
    assert "best in" in done.out
    assert "of plausible boards [" in done.out
    boards = pd.read_csv(tmp_path / "boards.csv")
    assert len(boards) == 4
    assert list(boards.columns[-2:]) == ["latency_ms.mean BGLGLGL", "latency_ms.mean GGGGGGG"]
    assert (tmp_path / "candidates.png").exists()


def test_candidates_of_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "sensitivity", STUDY, "-n", 2, "--frames", 50, "--json")
    data = done.json()
    assert len(data["candidates"]) == 6
    assert data["boards"] == 2
    assert set(data["candidates"][0]["best"]) == {"value", "ci_low", "ci_high"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--range", "foo"], "--range: foo: must be PATH=LOW..HIGH"),
        (["--range", "profile.times.b1.B=9..8 ms"], "--range: profile.times.b1.B: the low end"),
        (["--range", "profile.tims.b1.B=8..9 ms"], "did you mean times?"),
        (["--metric", "latency"], "latency: is not a metric"),
        (["--sobol", "100", "--range", "profile.times.b1.B=8..9 ms"], "power of two"),
        (["-n", "5"], "needs --candidates"),
        (["--candidates", "BGLGLGL,GGGGGGG"], "say which (--plausible FILE"),
        (["--candidates", "BGLGLGL,BGLGLG", "--plausible", str(PLAUSIBLE)], "BGLGLG: has 6 PEs"),
        (["--candidates", "BGLGLGL,GGGGGGG", "--range", "a=1..2"], "does not go with --candidates"),
        (["--plausible", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--plausible", "nowhere.csv"], "nowhere.csv: cannot be read"),
    ],
)
def test_typos(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    done = here(capsys, "sensitivity", CAMERA, "--frames", 20, *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_files_of_plausible_inputs_can_be_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert here(capsys, "check", PLAUSIBLE).out == f"{PLAUSIBLE}: ok (plausible)\n"
    (tmp_path / "p.yaml").write_text("eesim: 1\nplausible:\n  a.b: {lo: 1, high: 2}\n")
    done = here(capsys, "check", tmp_path / "p.yaml")
    assert done.status == 2
    assert "did you mean low?" in done.err


def test_two_cameras(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    metrics = ("--metric", "stream.rear.p99_latency", "--metric", "exit_share.rear/exit1")
    ranges = ("--range", "streams.1.arrivals.rate=8 Hz..30 Hz", "--range", "streams.0.priority=0..2")
    done = here(capsys, "sensitivity", CAMERAS, *FEW, *metrics, *ranges, "-o", tmp_path)
    assert done.status == 0
    assert "rear p99 latency" in done.out
    assert "streams.1.arrivals.rate" in done.out
    assert (tmp_path / "tornado_exit_share.rear.exit1.png").exists()
    done = here(capsys, "sensitivity", CAMERAS, "--candidates", "BGLGLGL,GGGGGGG", "--plausible", PLAUSIBLE)
    assert (done.status, done.out) == (2, "")
    assert "2 streams share the platform" in done.err
