"""Several streams whose exits come from confidences: each has its own thresholds, every answer is judged by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eesim
from eesim.engine.simulate import EngineName
from eesim.errors import InputError
from eesim.evaluate import trace_digests
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import DEFAULT_FRAMES, Scenario, load
from eesim.workload.traces import read_samples

TABLE = scenario_folder() / "confidences" / "digits_mlp.csv"
OWN = {"sure": (0.9, 0.95), "hasty": (0.4, 0.5)}
COUNTED = {"kind": "counts", "counts": [3, 2, 1], "accuracy": ["50 %", "60 %", "70 %"]}


def three(changes: dict[str, Any] | None = None, third: dict[str, Any] | None = None) -> Scenario:
    """Two streams of digits with thresholds of their own, and one whose accuracies are known by exit."""
    data = {
        "eesim": 1,
        "board": "psoc6",
        "network": "digits_mlp",
        "mapping": {"segments": "MMFFF", "thresholds": {"exit1": 0.9, "exit2": 0.95}},
        "policy": "sequential",
        "stream": {
            "arrivals": {"kind": "poisson", "rate": "900 Hz"},
            "exits": {"kind": "confidences", "path": str(TABLE), "split": "test"},
        },
        "streams": [
            {"name": "sure"},
            {
                "name": "hasty",
                "priority": 1,
                "mapping": {"thresholds": {"exit1": 0.4, "exit2": 0.5}},
                "arrivals": {"kind": "poisson", "rate": "2 kHz"},
                "policy": {"frames_in_flight": 1, "queue": {"capacity": 0, "full": "drop_newest"}},
            },
            {"name": "known", "exits": third or COUNTED},
        ],
        "run": {"frames": 3000, "warmup": "none", "replications": 1, "seed": 5},
    }
    return load(data, changes or {}, folder=scenario_folder())


def replayed(scenario: Scenario, stream: int) -> np.ndarray:
    """Rows of the table that a stream replays, frame by frame."""
    blocks = list(scenario.blocks(scenario.n_frames, seed=5, replication=0))
    return np.concatenate([block.parts[stream].sample for block in blocks])  # type: ignore[union-attr]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_every_answer_of_every_stream_is_judged_by_its_own_sample(engine: EngineName, tmp_path: Path) -> None:
    # A stream that ends with its trace: what was drawn is handed out in blocks of different sizes.
    (tmp_path / "t.csv").write_text("arrival_ms\n" + "\n".join(str(2 * i) for i in range(150)))
    scenario = three({"streams.2.arrivals": {"kind": "trace", "path": str(tmp_path / "t.csv")}})
    blocks = list(scenario.blocks(3000, seed=5, replication=0))
    assert len({len(block.order) for block in blocks}) > 1  # type: ignore[union-attr]
    result = eesim.run(scenario, engine=engine)
    samples = read_samples(TABLE, "test", 3)
    frames = result.frames().sort_values("frame")
    right = 0.0
    for g, (name, limits) in enumerate(OWN.items()):
        rows, own = replayed(scenario, g), frames[frames["stream"] == name]
        assert len(rows) == len(own)
        answered = (own["status"] == "answered").to_numpy()
        sure = samples.confidence[rows] >= np.array(limits)
        expected = np.argmax(np.c_[sure, np.ones(len(rows), bool)], axis=1)
        assert own["exit"].to_numpy()[answered].tolist() == (expected + 1)[answered].tolist()
        good = samples.correct[rows, expected][answered]
        assert result.value(f"stream.{name}.accuracy") == pytest.approx(good.mean(), abs=1e-12)
        right += good.sum()
    assert (frames["status"] == "dropped").any()
    known = frames[frames["stream"] == "known"]["exit"].astype(int).to_numpy()
    share = np.array([0.5, 0.6, 0.7])[known - 1]
    assert result.value("stream.known.accuracy") == pytest.approx(share.mean())
    everything = (right + share.sum()) / (frames["status"] == "answered").sum()
    assert result.value("accuracy") == pytest.approx(everything)
    assert result.value("stream.sure.accuracy") > result.value("stream.hasty.accuracy") + 0.01


def test_a_stream_of_unknown_accuracy_hides_that_of_all_but_not_the_others() -> None:
    result = eesim.run(three(third={"kind": "counts", "counts": [3, 2, 1]}))
    assert result.value("accuracy") is None
    assert result.value("stream.known.accuracy") is None
    assert result.value("stream.sure.accuracy") == eesim.run(three()).value("stream.sure.accuracy")


def test_one_replication_has_intervals_of_every_accuracy() -> None:
    estimates = eesim.run(three()).estimates
    for name in ("accuracy", "stream.sure.accuracy", "stream.hasty.accuracy", "stream.known.accuracy"):
        found = estimates[name]
        assert found.ci_low < found.value < found.ci_high, name


def test_an_accuracy_can_be_required_of_all_and_of_each() -> None:
    def met(limit: str, of_one: str) -> list[bool]:
        rules = {"requirements.accuracy": limit, "streams.1.requirements.accuracy": of_one}
        return [verdict.met for verdict in eesim.run(three(rules)).verdicts]

    assert met("60 %", "70 %") == [True, True]
    assert met("99 %", "99.9 %") == [False, False]
    with pytest.raises(InputError, match=r"cannot be judged: not every stream's exits\.accuracy"):
        three({"requirements.accuracy": "60 %"}, third={"kind": "shares", "shares": [0.5, 0.3, 0.2]})


def test_every_stream_needs_thresholds_of_the_exits_that_it_enables() -> None:
    with pytest.raises(InputError) as caught:
        three({"streams.1.mapping.thresholds": {"exit1": 0.5}, "streams.0.mapping": {"exits": ["exit1"]}})
    (problem,) = caught.value.problems
    assert "thresholds.exit2: missing" in str(problem)
    with pytest.raises(InputError, match=r"thresholds.exit9: network digits_mlp has no exit 'exit9'"):
        three({"streams.1.mapping.thresholds": {"exit9": 0.5}})
    assert any("known: mapping.thresholds has no effect" in note for note in three().notes)


def test_a_table_has_no_end_that_a_stream_would_stop_at(tmp_path: Path) -> None:
    assert three({"run.frames": None}).n_frames == DEFAULT_FRAMES
    assert len(replayed(three(), 1)) > 500, "more frames than samples"
    (tmp_path / "t.csv").write_text("arrival_ms\n" + "\n".join(str(i) for i in range(1200)))
    arrivals = {"kind": "trace", "path": str(tmp_path / "t.csv")}
    ended = three({"run.frames": None, **{f"streams.{g}.arrivals": arrivals for g in range(3)}})
    assert ended.n_frames == 3600


def test_files_of_every_stream_are_in_the_provenance() -> None:
    names = {"trace_confidence.sure", "trace_correct.sure", "trace_confidence.hasty", "trace_correct.hasty"}
    assert set(trace_digests(three())) == names
    other = three({"streams.1.exits": {"kind": "confidences", "path": str(TABLE), "split": "calibration"}})
    a, b = eesim.run(three()).provenance, eesim.run(other).provenance
    assert a["parts_sha256"]["trace_correct.hasty"] != b["parts_sha256"]["trace_correct.hasty"]


def test_thresholds_are_searched_for_one_stream() -> None:
    with pytest.raises(InputError, match="3 streams share the platform: search the thresholds of each alone"):
        eesim.thresholds(three())


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_answers_are_judged_one_by_one_where_hard_frames_are_given_up(engine: EngineName) -> None:
    """The rate is far above what the system can do; who is dropped is not an answer, right or wrong."""
    adaptive = {"above": [3], "give_up_after": ["exit2"]}
    scenario = three({"streams.1.policy": {"adaptive": adaptive}, "streams.1.arrivals.rate": "12 kHz"})
    result = eesim.run(scenario, engine=engine)
    frames = result.frames().sort_values("frame")
    own = frames[frames["stream"] == "hasty"]
    answered = (own["status"] == "answered").to_numpy()
    assert 0 < (~answered).sum() < len(own)
    assert set(own["level"]) == {0, 1}
    samples, rows = read_samples(TABLE, "test", 3), replayed(scenario, 1)
    good = samples.correct[rows[answered], own["exit"].to_numpy()[answered].astype(int) - 1]
    assert result.value("stream.hasty.accuracy") == pytest.approx(good.mean(), abs=1e-12)
    with pytest.raises(InputError, match=r"adaptive: confidences have no alternatives"):
        three({"streams.1.policy": {"adaptive": {"above": [3]}}})
