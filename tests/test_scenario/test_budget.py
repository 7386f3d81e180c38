"""A budget for going deeper: what a user may write, what comes out in the long run, and how right it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.errors import InputError
from eesim.explore.candidates import unsupported
from eesim.report.words import policy_words
from tests.scenarios import camera, digits

TENTH = {"costs": {"exit1": 1}, "per_frame": 0.1, "burst": 20}


def result_with(budget: dict[str, Any], **changes: Any) -> eesim.Result:
    rules = {"requirements": {}, "run": {"frames": 20_000, "warmup": 1000, "replications": 4, "seed": 2}}
    return eesim.run(camera({**rules, "policy.budget": budget, **changes}))


def test_no_more_go_beyond_an_exit_than_are_paid_for() -> None:
    """17.8 % of the frames want to; one in ten may."""
    found = result_with(TENTH)
    beyond = 1 - (found.value("exit_share.exit1") or 0)
    assert beyond == pytest.approx(0.1, abs=1e-3)
    assert found.value("forced_share") == pytest.approx(0.1778 - beyond, abs=3e-3)
    assert found.to_dict()["forced_share"] == found.value("forced_share")


def test_tokens_per_second_bound_the_rate() -> None:
    """30 frames per second, 3 tokens per second: a tenth of them."""
    found = result_with({"costs": {"exit1": 1}, "per_second": 3, "burst": 20})
    assert 1 - (found.value("exit_share.exit1") or 0) == pytest.approx(0.1, abs=1e-3)


def test_a_budget_that_is_never_used_up_changes_nothing() -> None:
    found = result_with({**TENTH, "per_frame": 1})
    plain = eesim.run(
        camera({"requirements": {}, "run": {"frames": 20_000, "warmup": 1000, "replications": 4, "seed": 2}})
    )
    assert found.value("forced_share") == 0
    assert found.value("latency_ms.p99") == plain.value("latency_ms.p99")
    assert plain.to_dict()["forced_share"] is None


def test_costs_are_what_a_budget_is_counted_in() -> None:
    """To decline exit 2 costs three times what declining exit 1 does: the mean of what is spent is the income."""
    found = result_with({"costs": {"exit1": 1, "exit2": 3}, "per_frame": 0.2, "burst": 40})
    shares = [found.value(f"exit_share.{name}") or 0 for name in ("exit1", "exit2")]
    spent = (1 - shares[0]) * 1 + (1 - sum(shares)) * 3
    assert spent == pytest.approx(0.2, abs=3e-3)


def test_forced_answers_of_known_samples_are_judged_one_by_one() -> None:
    changes = {"requirements": {}, "run.replications": 1, "run.warmup": "none"}
    scenario = digits({**changes, "policy.budget": {**TENTH, "costs": {"exit1": 1}, "per_frame": 0.02}})
    found = eesim.run(scenario)
    frames = found.frames()
    assert (frames["basis"] == "budget").any()
    blocks = scenario.blocks(scenario.n_frames, seed=scenario.spec.run.seed, replication=0)
    correct = np.concatenate([block.correct for block in blocks])
    right = correct >> (frames["exit"].to_numpy(np.int64) - 1) & 1
    assert found.value("accuracy") == pytest.approx(right.mean())


def test_forced_answers_of_nobody_knows_what_count_as_wrong() -> None:
    changes = {"stream.exits": {"kind": "counts", "counts": [1, 1, 1, 1], "accuracy": [1, 1, 1, 1]}}
    found = result_with(TENTH, **changes)
    assert found.value("accuracy") == pytest.approx(1 - (found.value("forced_share") or 0))
    assert any("lower bound" in note for note in found.notes)


@pytest.mark.parametrize(
    ("budget", "path", "words"),
    [
        ({**TENTH, "costs": {"exit9": 1}}, "policy.budget.costs.exit9", "no early exit"),
        ({**TENTH, "costs": {"final": 1}}, "policy.budget.costs.final", "no early exit"),
        ({**TENTH, "per_frame": 0}, "policy.budget.per_frame", "no token ever comes in"),
        ({**TENTH, "burst": 0.5}, "policy.budget.costs.exit1", "nobody could ever pay"),
        ({**TENTH, "burst": 1e9}, "policy.budget.burst", "40000"),
        ({**TENTH, "cost": 1}, "policy.budget.cost", "costs"),
    ],
)
def test_what_cannot_be_meant(budget: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        camera({"policy.budget": budget})
    found = [p for p in caught.value.problems if p.path == path]
    assert found, caught.value.problems
    assert any(words in f"{p.message} {p.hint}" for p in found)


def test_contradictions_of_switches() -> None:
    for other, words in (
        ({"preset": "coup-switch"}, "exit_decision none"),
        ({"reuse": {"at": "exit1"}}, "cannot be combined with reuse"),
    ):
        with pytest.raises(InputError, match=words):
            camera({"policy": {"budget": TENTH, **other}, "stream.scenes": {"kind": "lengths", "dwell": 3}})


def test_a_budget_in_words_and_the_road_of_the_search() -> None:
    scenario = camera({"policy.budget": {**TENTH, "per_second": 2}})
    assert "budget: 0.1 per frame and 2 per second, up to 20; 1 beyond exit1" in policy_words(scenario.policy)
    assert "policy.budget" in unsupported(scenario)


def test_streams_have_buckets_of_their_own() -> None:
    one = {"name": "a", "policy": {"budget": TENTH}}
    other = {"name": "b", "mapping": {"segments": "LLLLLLL"}, "arrivals": {"kind": "periodic", "rate": "5 Hz"}}
    found = eesim.run(camera({"requirements": {}, "streams": [one, other]}))
    told = {stream["name"]: stream["forced_share"] for stream in found.to_dict()["streams"]}
    assert told["a"] > 0.05
    assert told["b"] is None


def test_the_example_keeps_its_requirements() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "exit_budget.yaml"
    found = eesim.run(eesim.load(path, {"run.frames": 6000, "run.replications": 4}))
    assert found.requirements_met
    assert (found.value("forced_share") or 0) > 0.01
