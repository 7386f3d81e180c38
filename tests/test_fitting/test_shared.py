"""One difficulty per image for several networks: margins exact, rank correlations as published."""

from __future__ import annotations

import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eesim
from eesim.base import IntArray
from eesim.errors import InputError

COUNTS = {
    "ee_resnet18": (5123, 2780, 1106, 333, 658),
    "ee_resnet34": (5757, 2619, 839, 155, 630),
    "ee_resnet50": (4962, 2606, 1475, 226, 731),
}
"""Exits of three networks on the 10,000 test images of CIFAR-10, confidence 0.9 (github gr3gor1/ResNet_Early_Exit)."""

RANKS = {
    ("ee_resnet18", "ee_resnet34"): 0.589,
    ("ee_resnet18", "ee_resnet50"): 0.586,
    ("ee_resnet34", "ee_resnet50"): 0.596,
}
"""Spearman's correlations of their exits, image by image."""

GIVEN_18 = [
    [0.838, 0.126, 0.024, 0.002, 0.010],
    [0.399, 0.437, 0.091, 0.014, 0.060],
    [0.175, 0.426, 0.212, 0.047, 0.140],
    [0.159, 0.297, 0.279, 0.063, 0.201],
    [0.166, 0.287, 0.208, 0.049, 0.290],
]
"""Share of each exit of ResNet34 given ResNet18's, from the same files."""


def published_pair() -> list[IntArray]:
    """Exits of ResNet18 and ResNet34 image by image, from the published table of shares."""
    table = np.rint(np.array(GIVEN_18) * np.array(COUNTS["ee_resnet18"])[:, None]).astype(np.int64)
    rows, columns = np.indices(table.shape)
    return [np.repeat(part.ravel(), table.ravel()).astype(np.int64) for part in (rows, columns)]


def test_published_margins_and_rank_correlations_are_reproduced() -> None:
    shared = eesim.shared_difficulty_of(COUNTS, RANKS)
    for pair, (seen, model) in shared.rank_correlations.items():
        assert seen.value == RANKS[pair]
        assert model == pytest.approx(RANKS[pair], abs=1e-6)
    # What sees difficulty best is what the other two agree with most.
    assert [round(loading.value or 0, 2) for loading in shared.loadings] == [0.83, 0.86, 0.84]
    exits = shared.draw(40_000, seed=1)
    for one in exits.reshape(4, 10_000, 3):
        for j, counts in enumerate(COUNTS.values()):
            assert tuple(np.bincount(one[:, j], minlength=5)) == counts
    found = stats.spearmanr(exits).statistic
    for a, b in combinations(range(3), 2):
        # The standard error of a rank correlation of 0.59 over 40,000 images is about 0.0035.
        assert found[a, b] == pytest.approx(RANKS[shared.names[a], shared.names[b]], abs=0.014)


def test_the_fit_to_images_finds_the_published_correlation() -> None:
    fit = eesim.fit_shared_difficulty(published_pair(), first=0, names=["a", "b"], bootstrap=39)
    ((seen, model),) = fit.rank_correlations.values()
    assert seen.value == pytest.approx(0.589, abs=0.001)
    assert model == pytest.approx(0.589, abs=0.001)
    assert (seen.ci_low or 0) < 0.589 < (seen.ci_high or 0)
    # Of two networks only the product is known.
    assert fit.loadings[0].value == fit.loadings[1].value
    # Final exits are not merely hard: 166 of 1,000 final exits of ResNet18 are first exits of ResNet34.
    assert fit.p_value == pytest.approx(1 / 40)
    assert fit.bic is not None
    assert fit.bic_independent is not None
    assert fit.bic < fit.bic_independent - 1000
    assert "does not explain" in str(fit)


