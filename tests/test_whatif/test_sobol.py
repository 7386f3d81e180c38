"""Sobol's indices against a function whose indices are known, against SciPy, and on the simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from eesim.base import FloatArray
from eesim.errors import InputError
from eesim.whatif.ranges import Span
from eesim.whatif.sensitivity import sensitivity
from eesim.whatif.sobol import _design, _summary, estimates
from tests.scenarios import FAR_APART, camera

ALONE = {**FAR_APART, "run": {"frames": 400, "warmup": "none", "replications": 2}}


def ishigami(x: FloatArray) -> FloatArray:
    """Ishigami and Homma's function with a = 7, b = 0.1, of (d, n)."""
    return np.asarray(np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0]))


def analytic() -> tuple[list[float], list[float]]:
    """First-order and total indices of it (Saltelli et al., Sensitivity Analysis in Practice, 2004)."""
    first = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    second, joint = 7**2 / 8, 0.1**2 * math.pi**8 * 8 / 225
    variance = first + second + joint
    return [first / variance, second / variance, 0.0], [(first + joint) / variance, second / variance, joint / variance]


def test_estimates_of_a_function_that_is_known() -> None:
    design = _design(3, 4096, np.random.default_rng(1))
    values = np.array([ishigami((2 * block.T - 1) * math.pi) for block in design])
    first, total = estimates(values[None, 0], values[None, 1], values[2:, None])
    known_first, known_total = analytic()
    assert first[0] == pytest.approx(known_first, abs=0.02)
    assert total[0] == pytest.approx(known_total, abs=0.02)
    reference = stats.sobol_indices(
        func=ishigami, n=4096, dists=[stats.uniform(-math.pi, 2 * math.pi)] * 3, rng=np.random.default_rng(1)
    )
    assert first[0] == pytest.approx(reference.first_order, abs=0.02)
    assert total[0] == pytest.approx(reference.total_order, abs=0.02)


def test_intervals_cover_what_is_known() -> None:
    rng = np.random.default_rng(3)
    design = _design(3, 512, rng)
    values = np.array([ishigami((2 * block.T - 1) * math.pi) for block in design])
    spans = [Span((name,), None, None, None) for name in "abc"]
    found = _summary(values[None, 0], values[None, 1], values[2:, None], spans, ["y"], 0.95, rng)
    known = dict(zip("abc", zip(*analytic(), strict=True), strict=True))
    for index in found.indices["y"]:
        for estimate, truth in zip((index.first, index.total), known[index.path], strict=True):
            assert estimate.ci_low is not None
            assert estimate.ci_high is not None
            assert estimate.ci_low - 0.02 <= truth <= estimate.ci_high + 0.02
    assert [index.path for index in found.indices["y"]] == ["a", "b", "c"]


def test_what_does_not_vary_has_no_indices() -> None:
    ones = np.ones((1, 16))
    first, total = estimates(ones, ones, np.ones((2, 1, 16)))
    assert np.all(first == 0)
    assert np.all(total == 0)


def test_two_times_that_add_up_share_the_variance_by_their_squares() -> None:
    """Every frame takes b1 and e1 one after the other: variances are those of the two ranges."""
    ranges = {"profile.times.b1.B": "8 ms..9 ms", "profile.times.e1.G": "5 ms..7 ms"}
    scenario = camera({**ALONE, "stream.exits": {"kind": "fixed", "exit": 1}})
    found = sensitivity(scenario, ranges, sobol_points=64, frames=20)
    assert found.sobol is not None
    indices = {index.path: index for index in found.sobol.indices["latency_ms.mean"]}
    for path, share in (("profile.times.b1.B", 1 / 5), ("profile.times.e1.G", 4 / 5)):
        assert indices[path].total.value == pytest.approx(share, abs=0.08)
        assert indices[path].first.value == pytest.approx(share, abs=0.15)
    assert found.sobol.standard_deviation["latency_ms.mean"] == pytest.approx(math.sqrt(5 / 12), rel=0.05)
    assert found.sobol.evaluations == 64 * 4


def test_the_same_seed_gives_the_same_indices() -> None:
    ranges = {"profile.times.b1.B": "8 ms..9 ms", "profile.times.e1.G": "5 ms..7 ms"}
    one, two = (sensitivity(camera(ALONE), ranges, sobol_points=8, frames=20) for _ in range(2))
    assert one.to_dict()["sobol"] == two.to_dict()["sobol"]


@pytest.mark.parametrize("points", [4, 12, 100])
def test_points_must_be_a_power_of_two(points: int) -> None:
    with pytest.raises(InputError, match="power of two"):
        sensitivity(camera(ALONE), {"profile.times.b1.B": "8 ms..9 ms"}, sobol_points=points, frames=20)


def test_without_effects_there_is_nothing_to_share_out() -> None:
    with pytest.raises(InputError, match="no input has an effect"):
        sensitivity(camera(ALONE), {"profile.times.b1.G": "8 ms..9 ms"}, sobol_points=8, frames=20)
