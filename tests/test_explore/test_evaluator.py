"""Metrics, objectives and violations of genomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eesim.engine import candidate_runs as cr
from eesim.explore.ga_py import ga_py_fitness
from eesim.explore.objectives import IMPOSSIBLE, OBJECTIVES, Limit
from tests.scenarios import FAR_APART
from tests.test_explore.spaces import (
    ANYWHERE,
    BUSY,
    ISSUE,
    RICH,
    Explored,
    camera_space,
    issue_space,
    letters,
    simulated,
)

WAITING = {"preset": "cooperative", "speculation": "blocking", "merge_order": "exit_first"}
LATENCIES = ("mean", "p50", "p90", "p95", "p99", "max")


# -- single frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "explore",
    [
        {"segments": ANYWHERE},
        {"segments": ANYWHERE, "exits": "any", "opp": {"B": "all"}, "policy": ["cooperative", "sequential", WAITING]},
    ],
)
@pytest.mark.parametrize("physics", [False, True])
def test_single_frames_say_what_the_simulation_says_where_frames_never_meet(
    explore: dict[str, Any], physics: bool
) -> None:
    changes = {**FAR_APART, "physics.transfers": physics, "physics.contention": physics}
    constraints = {"deadline": "20 ms", "deadline_miss_rate": 1}
    found = camera_space(changes, {**explore, "frames": 10_000, "constraints": constraints})
    genomes = found.at_random(12)
    alone = found.evaluator.metrics(genomes)
    stream = simulated(found, genomes)
    assert (alone["exact"] == 1).all()
    assert (stream["exact"] == 0).all()
    for name in [*(f"latency_ms.{name}" for name in LATENCIES), "deadline_miss_rate", "drop_rate"]:
        np.testing.assert_allclose(alone[name], stream[name], rtol=1e-12, err_msg=name)
    assert alone["deadline_miss_rate"].max() > 0
    # The stream's last frame ends the run: one period in ten thousand is cut short.
    for name in ("period_ms", "throughput_fps", "energy_mj_per_frame.total", "power_mw"):
        np.testing.assert_allclose(alone[name], stream[name], rtol=3e-4, err_msg=name)


def test_frames_that_may_meet_are_simulated() -> None:
    # The slowest frames of LLLLLLL take longer than the period; those of BGLGLGL do not.
    found = camera_space({**FAR_APART, "stream.arrivals.rate": "25 Hz", "run.frames": 200}, ISSUE)
    genomes = found.everything()
    metrics = found.evaluator.metrics(genomes)
    exact = metrics["exact"] == 1
    assert 0 < exact.sum() < len(exact)
    assert found.evaluator.by_single_frames == exact.sum()
    assert found.evaluator.simulated == (~exact).sum()


def test_jitter_brings_frames_together() -> None:
    still, shaken = (
        camera_space({**FAR_APART, "stream.arrivals": {"kind": "periodic", "rate": "20 Hz", **jitter}}, ISSUE)
        for jitter in ({}, {"jitter": "15 ms"})
    )
    exact = [found.evaluator.metrics(found.everything())["exact"].sum() for found in (still, shaken)]
    assert exact[0] > exact[1] > 0


# -- threads ------------------------------------------------------------------------------------------------


def test_threads_do_not_matter() -> None:
    one, three = (camera_space(BUSY, RICH, threads=threads) for threads in (1, 3))
    genomes = one.at_random(300)
    a, b = one.evaluator.metrics(genomes), three.evaluator.metrics(genomes)
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name], err_msg=name)


def test_a_genome_has_the_same_metrics_in_any_company() -> None:
    found = camera_space(BUSY, RICH)
    genomes = found.at_random(100)
    together = found.evaluator.metrics(genomes)
    for i in (0, 50, 99):
        alone = found.evaluator.metrics(genomes[i : i + 1])
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][i], err_msg=name)


# -- stopping early -----------------------------------------------------------------------------------------

DROPPING = {
    **BUSY,
    "stream.arrivals.rate": "45 Hz",
    "run.frames": 400,
    "policy": {"preset": "cooperative", "frames_in_flight": 2, "queue": {"capacity": 1, "full": "drop_newest"}},
}
STRICT: list[dict[str, Any]] = [
    {"worst_latency": "40 ms"},
    {"p99_latency": "60 ms"},
    {"p90_latency": "40 ms", "worst_latency": "90 ms"},
    {"deadline": "40 ms", "deadline_miss_rate": 0.3},
    {"drop_rate": 0.1},
    {"p95_latency": "35 ms", "drop_rate": 0.3},
]


@pytest.mark.parametrize("constraints", STRICT)
def test_only_candidates_that_break_a_constraint_are_stopped_early(constraints: dict[str, Any]) -> None:
    explore = {"segments": ANYWHERE, "frames_in_flight": [1, 2, "unbounded"], "constraints": constraints, "frames": 400}
    found = camera_space(DROPPING, explore)
    genomes = found.at_random(400)
    strict = found.evaluator
    metrics = strict.metrics(genomes)
    stopped = metrics["status"] == cr.STOPPED_EARLY
    assert 0 < stopped.sum() < len(genomes)
    patient = camera_space(DROPPING, {**explore, "constraints": {}})
    patient.evaluator._deadline = strict._deadline
    whole = patient.evaluator.metrics(genomes)
    assert (whole["status"] == cr.SIMULATED).all()
    late = strict.judge(genomes, whole).violations
    early = strict.judge(genomes, metrics).violations
    assert (late[stopped].sum(axis=1) > 0).all()
    assert (early[stopped].sum(axis=1) > 0).all()
    np.testing.assert_array_equal(late[~stopped], early[~stopped])


def allows(found: Explored, name: str, metric: str, limit: float) -> None:
    found.evaluator.limits = (Limit(name, metric, limit, True),)
    found.evaluator.constraint_names = (name, "runs")


@pytest.mark.parametrize(
    ("metric", "changes"),
    [("latency_ms.max", BUSY), ("latency_ms.p99", BUSY), ("drop_rate", DROPPING), ("deadline_miss_rate", DROPPING)],
)
def test_a_candidate_exactly_on_its_limit_is_simulated_to_the_end(metric: str, changes: dict[str, Any]) -> None:
    found = camera_space(changes, {"segments": ANYWHERE, "frames": 300})
    found.evaluator._deadline = 25_000_000
    genomes = found.at_random(150)
    whole = found.evaluator.metrics(genomes)
    assert (whole["status"] == cr.SIMULATED).all()
    assert (whole[metric] > 0).any()
    for i in range(len(genomes)):
        allows(found, "limit", metric, float(whole[metric][i]))
        again = found.evaluator.metrics(genomes[i : i + 1])
        assert again["status"][0] == cr.SIMULATED, (letters(found.space, genomes[i]), whole[metric][i])
        assert found.evaluator.judge(genomes[i : i + 1], again).violations.sum() == 0


# -- constraints and objectives -----------------------------------------------------------------------------


def test_a_violation_is_the_relative_excess() -> None:
    found = issue_space()
    genomes = found.everything()
    metrics, judged = found.evaluator.metrics(genomes), found.evaluator.evaluate(genomes)
    assert found.evaluator.constraint_names == ("worst_latency", "runs")
    np.testing.assert_allclose(judged.violations[:, 0], np.maximum(metrics["latency_ms.max"] / 40 - 1, 0), rtol=1e-12)
    assert (judged.violations[:, 0] == 0).sum() == 852
    np.testing.assert_array_equal(judged.objectives[:, 0], metrics["latency_ms.mean"])


@pytest.mark.parametrize(
    ("limit", "values", "wanted"),
    [
        (Limit("a", "m", 4.0, True), [3.0, 4.0, 5.0, np.nan], [0, 0, 0.25, IMPOSSIBLE]),
        (Limit("a", "m", 4.0, False), [3.0, 4.0, 5.0, np.nan], [0.25, 0, 0, IMPOSSIBLE]),
        (Limit("a", "m", 0.0, True), [0.0, 0.5], [0, 0.5]),
    ],
)
def test_limits_are_ceilings_or_floors(limit: Limit, values: list[float], wanted: list[float]) -> None:
    np.testing.assert_allclose(limit.violation(np.array(values)), wanted)


def test_a_deadline_alone_allows_no_miss() -> None:
    found = issue_space({"constraints": {"deadline": "40 ms"}})
    judged = found.evaluator.evaluate(found.everything())
    assert found.evaluator.constraint_names == ("deadline_miss_rate", "runs")
    assert (judged.violations.sum(axis=1) == 0).sum() == 852


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name not in ("ga_py", "accuracy")])
def test_objectives_are_minimised_in_their_direction(name: str) -> None:
    found = camera_space(BUSY, {"segments": ANYWHERE, "objective": name, "frames": 300})
    genomes = found.at_random(20)
    metric, sign = OBJECTIVES[name]
    values = found.evaluator.metrics(genomes)[metric]
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(found.evaluator.evaluate(genomes).objectives[:, 0], sign * values)
    assert sign == (-1 if name == "throughput" else 1)


def test_accuracy_follows_the_shares_of_the_exits() -> None:
    accuracy = [0.9, 0.8, 0.7, 0.95]
    exits = {"kind": "counts", "counts": [8222, 1015, 294, 469], "accuracy": accuracy}
    found = issue_space({"objective": "accuracy"}, **{"stream.exits": exits})
    values = found.evaluator.evaluate(found.at_random(3)).objectives[:, 0]
    np.testing.assert_allclose(values, -np.dot([0.8222, 0.1015, 0.0294, 0.0469], accuracy))


def test_accuracy_follows_what_disabled_exits_leave_to_the_next() -> None:
    accuracy = [0.5, 0.6, 0.7, 0.95]
    exits = {"kind": "counts", "counts": [8222, 1015, 294, 469], "accuracy": accuracy}
    found = issue_space(
        {"objective": "accuracy", "segments": None, "exits": "any", "frames": 10_000}, **{"stream.exits": exits}
    )
    genomes = found.everything()
    off = next(i for i, genome in enumerate(genomes) if not found.space.choice(genome)["exit.exit1"])
    alone = found.evaluator.metrics(genomes)["accuracy"]
    stream = simulated(found, genomes)["accuracy"]
    assert alone[off] != alone[0]
    np.testing.assert_allclose(alone, stream, rtol=1e-9)


def test_the_published_objective_has_its_published_optimum() -> None:
    found = issue_space({"objective": "ga_py"})
    genomes = found.everything()
    judged = found.evaluator.evaluate(genomes)
    orders = [letters(found.space, genome) for genome in genomes]
    np.testing.assert_array_equal(judged.objectives[:, 0], ga_py_fitness(orders))
    assert orders[int(judged.objectives[:, 0].argmin())] == "BGLGLGL"


def test_candidates_that_cannot_run_are_infeasible() -> None:
    found = issue_space()
    scenario = found.space.scenario
    times = {name: dict(row) for name, row in scenario.profile.times.items()}
    del times["b2"]["G"]
    profile = scenario.profile.model_copy(update={"times": times})
    space = replace(found.space, scenario=replace(scenario, profile=profile))
    evaluator = type(found.evaluator)(space, found.spec, threads=1)
    genomes = found.everything()
    judged = evaluator.evaluate(genomes)
    on_gpu = np.array([letters(space, genome)[2] == "G" for genome in genomes])
    np.testing.assert_array_equal(judged.violations[:, -1] == IMPOSSIBLE, on_gpu)
    assert (judged.violations[~on_gpu, -1] == 0).all()
    assert not np.isnan(judged.objectives).any()
