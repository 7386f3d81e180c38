"""Comparisons: identical scenarios, one per cent in one segment, precision, several variants."""

from __future__ import annotations

import json
from typing import Any

import pytest

import eesim
from eesim.errors import InputError, SimulationDeadlock
from eesim.evaluate import Replications
from eesim.metrics.statistics import Estimate
from eesim.whatif.compare import compare
from eesim.whatif.comparison import Comparison, MetricDifference
from eesim.whatif.precision import Precision, is_reached, parse_precision, replications_for
from tests.scenarios import camera, cameras, digits

SMALL = {"run.frames": 1000, "run.replications": 4}
RANDOM = {**SMALL, "stream.noise": {"kind": "lognormal", "cv": 0.3}, "stream.arrivals.rate": "50 Hz"}


def found(comparison: Comparison, metric: str, variant: int = 0) -> MetricDifference:
    (one,) = [one for one in comparison.variants[variant].metrics if one.metric == metric]
    return one


def test_identical_scenarios_do_not_differ() -> None:
    comparison = compare(camera(RANDOM), camera(RANDOM))
    (variant,) = comparison.variants
    assert variant.verdict == "identical: no difference"
    assert variant.changes == ()
    for one in variant.metrics:
        assert one.paired.difference == (0.0, 0.0, 0.0)
        assert one.significant is False
    data = comparison.to_dict()
    assert data["identical"] is True
    assert data["inputs"] == []


@pytest.mark.parametrize("base", [SMALL, RANDOM], ids=["exact", "random"])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_per_cent_in_one_segment_is_found_with_its_sign(base: dict[str, Any], sign: int) -> None:
    time = f"{8.09 * (1 + 0.01 * sign):.6f} ms"
    comparison = compare(camera(base), camera({**base, "profile.times.b1.B": time}))
    (variant,) = comparison.variants
    assert [change.path for change in variant.changes] == ["profile.times.b1.B"]
    mean = found(comparison, "latency_ms.mean")
    assert mean.significant is True
    low, high = mean.paired.difference.ci_low, mean.paired.difference.ci_high
    assert low is not None
    assert high is not None
    assert sign * low > 0
    assert sign * high > 0
    # Every frame passes through b1: at least its 0.08 ms, a little more where frames wait for each other.
    assert sign * (mean.paired.difference.value or 0) == pytest.approx(0.0809, rel=0.35)
    assert found(comparison, "drop_rate").significant is False


def test_common_random_numbers_beat_independent_ones() -> None:
    a, b = camera(RANDOM), camera({**RANDOM, "profile.times.b1.B": "8.1709 ms"})
    mean = found(compare(a, b), "latency_ms.mean").paired
    assert mean.difference.ci_high is not None
    assert mean.difference.ci_low is not None
    assert mean.a.ci_high is not None
    assert mean.a.ci_low is not None
    assert mean.difference.ci_high - mean.difference.ci_low < 0.1 * (mean.a.ci_high - mean.a.ci_low)


def test_values_are_those_of_a_run() -> None:
    a, b = camera(SMALL), camera({**SMALL, "board.pes.G.host": "L"})
    comparison = compare(a, b)
    for scenario, side in ((a, "a"), (b, "b")):
        result = eesim.run(scenario)
        for metric in ("latency_ms.mean", "latency_ms.p99", "power_mw", "utilisation.B"):
            assert getattr(found(comparison, metric).paired, side) == pytest.approx(result.estimates[metric]), metric


def test_what_nobody_reads_makes_no_difference() -> None:
    comparison = compare(camera(SMALL), camera({**SMALL, "board.pes.B.opps.table.0.voltage": "0.81 V"}))
    (variant,) = comparison.variants
    assert variant.verdict == "no difference: the run reads nothing of what differs"
    assert len(variant.changes) == 1
    assert comparison.to_dict()["identical"] is False


def test_a_difference_that_nobody_can_see() -> None:
    noisy = {**RANDOM, "stream.noise": {"kind": "exponential"}, "run.frames": 200}
    a, b = camera(noisy), camera({**noisy, "stream.exits.counts": [8223, 1014, 294, 469]})
    comparison = compare(a, b, metrics=["latency_ms.mean"], replications=3)
    assert found(comparison, "latency_ms.mean").significant is False
    assert comparison.variants[0].verdict == "no difference is visible"


def test_all_measure_the_same_frames() -> None:
    """Warm-ups found by rule differ between a calm and an overloaded scenario: the longer one counts for both."""
    a, b = camera({"run.frames": 2000, "run.replications": 3}), camera({"run.frames": 2000, "policy": "coup-switch"})
    own = [[r.warmup_frames for r in eesim.run(one, replications=3).replications] for one in (a, b)]
    assert own[0] != own[1]
    comparison = compare(a, b)
    cuts = [
        [r.warmup_frames for r in result.replications] for result in (comparison.result, comparison.variants[0].result)
    ]
    longest = [max(pair) for pair in zip(*own, strict=True)]
    assert cuts == [longest, longest]


