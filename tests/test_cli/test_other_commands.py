"""``check``, ``show``, ``doctor`` and the command line as such."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eesim as package
from eesim.cli.main import COMMANDS, main
from eesim.scenario.library import scenario_folder
from tests.scenarios import CAMERA, PAIR, board_data, everywhere, network_data, profile_data, scenario_data, write_world
from tests.test_cli.commands import COMMAND, eesim, environment, here

HEAVY = ("numba", "llvmlite", "matplotlib", "pandas", "scipy", "pyarrow", "simpy")


def world(folder: Path) -> Path:
    board = board_data()
    return write_world(
        folder, board, network_data(*PAIR), everywhere(board, {"b1": 1, "e1": 1, "b2": 1}), scenario_data("BGL")
    )


# -- the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], *([name, "--help"] for name in COMMANDS)])
def test_help_is_cheap(arguments: list[str]) -> None:
    code = f"""
import sys
from eesim.cli.main import main
try:
    main({arguments!r})
except SystemExit as stop:
    assert stop.code == 0
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print("LOADED", *loaded)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert len(done.stdout.splitlines()) > 1


def test_the_package_is_cheap_to_import() -> None:
    code = f"import sys, eesim; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "[]\n"


def test_help_names_every_command() -> None:
    done = eesim("--help")
    assert (done.status, done.err) == (0, "")
    for name in COMMANDS:
        assert re.search(rf"\n    {name}\s", done.out), name


def test_the_module_can_be_run_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eesim.cli.main", "--version"],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert done.stdout.startswith("eesim ")


