"""``eesim import`` as a user types it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from eesim.cli.main import main
from eesim.validate.importers import FORMATS, import_path, importer
from eesim.validate.importers.schema import TABLES
from tests.test_cli.commands import Done, eesim
from tests.test_validate.ceed_profiles import profile, write
from tests.test_validate.coup_logs import Log, write_log
from tests.test_validate.test_coup_tables import LAYERS, RUNS

LOG = Log(order="LLL", settings=("0-0-0", "5-5-5"))


def here(capsys: pytest.CaptureFixture[str], *arguments: object) -> Done:
    try:
        status = main(["import", *map(str, arguments)])
    except SystemExit as stop:
        status = int(str(stop.code))
    return Done(status, *capsys.readouterr())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "time_Tiny_LLL.txt"
    path.write_text(write_log(LOG), encoding="utf-8")
    return path


def leaves(data: Any) -> int:
    """Values of plain data that are no mappings."""
    return sum(map(leaves, data.values())) if isinstance(data, dict) else 1


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_log_becomes_tables(log: Path, tmp_path: Path) -> None:
    done = eesim("import", "coup-log", log, "-o", tmp_path / "out")
    assert done.status == 0
    out = tmp_path / "out"
    names = ("runs", "subgraph_times", "run_layer_times", "layer_times", "kernel_times_cpu", "kernel_shapes")
    assert {path.name for path in out.iterdir()} == {*(f"{name}.csv" for name in names), "import.json"}
    lines = done.out.splitlines()
    assert lines[0] == "coup-log: 47 rows from 1 file"
    assert "  layer_times             10" in lines
    assert "understood" in done.out
    assert done.err.count("wrote ") == 7
    found = rows(out / "layer_times.csv")
    assert list(found[0]) == [column.name for column in TABLES["layer_times"]]
    assert (found[0]["freq_mhz"], found[0]["power_mw"], found[-1]["freq_mhz"]) == ("408", "", "1416")


def test_json_is_one_object(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = here(capsys, "coup-log", log, "-o", tmp_path / "out", "--json")
    data = done.json()
    assert (data["rows"], data["skipped"], data["warnings"]) == (47, 0, [])
    assert data["tables"]["layer_times"] == 10
    assert data["provenance"]["files_sha256"].keys() == {str(log)}
    note = json.loads((tmp_path / "out" / "import.json").read_text(encoding="utf-8"))
    assert note["imports"] == [data]


def test_what_is_not_understood_is_shown(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = log.read_text(encoding="utf-8")
    log.write_text(
        "kernel oops 17\nkernel oops 18\n" + text.replace("Layer time: ", "Layer time: 9", 1), encoding="utf-8"
    )
    done = here(capsys, "coup-log", log, "-o", tmp_path / "out")
    assert done.status == 0
    lines = [line.strip() for line in done.out.splitlines()]
    assert "Not understood: 2" in lines
    assert "2  kernel oops #" in lines
    assert f"first in {log}:1: kernel oops 17" in lines
    assert "1  run left out: a super-layer's tasks do not add up to its time" in lines
    data = here(capsys, "coup-log", log, "-o", tmp_path / "out", "--json").json()
    assert data["skipped"] == 3
    assert data["unknown_lines"][0]["examples"][1] == {"source": str(log), "line": 2, "text": "kernel oops 18"}
    assert data["lines"]["read"] == data["lines"]["understood"] + data["lines"]["noise"] + data["lines"]["unknown"]


def test_a_khadas_log_is_status_2_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "time_Tiny_BL.txt"
    path.write_text(write_log(Log(order="BL", settings=("12-8",), big=4, little=2, governors=False)), encoding="utf-8")
    done = here(capsys, "coup-log", path, "-o", tmp_path / "out")
    assert (done.status, done.out) == (2, "")
    assert "4 big and 2 little cores (khadas)" in done.err
    assert not (tmp_path / "out").exists()
    assert here(capsys, "coup-log", path, "-o", tmp_path / "out", "--allow-board", "khadas").status == 0
    assert {row["board"] for row in rows(tmp_path / "out" / "runs.csv")} == {"khadas"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coup-lgo", "LOG"), "invalid choice: 'coup-lgo'"),
        (("coup-log", "nowhere"), "nowhere: there is no such file or folder"),
        (("coup-log", "FOLDER/empty"), "holds no run log (*.txt, *.log)"),
        (("coup-tables", "LOG"), "is no table that eesim knows"),
        (("coup-log", "LOG", "--log", "LOG"), "--log: means nothing to coup-log: it is for `coup-power`"),
        (("coup-tables", "LOG", "--graph", "x"), "--graph: means nothing to coup-tables"),
        (("coup-log", "LOG", "--allow-board", "jetson"), "invalid choice: 'jetson'"),
        (("coup-log", "LOG", "--pe", "edge=4"), "--pe: means nothing to coup-log: it is for `ceed`"),
        (("ceed", "LOG", "--times", "gate"), "invalid choice: 'gate' (choose from"),
        (("ceed", "LOG"), "time_Tiny_LLL.txt: is no JSON object"),
        (("ceed", "FOLDER/empty"), "holds no profile (profile_summary.json, system_profile.json)"),
        (("coup-power", "LOG"), "its run log is not beside it"),
    ],
)
def test_typing_errors_are_status_2(
    arguments: tuple[str, ...], message: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    words = [word.replace("LOG", str(log)).replace("FOLDER", str(tmp_path)) for word in arguments]
    done = here(capsys, *words, "-o", tmp_path / "out")
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_every_log_of_a_folder_that_is_wrong_is_named(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, cores in (("time_A_LLL.txt", 6), ("time_B_LLL.txt", 7)):
        (tmp_path / name).write_text(write_log(Log(order="LLL", settings=LOG.settings, big=cores)), encoding="utf-8")
    done = here(capsys, "coup-log", tmp_path, "-o", tmp_path / "out")
    assert done.status == 2
    assert [line.split(": ")[0] for line in done.err.splitlines()] == [
        str(tmp_path / "time_A_LLL.txt"),
        str(tmp_path / "time_B_LLL.txt"),
    ]


def test_imports_into_one_folder(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    layers, runs = tmp_path / "l.csv", tmp_path / "r.csv"
    layers.write_text(LAYERS, encoding="utf-8")
    runs.write_text(RUNS, encoding="utf-8")
    here(capsys, "coup-log", log, "-o", out)
    here(capsys, "coup-tables", runs, "-o", out)
    assert (out / "layer_times.csv").exists(), "other tables stay"
    here(capsys, "coup-tables", layers, "-o", out, "--append")
    assert len(rows(out / "layer_times.csv")) == 10 + 128
    here(capsys, "coup-tables", layers, "-o", out, "--append")
    assert len(rows(out / "layer_times.csv")) == 10 + 128, "no row twice"
    here(capsys, "coup-tables", layers, "-o", out)
    assert len(rows(out / "layer_times.csv")) == 128, "replaced"
    entries = json.loads((out / "import.json").read_text(encoding="utf-8"))["imports"]
    told = {name: entry["format"] for entry in entries for name in entry["tables"]}
    assert told["layer_times"] == "coup-tables"
    assert told["runs"] == "coup-log"
    assert all("layer_times" not in entry["tables"] for entry in entries[:-1])


def test_a_folder_that_is_not_ours_stays_as_it_is(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "layer_times.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = here(capsys, "coup-log", log, "-o", out, "--append")
    assert done.status == 2
    assert "has other columns than eesim writes" in done.err
    (out / "import.json").write_text("[]", encoding="utf-8")
    assert here(capsys, "coup-log", log, "-o", out).status == 2
    assert sorted(path.name for path in out.iterdir()) == ["import.json", "layer_times.csv"]
    assert (out / "layer_times.csv").read_text(encoding="utf-8") == "a,b\n1,2\n"
    file = tmp_path / "file"
    file.touch()
    assert here(capsys, "coup-log", log, "-o", file).status == 2


def test_the_same_files_give_the_same_bytes(log: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "2")):
        assert eesim("import", "coup-log", log, "-o", tmp_path / name, env={"PYTHONHASHSEED": seed}).status == 0
    for path in (tmp_path / "a").glob("*.csv"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_every_format_has_a_module_that_keeps_the_protocol() -> None:
    from dataclasses import fields

    from eesim.validate.importers.protocol import Options

    for name in FORMATS:
        module = importer(name)
        assert callable(module.read)
        assert {field.name for field in fields(Options)} >= module.OPTIONS


def test_python_gives_the_rows_without_writing(log: Path, tmp_path: Path) -> None:
    done = import_path("coup-log", log)
    assert done.output is None
    assert len(done.tables["layer_times"]) == 10
    assert [path.name for path in tmp_path.iterdir()] == [log.name]


def test_a_ceed_profile_becomes_files_that_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = profile() | {"gpu": {"watts": 3}}
    path = write(tmp_path / "ceed", data)
    done = here(capsys, "ceed", tmp_path / "ceed", "-o", tmp_path / "out", "--graph", "small", "--pe", "worker")
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[:3] == ["ceed: 3 rows from 1 file", "  gate_times         3", "  small.yaml  15 lines"]
    values = leaves(data)
    assert f"Values  {values} read, {values - 1} understood, 0 known to say nothing" in lines
    assert f"            first in {path}:{len(path.read_text(encoding='utf-8').splitlines()) - 3}: gpu" in lines
    run = eesim("run", tmp_path / "out" / "small.scenario.yaml", "--set", "run.frames=200", "--json")
    assert run.status == 0
    assert [exit_["name"] for exit_ in run.json()["exits"]] == ["gate_0", "gate_1", "gate_2"]
    summary = here(capsys, "ceed", path, "-o", tmp_path / "out", "--times", "layers", "--json").json()
    assert summary["documents"] == [f"profile_summary{end}" for end in (".yaml", "_profile.yaml", ".scenario.yaml")]
    assert summary["provenance"]["options"] == {"times": "layers"}
