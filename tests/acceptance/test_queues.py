"""Queues whose answers are known in closed form, in both engines."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from eesim.engine.simulate import ENGINES, EngineName, make_engine
from eesim.plan.plan import FULL_SPEED, EventKind, IntArray, Plan, Status, WhenFull
from tests.plans import Step, build, draws, run, single_server, tandem

WORK = 1_000_000
BATCHES = 20
FRAMES = {"compiled": 200_000, "reference": 20_000}


def random_stream(frames: int, load: float, *, exponential: bool) -> tuple[IntArray, IntArray | None]:
    """Poisson arrivals at ``load`` of one server's rate, and noise on its work."""
    rng = np.random.default_rng(7)
    arrivals = np.cumsum(np.rint(rng.exponential(WORK / load, frames))).astype(np.int64)
    return arrivals, np.rint(rng.exponential(FULL_SPEED, (frames, 1))).astype(np.int64) if exponential else None


def records_of(engine: EngineName, plan: Plan, arrivals: npt.ArrayLike, noise: IntArray | None = None) -> IntArray:
    machine = make_engine(engine, plan)
    run(machine, draws(plan, arrivals, 0, noise))
    records = machine.take_records()
    return records[np.argsort(records[:, 0])]


def agrees(samples: npt.NDArray[np.float64], expected: float, *, precision: float) -> None:
    """Batch means cover the closed form (four standard errors), and are precise enough to mean something."""
    means = samples[: len(samples) // BATCHES * BATCHES].reshape(BATCHES, -1).mean(axis=1)
    error = means.std(ddof=1) / np.sqrt(BATCHES)
    assert abs(means.mean() - expected) < 4 * error
    assert error < precision * expected


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("load", [0.3, 0.7])
@pytest.mark.parametrize("service", ["M", "D"])
def test_time_in_an_m_g_1_queue(engine: EngineName, load: float, service: str) -> None:
    arrivals, noise = random_stream(FRAMES[engine], load, exponential=service == "M")
    records = records_of(engine, single_server(WORK), arrivals, noise)
    # Pollaczek-Khinchine: wait = load / (1 - load) x (1 + cv^2) / 2 x mean service.
    wait = load / (1 - load) * (1 + (service == "M")) / 2 * WORK
    agrees((records[:, 2] - records[:, 1]).astype(float), wait + WORK, precision=0.08)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("places", [1, 2, 5])
@pytest.mark.parametrize("load", [0.8, 1.5])
@pytest.mark.parametrize("where", ["queue", "stage"])
def test_losses_of_an_m_m_1_k_queue(engine: EngineName, places: int, load: float, where: str) -> None:
    arrivals, noise = random_stream(FRAMES[engine], load, exponential=True)
    if where == "queue":
        limits = {"frames_in_flight": 1, "queue_capacity": places - 1, "queue_full": WhenFull.DROP_NEWEST}
    else:
        limits = {"stage_capacity": places - 1, "stage_full": WhenFull.DROP_NEWEST}
    records = records_of(engine, single_server(WORK, **limits), arrivals, noise)
    lost = (records[:, 4] == (Status.DROPPED if where == "queue" else Status.LOST)).astype(float)
    assert set(records[:, 4]) == {Status.ANSWERED, Status.DROPPED if where == "queue" else Status.LOST}
    agrees(lost, (1 - load) * load**places / (1 - load ** (places + 1)), precision=0.05)


def losses_of_m_d_1_k(load: float, places: int) -> float:
    """Share of lost arrivals: solve the chain of the number left behind by departures (Cohen; Gross and Harris, 5.1.8).

    With ``k[j]`` the chance of j arrivals in a service, departures leave ``pi`` behind; the server is busy for a share
    ``1 / (pi[0] + load)`` of the load that is offered.
    """
    k = [np.exp(-load) * load**j / math.factorial(j) for j in range(places)]
    moves = np.zeros((places, places))
    for i in range(places):
        first = max(i - 1, 0)
        for j in range(first, places - 1):
            moves[i, j] = k[j - first]
        moves[i, -1] = 1 - moves[i].sum()
    pi = np.linalg.lstsq(
        np.vstack([moves.T - np.eye(places), np.ones(places)]), np.append(np.zeros(places), 1), rcond=None
    )[0]
    return float(1 - 1 / (pi[0] + load))


def test_the_chain_of_departures_knows_the_queues_without_waiting_places() -> None:
    assert losses_of_m_d_1_k(0.8, 1) == pytest.approx(0.8 / 1.8)  # Erlang's loss formula, any service
    assert losses_of_m_d_1_k(0.5, 40) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("places", [1, 2, 4])
@pytest.mark.parametrize("limit", ["tasks", "bytes"])
def test_losses_of_an_m_d_1_k_queue(engine: EngineName, places: int, limit: str) -> None:
    """K places: K - 1 tasks that wait and the one in service; or memory for K inputs, of which one is served."""
    load = 0.9
    arrivals, _ = random_stream(FRAMES[engine], load, exponential=False)
    limits = {"stage_capacity": places - 1} if limit == "tasks" else {"stage_bytes": 1000 * places + 999}
    plan = build([Step(0, WORK, exit=0, size=1000)], stage_full=WhenFull.DROP_NEWEST, **limits)
    records = records_of(engine, plan, arrivals)
    lost = records[:, 4] == Status.LOST
    assert (records[lost, 10] == 0).all()
    assert (records[~lost, 10] == -1).all()
    agrees(lost.astype(float), losses_of_m_d_1_k(load, places), precision=0.06)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deterministic_line_has_the_period_of_its_slowest_stage(engine: EngineName) -> None:
    works = [30, 70, 50]
    records = records_of(engine, tandem(works), np.zeros(50))
    assert set(np.diff(records[:, 2])) == {max(works)}
    # Frame k waits for k frames at the slowest stage and meets no queue after it.
    np.testing.assert_array_equal(records[:, 2], sum(works) + max(works) * np.arange(50))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("gap", [40, 100, 250])
def test_d_d_1(engine: EngineName, gap: int) -> None:
    records = records_of(engine, single_server(100), gap * np.arange(200))
    np.testing.assert_array_equal(records[:, 2] - records[:, 1], 100 + np.arange(200) * max(100 - gap, 0))


@pytest.mark.parametrize("engine", ENGINES)
def test_littles_law_holds_exactly(engine: EngineName) -> None:
    arrivals, noise = random_stream(3000, 0.9, exponential=True)
    plan = single_server(WORK)
    machine = make_engine(engine, plan, log=True)
    run(machine, draws(plan, arrivals, 0, noise))
    log, records = machine.take_log(), machine.take_records()
    change = (log[:, 1] == EventKind.ARRIVE).astype(np.int64) - (log[:, 1] == EventKind.ANSWER)
    in_system = np.cumsum(change)
    area = int(np.sum(in_system[:-1] * np.diff(log[:, 0])))
    assert area == int(np.sum(records[:, 2] - records[:, 1]))
