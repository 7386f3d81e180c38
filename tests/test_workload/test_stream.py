"""The stream: named random streams that do not disturb each other, and noise with the right mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eesim.base import FULL_SPEED, IntArray
from eesim.workload.stream import BLOCK_FRAMES, Frames, Stream, StreamSpec, Traces

EMPTY = np.zeros(0, np.int64)
PLAIN = {
    "arrivals": {"kind": "periodic", "rate": "30 Hz", "jitter": "90 ms"},
    "exits": {"kind": "counts", "counts": [70, 20, 10]},
    "noise": {"kind": "lognormal", "cv": 0.5},
}
STREAMS = {
    "counts": PLAIN,
    "poisson, shares": {
        "arrivals": {"kind": "poisson", "rate": "30 Hz"},
        "exits": {"kind": "shares", "shares": [0.5, 0.25, 0.25]},
        "noise": {"kind": "exponential"},
    },
    "fixed": {"arrivals": {"kind": "periodic", "rate": "29.97 Hz"}, "exits": {"kind": "fixed", "exit": 2}},
}


def stream(spec: dict[str, Any], n_segments: int = 3) -> Stream:
    return Stream(StreamSpec.model_validate(spec), Traces(EMPTY, EMPTY, EMPTY), tuple("abcdefgh"[:n_segments]))


def blocks(spec: dict[str, Any], n: int, seed: int = 1, replication: int = 0) -> list[Frames]:
    return list(stream(spec).blocks(n, seed=seed, replication=replication))


def whole(spec: dict[str, Any], n: int, seed: int = 1, replication: int = 0) -> Frames:
    columns = zip(*blocks(spec, n, seed, replication), strict=True)
    return Frames(*(np.concatenate(column) for column in columns))


def same(a: IntArray, b: IntArray) -> bool:
    return np.array_equal(a, b)


# -- what a seed means --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize(
    ("few", "many"),
    [(1, 2), (999, 1000), (1000, BLOCK_FRAMES + 1000), (BLOCK_FRAMES, BLOCK_FRAMES + 1)],
)
def test_a_longer_run_begins_with_the_frames_of_a_shorter_one(kind: str, few: int, many: int) -> None:
    short, long = whole(STREAMS[kind], few), whole(STREAMS[kind], many)
    for a, b in zip(short, long, strict=True):
        assert same(a, b[:few])


def test_blocks_have_the_size_that_is_part_of_the_definition() -> None:
    sizes = [len(block.arrival_ns) for block in blocks(STREAMS["fixed"], 2 * BLOCK_FRAMES + 5)]
    assert sizes == [BLOCK_FRAMES, BLOCK_FRAMES, 5]
    assert blocks(STREAMS["fixed"], 0) == []


def test_the_same_seed_draws_the_same_frames() -> None:
    for a, b in zip(whole(PLAIN, 2000, 7, 3), whole(PLAIN, 2000, 7, 3), strict=True):
        assert same(a, b)


@pytest.mark.parametrize(("seed", "replication"), [(2, 0), (1, 1)])
def test_another_seed_or_replication_draws_other_frames(seed: int, replication: int) -> None:
    one, other = whole(PLAIN, 2000), whole(PLAIN, 2000, seed, replication)
    for name in ("arrival_ns", "exit", "noise_ppm"):
        assert not same(getattr(one, name), getattr(other, name)), name


def test_seed_and_replication_are_not_added_up() -> None:
    # Seed 1, replication 1 is another stream than seed 2, replication 0.
    assert not same(whole(PLAIN, 2000, 1, 1).arrival_ns, whole(PLAIN, 2000, 2, 0).arrival_ns)


@pytest.mark.parametrize(
    ("changed", "to", "untouched"),
    [
        ("arrivals", {"kind": "poisson", "rate": "5 Hz"}, ["exit", "noise_ppm"]),
        ("exits", {"kind": "shares", "shares": [1, 0, 0]}, ["arrival_ns", "noise_ppm"]),
        ("noise", None, ["arrival_ns", "exit"]),
    ],
)
def test_a_change_in_one_part_of_the_stream_leaves_the_others_as_they_are(
    changed: str, to: Any, untouched: list[str]
) -> None:
    one, other = whole(PLAIN, 2000), whole(PLAIN | {changed: to}, 2000)
    for name in untouched:
        assert same(getattr(one, name), getattr(other, name)), name


def test_the_streams_of_different_purposes_are_not_correlated() -> None:
    spec = PLAIN | {
        "arrivals": {"kind": "periodic", "period": "1 s", "jitter": "900 ms"},
        "exits": {"kind": "shares", "shares": [0.5, 0.5]},
    }
    frames, n = whole(spec, 20_000), 20_000
    late = frames.arrival_ns - np.arange(n) * 10**9
    columns = np.array([late, frames.exit, *frames.noise_ppm.T], np.float64)
    correlations = np.corrcoef(columns)[np.triu_indices(len(columns), 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(n)


def test_no_purpose_shares_its_stream_with_another_one_of_another_replication() -> None:
    # Gaps and noise are both exponential: from one stream, they would be the same numbers.
    n = 20
    every = [whole(STREAMS["poisson, shares"], n, replication=r) for r in range(4)]
    gaps = [np.diff(frames.arrival_ns, prepend=0) * 30 / 10**9 for frames in every]
    factors = [frames.noise_ppm.ravel()[:n] / FULL_SPEED for frames in every]
    for a in gaps:
        for b in factors:
            assert np.abs(a - b).max() > 0.01


# -- noise --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "cv"),
    [({"kind": "exponential"}, 1.0), ({"kind": "lognormal", "cv": 0.1}, 0.1), ({"kind": "lognormal", "cv": 0.5}, 0.5)],
)
def test_noise_has_the_mean_one_and_the_stated_variation(noise: dict[str, Any], cv: float) -> None:
    n = 200_000
    factors = whole(PLAIN | {"noise": noise}, n).noise_ppm / FULL_SPEED
    assert factors.shape == (n, 3)
    for column in factors.T:
        assert abs(column.mean() - 1) < 4 * cv / np.sqrt(n)
        # The tails of both distributions make the standard error of cv at most 3 cv / sqrt(n) here.
        assert abs(column.std() - cv) < 12 * cv / np.sqrt(n)
        assert column.min() >= 0


def test_noise_of_every_segment_is_its_own() -> None:
    noise = whole(PLAIN, 20_000).noise_ppm
    assert np.abs(np.corrcoef(noise.T)[np.triu_indices(3, 1)]).max() < 4 / np.sqrt(20_000)


def test_each_segment_may_have_its_own_variation() -> None:
    noise = {"kind": "lognormal", "cv": {"a": 0.1, "c": 1.5}}
    factors = whole(PLAIN | {"noise": noise}, 200_000).noise_ppm / FULL_SPEED
    assert (factors[:, 1] == 1).all(), "a segment that is not named does not vary"
    for column, cv in ((0, 0.1), (2, 1.5)):
        assert abs(factors[:, column].mean() - 1) < 4 * cv / np.sqrt(200_000)
        # sigma is what a lognormal shows robustly: its own standard error is sigma / sqrt(2 n).
        sigma = np.sqrt(np.log1p(cv * cv))
        assert abs(np.log(factors[:, column]).std() - sigma) < 4 * sigma / np.sqrt(2 * 200_000)


def test_one_variation_for_all_is_the_same_as_each_one_s() -> None:
    same = PLAIN | {"noise": {"kind": "lognormal", "cv": {"a": 0.5, "b": 0.5, "c": 0.5}}}
    assert (whole(same, 500).noise_ppm == whole(PLAIN, 500).noise_ppm).all()
    one = PLAIN | {"noise": {"kind": "lognormal", "cv": {"c": 0.5}}}
    assert (whole(one, 500).noise_ppm[:, 2] == whole(PLAIN, 500).noise_ppm[:, 2]).all(), "one that stays draws, too"


def test_no_noise_is_an_empty_table() -> None:
    assert whole(STREAMS["fixed"], 10).noise_ppm.shape == (0, 3)
