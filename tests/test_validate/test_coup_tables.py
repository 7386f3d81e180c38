"""CSV tables: what each row becomes, and which rows are left out."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import pytest

from eesim.errors import InputError
from eesim.validate.importers import import_path
from eesim.validate.importers.protocol import Imported
from tests.test_validate.mutations import change_digit, delete_lines, duplicate_lines, flip_bits, swap_lines, truncate

LAYERS = "Graph,Component,Freq,Freq_Host,Layer,Metric,Time,Power\n" + "".join(
    f"Alex,{pe},{freq},{host},{layer},task,{10 + layer + freq}.5,{3000 + freq}.25\n"
    for pe, hosts in (("B", (-1,)), ("L", (-1,)), ("G", (0, 7)))
    for freq in range(4)
    for host in hosts
    for layer in range(8)
)
TRANSFERS = (
    "Graph,Layer,Dest,Src,Time\n"
    + "Alex,0,B,G,1.5\nAlex,0,G,B,2.5\nAlex,0,L,B,0.25\nAlex,1,B,G,3.5\nAlex,1,G,L,4.5\n" * 2
)
RUNS_HEAD = (
    "graph,order,host,freq,input_time,task_time,output_time,total_time,input_power,task_power,"
    "input_e,task_e,output_e,total_e,power_efficiency,pipelinetime\n"
)


def run_line(
    order: str, freq: str, times: tuple[float, float, float], powers: tuple[float, float], host: str = "BL"
) -> str:
    (input_, task, output), (p, q) = times, powers
    energies = input_ * p / 1000, task * q / 1000, output * p / 1000
    numbers = (input_, task, output, input_ + task, p, q, *energies, sum(energies), 1000 / sum(energies), input_ + task)
    return f'Alex,{order},{host},"{freq}",' + ",".join(map(repr, numbers)) + "\n"


RUNS = RUNS_HEAD + "".join(
    (
        run_line("BBBBBBBB", "(('max',),)", (14.25, 100.5, 0.5), (5000.0, 6000.0)),
        run_line("BBBBLLLL", "((7,), (6,), (5,), (4,), (3,), (2,), (1,), (0,))", (15.0, 120.0, 0.25), (5100.0, 5500.0)),
        run_line("BGGGGGGB", "((7,), " + "(4, 7), " * 6 + "(7,))", (16.0, 130.0, 0.5), (5200.0, 5600.0)),
    )
)
DVFS = "Num_iterations,PE,Freq,NextFreq," + ",".join(f"T{i}" for i in range(1, 11)) + ",AVG\n"
DVFS += "256,Little,0,3," + ",".join(str(1000000 + 1000 * i) for i in range(10)) + ",1.0045e+06\n"
DVFS += "8,GPU,0,1,-1000,1000,-1000,1000,-1000,1000,-1000,1000,-1000,1000,500\n"
SCALING = "kernels,order,SenderFreq,RecFreq,transfer_time,transfer_power,freq,time_ratio,power_ratio\n"
SCALING += '14400,LG,"(0,)","(0, 0)",30.0,3000.0,"((0,), (0, 0))",1.0,1.0\n'
SCALING += '14400,LG,"(5,)","(0, 7)",15.0,4500.0,"((5,), (0, 7))",0.5,1.5\n'


def read(folder: Path, text: str, name: str = "t.csv", **options: Any) -> Imported:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return import_path("coup-tables", path, **options).found


def test_layers(tmp_path: Path) -> None:
    found = read(tmp_path, LAYERS)
    rows = found.tables["layer_times"]
    assert len(rows) == 4 * 8 * 4
    first = rows[0]
    assert (first["campaign"], first["graph"], first["pe"], first["metric"]) == ("coup", "alexnet", "B", "task")
    assert (first["freq_mhz"], first["host_freq_mhz"], first["time_ms"], first["power_mw"]) == (
        408,
        None,
        10.5,
        3000.25,
    )
    last = rows[-1]
    assert (last["freq_mhz"], last["host_freq_index"], last["host_freq_mhz"]) == (600, 7, 1800)


def test_npu_layers(tmp_path: Path) -> None:
    text = "Graph,Component,Freq,Freq_Host,Layer,Metric,Time,Power\n"
    text += "MobileV1,N,3,3,0,in,12.5,\nMobileV1,N,3,3,0,NPU_load,4.5,\nMobileV1,N,3,3,2,in,0.01,\n,,,,,,,\n"
    found = read(tmp_path, text)
    rows = found.tables["layer_times"]
    assert [(r["metric"], r["freq_index"], r["host_freq_mhz"], r["power_mw"]) for r in rows] == [
        ("input", None, 1008, None),
        ("npu_load", None, 1008, None),
    ]
    assert found.tally.noise == 1, "a blank row"
    assert found.tally.reasons() == {"row left out: input of an NPU layer that is not the first": 1}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Alex,B,0,-1,0", "Alex,X,0,-1,0", "a PE that the board does not have"),
        ("Alex,B,0,-1,0", "Alex,B,9,-1,0", "a frequency index that the board does not have"),
        ("Alex,B,0,-1,0", "Alex,B,0,3,0", "a host's frequency that does not fit the PE"),
        ("Alex,G,0,0,0", "Alex,G,0,-1,0", "a host's frequency that does not fit the PE"),
        ("Alex,B,0,-1,0", "Alix,B,0,-1,0", "a network that is not known"),
        ("Alex,B,0,-1,0", "Alex,B,0,-1,55", "a layer that no other row knows"),
        ("Alex,B,0,-1,0", "Alex,B,0,-1,1", "rows contradict each other"),
        ("0,task,10.5", "0,tusk,10.5", "a metric that is not known"),
        ("0,task,10.5", "0,task,-10.5", "Time is not above zero"),
        ("0,task,10.5", "0,task,1O.5", "Time is no number"),
        ("0,task,10.5", "0,task,1_0.5", "Time is no number"),
        ("0,task,10.5", "0,task,inf", "Time is no number"),
        ("0,task,10.5", '0,"task,10.5', "broken quotes"),
        ("0,task,10.5", "0,task,10.5,7", "not as many cells as columns"),
    ],
)
def test_a_damaged_row_is_left_out(old: str, new: str, reason: str, tmp_path: Path) -> None:
    assert old in LAYERS
    clean = read(tmp_path, LAYERS).tables["layer_times"]
    found = read(tmp_path, LAYERS.replace(old, new, 1))
    assert set(found.tally.reasons()) == {f"row left out: {reason}"}
    assert found.tables["layer_times"] == [row for row in clean if row in found.tables["layer_times"]]
    assert len(found.tables["layer_times"]) == len(clean) - found.tally.skipped_records


def test_transfers(tmp_path: Path) -> None:
    found = read(tmp_path, TRANSFERS)
    rows = [
        (r["recv_layer"], r["src_pe"], r["dst_pe"], r["time_ms_at_min_freq"]) for r in found.tables["transfer_times"]
    ]
    assert rows == [(1, "G", "B", 1.5), (1, "B", "G", 2.5), (1, "B", "L", 0.25), (2, "G", "B", 3.5), (2, "L", "G", 4.5)]
    assert found.tally.reasons() == {"row left out: a verbatim repeat": 5}
    # LW-GA numbers by the receiver: there is no layer 0.
    by_receiver = (
        "\n".join(line for line in TRANSFERS.splitlines() if ",0," not in line).replace("Alex,1", "Alex,2") + "\n"
    )
    by_receiver += "Alex,1,L,B,0.5\nAlex,1,G,B,0.5\n"
    assert [row["recv_layer"] for row in read(tmp_path, by_receiver).tables["transfer_times"]] == [2, 2, 1, 1]


def test_transfers_that_differ_are_flagged(tmp_path: Path) -> None:
    found = read(tmp_path, TRANSFERS + "Alex,0,B,G,1.7\nAlex,0,B,G,9.5\n")
    row = found.tables["transfer_times"][0]
    assert (row["time_ms_at_min_freq"], row["distinct_values"]) == (1.7, 3)
    assert any("distinct_values" in warning for warning in found.tally.warnings)


def test_runs(tmp_path: Path) -> None:
    found = read(tmp_path, RUNS)
    first, second, third = found.tables["switch_runs"]
    assert (first["freq_indices"], first["n_switches"], first["single_pe"]) == ("7-7-7-7-7-7-7-7", 0, 1)
    assert (second["freq_indices"], second["n_switches"], second["single_pe"]) == ("7-6-5-4-3-2-1-0", 1, 0)
    assert third["freq_indices"] == "7-4:7-4:7-4:7-4:7-4:7-4:7-7"
    assert (first["gpu_host"], first["npu_host"], first["npu_model"]) == ("B", "L", "")
    assert first["energy_mj"] == pytest.approx(14.25 * 5 + 100.5 * 6)
    assert len({row["run_id"] for row in found.tables["switch_runs"]}) == 3


@pytest.mark.parametrize("column", RUNS_HEAD.strip().split(",")[4:15])
def test_every_number_of_a_run_is_confirmed_by_another(column: str, tmp_path: Path) -> None:
    if column == "pipelinetime":
        return
    place = RUNS_HEAD.strip().split(",").index(column)
    lines = RUNS.splitlines()
    cells = lines[1].rpartition('",')
    numbers = cells[2].split(",")
    numbers[place - 4] = repr(float(numbers[place - 4]) * 1.01)
    lines[1] = cells[0] + '",' + ",".join(numbers)
    found = read(tmp_path, "\n".join(lines))
    assert len(found.tables["switch_runs"]) == 2
    (reason,) = found.tally.skipped
    assert "does not fit the cells that it follows from" in reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("BBBBLLLL", "BBBBLLLX", "an order with other letters than B, L, G, N"),
        ("BBBBLLLL", "BBBBLLL", "an order of another length than the network's other ones"),
        ("BBBBLLLL", "BBBBLLLG", "clocks that do not fit the order"),
        ("(7,), (6,)", "(7,), (9,)", "clocks that do not fit the order"),
        ("(7,), (6,)", "(7,) (6,)", "clocks that cannot be read"),
        ("(('max',),)", "(('mux',),)", "clocks that cannot be read"),
        ("BBBBLLLL,BL", "BBBBLLLL,BG", "hosts that are no CPU clusters"),
    ],
)
def test_a_damaged_run_is_left_out(old: str, new: str, reason: str, tmp_path: Path) -> None:
    found = read(tmp_path, RUNS.replace(old, new, 1))
    assert len(found.tables["switch_runs"]) == 2
    assert found.tally.reasons() == {f"row left out: {reason}": 1}


def test_designs_without_a_measurement_are_counted(tmp_path: Path) -> None:
    empty = "Alex,BBBBBBBB,BB,\"(('max',),)\"" + "," * 12 + "\n"
    found = read(tmp_path, RUNS + empty)
    assert found.tally.reasons() == {"row left out: a design that was not measured": 1}


@pytest.mark.parametrize(
    ("total", "name", "said", "expected"),
    [
        (28.6, "a.csv", None, "quantized"),
        (69.8, "a.csv", None, "fp16_or_unquantized"),
        (69.8, "Evaluations_Alex.csv", None, "fp16_or_unquantized"),
        (28.6, "a.csv", "fp16_or_unquantized", "fp16_or_unquantized"),
    ],
)
def test_the_npu_model_from_the_time(total: float, name: str, said: str | None, expected: str, tmp_path: Path) -> None:
    mixed = run_line("BNNNNNNN", "((7,), " + "(7,), " * 6 + "(7,))", (14.0, 30.0, 0.2), (5000.0, 4000.0), "BB")
    alone = run_line("NNNNNNNN", "(('max',),)", (14.0, total - 14.0, 0.2), (5000.0, 4000.0), "BB")
    found = read(tmp_path, RUNS_HEAD + mixed + alone + RUNS.splitlines()[1] + "\n", name, npu_model=said)
    assert [row["npu_model"] for row in found.tables["switch_runs"]] == [expected, expected, ""]


def test_the_npu_model_that_nothing_tells(tmp_path: Path) -> None:
    mixed = run_line("BNNNNNNN", "((7,), " + "(7,), " * 6 + "(7,))", (14.0, 30.0, 0.2), (5000.0, 4000.0), "BB")
    assert read(tmp_path, RUNS_HEAD + mixed, "Evaluations_A.csv").tables["switch_runs"][0]["npu_model"] == "quantized"
    assert (
        read(tmp_path, RUNS_HEAD + mixed, "x_fp16.csv").tables["switch_runs"][0]["npu_model"] == "fp16_or_unquantized"
    )
    found = read(tmp_path, RUNS_HEAD + mixed, "runs.csv")
    assert found.tables["switch_runs"][0]["npu_model"] == ""
    assert any("--npu-model" in warning for warning in found.tally.warnings)


def test_dvfs_delays(tmp_path: Path) -> None:
    found = read(tmp_path, DVFS)
    first, second = found.tables["dvfs_delay"]
    assert (first["pe"], first["from_mhz"], first["to_mhz"]) == ("L", 408, 1008)
    assert (first["mean_ms"], first["min_ms"], first["max_ms"]) == pytest.approx((1.0045, 1.0, 1.009))
    assert (second["pe"], second["mean_ms"]) == ("G", 0.0005), "what lies below zero counts as nothing in their mean"
    with pytest.raises(InputError, match="the mean is not that of the repeats"):
        read(tmp_path, DVFS.replace("1004000", "1094000").replace(",500", ",700"))


def test_transfer_scaling(tmp_path: Path) -> None:
    found = read(tmp_path, SCALING)
    row = found.tables["transfer_freq_scaling"][1]
    assert (row["src_pe"], row["src_freq_mhz"], row["dst_freq_mhz"], row["dst_host_freq_mhz"]) == ("L", 1416, 200, 1800)
    assert (row["tensor_bytes"], row["time_ratio_to_min"]) == (41990400, 0.5)
    for old, new in (("15.0", "16.0"), ("4500.0", "4600.0"), ('"(5,)"', '"(4,)"'), ("0.5,1.5", "0.6,1.5")):
        assert len(read(tmp_path, SCALING.replace(old, new, 1)).tables["transfer_freq_scaling"]) == 1


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.touch, (str(tmp_path / "exploded"),))

    for name in ("ProfileResult.pkl", "innocent.csv"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(InputError, match="is a pickle, and loading a pickle runs whatever code is in it"):
            import_path("coup-tables", path)
    (tmp_path / "innocent.csv").write_text(LAYERS, encoding="utf-8")
    found = import_path("coup-tables", tmp_path).found
    assert found.tally.reasons() == {"file left out: a pickle, which could run any code if it were loaded": 1}
    assert not (tmp_path / "exploded").exists()


def test_tables_are_known_by_their_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no table that eesim knows: its columns are a, b"):
        read(tmp_path, "a,b\n1,2\n")
    (tmp_path / "t.csv").unlink()
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "any name.csv").write_text("\ufeff" + LAYERS, encoding="utf-8")
    found = import_path("coup-tables", tmp_path).found
    assert len(found.tables["layer_times"]) == 128
    assert found.tally.reasons() == {"file left out: not a table that eesim knows": 1}


def test_damaged_tables_lose_rows_or_flag_them(tmp_path: Path) -> None:
    """Keys are never invented; a number that nothing confirms may be wrong in the damaged rows only."""
    for text, table in ((LAYERS, "layer_times"), (RUNS, "switch_runs"), (TRANSFERS, "transfer_times")):
        clean = {
            str(sorted((k, str(v)) for k, v in row.items() if k != "run_id"))
            for row in read(tmp_path, text).tables[table]
        }
        for seed in range(150):
            rng = random.Random(seed)
            one = (change_digit, flip_bits, delete_lines, duplicate_lines, swap_lines, truncate)[seed % 6]
            data = one(rng, text.encode())
            (tmp_path / "t.csv").write_bytes(data)
            try:
                found = import_path("coup-tables", tmp_path / "t.csv").found
            except InputError:
                continue
            damaged = sum(line not in text for line in data.decode(errors="replace").split("\n"))
            wrong = [
                row
                for row in found.tables[table]
                if str(sorted((k, str(v)) for k, v in row.items() if k != "run_id")) not in clean
            ]
            flagged = [row for row in wrong if row.get("distinct_values", 1) != 1]
            damaged += any("may be cut off" in warning for warning in found.tally.warnings)
            assert len(wrong) - len(flagged) <= damaged, f"{table} seed {seed}: {wrong[:1]}"
            if table == "switch_runs":
                # All numbers of a run are confirmed by others: what is left are letters and clocks that still fit.
                for row in wrong if not found.tally.warnings else ():
                    assert row["energy_mj"] in [clean["energy_mj"] for clean in _clean_runs(tmp_path)]


def _clean_runs(folder: Path) -> list[Any]:
    return read(folder, RUNS, "clean_runs.csv").tables["switch_runs"]
