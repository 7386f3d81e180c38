"""The same study on a real Dask cluster of two processes, one of which is killed on the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eesim
from eesim.errors import InputError
from tests.test_cli.commands import environment
from tests.test_sweeps.studies import study, study_data

pytest.importorskip("distributed", reason="needs the extra eesim[cluster]")

CODE = """
import os, signal, sys
import eesim
from eesim.sweeps import dask_executor, pipeline
pipeline.FLUSH_S = pipeline.FLUSH_WORK_S = pipeline.CHUNK_S = 0.05
clients, killed = [], []
connect = dask_executor.connect
def remember(*arguments):
    clients.append(connect(*arguments))
    return clients[-1]
dask_executor.connect = remember
def kill_one(state):
    if state.done and not killed:
        pids = sorted(clients[0].run(os.getpid).values())
        killed.append(pids[0])
        os.kill(pids[0], signal.SIGKILL)
if __name__ == "__main__":
    found = eesim.sweep({study!r}, sys.argv[1], scheduler="local", workers=2, progress=kill_one)
    assert killed, "nothing was killed"
    assert (found.done, found.failed, found.workers) == (found.points, 0, 2), found
    print("survived")
"""
DESIGN = {"kind": "range", "path": "stream.arrivals.rate", "low": "20 Hz", "high": "60 Hz", "steps": 60}
FRAMES = {"run.frames": 20_000, "run.replications": 1, "requirements": {}}


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "run.py"
    path.write_text(CODE.format(study=study_data(DESIGN, set=FRAMES)))
    # Dask and what it needs warn about things of their own: only ours are errors elsewhere.
    command = [sys.executable, str(path), str(tmp_path / "dask")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(PYTHONWARNINGS=""), timeout=300)
    assert done.stdout == "survived\n", done.stderr
    here = eesim.sweep(study(DESIGN, set=FRAMES), tmp_path / "here", workers=1)
    assert (tmp_path / "dask" / "table.parquet").read_bytes() == here.table_path.read_bytes()


def test_a_scheduler_that_is_not_there_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--scheduler: nowhere: cannot be reached"):
        eesim.sweep(study(), tmp_path / "out", scheduler="nowhere")
    assert not (tmp_path / "out").exists()


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs Dask: pip install 'eesim\[cluster\]'"):
        eesim.sweep(study(), tmp_path / "out", scheduler="local")
    assert not (tmp_path / "out").exists()
