"""Several streams on one platform: what each has of its own, what they share, what cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.engine.simulate import EngineName
from eesim.errors import InputError
from eesim.explore.candidates import unsupported
from eesim.metrics.observe import STREAM
from eesim.plan.lower import lower
from eesim.plan.plan import EventKind
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import Scenario, load
from tests.scenarios import NO_PHYSICS, camera

TWO = scenario_folder() / "two_cameras.yaml"

SHORT = {"run": {"frames": 400, "warmup": "none", "replications": 2, "seed": 1}}

NEVER_TOGETHER = {
    **NO_PHYSICS,
    "run": {"frames": 300, "warmup": "none", "replications": 1},
    "streams.0.arrivals": {"kind": "periodic", "rate": "1 Hz"},
    "streams.1.arrivals": {"kind": "periodic", "rate": "2 Hz", "phase": "250 ms"},
}
"""A frame of one camera is long gone when the other camera's arrives."""


def two(overrides: Mapping[str, Any] | None = None) -> Scenario:
    return load(TWO, overrides or {})


def problems(overrides: Mapping[str, Any]) -> list[str]:
    with pytest.raises(InputError) as caught:
        two(overrides)
    return [re.sub(r"^[^ ]*two_cameras.yaml:(\d+): ", r"", str(problem)) for problem in caught.value.problems]


# -- meaning --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_streams_that_never_meet_are_as_if_alone(engine: EngineName) -> None:
    scenario = two(NEVER_TOGETHER)
    found = eesim.run(scenario, engine=engine)
    for name, order in (("front", "BGLGLGL"), ("rear", "GGGGGGG")):
        alone = camera(
            {**NO_PHYSICS, "mapping.segments": order, "stream.arrivals": {"kind": "periodic", "rate": "1 Hz"}}
        )
        result = eesim.run(alone, replications=1)
        expected = np.array([result.value(f"exit_latency_ms.{exit_}") for exit_ in result.lowered.labels.exits])
        rows = found.frames()
        rows = rows[rows["stream"] == name]
        latency = ((rows["finish_ns"] - rows["arrival_ns"]) / 1e6).astype(float).to_numpy()
        assert latency == pytest.approx(expected[rows["exit"].astype(int).to_numpy() - 1])
    # Two frames in three are of the camera that is twice as fast.
    assert (found.frames()["stream"] == "rear").sum() == 200


def test_one_stream_in_the_list_is_the_scenario_without_a_list() -> None:
    alone = camera({**SHORT, "requirements": {}})
    listed = load(TWO, {**SHORT, "policy": "cooperative", "requirements": {}, "streams": [{
        "name": "front", "mapping": {"segments": "BGLGLGL"},
        "arrivals": {"kind": "periodic", "rate": "30 Hz", "jitter": "2 ms"}}]})  # fmt: skip
    a, b = eesim.run(alone), eesim.run(listed)
    for name in ("latency_ms.mean", "latency_ms.p99", "energy_mj_per_frame.total", "utilisation.B"):
        assert a.value(name) == b.value(name), name
    assert b.value("stream.front.latency_ms.p99") == b.value("latency_ms.p99")
    assert b.to_dict()["streams"][0]["exits"][0]["name"] == "exit1"


def test_the_other_streams_change_nothing_of_what_a_stream_draws() -> None:
    def drawn(scenario: Scenario, stream: int) -> tuple[list[int], list[int]]:
        (block,) = scenario.blocks(500, seed=3, replication=1)
        part = block.parts[stream]  # type: ignore[union-attr]
        return part.arrival_ns.tolist(), part.exit.tolist()

    usual, slower = two(), two({"streams.0.arrivals.rate": "3 Hz"})
    few, many = drawn(usual, 1), drawn(slower, 1)
    assert len(few[0]) < len(many[0])
    assert few == tuple(column[: len(few[0])] for column in many)
    (alone,) = camera().stream.blocks(500, seed=3, replication=1)
    front = drawn(usual, 0)
    assert front == (alone.arrival_ns.tolist()[: len(front[0])], alone.exit.tolist()[: len(front[0])])


