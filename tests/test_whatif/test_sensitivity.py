"""One input at a time: closed forms, what has no effect, what cannot be varied."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eesim.errors import InputError
from eesim.scenario.load import Scenario, load
from eesim.scenario.sensitivity import SensitivitySpec
from eesim.whatif.candidates import rank_candidates
from eesim.whatif.points import Laboratory, Point, evaluate_points
from eesim.whatif.sensitivity import Sensitivity, _spans, sensitivity
from eesim.whatif.tornado import Parameter
from tests.scenarios import COUNTS, FAR_APART, camera, cameras, digits

ALONE = {**FAR_APART, "run": {"frames": 1000, "warmup": "none", "replications": 2}}
"""Frames that never meet: every effect is a share of frames times a change of time."""


def of(found: Sensitivity, path: str) -> Parameter:
    (one,) = [parameter for parameter in found.parameters if parameter.path == path]
    return one


@pytest.fixture(scope="module")
def everything() -> Sensitivity:
    return sensitivity(camera(ALONE), metrics=["mean_latency", "energy"], frames=500)


def test_the_first_segment_moves_every_frame(everything: Sensitivity) -> None:
    effect = of(everything, "profile.times.b1.B").effects["latency_ms.mean"]
    assert effect.effect == pytest.approx((1.618, 1.618, 1.618))
    assert effect.swing == pytest.approx(1.618)
    assert effect.significant is True
    base = everything.base["latency_ms.mean"].value or 0.0
    assert (effect.at_low, effect.at_high) == pytest.approx((base - 0.809, base + 0.809))


def test_an_exit_branch_moves_the_frames_that_leave_there() -> None:
    found = sensitivity(camera(ALONE), {"profile.times.e1.G": "±10 %"}, frames=10_000)
    effect = of(found, "profile.times.e1.G").effects["latency_ms.mean"]
    # Exit 1 answers after e1; later exits wait for b2, which takes longer.
    assert effect.effect.value == pytest.approx(2 * 0.529 * COUNTS[0] / sum(COUNTS))


def test_energy_follows_base_power(everything: Sensitivity) -> None:
    effect = of(everything, "board.base_power.value").effects["energy_mj_per_frame.total"]
    assert of(everything, "board.base_power.value").effects["latency_ms.mean"].swing == 0
    # 20 % of 3537 mW for about the second between two frames.
    assert effect.effect.value == pytest.approx(0.2 * 3537, rel=0.01)


def test_all_numbers_of_all_files_are_there(everything: Sensitivity) -> None:
    paths = {parameter.path for parameter in everything.parameters}
    expected = {
        f"profile.times.{segment}.{pe}" for segment in ("b1", "e1", "b2", "e2", "b3", "e3", "b4") for pe in "BLG"
    }
    expected |= {f"stream.exits.counts.{i}" for i in range(4)}
    expected |= {"stream.arrivals.rate", "board.transfers.routes.B->G.per_byte", "network.segments.0.output"}
    expected |= {"board.pes.G.hosts.B.slows_host.factor", "board.pes.B.opps.table.7.active_power", "mapping.opp.L"}
    assert expected <= paths
    assert len(paths) == len(everything.parameters) > 150
    assert not any(path.startswith(("run.", "requirements.", "physics.")) for path in paths)


def test_inputs_without_effect_are_named(everything: Sensitivity) -> None:
    silent = everything.to_dict()["no_effect"]
    for path in ("profile.times.b1.G", "board.pes.N.peak.value", "board.pes.B.opps.table.0.active_power"):
        assert of(everything, path).status == "not read"
        assert path in silent
    # Contention is off, kernels matter only where running tasks are stopped.
    assert of(everything, "board.pes.G.hosts.B.slows_host.factor").status == "not read"
    assert of(everything, "network.segments.0.kernels").status == "no effect"
    assert "network.segments.0.kernels" in silent
    assert "profile.times.b1.B" not in silent


def test_what_makes_the_input_invalid_is_a_row_with_the_reason(everything: Sensitivity) -> None:
    clock = of(everything, "board.pes.B.opps.table.7.frequency")
    assert clock.status == "invalid"
    assert "is not an operating point of B" in clock.problems[0]
    factor = of(everything, "board.pes.G.hosts.B.slows_self.factor")
    assert factor.status == "effect"
    assert "must be at least 1" in factor.problems[0]
    effect = factor.effects["latency_ms.mean"]
    assert effect.at_low is None
    # From the base to the high end, the only one that there is.
    assert effect.effect.value == pytest.approx((effect.at_high or 0) - (everything.base["latency_ms.mean"].value or 0))
    zero = of(everything, "board.pes.B.idle_power.value")
    assert zero.status == "not varied"
    assert "give it a range" in zero.problems[0]


def test_clocks_move_to_their_neighbours(everything: Sensitivity) -> None:
    span = of(everything, "mapping.opp.B").span
    assert span.low is not None
    assert span.high is not None
    assert (span.low.written(), span.high.written()) == ("1608 MHz", "1800 MHz")


def test_the_largest_swing_comes_first(everything: Sensitivity) -> None:
    swings = [p.effects["latency_ms.mean"].swing for p in everything.parameters if p.effects]
    assert swings == sorted(swings, reverse=True)
    assert everything.parameters[0].path == "profile.times.b1.B"


def test_json_keeps_the_contract(everything: Sensitivity) -> None:
    data = json.loads(json.dumps(everything.to_dict(), allow_nan=False))
    for parameter in data["parameters"]:
        assert {"path", "low", "high", "effect", "status"} <= set(parameter)
    assert data["parameters"][0]["effect"] == pytest.approx(1.618)
    assert data["parameters"][0]["low"] == "7.281 ms"


def test_few_points_are_simulated(everything: Sensitivity) -> None:
    """What a run does not read is not run again."""
    assert everything.simulated < 0.25 * 2 * len(everything.parameters)


# -- what is declared ---------------------------------------------------------------------------------------


def section(**content: Any) -> Scenario:
    return camera({**ALONE, "sensitivity": content})


def paths(found: Sensitivity) -> set[str]:
    return {parameter.path for parameter in found.parameters}


def test_the_scenario_s_ranges_count() -> None:
    ranges = {"profile.times.b1.B": "±5 %", "board.contention.pairs.B.G": {"low": 1, "high": 1.6}}
    found = sensitivity(section(ranges=ranges, metrics=["p99_latency"]), frames=100)
    assert paths(found) == set(ranges)
    assert found.metrics == ("latency_ms.p99",)
    assert of(found, "profile.times.b1.B").effects["latency_ms.p99"].swing == pytest.approx(0.809)


def test_arguments_go_before_the_scenario() -> None:
    ranges = {"profile.times.b1.B": "±5 %"}
    found = sensitivity(section(ranges=ranges), {"profile.times.b1.B": "±1 %"}, frames=100, metrics=["p50_latency"])
    assert of(found, "profile.times.b1.B").effects["latency_ms.p50"].swing == pytest.approx(0.1618)


def test_the_spread_may_be_another() -> None:
    spec = SensitivitySpec.model_validate({"spread": "1 %"})
    spans = {span.name: span for span in _spans(camera(ALONE), spec, None, None)}
    low = spans["profile.times.b1.B"].low
    assert low is not None
    assert low.written() == "8.0091 ms"


def test_a_path_that_means_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match=r"profile\.tims: unknown key \(did you mean times\?\)"):
        sensitivity(camera(ALONE), {"profile.tims.b1.B": "1..2 ms"}, frames=50)


def test_a_range_that_means_nothing_says_where_it_stands(tmp_path: Any) -> None:
    text = (
        "eesim: 1\nboard: rk3399pro\nnetwork: ee_resnet18\nmapping: {segments: BGLGLGL}\n"
        "stream:\n  arrivals: {kind: periodic, rate: 1 Hz}\n  exits: {kind: fixed, exit: 1}\n"
        "sensitivity:\n  ranges:\n    profile.times.b1.B: 2 ms..1 ms\n"
    )
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"s\.yaml:10: .*must be below"):
        sensitivity(load(path))


def test_a_relative_range_needs_a_number() -> None:
    with pytest.raises(InputError, match="no number that a share could be taken of"):
        sensitivity(camera(ALONE), {"board.pes.G.host": "±10 %"}, frames=50)


# -- points -------------------------------------------------------------------------------------------------


def test_points_that_are_the_same_are_simulated_once() -> None:
    laboratory = Laboratory(camera(ALONE), frames=100)
    slower = Point(((("profile", "times", "b1", "B"), "9 ms"),))
    silent = Point(((("profile", "times", "b1", "G"), "9 ms"),))
    outcomes = evaluate_points(laboratory, [slower, silent, slower])
    assert laboratory.simulated == 2
    assert outcomes[0] is outcomes[2]
    assert outcomes[0].is_read
    assert not outcomes[1].is_read
    assert outcomes[1].values == laboratory.outcome.values


def test_a_point_that_cannot_run_says_why() -> None:
    laboratory = Laboratory(camera(ALONE), frames=100)
    (outcome,) = evaluate_points(laboratory, [Point(((("mapping", "segments"), "BGL"),))])
    assert outcome.values is None
    assert "has 3 PEs" in outcome.problem


# -- several streams ----------------------------------------------------------------------------------------


def test_inputs_of_every_stream_are_varied_once() -> None:
    names = [span.name for span in _spans(cameras(), SensitivitySpec(), None, None)]
    assert len(set(names)) == len(names)
    assert {"streams.0.arrivals.rate", "streams.1.arrivals.rate", "stream.exits.counts.0", "mapping.opp.G"} <= set(
        names
    )
    assert {"profile.times.b1.B", "network.input", "streams.1.priority"} <= set(names)
    assert not any("requirements" in name or "streams.1.profile" in name for name in names)


def test_what_the_second_stream_alone_reads_is_read() -> None:
    ranges = {
        "streams.1.arrivals.rate": "8 Hz..12 Hz",
        "profile.times.b1.G": "±10 %",
        "board.runtimes.switch.ramp_window": "±10 %",
    }
    found = sensitivity(cameras(), ranges, frames=400, replications=2, metrics=["stream.rear.mean_latency"])
    assert found.metrics == ("stream.rear.latency_ms.mean",)
    assert of(found, "streams.1.arrivals.rate").status == "effect"
    # Only the rear camera runs b1 on the GPU.
    effect = of(found, "profile.times.b1.G").effects["stream.rear.latency_ms.mean"].effect
    assert effect.value is not None
    assert effect.value >= 0.2 * cameras().profile.times["b1"]["G"] / 1e6
    assert of(found, "board.runtimes.switch.ramp_window").status == "not read"


def test_requirements_of_every_stream_count() -> None:
    laboratory = Laboratory(cameras(), frames=400, replications=2)
    assert laboratory.outcome.meets
    (late,) = evaluate_points(laboratory, [Point(((("streams", 1, "requirements", "deadline"), "10 ms"),))])
    assert late.values is not None
    assert not late.meets


def test_candidates_are_mappings_of_one_stream() -> None:
    with pytest.raises(InputError, match="2 streams share the platform"):
        rank_candidates(cameras(), ["BGLGLGL", "GGGGGGG"])


# -- what runs do not read ----------------------------------------------------------------------------------


def test_terms_of_measured_runtimes_are_not_read(everything: Sensitivity) -> None:
    """They add to profiles that were taken layer by layer, under the policies of these runtimes."""
    runtimes = [parameter for parameter in everything.parameters if parameter.path.startswith("board.runtimes.")]
    assert len(runtimes) > 50
    assert {parameter.status for parameter in runtimes} <= {"not read", "not varied"}


def test_laws_of_a_profile_are_varied() -> None:
    law = {"cycles": "8 Mcycles", "host_cycles": "18 Mcycles", "fixed": "1 ms"}
    with_law = camera({**ALONE, "mapping.segments": "NGLGLGL", "profile.laws": {"b1": {"N": law}}})
    names = [span.name for span in _spans(with_law, SensitivitySpec(), None, None)]
    ranges = {f"profile.laws.b1.N.{key}": "±10 %" for key in law}
    assert set(ranges) <= set(names)
    found = sensitivity(with_law, ranges, frames=100)
    effects = [of(found, path).effects["latency_ms.mean"].effect.value for path in ranges]
    board, mapping = with_law.board, with_law.mapping
    host_hz = mapping.host_hz(board, "N")
    assert host_hz is not None
    slower = board.pes["N"].host_effect.slows_self.factor if board.pes["N"].host_effect else 1
    cycles_ms, host_ms = 8e9 / mapping.segment_opp_hz[0], 18e9 / host_hz
    assert effects == pytest.approx([0.2 * slower * time for time in (cycles_ms, host_ms, 1.0)], rel=1e-4)


def test_terms_of_the_runtime_that_a_scenario_runs_under_are_read() -> None:
    alexnet = {
        "network": "alexnet",
        "mapping.segments": "BBBBGGGG",
        "policy": "coup-switch",
        "stream": {"arrivals": {"kind": "closed_loop"}, "exits": {"kind": "fixed", "exit": 1}},
        "requirements": {},
    }
    scenario = camera(alexnet)
    spans = [span.name for span in _spans(scenario, SensitivitySpec(), None, None)]
    laws = [name for name in spans if name.startswith("profile.laws.")]
    assert len(laws) > 50
    terms = ("switch.pes.G.copy_in.value", "switch.npus.N.call.value", "pipeline.stages.B.scale.value")
    found = sensitivity(scenario, {f"board.runtimes.{name}": "±10 %" for name in terms}, frames=20, replications=2)
    assert [of(found, f"board.runtimes.{name}").status for name in terms] == ["effect", "not read", "not read"]


def test_thresholds_are_varied() -> None:
    assert "mapping.thresholds.exit1" in [span.name for span in _spans(digits(), SensitivitySpec(), None, None)]
    found = sensitivity(digits(), {"mapping.thresholds.exit1": "0.5..0.95"}, frames=500, metrics=["accuracy"])
    assert of(found, "mapping.thresholds.exit1").status == "effect"
