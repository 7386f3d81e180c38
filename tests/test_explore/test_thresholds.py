"""Thresholds as genes: the compiled evaluator says what `eesim.run` says, for every choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eesim
from eesim.engine import candidate_runs as cr
from eesim.errors import InputError
from eesim.explore import decision_bank
from eesim.explore.partial_bounds import OPEN, PartialBounds
from tests.scenarios import FAR_APART, camera
from tests.test_explore.spaces import ANYWHERE, BUSY, Explored, explored, scenario_of_genome, simulated

LEVELS = {"exit1": [0.55, 0.7, 0.9], "exit2": [0.5, 0.8], "exit3": [0.6, 1.1]}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(7)
    n = 150
    ease = rng.random((n, 1))
    sure = np.clip(0.4 + 0.6 * ease + rng.normal(0, 0.1, (n, 3)), 0, 1).round(4)
    right = rng.random((n, 4)) < np.clip(0.5 + 0.45 * ease + np.array([0, 0.1, 0.2, 0.3]), 0, 1)
    data = {f"confidence_{k + 1}": sure[:, k] for k in range(3)}
    data |= {f"correct_{k + 1}": right[:, k].astype(int) for k in range(4)}
    found = tmp_path_factory.mktemp("table") / "c.csv"
    pd.DataFrame(data).to_csv(found, index=False)
    return found


def space(path: Path, changes: dict[str, Any], explore: dict[str, Any], order: str = "shuffled") -> Explored:
    exits = {"kind": "confidences", "path": str(path), "order": order}
    own = {"stream.exits": exits, "mapping.thresholds": {"exit1": 0.7, "exit2": 0.8, "exit3": 0.6}}
    return explored(camera({**changes, **own}), explore)


RICH: dict[str, Any] = {
    "segments": ANYWHERE,
    "opp": {"B": "all"},
    "exits": "any",
    "thresholds": LEVELS,
    "policy": ["cooperative", "sequential", {"preset": "cooperative", "exit_decision": "none"}],
}


def test_genes_follow_the_exits(path: Path) -> None:
    found = space(path, FAR_APART, RICH).space
    names = [gene.name for gene in found.genes]
    assert names[found.exit_genes] == ["exit.exit1", "exit.exit2", "exit.exit3"]
    assert names[found.threshold_genes] == ["threshold.exit1", "threshold.exit2", "threshold.exit3"]
    assert names[-3:] == ["frames_in_flight", "queue_capacity", "policy"]
    genome = found.genome_of(found.scenario)
    assert genome is not None
    assert found.choice(genome)["threshold.exit2"] == 0.8
    assert found.document(genome).data["mapping"]["thresholds"] == {"exit1": 0.7, "exit2": 0.8, "exit3": 0.6}


@pytest.mark.parametrize("order", ["shuffled", "table"])
@pytest.mark.parametrize("changes", [FAR_APART, BUSY], ids=["far apart", "busy"])
def test_candidates_get_what_a_run_of_them_gets(path: Path, changes: dict[str, Any], order: str) -> None:
    own = {**changes, "run": {"frames": 300, "warmup": 0, "replications": 1, "seed": 1}, "requirements": {}}
    found = space(path, own, {**RICH, "frames": 300, "seed": 1}, order)
    genomes = found.at_random(25, seed=5)
    values = found.evaluator.metrics(genomes)
    assert len({tuple(row) for row in genomes[:, found.space.exit_and_threshold_genes]}) > 15
    for i, genome in enumerate(genomes):
        result = eesim.run(scenario_of_genome(found.space, genome), seed=1)
        for name in ("latency_ms.mean", "latency_ms.p90", "latency_ms.max", "accuracy"):
            assert values[name][i] == pytest.approx(result.value(name), rel=1e-12), (name, i)
        assert values["energy_mj_per_frame.total"][i] == pytest.approx(
            result.value("energy_mj_per_frame.total"), rel=2e-2 if changes is FAR_APART else 1e-9
        )


def test_single_frames_say_what_the_stream_says(path: Path) -> None:
    found = space(path, {**FAR_APART, "run.frames": 300}, {**RICH, "frames": 300})
    genomes = found.at_random(40)
    found.evaluator.warm = 0
    alone, stream = found.evaluator.metrics(genomes), simulated(found, genomes)
    assert (alone["exact"] == 1).all()
    for name in ("latency_ms.mean", "latency_ms.p50", "latency_ms.p99", "latency_ms.max", "accuracy"):
        np.testing.assert_allclose(alone[name], stream[name], rtol=1e-12, err_msg=name)
    assert len(np.unique(alone["accuracy"])) > 10


def test_banks_of_any_size_deal_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = space(path, BUSY, {**RICH, "frames": 300})
    genomes = found.at_random(60)
    whole = found.evaluator.metrics(genomes)
    monkeypatch.setattr(decision_bank, "MOST_ENTRIES", 700)
    parts = found.evaluator.metrics(genomes)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, parts[name], err_msg=name)


@pytest.mark.parametrize("changes", [FAR_APART, BUSY], ids=["far apart", "busy"])
def test_bounds_hold_for_every_completion(path: Path, changes: dict[str, Any]) -> None:
    found = space(path, changes, {**RICH, "frames": 300})
    rng = np.random.default_rng(0)
    genomes = found.at_random(200)
    known = np.where(rng.random(genomes.shape) < rng.random((200, 1)), OPEN, genomes)
    decided = found.space.exit_and_threshold_genes
    known[:100, decided], known[:100, -1] = genomes[:100, decided], genomes[:100, -1]
    below = PartialBounds(found.evaluator).metrics(known)
    assert np.isfinite(below["latency_ms.mean"][:100]).all()
    for values in (found.evaluator.metrics(genomes), simulated(found, genomes)):
        good = values["status"] == cr.SIMULATED
        for name, bound in below.items():
            excess = bound[good] * (1 - 1e-9) - values[name][good]
            assert (excess <= 0).all() if name != "accuracy" else (excess >= -1e-9).all(), name


def test_branch_and_bound_finds_what_enumeration_finds(path: Path) -> None:
    explore = {**RICH, "opp": {}, "policy": ["cooperative"], "segments": {"e1": ["L", "G"], "e2": ["B", "L", "G"]},
               "constraints": {"accuracy": 0.9}, "objective": "mean_latency"}  # fmt: skip
    exits = {"kind": "confidences", "path": str(path)}
    own = {"mapping.thresholds": {"exit1": 0.7, "exit2": 0.8, "exit3": 0.6}, "explore": explore}
    scenario = camera({**FAR_APART, "stream.exits": exits, **own})
    every = eesim.explore(scenario, algorithm="exhaustive", confirm=False)
    cut = eesim.explore(scenario, algorithm="branch-and-bound", evaluations=400, confirm=False)
    assert every.found.is_feasible
    assert every.rejected["accuracy"] > 0
    assert cut.certificate.proven_optimal
    assert cut.certificate.pruned > 0
    assert cut.describe()["mean_latency"] == every.describe()["mean_latency"]


def test_the_table_is_part_of_what_a_search_was_run_on(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "c.csv"
    copy.write_bytes(path.read_bytes())
    exits = {"kind": "confidences", "path": str(copy)}
    changes = {"stream.exits": exits, "mapping.thresholds": 0.7, "explore": {"thresholds": [0.5, 0.9]}}
    before = eesim.explore(camera({**FAR_APART, **changes}), confirm=False)
    rows = copy.read_text().splitlines()
    copy.write_text("\n".join(rows[:-1]) + "\n")
    after = eesim.explore(camera({**FAR_APART, **changes}), confirm=False)
    assert before.provenance["parts_sha256"] != after.provenance["parts_sha256"]


def test_thresholds_need_confidences() -> None:
    with pytest.raises(InputError, match=r"needs stream\.exits of kind confidences, not counts"):
        eesim.explore(camera({"explore": {"thresholds": [0.5, 0.9]}}))


def test_misspelt_exits_are_told(path: Path) -> None:
    with pytest.raises(InputError, match=r"no early exit 'exti1' \(did you mean exit1"):
        space(path, FAR_APART, {"thresholds": {"exti1": [0.5]}})


def test_first_confident_takes_the_general_road_and_says_so(path: Path) -> None:
    exits = {"kind": "confidences", "path": str(path)}
    changes = {"stream.exits": exits, "mapping.thresholds": 0.7, "explore": {"thresholds": [0.5, 0.9]},
               "policy": {"preset": "cooperative", "exit_order": "first_confident"}}  # fmt: skip
    found = eesim.explore(camera({**FAR_APART, "run.frames": 200, **changes}), confirm=False)
    assert found.evaluator.by_general_road == found.search.evaluations == found.space.size
    assert "first_confident reads the set of confident exits" in found.evaluator.general_reasons[0]
    for genome, objective in zip(found.found.genomes, found.found.objectives, strict=True):
        scenario = found.space.scenario_of(genome)
        assert objective[0] == eesim.run(scenario, replications=1, seed=1).value("latency_ms.mean")
