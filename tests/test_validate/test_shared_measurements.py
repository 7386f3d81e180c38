"""The importers against tables that were cleaned by hand from the same files: the same rows must come out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from eesim.validate.importers import import_path
from tests.test_validate.shared import shared

LAYER_KEY = ["graph", "layer", "pe", "metric", "freq_index", "host_freq_index"]
HALF_OF_4_DECIMALS, HALF_OF_1_DECIMAL, HALF_OF_3_DECIMALS = 5.1e-5, 0.051, 5.1e-4


def cleaned(name: str) -> pd.DataFrame:
    return pd.read_csv(shared(f"measurements/{name}"), low_memory=False)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    import_path("coup-tables", shared("coup_native/profiling_data"), folder)
    return folder


def imported(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, low_memory=False)


def farthest(ours: pd.Series, theirs: pd.Series) -> float:
    assert (ours.isna() == theirs.isna()).all()
    return float((ours - theirs).abs().max())


def test_layers(tables: Path) -> None:
    ours, theirs = imported(tables, "layer_times.csv"), cleaned("layer_times.csv")
    theirs = theirs[theirs.campaign == "coup"].reset_index(drop=True)
    assert len(ours) == len(theirs) == 11568
    columns = [
        "campaign",
        "graph",
        "layer",
        "pe",
        "metric",
        "freq_index",
        "freq_mhz",
        "host_freq_index",
        "host_freq_mhz",
    ]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])
    assert farthest(ours.time_ms, theirs.time_ms) <= HALF_OF_4_DECIMALS
    assert farthest(ours.power_mw, theirs.power_mw) <= HALF_OF_1_DECIMAL


def test_transfers(tables: Path) -> None:
    key = ["campaign", "graph", "recv_layer", "src_pe", "dst_pe"]
    ours, theirs = imported(tables, "transfer_times.csv"), cleaned("transfer_times.csv")
    theirs = theirs[theirs.campaign == "coup"]
    assert len(ours) == len(theirs) == 780
    both = ours.merge(theirs, on=key, validate="one_to_one", suffixes=("", "_theirs"))
    assert len(both) == 780
    assert farthest(both.time_ms_at_min_freq, both.time_ms_at_min_freq_theirs) <= HALF_OF_4_DECIMALS
    assert set(ours.distinct_values) == {1}


@pytest.mark.parametrize("name", ["dvfs_delay.csv", "transfer_freq_scaling.csv"])
def test_delays_and_scaling(name: str, tables: Path) -> None:
    ours, theirs = imported(tables, name), cleaned(name)
    assert list(ours.columns)[: len(theirs.columns)] == list(theirs.columns)
    assert len(ours) == len(theirs)
    for column in theirs.columns:
        if column in ("pe", "src_pe", "dst_pe"):
            assert list(ours[column]) == list(theirs[column])
        else:
            limit = HALF_OF_1_DECIMAL if column.endswith("_mw") else HALF_OF_4_DECIMALS
            assert farthest(ours[column], theirs[column]) <= limit, column


def test_switch_runs(tables: Path) -> None:
    ours, theirs = imported(tables, "switch_runs.csv"), cleaned("switch_runs_dev.csv")
    theirs = theirs[theirs.campaign == "coup"]
    theirs = theirs.assign(source=theirs.source.str.rpartition("/")[2])
    assert len(ours) == len(theirs) == 306
    for name, group in theirs.groupby("source"):
        mine = ours[ours.source == name].reset_index(drop=True)
        group = group.reset_index(drop=True)
        for column in ("campaign", "graph", "order", "freq_indices", "gpu_host", "npu_host", "n_switches", "single_pe"):
            assert list(mine[column]) == list(group[column]), (name, column)
        assert list(mine.npu_model.fillna("")) == list(group.npu_model.fillna("")), name
        for column in ("input_time_ms", "task_time_ms", "total_time_ms", "energy_mj"):
            assert farthest(mine[column], group[column]) <= HALF_OF_3_DECIMALS, (name, column)
        assert farthest(mine.output_time_ms, group.output_time_ms) <= HALF_OF_4_DECIMALS
        for column in ("input_power_mw", "task_power_mw"):
            assert farthest(mine[column], group[column]) <= HALF_OF_1_DECIMAL, (name, column)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    done = import_path("coup-log", shared("coup_native/profiling_data/Layers"), folder)
    assert done.tally.unknown_lines == done.tally.skipped_records == 0
    assert done.tally.warnings == []
    assert len(done.tables["runs"]) == 70
    return folder


def test_logs_give_the_rows_of_the_layer_table(logs: Path) -> None:
    ours, theirs = imported(logs, "layer_times.csv"), cleaned("layer_times.csv")
    both = ours.merge(theirs[theirs.campaign == "coup"], on=LAYER_KEY, validate="one_to_one", suffixes=("", "_theirs"))
    assert len(both) == len(ours) == 1712
    assert float((both.time_ms - both.time_ms_theirs).abs().max()) <= HALF_OF_4_DECIMALS
    for column in ("freq_mhz", "host_freq_mhz"):
        assert farthest(both[column], both[f"{column}_theirs"]) == 0


def test_logs_give_the_rows_of_the_kernel_tables(logs: Path) -> None:
    ours, theirs = imported(logs, "kernel_times_cpu.csv"), cleaned("kernel_times_cpu.csv")
    yolo = ours[ours.graph == "yolov3"]
    both = yolo.merge(theirs, on=["graph", "pe", "freq_index", "kernel_seq"], suffixes=("", "_theirs"))
    assert (len(both), len(yolo)) == (4 * 267, 8 * 267), "four clocks of eight were kept"
    assert farthest(both.time_ms, both.time_ms_theirs) <= HALF_OF_4_DECIMALS
    assert list(both.layer) == list(both.layer_theirs)
    shapes, known = imported(logs, "kernel_shapes.csv"), cleaned("kernel_shapes.csv")
    both = shapes[shapes.graph == "yolov3"].merge(known, on=["graph", "kernel_seq"], suffixes=("", "_theirs"))
    assert len(both) == 267
    for column in ("layer", "kernel", "input_shape", "output_shape"):
        assert list(both[column].astype(str)) == list(both[f"{column}_theirs"].astype(str)), column


def test_layers_after_a_change_of_pe_are_slower(logs: Path) -> None:
    """Why layer_times takes runs on one PE only: the same layers on B, at the same clock, after a layer on N."""
    runs, layers = imported(logs, "runs.csv"), imported(logs, "run_layer_times.csv")
    rows = layers.merge(runs[["run_id", "graph", "order", "setting"]], on="run_id")
    mobile = rows[(rows.graph == "mobilenet_v1") & (rows.pe == "B")]
    alone, mixed = mobile[mobile.order.str.fullmatch("B+")], mobile[mobile.order.str.contains("N")]
    both = mixed.merge(alone, on=["first_layer", "setting"], suffixes=("_mixed", "_alone"))
    assert len(both) == 7 * 8
    ratio = both.time_ms_mixed / both.time_ms_alone
    assert ratio.median() > 1.2
    assert ratio.max() > 1.5


def test_power_logs_give_the_powers_of_the_layer_table(tmp_path: Path) -> None:
    done = import_path("coup-power", shared("coup_native/profiling_data/Layers"), tmp_path)
    assert done.tally.unknown_lines == done.tally.skipped_records == 0
    ours, theirs = imported(tmp_path, "layer_times.csv"), cleaned("layer_times.csv")
    both = ours.merge(theirs[theirs.campaign == "coup"], on=LAYER_KEY, validate="one_to_one", suffixes=("", "_theirs"))
    assert len(both) == len(ours) == (8 + 6) * 16
    assert farthest(both.power_mw, both.power_mw_theirs) <= HALF_OF_1_DECIMAL


def test_the_sample_of_pipe_all_is_khadas(tmp_path: Path) -> None:
    done = import_path("pipeall-log", shared("coup_native/pipeall"), tmp_path, allow_board="khadas")
    assert done.tally.unknown_lines == 0
    (run,) = done.tables["pipeline_runs"]
    assert (run["graph"], run["board"], run["period_ms"], run["latency_ms"]) == ("alexnet", "khadas", 151.222, 427.629)


def test_our_columns_begin_with_those_of_the_cleaned_tables() -> None:
    from eesim.validate.importers.schema import TABLES

    for ours, theirs in {
        "layer_times": "layer_times.csv",
        "transfer_freq_scaling": "transfer_freq_scaling.csv",
        "dvfs_delay": "dvfs_delay.csv",
        "switch_runs": "switch_runs_dev.csv",
        "pipeline_runs": "pipeline_runs_dev.csv",
        "transfer_times": "transfer_times.csv",
        "kernel_times_cpu": "kernel_times_cpu.csv",
        "kernel_shapes": "kernel_shapes.csv",
    }.items():
        columns = list(cleaned(theirs).columns)
        assert [column.name for column in TABLES[ours]][: len(columns)] == columns, ours
