"""Whole validations of an invented folder whose errors are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.errors import InputError
from eesim.validate.answer import prediction_table, to_dict
from eesim.validate.budget import _scale, budget_sample
from eesim.validate.decisions import decisions, repeats
from eesim.validate.envelope import MEASURED, outside
from eesim.validate.pool import PredictionPool
from eesim.validate.predict import Predictor
from eesim.validate.residuals import residual_rows
from eesim.validate.runs import Clocks, Run, read_runs
from eesim.validate.suites import Prediction, pools, rows_of
from eesim.validate.terms import BY_SUITE, TERMS
from eesim.validate.validation import Validation, validate_runs
from tests.test_docs import FORMATS, keys_after, rows_after
from tests.test_validate.synthetic import board, full_folder, measure, write_pipeline_runs, write_tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measured values are 1/1.02 of what the simulator says."""
    return full_folder(tmp_path_factory.mktemp("measured"), factor=1 / 1.02)


@pytest.fixture(scope="module")
def found(folder: Path) -> Validation:
    return validate_runs(folder, board(), budget_runs=50)


ERROR = {
    ("switch", "time"): 2.0,
    ("switch", "energy"): 2.0,
    ("switch", "power"): 0.0,  # energy over time
    ("pipeline", "period"): 2.0,
    ("pipeline", "latency"): 2.0,
    ("pipeline", "power"): 2.0,
    ("pipeline", "energy"): 4.04,  # power times period
}


def run_of(**changes: Any) -> Run:
    base = Run(
        run_id="r",
        suite="switch",
        graph="alexnet",
        campaign="lw_b",
        order="BL",
        clocks=(Clocks(1_000_000_000, 0), Clocks(800_000_000, 0)),
        hosts=(("G", "B"), ("N", "B")),
        npu_model="",
        pe_hz=(),
        measured={"time": 100.0},
    )
    return replace(base, **changes)


def test_a_known_error_is_found(found: Validation) -> None:
    assert found.not_predicted == []
    for row in found.rows:
        assert row.score.mape_pct == pytest.approx(ERROR[row.suite, row.quantity], abs=1e-4), row
        assert row.score.bias_pct == pytest.approx(ERROR[row.suite, row.quantity], abs=1e-4), row
        assert row.score.spearman == pytest.approx(1)
        assert row.score.top1_regret_pct == pytest.approx(0, abs=1e-6)
    assert [(r.suite, r.graph, r.quantity, r.score.n) for r in found.rows if r.graph == "toy"] == [
        ("switch", "toy", "time", 12),
        ("switch", "toy", "energy", 12),
        ("switch", "toy", "power", 12),
        ("pipeline", "toy", "period", 12),
        ("pipeline", "toy", "latency", 12),
        ("pipeline", "toy", "energy", 12),
        ("pipeline", "toy", "power", 12),
    ]


def test_parts_are_parts(found: Validation) -> None:
    assert {row.score.n for row in found.single_pe} == {4}
    assert [(row.suite, row.score.n) for row in found.npu if row.quantity == "period"] == [("pipeline", 2)] * 3
    by_pe = {pe: row.score.n for pe, row in found.bottlenecks if row.quantity == "period"}
    assert sum(by_pe.values()) == 12
    assert by_pe["B"] >= 2


def test_json_is_the_contract(found: Validation) -> None:
    data = json.loads(json.dumps(to_dict(found), allow_nan=False))
    assert list(data) == keys_after("validate")
    assert list(data["suites"][0]) == keys_after("validation scores")
    assert list(data["error_budget"][0]) == keys_after("error budget")
    meanings = {row[0].strip("`"): row[1] for row in rows_after(FORMATS, "<!-- keys: validate -->")[1:]}
    for key in ("residuals", "decisions", "outside"):
        for name in data[key][0]:
            assert f"`{name}`" in meanings[key], (key, name)
    assert data["bottlenecks"][0]["slowest_pe"] in "BLGN"
    assert {row["suite"] for row in data["suites"]} == {"switch", "pipeline"}
    for name in ("inputs_sha256", "parts_sha256", "eesim", "measurements", "engine"):
        assert name in data["provenance"]


