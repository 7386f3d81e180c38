"""Exits from per-sample confidences: thresholds decide, samples are replayed, answers are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.errors import InputError
from eesim.scenario.load import Scenario
from eesim.workload.confidences import Samples, decide
from tests.scenarios import CAMERA, FAR_APART

ROWS = {
    "confidence_1": [0.9, 0.5, 0.2, 0.6, 0.1],
    "confidence_2": [0.1, 0.7, 0.8, 0.6, 0.2],
    "confidence_3": [0.95, 0.2, 0.9, 0.1, 0.3],
    "correct_1": [1, 0, 1, 0, 0],
    "correct_2": [0, 1, 1, 1, 0],
    "correct_3": [1, 1, 0, 1, 0],
    "correct_4": [1, 1, 1, 0, 1],
    "split": ["a", "a", "b", "a", "b"],
}
THRESHOLDS = {"exit1": 0.6, "exit2": 0.7, "exit3": 0.9}


def table(folder: Path, **changes: Any) -> Path:
    path = folder / "c.csv"
    pd.DataFrame({**ROWS, **changes}).to_csv(path, index=False)
    return path


def scenario(folder: Path, changes: dict[str, Any] | None = None, **model: Any) -> Scenario:
    path = folder / "c.csv"
    exits = {"kind": "confidences", "path": str(path if path.exists() else table(folder)), **model}
    stream = {**FAR_APART, "stream.exits": exits, "mapping.thresholds": THRESHOLDS, "requirements": {}}
    return eesim.load(CAMERA, {**stream, "run": {"warmup": "none", "replications": 1, "seed": 3}, **(changes or {})})


def answers(result: eesim.Result) -> list[int]:
    return [int(exit_) for exit_ in result.frames().sort_values("frame")["exit"]]


def test_an_exit_answers_from_its_threshold_on(tmp_path: Path) -> None:
    result = eesim.run(scenario(tmp_path, order="table"))
    # 0.9 and 0.6 reach 0.6 at exit 1; 0.7 reaches 0.7 at exit 2, and so does 0.8; nothing stops the last.
    assert answers(result) == [1, 2, 2, 1, 4]
    assert result.value("accuracy") == pytest.approx((1 + 1 + 1 + 0 + 1) / 5)


def test_without_a_number_of_frames_every_sample_is_taken_once(tmp_path: Path) -> None:
    assert scenario(tmp_path).n_frames == 5
    assert sorted(answers(eesim.run(scenario(tmp_path)))) == [1, 1, 2, 2, 4]


def test_every_pass_takes_every_sample_once(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, {"run.frames": 200_000})
    rows = np.concatenate([frames.sample for frames in loaded.stream.blocks(200_000, seed=1, replication=0)])
    assert (np.sort(rows.reshape(-1, 5), axis=1) == np.arange(5)).all()
    assert len(np.unique(rows.reshape(-1, 5), axis=0)) == 120
    # More than one block of frames, and right answers still counted one by one.
    assert eesim.run(loaded).value("accuracy") == pytest.approx(0.8)


def test_in_the_table_s_order_passes_repeat(tmp_path: Path) -> None:
    result = eesim.run(scenario(tmp_path, {"run.frames": 12}, order="table"))
    assert answers(result) == [1, 2, 2, 1, 4, 1, 2, 2, 1, 4, 1, 2]
    assert result.value("accuracy") == pytest.approx((2 * 4 + 2) / 12)


def test_a_split_is_a_part_of_the_table(tmp_path: Path) -> None:
    result = eesim.run(scenario(tmp_path, order="table", split="b"))
    assert answers(result) == [2, 4]
    assert result.value("accuracy") == 1


def test_a_disabled_exit_is_asked_nothing(tmp_path: Path) -> None:
    """Confident at exit 1 does not mean confident at exit 2: unlike a trace, the table knows."""
    loaded = scenario(
        tmp_path,
        {"mapping.exits": ["exit2", "exit3"], "mapping.thresholds": {"exit2": 0.7, "exit3": 0.9}},
        order="table",
    )
    result = eesim.run(loaded)
    assert answers(result) == [3, 2, 2, 4, 4]
    assert result.value("accuracy") == pytest.approx((1 + 1 + 1 + 0 + 1) / 5)


def test_what_never_decides_answers_at_the_end(tmp_path: Path) -> None:
    result = eesim.run(scenario(tmp_path, {"policy": {"preset": "cooperative", "exit_decision": "none"}}))
    assert result.value("accuracy") == pytest.approx(0.8)
    assert result.value("exit_share.final") == 1


def test_the_first_confident_exit_to_end_answers(tmp_path: Path) -> None:
    # Exit 1 is slow on L, exit 2 ends before it: the sample that both are sure about answers at exit 2.
    sure = {"confidence_1": [0.9] * 5, "confidence_2": [0.9, 0.9, 0.1, 0.1, 0.1]}
    table(tmp_path, **sure)
    slow = {"board.extends": "rk3399pro", "policy": {"preset": "cooperative", "exit_order": "first_confident"},
            "mapping.segments": "BLGGBBB", "mapping.opp": {"L": "408 MHz"}}  # fmt: skip
    result = eesim.run(scenario(tmp_path, slow, order="table"))
    assert answers(result)[:2] == [2, 2]
    assert set(answers(result)[2:]) <= {1, 3}
    in_order = eesim.run(scenario(tmp_path, {**slow, "policy": "cooperative"}, order="table"))
    assert answers(in_order) == [1] * 5


def test_both_engines_count_the_same(tmp_path: Path) -> None:
    changes = {"run.frames": 400, "stream.arrivals": {"kind": "poisson", "rate": "80 Hz"},
               "policy": {"preset": "cooperative", "queue": {"capacity": 1}, "frames_in_flight": 2}}  # fmt: skip
    loaded = scenario(tmp_path, changes)
    fast, slow = eesim.run(loaded), eesim.run(loaded, engine="reference")
    assert fast.estimates == slow.estimates
    assert fast.value("drop_rate") > 0
    frames = fast.frames()
    rows = next(loaded.stream.blocks(400, seed=3, replication=0)).sample[frames["frame"]]
    answered = frames["status"] == "answered"
    right = [ROWS[f"correct_{exit_}"][row] for exit_, row in zip(frames["exit"][answered], rows[answered], strict=True)]
    assert fast.value("accuracy") == pytest.approx(np.mean(right), abs=1e-12)


def test_the_same_samples_whatever_the_thresholds(tmp_path: Path) -> None:
    low, high = scenario(tmp_path), scenario(tmp_path, {"mapping.thresholds": 1.1})
    a, b = (next(s.stream.blocks(50, seed=1, replication=0)) for s in (low, high))
    np.testing.assert_array_equal(a.sample, b.sample)
    assert set(b.exit) == {3}


def test_one_replication_has_an_interval_of_its_accuracy(tmp_path: Path) -> None:
    estimate = eesim.run(scenario(tmp_path, {"run.frames": 1940})).estimates["accuracy"]
    assert estimate.ci_low is not None
    assert estimate.ci_low < 0.8 < estimate.ci_high


def test_decisions_of_a_table() -> None:
    samples = Samples(np.array([[0.5, 0.9], [0.2, 0.9]]), np.array([[True, False, True], [False, True, True]]))
    found = decide(samples, [0.5, 0.9], [True, True])
    assert found.exit.tolist() == [0, 1]
    assert found.confident.tolist() == [0b111, 0b110]
    assert found.correct.tolist() == [0b101, 0b110]
    assert decide(samples, [0.5, 0.9], [False, True]).exit.tolist() == [1, 1]


# -- what is refused ----------------------------------------------------------------------------------------


def problems(folder: Path, changes: dict[str, Any] | None = None, **model: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        scenario(folder, changes, **model)
    return [str(problem).partition(": ")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mapping.thresholds": None}, "mapping.thresholds: missing: how confident must exit1, exit2, exit3 be"),
        ({"mapping.thresholds": {"exit1": 0.5, "exit3": 0.5}}, "mapping.thresholds.exit2: missing"),
        ({"mapping.thresholds": {"exit1": 0.5, "exit2": 1, "exti3": 1}}, "no exit 'exti3' (did you mean exit3?)"),
        (
            {"mapping.thresholds": {**THRESHOLDS, "final": 0.5}},
            "mapping.thresholds.final: the final exit always answers",
        ),
        ({"mapping.thresholds": "high"}, "mapping.thresholds: must be a number or a mapping, not 'high'"),
    ],
)
def test_thresholds_must_fit(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert any(told in text for text in problems(tmp_path, changes)), problems(tmp_path, changes)


def test_a_disabled_exit_needs_no_threshold(tmp_path: Path) -> None:
    changes = {"mapping.exits": ["exit1"], "mapping.thresholds": {"exit1": 0.5}}
    assert scenario(tmp_path, changes).mapping.enabled_exits == (True, False, False, True)


def test_everything_wrong_with_a_table_is_told_with_its_lines(tmp_path: Path) -> None:
    table(tmp_path, confidence_2=[0.1, "high", 0.8, "", 0.2], correct_3=[1, 2, 0, 1, 0])
    found = problems(tmp_path)
    assert [text.partition(":")[0] for text in found] == ["confidence_2", "correct_3", "confidence_2"]
    with pytest.raises(InputError) as caught:
        scenario(tmp_path)
    assert [problem.line for problem in caught.value.problems] == [3, 3, 5]


def test_missing_columns_and_splits_are_told(tmp_path: Path) -> None:
    data = pd.DataFrame(ROWS).drop(columns=["correct_2"]).rename(columns={"confidence_1": "confidnce_1"})
    data.to_csv(tmp_path / "c.csv", index=False)
    assert problems(tmp_path) == [
        "confidence_1: there is no such column (did you mean confidnce_1?)",
        "correct_2: there is no such column (did you mean correct_4?)",
    ]
    table(tmp_path)
    assert problems(tmp_path, split="aa") == ["split: no row has the value 'aa' (a, b) (did you mean a?)"]


def test_a_parquet_table_says_the_same(tmp_path: Path) -> None:
    csv = eesim.run(scenario(tmp_path)).estimates
    pd.DataFrame(ROWS).to_parquet(tmp_path / "c.parquet")
    assert eesim.run(scenario(tmp_path, path=str(tmp_path / "c.parquet"))).estimates == csv


def test_thresholds_without_confidences_have_no_effect_and_that_is_told() -> None:
    notes = eesim.load(CAMERA, {"mapping.thresholds": 0.5}).notes
    assert any("mapping.thresholds has no effect: stream.exits is of kind counts" in note for note in notes)


def test_an_accuracy_can_be_required_of_a_table(tmp_path: Path) -> None:
    for least, met in ((0.8, True), (0.81, False)):
        assert eesim.run(scenario(tmp_path, {"requirements": {"accuracy": least}})).requirements_met is met
