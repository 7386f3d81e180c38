"""Verdicts on declared requirements."""

from __future__ import annotations

from typing import Any

import pytest

import eesim
from eesim.metrics.requirements import RULES, Verdict, judge
from eesim.metrics.statistics import Estimate
from eesim.scenario.spec import ScenarioSpec
from tests.scenarios import FAR_APART, camera, scenario_data

METRICS = {rule.metric for rule in RULES.values()}


def verdicts(requirements: dict[str, Any], **values: Estimate) -> dict[str, Verdict]:
    """Judge against estimates that are 5 with an interval from 4 to 6, unless given by metric (``__`` for a dot)."""
    estimates = dict.fromkeys(METRICS, Estimate(5.0, 4.0, 6.0))
    estimates |= {key.replace("__", "."): value for key, value in values.items()}
    spec = ScenarioSpec.model_validate(scenario_data("BGL", requirements=requirements))
    return {verdict.name: verdict for verdict in judge(spec.requirements, estimates)}


def test_nothing_is_judged_that_is_not_declared() -> None:
    assert verdicts({}) == {}


@pytest.mark.parametrize(
    ("limit", "met", "sure", "margin"),
    [
        ("7 ms", True, True, 2),
        ("5.5 ms", True, False, 0.5),
        ("5 ms", True, False, 0),
        ("4.5 ms", False, False, -0.5),
        ("3 ms", False, True, -2),
    ],
)
def test_a_ceiling(limit: str, met: bool, sure: bool, margin: float) -> None:
    found = verdicts({"p99_latency": limit})["p99_latency"]
    assert (found.met, found.sure, found.is_ceiling, found.unit) == (met, sure, True, "ms")
    assert found.margin == pytest.approx(margin)


@pytest.mark.parametrize(
    ("limit", "met", "sure"),
    [("3 fps", True, True), ("4.5 fps", True, False), ("5 fps", True, False), ("7 fps", False, True)],
)
def test_a_floor(limit: str, met: bool, sure: bool) -> None:
    found = verdicts({"throughput": limit})["throughput"]
    assert (found.met, found.sure, found.is_ceiling, found.unit) == (met, sure, False, "fps")


@pytest.mark.parametrize(
    ("name", "limit", "metric", "number"),
    [
        ("mean_latency", "4 ms", "latency_ms.mean", 4),
        ("p50_latency", "4 ms", "latency_ms.p50", 4),
        ("p90_latency", "4 ms", "latency_ms.p90", 4),
        ("p95_latency", "4 ms", "latency_ms.p95", 4),
        ("p99_latency", "4 ms", "latency_ms.p99", 4),
        ("max_latency", "4 ms", "latency_ms.max", 4),
        ("worst_latency", "4 ms", "latency_ms.max", 4),
        ("drop_rate", "4 %", "drop_rate", 0.04),
        ("throughput", "240 /min", "throughput_fps", 4),
        ("period", "4 ms", "period_ms", 4),
        ("energy", "4 mJ", "energy_mj_per_frame.total", 4),
        ("power", "4 mW", "power_mw", 4),
    ],
)
def test_each_requirement_is_judged_on_its_metric_in_its_unit(
    name: str, limit: str, metric: str, number: float
) -> None:
    found = verdicts({name: limit})[name]
    assert (found.metric, found.value) == (metric, 5.0)
    assert found.limit == pytest.approx(number)


def test_a_deadline_alone_allows_no_miss() -> None:
    some, none = Estimate(0.01, 0.0, 0.02), Estimate(0.0, 0.0, 0.0)
    assert not verdicts({"deadline": "40 ms"}, deadline_miss_rate=some)["deadline_miss_rate"].met
    assert verdicts({"deadline": "40 ms"}, deadline_miss_rate=none)["deadline_miss_rate"].met


def test_a_deadline_may_be_missed_at_a_declared_rate() -> None:
    rules = {"deadline": "40 ms", "deadline_miss_rate": "1 %"}
    assert verdicts(rules, deadline_miss_rate=Estimate(0.01))["deadline_miss_rate"].met
    assert not verdicts(rules, deadline_miss_rate=Estimate(0.0101))["deadline_miss_rate"].met


def test_without_an_interval_nothing_is_sure() -> None:
    assert verdicts({"p99_latency": "7 ms"}, latency_ms__p99=Estimate(5.0))["p99_latency"].sure is None


def test_what_cannot_be_shown_is_not_met() -> None:
    found = verdicts({"p99_latency": "7 ms"}, latency_ms__p99=Estimate(None))["p99_latency"]
    assert (found.met, found.value, found.sure, found.margin) == (False, None, None, None)


def test_verdicts_of_a_run() -> None:
    # All frames on exit 1: 13.38 ms, one a second.
    exits = {"kind": "fixed", "exit": 1, "accuracy": [0.9, 0.95, 0.97, 0.99]}
    rules = {
        "p99_latency": "13.38 ms",
        "max_latency": "13.37 ms",
        "deadline": "13.38 ms",
        "throughput": "1 fps",
        "accuracy": "90 %",
    }
    result = eesim.run(camera({**FAR_APART, "run.frames": 100, "stream.exits": exits, "requirements": rules}))
    assert {verdict.name: verdict.met for verdict in result.verdicts} == {
        "p99_latency": True,
        "max_latency": False,
        "deadline_miss_rate": True,
        "throughput": True,
        "accuracy": True,
    }
    assert not result.requirements_met
