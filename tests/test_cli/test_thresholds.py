"""`eesim thresholds` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.test_cli.commands import Capture, eesim, here
from tests.test_thresholds.tables import DIGITS, TABLE

FEW = ("--set", "run.frames=500", "--set", "run.replications=1")


def test_the_answer() -> None:
    done = eesim("thresholds", DIGITS, *FEW)
    assert done.status == 0
    assert "proven optimum (235,500 of 235,500 evaluated" in done.out
    assert "Published baseline: shortest path, exits taken to be independent" in done.out
    assert "28 nodes, 195 edges" in done.out
    assert done.err == ""
    assert max(map(len, done.out.splitlines())) < 200


def test_json_alone_on_stdout(capsys: Capture) -> None:
    told = here(capsys, "thresholds", DIGITS, *FEW, "--accuracy", "95%", "--cost", "exit_latency", "--json").json()
    assert {"thresholds", "accuracy", "exit_shares", "cost", "certificate"} <= set(told)
    assert [row["exit"] for row in told["thresholds"]] == ["exit1", "exit2"]
    assert [row["exit"] for row in told["exit_shares"]] == ["exit1", "exit2", "final"]
    assert sum(row["share"] for row in told["exit_shares"]) == pytest.approx(1)
    assert told["accuracy"] >= 0.95
    assert told["cost"]["unit"] == "ms"
    assert told["certificate"]["proven_optimal"]
    assert told["baseline"]["graph"] == {"nodes": 28, "edges": 195}


def test_what_cannot_be_met_ends_with_status_1_and_the_nearest(capsys: Capture) -> None:
    done = here(capsys, "thresholds", DIGITS, *FEW, "--accuracy", "99%")
    assert done.status == 1
    assert "No threshold setting meets what is wanted; the nearest one" in done.out
    assert "misses accuracy by" in done.out
    assert "proven infeasible" in done.out
    told = here(capsys, "thresholds", DIGITS, *FEW, "--accuracy", "99%", "--json")
    assert told.status == 1
    assert not told.json()["feasible"]
    assert told.json()["violations"]["accuracy"] == pytest.approx(1 - 0.974 / 0.99)


def test_a_requirement_that_the_run_misses_is_status_1(capsys: Capture) -> None:
    done = here(capsys, "thresholds", DIGITS, *FEW, "--set", "requirements={p99_latency: 0.05 ms}")
    assert done.status == 1
    assert "requirement NOT met: p99_latency" in done.out


def test_the_published_method(capsys: Capture) -> None:
    done = here(capsys, "thresholds", DIGITS, *FEW, "--method", "shortest-path", "--json")
    assert done.json()["method"] == "shortest-path"
    assert not done.json()["certificate"]["proven_optimal"]
    # Its weights know nothing of the accuracy that is wanted.
    assert done.status == 1


def test_files_hold_the_whole_answer(capsys: Capture, tmp_path: Path) -> None:
    done = here(capsys, "thresholds", DIGITS, *FEW, "-o", tmp_path, "--json")
    assert {path.name for path in tmp_path.iterdir()} == {
        "best.yaml", "command.json", "thresholds.json", "front.csv", "thresholds.png", "thresholds.svg",
    }  # fmt: skip
    told = done.json()
    best = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert best["mapping"]["thresholds"] == {row["exit"]: row["threshold"] for row in told["thresholds"]}
    front = pd.read_csv(tmp_path / "front.csv")
    assert list(front) == ["cost_mj", "accuracy", "threshold_exit1", "threshold_exit2"]
    assert len(front) == len(told["front"])
    again = here(capsys, "run", tmp_path / "best.yaml", "--json").json()
    assert again["accuracy"] == pytest.approx(told["simulation"]["accuracy"], abs=1e-12)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "thresholds.acuracy=95%"], "thresholds.acuracy: unknown key (did you mean accuracy?)"),
        (["--accuracy", "high"], "thresholds.accuracy: "),
        (["--cost", "exit_latncy"], "thresholds.cost: 'exit_latncy' is not one of"),
        (["--cost", "exit_latency", "--budget", "3 mJ"], "thresholds.budget: unknown unit 'mJ'"),
        (["--budget", "3"], "thresholds.budget: must have a unit (such as 3 mJ)"),
        (["--set", "thresholds.test_on=tset"], "split: no row has the value 'tset' (calibration, test)"),
        (["--set", "thresholds.levels={exit1: [0.5]}"], "thresholds.levels: no levels for exit2"),
        (["--set", "thresholds.levels={exit1: [0.5], exti2: [0.5]}"], "did you mean exit2?"),
        (["--cost", "energy", "--set", "thresholds.accuracy=null"], "energy under load needs an accuracy or a budget"),
        (["--set", "stream.exits={kind: fixed, exit: 1}"], "not on exits of kind fixed"),
        (["--set", "stream.exits.path=digits.csv"], "there is no such file"),
    ],
)
def test_typos(capsys: Capture, options: list[str], told: str) -> None:
    done = here(capsys, "thresholds", DIGITS, *FEW, *options)
    assert done.status == 2
    assert told in done.err
    assert done.out == ""


def test_thresholds_can_be_set_and_swept_like_anything_else(capsys: Capture) -> None:
    answers = [
        here(capsys, "run", DIGITS, *FEW, "--set", f"mapping.thresholds.exit1={value}", "--json").json()
        for value in (0.5, 0.9)
    ]
    shares = [answer["exits"][0]["share"] for answer in answers]
    rows = pd.read_csv(TABLE).query("split == 'test'")
    assert shares == pytest.approx([(rows["confidence_1"] >= value).mean() for value in (0.5, 0.9)], abs=1e-12)


def test_check_knows_the_section(capsys: Capture) -> None:
    assert here(capsys, "check", DIGITS).status == 0
    done = here(capsys, "check", DIGITS, "--set", "thresholds.levels=some")
    assert done.status == 2
    assert "thresholds.levels: must be all, a whole number, a list or a mapping" in done.err


def test_thresholds_that_are_not_there_yet_can_be_searched(capsys: Capture, tmp_path: Path) -> None:
    data = yaml.safe_load(DIGITS.read_text())
    del data["mapping"]["thresholds"]
    data["stream"]["exits"]["path"] = str(TABLE)
    path = tmp_path / "open.yaml"
    path.write_text(yaml.safe_dump(data))
    refused = here(capsys, "run", path, *FEW)
    assert refused.status == 2
    assert "how confident must exit1, exit2 be to answer? (`eesim thresholds` finds out)" in refused.err
    found, known = (here(capsys, "thresholds", name, *FEW, "--json").json() for name in (path, DIGITS))
    assert found["thresholds"] == known["thresholds"]
