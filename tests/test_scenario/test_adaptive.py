"""Exits that depend on how many frames are in the system: what scenarios say, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.errors import InputError
from eesim.explore.candidates import unsupported
from eesim.plan.lower import lower
from eesim.plan.plan import EventKind
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import Scenario, load

ADAPTIVE = scenario_folder() / "adaptive_exits.yaml"
SHORT = {"run": {"frames": 3000, "warmup": "none", "replications": 2, "seed": 1}}


def adaptive(overrides: Mapping[str, Any] | None = None) -> Scenario:
    return load(ADAPTIVE, {**SHORT, **(overrides or {})})


def value(result: eesim.Result, name: str) -> float:
    found = result.value(name)
    assert found is not None
    return found


def fixed(level: int) -> Scenario:
    """The scenario at one of its levels, whatever the queue."""
    exits = load(ADAPTIVE).spec.stream.exits.model_dump()
    chosen = [exits, *exits["alternatives"]][level]
    shares = [float(Fraction(share)) for share in chosen["accuracy"]]
    model = {"kind": "counts", "counts": list(chosen["counts"]), "accuracy": shares}
    return adaptive({"policy": "cooperative", "stream.exits": model})


def test_it_lies_between_its_levels() -> None:
    found, low, high = eesim.run(adaptive()), eesim.run(fixed(0)), eesim.run(fixed(2))
    for name in ("latency_ms.mean", "deadline_miss_rate"):
        assert value(high, name) < value(found, name) < value(low, name), name
    assert value(high, "accuracy") < value(found, "accuracy") < value(low, "accuracy")


def test_it_beats_the_fixed_thresholds_in_between() -> None:
    """What the shipped scenario is there to show: fewer late frames, and more right answers."""
    found, middle = eesim.run(adaptive()), eesim.run(fixed(1))
    assert value(found, "deadline_miss_rate") < value(middle, "deadline_miss_rate") / 2
    assert value(found, "accuracy") > value(middle, "accuracy")


@pytest.mark.parametrize("read_at", ["exit", "frame"])
def test_a_limit_that_is_never_reached_changes_nothing(read_at: str) -> None:
    level = {"above": [10**6, 10**7], "hysteresis": 0, "read_at": read_at}
    found, low = eesim.run(adaptive({"policy.adaptive": level})), eesim.run(fixed(0))
    assert found.to_dict()["levels"] == [1.0, 0.0, 0.0]
    for name in low.estimates:
        assert found.value(name) == low.value(name), name


@pytest.mark.parametrize("read_at", ["exit", "frame"])
def test_a_limit_that_is_always_passed_is_the_alternative(read_at: str) -> None:
    """Four streams' worth of frames arrive at once, and none leaves before the last has decided."""
    burst = {"stream.arrivals": {"kind": "periodic", "rate": "1000 kHz"}, "run.frames": 200, "run.replications": 1}
    level = {"above": [1, 2], "hysteresis": 0, "read_at": read_at}
    found = eesim.run(adaptive({**burst, "policy.adaptive": level}))
    # The first two may see an empty system, the last two an almost empty one.
    assert value(found, "level_share.2") >= 0.97


def test_levels_add_up_and_accuracy_follows_them() -> None:
    result = eesim.run(adaptive(), replications=1)
    rows = result.frames()
    shares = rows["level"].value_counts(normalize=True).sort_index()
    assert result.to_dict()["levels"] == pytest.approx(shares.tolist())
    exits = result.scenario.spec.stream.exits
    tables = [exits.accuracy, *(level.accuracy for level in exits.alternatives)]  # type: ignore[union-attr]
    right = [float(tables[level][e - 1]) for level, e in zip(rows["level"], rows["exit"].astype(int), strict=True)]
    assert value(result, "accuracy") == pytest.approx(np.mean(right))


def test_levels_are_coupled() -> None:
    """No frame that leaves at an exit leaves later at a level that takes exits more easily."""
    (block,) = adaptive().blocks(10_000, seed=1, replication=0)
    columns = np.column_stack([block.exit, block.alternatives])  # type: ignore[union-attr]
    assert (np.diff(columns, axis=1) <= 0).all()
    exits = adaptive().spec.stream.exits
    for level, model in enumerate((exits, *exits.alternatives)):  # type: ignore[union-attr]
        assert np.bincount(columns[:, level]).tolist() == list(model.counts)  # type: ignore[union-attr]


def test_shares_are_coupled_too() -> None:
    model = {"kind": "shares", "shares": [0.1, 0.2, 0.3, 0.4], "alternatives": [
        {"shares": [0.4, 0.3, 0.2, 0.1]}, {"shares": [1, 0, 0, 0]}]}  # fmt: skip
    (block,) = adaptive({"stream.exits": model, "requirements": {}}).blocks(10_000, seed=1, replication=0)
    columns = np.column_stack([block.exit, block.alternatives])  # type: ignore[union-attr]
    assert (np.diff(columns, axis=1) <= 0).all()
    assert np.bincount(columns[:, 1]) / 10_000 == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.02)
    assert (columns[:, 2] == 0).all()


