"""Tables and runs: every problem of a file with its line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from eesim.errors import InputError
from eesim.validate.requirements import require_tables
from eesim.validate.runs import (
    Clocks,
    order_groups,
    read_frequencies,
    read_pipeline_runs,
    read_runs,
    read_switch_runs,
)
from eesim.validate.tables import MAX_REPORTED, known_labels, read_rows
from tests.test_validate.synthetic import full_folder, write_pipeline_runs, write_switch_runs, write_tables


def said(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [str(problem).partition("/")[2].rpartition("/")[2] or str(problem) for problem in error.value.problems]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_problem_of_a_table_has_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "name,size\na,1\n,2\nc,x\nd,-3\ne,inf\nf,\n")
    with pytest.raises(InputError) as error:
        read_rows(path, ["name"], ["size"], above_0=["size"])
    assert said(error) == [
        "t.csv:3: name: is empty",
        "t.csv:4: size: is not a number: 'x'",
        "t.csv:5: size: must be above 0: '-3'",
        "t.csv:6: size: is not finite: 'inf'",
        "t.csv:7: size: is not a number",
    ]


def test_columns_that_may_be_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "name,size\n,\nb,2\n")
    table = read_rows(path, ["name"], ["size"], empty=["name", "size"])
    assert table["name"].tolist() == ["", "b"]
    assert table["size"].isna().tolist() == [True, False]
    bad = write(tmp_path / "u.csv", "name,size\na,many\n")
    with pytest.raises(InputError, match="not a number: 'many'"):
        read_rows(bad, ["name"], ["size"], empty=["size"])


def test_all_missing_columns_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "nmae,size\na,1\n")
    with pytest.raises(InputError) as error:
        read_rows(path, ["name"], ["size", "weight"])
    assert said(error) == [
        "t.csv:1: name: there is no such column (did you mean nmae?)",
        "t.csv:1: weight: there is no such column",
    ]


def test_a_file_of_another_name_is_suggested(tmp_path: Path) -> None:
    write(tmp_path / "layer_time.csv", "a\n1\n")
    with pytest.raises(InputError, match=r"layer_times.csv: there is no such file \(did you mean layer_time.csv\?\)"):
        read_rows(tmp_path / "layer_times.csv", ["a"], [])


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2,3,4\n\xff\xfe", b'a,b\n"1,2\n'])
def test_what_is_no_table_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_rows(path, ["a"], ["b"])


def test_long_lists_of_problems_are_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "size\n" + "x\n" * 30)
    with pytest.raises(InputError) as error:
        read_rows(path, [], ["size"])
    assert len(error.value.problems) == MAX_REPORTED + 1
    assert error.value.problems[-1].message == "and 10 more problems"
    table = pd.DataFrame({"at": ["Q"] * 30})
    with pytest.raises(InputError) as error:
        known_labels(path, table, {"at": ("B", "L")})
    assert error.value.problems[-1].message == "and 10 more problems"
    assert error.value.problems[0].line == 2


def test_errors_cross_processes_whole() -> None:
    import pickle

    from eesim.errors import Problem

    error = InputError([Problem("f", 3, "a", "is wrong"), Problem("f", 4, "", "too", "b")])
    again = pickle.loads(pickle.dumps(error))
    assert again.problems == error.problems


def test_frequencies_must_count_up(tmp_path: Path) -> None:
    path = write(tmp_path / "freq_table.csv", "pe,freq_index,freq_mhz\nL,1,816\nL,0,408\n")
    assert read_frequencies(tmp_path) == {"L": (408_000_000, 816_000_000)}
    write(path, "pe,freq_index,freq_mhz\nL,0,408\nL,2,816\n")
    with pytest.raises(InputError, match="indices of L are not 0, 1, 2"):
        read_frequencies(tmp_path)


FREQUENCIES = {"B": (500, 1000), "L": (400, 800), "G": (200, 400)}


def switch(tmp_path: Path, **changes: object) -> Path:
    table = write_switch_runs(tmp_path)
    for name, value in changes.items():
        table[name] = table[name].astype(object)
        table.loc[0, name] = value
    path = tmp_path / "switch_runs_a.csv"
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": "BQB"}, ":2: order: there is no PE Q"),
        ({"freq_indices": "0-0"}, ":2: freq_indices: has 2 items for 3 layers"),
        ({"freq_indices": "0-0-7"}, ":2: freq_indices: '7' is no clock of B"),
        ({"freq_indices": "0-0-x"}, ":2: freq_indices: 'x' is no clock of B"),
        ({"freq_indices": "0--0"}, ":2: freq_indices: '' is no clock of B"),
        ({"gpu_host": "big"}, ":2: gpu_host: is 'big', not one of , B, L"),
        ({"npu_host": "l"}, ":2: npu_host: is 'l', not one of , B, L (did you mean L?)"),
        ({"total_time_ms": 0}, ":2: total_time_ms: must be above 0"),
        ({"energy_mj": "lots"}, ":2: energy_mj: is not a number: 'lots'"),
    ],
)
def test_a_switch_run_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        read_switch_runs(switch(tmp_path, **changes), FREQUENCIES)
    assert message in str(error.value)


def test_a_negative_index_is_no_clock(tmp_path: Path) -> None:
    """``-`` separates items, so a minus sign makes an item too many."""
    with pytest.raises(InputError, match="has 4 items for 3 layers"):
        read_switch_runs(switch(tmp_path, freq_indices="0--1-0"), FREQUENCIES)


def test_switch_runs_are_read(tmp_path: Path) -> None:
    path = switch(tmp_path, order="GNB", freq_indices="1:0-1-0", gpu_host="", npu_model="quantized")
    run = read_switch_runs(path, FREQUENCIES)[0]
    assert run.clocks == (Clocks(400, 500), Clocks(0, 1000), Clocks(500, 0))
    assert run.hosts == (("G", "B"), ("N", "B"))
    assert run.measured == {"time": 100.0, "energy": 500.0, "power": 5000.0}
    assert (run.is_mixed, run.changes) == (True, 2)
    assert run.used_hosts == (("G", "B"), ("N", "B"))


def test_pipeline_runs_are_read(tmp_path: Path) -> None:
    write_pipeline_runs(tmp_path)
    path = tmp_path / "pipeline_runs_a.csv"
    table = pd.read_csv(path)
    table.loc[0, "power_ok"] = 0
    table.loc[1, "power_mw"] = -1
    table.to_csv(path, index=False)
    glitch, negative, good = read_pipeline_runs(path)[:3]
    assert set(glitch.measured) == set(negative.measured) == {"period", "latency"}
    assert good.measured == {"period": 100.0, "latency": 200.0, "power": 5000.0, "energy": 500.0}
    assert dict(good.pe_hz) == {"B": 500_000_000, "L": 400_000_000, "G": 200_000_000, "N": 0}


def test_fronts_have_no_latency_and_no_names(tmp_path: Path) -> None:
    header = "graph,order,gpu_host,npu_host,little_mhz,big_mhz,gpu_mhz,period_ms,energy_mj_per_frame,power_ok\n"
    path = write(tmp_path / "pipeline_front_x.csv", header + "toy,LBB,,,400,500,200,100,400,1\n")
    (run,) = read_pipeline_runs(path)
    assert run.run_id == "pipeline_front_x:2"
    assert run.measured == {"period": 100.0, "energy": 400.0, "power": 4000.0}


def test_unknown_pes_and_hosts_of_pipeline_runs(tmp_path: Path) -> None:
    write_pipeline_runs(tmp_path)
    path = tmp_path / "pipeline_runs_a.csv"
    table = pd.read_csv(path)
    table.loc[2, "order"] = "LBX"
    table.to_csv(path, index=False)
    with pytest.raises(InputError, match=r":4: order: there is no PE X"):
        read_pipeline_runs(path)
    table.loc[2, "order"] = "LBB"
    table.loc[3, "gpu_host"] = "A"
    table.to_csv(path, index=False)
    with pytest.raises(InputError, match=r":5: gpu_host: is 'A'"):
        read_pipeline_runs(path)


def test_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    full_folder(tmp_path)
    for name, column in (("switch_runs_a.csv", "energy_mj"), ("pipeline_runs_a.csv", "period_ms")):
        path = tmp_path / name
        pd.read_csv(path).rename(columns={column: column + "x"}).to_csv(path, index=False)
    with pytest.raises(InputError) as error:
        read_runs(tmp_path)
    assert said(error) == [
        "switch_runs_a.csv:1: energy_mj: there is no such column (did you mean energy_mjx?)",
        "pipeline_runs_a.csv:1: period_ms: there is no such column (did you mean period_msx?)",
    ]


def test_a_folder_without_runs(tmp_path: Path) -> None:
    write_tables(tmp_path)
    with pytest.raises(InputError, match=r"there are no runs \(switch_runs\*.csv, pipeline_runs\*.csv"):
        read_runs(tmp_path)


def test_missing_tables_say_what_they_are_for(tmp_path: Path) -> None:
    full_folder(tmp_path)
    runs = read_runs(tmp_path)
    require_tables(tmp_path, runs)
    (tmp_path / "freq_table.csv").rename(tmp_path / "unlike.csv")
    (tmp_path / "layer_shapes.csv").rename(tmp_path / "layer_shape.csv")
    with pytest.raises(InputError) as error:
        require_tables(tmp_path, runs)
    assert said(error) == [
        "layer_shapes.csv: there is no such file; it is needed for layers and tensor sizes "
        "(did you mean layer_shape.csv?)",
        "freq_table.csv: there is no such file; it is needed for clocks of switch_runs*.csv",
    ]


def test_tables_that_no_run_needs_may_be_missing(tmp_path: Path) -> None:
    full_folder(tmp_path)
    (tmp_path / "switch_runs_a.csv").unlink()
    (tmp_path / "freq_table.csv").unlink()
    require_tables(tmp_path, read_runs(tmp_path))


def test_googlenet_in_pipeline_mode_needs_its_kernels(tmp_path: Path) -> None:
    write_tables(tmp_path, ["googlenet"])
    write_pipeline_runs(tmp_path, graph="googlenet")
    runs = read_runs(tmp_path)
    require_tables(tmp_path, runs)
    (tmp_path / "kernel_times_cpu.csv").unlink()
    with pytest.raises(InputError, match="needed for GoogLeNet's 13 parts"):
        require_tables(tmp_path, runs)


def test_groups_are_network_and_order(tmp_path: Path) -> None:
    runs = read_runs(full_folder(tmp_path))
    groups = order_groups(runs)
    # A group may span both modes: an order is an order.
    assert len(set(groups)) == len({run.order for run in runs})
    assert groups[0] == groups[1] != groups[2]
