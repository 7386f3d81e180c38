"""kill -9 at any time: nothing that was finished is lost or doubled, and what goes on ends with the same bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eesim
from eesim.sweeps import pipeline, store, table
from tests.test_cli.commands import environment
from tests.test_sweeps.studies import stored, study_data

CODE = """
import sys, pathlib
import eesim
from eesim.sweeps import pipeline, store
pipeline.FLUSH_S = pipeline.FLUSH_WORK_S = pipeline.CHUNK_S = 0.03
store.MANY_SMALL = 3
def tell(state):
    print(state.done, flush=True)
if __name__ == "__main__":
    eesim.sweep({study!r}, pathlib.Path(sys.argv[1]), resume=True, workers=int(sys.argv[2]), progress=tell)
    print("over", flush=True)
"""
DESIGN = {
    "kind": "product",
    "of": [
        {"kind": "range", "path": "stream.arrivals.rate", "low": "20 Hz", "high": "80 Hz", "steps": 30},
        {"kind": "list", "path": "mapping.segments", "values": ["BGLGLGL", "GGGGGGG", "BBBBBBB"]},
    ],
}


def script(folder: Path, frames: int) -> Path:
    """Write a program that runs a study; it is a file, because its worker processes load it, too."""
    path = folder / "run.py"
    path.write_text(CODE.format(study=study_of(frames)))
    return path


def study_of(frames: int) -> dict[str, Any]:
    return study_data(DESIGN, set={"run.frames": frames, "run.replications": 1, "requirements": {}})


def start(path: Path, folder: Path, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(path), str(folder), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())


def kill_again_and_again(path: Path, folder: Path, kills: int, workers: int, seed: int) -> int:
    """Kill a sweep so often, each time a little after it has begun to finish points; returns how often it was."""
    rng = random.Random(seed)
    before: list[bytes] = []
    for kill in range(kills):
        process = start(path, folder, workers)
        told = 0
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                if line == "over\n":
                    return kill
                told = int(line)
                if told > len(before):
                    break
            time.sleep(rng.uniform(0, 0.15))
            process.kill()
            told = max([told, *(int(line) for line in process.stdout if line.strip().isdigit())])
        now = stored(folder / "store")
        assert len(now) == len(set(now)), "a row is there twice"
        assert set(before) <= set(now), "a row was lost"
        # Whatever was told to be done was there already.
        assert len(now) >= told
        before = now
    return kills


def check(tmp_path: Path, kills: int, workers: int, frames: int, least: int) -> None:
    path = script(tmp_path, frames)
    killed = kill_again_and_again(path, tmp_path / "killed", kills, workers, seed=workers)
    assert killed >= least, "it was over before it could be killed: more points are needed"
    with start(path, tmp_path / "killed", workers) as process:
        assert process.communicate()[0].endswith("over\n")
    eesim.sweep(study_of(frames), tmp_path / "whole", workers=1)
    tables = [(tmp_path / folder / "table.parquet").read_bytes() for folder in ("killed", "whole")]
    assert tables[0] == tables[1]
    assert stored(tmp_path / "killed" / "store") == stored(tmp_path / "whole" / "store")


class Killed(BaseException):
    """Stands for SIGKILL: nothing is written after it."""


@pytest.mark.parametrize("at", range(1, 20, 3))
def test_a_sweep_that_is_killed_at_any_write(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each row is written at once, and parts become one as soon as there are three.
    for name in ("FLUSH_S", "FLUSH_WORK_S", "CHUNK_S"):
        monkeypatch.setattr(pipeline, name, 0.0)
    monkeypatch.setattr(store, "MANY_SMALL", 3)
    calls = [0]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls[0] += 1
            if calls[0] >= at:
                raise Killed
            return real(*arguments)

        return call

    def told(state: pipeline.Progress) -> None:
        assert state.done <= len(stored(tmp_path / "killed" / "store"))

    with monkeypatch.context() as patched:
        for module in (store, table):
            patched.setattr(module, "write_table", dying(module.write_table))
        patched.setattr(os, "replace", dying(os.replace))
        with pytest.raises(Killed):
            eesim.sweep(study_data(), tmp_path / "killed", workers=1, progress=told)
    left = stored(tmp_path / "killed" / "store")
    assert len(left) == len(set(left))
    resumed = eesim.sweep(study_data(), tmp_path / "killed", workers=1, resume=True)
    assert resumed.cached == len(left)
    whole = eesim.sweep(study_data(), tmp_path / "whole", workers=1)
    assert resumed.table_path.read_bytes() == whole.table_path.read_bytes()
    assert stored(resumed.store) == stored(whole.store)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_sweep_that_is_killed_ten_times(tmp_path: Path, workers: int) -> None:
    check(tmp_path, kills=10, workers=workers, frames=100_000, least=6)


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_sweep(tmp_path: Path) -> None:
    path = script(tmp_path, 100_000)
    with start(path, tmp_path / "out", 2) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.kill()
    deadline = time.monotonic() + 20
    while alive := [pid for pid in children if is_running(pid)]:
        assert time.monotonic() < deadline, f"still there: {alive}"
        time.sleep(0.1)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except OSError:
        return False
