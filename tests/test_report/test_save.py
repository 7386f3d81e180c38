from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import eesim.report.figures
from eesim.report.files import replacing
from eesim.report.save import finite, save_result
from tests.test_report.runs import ONE_AT_A_TIME, all_dropped, camera

FIGURES = [
    f"{name}.{suffix}" for name in ("latency_cdf", "timeline", "utilisation", "energy") for suffix in ("png", "svg")
]


def test_writes_what_it_says(tmp_path):
    folder = tmp_path / "new" / "folder"
    written = save_result(camera(), folder, tasks=True)
    tables = ["summary.json", "report.json", "frames.parquet", "tasks.parquet"]
    assert [path.name for path in written] == [*tables, *FIGURES]
    assert sorted(folder.iterdir()) == sorted(written)


def test_summary_is_the_result(tmp_path):
    result = camera()
    save_result(result, tmp_path, figures=False)
    text = (tmp_path / "summary.json").read_text()
    assert json.loads(text) == result.to_dict()
    assert list(json.loads(text)) == list(result.to_dict())
    assert text.startswith('{\n "schema_version": 1,\n')


def test_summary_of_a_run_without_answers_has_no_nan(tmp_path):
    save_result(all_dropped(), tmp_path, figures=False)
    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["latency_ms"]["mean"]["value"] is None


def test_finite():
    nan, inf = float("nan"), float("inf")
    assert finite({"a": [1, nan, (inf, "x")], "b": 2.5, "c": True}) == {
        "a": [1, None, [None, "x"]],
        "b": 2.5,
        "c": True,
    }


def test_frames_come_back(tmp_path):
    result = camera({**ONE_AT_A_TIME, "stream.arrivals.rate": "200 Hz"})
    save_result(result, tmp_path, figures=False)
    table = pq.read_table(tmp_path / "frames.parquet")
    assert table.column_names[:5] == ["frame", "arrival_ns", "finish_ns", "exit", "status"]
    types = {field.name: field.type for field in table.schema}
    for name in ("status", "stream", "lost_at", "basis"):
        assert types.pop(name) == pa.dictionary(pa.int32(), pa.string())
    assert set(types.values()) == {pa.int64()}
    pd.testing.assert_frame_equal(table.to_pandas(), result.frames(), check_dtype=False, check_categorical=False)
    assert set(table["status"].to_pylist()) == {"answered", "dropped"}
    assert table["finish_ns"].null_count == table["status"].to_pylist().count("dropped") > 0


def test_all_dropped_frames_have_no_exit(tmp_path):
    save_result(all_dropped(), tmp_path, figures=False)
    table = pq.read_table(tmp_path / "frames.parquet")
    assert table["exit"].null_count == table.num_rows == 240
    assert table.schema.field("exit").type == pa.int64()


def test_tasks_come_back(tmp_path):
    result = camera()
    save_result(result, tmp_path, tasks=True, figures=False)
    table = pq.read_table(tmp_path / "tasks.parquet")
    expected = result.tasks()
    assert table.column_names == list(expected.columns)
    for column in expected.columns:
        assert table[column].to_pylist() == [None if value is pd.NA else value for value in expected[column]]


def test_provenance_stands_in_the_schema(tmp_path):
    result = camera()
    save_result(result, tmp_path, tasks=True, figures=False)
    for name in ("frames.parquet", "tasks.parquet"):
        said = pq.read_schema(tmp_path / name).metadata[b"eesim.provenance"]
        assert json.loads(said) == result.provenance


def test_without_records_there_are_no_frames(tmp_path):
    written = save_result(camera(keep_frames=False), tmp_path)
    names = [path.name for path in written]
    assert "frames.parquet" not in names
    assert "latency_cdf.png" not in names
    assert "timeline.png" in names


def test_tasks_need_the_log_and_nothing_is_written_without(tmp_path):
    with pytest.raises(ValueError, match="log_frames"):
        save_result(camera(log_frames=0), tmp_path, tasks=True)
    assert list(tmp_path.iterdir()) == []


def test_same_result_same_bytes(tmp_path):
    result = camera()
    for folder in ("a", "b"):
        save_result(result, tmp_path / folder, tasks=True)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("inside", [(), ("below",)])
def test_a_file_in_the_way_is_named(tmp_path, inside):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(NotADirectoryError, match="taken") as error:
        save_result(camera(), tmp_path.joinpath("taken", *inside))
    assert "a file" in error.value.strerror
    assert (tmp_path / "taken").read_text() == "mine"


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fails(table, where, **options):
        Path(where).write_bytes(b"PAR1 and then the disk was full")
        raise OSError(28, "No space left on device", str(where))

    monkeypatch.setattr(pq, "write_table", fails)
    with pytest.raises(OSError, match="No space left") as error:
        save_result(camera(), tmp_path)
    assert error.value.filename == str(tmp_path / "frames.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "summary.json"]


def test_an_interrupted_write_keeps_the_file_before(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_figure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fails(self, where, **options):
        Path(where).write_bytes(b"half a figure")
        raise RuntimeError("stopped")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fails)
    with pytest.raises(RuntimeError, match="stopped"):
        eesim.report.figures.write_figures(camera(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_numbers_in_the_frames_add_up(tmp_path):
    save_result(camera(), tmp_path, figures=False)
    frames = pd.read_parquet(tmp_path / "frames.parquet")
    parts = frames[["queueing_ns", "service_ns", "transfer_ns", "contention_ns"]].sum(axis=1)
    assert np.array_equal(parts, (frames["finish_ns"] - frames["arrival_ns"]).astype("int64"))