def test_a_trace_has_a_column_for_each_level(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("exit,easy,easier\n4,2,1\n3,3,3\n")
    model = {
        "kind": "trace",
        "path": str(tmp_path / "t.csv"),
        "alternatives": [{"column": "easy"}, {"column": "easier"}],
    }
    scenario = adaptive({"stream.exits": model, "requirements": {}, "run": {"replications": 1}})
    (block,) = scenario.blocks(2, seed=1, replication=0)
    draws = lower(scenario).draws(block)
    assert draws.confident.tolist() == [[0b1000, 0b1110, 0b1111], [0b1100] * 3]
    assert eesim.run(scenario).scenario.n_frames == 2


def test_disabled_exits_pass_their_frames_on_at_every_level() -> None:
    scenario = adaptive({"mapping.exits": ["exit2", "final"]})
    (block,) = scenario.blocks(100, seed=1, replication=0)
    taken = np.column_stack([block.exit, block.alternatives])  # type: ignore[union-attr]
    assert lower(scenario).draws(block).confident.tolist() == np.where(taken <= 1, 0b11, 0b10).tolist()


def test_both_engines_find_the_same() -> None:
    few = adaptive({"run.frames": 300})
    assert eesim.run(few).estimates == eesim.run(few, engine="reference").estimates


def test_levels_are_in_the_log() -> None:
    result = eesim.run(adaptive(), log_frames=500)
    assert result.log is not None
    levels = result.log[result.log[:, 1] == EventKind.LEVEL, 4]
    assert set(levels.tolist()) == {0, 1, 2}
    assert (np.diff(levels) != 0).all()


HARD = {"policy.adaptive": {"above": [2], "give_up_after": ["exit2"]}, "stream.exits": {
    "kind": "counts", "counts": [38, 1065, 5450, 3447], "accuracy": [1, 1, 1, 1]}}  # fmt: skip


def test_hard_frames_can_be_given_up_without_alternatives() -> None:
    found, kept = eesim.run(adaptive(HARD)), eesim.run(fixed(0))
    assert 0.05 < value(found, "drop_rate") < 0.5
    assert value(found, "latency_ms.p99") < value(kept, "latency_ms.p99") / 2
    assert value(found, "accuracy") == 1
    rows = found.frames()
    dropped = rows[rows["status"] == "dropped"]
    assert (dropped["level"] == 1).all()
    # Only what would have gone beyond the second exit is given up.
    (block,) = adaptive(HARD).blocks(3000, seed=1, replication=0)
    hard = set(np.flatnonzero(block.exit >= 2).tolist())  # type: ignore[union-attr]
    assert set(dropped.loc[dropped["replication"] == 0, "frame"]) < hard


def test_who_is_given_up_at_a_disabled_exit_is_so_at_the_next() -> None:
    lowered = lower(adaptive({**HARD, "mapping.exits": ["exit3", "final"]}))
    assert lowered.plan.level_last.tolist() == [[1, 0]]


def test_a_search_refuses_it() -> None:
    assert unsupported(adaptive()) == "policy.adaptive lets exits depend on how many frames are in the system"


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"policy.adaptive.above": [4, 4]}, "policy.adaptive.above: must rise from level to level"),
    ({"policy.adaptive.hysteresis": 2}, "policy.adaptive.hysteresis: must be below 2"),
    ({"policy.adaptive.give_up_after": ["exit1"]}, "has 1 entries, but there are 2 levels above level 0"),
    ({"policy.adaptive.give_up_after": ["exit7", None]}, "has no early exit 'exit7' (did you mean exit3?)"),
    ({"policy.adaptive.give_up_after": ["final", None]}, "has no early exit 'final'"),
    ({"policy.adaptive.red_at": "exit"}, "unknown key (did you mean read_at?)"),
    ({"policy.adaptive.read_at": "exits"}, "did you mean exit?"),
    ({"policy.exit_decision": "none"}, "policy.adaptive: changes decisions that exit_decision none never makes"),
    ({"policy.exit_order": "first_confident"}, "policy.adaptive: is of exits that answer in order"),
    ({"policy.adaptive.above": [4]}, "has 1 levels above level 0, but there are 2 alternatives"),
    ({"stream.exits": {"kind": "fixed", "exit": 1}}, "adaptive needs exits that depend on thresholds"),
    ({"stream.exits.alternatives.0.counts": [1, 2, 3, 4]}, "must add up to 10,000, as counts: it is the same test set"),
    ({"stream.exits.alternatives.0.counts": [9000, 1000]}, "has 2 entries, but network ee_resnet18 has 4 exits"),
    ({"stream.exits.alternatives.0": {"counts": [10000, 0, 0, 0]}}, "its alternatives must, too"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "expected"), MISTAKES)
def test_mistakes_are_found(overrides: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        adaptive(overrides)
    assert any(expected in str(problem) for problem in caught.value.problems), caught.value.problems


def test_alternatives_without_the_policy_give_a_note() -> None:
    notes = adaptive({"policy": "cooperative"}).notes
    assert any(note.startswith("stream.exits.alternatives have no effect") for note in notes)
