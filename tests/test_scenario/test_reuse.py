"""Answers that are used again: what a user may write, where scenes come from, and which road the search takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.errors import InputError
from eesim.explore.candidates import unsupported
from eesim.mapping.policy import PolicyChange
from eesim.plan.lower import lower
from eesim.report.words import policy_words
from eesim.yamldoc import load_document
from tests.scenarios import camera

SCENES = {"kind": "lengths", "dwell": 10}
INPUT = {"at": "input", "detector": {"time": "1 ms", "pe": "L"}}
REGIMES = {
    "kind": "regimes",
    "regimes": {
        "day": {"shares": ["100 %", "0 %", "0 %", "0 %"], "dwell": 7},
        "night": {"shares": ["0 %", "0 %", "0 %", "100 %"], "dwell": 3},
    },
}


def block(**changes: Any) -> Any:
    scenario = camera({"run.frames": 500, **changes})
    (found,) = scenario.blocks(500, seed=1, replication=0)
    return found


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"policy.reuse": INPUT}, "stream.scenes", "missing"),
        ({"policy.reuse": {"at": "input"}, "stream.scenes": SCENES}, "policy.reuse.detector", "missing"),
        ({"policy.reuse": {"at": "exit9"}, "stream.scenes": SCENES}, "policy.reuse.at", "no exit 'exit9'"),
        (
            {"policy.reuse": {"at": "exit1"}, "stream.scenes": SCENES, "mapping.exits": ["exit2", "final"]},
            "policy.reuse.at",
            "disabled",
        ),
        ({"policy.reuse": {**INPUT, "at": "exit1"}, "stream.scenes": SCENES}, "policy.reuse.detector", "at: input"),
        ({"policy.reuse": {"at": "blind", "misses": "1 %"}, "stream.scenes": SCENES}, "policy.reuse.misses", "blind"),
        (
            {"policy.reuse": {"at": "input", "detector": {"time": "1 ms", "pe": "X"}}, "stream.scenes": SCENES},
            "policy.reuse.detector.pe",
            "no PE 'X'",
        ),
        (
            {"policy": {"preset": "coup-switch", "reuse": {"at": "exit1"}}, "stream.scenes": SCENES},
            "policy.reuse",
            "none",
        ),
        ({"stream.scenes": {"kind": "regimes"}}, "stream.scenes.kind", "counts"),
        ({"stream.scenes": {"kind": "lengths", "dwell": [2.5, 3]}}, "stream.scenes.dwell.0", "whole"),
        (
            {"stream.scenes": {"kind": "lengths", "dwell": "1 s"}, "stream.arrivals": {"kind": "closed_loop"}},
            "stream.scenes.dwell",
            "closed loop",
        ),
        ({"stream.scenes": {"kind": "trace", "path": "nowhere.csv"}}, "", "no such file"),
    ],
)
def test_what_cannot_be_meant(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        camera({"requirements": {}, **changes})
    found = [p for p in caught.value.problems if p.path == path]
    assert found, caught.value.problems
    assert any(words in f"{p.message} {p.hint}" for p in found)


def test_a_measured_runtime_has_no_detector_and_no_limited_stages() -> None:
    network = Path(__file__).parents[2] / "scenarios" / "networks" / "resnet50_v1.yaml"
    chain = {
        "eesim": 1,
        "board": "rk3399pro",
        "network": "resnet50_v1",
        "mapping": {"segments": ["B"] * len(load_document(network).data["segments"])},
        "policy": "coup-switch",
        "stream": {"arrivals": {"kind": "closed_loop"}, "exits": {"kind": "fixed", "exit": 1}, "scenes": SCENES},
    }
    assert eesim.load(chain).policy.preset == "coup-switch"
    for switch, value in (("reuse", INPUT), ("stage_queue", {"capacity": 1})):
        with pytest.raises(InputError, match="measured switch runtime"):
            eesim.load(chain, {f"policy.{switch}": value})


def test_scenes_without_a_use_give_a_note() -> None:
    assert any("stream.scenes has no effect" in note for note in camera({"stream.scenes": SCENES}).notes)


def test_scenes_have_the_lengths_that_were_asked_for() -> None:
    lengths = np.bincount(block(**{"stream.scenes": {"kind": "lengths", "dwell": [4, 6]}}).scene)[1:-1]
    assert set(lengths) == {4, 6}
    times = block(**{"stream.scenes": {"kind": "lengths", "dwell": ["1 s"]}})
    assert set(np.bincount(times.scene)[1:-1]) <= {29, 30, 31}


def test_scenes_do_not_depend_on_how_the_stream_is_cut_or_on_other_draws() -> None:
    a, b = (block(**{"stream.scenes": SCENES, **extra}) for extra in ({}, {"stream.noise": {"kind": "exponential"}}))
    np.testing.assert_array_equal(a.scene, b.scene)
    np.testing.assert_array_equal(a.doubt, b.doubt)
    np.testing.assert_array_equal(a.exit, block().exit)


def test_scenes_of_regimes_are_their_stays() -> None:
    found = block(**{"stream.exits": REGIMES, "stream.scenes": {"kind": "regimes"}})
    changes = np.diff(found.exit) != 0
    np.testing.assert_array_equal(np.diff(found.scene) == 1, changes)


def test_scenes_of_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "scenes.csv"
    pd.DataFrame({"scene": [5, 5, 2, 2, 2], "difference": ["", 0.1, 0.9, 0.2, 0.3]}).to_csv(path, index=False)
    trace = {"kind": "trace", "path": str(path)}
    for scenes, expected in ((trace, [5, 5, 2, 2, 2]), ({**trace, "threshold": 0.25}, [0, 0, 1, 1, 2])):
        scenario = camera({"stream.scenes": scenes, "run.frames": 5, "run.warmup": "none"})
        (found,) = scenario.blocks(5, seed=1, replication=0)
        assert found.scene.tolist() == expected
    with pytest.raises(InputError, match="6 frames are asked for, but the scenes trace has 5 rows"):
        camera({"stream.scenes": trace, "run.frames": 6})
    path.write_text("difference\n0\nmuch\n")
    with pytest.raises(InputError, match=r"scenes\.csv:3: difference: must be a number"):
        camera({"stream.scenes": {**trace, "threshold": 1}, "run.frames": 2})


def test_the_detector_is_a_node_of_its_own() -> None:
    lowered = lower(camera({"policy.reuse": INPUT, "stream.scenes": SCENES, "stream.noise": {"kind": "exponential"}}))
    assert lowered.labels.nodes[0] == "detect"
    assert lowered.plan.node_missing.tolist().count(0) == 1
    assert lowered.plan.node_work_ns[0].tolist() == [1_000_000]
    assert lowered.plan.node_power_uw[0] > 0
    scenario = camera({"policy.reuse": INPUT, "stream.scenes": SCENES, "stream.noise": {"kind": "exponential"}})
    (frames,) = scenario.blocks(50, seed=1, replication=0)
    assert (lowered.draws(frames).noise_ppm[:, 0] == 1_000_000).all()


def test_a_policy_in_words_and_written_back() -> None:
    reuse = {**INPUT, "patience": 2, "at_most": 9, "misses": "1 %"}
    scenario = camera({"policy.reuse": reuse, "stream.scenes": SCENES})
    words = policy_words(scenario.policy)
    assert "if inputs are alike (1 ms on L), after 2 answers in a row, at most 9 in a row, 1 % missed" in words
    change = PolicyChange.model_validate({"reuse": reuse})
    assert PolicyChange.model_validate(change.model_dump(exclude_none=True)) == change


def test_the_search_takes_the_general_road() -> None:
    assert "policy.reuse" in unsupported(camera({"policy.reuse": INPUT, "stream.scenes": SCENES}))


def test_streams_may_have_scenes_of_their_own() -> None:
    one = {"name": "a", "scenes": {"kind": "lengths", "dwell": 1e9}, "policy": {"reuse": INPUT}}
    other = {"name": "b", "scenes": SCENES}
    found = eesim.run(camera({"requirements": {}, "streams": [one, other], "stream.arrivals.rate": "5 Hz"}))
    told = {stream["name"]: stream["reuse"] for stream in found.to_dict()["streams"]}
    assert told["a"]["reuse"] > 0.99
    assert told["b"] == {}


def test_the_example_keeps_its_requirements() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "still_camera.yaml"
    found = eesim.run(eesim.load(path, {"run.frames": 6000, "run.replications": 4}))
    assert found.requirements_met
    assert 0.85 < (found.value("reuse_share") or 0) < 0.95