def test_frames_come_in_the_order_of_their_arrivals_and_streams() -> None:
    arrivals = {"kind": "periodic", "rate": "10 Hz"}
    scenario = two({"streams.0.arrivals": arrivals, "streams.1.arrivals": {**arrivals, "rate": "20 Hz"}})
    draws = [lower(scenario).draws(block) for block in scenario.blocks(70_000, seed=1, replication=0)]
    assert max(len(part.arrival_ns) for part in draws) <= 65_536
    assert sum(len(part.arrival_ns) for part in draws) == 70_000
    instants = np.concatenate([part.arrival_ns for part in draws])
    stream = np.concatenate([part.stream for part in draws])
    assert (np.diff(instants) >= 0).all()
    assert stream[:9].tolist() == [0, 1, 1, 0, 1, 1, 0, 1, 1]


def test_the_front_camera_goes_first() -> None:
    """Both want the GPU at once: who is served first follows the priorities, and the same with changed roles."""
    same = {"kind": "periodic", "rate": "10 Hz"}
    both = {"mapping": {"segments": "GGGGGGG"}, "arrivals": same}
    changes = {**SHORT, **NO_PHYSICS, "run.replications": 1}
    for first in (0, 1):
        entries = [{"name": "front", "priority": first, **both}, {"name": "rear", "priority": 1 - first, **both}]
        result = eesim.run(two({**changes, "streams": entries}))
        front, rear = (result.value(f"stream.{name}.parts_ms.queueing") for name in ("front", "rear"))
        assert front is not None
        assert rear is not None
        assert (front < rear) == (first == 0)


def test_a_stream_keeps_to_its_own_queue() -> None:
    result = eesim.run(two({**SHORT, "streams.1.arrivals.rate": "500 Hz"}))
    assert result.value("stream.rear.drop_rate") > 0.5  # type: ignore[operator]
    assert result.value("stream.front.drop_rate") == 0


# -- numbers ---------------------------------------------------------------------------------------------------


def test_streams_add_up() -> None:
    result = eesim.run(two(SHORT), replications=1)
    assert result.records is not None
    (records,) = result.records
    share = np.bincount(records[:, STREAM]) / len(records)
    value = lambda name: result.value(name) or 0.0  # noqa: E731
    names = ("stream.front.", "stream.rear.")
    for metric in ("latency_ms.mean", "deadline_miss_rate", "active_energy_mj_per_frame"):
        whole = value(metric) if metric != "active_energy_mj_per_frame" else sum(
            value(f"energy_mj_per_frame.{term}") for term in ("compute", "host", "transfer")
        )  # fmt: skip
        assert sum(value(n + metric) * s for n, s in zip(names, share, strict=True)) == pytest.approx(whole), metric
    for pe in "BLG":
        assert sum(value(f"{n}utilisation.{pe}") for n in names) == pytest.approx(value(f"utilisation.{pe}"))
    shares = [value(f"exit_share.{name}") for name in result.lowered.labels.exits]
    assert sum(shares) == pytest.approx(1)
    assert sum(
        value(f"stream.rear.exit_share.{name}") for name in ("exit1", "exit2", "exit3", "final")
    ) == pytest.approx(1)


def test_each_stream_has_its_own_deadline_and_requirements() -> None:
    changes = {**SHORT, "requirements": {"deadline": "20 ms"}, "streams.0.requirements": {"p99_latency": "1 ms"}}
    result = eesim.run(two({**changes, "streams.1.requirements": {"deadline": "9 s"}}))
    assert [(v.stream, v.name, v.met) for v in result.verdicts] == [
        ("", "deadline_miss_rate", False),
        ("front", "p99_latency", False),
        ("front", "deadline_miss_rate", False),
        ("rear", "deadline_miss_rate", True),
    ]
    assert result.value("stream.rear.deadline_miss_rate") == 0


