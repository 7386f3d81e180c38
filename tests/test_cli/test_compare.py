"""``eesim compare`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.scenarios import CAMERA, CAMERAS
from tests.test_cli.commands import eesim, here

FEW = ("--set", "run.frames=300", "--replications", "3")


def test_a_file_with_itself() -> None:
    done = eesim("compare", CAMERA, CAMERA, *FEW)
    assert (done.status, done.err) == (0, "")
    assert "B against A: identical: no difference" in done.out


def test_the_json_contract(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "compare", CAMERA, *FEW, "--against", "profile.times.b1.B=8.1709 ms", "--json")
    assert done.status == 0
    data = done.json()
    assert data["inputs"] == [{"path": "profile.times.b1.B", "a": "8.09 ms", "b": "8.1709 ms"}]
    metric = data["metrics"]["latency_ms.mean"]
    assert {"a", "b", "difference", "significant"} <= set(metric)
    assert metric["significant"] is True
    assert metric["difference"]["ci_low"] > 0
    assert metric["difference"]["value"] == pytest.approx(0.0809)
    assert data["identical"] is False
    assert data["replications"] == 3


def test_sentences_say_it_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "compare", CAMERA, *FEW, "--against", "profile.times.b1.B=8.0091 ms")
    text = " ".join(done.out.split())
    assert "B's mean latency is 0.0809" in text
    assert "lower (-0.4" in text
    assert "profile.times.b1.B 8.09 ms 8.0091 ms" in text


def test_what_cannot_be_seen_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    noise = ("--set", "stream.noise={kind: exponential}", "--metric", "mean_latency")
    done = here(capsys, "compare", CAMERA, *FEW, *noise, "--against", "stream.exits.counts=[8223, 1014, 294, 469]")
    assert "no difference is visible" in done.out
    assert "exits: same random numbers" in done.out


def test_several_pairs_make_one_variant_and_several_options_several(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--against", "board.pes.G.host=L", "mapping.opp.L=1008MHz", "--against", "physics.contention=false")
    data = here(capsys, "compare", CAMERA, *FEW, *both, "--json").json()
    assert [len(variant["inputs"]) for variant in data["variants"]] == [2, 1]
    assert data["b"] == ["A with board.pes.G.host=L  mapping.opp.L=1008MHz", "A with physics.contention=false"]
    assert "metrics" not in data


def test_values_with_commas_and_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    change = "stream.arrivals={kind: poisson, rate: 30 Hz}"
    data = here(capsys, "compare", CAMERA, *FEW, "--against", change, "--json").json()
    assert data["pairing"]["arrivals"] == "different"
    assert {"path": "stream.arrivals.kind", "a": "periodic", "b": "poisson"} in data["inputs"]


def test_files_and_variants_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = CAMERA.read_text().replace("segments: BGLGLGL", "segments: GGGGGGG")
    (tmp_path / "all_g.yaml").write_text(text)
    done = here(capsys, "compare", CAMERA, tmp_path / "all_g.yaml", *FEW, "--against", "policy=sequential", "--json")
    data = done.json()
    assert [variant["inputs"][0]["path"] for variant in data["variants"]] == ["mapping.segments", "policy.preset"]


def test_precision_that_is_not_reached_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    noise = ("--set", "stream.noise={kind: exponential}", "--against", "mapping.segments=BGBBLBL")
    tight = here(capsys, "compare", CAMERA, *FEW, *noise, "--precision", "0.0001ms", "--max-replications", "6")
    assert tight.status == 1
    assert "NOT reached" in tight.out
    loose = here(capsys, "compare", CAMERA, *FEW, *noise, "--precision", "30%", "--max-replications", "100", "--json")
    assert loose.status == 0
    assert loose.json()["precision"]["reached"] is True


def test_requirements_that_are_missed_are_told_and_the_comparison_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "compare", CAMERA, *FEW, "--against", "mapping.segments=GGGGGGG")
    assert done.status == 0
    assert "Requirements: B misses p99 latency" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs a second scenario, or --against"),
        (["--against", "foo"], "--against: foo: must be path=value"),
        (["--against", "policy.frames_in_fligt=3"], "did you mean frames_in_flight?"),
        (["--against", "physics.transfers=false", "--metric", "p98"], "p98: is not a metric"),
        (["--against", "physics.transfers=false", "--precision", "1 mJ"], "latency_ms.mean is in ms"),
        (["nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_typos(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    done = here(capsys, "compare", CAMERA, *arguments)
    assert (done.status, done.out) == (2, "")
    assert message in done.err


def test_all_problems_of_all_variants_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "compare", CAMERA, "--against", "run.framse=1", "--against", "board.pse=2")
    assert "did you mean frames?" in done.err
    assert "did you mean pes?" in done.err


def test_files_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = here(capsys, "compare", CAMERA, *FEW, "--against", "physics.contention=false", "-o", folder)
    assert {path.name for path in folder.iterdir()} == {
        "command.json", "comparison.json", "differences.csv", "replications.csv", "paired_differences.png",
        "paired_differences.svg",
    }  # fmt: skip
    assert done.err.count("wrote") == 6
    data = json.loads((folder / "comparison.json").read_text())
    assert "inputs_sha256" in data["provenance"]
    rows = pd.read_csv(folder / "differences.csv").set_index("metric")
    single = pd.read_csv(folder / "replications.csv")
    a, b = (single[single.scenario == name]["latency_ms.mean"].to_numpy() for name in "AB")
    assert rows.loc["latency_ms.mean", "difference"] == pytest.approx((b - a).mean())


def test_a_file_is_no_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    done = here(capsys, "compare", CAMERA, "--against", "physics.contention=false", "-o", tmp_path / "f")
    assert (done.status, done.out) == (2, "")


def test_two_cameras(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    change = ("--against", "streams.1.mapping.segments=LLLLLLL", "streams.1.arrivals.rate=20 Hz")
    done = here(capsys, "compare", CAMERAS, "--set", "run.frames=1000", *change, "-o", tmp_path)
    assert done.status == 0
    text = " ".join(done.out.split())
    assert "streams.1.mapping.segments GGGGGGG LLLLLLL" in text
    assert "rear (arrivals: same random numbers; exits: the same; noise: none)" in text
    assert "B's rear mean latency is" in text
    assert "B misses front p99 latency" in text
    rows = pd.read_csv(tmp_path / "differences.csv").set_index("metric")
    assert rows.loc["stream.rear.throughput_fps", "difference"] == pytest.approx(10, abs=0.1)
    assert (tmp_path / "paired_differences.png").exists()
