"""Published figures of early-exit systems, through the simulator: per-exit times, accuracies, stage costs and rates."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.engine.simulate import ENGINES, EngineName
from eesim.metrics.result import Result
from tests.scenarios import board_data, network_data, pe_data, scenario_data, write_world

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def chain(folder: Path, times_ms: list[float], exits: dict[str, Any], **sections: Any) -> Result:
    """Simulate a chain on one PE: exit k answers after ``times_ms[k]``, frames far apart."""
    last = len(times_ms)
    segments: list[dict[str, Any]] = []
    times: dict[str, dict[str, str]] = {}
    before = 0.0
    for k, time in enumerate(times_ms, 1):
        segments.append({"name": f"b{k}", **({"exit": "final"} if k == last else {})})
        times[f"b{k}"] = {"B": f"{time - before:.6f} ms"}
        before = time
        if k < last:
            segments.append({"name": f"e{k}", "after": f"b{k}", "exit": f"exit{k}"})
            times[f"e{k}"] = {"B": "0 ms"}
    data = scenario_data(
        "B" * len(segments),
        policy="sequential",
        stream={"arrivals": {"kind": "periodic", "period": "1 s"}, "exits": exits},
        run={"frames": 10_000, "warmup": "none", "replications": 1},
        **sections,
    )
    folder.mkdir(exist_ok=True)
    world = write_world(folder, board_data({"B": pe_data()}), network_data(*segments), times, data)
    return eesim.run(eesim.load(world))


# -- BranchyNet (Teerapittayanon and others, ICPR 2016), sweep of thresholds in kunglab/branchynet -----------

B_ALEXNET = np.array(
    [
        (43.61, 17.41, 38.98, 4.55),
        (43.61, 35.79, 20.60, 4.11),
        (52.62, 28.86, 18.52, 3.95),
        (59.94, 23.56, 16.50, 3.75),
        (63.42, 21.36, 15.22, 3.63),
        (63.42, 36.58, 0.0, 3.36),
    ]
)
"""Shares of the three exits in %, mean time per sample in ms."""


def fitted(rows: np.ndarray) -> np.ndarray:
    """Time of each exit that explains the mean times best (least squares)."""
    return np.asarray(np.linalg.lstsq(rows[:, :3] / 100, rows[:, 3], rcond=None)[0])


def test_one_time_per_exit_explains_the_whole_sweep(tmp_path: Path) -> None:
    times = fitted(B_ALEXNET)
    assert times == pytest.approx([2.66, 4.50, 6.63], abs=0.005)
    for i, (*shares, published) in enumerate(B_ALEXNET):
        counts = [round(100 * share) for share in shares]
        result = chain(tmp_path / str(i), list(times), {"kind": "counts", "counts": counts})
        assert result.value("latency_ms.mean") == pytest.approx(published, rel=0.0086), i


def errors_of_others(chosen: tuple[int, ...]) -> np.ndarray:
    """Relative errors of the rows that times were not fitted on."""
    others = np.delete(B_ALEXNET, chosen, axis=0)
    return np.asarray(others[:, :3] @ fitted(B_ALEXNET[list(chosen)]) / 100 / others[:, 3] - 1)


def test_times_fitted_on_three_rows_predict_the_others(tmp_path: Path) -> None:
    """Of all 20 sets of three rows none predicts the other three within 1 %; the best one does within 1.57 %."""
    worst = {rows: float(np.abs(errors_of_others(rows)).max()) for rows in combinations(range(6), 3)}
    best = min(worst, key=lambda rows: worst[rows])
    assert len(worst) == 20
    assert best == (1, 3, 5)
    assert worst[best] == pytest.approx(0.0157, abs=5e-5)
    assert sum(error > 0.2 for error in worst.values()) == 4, "rows that are nearly mixtures of each other"
    times = fitted(B_ALEXNET[list(best)])
    for i, error in zip((0, 2, 4), errors_of_others(best), strict=True):
        counts = [round(100 * share) for share in B_ALEXNET[i, :3]]
        result = chain(tmp_path / str(i), list(times), {"kind": "counts", "counts": counts})
        assert (result.value("latency_ms.mean") or 0) / B_ALEXNET[i, 3] - 1 == pytest.approx(error, abs=1e-5)


def test_the_page_says_how_well_some_rows_predict_the_others() -> None:
    page = (SCENARIOS.parent / "docs" / "published.md").read_text(encoding="utf-8")
    lines = page.split("<!-- published: branchynet -->")[1].strip().split("\n\n")[0].splitlines()[2:]
    told = [line.strip("|").split("|")[2].strip() for line in lines]
    left = B_ALEXNET[:, :3] @ fitted(B_ALEXNET) / 100 / B_ALEXNET[:, 3] - 1
    found = [f"{100 * np.abs(left).max():.2f}"]
    for size in (5, 3):
        worst = [100 * np.abs(errors_of_others(rows)).max() for rows in combinations(range(6), size)]
        found.append(f"{min(worst):.2f}, {np.median(worst):.2f}, {max(worst):.2f}")
    assert told == found


@pytest.mark.parametrize("left_out", range(6))
def test_times_fitted_on_five_rows_predict_the_sixth(tmp_path: Path, left_out: int) -> None:
    times = fitted(np.delete(B_ALEXNET, left_out, axis=0))
    counts = [round(100 * share) for share in B_ALEXNET[left_out, :3]]
    result = chain(tmp_path / "x", list(times), {"kind": "counts", "counts": counts})
    assert result.value("latency_ms.mean") == pytest.approx(B_ALEXNET[left_out, 3], rel=0.025)


# -- Early-exit ResNet50 on CIFAR-100 (sriharshamudumba/Hetero-PIM), entropy thresholds, 10,000 samples -------

HETERO_PIM: list[tuple[list[tuple[int, float]], float]] = [
    ([(7, 100), (866, 96.42), (9127, 79.03)], 80.55),
    ([(106, 82.08), (3137, 79.98), (6757, 77.18)], 78.11),
    ([(287, 62.02), (4273, 75.17), (5440, 75.70)], 75.08),
    ([(632, 56.33), (5377, 70.54), (3991, 73.44)], 70.80),
    ([(1117, 48.52), (6923, 63.30), (1960, 69.23)], 62.81),
    ([(1939, 41.41), (7856, 56.12), (205, 58.54)], 53.32),
    ([(38, 94.74), (1065, 92.49), (5450, 85.41), (3447, 55.18)], 75.78),
    ([(118, 87.29), (2144, 81.67), (5325, 81.15), (2413, 48.90)], 73.55),
    ([(326, 80.06), (3293, 72.43), (4889, 77.38), (1492, 44.84)], 70.98),
    ([(815, 65.15), (4277, 66.00), (4125, 71.25), (783, 40.36)], 66.09),
    ([(1597, 55.60), (5293, 57.15), (2889, 63.41), (221, 33.48)], 58.19),
]
"""Samples and accuracy in % at each exit, accuracy of all."""


@pytest.mark.parametrize("row", range(len(HETERO_PIM)))
def test_accuracy_is_made_of_shares_and_accuracies(tmp_path: Path, row: int) -> None:
    exits, published = HETERO_PIM[row]
    model = {
        "kind": "counts",
        "counts": [count for count, _ in exits],
        "accuracy": [accuracy / 100 for _, accuracy in exits],
    }
    result = chain(tmp_path / "x", [float(k + 1) for k in range(len(exits))], model)
    # Conditional accuracies are published to 0.01 %: the sum is as exact as that.
    assert 100 * (result.value("accuracy") or 0) == pytest.approx(published, abs=0.01)


@pytest.mark.parametrize("row", range(len(HETERO_PIM)))
def test_accuracy_is_counted_answer_by_answer(tmp_path: Path, row: int) -> None:
    """The same rows sample by sample, as many right ones at each exit as published: exact to the last digit."""
    exits, published = HETERO_PIM[row]
    k, taken = len(exits), np.repeat(np.arange(len(exits)), [count for count, _ in exits])
    right = np.concatenate([np.arange(count) < round(count * accuracy / 100) for count, accuracy in exits])
    rng = np.random.default_rng(row)
    # Minus the entropy: an exit answers where it is at least minus the threshold. Other exits' answers are noise.
    data = {f"confidence_{e + 1}": np.where(taken == e, -0.5, -5.0) for e in range(k - 1)}
    data |= {
        f"correct_{e + 1}": np.where(taken == e, right, rng.random(len(taken)) < 0.5).astype(int) for e in range(k)
    }
    path = tmp_path / "samples.parquet"
    pd.DataFrame(data).to_parquet(path)
    result = chain(
        tmp_path / "x",
        [float(e + 1) for e in range(k)],
        {"kind": "confidences", "path": str(path)},
        mapping={"segments": "B" * (2 * k - 1), "thresholds": -1},
    )
    assert round(100 * (result.value("accuracy") or 0), 2) == published
    for e, (count, _) in enumerate(exits):
        name = "final" if e == k - 1 else f"exit{e + 1}"
        assert result.value(f"exit_share.{name}") == count / 10_000


# -- Post-training augmentation (Sponner and others, arXiv 2403.07957), Table 2, PSoC 6 ----------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "seconds", "millijoules"),
    [("psoc6_speech_commands", 1.06, 21.3), ("psoc6_ecg", 0.62, 11.83)],
)
def test_stage_costs_and_rates_give_the_published_means(
    name: str, seconds: float, millijoules: float, engine: EngineName
) -> None:
    result = eesim.run(eesim.load(SCENARIOS / f"{name}.yaml"), engine=engine)
    assert (result.value("latency_ms.mean") or 0) / 1e3 == pytest.approx(seconds, rel=0.01)
    assert result.value("energy_mj_per_frame.total") == pytest.approx(millijoules, rel=0.01)
    assert result.requirements_met


def test_the_worst_case_of_the_speech_commands_is_the_published_one() -> None:
    result = eesim.run(eesim.load(SCENARIOS / "psoc6_speech_commands.yaml"))
    assert result.value("latency_ms.max") == pytest.approx(967.99 + 521, abs=1e-9)
    assert result.value("exit_share.early") == pytest.approx(0.834)


def test_the_cores_share_one_memory_and_never_run_together() -> None:
    """Even a runtime that starts the second part at once has to wait for the first core, frame after frame."""
    changes = {"policy": "cooperative", "stream.arrivals": {"kind": "periodic", "period": "1.1 s"}, "run.frames": 100}
    scenario = eesim.load(SCENARIOS / "psoc6_speech_commands.yaml", {**changes, "requirements": {}})
    result = eesim.run(scenario, log_frames=100, replications=1)
    tasks = result.tasks().dropna(subset=["end_ns"])
    tasks = tasks[tasks["end_ns"] > tasks["start_ns"]].sort_values("start_ns")
    assert set(tasks["resource"]) == {"M", "F"}
    assert (tasks["start_ns"].to_numpy()[1:] >= tasks["end_ns"].to_numpy(np.int64)[:-1]).all()
    apart = eesim.run(
        eesim.load(SCENARIOS / "psoc6_speech_commands.yaml", {**changes, "requirements": {}, "board.exclusive": []})
    )
    assert (apart.value("utilisation.M") or 0) + (apart.value("utilisation.F") or 0) > 1
