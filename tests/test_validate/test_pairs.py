"""Matched pairs of synthetic runs, made with a known slowdown: what goes in comes out."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from eesim.base import FloatArray, IntArray
from eesim.errors import Problem
from eesim.hardware.spec import Board
from eesim.plan.chain import Chain, Cost, Layers
from eesim.scenario.library import find_board
from eesim.spec import validate_document
from eesim.validate.effects import median_effect, while_busy
from eesim.validate.fit import Linear, linearise, solve
from eesim.validate.pairs import (
    Witness,
    clock_pairs,
    configurations,
    host_pairs,
    ratios,
    slowest_in_both,
    witness,
)
from eesim.validate.parameters import with_values
from eesim.validate.predict import Predictor
from eesim.validate.runs import Clocks, Run, order_groups
from eesim.validate.term_profile import alone, among, held, objective
from eesim.yamldoc import load_document

MHZ = 10**6
HOSTED = ("pipeline", "slowdowns", "B", "hosted", "G")
BY_G = ("pipeline", "slowdowns", "B", "by", "G")
COPIES = ("pipeline", "slowdowns", "B", "copies")
TRUTH = {HOSTED: 0.2, BY_G: 0.0, COPIES: 0.0}
CYCLES = {"B": 12e6, "L": 9e6, "G": 4e6}


class Work:
    """Layers of so many cycles each."""

    campaign = ""

    def layer(self, layer: int, pe: str, clock_hz: int, _host_hz: int) -> Cost | None:
        return Cost(CYCLES[pe] * (1 + layer % 3) * 1e9 / clock_hz, float("nan"))

    def input(self, *_: object) -> Cost | None:
        return None


class Bench(Predictor):
    """Predicts runs of made-up layers."""

    def chain(self, run: Run) -> Chain:
        n = len(run.order)
        layers = Layers(
            tuple(f"l{i}" for i in range(n)),
            100_000,
            (100_000,) * n,
            tuple((i - 1,) if i else () for i in range(n)),
            (1,) * n,
            frozenset(),
        )
        own, host = (tuple(clock[k] for clock in run.clocks) for k in (0, 1))
        pes, hosts, hz = tuple(run.order), dict(run.hosts), dict(run.pe_hz)
        return Chain(self.board, layers, Work(), pes, own, host, hosts, hz, self.off)


@pytest.fixture(scope="module")
def bench() -> Bench:
    document = load_document(find_board("rk3399pro", Path(), Problem("", 0, "", "")))
    return Bench(Path("nowhere"), with_values(validate_document(Board, document), TRUTH))


def run_of(order: str, hz: dict[str, int], host: str, period: float = 1.0) -> Run:
    hosts = (("G", host), ("N", "B"))
    clocks = tuple(Clocks(hz[pe], hz[host] if pe == "G" else 0) for pe in order)
    return Run("", "pipeline", "made up", "", order, clocks, hosts, "", tuple(sorted(hz.items())), {"period": period})


@pytest.fixture(scope="module")
def runs(bench: Bench) -> list[Run]:
    """Every order and clock with the driver thread on L and on B, timed with the slowdown in them."""
    orders = ("LBBBBGGG", "LBBBBBGG", "LBBBGGGG", "LLBBBBBG", "LLLBBBBB")
    found = []
    for order, b, g, host in product(orders, (600, 1008), (200, 400, 800), "LB"):
        run = run_of(order, {"L": 1416 * MHZ, "B": b * MHZ, "G": g * MHZ, "N": 0}, host)
        values = bench.predict(run).values
        found.append(replace(run, measured={"period": values["period"], "latency": values["latency"]}))
    return configurations(found)


def matched(bench: Bench, runs: list[Run], with_gpu: bool) -> tuple[FloatArray, FloatArray, IntArray]:
    seen = [witness(bench, run) for run in runs]
    pairs = slowest_in_both(host_pairs(runs, "G", "B"), seen, "B", 0.1)
    pairs = [pair for pair in pairs if ("G" in runs[pair.more].order) == with_gpu]
    periods = np.array([run.measured["period"] for run in runs])
    share = np.array([seen[pair.more].load("G") for pair in pairs])  # type: ignore[union-attr]
    return ratios(pairs, periods), share, order_groups(runs[pair.more] for pair in pairs)


def test_a_known_slowdown_comes_back(bench: Bench, runs: list[Run]) -> None:
    ratio, share, groups = matched(bench, runs, with_gpu=True)
    assert len(ratio) > 12
    assert share.min() < 0.3
    assert share.max() > 0.5
    # The harness's ten frames are all that is timed, so that an order is only nearly as slowed as its share says.
    found = while_busy(ratio, share, groups)
    assert found.value == pytest.approx(0.2, abs=0.015)
    mean = median_effect(ratio, groups)
    assert 0.02 < mean.value < 0.2
    assert (mean.pairs, mean.orders) == (len(ratio), len(np.unique(groups)))


def test_a_placebo_has_no_effect(bench: Bench, runs: list[Run]) -> None:
    ratio, share, groups = matched(bench, runs, with_gpu=False)
    assert len(ratio) == 6
    assert median_effect(ratio, groups).value == 0
    with pytest.raises(ValueError, match="nothing was busy"):
        while_busy(ratio, share, groups)


def test_pairs_differ_in_one_thing_only(bench: Bench, runs: list[Run]) -> None:
    for pair in host_pairs(runs, "G", "B"):
        less, more = runs[pair.less], runs[pair.more]
        assert (less.order, less.pe_hz) == (more.order, more.pe_hz)
        assert (dict(less.hosts)["G"], dict(more.hosts)["G"]) == ("L", "B")
    seen = [witness(bench, run) for run in runs]
    pairs = clock_pairs(runs, "G", seen, 0.1)
    assert pairs
    for pair in pairs:
        less, more = runs[pair.less], runs[pair.more]
        assert (less.order, less.hosts) == (more.order, more.hosts)
        assert {pe for pe, hz in less.pe_hz if dict(more.pe_hz)[pe] != hz} == {"G"}
        a, b = seen[pair.less], seen[pair.more]
        assert a is not None
        assert b is not None
        assert b.load("G") - a.load("G") >= 0.1


def test_repeats_of_a_configuration_are_one() -> None:
    hz = {"L": 1, "B": 2, "G": 3, "N": 0}
    same = [replace(run_of("BG", hz, "B"), measured={"period": p, "latency": 1.0}) for p in (10.0, 14.0)]
    front = run_of("BG", hz, "B", 99.0)
    assert [run.measured["period"] for run in configurations([*same, front])] == [12.0]


def test_only_the_clear_bottleneck_counts() -> None:
    hz = {"L": 1, "B": 2, "G": 3, "N": 0}
    pairs = host_pairs([run_of("BG", hz, host) for host in "LB"], "G", "B")
    clear, close, other = Witness("B", 0.2, {}), Witness("B", 0.05, {}), Witness("G", 0.9, {})
    assert len(slowest_in_both(pairs, [clear, clear], "B", 0.1)) == 1
    for second in (close, other, None):
        assert slowest_in_both(pairs, [clear, second], "B", 0.1) == []


def test_repeats_of_an_order_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(1)
    orders = rng.normal(1.05, 0.03, 12)
    once = median_effect(orders, np.arange(12))
    often = median_effect(np.repeat(orders, 50), np.repeat(np.arange(12), 50))
    assert often.pairs == 600
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=0.005)
    independent = median_effect(np.repeat(orders, 50), np.arange(600))
    assert independent.high - independent.low < 0.5 * (often.high - often.low)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        orders = rng.normal(0, 0.02, 25)
        ratio = 1.03 + np.repeat(orders, 4) + rng.normal(0, 0.01, 100)
        found = median_effect(ratio, np.repeat(np.arange(25), 4))
        inside += found.low <= 0.03 <= found.high
    assert 180 <= inside <= 199


def test_one_order_has_no_interval() -> None:
    found = median_effect(np.array([1.0, 1.1, 1.2]), np.zeros(3, np.int64))
    assert found.value == pytest.approx(0.1)
    assert np.isnan([found.low, found.high]).all()
    with pytest.raises(ValueError, match="needs pairs"):
        median_effect(np.array([]), np.array([], np.int64))


def test_an_outlier_does_not_bend_the_slope() -> None:
    share = np.tile(np.linspace(0.1, 0.9, 9), 6)
    ratio = 1 / (1 - share * 0.1 / 1.1)
    ratio[5] = 3.0
    assert while_busy(ratio, share, np.arange(54)).value == pytest.approx(0.1, abs=0.01)


def test_the_term_is_found_through_the_simulator(bench: Bench, runs: list[Run]) -> None:
    """From the ratios alone, starting far off."""
    seen = [witness(bench, run) for run in runs]
    pairs = slowest_in_both(host_pairs(runs, "G", "B"), seen, "B", 0.1)
    periods = np.array([run.measured["period"] for run in runs])

    def model(at: FloatArray) -> FloatArray:
        moved = Bench(Path("nowhere"), with_values(bench.board, {HOSTED: float(at[0])}))
        return ratios(pairs, np.array([moved.predict(run).values["period"] for run in runs]))

    values = np.array([0.6])
    for _ in range(4):
        groups = order_groups(runs[pair.more] for pair in pairs)
        linear = linearise(model, values, ratios(pairs, periods), groups, np.ones(len(pairs)))
        values = solve(linear, np.array([np.inf]))
    assert values[0] == pytest.approx(0.2, abs=0.01)


def two_terms() -> Linear:
    """A term that the data tell, and one whose column is nearly the first's."""
    rng = np.random.default_rng(3)
    a = rng.uniform(0, 1, 300)
    slope = np.stack([a, a + rng.normal(0, 0.01, 300)], axis=1)
    measured = 1 + slope @ [0.1, 0.2] + rng.normal(0, 0.002, 300)
    return Linear(np.zeros(2), np.ones(300), slope, measured, np.arange(300) // 3, np.ones(300))


def test_other_terms_make_up_for_one_that_is_held() -> None:
    linear = two_terms()
    best = solve(linear, np.full(2, np.inf))
    values = held(linear, 0, 0.0)
    assert values[0] == 0
    assert values[1] == pytest.approx(best.sum(), abs=0.01)
    at_best = objective(linear.predicted(best), linear.measured)
    assert at_best <= objective(linear.predicted(values), linear.measured)
    nothing = objective(linear.predicted(np.zeros(2)), linear.measured)
    assert objective(linear.predicted(values), linear.measured) < nothing
    kept, both = alone(linear, 0, 1, 40), among(linear, 0, 1, 40)
    assert kept.value == pytest.approx(0.3, abs=0.01)
    assert kept.high - kept.low < 0.2 * (both.high - both.low)


def test_a_term_that_starts_at_0_is_fitted_all_the_same() -> None:
    x = np.linspace(0.1, 1, 40)
    linear = Linear(np.zeros(1), np.ones(40), x[:, None], 1 + 0.3 * x, np.arange(40), np.ones(40))
    assert solve(linear, np.array([np.inf]))[0] == pytest.approx(0.3, abs=1e-6)
    assert solve(linear, np.array([0.2]))[0] == pytest.approx(0.2, abs=1e-6)
