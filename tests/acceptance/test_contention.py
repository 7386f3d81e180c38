"""The shipped studies of contention still say what docs/contention.md says."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.test_validate.shared import shared

ROOT = Path(__file__).parents[2]
STUDIES = ROOT / "scenarios" / "studies"
PAGE = (ROOT / "docs" / "contention.md").read_text(encoding="utf-8")
MARKS = ("pairs", "terms", "held")


def told(mark: str) -> list[str]:
    return PAGE.split(f"<!-- study: {mark} -->")[1].strip().split("\n\n")[0].splitlines()


@pytest.fixture(scope="module")
def ee_resnet18() -> dict[str, Any]:
    return runpy.run_path(str(STUDIES / "contention_ee_resnet18.py"))


@pytest.mark.parametrize("row", [0, 3, 7, 9])
def test_what_it_changes_for_ee_resnet18(ee_resnet18: dict[str, Any], row: int) -> None:
    factors = ee_resnet18["factors"]()
    assert len(factors) == 5
    cell = ee_resnet18["cell"](factors[row % 5], row >= 5)
    table = told("contention of EE-ResNet18")
    assert ee_resnet18["rows"]([cell]) == [*table[:2], table[2 + row]]


def test_the_fitted_factor_is_the_boards(ee_resnet18: dict[str, Any]) -> None:
    """Terms and table: who calibrates the board again must make the table again."""
    shown = [row.split(" | ")[1] for row in told("contention of EE-ResNet18")[2:]]
    assert shown == [f"{100 * (factor - 1):.1f} %" for factor in ee_resnet18["factors"]()] * 2


def test_how_often_the_driver_is_called(ee_resnet18: dict[str, Any]) -> None:
    found = ee_resnet18["launches"]()
    assert ee_resnet18["launch_rows"](found) == told("launches")
    assert found["e1"] == pytest.approx(41 / 5.29)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return runpy.run_path(str(STUDIES / "contention.py"))


def test_a_folder_without_measurements_is_an_error(
    measured: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured["main"]([str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "there are no runs" in err


def test_json_has_no_nan(measured: dict[str, Any]) -> None:
    plain = measured["_finite"]({"a": [float("nan"), 1.5], "b": {"c": None}})
    assert json.loads(json.dumps(plain, allow_nan=False)) == {"a": [None, 1.5], "b": {"c": None}}


@pytest.mark.slow
def test_what_the_measurements_say(measured: dict[str, Any]) -> None:
    found = measured["study_of"](shared("measurements"), 0.1)
    lines = measured["table"](found)
    for mark in MARKS:
        assert "\n".join(told(mark)) in "\n".join(lines), mark
    rows = {row["name"]: row for row in found["pairs"]}
    placebo = rows["placebo: host of a PE that is not used"]["measured"]
    assert placebo["low"] < 0 < placebo["high"]
    main = rows["B, G's host moved to B"]
    assert main["measured_busy"]["low"] > 0
    assert main["measured_busy"]["high"] < measured["GA_PY"]
    # What the page's prose repeats.
    busy = main["measured_busy"]
    text = re.sub(r"\s+", " ", PAGE)
    assert f"{100 * busy['value']:.1f} % [{100 * busy['low']:.1f}, {100 * busy['high']:.1f}] longer" in text
