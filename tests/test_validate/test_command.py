"""``eesim validate`` as a user types it, typos included, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from eesim.cli.main import main
from eesim.report.figure_validation import budget_figure, parity_figure, residual_figure
from tests.test_docs import FORMATS, rows_after
from tests.test_validate.synthetic import board_data, full_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of measurements and a board file."""
    root = tmp_path_factory.mktemp("place")
    full_folder(root / "measured", factor=1 / 1.05)
    (root / "bench.yaml").write_text(yaml.safe_dump(board_data(), sort_keys=False), encoding="utf-8")
    return root


def validate(place: Path, *words: str) -> int:
    return main(["validate", str(place / "measured"), "--board", str(place / "bench.yaml"), "--workers", "1", *words])


def test_table(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(place) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    row = next(line for line in lines if line[:3] == ["pipeline", "toy", "period"])
    assert row[3:5] == ["12", "5.00"]
    for heading in ("Errors", "Parts of them", "Outside of what was measured", "Error budget", "Regret"):
        assert heading in out, heading
    assert "nan" not in out.lower().split()
    assert err == ""


def test_tables_are_not_cut_in_a_pipe(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert validate(place) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.split()[:3] == ["pipeline", "all", "latency"])
    assert len(row.split()) >= 11
    assert "…" not in out


def test_json_is_one_object_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(place, "--json", "--budget-runs", "0") == 0
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert "NaN" not in out
    assert err == ""
    assert data["error_budget"] == []
    assert {"suite", "graph", "quantity", "n", "mape_pct", "r2"} <= set(data["suites"][0])


def test_numbers_that_do_not_exist_are_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full_folder(tmp_path)
    path = tmp_path / "switch_runs_a.csv"
    pd.read_csv(path, keep_default_na=False).iloc[:1].to_csv(path, index=False)
    (tmp_path / "pipeline_runs_a.csv").unlink()
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(board_data(), sort_keys=False), encoding="utf-8")
    words = ["validate", str(tmp_path), "--board", str(tmp_path / "b.yaml"), "--workers", "1"]
    assert main([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["suites"][0]
    assert (row["n"], row["mape_ci_low"], row["r2"], row["spearman"]) == (1, None, None, None)
    assert main(words) == 0
    assert "n/a" in capsys.readouterr().out


def test_files(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out"
    assert validate(place, "-o", str(target)) == 0
    err = capsys.readouterr().err
    written = {path.name for path in target.iterdir()}
    told: set[str] = set()
    for row in rows_after(FORMATS, "### `eesim validate`"):
        told |= {name.strip("`") for name in row[0].split(", ")}
    results = written - {"command.json"}
    assert {name.removesuffix(".png").removesuffix(".svg") for name in results} == told - {"file"}
    assert err.count("wrote ") == len(written)
    summary = json.loads((target / "summary.json").read_text(encoding="utf-8"))
    scores = pd.read_csv(target / "scores.csv")
    assert list(scores.columns) == list(summary["suites"][0])
    assert len(pd.read_csv(target / "error_budget.csv")) == len(summary["error_budget"])
    table = pd.read_parquet(target / "predictions.parquet")
    assert set(table["run_id"]) == {
        *pd.read_csv(place / "measured" / "switch_runs_a.csv")["run_id"],
        *pd.read_csv(place / "measured" / "pipeline_runs_a.csv")["run_id"],
    }
    assert (target / "parity_pipeline.png").read_bytes()[:4] == b"\x89PNG"


def test_files_without_plots_and_without_one_suite(tmp_path: Path) -> None:
    full_folder(tmp_path / "m")
    (tmp_path / "m" / "switch_runs_a.csv").unlink()
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(board_data(), sort_keys=False), encoding="utf-8")
    words = ["validate", str(tmp_path / "m"), "--board", str(tmp_path / "b.yaml"), "--workers", "1"]
    assert main([*words, "-o", str(tmp_path / "a"), "--no-plots"]) == 0
    assert not list((tmp_path / "a").glob("*.png"))
    table = pd.read_parquet(tmp_path / "a" / "predictions.parquet")
    assert parity_figure(table, "switch") is None
    assert parity_figure(table, "pipeline") is not None
    assert residual_figure([], "switch") is None
    assert budget_figure([]) is None


def test_same_files_again(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        assert validate(place, "-o", str(tmp_path / name), "--json", "--no-plots") == 0
    capsys.readouterr()
    for path in (tmp_path / "a").iterdir():
        if path.name == "command.json":
            continue  # it names the folder
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_changes_of_the_board(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(place, "--set", "runtimes.pipeline.read.B.value=0 cycles", "--json", "--budget-runs", "0") == 0
    changed = json.loads(capsys.readouterr().out)
    assert validate(place, "--json", "--budget-runs", "0") == 0
    plain = json.loads(capsys.readouterr().out)
    errors = [
        next(r["mape_pct"] for r in data["suites"] if (r["graph"], r["quantity"]) == ("all", "period"))
        for data in (plain, changed)
    ]
    assert errors[1] > errors[0] + 1
    digests = [data["provenance"]["parts_sha256"]["board"] for data in (plain, changed)]
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--off", "contntion"], "--off: contntion: is no physical term"),
        (["--off", "contntion"], "(did you mean contention?)"),
        (["--set", "runtimes.switch.idle_powr=1 W"], "runtimes.switch.idle_powr"),
        (["--set", "base_power"], "--set: base_power: must be path=value"),
    ],
)
def test_typos(place: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert validate(place, *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_wrong_board(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(place / "measured"), "--board", "rk3399por"]) == 2
    assert "rk3399pro" in capsys.readouterr().err


def test_wrong_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path / "none")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["validate", str(tmp_path)]) == 2
    assert "there are no runs" in capsys.readouterr().err


def test_missing_table_and_wrong_column(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full_folder(tmp_path)
    (tmp_path / "layer_times.csv").rename(tmp_path / "x")
    words = ["validate", str(tmp_path), "--board", str(place / "bench.yaml"), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "layer_times.csv: there is no such file; it is needed for times of single layers" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "x").rename(tmp_path / "layer_times.csv")
    path = tmp_path / "switch_runs_a.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("energy_mj", "enrgy_mj"), encoding="utf-8")
    assert main(words) == 2
    assert "energy_mj: there is no such column (did you mean enrgy_mj?)" in capsys.readouterr().err


def test_output_must_be_a_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert validate(place, "-o", str(place / "bench.yaml")) == 2
    assert "is not a directory" in capsys.readouterr().err


def test_reference_engine_gives_the_same(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for engine in ("compiled", "reference"):
        assert validate(place, "--engine", engine, "--json", "--budget-runs", "0") == 0
        found.append(json.loads(capsys.readouterr().out)["suites"])
    assert found[0] == found[1]
