"""Pages of threshold searches, and of searches whose first designs break a constraint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.cli.main import main
from eesim.report.html.explore_charts import Evaluated, convergence_chart
from eesim.report.html.folder import Folder
from eesim.report.html.page import read, render
from tests.scenarios import CAMERA
from tests.test_report.html_check import Page, check
from tests.test_report.html_folders import HOSTILE, hostile

DIGITS = CAMERA.with_name("digits_psoc6.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("thresholds") / "out"
    few = ["--set", "run.frames=200", "--no-plots"]
    assert main(["thresholds", str(DIGITS), *few, "-o", str(made)]) == 0
    return made


def page_of(folder: Path) -> Page:
    return check(render(read(Folder(folder))))


def found(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "thresholds.json").read_text())
    return data


def test_everything_that_the_folder_holds_is_shown(folder: Path) -> None:
    made = read(Folder(folder))
    assert [kind.name for kind in made.kinds] == ["thresholds"]
    assert made.missing == ()
    page = check(render(made))
    assert page.titles() == [
        *("In short", "Front", "Exits", "Published search", "Under load", "The thresholds as a scenario", "Provenance")
    ]
    rows = page.section("Exits").all("table")[0].rows()
    assert [row[0] for row in rows[1:]] == ["exit1", "exit2", "final"]
    shares = [one["share"] for one in found(folder)["exit_shares"]]
    assert [float(row[2].split()[0]) for row in rows[1:]] == pytest.approx([100 * share for share in shares], abs=0.06)
    promised, true = page.section("Published search").all("table")[0].rows()[1:3]
    baseline = found(folder)["baseline"]
    assert float(promised[1].split()[0]) == pytest.approx(100 * baseline["predicted"]["accuracy"], abs=0.06)
    assert float(true[1].split()[0]) == pytest.approx(100 * baseline["actual"]["accuracy"], abs=0.06)


def changed(folder: Path, to: Path, changes: dict[str, Any]) -> Path:
    to.mkdir()
    (to / "thresholds.json").write_text(json.dumps({**found(folder), **changes}))
    return to


def test_what_is_not_there_is_left_out(folder: Path, tmp_path: Path) -> None:
    less = {"test": None, "baseline": None, "front": [], "feasible": False, "violations": {"accuracy": 0.02}}
    page = page_of(changed(folder, tmp_path / "less", less))
    assert page.titles() == ["In short", "Exits", "Under load", "Provenance", "Not shown"]
    assert [one.text for one in page.all("p", "bad")] == [
        "No setting keeps everything that was wanted; the nearest one is shown."
    ]
    assert "misses accuracy" in page.section("In short").text


def test_markup_in_names_stays_text(folder: Path, tmp_path: Path) -> None:
    page = page_of(changed(folder, tmp_path / "hostile", hostile(found(folder))))
    assert HOSTILE in page.section("Exits").text


def test_a_search_that_begins_with_bad_designs_has_a_chart() -> None:
    values = {"energy": np.array([5.0, 4.0, 9.0, 8.0, 8.0])}
    good = np.array([False, False, True, True, True])
    svg = str(convergence_chart(Evaluated(values, good), "energy", 8.0).svg)
    assert "from 9.000 to 8.000" in svg
    assert svg.count("<circle") == 2
