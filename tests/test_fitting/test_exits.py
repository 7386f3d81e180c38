"""Fits of exits: the model that made a trace is found again, with its parameters; nothing is found where nothing is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import eesim
from eesim.base import IntArray
from eesim.errors import InputError
from eesim.fitting.copula import copula_log_likelihood, fit_copula, simulate_copula
from eesim.fitting.goodness import autocorrelation, block_bootstrap, run_lengths
from eesim.fitting.hidden import Hidden, fit_hidden, simulate_hidden
from eesim.fitting.kernels import expected_counts
from eesim.workload.correlated import CorrelatedExits
from eesim.workload.exits import ExitSampler, ExitShares
from eesim.workload.scenes import RegimeExits
from tests.scenarios import CAMERA, COUNTS

SHARES = np.array(COUNTS) / sum(COUNTS)
SCENES = Hidden(np.array([[0.99, 0.01], [0.03, 0.97]]), np.array([[0.95, 0.04, 0.005, 0.005], [0.5, 0.2, 0.1, 0.2]]))
EMPTY = np.zeros(0, np.int64)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def independent(n: int, seed: int = 1) -> IntArray:
    return rng(seed).choice(4, n, p=SHARES).astype(np.int64)


# -- likelihoods ---------------------------------------------------------------------------------------------


def test_without_correlation_the_likelihood_is_the_multinomial_one() -> None:
    exits = independent(2000)
    shares = np.bincount(exits, minlength=4) / len(exits)
    expected = float(np.sum(np.log(shares[exits])))
    assert copula_log_likelihood(exits, shares, 0.0) == pytest.approx(expected, abs=1e-6)


def test_two_frames_have_the_likelihood_of_two_normal_numbers() -> None:
    from eesim.fitting.normal import joint_shares

    for r in (-0.6, 0.5, 0.9):
        table = joint_shares(SHARES, SHARES, r)
        for a in range(4):
            for b in range(4):
                found = copula_log_likelihood(np.array([a, b]), SHARES, r, 0.02)
                assert found == pytest.approx(float(np.log(table[a, b])), abs=0.01)


def test_hidden_likelihood_is_the_sum_over_all_ways() -> None:
    exits = np.array([0, 3, 1, 0], np.int64)
    ways = 0.0
    for code in range(16):
        regimes = [code >> t & 1 for t in range(4)]
        p = SCENES.start[regimes[0]]
        for t in range(4):
            p *= SCENES.emission[regimes[t], exits[t]] * (SCENES.step[regimes[t - 1], regimes[t]] if t else 1)
        ways += p
    moves, seen = np.zeros((2, 2)), np.zeros((2, 4))
    found = expected_counts(SCENES.start, SCENES.step, SCENES.emission, exits, moves, seen)
    assert found == pytest.approx(np.log(ways))
    # Three moves, four sights, each of an exit that was seen.
    assert moves.sum() == pytest.approx(3)
    np.testing.assert_allclose(seen.sum(axis=0), [2, 1, 0, 1])


# -- parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag_1", [0.0, 0.5, 0.9])
def test_autocorrelation_is_found_again(lag_1: float) -> None:
    errors = []
    for seed in range(8):
        exits = simulate_copula(SHARES, lag_1, 4000, rng(seed))
        errors.append(fit_copula(exits, np.bincount(exits, minlength=4) / len(exits))[0] - lag_1)
    # No bias beyond the error of the mean of eight, and an error that shrinks with correlation.
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(8) + 0.005
    assert np.std(errors) < 0.06


def test_regimes_are_found_again() -> None:
    model, _ = fit_hidden(simulate_hidden(SCENES, 30_000, rng()), 4, 2)
    np.testing.assert_allclose(model.emission, SCENES.emission, atol=0.03)
    np.testing.assert_allclose(model.dwells(), SCENES.dwells(), rtol=0.25)


@pytest.mark.parametrize(
    ("exits", "name", "kind"),
    [
        (independent(4000), "independent", ExitShares),
        (simulate_copula(SHARES, 0.8, 4000, rng(2)), "correlated", CorrelatedExits),
        (simulate_hidden(SCENES, 8000, rng(3)), "regimes (2)", RegimeExits),
    ],
)
def test_the_model_that_made_the_trace_is_chosen(exits: IntArray, name: str, kind: type) -> None:
    fit = eesim.fit_exits(exits + 1, bootstrap=39)
    assert fit.best.name == name
    assert isinstance(fit.model, kind)
    assert fit.best.bic == min(c.bic for c in fit.candidates)
    assert all(p > 0.02 for p in fit.best.goodness.values())
    for share, estimate in zip(np.bincount(exits) / len(exits), fit.shares, strict=True):
        assert estimate.value == pytest.approx(share)
        assert (estimate.ci_low or 0) <= share <= (estimate.ci_high or 0)
    if name != "independent":
        (alone,) = [c for c in fit.candidates if c.name == "independent"]
        assert alone.goodness["autocorrelation"] == pytest.approx(1 / 40)
    # What it says can be written into a scenario, and drawn.
    drawn = ExitSampler(fit.model, rng(9), EMPTY).draw(len(exits))
    assert np.abs(np.bincount(drawn, minlength=4) / len(drawn) - SHARES).max() < 0.15
    scenario = eesim.load(CAMERA, {"stream.exits": fit.written, "run": {"frames": 300, "replications": 1}})
    assert eesim.run(scenario).value("latency_ms.mean")
    assert name in str(fit)
    assert json.loads(json.dumps(fit.to_dict()))["candidates"][0]["exits"] == fit.written


def test_an_interval_of_correlation_knows_that_shares_are_uncertain() -> None:
    fit = eesim.fit_exits(simulate_copula(SHARES, 0.9, 4000, rng(4)) + 1, bootstrap=39)
    found = fit.best.parameters["autocorrelation"]
    assert (found.ci_low or 0) < 0.9 < (found.ci_high or 0)
    # The spread of fits to fresh traces of this length is 0.011.
    assert 0.02 < (found.ci_high or 0) - (found.ci_low or 0) < 0.1


def test_intervals_of_shares_are_wider_for_a_correlated_trace() -> None:
    plain, alike = independent(5000), simulate_copula(SHARES, 0.95, 5000, rng(7))
    spread = [block_bootstrap(exits, 4, 99, rng(1)).std(axis=0)[0] for exits in (plain, alike)]
    # Independent: the binomial standard error.
    assert spread[0] == pytest.approx(np.sqrt(0.8222 * 0.1778 / 5000), rel=0.4)
    assert spread[1] > 3 * spread[0]


@pytest.mark.slow
def test_intervals_of_shares_cover() -> None:
    hits = 0
    for seed in range(200):
        exits = simulate_copula(SHARES, 0.8, 3000, rng(seed))
        low, high = np.quantile(block_bootstrap(exits, 4, 199, rng(seed)), [0.025, 0.975], axis=0)[:, 0]
        hits += low <= SHARES[0] <= high
    assert stats.binomtest(hits, 200, 0.95).pvalue > 1e-4


# -- statistics ----------------------------------------------------------------------------------------------


def test_run_lengths_are_counted_in_octaves() -> None:
    found = run_lengths(np.array([0, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 3]))
    # Runs of 1, 2, 3, 5, 1.
    assert found[:4].tolist() == [0.4, 0.2, 0.2, 0.2]


def test_autocorrelation_of_a_constant_trace_is_zero() -> None:
    assert autocorrelation(np.ones(10, np.int64)).tolist() == [0] * 9
    assert autocorrelation(np.array([0, 1] * 50), 2) == pytest.approx([-0.99, 0.98])


# -- inputs --------------------------------------------------------------------------------------------------


def test_files_and_arrays_are_the_same(tmp_path: Path) -> None:
    exits = independent(500)
    (tmp_path / "t.csv").write_text("exit_id\n" + "\n".join(map(str, exits.tolist())) + "\n", encoding="utf-8")
    by_file = eesim.fit_exits(tmp_path / "t.csv", first=0, column="exit_id", bootstrap=9)
    assert by_file.to_dict() == eesim.fit_exits(exits + 1, bootstrap=9).to_dict()


def test_a_trace_of_one_exit_is_what_it_is() -> None:
    fit = eesim.fit_exits([1] * 100, n_exits=3, bootstrap=9)
    assert [c.name for c in fit.candidates] == ["independent"]
    assert fit.written == {"kind": "shares", "shares": [1.0, 0.0, 0.0]}
    assert "best model by BIC: independent" in str(fit)


@pytest.mark.parametrize(
    ("trace", "options", "message"),
    [
        ([0, 1, 2], {}, "must be a whole number from 1 to 1000, not 0 (did you mean first=0?)"),
        ([1, 2.5], {}, "must be a whole number from 1"),
        ([1, 2, 5], {"n_exits": 4}, "from 1 to 4, not 5"),
        ([1], {}, "at least 2 frames"),
        ([[1, 2]], {}, "one-dimensional"),
        (["a", "b"], {}, "with a number for each frame"),
    ],
)
def test_traces_that_cannot_be_fitted(trace: object, options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as caught:
        eesim.fit_exits(trace, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("exits\n1\n2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"t\.csv:1: exit: there is no such column \(did you mean exits\?\)"):
        eesim.fit_exits(tmp_path / "t.csv")