def test_the_most_likely_loadings_give_less_correlation_there() -> None:
    pair = published_pair()
    by_rank, by_likelihood = (
        eesim.fit_shared_difficulty(pair, first=0, by=by, bootstrap=5)  # type: ignore[arg-type]
        for by in ("rank", "likelihood")
    )
    assert (by_likelihood.log_likelihood or 0) > (by_rank.log_likelihood or 0)
    assert next(iter(by_likelihood.rank_correlations.values()))[1] == pytest.approx(0.559, abs=0.002)


@pytest.mark.parametrize("by", ["rank", "likelihood"])
def test_loadings_of_drawn_images_are_found_again(by: str) -> None:
    truth = eesim.shared_difficulty_of(COUNTS, RANKS)
    fit = eesim.fit_shared_difficulty(list(truth.draw(10_000, seed=4).T), first=0, by=by, bootstrap=19)  # type: ignore[arg-type]
    for found, expected in zip(fit.loadings, truth.loadings, strict=True):
        assert found.value == pytest.approx(expected.value, abs=0.03)
    assert (fit.p_value or 0) > 0.05
    assert "explains" in str(fit)
    assert json.loads(json.dumps(fit.to_dict()))["networks"] == ["network1", "network2", "network3"]


def test_networks_that_have_nothing_in_common() -> None:
    rng = np.random.default_rng(1)
    fit = eesim.fit_shared_difficulty([rng.integers(1, 4, 5000) for _ in range(2)], bootstrap=9)
    ((_, model),) = fit.rank_correlations.values()
    assert abs(model) < 0.05
    assert fit.bic is not None
    assert fit.bic_independent is not None
    assert fit.bic > fit.bic_independent


def test_traces_can_be_drawn_with_memory_and_used(tmp_path: Path) -> None:
    shared = eesim.shared_difficulty_of(COUNTS, RANKS)
    paths = shared.save(tmp_path / "traces", 12_000, seed=2, lag_1=0.9)
    assert [path.name for path in paths] == [f"{name}.csv" for name in COUNTS]
    columns = [pd.read_csv(path)["exit"].to_numpy() for path in paths]
    assert np.array_equal(np.stack(columns, axis=1) - 1, shared.draw(12_000, seed=2, lag_1=0.9))
    for column in columns:
        assert np.corrcoef(column[1:], column[:-1])[0, 1] > 0.6
    assert {path.suffix for path in (tmp_path / "traces").iterdir()} == {".csv"}


def test_files_of_the_repository_have_these_margins() -> None:
    folder = Path(os.environ.get("EESIM_SHARED", Path(__file__).parents[3] / "shared")) / "exits"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder} (set EESIM_SHARED)")
    for name, counts in COUNTS.items():
        exits = pd.read_csv(folder / f"{name}_cifar10_exit_ids.csv")["exit_id"].to_numpy()
        assert tuple(np.bincount(exits, minlength=5)) == counts
        # They list images exit by exit: which image is which is lost, so nothing can be compared between files.
        assert int((exits[1:] != exits[:-1]).sum()) == 4


@pytest.mark.parametrize(
    ("traces", "message"),
    [
        ([[1, 2]], "at least two"),
        ([[1, 2], [1, 2, 1]], "network2: must have as many images as network1 (2)"),
        ([[1, 2], [0, 1]], "network2: 0: must be a whole number from 1"),
    ],
)
def test_traces_that_do_not_go_together(traces: list[list[int]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        eesim.fit_shared_difficulty(traces)
    assert message in str(caught.value)


def test_statistics_that_cannot_be() -> None:
    with pytest.raises(InputError) as caught:
        eesim.shared_difficulty_of({"a": [5, 5], "b": [5, 4], "c": [5, 5]}, {("a", "b"): 0.5, ("b", "c"): 1.5})
    text = str(caught.value)
    for part in ("b: must add up to 10", "a, c: must be given", "b, c: must be given, from 0 to below 1"):
        assert part in text
    with pytest.raises(InputError, match=r"a, b: must be at most 0\.\d+: their shares allow no more"):
        eesim.shared_difficulty_of({"a": [900, 100], "b": [100, 900]}, {("b", "a"): 0.8})
