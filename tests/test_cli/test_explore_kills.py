"""kill -9 of ``eesim explore`` at any time: what goes on ends with the same bytes, and no evaluation is there twice."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eesim.cli.main import main
from eesim.explore import journal
from tests.test_cli.commands import eesim, environment
from tests.test_cli.test_explore import BUSY, driven, same_but_time, write

STATE = "search.state"
FILES = ("evaluations.parquet", "front.csv", "best.yaml")
LONG: dict[str, tuple[str, ...]] = {
    "ga": ("--algorithm", "ga", "--evaluations", "30000"),
    "nsga2": ("--algorithm", "nsga2", "--evaluations", "12000", "--set", 'explore.objective=["mean_latency","energy"]'),
    "exhaustive": ("--algorithm", "exhaustive"),
}


def scenario_in(folder: Path, frames: int) -> Path:
    explore = {"segments": ["B", "L", "G"], "opp": {"G": "all"}, "frames": frames}
    return write(folder, explore, stream=BUSY, run={"frames": frames, "warmup": "none", "replications": 1})


def assert_same_end(mine: Path, theirs: Path) -> None:
    for name in FILES:
        assert (mine / name).read_bytes() == (theirs / name).read_bytes(), name
    assert {path.name for path in mine.iterdir()} == {path.name for path in theirs.iterdir()}
    table = pd.read_parquet(mine / "evaluations.parquet")
    designs = table.astype(str).drop(columns=[c for c in table.columns if c in ("evaluation", "step")])
    assert not designs.duplicated().any(), "an evaluation is there twice"


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("is_renamed", [False, True])
@pytest.mark.parametrize("save", [1, 3])
def test_a_search_that_is_killed_while_it_saves_its_state(
    save: int, is_renamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [str(scenario_in(tmp_path, 200)), "--no-plots", "--algorithm", "ga", "--evaluations", "600"]
    monkeypatch.setattr("eesim.explore.exploration.SAVE_EVERY_S", -1.0)
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main(["explore", *options, "-o", str(whole)]) == 0
    calls = [0]

    def replace(source: Any, target: Any) -> None:
        calls[0] += Path(target).name == STATE
        if calls[0] >= save and is_renamed:
            os.rename(source, target)
        if calls[0] >= save:
            raise Killed
        os.rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(journal.os, "replace", replace)
        with pytest.raises(Killed):
            main(["explore", *options, "--resume", "-o", str(out)])
    assert (out / STATE).exists() == (save > 1 or is_renamed)
    assert main(["explore", *options, "--resume", "-o", str(out)]) == 0
    for left in out.glob(f".{STATE}.*"):
        left.unlink()
    assert_same_end(out, whole)
    capsys.readouterr()


def killed(command: list[str], state: Path, rng: random.Random) -> bool:
    """Start a command, kill it some time after it has saved a state; whether it was still at work."""
    before = state.stat().st_mtime_ns if state.exists() else 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        begin = time.monotonic()
        while process.poll() is None and time.monotonic() - begin < 120:
            if state.exists() and state.stat().st_mtime_ns != before:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
    finally:
        process.kill()
        process.wait()
    return process.returncode == -9


@pytest.mark.slow
@pytest.mark.parametrize("kind", LONG)
def test_a_search_that_is_killed_ten_times_ends_as_if_it_had_not_been(kind: str, tmp_path: Path) -> None:
    options = (scenario_in(tmp_path, 4000), "--no-plots", "--json", *LONG[kind])
    whole = eesim("explore", *options, "-o", tmp_path / "whole")
    assert whole.status == 0, whole.err
    out, rng = tmp_path / "out", random.Random(kind)
    command = driven("explore", *options, "--resume", "-o", out)
    kills = sum(killed(command, out / STATE, rng) for _ in range(10))
    # An exhaustive search has few steps, and each session does at least one.
    assert kills >= (6 if kind == "exhaustive" else 10), f"it ended after {kills} kills: make it longer"
    resumed = eesim("explore", *options, "--resume", "-o", out)
    assert resumed.status == 0, resumed.err
    same_but_time(resumed.json(), whole.json())
    for left in out.glob(f".{STATE}.*"):
        left.unlink()
    assert_same_end(out, tmp_path / "whole")
