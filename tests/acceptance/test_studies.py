"""The shipped studies still say what docs/exploration.md says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "exploration.md").read_text(encoding="utf-8")
CONDITIONS: list[dict[str, Any]] = [
    {"physics.transfers": False, "physics.contention": False},
    {"physics.transfers": False, "board.contention.pairs": {"B": {"G": 1.6}}},
    {},
]


def told_rows() -> list[list[str]]:
    table = PAGE.split("<!-- study: mappings -->")[1].split("\n\n")[0].strip().splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


@pytest.mark.parametrize(("changes", "told"), list(zip(CONDITIONS, told_rows(), strict=True)))
def test_the_best_of_all_mappings(changes: dict[str, Any], told: list[str]) -> None:
    found = eesim.explore(eesim.load(ROOT / "scenarios" / "explore_mapping.yaml", changes), confirm=False)
    assert found.certificate.proven_optimal
    best = found.describe()
    feasible = found.space.size - found.rejected["worst_latency"]
    assert [best["mapping"], f"{best['mean_latency']:.3f}", str(feasible)] == told[2:]


def test_transfers_charged_to_the_receiver() -> None:
    found = eesim.explore(eesim.load(ROOT / "scenarios" / "studies" / "transfers_to_receiver.yaml"), confirm=False)
    front = {row["mapping"]: (row["mean_latency"], row["worst_latency"]) for row in map(found.describe, range(2))}
    assert len(found.found.genomes) == 2
    text = re.sub(r"\s+", " ", PAGE)
    mean, worst = front["GGLBLBL"]
    assert f"GGLBLBL is fastest on average ({mean:.2f} ms, worst {worst:.2f})" in text
    assert f"BGLBLBL has the best worst case ({front['BGLBLBL'][1]:.2f})" in text


def test_which_mappings_stay_good() -> None:
    study = runpy.run_path(str(ROOT / "scenarios" / "studies" / "robustness.py"))["study"]
    names, orders, regret = study()
    assert regret.shape == (2187, len(names) == 18 and 18)
    winners = {orders[i] for i in np.argmin(regret, axis=0)}
    assert len(winners) == 5
    assert "Five mappings win" in PAGE
    worst = dict(zip(orders, regret.max(axis=1), strict=True))
    best_two = sorted(worst, key=lambda order: worst[order])[:2]
    assert set(best_two) == {"BGLGLGL", "BGLGLBL"}
    assert f"never more than {max(worst[order] for order in best_two):.1f} % behind" in PAGE


THRESHOLDS = (ROOT / "docs" / "thresholds.md").read_text(encoding="utf-8")


def test_where_independence_misleads() -> None:
    rows = runpy.run_path(str(ROOT / "scenarios" / "studies" / "independence.py"))["study"]()
    table = THRESHOLDS.split("<!-- study: independence -->")[1].strip().split("\n\n")[0].splitlines()
    told = [[cell.strip() for cell in row.strip("|").split("|")] for row in table if "---" not in row]
    assert told[0][1:] == list(rows["digits"])
    assert told[1:] == [[name, *(f"{value:.2f}" for value in row.values())] for name, row in rows.items()]


def test_the_digits_are_as_told() -> None:
    text = re.sub(r"\s+", " ", THRESHOLDS)
    found = eesim.thresholds(eesim.load(ROOT / "scenarios" / "digits_psoc6.yaml"), simulate=False)
    assert f"96 % accuracy is {1e3 * found.calibration.cost:.3f} µJ per digit" in text
    assert f"{100 * found.calibration.cost / found.original:.0f} % of what" in text
    assert f"early exits ({1e3 * found.original:.3f} µJ)" in text
    with (ROOT / "scenarios" / "confidences" / "digits_mlp.csv").open(encoding="utf-8") as file:
        heading, *lines = (line.split(",") for line in file.read().splitlines())
    right = [
        np.mean([int(line[heading.index(f"correct_{k}")]) for line in lines if line[0] == "calibration"])
        for k in (1, 2, 3)
    ]
    first, second, third = (f"{100 * share:.1f}" for share in right)
    assert f"right about {first}, {second} and {third} % of the calibration digits" in text


def test_mapping_exits_and_thresholds_together() -> None:
    scenario = eesim.load(ROOT / "scenarios" / "studies" / "digits_joint.yaml", {"explore.frames": 200})
    found = eesim.explore(scenario, confirm=False)
    assert found.space.size == 21_632
    assert found.certificate.kind == "proven front"
    assert {found.describe(row)["mapping"] for row in range(len(found.found.genomes))} == {"FFFFF"}


def test_what_correlated_difficulty_does() -> None:
    study = runpy.run_path(str(ROOT / "scenarios" / "studies" / "correlated_difficulty.py"))
    page = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    told = page.split("<!-- study: correlated difficulty -->")[1].strip().split("\n\n")[0].splitlines()
    shuffled, correlated = (study["run"](60, lag_1, 20) for lag_1 in (0.0, 0.5))
    assert told[:2] == study["table"]([])[:2]
    row = told[-1].split(" | ")
    assert row[:3] == ["| 60 fps", study["words"](shuffled, shuffled), study["words"](correlated, shuffled)]
    # The tail differs with certainty; the mean shares do not differ at all.
    assert study["p_value"](correlated, shuffled) < 1e-12
    assert correlated.p99_ms.ci_low > shuffled.p99_ms.ci_high
    assert shuffled.shares == correlated.shares == (0.8222, 0.1015, 0.0294, 0.0469)