def test_an_unknown_command_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["simulate"])
    assert caught.value.code == 2
    assert "invalid choice: 'simulate'" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error(options: list[str]) -> None:
    command = [*COMMAND, "show", "board", "rk3399pro", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stream:
        assert stream.read() == b""
    assert process.wait(timeout=60) == 0


# -- check --------------------------------------------------------------------------------------------------


def test_good_files_of_every_kind(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenario = world(tmp_path)
    board, network = tmp_path / "board" / "board.yaml", tmp_path / "net.yaml"
    profile = tmp_path / "board" / "profiles" / "net.yaml"
    files = {scenario: "scenario", board: "board", network: "network", profile: "profile"}
    done = here(capsys, "check", *files)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [f"{path}: ok ({kind})" for path, kind in files.items()]
    assert here(capsys, "check", *files, "--json").json() == {
        "ok": {str(path): kind for path, kind in files.items()},
        "problems": [],
    }


def test_everything_that_ships_is_good() -> None:
    shipped = [*scenario_folder().rglob("*.yaml")]
    assert CAMERA in shipped
    done = eesim("check", *shipped)
    assert (done.status, done.err) == (0, "")
    assert len(done.out.splitlines()) == len(shipped)


def test_problems_of_several_files_are_listed_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = world(tmp_path)
    board = board_data(base_power={"value": "1", "origin": {"kind": "assumed"}})
    bad_board, bad_scenario = tmp_path / "bad_board.yaml", tmp_path / "bad.yaml"
    bad_board.write_text(json.dumps(board, indent=1))
    bad_scenario.write_text(json.dumps(scenario_data("BGX"), indent=1))
    done = here(capsys, "check", bad_board, good, bad_scenario)
    assert done.status == 2
    assert done.out == f"{good}: ok (scenario)\n"
    line = next(n for n, row in enumerate(bad_board.read_text().splitlines(), 1) if '"value": "1"' in row)
    first, second = done.err.splitlines()
    assert first == f"{bad_board}:{line}: base_power.value: needs a unit: W, mW or uW (did you mean 1 W?)"
    assert second.startswith(f"{bad_scenario}:")
    assert "there is no PE 'X' on board board" in second


def test_problems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "check", CAMERA, "--set", "stream.arivals.rate=60 Hz", "--json")
    assert done.status == 2
    assert done.json() == {
        "ok": {},
        "problems": [
            {"source": "--set", "line": 0, "path": "stream.arivals", "message": "unknown key", "hint": "arrivals"}
        ],
    }


def test_overrides_can_be_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert here(capsys, "check", CAMERA, "--set", "mapping.segments=GGLGLGL").status == 0
    world(tmp_path)
    done = here(capsys, "check", tmp_path / "net.yaml", "--set", "input=1 B")
    assert done.status == 2
    assert "only scenarios and studies take --set" in done.err


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [\n", "\x00"])
def test_files_that_are_no_documents(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    done = here(capsys, "check", path)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(str(path))


def test_a_profile_is_checked_by_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = profile_data(board_data(), {"b1": {"B": "1 ms", "X": "1"}})
    path = tmp_path / "profile.yaml"
    path.write_text(json.dumps(data))
    assert "times.b1.X" in here(capsys, "check", path).err


# -- show ---------------------------------------------------------------------------------------------------


def test_show_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    data = here(capsys, "show", "board", "rk3399pro", "--json").json()
    assert set(data["pes"]) == {"B", "L", "G", "N"}
    text = here(capsys, "show", "board", "rk3399pro").out
    # Numbers stand beside where they come from.
    for part in ("1800 MHz", "2636 mW", "fitted [PIPE]", "B->G", *data["sources"]):
        assert part in text


def test_show_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    data = here(capsys, "show", "network", "ee_resnet18", "--json").json()
    assert [segment["name"] for segment in data["segments"]] == ["b1", "e1", "b2", "e2", "b3", "e3", "b4"]
    text = here(capsys, "show", "network", "ee_resnet18").out
    assert "262,144" in text
    assert "exit1" in text


@pytest.mark.parametrize("name", [CAMERA, CAMERA.stem])
def test_show_a_scenario_as_it_is_resolved(capsys: pytest.CaptureFixture[str], name: object) -> None:
    options = ("--set", "physics.transfers=false", "--set", "policy=sequential")
    data = here(capsys, "show", "scenario", name, *options, "--json").json()
    assert data["mapping"]["order"] == "BGLGLGL"
    assert data["policy"]["speculation"] == "blocking"
    assert [task["task"] for task in data["tasks"]] == ["b1", "e1", "b2", "e2", "b3", "e3", "b4"]
    tasks = {task["task"]: task for task in data["tasks"]}
    assert tasks["b1"]["time_ms"] == 8.09
    assert tasks["e1"]["followed_by"] == ["b2"]
    assert data["exit_latency_bound_ms"]["exit1"] == pytest.approx(8.09 + 5.29)
    text = " ".join(here(capsys, "show", "scenario", name, *options).out.split())
    assert "mapping BGLGLGL" in text
    assert "speculation blocking" in text


@pytest.mark.parametrize("what", ["board", "network"])
def test_show_something_of_ones_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    world(tmp_path)
    monkeypatch.chdir(tmp_path)
    by_name = here(capsys, "show", what, {"board": "board", "network": "net.yaml"}[what], "--json").json()
    assert by_name["name"] == {"board": "board", "network": "net"}[what]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["board", "rk3399"], "there is no board 'rk3399' (known: psoc6, rk3399pro, tiers) (did you mean rk3399pro?)"),
        (["network", "ee_resnet"], "googlenet, mobilenet_v1, resnet50_v1, speech_commands, squeezenet_v1, yolov3) ("),
        (["board", "rk3399pro", "--set", "base_power=1 W"], "use it with `eesim show scenario`"),
        (["scenario", "camera"], "no such file"),
    ],
)
def test_what_cannot_be_shown(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str) -> None:
    done = here(capsys, "show", *arguments)
    assert (done.status, done.out) == (2, "")
    assert expected in done.err


# -- doctor -------------------------------------------------------------------------------------------------


def test_doctor_finds_this_installation_well() -> None:
    done = eesim("doctor", "--json")
    assert (done.status, done.err) == (0, "")
    data = done.json()
    assert data["ok"] is True
    assert {check["check"] for check in data["checks"]} == {
        "versions",
        "kernel cache",
        "compiled kernels",
        "engines agree",
        "shipped files",
    }
    assert all(check["ok"] for check in data["checks"])


def test_doctor_finds_engines_that_disagree(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = package.run

    def biased(scenario: object, **options: object) -> object:
        # The reference engine sees another seed: other results.
        return honest(scenario, **options, seed=2 if options.get("engine") == "reference" else 1)  # type: ignore[arg-type]

    monkeypatch.setattr("eesim.evaluate.run", biased)
    done = here(capsys, "doctor")
    assert done.status == 1
    assert "FAIL  engines agree: the engines disagree on policy cooperative at 30 Hz" in done.out
    assert "everything works" not in done.out
