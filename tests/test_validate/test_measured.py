"""The shipped board against the real measurements, where they are; and the pages against the shipped board."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from eesim.provenance import digest
from eesim.report.save_validation import bundle
from eesim.validate.envelope import MEASURED, envelope_of
from eesim.validate.measurements import fingerprint
from eesim.validate.runs import read_runs
from eesim.validate.validation import Validation, validate_runs
from eesim.yamldoc import load_document
from tests.test_validate.synthetic import shared_measurements

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "docs" / "data" / "validation_summary.json"


def shipped() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(BUNDLE.read_text(encoding="utf-8"))
    return data


def test_the_page_is_about_the_shipped_board() -> None:
    board = load_document(ROOT / "hw_models" / "rk3399pro" / "board.yaml").data
    same = shipped()["provenance"]["parts_sha256"]["board"] == digest(board)
    assert same, "the board has changed: run `make validation` to rewrite docs/validation.md"


def test_the_page_and_the_bundle_say_the_same() -> None:
    page = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    for row in shipped()["suites"]:
        start = f"| {row['suite']} | {row['graph']} | {row['quantity']} | {row['n']:,} | {row['mape_pct']:.2f} |"
        assert start in page, start


def test_the_bundle_holds_no_single_reading() -> None:
    text = BUNDLE.read_text(encoding="utf-8")
    assert "run_id" not in text
    assert "measured" not in text.replace('"measurements"', "").replace("more subgraphs than measured", "")


@pytest.fixture(scope="module")
def found() -> Validation:
    return validate_runs(shared_measurements(), workers=os.cpu_count() or 1)


@pytest.mark.slow
def test_envelope_is_that_of_the_measurements() -> None:
    runs = read_runs(shared_measurements())
    for suite, envelope in MEASURED.items():
        assert envelope_of(runs, suite) == envelope


@pytest.mark.slow
def test_bundle_is_computed_again(found: Validation) -> None:
    told = shipped()
    if told["provenance"]["measurements"] != fingerprint(shared_measurements()):
        pytest.skip("these are other measurements than the page's")
    now = json.loads(json.dumps(bundle(found)))
    for key, value in now.items():
        if key != "provenance":
            assert_close(value, told[key], key)


def assert_close(now: Any, told: Any, where: str) -> None:
    if isinstance(told, dict):
        assert list(now) == list(told), where
        for key in told:
            assert_close(now[key], told[key], f"{where}.{key}")
    elif isinstance(told, list):
        assert len(now) == len(told), where
        for i, (a, b) in enumerate(zip(now, told, strict=True)):
            assert_close(a, b, f"{where}.{i}")
    elif isinstance(told, float):
        assert math.isclose(now, told, rel_tol=1e-9, abs_tol=1e-9), f"{where}: {now} is not {told}"
    else:
        assert now == told, where


TARGETS = {
    ("switch", "cnn", "time"): 2.0,
    ("switch", "cnn", "energy"): 2.0,
    ("pipeline", "all", "period"): 6.5,
    ("pipeline", "all", "latency"): 11.0,
    ("pipeline", "all", "power"): 4.5,
    ("pipeline", "all", "energy"): 6.5,
}
"""Most mean error, per cent: what the model must reach on runs like those that its terms were fitted to."""


@pytest.mark.slow
@pytest.mark.parametrize("row", TARGETS, ids="-".join)
def test_errors_are_within_their_targets(found: Validation, row: tuple[str, str, str]) -> None:
    (score,) = [r.score for r in found.rows if (r.suite, r.graph, r.quantity) == row]
    assert score.mape_pct <= TARGETS[row]


@pytest.mark.slow
def test_yolo_with_the_npu(found: Validation) -> None:
    (score,) = [r.score for r in found.npu if (r.suite, r.graph, r.quantity) == ("switch", "yolov3", "time")]
    assert score.n > 100
    assert score.mape_pct <= 4.0


@pytest.mark.slow
def test_single_pe_runs_of_every_network(found: Validation) -> None:
    rows = [r for r in found.single_pe if r.suite == "switch" and r.quantity == "time"]
    assert {"alexnet", "googlenet", "mobilenet_v1", "resnet50_v1", "squeezenet_v1", "yolov3"} <= {r.graph for r in rows}
    for row in rows:
        assert row.score.mape_pct <= 3.0, row


@pytest.mark.slow
def test_choices_that_people_make_cost_little(found: Validation) -> None:
    for d in found.decisions:
        if d.graph in MEASURED[d.suite].networks and d.choice == "clocks_of_an_order" and d.quantity != "latency":
            assert d.mean_regret_pct <= 2.0, d
            assert d.mean_regret_pct < 0.25 * d.random_regret_pct, d