def test_columns_of_the_predictions_are_described(found: Validation) -> None:
    table = prediction_table(found)
    text = FORMATS.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| `predictions.parquet`")]
    for name in table.columns:
        assert f"`{name}`" in line, name
    assert len(table) == 12 * 3 + 12 * 4
    for (suite, quantity), rows in table.groupby(["suite", "quantity"]):
        assert rows["error_pct"].to_numpy() == pytest.approx(ERROR[suite, quantity], abs=1e-4)
    terms = json.loads(table.iloc[0]["terms_ms"])
    own = table[(table["run_id"] == table.iloc[0]["run_id"]) & (table["quantity"] == "time")]
    assert sum(terms.values()) == pytest.approx(own["predicted"].iloc[0])


def test_engines_give_the_same_predictions(folder: Path) -> None:
    runs = read_runs(folder)
    fast, slow = (Predictor(folder, board(), engine=engine) for engine in ("compiled", "reference"))
    for run in runs:
        assert fast.predict(run).values == slow.predict(run).values, run.run_id


def test_workers_do_not_matter(folder: Path) -> None:
    runs = read_runs(folder)
    with PredictionPool(folder, board(), runs, 1) as one:
        alone = one.predict(off=["cold_start"])
    with PredictionPool(folder, board(), runs, 2) as two:
        seen: list[int] = []
        assert [p.values for p in two.predict(off=["cold_start"], progress=seen.append)] == [p.values for p in alone]
    assert sum(seen) == len(runs)


def test_problems_cross_from_workers(folder: Path, tmp_path: Path) -> None:
    runs = read_runs(folder)
    with PredictionPool(tmp_path, board(), runs, 2) as pool, pytest.raises(InputError, match="no such file") as error:
        pool.predict()
    assert all(problem.source for problem in error.value.problems)


def test_a_term_switched_off_is_seen(folder: Path) -> None:
    off = validate_runs(folder, board(), off=["cold_start", "input"], budget_runs=0)
    (row,) = [r for r in off.rows if (r.suite, r.graph, r.quantity) == ("switch", "all", "time")]
    assert row.score.mape_pct > 3
    assert off.off == ("cold_start", "input")
    assert off.budget == ()


def test_misspelt_terms(folder: Path) -> None:
    with pytest.raises(InputError, match=r"--off: cold_strat: is no physical term .*did you mean cold_start"):
        validate_runs(folder, board(), off=["cold_strat"])


def test_every_term_can_be_switched_off_and_does_something(found: Validation) -> None:
    assert set(BY_SUITE["switch"]) | set(BY_SUITE["pipeline"]) == set(TERMS)
    for suite, terms in BY_SUITE.items():
        changed = {row.term for row in found.budget if row.suite == suite and row.n_touched}
        # No run of the invented folder uses the NPU in switch mode.
        assert changed == set(terms) - {"npu_fusing"}, suite


def test_budget_finds_a_term_that_is_wrong(tmp_path: Path) -> None:
    truth = board()
    full_folder(tmp_path, truth)
    switch = truth.runtimes.switch
    assert switch is not None
    halved = {
        pe: law.model_copy(
            update={
                "cold": law.cold.model_copy(update={"value": law.cold.value / 2}),
                "kernel": law.kernel.model_copy(update={"value": law.kernel.value / 2}),
            }
        )
        for pe, law in switch.pes.items()
    }
    runtimes = truth.runtimes.model_copy(update={"switch": switch.model_copy(update={"pes": halved})})
    found = validate_runs(tmp_path, truth.model_copy(update={"runtimes": runtimes}), budget_runs=50)
    (row,) = [
        r for r in found.budget if (r.suite, r.graph, r.quantity, r.term) == ("switch", "all", "time", "cold_start")
    ]
    assert row.scale == pytest.approx(2, abs=0.02)
    assert row.scale_low <= row.scale <= row.scale_high
    assert row.mape_off_pct > row.mape_pct > 1
    assert row.share_pct > 1


def test_slope_is_the_closed_form() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    scale, low, high = _scale(x, 5 + 0.25 * x, np.arange(4), 1)
    assert (scale, low, high) == pytest.approx((1.25, 1.25, 1.25))
    assert np.isnan(_scale(np.full(4, 2.0), x, np.arange(4), 1)).all()
    noisy = _scale(x, x + np.array([0.5, -0.5, -0.5, 0.5]), np.arange(4), 1)
    assert noisy[0] == pytest.approx(2)
    assert noisy[1] < 2 < noisy[2]


def test_sample_is_whole_orders_and_seeded(found: Validation) -> None:
    runs, predictions = found.runs, found.predictions
    chosen = budget_sample(runs, predictions, 4, 1)
    assert chosen == budget_sample(runs, predictions, 4, 1)
    kept = {(runs[i].suite, runs[i].order) for i in chosen}
    assert sorted(i for i, run in enumerate(runs) if (run.suite, run.order) in kept) == chosen
    assert budget_sample(runs, predictions, 0, 1) == []


