"""Fits recover what is known: terms through the simulator, powers, laws; robustly, by whole orders, reproducibly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from eesim.hardware.spec import Board
from eesim.spec import validate_document
from eesim.validate.board_file import board_data, dumped
from eesim.validate.calibrate import Calibration, Estimate
from eesim.validate.fit import FOLDS, Linear, bootstrap, cross_validated, folds, inseparable, linearise, solve
from eesim.validate.layers import fit_laws, known_graphs, network_data, profile_data, read_layer_times, read_shapes
from eesim.validate.parameters import parameters, with_values
from eesim.validate.power import fit_power
from eesim.validate.predict import Predictor
from eesim.validate.profile_files import profile_files
from eesim.validate.runs import order_groups, read_runs
from eesim.validate.sources import read_layers, read_sources, skip_edges
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.yamldoc import parse_document
from tests.test_validate import synthetic
from tests.test_validate.synthetic import board, full_folder

TRUE = np.array([2.0, 0.5, 3.0])


def linear_model(rows: int = 300, noise: float = 0.0, seed: int = 1) -> tuple[Linear, np.ndarray]:
    """A linear problem in three terms, linearised away from the truth."""
    rng = np.random.default_rng(seed)
    design = rng.uniform(0, 2, (rows, 3))
    measured = (10 + design @ TRUE) * (1 + noise * rng.standard_normal(rows))
    groups = np.arange(rows) // 6
    found = linearise(lambda x: 10 + design @ x, np.ones(3), measured, groups, np.ones(rows))
    return found, design


def test_known_terms_are_recovered() -> None:
    linear, _ = linear_model()
    assert solve(linear, np.full(3, np.inf)) == pytest.approx(TRUE, rel=1e-4)


def test_bounds_are_kept() -> None:
    linear, _ = linear_model()
    assert (solve(linear, np.array([1.0, np.inf, np.inf])) <= [1, np.inf, np.inf]).all()
    negative = Linear(linear.values, linear.at, linear.slope, linear.at * 0.3, linear.groups, linear.weights)
    assert (solve(negative, np.full(3, np.inf)) >= 0).all()


def test_outliers_do_not_bend_the_terms() -> None:
    linear, _ = linear_model(noise=0.005)
    broken = linear.measured.copy()
    broken[::25] *= 0.5
    spoilt = Linear(linear.values, linear.at, linear.slope, broken, linear.groups, linear.weights)
    assert solve(spoilt, np.full(3, np.inf)) == pytest.approx(TRUE, rel=0.1)
    plain = np.linalg.lstsq(linear.slope / broken[:, None], (broken - 10) / broken, rcond=None)[0]
    robust = solve(spoilt, np.full(3, np.inf))
    assert np.abs(robust - TRUE).max() < 0.5 * np.abs(plain - TRUE).max()


def test_weights_of_nothing_do_not_count() -> None:
    linear, _ = linear_model()
    broken, weights = linear.measured.copy(), np.ones(300)
    broken[:50], weights[:50] = broken[:50] * 3, 0
    spoilt = Linear(linear.values, linear.at, linear.slope, broken, linear.groups, weights)
    assert solve(spoilt, np.full(3, np.inf)) == pytest.approx(TRUE, rel=1e-4)


def test_folds_never_split_an_order() -> None:
    groups = np.repeat(np.arange(23), 7)
    found = folds(groups, 1)
    assert set(found) == set(range(FOLDS))
    assert all(len(set(found[groups == group])) == 1 for group in range(23))
    assert (folds(groups, 1) == found).all()
    assert (folds(groups, 2) != found).any()


def test_held_out_predictions_do_not_know_their_order() -> None:
    linear, _ = linear_model(noise=0.01)
    measured = linear.measured.copy()
    measured[linear.groups == 7] *= 5
    spoilt = Linear(linear.values, linear.at, linear.slope, measured, linear.groups, linear.weights)
    upper = np.full(3, np.inf)
    fold = folds(linear.groups, 1)
    same = fold == fold[linear.groups == 7][0]
    before, after = cross_validated(linear, upper, 1), cross_validated(spoilt, upper, 1)
    assert after[same] == pytest.approx(before[same])
    assert not np.allclose(after[~same], before[~same])


def test_intervals_hold_the_truth() -> None:
    linear, _ = linear_model(noise=0.02)
    samples = bootstrap(linear, np.full(3, np.inf), 1, 60)
    low, high = np.percentile(samples, [0.5, 99.5], axis=0)
    assert (low < TRUE).all()
    assert (high > TRUE).all()
    assert (high - low < 0.6).all()


def test_terms_that_only_count_together_are_found() -> None:
    rng = np.random.default_rng(1)
    common = rng.uniform(0, 2, 400)
    design = np.stack([common, common + 0.01 * rng.standard_normal(400), rng.uniform(0, 2, 400)], axis=1)
    measured = (10 + design @ TRUE) * (1 + 0.01 * rng.standard_normal(400))
    linear = linearise(lambda x: 10 + design @ x, TRUE.copy(), measured, np.arange(400) // 4, np.ones(400))
    pairs = inseparable(bootstrap(linear, np.full(3, np.inf), 1, 60), ["a", "b", "c"])
    assert [(a, b) for a, b, _ in pairs] == [("a", "b")]
    assert pairs[0][2] < -0.8
    assert inseparable(np.ones((5, 3)), ["a", "b", "c"]) == []


# -- the terms of a board as a vector ---------------------------------------------------------------


def test_parameters_are_named_and_in_their_units() -> None:
    found = {p.name: p for p in parameters(board())}
    assert (found["switch.pes.L.kernel"].value, found["switch.pes.L.kernel"].unit) == (pytest.approx(0.4), "Mcycles")
    assert (found["switch.input_rise"].value, found["switch.input_rise"].unit) == (pytest.approx(2), "ms")
    assert found["switch.npus.N.unload_fixed"].value == pytest.approx(5)
    assert found["pipeline.npus.N.parts.toy.1"].value == pytest.approx(6)
    # A term that the file does not state is no parameter; nor is a plain number.
    assert "switch.pes.B.ramp" not in found
    assert not [name for name in found if "window" in name or "warm_up" in name]


def test_values_go_round() -> None:
    own = board()
    values = {p.path: p.value * 1.5 + 0.25 for p in parameters(own)}
    again = parameters(with_values(own, values))
    assert [p.path for p in again] == list(values)
    assert [p.value for p in again] == pytest.approx(list(values.values()))
    assert [p.value for p in parameters(own)] != [p.value for p in again]


def test_parameter_as_a_file_writes_it() -> None:
    first = next(p for p in parameters(board()) if p.name == "switch.pes.L.kernel")
    assert first.written(0.123456) == "0.1235 Mcycles"
    ratio = next(p for p in parameters(board()) if p.name == "switch.pes.L.cold")
    assert ratio.written(0.5) == 0.5


def test_order_of_parameters_does_not_depend_on_hashes() -> None:
    program = (
        "from tests.test_validate.synthetic import board\n"
        "from eesim.validate.parameters import parameters\n"
        "print([p.name for p in parameters(board())])\n"
    )
    root = Path(__file__).parents[2]
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_terms_are_recovered_through_the_simulator(tmp_path: Path) -> None:
    """Measured on one board, fitted from another: the terms of the first come out."""
    truth = board()
    full_folder(tmp_path, truth)
    runs = [run for run in read_runs(tmp_path) if run.suite == "switch"]
    wanted = ["switch.pes.L.cold", "switch.pes.B.cold", "switch.pes.B.copy_out"]
    terms = [p for p in parameters(truth) if p.name in wanted]
    predictor = Predictor(tmp_path, truth)

    def model(at: np.ndarray) -> np.ndarray:
        moved = predictor.on(with_values(truth, {p.path: float(v) for p, v in zip(terms, at, strict=True)}))
        return np.array([moved.predict(run).values["time"] for run in runs])

    measured = np.array([run.measured["time"] for run in runs])
    start = np.array([p.value * 3 + 0.1 for p in terms])
    linear = linearise(model, start, measured, order_groups(runs), np.ones(len(runs)))
    assert solve(linear, np.full(len(terms), np.inf)) == pytest.approx([p.value for p in terms], rel=1e-3)


# -- powers -----------------------------------------------------------------------------------------


def test_known_powers_are_recovered(tmp_path: Path) -> None:
    """Active powers of the invented board follow ``c + k f V^2`` with one c for B, L and G."""
    data = synthetic.board_data()
    fixed, switching = 50.0, {"B": 900.0, "L": 500.0, "G": 1500.0}
    for pe, k in switching.items():
        powers = []
        for row in data["pes"][pe]["opps"]["table"]:
            ghz, volt = float(row["frequency"].split()[0]) / 1e3, float(row["voltage"].split()[0]) / 1e3
            powers.append(f"{fixed + k * ghz * volt**2:.3f} mW")
        data["runtimes"]["pipeline"]["active_power"][pe] = powers
    truth = Board.model_validate(data)
    full_folder(tmp_path, truth)
    runs = [run for run in read_runs(tmp_path) if run.suite == "pipeline"]
    assert truth.runtimes.pipeline is not None
    blank = truth.runtimes.pipeline.model_copy(update={"base_power": 1})
    start = truth.model_copy(update={"runtimes": truth.runtimes.model_copy(update={"pipeline": blank})})
    power = fit_power(tmp_path, start, runs, seed=1)
    fitted, found = power.board, power.parameters
    measured = [runs[i].measured["power"] for i in power.rows]
    assert power.fitted == pytest.approx(measured, rel=0.02)
    assert power.held_out == pytest.approx(measured, rel=0.05)
    assert not np.allclose(power.fitted, power.held_out, rtol=1e-9)
    assert fitted.runtimes.pipeline is not None
    values = {parameter.name: value for parameter, value, *_ in found}
    assert values["power.base_power"] == pytest.approx(3000, rel=0.01)
    assert values["power.active_fixed"] == pytest.approx(fixed, abs=10)
    for pe, k in switching.items():
        assert values[f"power.{pe}.per_GHz_V2"] == pytest.approx(k, rel=0.03), pe
    for pe in ("B", "L", "G"):
        now, was = fitted.runtimes.pipeline.active_power[pe], truth.runtimes.pipeline.active_power[pe]
        assert now == pytest.approx(was, rel=0.03)
    assert all(low <= value * 1.0001 and value <= high * 1.0001 for _, value, low, high in found if value > 1)


# -- files ------------------------------------------------------------------------------------------


def test_a_calibrated_board_is_read_back() -> None:
    own = board()
    values = {p.path: p.value * 1.25 for p in parameters(own)}
    fitted = with_values(own, values)
    estimates = tuple(Estimate(p, values[p.path], values[p.path] * 0.9, values[p.path] * 1.1) for p in parameters(own))
    found = Calibration(fitted, estimates, {}, {}, {}, (), {"switch": 5, "pipeline": 5})
    data = board_data(synthetic.board_data(), found, {"kind": "fitted", "source": "T", "note": "again"})
    text = dumped(data, "one\ntwo")
    assert text.startswith("# one\n# two\neesim: 1\n")
    again = validate_document(Board, parse_document(text, "board.yaml"))
    assert [p.value for p in parameters(again)] == pytest.approx([p.value for p in parameters(fitted)], rel=5e-4)
    switch = again.runtimes.switch
    assert switch is not None
    assert switch.origin.note == "again"
    assert switch.pes["L"].cold.low == pytest.approx(0.5 * 1.25 * 0.9, rel=1e-3)
    pipeline = again.runtimes.pipeline
    assert pipeline is not None
    assert pipeline.active_power["B"] == (400_000, 1_600_000)
    assert pipeline.base_power == 3_000_000


def test_laws_find_the_cycles_again(tmp_path: Path) -> None:
    synthetic.write_tables(tmp_path)
    table = read_layer_times(tmp_path)
    laws = fit_laws(table, "toy", "lw", board())
    assert set(laws) == {"input", "layer0", "layer1", "layer2"}
    middle = laws["layer1"]
    assert middle["B"].cycles == pytest.approx(20e6, rel=1e-6)
    assert middle["L"].cycles == pytest.approx(40e6, rel=1e-6)
    assert middle["B"].fixed_ms == pytest.approx(0, abs=1e-6)
    # Reading the image has laws of its own; on G it goes with the host.
    assert laws["layer0"]["B"].cycles == pytest.approx(10e6, rel=1e-6)
    assert laws["input"]["B"].cycles == pytest.approx(10e6, rel=1e-6)
    assert laws["input"]["G"].host_cycles == pytest.approx(10e6, rel=1e-6)
    # The post-processing of 0.1 ms is in the last.
    assert laws["layer2"]["B"].fixed_ms == pytest.approx(0.1, rel=1e-6)
    assert middle["N"].fixed_ms == pytest.approx(9)
    assert middle["B"].mean_error == pytest.approx(0, abs=1e-9)


def test_profiles_and_networks_are_read_back(tmp_path: Path) -> None:
    synthetic.write_tables(tmp_path)
    files = profile_files(tmp_path, board(), campaign="lw")
    assert set(files) == {"networks/toy.yaml", "profiles/toy.yaml"}
    network = validate_document(Network, parse_document(files["networks/toy.yaml"], "n"))
    assert [segment.output for segment in network.segments] == [2_000_000, 500_000, 4_000]
    profile = validate_document(Profile, parse_document(files["profiles/toy.yaml"], "p"))
    assert profile.laws["layer1"]["L"].cycles == 40_000_000
    assert yaml.safe_load(files["networks/toy.yaml"]) == network_data(
        tmp_path, "toy", yaml.safe_load(files["networks/toy.yaml"])["origin"]
    )
    laws = fit_laws(read_layer_times(tmp_path), "toy", "lw", board())
    assert profile_data("toy", "coup", laws, {"kind": "fitted"})["laws"]["layer2"]["B"]["fixed"] == "0.1 ms"


def test_tables_as_sources(tmp_path: Path) -> None:
    synthetic.write_tables(tmp_path)
    source = read_sources(tmp_path)["lw", "toy"]
    known = source.layer(1, "B", 1_000_000_000, 0)
    assert known is not None
    assert known == (pytest.approx(20e6), pytest.approx(5e6))
    last = source.layer(2, "B", 1_000_000_000, 0)
    assert last is not None
    assert last.time_ns == pytest.approx(5.1e6)
    assert source.layer(1, "B", 1, 0) is None
    assert source.input("G", 400_000_000, 500_000_000) == (pytest.approx(20e6), pytest.approx(4e6))
    assert source.input("N", 0, 500_000_000) is None


def test_layers_are_read(tmp_path: Path) -> None:
    synthetic.write_tables(tmp_path)
    layers = read_layers(tmp_path, "toy")
    assert layers.output_bytes == (2_000_000, 500_000, 4_000)
    assert layers.input_bytes == 1_000_000
    assert layers.kernels == (2, 3, 1)
    assert known_graphs(tmp_path) == {"toy"}
    assert len(read_shapes(tmp_path, "toy")) == 3


def test_yolo_is_no_chain() -> None:
    kernels = tuple(4 if i % 2 else 2 for i in range(75))
    producers, outputs = skip_edges("yolov3", kernels)
    assert producers[3] == (2, 1)
    assert producers[4] == (3,)
    assert producers[59] == (56, 42)
    assert outputs == {58, 66, 74}
    assert skip_edges("alexnet", kernels[:3]) == (((), (0,), (1,)), frozenset())
