"""Chains from tables: a toy campaign checked by hand, and the measured one where it is at hand."""

from __future__ import annotations

import csv
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.explore.chain import NEVER, Chain, State, evaluate
from eesim.explore.chain_layers import read_layers
from eesim.explore.chain_tables import read_chain
from eesim.explore.dp import Solution, front, min_energy, min_time
from eesim.hardware.laws import dvfs_delay_ns, time_across_change_ns, transfer_ns
from eesim.hardware.spec import Board
from eesim.spec import validate_document
from eesim.yamldoc import load_document
from tests.test_explore.chains import measurements

BOARD = validate_document(Board, load_document(Path(__file__).parents[2] / "hw_models/rk3399pro/board.yaml"))

GRAPHS = ("alexnet", "googlenet", "mobilenet_v1", "resnet50_v1", "squeezenet_v1", "yolov3")

MHZ = 10**6
B_LOW, B_HIGH = State("B", 408 * MHZ), State("B", 1800 * MHZ)
L_LOW, L_HIGH = State("L", 408 * MHZ), State("L", 1416 * MHZ)
G_LOW, G_HIGH = State("G", 200 * MHZ, 408 * MHZ), State("G", 800 * MHZ, 1800 * MHZ)
G_FAST_HOST = State("G", 200 * MHZ, 1800 * MHZ)
N_LOW, N_HIGH = State("N", 0, 408 * MHZ), State("N", 0, 1800 * MHZ)
STATES = sorted(
    [B_LOW, B_HIGH, L_LOW, L_HIGH, G_LOW, G_HIGH, G_FAST_HOST, State("G", 800 * MHZ, 408 * MHZ), N_LOW, N_HIGH]
)

HEADER = "campaign,graph,layer,pe,metric,freq_index,freq_mhz,host_freq_index,host_freq_mhz,time_ms,power_mw"


def task_ms(layer: int, state: State) -> int:
    """Toy time of a task; nothing in it is measured."""
    clock = (state.clock_hz or 400 * MHZ) // MHZ
    return {"B": 90_000, "L": 80_000, "G": 30_000, "N": 4_000}[state.pe] * (layer + 1) // clock


def power_mw(state: State) -> int:
    return 3000 + (state.clock_hz or state.host_hz) // MHZ


