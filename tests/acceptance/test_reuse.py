"""Answers that are used again: how many, how fast and how right, against closed forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.metrics.correctness import AnswerKey
from eesim.plan.plan import RECORD_COLUMNS
from tests.scenarios import camera, digits

ACCURACY = [0.9, 0.8, 0.7, 0.6]
COUNTS = [40, 30, 20, 10]


def watched(reuse: dict[str, Any], scenes: dict[str, Any], **changes: Any) -> eesim.Result:
    """EE-ResNet18, ten frames a second: no frame ever meets another one."""
    rules = {
        "stream.arrivals": {"kind": "periodic", "rate": "10 Hz"},
        "stream.exits": {"kind": "counts", "counts": COUNTS, "accuracy": ACCURACY},
        "stream.scenes": scenes,
        "policy": {"reuse": reuse},
        "requirements": {},
        "run": {"frames": 20_000, "warmup": 100, "replications": 6, "seed": 3},
    }
    return eesim.run(camera({**rules, **changes}))


def agrees(result: eesim.Result, name: str, expected: float, precision: float = 0.02) -> None:
    """The interval covers the closed form (twice as wide, for many tests), and is narrow enough to mean something."""
    estimate = result.estimates[name]
    half = estimate.ci_high - estimate.value
    assert abs(estimate.value - expected) <= 2 * half + 1e-12, name
    assert half < precision * max(expected, 0.05), name


DETECTOR = {"at": "input", "detector": {"pe": "L", "time": "2 ms"}}


@pytest.mark.parametrize("length", [4, 25])
@pytest.mark.parametrize("alarms", [0.0, 0.3])
def test_difference_detection(length: int, alarms: float) -> None:
    found = watched({**DETECTOR, "false_alarms": f"{100 * alarms} %"}, {"kind": "lengths", "dwell": length})
    again = (1 - 1 / length) * (1 - alarms)
    agrees(found, "reuse_share", again)
    assert found.value("stale_share") == 0
    # A frame takes the detector's time, and its own only if it is not known.
    plain = eesim.run(camera({"stream.arrivals.rate": "10 Hz", "stream.exits.counts": COUNTS, "requirements": {}}))
    agrees(found, "latency_ms.mean", 2 + (1 - again) * (plain.value("latency_ms.mean") or 0))
    right = float(np.dot(ACCURACY, COUNTS)) / sum(COUNTS)
    agrees(found, "accuracy", right)
    # Nothing waits, so only contention is between them.
    assert 0.95 < found.bounds.mean_latency_ns / 1e6 / (found.value("latency_ms.mean") or 0) <= 1


@pytest.mark.parametrize("length", [4, 25])
@pytest.mark.parametrize("misses", [0.2, 0.9])
def test_changes_that_go_unnoticed(length: int, misses: float) -> None:
    """A frame shows the reference's scene if the frame before it did (or ran) and the scene goes on."""
    found = watched({**DETECTOR, "misses": f"{100 * misses} %"}, {"kind": "lengths", "dwell": length})
    goes_on = 1 - 1 / length
    fresh = goes_on * (1 - misses) / (1 - goes_on * misses)
    stale = (1 - fresh) * misses
    agrees(found, "stale_share", stale, precision=0.1)
    agrees(found, "reuse_share", fresh + stale)
    agrees(found, "accuracy", float(np.dot(ACCURACY, COUNTS)) / sum(COUNTS) * (1 - stale), precision=0.05)


def test_temporal_patience_in_one_scene_looks_again_in_turns() -> None:
    found = watched({**DETECTOR, "patience": 3, "at_most": 4}, {"kind": "lengths", "dwell": 1e9})
    assert found.value("reuse_share") == pytest.approx(4 / 5, abs=1e-3)


def test_patience_costs_the_first_frames_of_each_scene() -> None:
    found = watched({**DETECTOR, "patience": 3}, {"kind": "lengths", "dwell": [10.0, 20.0]})
    assert found.value("reuse_share") == pytest.approx(1 - 3 / 15, rel=0.01)


def test_skipping_without_looking_is_wrong_whenever_the_scene_changed() -> None:
    """Every frame another scene: of four frames one runs, and three get an answer that is stale."""
    found = watched({"at": "blind", "at_most": 3}, {"kind": "lengths", "dwell": 1})
    assert found.value("reuse_share") == found.value("stale_share") == pytest.approx(3 / 4, abs=1e-3)
    agrees(found, "accuracy", float(np.dot(ACCURACY, COUNTS)) / sum(COUNTS) / 4)


def test_difference_detection_at_the_first_exit_costs_the_way_there() -> None:
    """As published: what the first exit puts out is compared; in an unchanging scene every frame ends there."""
    found = watched({"at": "exit1"}, {"kind": "lengths", "dwell": 1e9})
    always = eesim.run(
        camera({"stream.arrivals.rate": "10 Hz", "stream.exits.counts": [1, 0, 0, 0], "requirements": {}})
    )
    assert found.value("reuse_share") == pytest.approx(1, abs=1e-3)
    assert found.value("latency_ms.mean") == pytest.approx(always.value("latency_ms.mean"), rel=1e-3)
    for pe in "BLG":
        assert found.value(f"utilisation.{pe}") == pytest.approx(always.value(f"utilisation.{pe}"), rel=5e-3)


def test_an_answer_of_a_sample_is_as_right_as_it_was() -> None:
    """Samples in their order, scenes of five: all five are right exactly if the first one's answer is."""
    path = Path(__file__).parents[2] / "scenarios" / "confidences" / "digits_mlp.csv"
    rules = {"at": "input", "detector": {"time": "0 ms"}}
    changes = {
        "stream.exits.order": "table", "stream.scenes": {"kind": "lengths", "dwell": [5]}, "policy.reuse": rules,
        "stream.arrivals": {"kind": "periodic", "rate": "0.1 Hz"}, "requirements": {}, "run.replications": 1,
        "run.warmup": "none",
    }  # fmt: skip
    scenario = digits(changes)
    found = eesim.run(scenario)
    frames = found.frames()
    own = frames["basis"] == "own"
    (block,) = scenario.blocks(scenario.n_frames, seed=scenario.spec.run.seed, replication=0)
    scene = block.scene
    assert (np.flatnonzero(own) == np.flatnonzero(np.diff(scene, prepend=-1))).all()
    exits = frames["exit"].to_numpy(np.int64)
    right = block.correct >> (exits - 1) & 1
    assert found.value("accuracy") == pytest.approx(right[own][np.cumsum(own) - 1].mean())
    assert path.is_file()


def test_a_key_remembers_references_from_block_to_block() -> None:
    key = AnswerKey([1, 2], again=True)
    key.add(np.array([1, 3, 0, 2]))
    column = {name: i for i, name in enumerate(RECORD_COLUMNS)}

    def record(frame: int, exit_: int, reused: int = 0) -> list[int]:
        row = [0] * len(column)
        row[column["frame"]], row[column["exit"]], row[column["basis"]] = frame, exit_, reused
        return row

    assert key.check(np.array([record(0, 0)])).tolist() == [1]
    assert key.check(np.array([record(2, 0, 1), record(1, 1, 2), record(3, 0)])).tolist() == [1, 0, 0]