def test_who_is_overloaded_is_told_of_that_one_alone() -> None:
    few = {"run.frames": 1000, "run.replications": 2}
    comparison = compare(camera(few), camera({**few, "stream.arrivals.rate": "120 Hz"}))
    assert not any("steady state" in note for note in comparison.result.notes)
    notes = comparison.variants[0].result.notes
    assert any("no steady state" in note for note in notes)
    assert any("overload" in note for note in notes)


def test_a_variant_that_cannot_go_on_ends_the_comparison() -> None:
    stuck = camera({**SMALL, "policy.stage_queue": {"capacity": 0, "full": "block"}})
    with pytest.raises(SimulationDeadlock):
        compare(camera(SMALL), stuck)


def test_several_variants_are_tested_together() -> None:
    base = camera(SMALL)
    comparison = compare(base, base, camera({**SMALL, "board.pes.G.host": "L"}), labels=["A", "same", "host"])
    assert [variant.label for variant in comparison.variants] == ["same", "host"]
    data = comparison.to_dict()
    assert len(data["variants"]) == 2
    assert "metrics" not in data
    assert data["tests"] == 2 * len(comparison.variants[0].metrics)
    one = compare(base, camera({**SMALL, "board.pes.G.host": "L"}))
    alone, together = found(one, "latency_ms.mean"), found(comparison, "latency_ms.mean", 1)
    assert alone.paired == together.paired


def test_json_says_nothing_but_json() -> None:
    data = compare(camera(SMALL), camera({**SMALL, "stream.arrivals.rate": "60 Hz"})).to_dict()
    again = json.loads(json.dumps(data, allow_nan=False))
    metric = again["metrics"]["latency_ms.p99"]
    assert {"a", "b", "difference", "significant"} <= set(metric)
    assert set(metric["difference"]) == {"value", "ci_low", "ci_high"}
    assert again["inputs"] == [{"path": "stream.arrivals.rate", "a": "30 Hz", "b": "60 Hz"}]
    assert again["pairing"]["arrivals"] == "same random numbers"


def test_metrics_may_be_named() -> None:
    comparison = compare(camera(SMALL), camera(SMALL), metrics=["p99_latency", "energy_mj_per_frame.base"])
    assert [one.metric for one in comparison.variants[0].metrics] == ["latency_ms.p99", "energy_mj_per_frame.base"]
    everything = compare(camera(SMALL), camera(SMALL), metrics=["all"])
    assert len(everything.variants[0].metrics) > 40


def test_unknown_metrics_are_refused_with_a_guess() -> None:
    with pytest.raises(InputError, match=r"latency_ms.p98: is not a metric.*did you mean latency_ms.p9"):
        compare(camera(SMALL), camera(SMALL), metrics=["latency_ms.p98"])


def test_nothing_to_compare_with() -> None:
    with pytest.raises(InputError, match="second scenario"):
        compare(camera(SMALL))


def test_one_replication_is_not_enough() -> None:
    comparison = compare(camera({**SMALL, "run.replications": 1}), camera(SMALL))
    assert comparison.replications == 2


# -- precision ----------------------------------------------------------------------------------------------


def test_replications_are_added_until_it_is_tight() -> None:
    a, b = camera(RANDOM), camera({**RANDOM, "mapping.segments": "BGBBLBL"})
    loose = compare(a, b, metrics=["latency_ms.mean"])
    half = 0.3 * (_half(found(loose, "latency_ms.mean").paired.difference))
    comparison = compare(a, b, metrics=["latency_ms.mean"], precision=f"{half:.4f} ms")
    assert comparison.precise
    assert comparison.replications > loose.replications
    assert _half(found(comparison, "latency_ms.mean").paired.difference) <= half
    # The first ones are the same: more of them are added to them.
    first = Replications(a, seed=comparison.result.seed)
    first.simulate(range(2))
    assert comparison.result.replications[0].values.keys() == first.done[0].values.keys()


def test_a_cap_ends_the_search() -> None:
    a, b = camera(RANDOM), camera({**RANDOM, "mapping.segments": "BGBBLBL"})
    comparison = compare(a, b, precision="0.001 %", max_replications=6)
    assert (comparison.replications, comparison.precise) == (6, False)
    assert comparison.to_dict()["precision"]["reached"] is False


def test_what_is_exact_needs_no_more() -> None:
    comparison = compare(camera(SMALL), camera(SMALL), precision="0.0001 ms")
    assert (comparison.replications, comparison.precise) == (4, True)