def test_accuracy_is_of_each_stream() -> None:
    sure = {"streams.0.exits": {"kind": "fixed", "exit": 1, "accuracy": [0.5, 0.5, 0.5, 0.5]}}
    result = eesim.run(two({**SHORT, **sure}))
    assert result.value("stream.front.accuracy") == pytest.approx(0.5)
    assert result.value("stream.rear.accuracy") is None
    assert result.value("accuracy") is None


def test_a_pe_that_two_streams_set_differently_changes_its_clock() -> None:
    scenario = two({**SHORT, "streams.1.mapping.opp": {"G": "400 MHz"}})
    assert lower(scenario).plan.n_states == 2
    slow, fast = eesim.run(scenario), eesim.run(two(SHORT))
    assert slow.value("stream.rear.latency_ms.mean") > fast.value("stream.rear.latency_ms.mean")  # type: ignore[operator]


def test_the_log_says_whose_frame_arrives() -> None:
    result = eesim.run(two(SHORT), log_frames=50)
    assert result.log is not None
    arrivals = result.log[result.log[:, 1] == EventKind.ARRIVE]
    assert arrivals[:, 4].tolist() == result.records[0][:50, STREAM].tolist()  # type: ignore[index]


def test_a_stream_ends_with_its_trace(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arrival_ms\n" + "\n".join(str(100 * k) for k in range(5)))
    trace = {"kind": "trace", "path": str(tmp_path / "t.csv")}
    result = eesim.run(two({**SHORT, "streams.1.arrivals": trace}), replications=1)
    assert (result.frames()["stream"] == "rear").sum() == 5
    both = two({"run": {"warmup": "none", "replications": 1}, "streams.0.arrivals": trace, "streams.1.arrivals": trace})
    assert both.n_frames == 10
    assert len(eesim.run(both).frames()) == 10


# -- mistakes --------------------------------------------------------------------------------------------------

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"streams.1.name": "front"}, "streams.1.name: there are two streams 'front': name them apart"),
    ({"streams.1.priorty": 2}, "unknown key (did you mean priority?)"),
    ({"streams.1.mapping.segments": "GGGGGGX"}, "there is no PE 'X' on board rk3399pro (B L G N)"),
    ({"streams.1.arrivals.rat": "3 Hz"}, "unknown key (did you mean rate?)"),
    ({"streams.1.arrivals": {"kind": "closed_loop"}}, "cannot be simulated beside other streams"),
    ({"streams.1.policy.queue": {"capacity": 2, "full": "block"}}, "beside other streams (did you mean drop_newest?)"),
    ({"streams.1.policy": {"dispatch": "fifo"}}, "is a switch of the PEs, which serve all streams alike"),
    ({"streams.0.requirements.power": "3 W"}, "is of the platform, not of one stream"),
    ({"requirements.accuracy": 0.9}, "cannot be judged: not every stream's exits.accuracy is given"),
    ({"requirements": {"deadline_miss_rate": 0, "drop": 1}}, "unknown key (did you mean drop_rate?)"),
    ({"streams": "front"}, "must be a list"),
]


@pytest.mark.parametrize(("overrides", "expected"), MISTAKES)
def test_mistakes_are_found(overrides: dict[str, Any], expected: str) -> None:
    assert any(expected in problem for problem in problems(overrides)), problems(overrides)


def test_mistakes_of_all_streams_are_found_at_once() -> None:
    found = problems({"streams.0.arrivals.rat": "3 Hz", "streams.1.arrivals.rat": "3 Hz", "runn": 1})
    assert len(found) == 3


def test_too_many_frames_for_the_traces(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arrival_ms\n1\n2\n")
    trace = {"kind": "trace", "path": str(tmp_path / "t.csv")}
    found = problems({"streams.0.arrivals": trace, "streams.1.arrivals": trace, "run.frames": 5})
    assert found == [
        "--set: run.frames: 5 frames are asked for, but the traces of all streams have 4 rows (did you mean 4?)"
    ]


def test_a_search_is_of_one_stream() -> None:
    assert "2 streams share the platform" in unsupported(two())