def test_pools() -> None:
    found = pools(["yolov3", "alexnet", "googlenet", "alexnet"])
    assert found == {
        "alexnet": ("alexnet",),
        "googlenet": ("googlenet",),
        "yolov3": ("yolov3",),
        "cnn": ("alexnet", "googlenet"),
        "all": ("alexnet", "googlenet", "yolov3"),
    }
    assert "cnn" not in pools(["yolov3"])


def test_regret_of_a_pool_is_the_mean_over_its_choices() -> None:
    runs = [run_of(graph=graph, order=order, measured={"time": time}) for graph, order, time in CHOICES]
    predictions = [Prediction(values={"time": time}) for time in (1.0, 2.0, 100.0, 99.0)]
    scores = {row.graph: row.score for row in rows_of(runs, predictions)}
    means = {graph: score.top1_regret_pct for graph, score in scores.items()}
    assert means == pytest.approx({"alexnet": 0, "googlenet": 10, "cnn": 5, "all": 5})
    worst = {graph: score.worst_top1_regret_pct for graph, score in scores.items()}
    assert worst == pytest.approx({"alexnet": 0, "googlenet": 10, "cnn": 10, "all": 10})


CHOICES = (("alexnet", "BL", 10.0), ("alexnet", "LB", 20.0), ("googlenet", "BL", 100.0), ("googlenet", "LB", 110.0))


def test_decisions_by_hand() -> None:
    fast, slow = (Clocks(1_000_000_000, 0),) * 2, (Clocks(500_000_000, 0),) * 2
    setup = [
        ("BB", fast, 10.0, 1.0),
        ("BB", fast, 12.0, 1.0),  # a repeat: the configuration is 11
        ("BB", slow, 10.0, 2.0),
        ("LL", fast, 20.0, 4.0),
        ("LL", slow, 18.0, 5.0),
    ]
    runs = [run_of(order=o, clocks=c, measured={"time": m}) for o, c, m, _ in setup]
    predictions = [Prediction(values={"time": p}) for *_, p in setup]
    by = {d.choice: d for d in decisions(runs, predictions)}
    clocks = by["clocks_of_an_order"]
    assert (clocks.choices, clocks.alternatives) == (2, 2)
    assert clocks.mean_regret_pct == pytest.approx((10 + 100 / 9) / 2)
    assert clocks.worst_regret_pct == pytest.approx(100 / 9)
    assert clocks.random_regret_pct == pytest.approx((5 + 100 / 18) / 2)
    assert by["any"].mean_regret_pct == pytest.approx(10)
    # B and L never have the same clock setting: there is no choice of orders.
    assert "order_at_given_clocks" not in by
    (spread,) = [r for r in repeats(runs) if r.quantity == "time"]
    assert (spread.configurations, spread.runs) == (1, 2)
    assert spread.spread_pct == pytest.approx(100 / 11 * np.sqrt(2))


def test_orders_compete_at_equal_clocks() -> None:
    clock = {"B": Clocks(1_000_000_000, 0), "L": Clocks(800_000_000, 0)}
    orders = (("BL", 10.0, 2.0), ("LB", 8.0, 3.0))
    runs = [run_of(order=o, clocks=tuple(clock[pe] for pe in o), measured={"time": m}) for o, m, _ in orders]
    by = {d.choice: d for d in decisions(runs, [Prediction(values={"time": p}) for *_, p in orders])}
    assert by["order_at_given_clocks"].mean_regret_pct == pytest.approx(25)


def test_residuals_by_hand() -> None:
    runs = [run_of(order=order, measured={"time": 100.0}) for order in ("BB", "BL", "BL", "LB")]
    predictions = [Prediction(values={"time": time}, slowest="B") for time in (100.0, 110.0, 90.0, 130.0)]
    rows = {(row.feature, row.level): row for row in residual_rows(runs, predictions)}
    assert rows["PE changes", "0"].mape_pct == 0
    one = rows["PE changes", "1"]
    assert (one.n, one.bias_pct, one.median_pct, one.mape_pct) == pytest.approx((3, 10, 10, 50 / 3))
    assert rows["slowest PE", "B"].n == 4
    assert rows["campaign", "lw_b"].n == 4
    assert not [name for name, _ in rows if name == "mean utilisation"]


