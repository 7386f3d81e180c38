"""``eesim explore`` as a user types it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.scenarios import (
    FAR_APART,
    PAIR,
    board_data,
    everywhere,
    network_data,
    pe_data,
    scenario_data,
    write_world,
)
from tests.test_cli.commands import COMMAND, Capture, Done, eesim, environment, here
from tests.test_explore.spaces import ISSUE

BUSY = {
    "arrivals": {"kind": "periodic", "rate": "45 Hz"},
    "exits": {"kind": "counts", "counts": [8222, 1015, 294, 469]},
}


def write(folder: Path, explore: dict[str, Any], name: str = "scenario.yaml", **sections: Any) -> Path:
    """Write the shipped scenario, frames far apart unless told otherwise, with an `explore:` section (JSON is YAML)."""
    folder.mkdir(exist_ok=True)
    data = {
        "eesim": 1,
        "board": "rk3399pro",
        "network": "ee_resnet18",
        "mapping": {"segments": "BGLGLGL"},
        "physics": {"transfers": False, "contention": False},
        "stream": {**BUSY, "arrivals": FAR_APART["stream.arrivals"]},
        "run": {"frames": 500, "warmup": "none", "replications": 1},
        "explore": explore,
        **sections,
    }
    path = folder / name
    path.write_text(json.dumps(data, indent=1))
    return path


def within(folder: Path, *arguments: object) -> Done:
    """Run ``eesim ARGUMENTS...`` in a folder."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, env=environment(), timeout=300
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def issue(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """The smallest form, with everything it writes."""
    folder = tmp_path_factory.mktemp("issue")
    scenario = write(folder, ISSUE)
    return eesim("explore", scenario, "--json", "-o", folder / "out"), folder / "out"


# -- the contract -------------------------------------------------------------------------------------------


def test_the_answer_is_one_json_object_with_the_promised_keys(issue: tuple[Done, Path]) -> None:
    done, _ = issue
    assert done.status == 0, done.err
    told = done.json()
    assert {"best", "front", "certificate", "rejected", "evaluations", "wall_s"} <= told.keys()
    assert told["certificate"].keys() >= {
        "kind", "proven_optimal", "lower_bound", "gap", "space_size", "evaluated", "pruned"
    }  # fmt: skip
    assert told["best"]["mapping"] == "BGBGLGL"
    assert told["best"]["mean_latency"] == pytest.approx(15.168241)
    assert told["front"] == [told["best"]]
    assert told["certificate"]["proven_optimal"] is True
    assert told["rejected"] == {"worst_latency": 1335, "runs": 0}
    assert told["evaluations"] == 2187
    assert told["engines_agree"] is True
    assert told["wall_s"] > 0


def test_files_are_written(issue: tuple[Done, Path]) -> None:
    done, folder = issue
    names = {path.name for path in folder.iterdir()}
    assert {"best.yaml", "certificate.json", "evaluations.parquet", "front.csv"} <= names
    assert not any(name.startswith(".") or "state" in name for name in names)
    assert json.loads((folder / "certificate.json").read_text())["best"] == done.json()["best"]
    table = pd.read_parquet(folder / "evaluations.parquet")
    assert len(table) == 2187
    feasible = table[(table.violation_worst_latency == 0) & (table.violation_runs == 0)]
    assert len(feasible) == 852
    assert feasible.mean_latency.min() == done.json()["best"]["mean_latency"]
    front = pd.read_csv(folder / "front.csv")
    assert front.mean_latency.tolist() == [done.json()["best"]["mean_latency"]]
    for path in folder.iterdir():
        assert f"wrote {path}" in done.err, path


@pytest.mark.slow
def test_a_search_of_many_steps_draws_how_it_converged(capsys: Capture, tmp_path: Path) -> None:
    done = here(
        capsys, "explore", write(tmp_path, ISSUE), "--algorithm", "ga", "--evaluations", 300, "-o", tmp_path / "out"
    )
    assert done.status == 0, done.err
    assert any(path.name.startswith("convergence.") for path in (tmp_path / "out").iterdir())


def test_stdout_carries_the_answer_and_stderr_the_progress(tmp_path: Path) -> None:
    done = eesim("explore", write(tmp_path, ISSUE))
    assert done.status == 0
    assert "BGBGLGL" in done.out
    assert "proven optimum" in done.out
    assert "space: 2,187 designs" in done.err
    assert "1,335 by worst_latency" in done.out


def test_a_front_of_two_objectives(capsys: Capture, tmp_path: Path) -> None:
    scenario = write(tmp_path, {**ISSUE, "objective": ["mean_latency", "energy"]})
    done = here(capsys, "explore", scenario, "--json", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    told = done.json()
    assert told["certificate"]["kind"] == "proven front"
    latency = [row["mean_latency"] for row in told["front"]]
    energy = [row["energy"] for row in told["front"]]
    assert len(latency) > 1
    assert latency == sorted(latency)
    assert energy == sorted(energy, reverse=True)
    assert any(path.name.startswith("front.") and path.suffix != ".csv" for path in (tmp_path / "out").iterdir())


@pytest.mark.slow
def test_no_plots_writes_none(capsys: Capture, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = here(capsys, "explore", write(tmp_path, ISSUE), "--no-plots", "-o", out)
    assert done.status == 0
    assert {path.name for path in out.iterdir()} == {
        "best.yaml", "certificate.json", "command.json", "evaluations.parquet", "front.csv"
    }  # fmt: skip


def test_status_1_and_the_constraint_if_nothing_is_feasible(capsys: Capture, tmp_path: Path) -> None:
    scenario = write(tmp_path, {**ISSUE, "constraints": {"worst_latency": "10 ms"}})
    done = here(capsys, "explore", scenario, "-o", tmp_path / "out", "--no-plots")
    assert done.status == 1
    assert "No design meets the constraints" in done.out
    assert "misses worst_latency by" in done.out
    assert "NOT FEASIBLE" in (tmp_path / "out" / "best.yaml").read_text()


# -- wrong input --------------------------------------------------------------------------------------------

TYPOS = """\
eesim: 1
board: rk3399pro
network: ee_resnet18
mapping: {segments: BGLGLGL}
stream:
  arrivals: {kind: periodic, rate: 1 Hz}
  exits: {kind: fixed, exit: 1}
explore:
  segments: [B, L, X]
  opp:
    B: [1801 MHz]
    Q: all
  exits: [exit7]
  forbid:
    - {b1: B, b7: G}
"""


def test_every_typo_is_told_with_its_line(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(TYPOS)
    done = here(capsys, "explore", path, "-o", tmp_path / "out")
    assert done.status == 2
    assert done.out == ""
    lines = TYPOS.splitlines()
    for word, where in (
        ("'X'", "[B, L, X]"),
        ("1801 MHz", "1801"),
        ("'Q'", "Q: all"),
        ("exit7", "exit7"),
        ("b7", "b7"),
    ):
        number = 1 + next(i for i, line in enumerate(lines) if where in line)
        told = [line for line in done.err.splitlines() if word in line]
        assert told, word
        assert any(f":{number}" in line for line in told), (word, number, told)
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_unknown_keys_and_values_of_the_section_are_told(capsys: Capture, tmp_path: Path) -> None:
    bad = TYPOS.partition("explore:")[0] + "explore:\n  segmets: [B]\n  objective: mean_latncy\n  frames: 0\n"
    path = tmp_path / "scenario.yaml"
    path.write_text(bad)
    done = here(capsys, "explore", path)
    assert done.status == 2
    for word, line in (("segmets", 9), ("mean_latncy", 10), ("frames", 11)):
        assert any(word in text and f":{line}" in text for text in done.err.splitlines()), (word, done.err)


def test_a_scenario_without_the_section_is_refused(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(TYPOS.partition("explore:")[0])
    done = here(capsys, "explore", path)
    assert (done.status, done.out) == (2, "")
    assert "explore" in done.err


@pytest.mark.parametrize(
    "arguments",
    [("--resume",), ("--evaluations", "0"), ("--threads", "x"), ("--algorithm", "best"), ("-o", __file__)],
)
def test_options_that_make_no_sense(capsys: Capture, arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = here(capsys, "explore", write(tmp_path, ISSUE), *arguments)
    assert (done.status, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_an_algorithm_that_cannot_is_refused_without_a_trace(capsys: Capture, tmp_path: Path) -> None:
    scenario = write(tmp_path, {**ISSUE, "objective": "throughput"})
    done = here(capsys, "explore", scenario, "--algorithm", "branch-and-bound")
    assert (done.status, done.out) == (2, "")
    assert "Traceback" not in done.err


# -- best.yaml ----------------------------------------------------------------------------------------------


def assert_best_runs(told: dict[str, Any], best: Path, elsewhere: Path) -> None:
    elsewhere.mkdir()
    done = within(elsewhere, "run", best, "--json")
    assert done.status == 0, done.err
    mean = done.json()["latency_ms"]["mean"]["value"]
    assert mean == pytest.approx(told["best"]["mean_latency"], rel=0.1)


def test_the_best_scenario_runs_from_another_folder(issue: tuple[Done, Path], tmp_path: Path) -> None:
    done, folder = issue
    assert_best_runs(done.json(), folder / "best.yaml", tmp_path / "elsewhere")


def world(folder: Path, **stream: Any) -> Path:
    board = board_data({name: pe_data((500, 1000)) for name in "BLG"})
    times = everywhere(board, {"b1": 3, "e1": 1, "b2": 4})
    default: dict[str, Any] = {
        "arrivals": {"kind": "periodic", "rate": "1 Hz"},
        "exits": {"kind": "counts", "counts": [1, 1]},
    }
    data = scenario_data(
        ["B", "L", "G"], stream=default | stream, explore={"segments": ["B", "L", "G"], "opp": {"B": "all"}}
    )
    folder.mkdir(exist_ok=True)
    return write_world(folder, board, network_data(*PAIR), times, data)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["absolute", "beside", "above"])
def test_relative_paths_hold_from_where_the_best_is_written(tmp_path: Path, how: str) -> None:
    scenario = world(tmp_path / "world")
    start, out = {
        "absolute": (tmp_path, tmp_path / "out"),
        "beside": (tmp_path / "world", Path("deep/out")),
        "above": (tmp_path, Path("out")),
    }[how]
    path = scenario if how == "absolute" else scenario.relative_to(start)
    done = within(start, "explore", path, "--json", "--no-plots", "-o", out)
    assert done.status == 0, done.err
    assert_best_runs(done.json(), (start / out) / "best.yaml", tmp_path / "elsewhere")


def test_traces_and_changed_boards_hold_from_where_the_best_is_written(capsys: Capture, tmp_path: Path) -> None:
    exits, arrivals = {"kind": "trace", "path": "exits.csv"}, {"kind": "trace", "path": "arrivals.csv"}
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "exits.csv").write_text("exit\n" + "1\n2\n" * 10)
    (folder / "arrivals.csv").write_text("arrival_ms\n" + "".join(f"{30 * i}\n" for i in range(20)))
    path = world(folder, exits=exits, arrivals=arrivals)
    data = json.loads(path.read_text())
    data["board"] = {"extends": "board", "base_power": {"value": "5 mW"}}
    path.write_text(json.dumps(data))
    done = here(capsys, "explore", path, "--json", "--no-plots", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert_best_runs(done.json(), tmp_path / "out" / "best.yaml", tmp_path / "elsewhere")


# -- killing and resuming -----------------------------------------------------------------------------------

DRIVER = """\
import sys
import eesim.explore.exploration as exploration
exploration.SAVE_EVERY_S = 0.02
from eesim.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

LONG: dict[str, tuple[str, ...]] = {
    "ga": ("--algorithm", "ga", "--evaluations", "3000"),
    "exhaustive": ("--algorithm", "exhaustive"),
    "nsga2": ("--algorithm", "nsga2", "--evaluations", "2500", "--set", 'explore.objective=["mean_latency","energy"]'),
    "branch-and-bound": ("--algorithm", "branch-and-bound", "--set", "explore.objective=energy_delay"),
}


def driven(*arguments: object) -> list[str]:
    return [sys.executable, "-c", DRIVER, *map(str, arguments)]


def killed(command: list[str], state: Path, rng: random.Random) -> bool:
    """Start a command, kill it soon after it has saved a state; return whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        begin = time.monotonic()
        while process.poll() is None and not state.exists() and time.monotonic() - begin < 120:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.4))
        was_running = process.poll() is None
    finally:
        process.kill()
        process.wait()
    return was_running and state.exists()


def same_but_time(a: dict[str, Any], b: dict[str, Any]) -> None:
    for key in sorted({*a, *b} - {"wall_s", "provenance"}):
        assert a[key] == b[key], key


@pytest.mark.parametrize(
    "kind", [kind if kind == "ga" else pytest.param(kind, marks=pytest.mark.slow) for kind in LONG]
)
def test_a_killed_search_resumes_to_the_same_end(kind: str, tmp_path: Path) -> None:
    explore = {"segments": ["B", "L", "G"], "opp": {"G": "all"}, "frames": 1500}
    scenario = write(tmp_path, explore, stream=BUSY, run={"frames": 1500, "warmup": "none", "replications": 1})
    options = (scenario, "--no-plots", "--json", *LONG[kind])
    whole = eesim("explore", *options, "-o", tmp_path / "whole")
    assert whole.status == 0, whole.err
    out, rng = tmp_path / "out", random.Random(kind)
    command = driven("explore", *options, "--resume", "-o", out)
    kills = sum(killed(command, out / "search.state", rng) for _ in range(2))
    assert kills, "it ended before it could be killed"
    resumed = eesim("explore", *options, "--resume", "-o", out)
    assert resumed.status == 0, resumed.err
    same_but_time(resumed.json(), whole.json())
    mine, theirs = (json.loads((folder / "certificate.json").read_text()) for folder in (out, tmp_path / "whole"))
    same_but_time(mine, theirs)
    for name in ("evaluations.parquet", "front.csv", "best.yaml"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert {path.name for path in out.iterdir()} == {path.name for path in (tmp_path / "whole").iterdir()}


@pytest.mark.slow
def test_a_state_of_another_exploration_is_refused(capsys: Capture, tmp_path: Path) -> None:
    explore = {"segments": ["B", "L", "G"], "frames": 1500}
    scenario = write(tmp_path, explore, stream=BUSY)
    out = tmp_path / "out"
    command = driven("explore", scenario, "--algorithm", "random", "--evaluations", 2000, "--no-plots", "-o", out)
    assert killed(command, out / "search.state", random.Random(0)) or pytest.fail("it ended too soon")
    done = here(capsys, "explore", scenario, "--algorithm", "ga", "--evaluations", 100, "--resume", "-o", out)
    assert (done.status, done.out) == (2, "")
    assert "another exploration" in done.err
    assert (out / "search.state").exists()


def test_threads_change_nothing(tmp_path: Path) -> None:
    scenario = write(tmp_path, {"segments": ["B", "L", "G"], "frames": 200}, stream=BUSY)
    options = (scenario, "--algorithm", "ga", "--evaluations", 500, "--json", "--no-plots")
    one, two = (eesim("explore", *options, "--threads", n, "-o", tmp_path / str(n)) for n in (1, 2))
    assert (one.status, two.status) == (0, 0)
    same_but_time(one.json(), two.json())
    for name in ("evaluations.parquet", "front.csv", "best.yaml"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


def test_a_budget_too_small_for_a_proof_is_told(capsys: Capture, tmp_path: Path) -> None:
    done = here(capsys, "explore", write(tmp_path, ISSUE), "--algorithm", "exhaustive", "--evaluations", 100, "--json")
    certificate = done.json()["certificate"]
    assert certificate["evaluated"] == 100
    assert not certificate["proven_optimal"]


def test_a_search_by_the_rules_of_ga_py_says_where_the_simulator_parts(capsys: Capture, tmp_path: Path) -> None:
    rules = {**ISSUE, "objective": "ga_py", "segments": ["B"], "constraints": {}}
    scenario = write(tmp_path, rules)
    done = here(capsys, "explore", scenario)
    assert done.status == 0, done.err
    assert "BBBBBBB: GA.py and the simulator, one frame at a time, no transfers; ms" in done.out
    assert "counted twice" in done.out
    told = here(capsys, "explore", scenario, "--json").json()["disagreement"]
    last = told["uncontended"]["exits"][-1]
    assert (last["ga_py_ms"], last["simulated_ms"]) == (pytest.approx(53.21), pytest.approx(51.51))
    assert sum(cause["difference_ms"] for cause in last["causes"]) == pytest.approx(last["difference_ms"])
