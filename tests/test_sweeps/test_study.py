"""Studies: everything that is wrong is said at once, before anything is simulated or written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import eesim
from eesim.errors import InputError
from eesim.sweeps.columns import metrics_of
from eesim.sweeps.study import load_study
from tests.scenarios import CAMERA
from tests.test_sweeps.studies import GRID, problems, study, study_data

GOOD: dict[str, Any] = {"kind": "list", "path": "run.seed", "values": [1, 2]}


def with_axis(path: str, *values: Any) -> dict[str, Any]:
    return {"kind": "product", "of": [GOOD, {"kind": "list", "path": path, "values": list(values)}]}


def test_a_good_study_loads() -> None:
    found = study()
    assert (found.design.size, found.metrics) == (6, ())
    assert found.base.document.get(("run", "frames")) == 300


def test_one_bad_value_among_good_ones_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(study_data(with_axis("mapping.opp.B", "1800 MHz", "1801 MHz")), indent=1))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "1801 MHz" in text)
    with pytest.raises(InputError) as caught:
        load_study(path)
    (problem,) = caught.value.problems
    assert (problem.source, problem.line, problem.path) == (str(path), line, "mapping.opp.B")
    assert problem.hint == "1800 MHz"


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        ("stream.arrivals.rat", ["1 Hz", "2 Hz"], "unknown key (did you mean rate?)"),
        ("stream.exits.counts.9", [1], "9 is not an index of a list of 4 (0 is the first)"),
        ("policy.dispatch", ["fifo", "lifo"], "'lifo' is not one of oldest_frame, fifo (did you mean fifo?)"),
        ("mapping.segments", ["GGGGGGG", "GGG"], "has 3 PEs, but network ee_resnet18 has 7 segments"),
        ("board", ["rk3399pro", "rk3399"], "there is no board 'rk3399'"),
        ("board.pes.G.host", ["L", "X"], "there is no PE 'X' on this board"),
    ],
)
def test_values_that_can_never_be_right(path: str, values: list[Any], expected: str) -> None:
    assert any(text.startswith(f"{path}: {expected}") for text in problems(with_axis(path, *values)))


def test_all_problems_are_told_at_once() -> None:
    design = {
        "kind": "product",
        "of": [
            {"kind": "list", "path": "run.frames", "values": [100, 0]},
            {"kind": "list", "path": "mapping.segments", "values": ["GGGGGGG", "QQQQQQQ"]},
        ],
    }
    found = problems(design, metrics=["latency_ms.p98"], set={"run.repplications": 1})
    assert len(found) == 3
    assert any("run.repplications: unknown key" in text for text in found)
    assert any(text.startswith("run.frames: ") for text in found)
    assert any("there is no PE 'Q'" in text for text in found)


def test_values_are_tried_although_another_factor_of_a_product_is_wrong() -> None:
    bad = {"kind": "range", "path": "stream.arrivals.rate", "low": 30, "high": "60 Hz", "steps": 3}
    found = problems({"kind": "product", "of": [bad, with_axis("mapping.segments", "GGGGGGG", "QQQQQQQ")]})
    assert found[0] == "design.of.0.high: low is in no unit, high in Hz"
    assert found[1].startswith("mapping.segments: there is no PE 'Q'")


def test_a_wrong_base_is_told_once_not_per_value() -> None:
    found = problems(set={"stream.arrivals.jiter": "1 ms"})
    assert found == ["stream.arrivals.jiter: unknown key (did you mean jitter?)"]


def test_a_value_that_is_wrong_with_some_others_only_is_no_problem_of_the_study() -> None:
    # Blocking contradicts what the preset says in half of the points: those fail by themselves.
    design = {
        "kind": "grid",
        "axes": {"policy": ["cooperative", "coup-switch"], "policy.speculation": ["parallel", "blocking"]},
    }
    assert problems(design) == []


def test_zipped_values_are_tried_together() -> None:
    # Each is wrong with the base's other value, right with its partner.
    arrivals = [{"kind": "closed_loop"}, {"kind": "poisson", "rate": "20 Hz"}]
    design = {"kind": "zip", "of": [{"kind": "list", "path": "stream.arrivals", "values": arrivals}, GOOD]}
    assert problems(design) == []


def test_unknown_metrics_are_told() -> None:
    assert problems(metrics=["latency_ms.p99", "latency_ms.p98"]) == [
        "metrics.1: there is no metric 'latency_ms.p98' (did you mean latency_ms.p99?)"
    ]
    assert problems(metrics=["utilisation.G", "exit_share.exit1"]) == []


@pytest.mark.parametrize("name", ["two_cameras", "ee_resnet18_camera", "adaptive_exits", "finite_queues"])
def test_every_metric_of_a_run_can_be_a_column_and_nothing_else(name: str) -> None:
    scenario = eesim.load(CAMERA.with_name(f"{name}.yaml"), {"run.frames": 200, "run.replications": 2})
    names = set(eesim.run(scenario).estimates)
    assert set(metrics_of(eesim.lower(scenario))) == names
    told = {"metrics": sorted(names), "eesim": 1, "scenario": str(CAMERA.with_name(f"{name}.yaml"))}
    load_study({**told, "design": {"kind": "grid", "axes": {"run.seed": [1, 2]}}})


def test_what_is_set_cannot_be_swept() -> None:
    assert "set.stream.arrivals.rate: is swept by the design" in problems(set={"stream.arrivals.rate": "5 Hz"})
    with pytest.raises(InputError, match="is swept by the study"):
        load_study(study_data(), ["mapping.segments=GGGGGGG"])


def test_the_scenario_can_be_a_path_a_name_or_written_out(tmp_path: Path) -> None:
    assert problems(scenario=str(CAMERA)) == []
    assert problems(scenario="ee_resnet18_camra")[0].endswith("(did you mean ee_resnet18_camera?)")
    written = {
        "eesim": 1, "board": "rk3399pro", "network": "ee_resnet18", "mapping": {"segments": "GGGGGGG"},
        "stream": {"arrivals": {"kind": "periodic", "rate": "9 Hz"}, "exits": {"kind": "fixed", "exit": 1}},
    }  # fmt: skip
    assert problems(scenario=written) == []
    assert problems(scenario={**written, "stram": {}}) == ["scenario.stram: unknown key (did you mean stream?)"]


def test_sampled_ends_are_tried() -> None:
    design = {"kind": "sobol", "points": 8, "seed": 1, "axes": {"run.confidence": {"low": 0.4, "high": 0.9}}}
    (found,) = problems(design)
    assert found.startswith("run.confidence: ")


def test_set_on_the_command_line_counts_last() -> None:
    found = load_study(study_data(GRID), ["run.frames=77"])
    assert found.base.document.get(("run", "frames")) == 77
