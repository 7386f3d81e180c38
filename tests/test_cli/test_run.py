"""``eesim run``: the contract of its output and its exit status."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import eesim as package
from eesim.cli.main import main
from tests.scenarios import CAMERA, COUNTS, camera, scenario_data
from tests.test_cli.commands import FEW, Done, eesim, end, here, run_camera, start

TYPO = ("--set", "stream.arivals.rate=60 Hz")


@pytest.fixture(scope="module")
def plain() -> Done:
    """The shipped scenario, as JSON."""
    return run_camera("--json")


# -- the contract of --json ---------------------------------------------------------------------------------


def is_estimate(value: Any) -> bool:
    return set(value) == {"value", "ci_low", "ci_high"} and all(v is None or type(v) is float for v in value.values())


def test_the_run_is_good(plain: Done) -> None:
    assert (plain.status, plain.err) == (0, "")


def test_latencies_are_estimates(plain: Done) -> None:
    latency = plain.json()["latency_ms"]
    assert set(latency) == {"mean", "p50", "p90", "p95", "p99", "max"}
    assert all(map(is_estimate, latency.values()))
    values = [latency[name]["value"] for name in ("p50", "p90", "p95", "p99", "max")]
    assert values == sorted(values)
    assert latency["mean"]["ci_low"] <= latency["mean"]["value"] <= latency["mean"]["ci_high"]


def test_exits_have_names_shares_and_latencies(plain: Done) -> None:
    exits = plain.json()["exits"]
    assert [exit_["name"] for exit_ in exits] == ["exit1", "exit2", "exit3", "final"]
    assert sum(exit_["share"] for exit_ in exits) == pytest.approx(1)
    assert [exit_["latency_ms"] for exit_ in exits] == sorted(exit_["latency_ms"] for exit_ in exits)


def test_scalars_have_their_types(plain: Done) -> None:
    data = plain.json()
    for key in ("throughput_fps", "period_ms", "deadline_miss_rate", "drop_rate", "power_mw"):
        assert type(data[key]) is float, key
    assert data["accuracy"] is None
    assert (data["frames"], data["engine"], data["seed"], data["replications"]) == (300, "compiled", 1, 2)


def test_every_pe_has_utilisation_and_waste(plain: Done) -> None:
    data = plain.json()
    for key in ("utilisation", "wasted_ms_per_frame"):
        assert set(data[key]) == {"B", "L", "G", "N"}
        assert all(type(value) is float for value in data[key].values())
    assert data["utilisation"]["N"] == 0 < data["utilisation"]["B"] < 1


def test_energy_has_a_total_and_its_terms(plain: Done) -> None:
    energy = plain.json()["energy_mj_per_frame"]
    total = energy.pop("total")
    assert {"base", "compute", "host", "transfer", "idle"} == set(energy)
    assert total == pytest.approx(sum(energy.values()))


def test_bounds_requirements_notes_and_provenance_are_there(plain: Done) -> None:
    data = plain.json()
    bounds = data["bounds"]
    assert set(bounds["exit_latency_ms"]) == {"exit1", "exit2", "exit3", "final"}
    assert data["latency_ms"]["mean"]["value"] >= bounds["mean_latency_ms"]
    assert data["throughput_fps"] <= bounds["throughput_fps"]
    assert bounds["bottleneck"] in data["utilisation"]
    assert [item["name"] for item in data["requirements"]] == ["p99_latency", "deadline_miss_rate", "throughput"]
    assert all(type(item["met"]) is bool for item in data["requirements"])
    assert all(isinstance(note, str) for note in data["notes"])
    assert {"inputs_sha256", "parts_sha256", "files", "seed", "eesim", "python", "packages"} <= set(data["provenance"])
    assert data["provenance"]["files"]["scenario"] == str(CAMERA)


def test_it_is_what_python_says(plain: Done) -> None:
    # The three lines of the README: load, run, to_dict.
    scenario = package.load(CAMERA, ["run.frames=300"])
    result = package.run(scenario, replications=2)
    assert json.loads(json.dumps(result.to_dict())) == plain.json()


def test_options_go_before_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--seed", 7, "--replications", 3, "--engine", "reference", "--set", "run.frames=50", "--json")
    data = here(capsys, "run", CAMERA, *options).json()
    assert (data["seed"], data["replications"], data["engine"], data["frames"]) == (7, 3, "reference", 50)
    expected = package.run(camera({"run.frames": 50}), seed=7, replications=3).to_dict()
    assert data["latency_ms"] == expected["latency_ms"]


def test_a_table_is_printed_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "run", CAMERA, *FEW)
    assert done.status == 0
    for word in ("exit1", "p99", "throughput", "B", "G"):
        assert word in done.out


# -- exit status --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirement", "status"),
    [("p99_latency=1 s", 0), ("p99_latency=1 ms", 1), ("throughput=1000 fps", 1), ("deadline=1 ms", 1)],
)
def test_a_requirement_that_is_not_met_is_status_1(
    capsys: pytest.CaptureFixture[str], requirement: str, status: int
) -> None:
    done = here(
        capsys, "run", CAMERA, *FEW, "--set", "requirements={}", "--set", f"requirements.{requirement}", "--json"
    )
    assert done.status == status
    (verdict,) = done.json()["requirements"]
    assert verdict["met"] is (status == 0)


def test_a_misspelt_path_is_status_2_with_a_suggestion_and_nothing_written(tmp_path: Path) -> None:
    done = run_camera(*TYPO, "--json", "-o", tmp_path / "out", "--trace", tmp_path / "trace.json")
    assert done == Done(2, "", "--set: stream.arivals: unknown key (did you mean arrivals?)\n")
    assert list(tmp_path.iterdir()) == []


def test_all_problems_are_listed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ("stream.arivals.rate=60 Hz", "mapping.segments=BGLGLGX", "run.warmup=-1", "policy=coop", "run.frame=5")
    done = here(capsys, "run", CAMERA, *(word for text in wrong for word in ("--set", text)))
    assert (done.status, done.out) == (2, "")
    lines = done.err.splitlines()
    assert len(lines) == len(wrong)
    for path in ("stream.arivals", "mapping.segments", "run.warmup", "policy", "run.frame"):
        assert sum(f": {path}: " in line for line in lines) == 1, path


def test_a_trace_may_lie_in_any_folder_that_the_results_make(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    few = ["--set", "run.frames=50", "--set", "requirements={}", "--no-plots"]
    done = here(capsys, "run", CAMERA, *few, "-o", "results/camera", "--trace", "results/trace.json.gz")
    assert done.status == 0, done.err
    assert (tmp_path / "results" / "trace.json.gz").is_file()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tasks"], "--tasks: needs -o DIR"),
        (["--tasks", "--no-frames", "-o", "out"], "--tasks: contradicts --no-frames"),
        (["--trace", "missing/trace.json"], "missing/trace.json: its directory does not exist"),
        (["--trace", "a_folder"], "a_folder: is a directory"),
        (["-o", "a_file"], "a_file: is not a directory"),
        (["--set", "nonsense"], "--set: nonsense: must be path=value"),
    ],
)
def test_options_that_make_no_sense_are_status_2_before_anything_runs(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("")
    (tmp_path / "a_folder").mkdir()
    monkeypatch.setattr("eesim.evaluate.run", lambda *_, **__: pytest.fail("it ran"))
    done = here(capsys, "run", CAMERA, *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(expected)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a_file", "a_folder"]


@pytest.mark.parametrize(
    "arguments",
    [["--replications", "0"], ["--replications", "two"], ["--seed", "-1"], ["--engine", "fast"], ["--frames", "3"], []],
)
def test_options_that_do_not_parse_are_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", *([str(CAMERA)] if arguments else []), *arguments])
    assert caught.value.code == 2
    done = capsys.readouterr()
    assert done.out == ""
    assert done.err.startswith("usage: eesim")


def test_a_missing_file_is_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = here(capsys, "run", tmp_path / "no.yaml")
    assert (done.status, done.out) == (2, "")
    assert done.err == f"{tmp_path}/no.yaml: no such file\n"


def test_a_deadlock_is_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    circle = {"policy.stage_queue": "{capacity: 0, full: block}", "mapping.segments": "BGGGBGG"}
    options = [word for key, value in circle.items() for word in ("--set", f"{key}={value}")]
    fast = ("--set", "stream.arrivals={kind: periodic, rate: 1 kHz}")
    done = here(capsys, "run", CAMERA, *FEW, *options, *fast)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("eesim: deadlock: ")


# -- files --------------------------------------------------------------------------------------------------


def test_results_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    folder, trace = tmp_path / "new" / "folder", tmp_path / "trace.json.gz"
    done = run_camera("--json", "-o", folder, "--tasks", "--trace", trace, "--trace-frames", 20)
    assert done.status == 0
    # Everything that is there has been announced, on stderr.
    announced = [line.removeprefix("wrote ") for line in done.err.splitlines()]
    assert sorted(announced) == sorted(map(str, [*folder.iterdir(), trace]))
    assert json.loads((folder / "summary.json").read_text()) == done.json()
    result = package.run(camera({"run.frames": 300}), replications=2, keep_frames=True)
    frames = pd.read_parquet(folder / "frames.parquet")
    pd.testing.assert_frame_equal(frames, result.frames(), check_dtype=False, check_categorical=False)
    tasks = pd.read_parquet(folder / "tasks.parquet")
    assert set(tasks["frame"]) == set(range(300))
    assert {"b1", "e1", "b1>G"} <= set(tasks["task"])
    assert any(path.suffix == ".png" for path in folder.iterdir())
    assert json.loads(gzip.decompress(trace.read_bytes()))


def test_plots_and_frames_can_be_left_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = ("-o", tmp_path, "--no-plots", "--json")
    assert here(capsys, "run", CAMERA, *FEW, *options).status == 0
    names = ["command.json", "frames.parquet", "report.json", "summary.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    other = tmp_path / "other"
    assert here(capsys, "run", CAMERA, *FEW, "-o", other, "--no-plots", "--no-frames").status == 0
    assert sorted(path.name for path in other.iterdir()) == ["command.json", "report.json", "summary.json"]


def test_a_folder_that_cannot_be_written_is_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = here(capsys, "run", CAMERA, *FEW, "-o", tmp_path / "file" / "below", "--no-plots")
    assert done.status == 2
    assert str(tmp_path / "file") in done.err


def test_a_result_that_is_not_met_is_written_all_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = ("-o", tmp_path, "--no-plots", "--set", "requirements.p99_latency=1 ms")
    assert here(capsys, "run", CAMERA, *FEW, *options).status == 1
    assert (tmp_path / "summary.json").exists()


# -- the same bytes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_two_processes_with_different_hash_seeds_give_the_same_bytes(engine: str, tmp_path: Path) -> None:
    options = ("--set", "run.frames=100", "--engine", engine, "--json", "--no-plots", "--tasks")
    folders = [tmp_path / seed for seed in ("1", "4242")]
    running = [
        start("run", CAMERA, "--replications", 2, *options, "-o", folder, env={"PYTHONHASHSEED": folder.name})
        for folder in folders
    ]
    first, second = map(end, running)
    assert first.status == second.status == 0
    assert first.out == second.out
    for name in ("summary.json", "frames.parquet", "tasks.parquet"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_plain_python_gives_the_same_bytes_and_status_as_machine_code() -> None:
    # A requirement that is not met: status 1, as a shell sees it.
    options = ("--set", "run.frames=30", "--set", "requirements.p99_latency=1 ms", "--json")
    compiled, plain = (end(p) for p in [start("run", CAMERA, *options, env={"EESIM_NO_JIT": jit}) for jit in "01"])
    assert (compiled.status, plain.status) == (1, 1)
    assert compiled.out == plain.out


@pytest.mark.slow
def test_two_processes_that_start_with_an_empty_cache_leave_a_good_one(tmp_path: Path) -> None:
    env = {"EESIM_CACHE_DIR": str(tmp_path / "cache")}
    options = ("run", CAMERA, *FEW, "--json")
    both = [end(process) for process in [start(*options, env=env) for _ in range(2)]]
    assert [(done.status, done.err) for done in both] == [(0, ""), (0, "")]
    assert both[0].out == both[1].out == eesim(*options).out

    def machine_code() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")}

    before = machine_code()
    assert before
    # A third process compiles nothing.
    assert eesim(*options, env=env).out == both[0].out
    assert machine_code() == before


def test_a_cache_that_cannot_be_written_does_not_stop_a_run(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = run_camera("--json", "--engine", "reference", env={"EESIM_CACHE_DIR": str(blocked / "cache")})
    assert done.status == 0


# -- scenarios by hand --------------------------------------------------------------------------------------


def test_a_scenario_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = scenario_data("BGLGLGL", board="rk3399pro", network="ee_resnet18")
    data["stream"] = {"arrivals": {"kind": "periodic", "rate": "1 Hz"}, "exits": {"kind": "counts", "counts": COUNTS}}
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(data))
    done = here(capsys, "run", path, "--json")
    assert done.status == 0
    assert done.json()["frames"] == 10


def test_a_reader_that_goes_away_loses_no_file(tmp_path: Path) -> None:
    with start("run", CAMERA, *FEW, "-o", tmp_path, "--no-plots", "--no-frames") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=300) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"command.json", "report.json", "summary.json"}