def _half(estimate: Estimate) -> float:
    assert estimate.ci_low is not None
    assert estimate.ci_high is not None
    return (estimate.ci_high - estimate.ci_low) / 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1%", Precision(1, "%")), ("0.1 ms", Precision(0.1, "ms")), (" 100us", Precision(100, "us"))],
)
def test_precisions_are_read(text: str, expected: Precision) -> None:
    assert parse_precision(text, ["latency_ms.mean"]) == expected


@pytest.mark.parametrize("text", ["", "0 %", "-1 ms", "ms", "1 mJ", "1", "1 % ms"])
def test_precisions_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--precision"):
        parse_precision(text, ["latency_ms.mean"])


def test_widths_are_in_the_metric_s_unit() -> None:
    assert Precision(100, "us").half_width("latency_ms.mean", 16.0) == pytest.approx(0.1)
    assert Precision(2, "%").half_width("power_mw", -50.0) == pytest.approx(1.0)
    assert Precision(0.001, "").half_width("drop_rate", 0.0) == 0.001
    assert Precision(2, "%").half_width("drop_rate", 0.0) is None


def test_half_the_width_takes_four_times_the_replications() -> None:
    wide = Estimate(1.0, 0.0, 2.0)
    assert is_reached(wide, 1.0)
    assert replications_for(wide, 1.0, 10) == 10
    assert replications_for(wide, 0.8, 10) == pytest.approx(1.1 * 10 / 0.8**2, abs=1)
    assert replications_for(wide, 0.01, 10) == 40
    assert replications_for(Estimate(1.0), 0.01, 2) == 8
    assert replications_for(Estimate(None), 0.01, 2) == 2


# -- several streams ------------------------------------------------------------------------------------


def test_of_several_streams_each_is_compared() -> None:
    a, b = cameras(SMALL), cameras({**SMALL, "streams.1.mapping.segments": "LLLLLLL"})
    comparison = compare(a, b)
    (variant,) = comparison.variants
    assert not variant.same_simulation
    assert [change.path for change in variant.changes] == ["streams.1.mapping.segments"]
    assert variant.pairing.is_complete
    names = [one.metric for one in variant.metrics]
    assert {f"stream.{name}.latency_ms.p99" for name in ("front", "rear")} < set(names)
    assert {"latency_ms.p99", "stream.rear.deadline_miss_rate", "utilisation.L"} < set(names)
    for scenario, side in ((a, "a"), (b, "b")):
        result = eesim.run(scenario)
        for metric in ("latency_ms.mean", "stream.front.latency_ms.mean", "stream.rear.drop_rate"):
            assert getattr(found(comparison, metric).paired, side) == pytest.approx(result.estimates[metric]), metric
    assert {verdict.stream for verdict in variant.result.verdicts} == {"", "front", "rear"}


def test_what_only_the_other_stream_reads_is_a_difference() -> None:
    """The first stream is the same in both, and of higher priority: the second one's inputs are read all the same."""
    comparison = compare(cameras(SMALL), cameras({**SMALL, "streams.1.arrivals.phase": "12 ms"}))
    (variant,) = comparison.variants
    assert not variant.same_simulation
    assert "metrics differ" in variant.verdict


def test_metrics_of_a_stream_may_be_named_as_requirements_are() -> None:
    comparison = compare(cameras(SMALL), cameras(SMALL), metrics=["stream.rear.p99_latency", "p99_latency"])
    assert [one.metric for one in comparison.variants[0].metrics] == ["stream.rear.latency_ms.p99", "latency_ms.p99"]
    with pytest.raises(InputError, match=r"stream.raer.p99_latency: is not a metric"):
        compare(cameras(SMALL), cameras(SMALL), metrics=["stream.raer.p99_latency"])


def test_precision_is_asked_of_every_stream() -> None:
    comparison = compare(cameras(SMALL), cameras({**SMALL, "board.pes.G.host": "L"}), precision="50 %")
    assert comparison.precision_of == tuple(
        f"{prefix}latency_ms.{name}"
        for prefix in ("", "stream.front.", "stream.rear.")
        for name in ("mean", "p99")
    )  # fmt: skip


def test_one_camera_against_two() -> None:
    comparison = compare(camera(SMALL), cameras(SMALL))
    (variant,) = comparison.variants
    assert not any(one.metric.startswith("stream.") for one in variant.metrics)
    assert found(comparison, "throughput_fps").significant is True


def test_another_threshold_is_another_simulation() -> None:
    comparison = compare(digits(SMALL), digits({**SMALL, "mapping.thresholds.exit1": 0.5}))
    (variant,) = comparison.variants
    assert not variant.same_simulation
    assert found(comparison, "latency_ms.mean").significant is True
    accuracy = found(comparison, "accuracy").paired.difference.value
    assert accuracy is not None
    assert accuracy < 0
