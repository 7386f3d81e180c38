"""docs/tiers.md against the code: the loss of one queue, loss against accuracy, and CEED's example."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

import eesim
from eesim.validate.importers import import_path
from tests.test_validate.shared import shared

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tiers.md").read_text(encoding="utf-8")
STUDY = runpy.run_path(str(ROOT / "scenarios" / "studies" / "ceed_tiers.py"))
SCENARIO = ROOT / "scenarios" / "ceed_tiers.yaml"


def rows(begin: str) -> list[list[str]]:
    """Cells of the first table after a mark, without its heading."""
    lines = PAGE.split(begin)[1].strip().split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_one_placement_loses_what_the_page_says() -> None:
    told = {tuple(row[:2]): row[2:] for row in rows("<!-- study: ceed tiers -->")}
    assert set(told) == {(str(rate), place) for rate in STUDY["RATES_FPS"] for place in STUDY["PLACEMENTS"]}
    cells = [STUDY["run"](4, "WWEE", name) for name in (*STUDY["THRESHOLDS"], STUDY["GIVE_WAY"])]
    assert told["4", "WWEE"] == [STUDY["words"](cell) for cell in cells]


def test_the_worker_alone_is_one_queue() -> None:
    """An early-exit network on one tier loses what M/G/1/K loses; every row of the page is within its interval."""
    cell = STUDY["run"](4, "WWWW", "2, 2.5, 3")
    table = PAGE.split("<!-- study: ceed worker -->")[1].strip().split("\n\n")[0].splitlines()
    shown = STUDY["closed_table"]([cell])
    assert shown[-1] in table
    for _, _, _, lost, exact, _ in rows("<!-- study: ceed worker -->"):
        value, half = map(float, lost.split(" ± "))
        assert abs(value - float(exact)) <= half + 0.005


@pytest.mark.slow
def test_all_placements_lose_what_the_page_says() -> None:
    cells = STUDY["study"]()
    for mark, table in (("tiers", STUDY["table"](cells)), ("worker", STUDY["closed_table"](cells))):
        told = PAGE.split(f"<!-- study: ceed {mark} -->")[1].strip().split("\n\n")[0].splitlines()
        assert told == table


@pytest.mark.slow
def test_of_all_placements_few_lose_little() -> None:
    found = eesim.explore(eesim.load(SCENARIO), confirm=False)
    assert found.certificate.proven_optimal
    assert (found.space.size, found.rejected["drop_rate"]) == (108, 96)
    assert list(found.describe()["mapping"].values()) == ["worker"] * 4 + ["cloud"] * 3
    for s2, s3 in (("edge", "edge"), ("worker", "worker")):
        changes = {"mapping.segments": ["worker", "worker", s2, s2, s3, s3, "edge"], "requirements": {}}
        assert (eesim.run(eesim.load(SCENARIO, changes)).value("drop_rate") or 0) > 0.03


def test_what_the_page_concludes() -> None:
    told = {tuple(row[:2]): [float(cell.split()[0]) for cell in row[2:]] for row in rows("<!-- study: ceed tiers -->")}
    text = re.sub(r"\s+", " ", PAGE)
    alone, two = told["4", "WWWW"], told["4", "WWEE"]
    assert alone[0] > 50
    assert f"still {alone[4]:.1f} % at the loosest" in text
    assert f"lose {two[0]:.1f} % at the strictest" in text
    assert f"the link loses {told['4', 'WEEE'][0]:.0f} %" in text
    assert f"the five sets span {alone[0] - alone[4]:.0f} points of loss" in text
    assert f"With two stages there they span {two[0] - two[4]:.1f}" in text
    assert f"they lose {told['2', 'WWWW'][5]:.1f} % at 70.9 %, the fixed third set {told['2', 'WWWW'][2]:.1f} %" in text


def test_the_shipped_scenario_loses_frames_where_it_says_and_engines_agree() -> None:
    scenario = eesim.load(SCENARIO, {"run.frames": 600, "run.replications": 2, "stream.arrivals.rate": "8 Hz"})
    found = eesim.run(scenario)
    assert found.estimates == eesim.run(scenario, engine="reference").estimates
    by = {name: e.value or 0.0 for name, e in found.estimates.items() if name.startswith("drop_rate_by.")}
    assert sum(by.values()) == pytest.approx(found.value("drop_rate"))
    assert by["drop_rate_by.worker"] > 0.1
    assert eesim.run(eesim.load(SCENARIO)).requirements_met


def test_profiles_of_the_tiers_are_published_sums() -> None:
    times = yaml.safe_load((ROOT / "hw_models" / "tiers" / "profiles" / "ceed_resnet50.yaml").read_text())["times"]
    layers = [2.1, 0.5, 0.2, 0.04, 30.8, 25.8, 26.7, 34.9, 19.5, 18.8, 18.9, 75.8, 22.6, 21.0, 22.0, 23.5, 32.5]
    layers += [272.3, 84.9, 76.5]
    gate = 7.87 / 9
    wanted = {"s1": sum(layers[:7]), "s2": sum(layers[7:11]), "s3": sum(layers[11:17]), "s4": sum(layers[17:]) + gate}
    for segment, row in times.items():
        ms = {pe: float(text.split()[0]) for pe, text in row.items()}
        assert ms["worker"] == pytest.approx(wanted.get(segment, gate), abs=6e-4)
        assert ms["edge"] == pytest.approx(ms["worker"] / 4, abs=6e-4)
        assert ms["cloud"] == pytest.approx(ms["worker"] * 30.0 / 802, abs=6e-4)


def test_losses_of_one_queue_are_as_told(tmp_path: Path) -> None:
    benchmark: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "ceed_loss.py"))
    told = {(row[0], int(row[1])): row[2:] for row in rows("<!-- loss:begin -->")}
    assert set(told) == {(service, queue) for service in benchmark["SERVICES"] for queue in benchmark["QUEUES"]}
    for file, data in benchmark["FILES"].items():
        (tmp_path / file).write_text(yaml.safe_dump(data), encoding="utf-8")
    found = benchmark["case"](tmp_path, 0.8, 4, 2.0, 200_000)
    assert told["lognormal, cv 2", 4][benchmark["LOADS"].index(0.8)] == benchmark["cell"](found)


def test_layers_and_gates_of_the_example_differ_as_told() -> None:
    found = import_path("ceed", shared("ceed/system_profile.json")).tables["gate_times"]
    measured, errors = (row[1:] for row in rows("<!-- ceed: gates -->"))
    assert [f"{row['time_ms']:.2f}" if row["gate"] == 0 else f"{row['time_ms']:.1f}" for row in found] == measured
    assert [f"{row['layers_error_pct']:+.1f}" for row in found] == errors
    before = [sum(float(other["gate_ms"] or 0) for other in found[:i]) for i in range(9)]
    passed = [
        (float(row["layers_ms"]) + extra) / float(row["time_ms"]) - 1 for row, extra in zip(found, before, strict=True)
    ]  # type: ignore[arg-type]
    assert sum(abs(error) < 0.01 for error in passed) == sum(abs(float(error)) < 1 for error in errors) == 3
    spread = [(round(float(row["std_ms"] or 0), 1), round(float(row["layers_std_ms"] or 0), 1)) for row in found]
    assert (spread[1], spread[-1]) == ((17.7, 8.7), (42.8, 48.3))
