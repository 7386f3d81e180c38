"""What differs between two scenarios' inputs, and what a simulation depends on."""

from __future__ import annotations

from typing import Any

import pytest

from eesim.overrides import Override
from eesim.plan.lower import lower
from eesim.scenario.load import changed, load
from eesim.whatif.inputs import Change, changes, leaves, simulation_key
from eesim.whatif.ranges import is_written
from eesim.wording import dotted
from tests.scenarios import CAMERA, camera


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
    values = {leaf.path: leaf.written for leaf in leaves(scenario) if is_written(scenario, leaf.path)}
    values.pop(("mapping", "exits"), None)
    assert len(values) > 200
    again = changed(scenario, [Override(path, value) for path, value in values.items()])
    assert changes(scenario, again) == []
    assert (
        load(CAMERA, [f"{dotted(path)}={value}" for path, value in list(values.items())[:40]]).board == scenario.board
    )


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
