"""``eesim sweep`` as a user types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.test_cli.commands import Done, eesim, environment, here
from tests.test_sweeps.studies import GRID, study_data


def write(folder: Path, **keys: object) -> Path:
    """Write a study (JSON is YAML)."""
    path = folder / "study.yaml"
    path.write_text(json.dumps(study_data(**keys), indent=1))  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    folder = tmp_path_factory.mktemp("sweep")
    return eesim("sweep", write(folder), "-o", folder / "out", "--workers", "1", "--json"), folder / "out"


def test_the_answer_is_one_json_object_with_the_promised_keys(first: tuple[Done, Path]) -> None:
    done, folder = first
    assert done.status == 0, done.err
    told = done.json()
    assert told.keys() >= {"points", "done", "failed", "cached", "store"}
    assert (told["points"], told["done"], told["failed"], told["cached"], told["simulated"]) == (6, 6, 0, 0, 6)
    assert Path(told["store"]) == folder / "store"
    assert pq.read_table(told["table"]).num_rows == 6


def test_the_size_is_said_before_it_starts(first: tuple[Done, Path]) -> None:
    assert first[0].err.splitlines()[0] == "6 points (stream.arrivals.rate, mapping.segments)"


def test_without_json_a_person_reads_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = here(capsys, "sweep", write(tmp_path), "-o", tmp_path / "out", "--workers", "1")
    assert done.status == 0
    assert done.out.splitlines()[0] == "6 points: 6 done, 0 failed, 0 from the store"
    again = here(capsys, "sweep", tmp_path / "study.yaml", "-o", tmp_path / "out", "--workers", "1", "--resume")
    assert again.out.splitlines()[0] == "6 points: 6 done, 0 failed, 6 from the store"


def test_a_failed_point_is_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    stuck = {"preset": "cooperative", "stage_queue": {"capacity": 0, "full": "block"}}
    design = {"kind": "list", "path": "policy", "values": ["cooperative", stuck]}
    done = here(capsys, "sweep", write(tmp_path, design=design), "-o", tmp_path / "out", "--workers", "1", "--json")
    assert done.status == 1
    assert (done.json()["done"], done.json()["failed"]) == (1, 1)


def test_a_bad_study_is_status_2_and_nothing_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    design = {"kind": "grid", "axes": {"stream.arivals.rate": ["1 Hz"], "mapping.segments": ["GGGGGGG", "XXXXXXX"]}}
    path = write(tmp_path, design=design, metrics=["p99"])
    done = here(capsys, "sweep", path, "-o", tmp_path / "out")
    assert (done.status, done.out) == (2, "")
    lines = path.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "XXXXXXX" in text)
    assert f"{path}:{line}: mapping.segments: there is no PE 'X' on board rk3399pro (B L G N)\n" in done.err
    assert "stream.arivals: unknown key (did you mean arrivals?)" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "-o: is missing"),
        (["-o", "x", "--where", "p99<3"], "--where: needs --best"),
        (["-o", "x", "--best", "p99"], "--best: asks a finished sweep"),
        (["-o", "x", "--accept-changes"], "--accept-changes: needs --resume"),
        (["-o", "x", "--workers", "2", "--scheduler", "tcp://a:1"], "--workers: a scheduler has workers of its own"),
    ],
)
def test_options_that_make_no_sense(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = here(capsys, "sweep", write(tmp_path), *arguments)
    assert done.status == 2
    assert message in done.err


def test_set_changes_every_point(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = here(capsys, "sweep", write(tmp_path), "-o", tmp_path / "out", "--workers", "1", "--set", "run.frames=77")
    assert done.status == 0
    assert set(pq.read_table(tmp_path / "out" / "table.parquet")["frames"].to_pylist()) == {77}


def test_check_knows_studies(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write(tmp_path)
    assert here(capsys, "check", path).out == f"{path}: ok (study)\n"
    bad = here(capsys, "check", write(tmp_path, desing=GRID))
    assert bad.status == 2
    assert "desing: unknown key (did you mean design?)" in bad.err


# -- questions ----------------------------------------------------------------------------------------------


def test_best_orders_by_a_metric(capsys: pytest.CaptureFixture[str], first: tuple[Done, Path]) -> None:
    _, folder = first
    listed = pq.read_table(folder / "table.parquet").to_pylist()
    expected = sorted(listed, key=lambda row: (row["latency_ms.p99"], row["point"]))
    told = here(capsys, "sweep", folder, "--best", "p99", "-n", "4", "--json").json()
    assert told["metric"] == "latency_ms.p99"
    assert [row["point"] for row in told["best"]] == [row["point"] for row in expected[:4]]
    assert [row["latency_ms.p99"] for row in told["best"]] == [row["latency_ms.p99"] for row in expected[:4]]
    # More is better for some.
    best = here(capsys, "sweep", folder, "--best", "throughput", "--json").json()["best"]
    assert best[0]["throughput_fps"] == max(row["throughput_fps"] for row in listed)
    assert len(best) == 6


def test_best_under_conditions(capsys: pytest.CaptureFixture[str], first: tuple[Done, Path]) -> None:
    _, folder = first

    def points(*conditions: str) -> list[int]:
        options = [part for condition in conditions for part in ("--where", condition)]
        told = here(capsys, "sweep", folder, "--best", "energy", *options, "--json").json()
        return sorted(row["point"] for row in told["best"])

    assert points("mapping.segments=GGGGGGG") == [1, 4]
    assert points("stream.arrivals.rate>=60 Hz", "segments!=BGLGLGL") == [4, 5]
    assert points("p99<0") == []
    assert points("frames=300") == list(range(6))


def test_best_as_a_table(capsys: pytest.CaptureFixture[str], first: tuple[Done, Path]) -> None:
    _, folder = first
    lines = here(capsys, "sweep", folder, "--best", "p99", "-n", "2").out.splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:3] == ["point", "stream.arrivals.rate", "mapping.segments"]
    assert here(capsys, "sweep", folder, "--best", "p99", "--where", "p99<0").out.startswith("no point")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--best", "p98"], "--best: p98: the table has no such column"),
        (["--best", "utilisation"], "the table has no such column"),
        (["--best", "status"], "status is not a number"),
        (["--best", "p99", "--where", "p99"], "must be COLUMN<VALUE"),
        (["--best", "p99", "--where", "p98<1"], "--where: p98: the table has no such column"),
        (["--best", "p99", "--where", "rate<60"], "is in Hz, not 60"),
        (["--best", "p99", "--where", "segments<3"], "have no order: use = or !="),
    ],
)
def test_questions_without_an_answer(
    capsys: pytest.CaptureFixture[str], first: tuple[Done, Path], arguments: list[str], message: str
) -> None:
    done = here(capsys, "sweep", first[1], *arguments)
    assert done.status == 2
    assert message in done.err


def test_a_folder_without_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = here(capsys, "sweep", tmp_path, "--best", "p99")
    assert done.status == 2
    assert "holds no table" in done.err


def test_a_question_needs_pyarrow_alone(first: tuple[Done, Path]) -> None:
    code = f"""
import sys
from eesim.cli.main import main
assert main(["sweep", {str(first[1])!r}, "--best", "p99", "--where", "p99<1000", "--json"]) == 0
print([name for name in ("numba", "pandas", "scipy", "matplotlib", "simpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_best_of_many_points_takes_less_than_a_second(first: tuple[Done, Path], tmp_path: Path) -> None:
    import pyarrow as pa

    table = pq.read_table(first[1] / "table.parquet")
    many = pa.concat_tables([table] * 500).combine_chunks()
    pq.write_table(many.replace_schema_metadata(table.schema.metadata), tmp_path / "table.parquet")
    # Processor time: what a person waits for on a machine that has nothing else to do.
    before = os.times()
    assert eesim("sweep", tmp_path, "--best", "p99", "--where", "rate>30 Hz").status == 0
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1


def test_compaction_from_the_command_line(
    capsys: pytest.CaptureFixture[str], first: tuple[Done, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(first[1], folder)
    done = here(capsys, "sweep", folder, "--compact", "--json")
    assert done.status == 0
    assert (done.json()["parts"], done.json()["rows"]) == (1, 6)
    assert here(capsys, "sweep", tmp_path, "--compact").status == 2
