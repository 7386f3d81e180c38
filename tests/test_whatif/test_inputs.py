"""What differs between two scenarios' inputs, and what a simulation depends on."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.evaluate import trace_digests
from eesim.overrides import Override
from eesim.plan.lower import lower
from eesim.scenario.load import changed, load
from eesim.whatif.inputs import Change, changes, leaves, simulation_key
from eesim.wording import dotted
from tests.scenarios import CAMERA, camera, cameras, digits


def between(**overrides: Any) -> list[Change]:
    return changes(camera(), camera({key.replace("__", "."): value for key, value in overrides.items()}))


def test_the_same_inputs_do_not_differ() -> None:
    assert changes(camera(), camera()) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"mapping.opp.B": "1.8 GHz"},
        {"stream.arrivals.rate": "30 fps"},
        {"policy": {"preset": "cooperative", "cancellation": "queued"}},
        {"mapping.segments": ["B", "G", "L", "G", "L", "G", "L"]},
        {"board": {"extends": "rk3399pro", "base_power": {"value": "3.537 W"}}},
        {"physics": {}},
        {"title": "another title", "run.seed": 9, "run.replications": 3},
        {"board.base_power.origin.note": "for people"},
    ],
)
def test_two_ways_to_write_a_value_do_not_differ(overrides: dict[str, Any]) -> None:
    assert changes(camera(), camera(overrides)) == []


@pytest.mark.parametrize(
    ("path", "value", "before"),
    [
        ("profile.times.b1.B", "8.1709 ms", "8.09 ms"),
        ("board.pes.G.host", "L", "B"),
        ("board.pes.B.opps.table.7.active_power", "2 W", "2636 mW"),
        ("network.segments.0.output", "1 kB", "262144 B"),
        ("stream.exits.counts.3", 938, 469),
        ("stream.arrivals.jitter", "0 ms", "2 ms"),
        ("mapping.opp.L", "1008 MHz", "1416 MHz"),
        ("policy.frames_in_flight", 2, "unbounded"),
        ("physics.transfers", False, True),
        ("run.frames", 500, 20000),
        ("requirements.deadline", "30 ms", "40 ms"),
    ],
)
def test_one_value_is_one_change(path: str, value: Any, before: Any) -> None:
    assert changes(camera(), camera({path: value})) == [Change(path, before, value)]


def test_what_only_one_has_is_none_in_the_other() -> None:
    found = changes(camera(), camera({"board.contention.pairs.B.G": 1.6}))
    assert found == [Change("board.contention.pairs.B.G", None, 1.6)]


def test_another_kind_of_arrivals_is_shown_key_by_key() -> None:
    found = {c.path: (c.a, c.b) for c in between(stream__arrivals={"kind": "poisson", "rate": "30 Hz"})}
    assert found["stream.arrivals.kind"] == ("periodic", "poisson")
    assert found["stream.arrivals.jitter"] == ("2 ms", None)
    assert "stream.arrivals.rate" not in found


def test_true_is_not_one() -> None:
    a, b = camera({"run.warmup": 1}), camera({"run.warmup": "none"})
    assert [c.path for c in changes(a, b)] == ["run.warmup"]


def test_every_written_value_can_be_set_as_it_is() -> None:
    """A path that a difference names is one that ``--set`` takes."""
    scenario = camera()
    values = {leaf.path: leaf.written for leaf in leaves(scenario) if leaf.is_written}
    values.pop(("mapping", "exits"), None)
    assert len(values) > 200
    again = changed(scenario, [Override(path, value) for path, value in values.items()])
    assert changes(scenario, again) == []
    assert (
        load(CAMERA, [f"{dotted(path)}={value}" for path, value in list(values.items())[:40]]).board == scenario.board
    )


@pytest.mark.parametrize(
    ("path", "value", "before"),
    [
        ("streams.1.mapping.segments", "LLLLLLL", "GGGGGGG"),
        ("streams.1.arrivals.rate", "12 Hz", "10 Hz"),
        ("streams.1.priority", 0, 1),
        ("streams.1.name", "back", "rear"),
        ("streams.1.requirements.deadline", "90 ms", "100 ms"),
        ("streams.0.requirements.p99_latency", "39 ms", "40 ms"),
        ("requirements.drop_rate", "2 %", "1 %"),
        # What both inherit is one change, where both inherit it from.
        ("mapping.opp.G", "600 MHz", "800 MHz"),
        ("policy.frames_in_flight", 3, 2),
        ("stream.exits.counts.0", 8000, 8222),
        ("profile.times.b1.B", "8 ms", "8.09 ms"),
        ("network.segments.0.output", "1 kB", "262144 B"),
        ("board.pes.G.host", "L", "B"),
    ],
)
def test_of_several_streams_one_value_is_one_change(path: str, value: Any, before: Any) -> None:
    assert changes(cameras(), cameras({path: value})) == [Change(path, before, value)]


def test_what_one_stream_inherits_may_be_anothers_own() -> None:
    own = cameras({"streams.1.network": "ee_resnet18", "streams.1.policy": {"frames_in_flight": 2}})
    assert changes(cameras(), own) == []
    slower = cameras({"streams.1.policy": {"frames_in_flight": 1}})
    assert changes(cameras(), slower) == [Change("streams.1.policy.frames_in_flight", 2, 1)]


def test_a_stream_that_only_one_has_is_one_change() -> None:
    front = cameras().document.data["streams"][:1]
    one = cameras({"streams": front})
    assert changes(one, cameras()) == [Change("streams.1", None, "rear")]
    assert changes(cameras(), one) == [Change("streams.1", "rear", None)]
    paths = {change.path for change in changes(camera(), cameras())}
    assert "streams.1" in paths
    assert "streams.0.arrivals.rate" not in paths
    assert not any(path.startswith("streams.1.") for path in paths)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"streams.1.network": {"extends": "ee_resnet18"}, "streams.0.mapping.opp": {"B": "1608 MHz", "L": "1416 MHz"}},
        {"streams.1.profile": {"times": {"b1": {"G": "7 ms"}}}, "streams.0.policy": {"preset": "cooperative"}},
        {"streams.1.noise": {"kind": "lognormal", "cv": 0.1}, "requirements.deadline": "90 ms"},
    ],
)
def test_every_written_value_of_several_streams_can_be_set_as_it_is(overrides: dict[str, Any]) -> None:
    scenario = cameras(overrides)
    found = list(leaves(scenario))
    assert len({leaf.path for leaf in found}) == len(found)
    values = {leaf.path: leaf.written for leaf in found if leaf.is_written and leaf.path[-2:] != ("mapping", "exits")}
    assert len(values) > 200
    again = changed(scenario, [Override(path, value) for path, value in values.items()])
    assert changes(scenario, again) == []
    for name in ("network", "profile", "policy"):
        assert [getattr(m, name) for m in again.members] == [getattr(m, name) for m in scenario.members]


def test_laws_of_a_profile_are_inputs() -> None:
    law = {"cycles": "14 Mcycles", "fixed": "0.5 ms", "power": 0.9}
    laws = {"mapping.segments": "NGLGLGL", "profile.laws": {"b1": {"N": law}}}
    found = {dotted(leaf.path): leaf for leaf in leaves(camera(laws))}
    assert found["profile.laws.b1.N.cycles"].written == "14 Mcycles"
    assert found["profile.laws.b1.N.power"].is_written
    assert not found["profile.laws.b1.N.host_cycles"].is_written
    other = camera({**laws, "profile.laws": {"b1": {"N": {**law, "cycles": "15 Mcycles"}}}})
    assert changes(camera(laws), other) == [Change("profile.laws.b1.N.cycles", "14 Mcycles", "15 Mcycles")]


def test_the_key_is_of_every_stream() -> None:
    base = cameras()
    key = simulation_key(base, lower(base))
    for path, value, same in [
        ("streams.1.arrivals.phase", "8 ms", False),
        ("streams.1.arrivals.jitter", "1 ms", False),
        ("streams.1.exits", {"kind": "counts", "counts": [8223, 1014, 294, 469]}, False),
        ("streams.1.requirements.deadline", "90 ms", False),
        ("streams.1.priority", 0, False),
        ("streams.1.mapping.segments", "LLLLLLL", False),
        ("streams.1.policy", {"frames_in_flight": 1}, False),
        ("streams.1.network", {"extends": "ee_resnet18", "segments": {"0": {"kernels": 2}}}, False),
        ("streams.1.profile", {"times": {"b2": {"G": "9 ms"}}}, False),
        ("streams.1.profile", {"times": {"b2": {"B": "9 ms"}}}, True),
        ("streams.1.requirements.p99_latency", "90 ms", True),
        ("board.runtimes.switch.ramp_window", "9 ms", True),
    ]:
        scenario = cameras({path: value})
        assert (simulation_key(scenario, lower(scenario)) == key) is same, (path, value)


def test_the_key_is_of_every_streams_traces(tmp_path: Path) -> None:
    keys = []
    for exits in ("1\n2\n1\n", "1\n1\n2\n"):
        (tmp_path / "same.csv").write_text(f"exit\n{exits}")
        scenario = cameras({"streams.1.exits": {"kind": "trace", "path": str(tmp_path / "same.csv")}})
        keys.append(simulation_key(scenario, lower(scenario)))
        assert list(trace_digests(scenario)) == ["trace_exit.rear"]
    assert keys[0] != keys[1]


def test_the_key_is_of_what_is_read() -> None:
    base = camera()
    key = simulation_key(base, lower(base))
    for path, value, same in [
        ("board.pes.B.opps.table.0.voltage", "0.81 V", True),
        ("profile.times.b1.G", "1 ms", True),
        ("profile.times.b1.B", "8 ms", False),
        ("stream.exits.counts.0", 8000, False),
        ("requirements.deadline", "30 ms", False),
        ("board.base_power.value", "1 W", False),
        ("run.frames", 19999, False),
    ]:
        scenario = camera({path: value})
        assert (simulation_key(scenario, lower(scenario)) == key) is same, path


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("mapping.thresholds.exit1", 0.5, Change("mapping.thresholds.exit1", 0.9, 0.5)),
        ("mapping.thresholds", 0.9, Change("mapping.thresholds.exit2", 0.8, 0.9)),
    ],
)
def test_thresholds_are_inputs_and_are_read(path: str, value: Any, expected: Change) -> None:
    a, b = digits(), digits({path: value})
    assert changes(a, b) == [expected]
    assert simulation_key(a, lower(a)) != simulation_key(b, lower(b))


def test_one_threshold_for_all_exits_is_one_input() -> None:
    found = [leaf for leaf in leaves(digits({"mapping.thresholds": 0.7})) if "thresholds" in leaf.path]
    assert [(leaf.path, leaf.written, leaf.is_written) for leaf in found] == [(("mapping", "thresholds"), 0.7, True)]
    one_by_one = digits({"mapping.thresholds": {"exit1": 0.7, "exit2": 0.7}})
    assert changes(digits({"mapping.thresholds": 0.7}), one_by_one) == []


def test_thresholds_that_decide_alike_are_the_same_to_a_run() -> None:
    """Between two confidences of the table a threshold may lie anywhere."""
    confidences = np.unique(digits().traces.samples.confidence[:, 0])
    low, high = max(pairwise(confidences), key=lambda pair: pair[1] - pair[0])
    a, b = (digits({"mapping.thresholds.exit1": float(low + share * (high - low))}) for share in (0.25, 0.75))
    assert len(changes(a, b)) == 1
    assert simulation_key(a, lower(a)) == simulation_key(b, lower(b))
