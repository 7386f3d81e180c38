"""`eesim.thresholds(scenario)` on the digits: costs from the simulator, answers that a run confirms."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.errors import InputError
from eesim.scenario.load import Scenario
from eesim.thresholds.costs import exit_costs, frame_cost
from eesim.thresholds.search import find_thresholds
from tests.scenarios import CAMERA
from tests.test_thresholds.tables import DIGITS, TABLE


def digits(changes: dict[str, Any] | None = None, **section: Any) -> Scenario:
    own = {f"thresholds.{key}": value for key, value in section.items()}
    return eesim.load(DIGITS, {"run.frames": 500, "run.replications": 1, **own, **(changes or {})})


# -- costs ----------------------------------------------------------------------------------------------


def test_costs_are_what_single_frames_take() -> None:
    """Closed forms: one core after the other, times by hand from the profile."""
    found = exit_costs(digits(), "exit_latency")
    us = [38.4 + 6, 38.4 + 6 + 29.867 + 4.267, 38.4 + 6 + 29.867 + 4.267 + 180.907]
    assert found.exits.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.cost, np.array(us) * 1000)
    assert found.original == pytest.approx((38.4 + 29.867 + 180.907) * 1000)
    assert found.worst_latency_ns == found.cost[-1]


def test_energy_is_what_the_cores_draw() -> None:
    found = exit_costs(digits(), "exit_energy")
    uj = [44.4e-3 * 19.143, 44.4e-3 * 19.143 + 34.134e-3 * 31.958]
    np.testing.assert_allclose(found.cost[:2], np.array(uj) * 1e6, atol=0.51)


def test_energy_leaves_out_what_the_board_draws_anyway() -> None:
    changes = {"board.base_power.value": "3 W", "board.pes.F.idle_power.value": "1 W"}
    plain, costly = (exit_costs(digits(c), "exit_energy").cost for c in ({}, changes))
    # While F works it does not idle.
    saved = np.array([0, 34.134, 34.134 + 180.907]) * 1e6
    np.testing.assert_allclose(costly, plain - saved, atol=3)


def test_operations_are_those_that_the_answer_needs() -> None:
    found = exit_costs(digits(), "operations")
    assert found.cost.tolist() == [384 + 60, 384 + 60 + 2240 + 320, 384 + 60 + 2240 + 320 + 13568]
    assert found.original == 384 + 2240 + 13568
    without = exit_costs(digits({"mapping.exits": ["exit2"]}), "operations")
    assert without.cost.tolist() == [384 + 2240 + 320, 384 + 2240 + 320 + 13568]


def test_networks_that_state_no_operations_are_refused() -> None:
    confidences = {"stream.exits": {"kind": "confidences", "path": str(TABLE)}, "mapping.thresholds": 0.5}
    board = {"board": "psoc6", "network": "speech_commands", "mapping.segments": "MMF", "mapping.opp": {}}
    scenario = eesim.load(CAMERA, {**confidences, **board, "policy": "sequential"})
    with pytest.raises(InputError, match="states no macs of front, branch, back"):
        exit_costs(scenario, "operations")


def test_first_confident_exits_answer_as_they_end() -> None:
    policy = {"preset": "cooperative", "exit_order": "first_confident"}
    # With exit 1 on the slow core and all the rest on the fast one, exit 2 is there first.
    slow = {"policy": policy, "mapping.segments": "FMFFF", "board.exclusive": [], "profile": None}
    plain = digits(slow)
    alone = [frame_cost(plain, k) for k in range(3)]
    found = exit_costs(plain, "exit_latency")
    assert [cost.exit for cost in alone] == [0, 1, 2]
    assert found.cost.tolist() == sorted(cost.latency_ns for cost in alone)


# -- searches -------------------------------------------------------------------------------------------


def test_the_answer_keeps_its_promise_in_a_run() -> None:
    """The one evaluator, on the samples that were searched: same accuracy, shares, latency and energy."""
    for cost in ("exit_latency", "exit_energy", "operations"):
        found = find_thresholds(digits({"stream.exits.split": "calibration"}, cost=cost))
        result = found.simulation
        assert result is not None
        assert result.value("accuracy") == pytest.approx(found.calibration.accuracy, abs=1e-12)
        for name, share in zip(found.exits, found.calibration.exit_shares, strict=True):
            assert (result.value(f"exit_share.{name}") or 0) == pytest.approx(share, abs=1e-12)
        metric = {"exit_latency": "latency_ms.mean", "exit_energy": "energy_mj_per_frame.compute"}.get(cost)
        if metric:
            assert result.value(metric) == pytest.approx(found.calibration.cost, rel=1e-6)


def test_no_setting_of_a_grid_is_better() -> None:
    grid = [0.4, 0.55, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0]
    found = find_thresholds(digits(levels=grid, cost="exit_latency", accuracy=0.96), simulate=False)
    assert found.certificate.proven_optimal
    assert found.certificate.space_size == len(grid) ** 2
    costs = []
    for pair in product(grid, repeat=2):
        thresholds = dict(zip(("exit1", "exit2"), pair, strict=True))
        result = eesim.run(digits({"stream.exits.split": "calibration", "mapping.thresholds": thresholds}))
        if (result.value("accuracy") or 0) >= 0.96 - 1e-12:
            costs.append(result.value("latency_ms.mean"))
    assert found.calibration.cost == pytest.approx(min(costs), rel=1e-9)


def test_more_levels_never_cost_more() -> None:
    all_, grid = (find_thresholds(digits(levels=n), simulate=False).calibration for n in ("all", 13))
    assert all_.cost <= grid.cost
    assert all_.accuracy >= 0.96


def test_a_budget_is_kept_and_used() -> None:
    found = find_thresholds(
        digits({"thresholds.accuracy": None}, cost="exit_latency", budget="0.06 ms"), simulate=False
    )
    assert found.goal == "most accuracy"
    assert found.calibration.cost <= 0.06
    assert found.feasible
    table = {accuracy: cost for cost, accuracy, _ in found.front}
    better = [accuracy for accuracy, cost in table.items() if cost <= 0.06]
    assert found.calibration.accuracy == max(better)


def test_thresholds_are_judged_on_samples_that_were_not_searched() -> None:
    found = find_thresholds(digits(), simulate=False)
    assert found.test is not None
    rows = pd.read_csv(TABLE).query("split == 'test'")
    first, second = found.thresholds
    at = np.where(rows["confidence_1"] >= first, 1, np.where(rows["confidence_2"] >= second, 2, 3))
    right = [rows[f"correct_{k}"].to_numpy()[i] for i, k in enumerate(at)]
    assert found.test.accuracy == pytest.approx(np.mean(right), abs=1e-12)
    assert found.test.exit_shares == pytest.approx([np.mean(at == k) for k in (1, 2, 3)])


@pytest.mark.parametrize("factor", [1.0, 2 / 3, 0.5])
def test_correction_lowers_what_was_found(factor: float) -> None:
    section = {"levels": 13, "method": "shortest-path", "weights": {"efficiency": 0.3, "accuracy": 0.7}}
    plain = find_thresholds(digits(**section), simulate=False)
    found = find_thresholds(digits(**section, correction=factor), simulate=False)
    assert found.thresholds == pytest.approx([factor * value for value in plain.thresholds])
    # Lower thresholds: more samples end early, fewer of them rightly.
    assert found.calibration.exit_shares[-1] <= plain.calibration.exit_shares[-1]
    assert found.calibration.cost <= plain.calibration.cost
    assert any("multiplied" in note for note in found.notes) == (factor != 1)


def test_the_published_search_misses_what_it_promises_on_the_digits() -> None:
    weights = {"efficiency": 0.3, "accuracy": 0.7}
    baseline = find_thresholds(digits(weights=weights), simulate=False).baseline
    assert baseline is not None
    assert baseline.nodes == 28
    assert baseline.predicted.accuracy - baseline.actual.accuracy > 0.02
    assert baseline.actual.cost / baseline.predicted.cost > 1.1
    assert baseline.weighted["predicted"] < baseline.weighted["exact"] < baseline.weighted["actual"]
    assert baseline.independence is not None
    assert baseline.independence.settings == 169


def test_a_worst_case_is_a_matter_of_the_mapping() -> None:
    good = find_thresholds(digits(worst_latency="0.26 ms"), simulate=False)
    bad = find_thresholds(digits(worst_latency="0.25 ms"), simulate=False)
    assert good.feasible
    assert not bad.feasible
    assert bad.violations["worst_latency"] == pytest.approx(0.259441 / 0.25 - 1)


def test_a_large_table_is_searched_by_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = find_thresholds(digits(), simulate=False)
    monkeypatch.setattr("eesim.thresholds.search.COUNTED", 1000)
    bounded = find_thresholds(digits(), simulate=False)
    assert bounded.certificate.proven_optimal
    assert bounded.front == ()
    assert bounded.calibration.cost == counted.calibration.cost
    monkeypatch.setattr("eesim.thresholds.boxes.COUNTED", 1000)
    short = find_thresholds(digits(evaluations=2), simulate=False)
    assert short.certificate.kind == "within gap"
    assert short.certificate.lower_bound <= counted.calibration.cost <= short.calibration.cost


def test_under_load_every_setting_is_simulated() -> None:
    load = {"stream.arrivals": {"kind": "poisson", "rate": "10000 Hz"}, "stream.exits.split": "calibration"}
    levels = {"exit1": [0.5, 0.7, 0.9], "exit2": [0.4, 0.8]}
    found = find_thresholds(digits(load, cost="mean_latency", levels=levels, accuracy=0.96))
    assert found.certificate.space_size == 6
    assert found.baseline is None
    best = {}
    for pair in product(*levels.values()):
        thresholds = dict(zip(levels, pair, strict=True))
        result = eesim.run(digits({**load, "mapping.thresholds": thresholds}))
        best[pair] = result.value("latency_ms.mean"), result.value("accuracy")
    feasible = {pair: latency for pair, (latency, accuracy) in best.items() if accuracy >= 0.96}
    assert 0 < len(feasible) < len(best)
    assert found.thresholds == min(feasible, key=lambda pair: feasible[pair])
    assert found.calibration.cost == pytest.approx(min(feasible.values()), rel=1e-12)
    # Frames wait for each other: the mean is above that of frames that come alone.
    alone = find_thresholds(digits(load, levels=[0.5, 0.9], cost="exit_latency"), simulate=False)
    assert found.calibration.cost > alone.calibration.cost


def test_exits_without_confidences_are_refused() -> None:
    with pytest.raises(InputError, match="not on exits of kind counts"):
        find_thresholds(eesim.load(CAMERA))


def test_policies_without_decisions_are_refused() -> None:
    late = {"policy": {"preset": "cooperative", "exit_decision": "none"}}
    with pytest.raises(InputError, match="every frame answers at the final exit"):
        find_thresholds(digits(late))


def test_the_module_is_the_function() -> None:
    assert eesim.thresholds(digits(), simulate=False).thresholds == find_thresholds(digits(), simulate=False).thresholds