def test_outside_by_reason() -> None:
    own = board()
    assert outside(run_of(), own) == ()
    many = "BL" * 4
    clocks = (Clocks(1_000_000_000, 0), Clocks(800_000_000, 0)) * 4
    assert outside(run_of(order=many, clocks=clocks), own) == ("more subgraphs than measured (7)",)
    npu = run_of(
        order="BN", clocks=(Clocks(1_000_000_000, 0), Clocks(0, 1_000_000_000)), hosts=(("G", "B"), ("N", "L"))
    )
    assert outside(npu, own) == ("NPU laws of another network", "L at a clock that the board does not state")
    gpu = run_of(order="GB", clocks=(Clocks(400_000_000, 800_000_000), Clocks(500_000_000, 0)), hosts=(("G", "L"),))
    assert outside(gpu, own) == ("G was never measured with its host on L",)
    clock = run_of(clocks=(Clocks(1_111_000_000, 0), Clocks(800_000_000, 0)))
    assert outside(clock, own) == ("B at a clock that the board does not state",)
    alone = run_of(suite="pipeline", order="BB", clocks=(Clocks(500_000_000, 0),) * 2)
    assert outside(alone, own) == ()
    assert outside(replace(alone, order="BL"), own)[0] == "terms between stages of other networks"
    assert outside(replace(alone, graph="yolov3"), own) == (
        "the pipeline runtime's terms were fitted to other networks",
    )
    assert outside(run_of(graph="mine"), own) == ("the switch runtime's terms were fitted to other networks",)
    assert set(MEASURED) == {"switch", "pipeline"}


def test_what_cannot_be_predicted_is_counted(folder: Path, tmp_path: Path) -> None:
    full_folder(tmp_path)
    path = tmp_path / "switch_runs_a.csv"
    table = pd.read_csv(path, keep_default_na=False)
    table.loc[0, "graph"] = "other"
    table.loc[1, "order"], table.loc[1, "freq_indices"] = "BBBB", "0-0-0-0"
    table.loc[2, "campaign"] = "new"
    table.loc[3, "npu_model"] = "fp16_or_unquantized"
    table.to_csv(path, index=False)
    found = validate_runs(tmp_path, board(), budget_runs=0)
    assert sorted(found.not_predicted) == [
        ("switch", "other", "no layer shapes of other", 1),
        ("switch", "toy", "4 parts, but the tables have 3 layers", 1),
        ("switch", "toy", "no layer table of toy in campaign new", 1),
        ("switch", "toy", "the NPU's tables are of quantised models", 1),
    ]
    assert to_dict(found)["predicted"] == 20


def test_googlenet_is_cut_into_its_parts(tmp_path: Path) -> None:
    write_tables(tmp_path, ["googlenet"])
    write_pipeline_runs(tmp_path, graph="googlenet")
    path = tmp_path / "pipeline_runs_a.csv"
    table = pd.read_csv(path)
    table = table[table["order"].isin(["BBB", "LBB"])]
    table["order"] = table["order"].map({"BBB": "B" * 13, "LBB": "LL" + "B" * 11})
    table.to_csv(path, index=False)
    measure(tmp_path, board())
    predictor = Predictor(tmp_path, board(), off=["profiling"])
    run = next(r for r in read_runs(tmp_path) if r.run_id == "pLBB1")
    chain = predictor.chain(run)
    times = [chain.source.layer(i, "B", 1_000_000_000, 0) for i in range(13)]
    whole = chain.source.layers.layer(1, "B", 1_000_000_000, 0)  # type: ignore[attr-defined]
    # conv2 is cut by its kernels' times, 1 and 2 ms; the classifier after two of 3, 4, 5, 6 ms.
    assert [times[i].time_ns / whole.time_ns for i in (1, 2)] == pytest.approx([1 / 3, 2 / 3])  # type: ignore[union-attr]
    assert times[11].time_ns / times[12].time_ns == pytest.approx(7 / 11)  # type: ignore[union-attr]
    assert chain.layers.output_bytes[1] == 4 * 50000
    found = validate_runs(tmp_path, board(), budget_runs=0)
    assert found.not_predicted == []
    assert {row.graph for row in found.rows} == {"googlenet", "cnn", "all"}
    assert found.outside == []


def test_public_name() -> None:
    assert eesim.validate_runs is validate_runs
    assert eesim.Validation is Validation


def test_changes_need_a_file(folder: Path) -> None:
    with pytest.raises(ValueError, match="board's file"):
        validate_runs(folder, board(), changes=["base_power.value=1W"])