def layer_rows(campaign: str = "coup", factor: int = 1, layers: int = 3) -> list[str]:
    rows = []
    for state in STATES:
        clock = state.clock_hz // MHZ or ""
        key = f"{state.pe},{{}},,{clock},,{state.host_hz // MHZ or ''}"

        def add(layer: int, metric: str, ms: float, power: object = "", key: str = key) -> None:
            rows.append(f"{campaign},toy,{layer},{key.format(metric)},{ms * factor},{power}")

        add(0, "input", 20, 2500)
        add(layers - 1, "output", 1)
        for layer in range(layers):
            add(layer, "task", task_ms(layer, state), power_mw(state))
            if state.pe == "N":
                add(layer, "npu_load", 7 if state == N_LOW else 2)
                add(layer, "npu_run_get", task_ms(layer, state) + 3)
                add(layer, "npu_fill_tensor", 5 if state == N_LOW else 1)
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A toy campaign with all tables."""
    write(tmp_path, "layer_times.csv", HEADER, layer_rows() + layer_rows("other", 100))
    pairs = [(a, b) for a in "BLG" for b in "BLG" if a != b]
    rows = [
        f"{name},toy,{i},{a},{b},{8 * i * k}"
        for name, k in (("coup", 1), ("other", 50))
        for i in (1, 2)
        for a, b in pairs
    ]
    write(tmp_path, "transfer_times.csv", "campaign,graph,recv_layer,src_pe,dst_pe,time_ms_at_min_freq", rows)
    write(
        tmp_path,
        "transfer_freq_scaling.csv",
        "src_pe,dst_pe,src_freq_mhz,src_host_freq_mhz,dst_freq_mhz,dst_host_freq_mhz,tensor_bytes,time_ms,power_mw,time_ratio_to_min",
        [f"B,G,{f},,200,{f},4,1,{3000 + f},{r}" for f, r in ((408, 1.0), (1800, 0.5))]
        + [f"G,B,200,{f},{f},,4,1,{3100 + f},{r}" for f, r in ((408, 1.0), (1800, 0.25))]
        + [f"L,B,408,,{f},,4,1,{3200 + f},{r}" for f, r in ((408, 1.0), (1800, 0.75))]
        + ["B,L,408,,408,,4,1,3300,1.0"],
    )
    delays = [
        ("B", 408, 1800, 4),
        ("B", 1800, 408, 1),
        ("L", 408, 1416, 2),
        ("L", 1416, 408, 1),
        ("G", 200, 800, 3),
        ("G", 800, 200, 1),
    ]
    rows = [f"{pe},{old},{new},0,0,{ms + step}" for pe, old, new, ms in delays for step in (-0.5, 0.5)]
    write(tmp_path, "dvfs_delay.csv", "pe,from_mhz,to_mhz,from_index,to_index,mean_ms", rows)
    write(tmp_path, "layer_shapes.csv", "graph,layer,output_bytes_fp32", ["toy,0,4000000", "toy,1,2000000", "toy,2,10"])
    return tmp_path


def write(folder: Path, name: str, header: str, rows: list[str]) -> None:
    (folder / name).write_text("\n".join([header, *rows]) + "\n")


def cost(chain: Chain, *states: State) -> tuple[int, int]:
    """Time in ns and energy in nJ of a path by name."""
    found = evaluate(chain, [chain.states.index(state) for state in states])
    return int(found.time_ns[0]), int(found.energy_nj[0])


def ms(*parts: float) -> int:
    return round(sum(Fraction(str(part)) for part in parts) * 10**6)


def mj(*parts: tuple[float, float]) -> int:
    """Energy in nJ of (ms, mW) pairs."""
    return round(sum(Fraction(str(time)) * Fraction(str(power)) for time, power in parts) * 10**3)


def test_one_state_is_the_sum_of_its_rows(folder: Path) -> None:
    chain = read_chain(folder, "toy", BOARD).chain
    assert chain.states == tuple(STATES)
    for state in (B_HIGH, L_LOW, G_FAST_HOST):
        tasks = [task_ms(layer, state) for layer in range(3)]
        expected = ms(20, 1, *tasks), mj((20, 2500), (1, 2500), (sum(tasks), power_mw(state)))
        assert cost(chain, state, state, state) == expected


def test_an_npu_loads_and_unloads_once_for_a_run(folder: Path) -> None:
    chain = read_chain(folder, "toy", BOARD).chain
    tasks = [task_ms(layer, N_HIGH) for layer in range(3)]
    spent = ((20, 2500), (1, 2500), (sum(tasks) + 2 + 3 + 1, power_mw(N_HIGH)))
    assert cost(chain, N_HIGH, N_HIGH, N_HIGH) == (ms(20, 1, *tasks, 2, 3, 1), mj(*spent))
    assert cost(chain, N_HIGH, N_LOW, N_LOW) == (NEVER, NEVER)


def test_a_transfer_runs_at_the_clocks_before_the_change(folder: Path) -> None:
    chain = read_chain(folder, "toy", BOARD).chain
    tasks = [task_ms(0, B_HIGH), task_ms(1, G_LOW), task_ms(2, G_LOW)]
    time, energy = cost(chain, B_HIGH, G_LOW, G_LOW)
    # The tensor is copied by B at 1800 MHz; G finds its own lowest clock and its host at 1800 MHz, and no delay counts.
    assert time == ms(20, 1, 8 * 0.5, *tasks)
    parts = ((8 * 0.5, 4800), (tasks[0], power_mw(B_HIGH)), (tasks[1] + tasks[2], power_mw(G_LOW)))
    assert energy == mj((20, 2500), (1, 2500), *parts)


def test_a_frequency_change_follows_the_rule_of_the_authors(folder: Path) -> None:
    chain = read_chain(folder, "toy", BOARD).chain
    slow, fast = task_ms(1, B_LOW), task_ms(1, B_HIGH)
    changed = time_across_change_ns(ms(slow), ms(fast), ms(4))
    first, last = task_ms(0, L_HIGH), task_ms(2, B_HIGH)
    time, energy = cost(chain, L_HIGH, B_HIGH, B_HIGH)
    # B sat at 408 MHz while L worked: the copy is slow, and so are the first 4 ms of the layer.
    assert time == ms(20, 1, first, last, 8) + changed
    late = ((4, power_mw(B_LOW)), (Fraction(changed, 10**6) - 4, power_mw(B_HIGH)))
    parts = ((first, power_mw(L_HIGH)), (last, power_mw(B_HIGH)), (8, 3608), *late)
    assert energy == pytest.approx(mj((20, 2500), (1, 2500), *((float(t), p) for t, p in parts)), abs=8)


def test_a_clock_that_falls_late_makes_the_layer_faster(folder: Path) -> None:
    chain = read_chain(folder, "toy", BOARD).chain
    changed = time_across_change_ns(ms(task_ms(1, B_HIGH)), ms(task_ms(1, B_LOW)), ms(1))
    assert changed < ms(task_ms(1, B_LOW))
    expected = ms(20, 1, task_ms(0, B_HIGH), task_ms(2, B_LOW)) + changed
    assert cost(chain, B_HIGH, B_LOW, B_LOW)[0] == expected


def test_an_npu_loads_slowly_until_its_hosts_clock_is_there(folder: Path) -> None:
    chain = read_chain(folder, "toy", BOARD).chain
    tasks = [task_ms(0, L_LOW), task_ms(1, N_HIGH), task_ms(2, N_HIGH)]
    load = time_across_change_ns(ms(7), ms(2), ms(4))
    assert cost(chain, L_LOW, N_HIGH, N_HIGH)[0] == ms(20, 1, *tasks, 3, 1) + load
    tasks[0] = task_ms(0, B_HIGH)
    assert cost(chain, B_HIGH, N_HIGH, N_HIGH)[0] == ms(20, 1, *tasks, 3, 1, 2)


def test_a_route_without_a_ratio_borrows_one(folder: Path) -> None:
    built = read_chain(folder, "toy", BOARD)
    tasks = [task_ms(0, G_HIGH), task_ms(1, L_LOW), task_ms(2, L_LOW)]
    assert cost(built.chain, G_HIGH, L_LOW, L_LOW)[0] == ms(20, 1, *tasks, 8 * 0.25)
    assert "G->L: no ratio measured; that of G->B is taken" in built.notes


def test_campaigns_are_not_mixed(folder: Path) -> None:
    ours, other = (read_chain(folder, "toy", BOARD, campaign=name).chain for name in ("coup", "other"))
    assert cost(other, B_HIGH, B_HIGH, B_HIGH)[0] == 100 * cost(ours, B_HIGH, B_HIGH, B_HIGH)[0]
    tasks = [100 * task_ms(0, B_HIGH), 100 * task_ms(1, G_LOW), 100 * task_ms(2, G_LOW)]
    assert cost(other, B_HIGH, G_LOW, G_LOW)[0] == ms(2000, 100, *tasks, 8 * 50 * 0.5)


def test_the_boards_laws_stand_in_for_tables_that_are_missing(folder: Path) -> None:
    for name in ("transfer_times.csv", "transfer_freq_scaling.csv", "dvfs_delay.csv"):
        (folder / name).unlink()
    built = read_chain(folder, "toy", BOARD)
    tasks = [task_ms(0, B_HIGH), task_ms(2, G_HIGH)]
    moved = transfer_ns(BOARD.transfers.routes["B->G"], 4_000_000, 1800 * MHZ)
    delay = dvfs_delay_ns(BOARD.pes["G"], 200 * MHZ, 800 * MHZ)
    changed = time_across_change_ns(ms(task_ms(1, G_FAST_HOST)), ms(task_ms(1, G_HIGH)), delay)
    assert cost(built.chain, B_HIGH, G_HIGH, G_HIGH)[0] == ms(20, 1, *tasks) + moved + changed
    assert any("dvfs_delay.csv" in note for note in built.notes)
    assert any("B->G: times not measured" in note for note in built.notes)
    (folder / "layer_shapes.csv").unlink()
    unknown = read_chain(folder, "toy", BOARD).chain
    assert cost(unknown, B_HIGH, G_HIGH, G_HIGH) == (NEVER, NEVER)
    assert cost(unknown, B_HIGH, N_HIGH, N_HIGH)[0] != NEVER


def test_the_boards_ratio_scales_measured_times(folder: Path) -> None:
    (folder / "transfer_freq_scaling.csv").unlink()
    built = read_chain(folder, "toy", BOARD)
    route, size = BOARD.transfers.routes["B->G"], 10**9
    ratio = Fraction(transfer_ns(route, size, 1800 * MHZ), transfer_ns(route, size, 408 * MHZ))
    tasks = [task_ms(0, B_HIGH), task_ms(1, G_LOW), task_ms(2, G_LOW)]
    assert cost(built.chain, B_HIGH, G_LOW, G_LOW)[0] == ms(20, 1, *tasks) + round(ms(8) * ratio)
    assert any("the board's law is taken" in note for note in built.notes)


def test_missing_values_are_reported(folder: Path) -> None:
    rows = layer_rows()
    place = next(i for i, row in enumerate(rows) if ",1,N,task,,,,408," in row)
    rows[place] = rows[place].rpartition(",")[0] + ","
    rows = [row for row in rows if ",2,L,task,,1416," not in row]
    write(folder, "layer_times.csv", HEADER, rows)
    table, notes = read_layers(folder, "toy")
    assert "N: 1 of 6 powers are missing; the mean of the other layers in that state is taken" in notes
    assert "N: the fusing of consecutive layers is not in the additive model" in notes
    assert "L 1416 MHz: no time of 1 of 3 layers; not possible there" in notes
    assert table.task_uw[1, table.states.index(N_LOW)] == power_mw(N_LOW) * 1000
    chain = read_chain(folder, "toy", BOARD).chain
    assert cost(chain, L_HIGH, L_HIGH, L_HIGH) == (NEVER, NEVER)
    assert cost(chain, L_HIGH, L_HIGH, L_LOW)[0] != NEVER


def test_states_can_be_left_out(folder: Path) -> None:
    whole = read_chain(folder, "toy", BOARD).chain
    part = read_chain(folder, "toy", BOARD, allow=lambda state: state.pe in "BG" and state.host_hz != 408 * MHZ).chain
    assert part.states == (B_LOW, B_HIGH, G_FAST_HOST, G_HIGH)
    assert cost(part, B_HIGH, G_HIGH, B_LOW) == cost(whole, B_HIGH, G_HIGH, B_LOW)


@pytest.mark.parametrize(
    ("graph", "campaign", "message"),
    [("tooy", "coup", "did you mean toy"), ("toy", "cop", "did you mean coup")],
)
def test_what_is_not_in_the_tables_is_an_error(folder: Path, graph: str, campaign: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_chain(folder, graph, BOARD, campaign=campaign)


def test_a_pe_or_a_clock_that_the_board_does_not_know_is_an_error(folder: Path) -> None:
    write(folder, "layer_times.csv", HEADER, [row.replace(",L,", ",X,") for row in layer_rows()])
    with pytest.raises(InputError, match="board rk3399pro has no X"):
        read_chain(folder, "toy", BOARD)
    write(folder, "layer_times.csv", HEADER, [row.replace(",1416,", ",1417,") for row in layer_rows()])
    with pytest.raises(InputError, match="no delay of L from 408 MHz to 1417 MHz, and these are not clocks"):
        read_chain(folder, "toy", BOARD)


def test_a_folder_without_tables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such table"):
        read_chain(tmp_path, "toy", BOARD)


@pytest.mark.parametrize("graph", GRAPHS)
def test_measured_layer_sums_are_those_of_the_file(graph: str) -> None:
    """All PEs at maximum clocks, summed from the file row by row without the code under test."""
    folder = measurements()
    table, _ = read_layers(folder, graph)
    sums: dict[tuple[str, str, str], Fraction] = {}
    with (folder / "layer_times.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if (row["campaign"], row["graph"], row["metric"]) == ("coup", graph, "task"):
                key = row["pe"], row["freq_mhz"].partition(".")[0], row["host_freq_mhz"].partition(".")[0]
                sums[key] = sums.get(key, Fraction(0)) + Fraction(row["time_ms"])
    assert len(sums) == len(table.states)
    for s, state in enumerate(table.states):
        key = (state.pe, *(str(hz // MHZ) if hz else "" for hz in (state.clock_hz, state.host_hz)))
        assert table.task_ns[:, s].sum() == round(sums[key] * 10**6)


@pytest.mark.parametrize("graph", GRAPHS)
def test_measured_networks_are_solved_exactly_in_seconds(graph: str) -> None:
    folder = measurements()
    for without in ("", "N"):
        chain = read_chain(folder, graph, BOARD, allow=lambda state: state.pe != without).chain  # noqa: B023
        shortest = min_time(chain).time_ns
        energies = []
        begin = time.perf_counter()
        for percent in (100, 101, 110, 130, 200):
            found = min_energy(chain, shortest * percent // 100)
            assert isinstance(found, Solution)
            assert found.certificate.proven
            assert (evaluate(chain, found.path).energy_nj[0], found.time_ns <= shortest * percent // 100) == (
                found.energy_nj,
                True,
            )
            energies.append(found.energy_nj)
        assert time.perf_counter() - begin < 30
        assert (np.diff(energies) <= 0).all()


@pytest.mark.slow
def test_the_whole_front_of_the_largest_network_is_exact() -> None:
    chain = read_chain(measurements(), "yolov3", BOARD, allow=lambda state: state.pe != "N").chain
    found = front(chain)
    assert found.gap == 0
    costs = evaluate(chain, found.paths)
    assert (costs.time_ns == found.time_ns).all()
    assert (costs.energy_nj == found.energy_nj).all()
    for i in range(0, len(found.time_ns), len(found.time_ns) // 10):
        assert min_energy(chain, int(found.time_ns[i])).energy_nj == found.energy_nj[i]
