"""Loss of one server with a finite queue: closed forms against each other, and the simulator against them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import eesim
from eesim.metrics.queueing import during_deterministic, during_lognormal, exact_loss_ratio, loss_ratio
from tests.scenarios import ORIGIN

LOADS = (0.3, 0.8, 0.999999, 1.0, 1.000001, 1.3, 4.0)


def mm1k(load: float, capacity: int) -> float:
    """Share of time in which an M/M/1/K system is full: birth and death, term by term."""
    return load**capacity / math.fsum(load**k for k in range(capacity + 1))


def during_exponential(load: float, count: int) -> list[float]:
    return [(1 / (1 + load)) * (load / (1 + load)) ** k for k in range(count)]


# -- formulas -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("capacity", [1, 2, 7, 40])
def test_exponential_service_is_mm1k(load: float, capacity: int) -> None:
    assert loss_ratio(load, capacity) == pytest.approx(mm1k(load, capacity), rel=1e-9)
    exact = exact_loss_ratio(load, capacity, during_exponential(load, capacity))
    assert exact == pytest.approx(mm1k(load, capacity), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("scv", [0.0, 0.3, 1.0, 4.0])
def test_without_a_queue_service_does_not_matter(load: float, scv: float) -> None:
    if math.sqrt(load) * (1 - scv) < 2:
        assert loss_ratio(load, 1, scv) == pytest.approx(load / (1 + load), rel=1e-9)
    assert exact_loss_ratio(load, 1, []) == pytest.approx(load / (1 + load), rel=1e-12)


@pytest.mark.parametrize("load", [0.2, 0.7, 0.95, 1.1, 2.5])
@pytest.mark.parametrize("capacity", [1, 3, 10])
@pytest.mark.parametrize("scv", [0.0, 0.5, 2.0])
def test_it_is_the_formula_as_published(load: float, capacity: int, scv: float) -> None:
    r = math.sqrt(load)
    first = load ** ((r * scv - r + 2 * capacity) / (2 + r * scv - r))
    second = load ** (2 * (1 + r * scv - r + capacity) / (2 + r * scv - r)) - 1
    assert loss_ratio(load, capacity, scv) == pytest.approx(first * (load - 1) / second, rel=1e-9)


@pytest.mark.parametrize("scv", [0.0, 0.5, 3.0])
def test_the_limit_at_load_1(scv: float) -> None:
    limit = (1 + scv) / (2 * (10 + scv))
    assert loss_ratio(1.0, 10, scv) == pytest.approx(limit, rel=1e-12)
    for load in (1 - 1e-9, 1 + 1e-9):
        assert loss_ratio(load, 10, scv) == pytest.approx(limit, rel=1e-7)


def test_far_ends() -> None:
    assert loss_ratio(0.0, 5) == 0
    assert loss_ratio(1e6, 10**6) == pytest.approx(1 - 1e-6)
    assert loss_ratio(0.5, 10**6) == 0


@pytest.mark.parametrize(
    ("load", "capacity", "scv"),
    [(-0.1, 5, 1), (0.5, 0.5, 1), (0.5, 5, -1), (math.nan, 5, 1), (4.0, 5, 0), (9.0, 5, 0.2), (0.5, math.inf, 1)],
)
def test_where_there_is_no_value(load: float, capacity: float, scv: float) -> None:
    with pytest.raises(ValueError, match=r"out of range|no value"):
        loss_ratio(load, capacity, scv)


def test_one_place_in_the_queue_with_deterministic_service() -> None:
    """M/D/1/2 by hand: a departure leaves the system empty with probability pi_0 = e^-rho."""
    load = 0.7
    found = exact_loss_ratio(load, 2, during_deterministic(load, 2))
    assert found == pytest.approx(1 - 1 / (math.exp(-load) + load), rel=1e-12)


def test_arrivals_during_lognormal_service() -> None:
    probabilities = during_lognormal(0.8, 0.5, 60)
    k = np.arange(60)
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    assert probabilities @ k == pytest.approx(0.8, rel=1e-6)
    # Variance: that of a Poisson number, and that of its mean.
    assert probabilities @ (k - 0.8) ** 2 == pytest.approx(0.8 + (0.8 * 0.5) ** 2, rel=1e-6)
    assert during_lognormal(0.8, 1e-6, 9) == pytest.approx(during_deterministic(0.8, 9), rel=1e-6)


# -- the simulator --------------------------------------------------------------------------------------------

PE = {
    "kind": "cpu",
    "opps": {"origin": ORIGIN, "power_origin": ORIGIN, "table": [{"frequency": "1 GHz", "active_power": "0 W"}]},
    "idle_power": {"value": "0 W", "origin": ORIGIN},
}


def server(tmp_path: Path, load: float, noise: Any, rules: dict[str, Any]) -> Any:
    """Simulate one server with a service time of 1 ms in the mean; the interval is one of 99.9 %."""
    (tmp_path / "one").mkdir()
    board = {
        "eesim": 1,
        "name": "one",
        "base_power": {"value": "0 W", "origin": ORIGIN},
        "pes": {"S": PE},
        "contention": {"origin": ORIGIN},
        "transfers": {"charge": "delay", "charge_origin": ORIGIN},
    }
    network = {"eesim": 1, "name": "job", "origin": ORIGIN, "input": "1 kB"}
    profile = {"eesim": 1, "network": "job", "origin": ORIGIN, "times": {"all": {"S": "1 ms"}}}
    scenario = {
        "eesim": 1,
        "board": "one",
        "network": "job",
        "profile": "profile.yaml",
        "mapping": {"segments": ["S"]},
        "policy": rules,
        "stream": {
            "arrivals": {"kind": "poisson", "rate": f"{1000 * load} Hz"},
            "exits": {"kind": "fixed", "exit": 1},
            **({} if noise is None else {"noise": noise}),
        },
        "run": {"frames": 100_000, "warmup": 2000, "replications": 10, "confidence": 0.999},
    }
    for name, data in (
        ("one/board.yaml", board),
        ("job.yaml", network | {"segments": [{"name": "all", "exit": "final", "output": "0 B"}]}),
        ("profile.yaml", profile | {"clocks": {"at": {"S": "1 GHz"}, "origin": ORIGIN}}),
        ("scenario.yaml", scenario),
    ):
        (tmp_path / name).write_text(yaml.safe_dump(data), encoding="utf-8")
    return eesim.run(eesim.load(tmp_path / "scenario.yaml")).estimates["drop_rate"]


def in_front(places: int) -> dict[str, Any]:
    return {"frames_in_flight": 1, "queue": {"capacity": places, "full": "drop_newest"}}


def at_the_pe(places: int) -> dict[str, Any]:
    return {"stage_queue": {"capacity": places, "full": "drop_newest"}}


def in_bytes(places: int) -> dict[str, Any]:
    """Memory for the inputs of 1,000 bytes that wait, and the one that is served."""
    return {"stage_queue": {"full": "drop_newest", "pes": {"S": {"bytes": f"{places + 1} kB"}}}}


def test_a_queue_in_bytes_is_one_in_jobs_if_all_are_alike(tmp_path: Path) -> None:
    both = [(tmp_path / name, rules) for name, rules in (("jobs", at_the_pe), ("bytes", in_bytes))]
    for folder, _ in both:
        folder.mkdir()
    jobs, sizes = (server(folder, 0.9, {"kind": "exponential"}, rules(3)) for folder, rules in both)
    assert jobs == sizes
    assert jobs.value > 0.1


@pytest.mark.parametrize("rules", [in_front, at_the_pe])
@pytest.mark.parametrize(("load", "places"), [(0.6, 2), (0.9, 4), (1.0, 9), (1.4, 0)])
def test_the_simulator_loses_what_mm1k_loses(tmp_path: Path, rules: Any, load: float, places: int) -> None:
    found = server(tmp_path, load, {"kind": "exponential"}, rules(places))
    wanted = loss_ratio(load, places + 1)
    assert found.ci_low <= wanted <= found.ci_high
    assert found.ci_high - found.ci_low < 0.1 * wanted, "the interval says something"


@pytest.mark.parametrize(("load", "places", "cv"), [(0.9, 4, 0.0), (0.9, 4, 0.5), (0.9, 4, 2.0), (1.2, 9, 0.5)])
def test_the_simulator_loses_what_mg1k_loses(tmp_path: Path, load: float, places: int, cv: float) -> None:
    """Against the exact solution; the formula of two moments is near it for steady service, and not for erratic one."""
    noise = {"kind": "lognormal", "cv": cv} if cv else None
    found = server(tmp_path, load, noise, in_front(places))
    during = during_lognormal(load, cv, places + 1) if cv else during_deterministic(load, places + 1)
    exact = exact_loss_ratio(load, places + 1, during)
    assert found.ci_low <= exact <= found.ci_high
    formula = loss_ratio(load, places + 1, cv**2)
    if cv <= 0.5:
        assert 0 < abs(formula / exact - 1) < 0.03
    else:
        assert formula > found.ci_high
        assert formula / exact == pytest.approx(1.26, abs=0.01)
