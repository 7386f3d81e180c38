"""Designs: which points they have, in which order; what is wrong with them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eesim.document import Document
from eesim.spec import validate_document
from eesim.sweeps.build import Builder
from eesim.sweeps.design import Node, spread
from eesim.sweeps.scale import Quantity, Scale, parse_end
from eesim.sweeps.spec import StudySpec
from tests.test_sweeps.studies import study_data

A = {"kind": "list", "path": "run.seed", "values": [1, 2, 3]}
B = {"kind": "list", "path": "run.frames", "values": [10, 20]}


def build(design: dict[str, Any]) -> tuple[Node | None, list[str]]:
    document = Document.of(study_data(design))
    builder = Builder(document)
    node = builder.build(validate_document(StudySpec, document).design, ("design",))
    return node, [str(problem).removeprefix("<python>: ") for problem in builder.problems]


def points(design: dict[str, Any]) -> list[dict[str, Any]]:
    node, wrong = build(design)
    assert not wrong
    assert node is not None
    return [{setting.path: setting.value for setting in node.at(i)} for i in range(node.size)]


def test_a_product_has_every_combination_the_last_fastest() -> None:
    expected = [{"run.seed": a, "run.frames": b} for a in (1, 2, 3) for b in (10, 20)]
    assert points({"kind": "product", "of": [A, B]}) == expected
    assert points({"kind": "grid", "axes": {"run.seed": [1, 2, 3], "run.frames": [10, 20]}}) == expected


def test_a_zip_takes_its_parts_side_by_side() -> None:
    longer = {**B, "values": [10, 20, 30]}
    found = points({"kind": "zip", "of": [A, longer]})
    assert found == [{"run.seed": i, "run.frames": 10 * i} for i in (1, 2, 3)]
    assert build({"kind": "zip", "of": [A, B]})[1] == [
        "design.of.1: has 2 points, but what it is zipped with has 3",
    ]


def test_a_union_goes_through_its_parts_one_after_the_other() -> None:
    assert points({"kind": "union", "of": [A, B, A]}) == [*points(A), *points(B), *points(A)]


def test_designs_nest() -> None:
    inner = {"kind": "zip", "of": [A, {"kind": "list", "path": "run.warmup", "values": [0, 1, 2]}]}
    found = points({"kind": "product", "of": [B, {"kind": "union", "of": [inner, A]}]})
    assert len(found) == 2 * (3 + 3)
    assert found[0] == {"run.frames": 10, "run.seed": 1, "run.warmup": 0}
    assert found[-1] == {"run.frames": 20, "run.seed": 3}


def test_points_are_taken_as_they_are_written() -> None:
    written = [{"run.seed": 1}, {"run.frames": 5, "policy": {"preset": "sequential"}}]
    assert points({"kind": "points", "points": written}) == written


# -- scales -------------------------------------------------------------------------------------------------


def test_ranges_have_clean_values() -> None:
    def values(**axis: Any) -> list[Any]:
        found = points({"kind": "range", "path": "run.seed", **axis})
        return [point["run.seed"] for point in found]

    assert values(low="10 Hz", high="40 Hz", steps=4) == ["10 Hz", "20 Hz", "30 Hz", "40 Hz"]
    assert values(low=0, high=1, steps=11) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert values(low="0.5 ms", high="50 ms", steps=3, scale="log") == ["0.5 ms", "5 ms", "50 ms"]
    # Whole numbers that fall together count once.
    assert values(low=1, high=3, steps=20, integer=True) == [1, 2, 3]
    assert values(low="1 Hz", high="1000 Hz", steps=4, scale="log", integer=True) == [
        "1 Hz",
        "10 Hz",
        "100 Hz",
        "1000 Hz",
    ]


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ({"low": "1 Hz", "high": "2 kHz"}, "low is in Hz, high in kHz"),
        ({"low": 1, "high": "2 kHz"}, "low is in no unit, high in kHz"),
        ({"low": 2, "high": 2}, "high must be above low"),
        ({"low": 0, "high": 2, "scale": "log"}, "a logarithmic scale begins above 0"),
        ({"low": 0.1, "high": 0.9, "integer": True}, "there is no whole number between low and high"),
    ],
)
def test_scales_without_values(axis: dict[str, Any], message: str) -> None:
    assert build({"kind": "range", "path": "run.seed", "steps": 3, **axis})[1] == [f"design.high: {message}"]


@pytest.mark.parametrize("value", ["fast", "", True, None, [1]])
def test_ends_that_are_no_quantities(value: object) -> None:
    with pytest.raises(ValueError, match="must be a number, or a quantity such as 30 Hz"):
        parse_end(value)


@given(st.integers(-50, 50), st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_shares_of_whole_numbers_stay_inside(low: int, width: int, share: float) -> None:
    scale = Scale(parse_end(low), parse_end(low + width), is_log=False, integer=True)
    assert low <= scale.share(share) <= low + width
    assert scale.share(0.0) == low
    assert scale.share(1 - 1e-12) == low + width


# -- samples ------------------------------------------------------------------------------------------------

RATE = {"low": "10 Hz", "high": "90 Hz"}
AXES = {
    "stream.arrivals.rate": RATE,
    "run.seed": {"low": 1, "high": 4, "integer": True},
    "stream.noise.cv": {"low": 0.01, "high": 1, "distribution": "log-uniform"},
    "mapping.segments": ["BGLGLGL", "GGGGGGG"],
}


def sampled(kind: str, n: int, seed: int = 1) -> list[dict[str, Any]]:
    return points({"kind": kind, "points": n, "seed": seed, "axes": AXES})


def number(value: str) -> float:
    return float(value.split()[0])


@pytest.mark.parametrize("kind", ["latin_hypercube", "sobol", "random"])
def test_samples_follow_from_their_seed(kind: str) -> None:
    assert sampled(kind, 20) == sampled(kind, 20)
    assert sampled(kind, 20) != sampled(kind, 20, seed=2)
    for point in sampled(kind, 64):
        assert 10 <= number(point["stream.arrivals.rate"]) <= 90
        assert point["run.seed"] in (1, 2, 3, 4)
        assert 0.01 <= point["stream.noise.cv"] <= 1


def test_a_latin_hypercube_has_one_point_in_each_part_of_each_axis() -> None:
    found = sampled("latin_hypercube", 40)
    rates = sorted(int((number(p["stream.arrivals.rate"]) - 10) / 2) for p in found)
    assert rates == list(range(40))
    # Equal ratios: as many below 0.1 as above.
    assert sum(p["stream.noise.cv"] < 0.1 for p in found) == 20
    assert [sum(p["run.seed"] == s for p in found) for s in (1, 2, 3, 4)] == [10] * 4
    assert sum(p["mapping.segments"] == "GGGGGGG" for p in found) == 20


def test_a_sobol_sequence_is_balanced_in_pairs_of_axes() -> None:
    found = sampled("sobol", 64)
    cells = {(int((number(p["stream.arrivals.rate"]) - 10) / 10), p["run.seed"]) for p in found}
    assert len(cells) == 32
    # The first points do not depend on how many there are.
    assert sampled("sobol", 32) == found[:32]


def test_random_points_are_uniform() -> None:
    found = sampled("random", 4000)
    rates = np.array([number(p["stream.arrivals.rate"]) for p in found])
    assert abs(rates.mean() - 50) < 4 * 80 / np.sqrt(12 * 4000)


# -- paths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("design", "problem"),
    [
        ({**A, "path": "steam.rate"}, "design.path: a scenario has no key 'steam' to sweep (did you mean stream?)"),
        ({**A, "path": "run..seed"}, "design.path: 'run..seed' has an empty step"),
        ({"kind": "product", "of": [A, A]}, "design: sets run.seed twice"),
        (
            {"kind": "grid", "axes": {"run.seed": [1], "run": [{}]}},
            "design: run would overwrite run.seed: put it before",
        ),
    ],
)
def test_paths_that_make_no_sense(design: dict[str, Any], problem: str) -> None:
    assert build(design)[1] == [problem]


def test_a_longer_path_may_follow_a_shorter_one() -> None:
    arrivals = [{"kind": "periodic", "rate": "1 Hz"}, {"kind": "poisson", "rate": "1 Hz"}]
    found = points({"kind": "grid", "axes": {"stream.arrivals": arrivals, "stream.arrivals.rate": ["30 Hz", "60 Hz"]}})
    assert len(found) == 4


def test_huge_designs_are_counted_not_made() -> None:
    axes = {f"run.seed{i}": list(range(100)) for i in range(5)}
    node, wrong = build({"kind": "grid", "axes": axes})
    assert not wrong
    assert node is not None
    assert node.size == 10**10
    assert [setting.value for setting in node.at(10**10 - 1)] == [99] * 5
    axes |= {"run.more": list(range(1000))}
    assert build({"kind": "grid", "axes": axes})[1] == [
        "design: has 10,000,000,000,000 points: more than 1,000,000,000,000"
    ]


@given(st.integers(1, 5000), st.integers(2, 50))
def test_spread_keeps_both_ends(size: int, most: int) -> None:
    found = spread(size, most)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, size - 1)
    assert len(found) <= most or len(found) == size
    assert max((b - a for a, b in itertools.pairwise(found)), default=1) <= size / max(len(found) - 1, 1) + 1


def test_quantities_keep_their_unit() -> None:
    assert parse_end("1.50  Hz") == Quantity(parse_end(1.5).number, "Hz")
