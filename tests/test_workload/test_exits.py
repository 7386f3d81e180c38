"""Exits: counted decks, shares, traces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from eesim.base import IntArray
from eesim.workload.exits import Exits, ExitSampler
from tests.scenarios import COUNTS

EMPTY = np.zeros(0, np.int64)


def model(**written: Any) -> Any:
    return TypeAdapter(Exits).validate_python(written)


def drawn(sizes: list[int], seed: int = 1, trace: IntArray = EMPTY, **written: Any) -> IntArray:
    source = ExitSampler(model(**written), np.random.default_rng(seed), trace)
    return np.concatenate([EMPTY, *(source.draw(size) for size in sizes)])


# -- counts -------------------------------------------------------------------------------------------------


def test_every_pass_of_the_deck_has_exactly_the_counts() -> None:
    total, passes = sum(COUNTS), 5
    # Blocks that do not divide a pass: a pass is dealt across several draws.
    found = drawn([7_000] * 7 + [1_000], kind="counts", counts=COUNTS)
    assert len(found) == passes * total
    for one in found.reshape(passes, total):
        assert np.bincount(one).tolist() == list(COUNTS)


def test_every_pass_is_shuffled_anew() -> None:
    first, second = drawn([20_000], kind="counts", counts=COUNTS).reshape(2, -1)
    assert not np.array_equal(first, second)
    # Exit 1 is spread over the pass: each tenth has its share of 8,222, within four standard errors.
    tenth = len(first) // 10
    share = COUNTS[0] / sum(COUNTS)
    for part in first.reshape(10, tenth):
        assert abs((part == 0).mean() - share) < 4 * np.sqrt(share * (1 - share) / tenth)


def test_exits_that_nobody_takes_are_never_dealt() -> None:
    assert set(drawn([100], kind="counts", counts=[0, 3, 0, 1]).tolist()) == {1, 3}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any), st.lists(st.integers(0, 40), max_size=4))
def test_a_deck_does_not_depend_on_how_the_stream_is_cut(counts: list[int], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 40]
    parts = drawn([b - a for a, b in pairwise(edges)], kind="counts", counts=counts)
    assert np.array_equal(parts, drawn([40], kind="counts", counts=counts))


def test_a_deck_that_is_larger_than_a_block_is_dealt_once() -> None:
    counts = [100_000, 50_000]
    found = drawn([65_536, 65_536, 150_000 - 2 * 65_536], kind="counts", counts=counts)
    assert np.bincount(found).tolist() == counts


# -- shares, fixed, trace -----------------------------------------------------------------------------------


def test_shares_are_drawn_independently() -> None:
    shares, n = [0.5, 0.25, 0.125, 0.125], 80_000
    found = drawn([n], kind="shares", shares=shares)
    counts = np.bincount(found, minlength=4)
    assert stats.chisquare(counts, np.array(shares) * n).pvalue > 1e-4
    # Unlike a deck, the counts vary, and neighbours are not correlated.
    assert counts.tolist() != (np.array(shares) * n).tolist()
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 4 / np.sqrt(n)


def test_a_share_of_zero_is_never_drawn() -> None:
    found = drawn([50_000], kind="shares", shares=[0, "50 %", 0, 0.5, 0])
    assert set(found.tolist()) == {1, 3}


def test_shares_may_be_written_as_thirds() -> None:
    # They add up to 0.9999999, which is near enough to 1; what is missing goes to the last exit.
    found = drawn([30_000], kind="shares", shares=["33.33333 %"] * 3)
    assert stats.chisquare(np.bincount(found)).pvalue > 1e-4


class Extreme:
    """A random generator that draws the largest number below 1."""

    def random(self, count: int) -> Any:
        return np.full(count, np.nextafter(1, 0))


def test_no_draw_falls_beyond_the_last_exit() -> None:
    source = ExitSampler(model(kind="shares", shares=["33.33333 %"] * 3), Extreme(), EMPTY)  # type: ignore[arg-type]
    assert source.draw(2).tolist() == [2, 2]


def test_every_frame_takes_the_fixed_exit() -> None:
    assert drawn([2, 3], kind="fixed", exit=3).tolist() == [2] * 5


def test_a_trace_of_exits_is_replayed_as_it_is() -> None:
    trace = np.array([0, 2, 1, 1], np.int64)
    assert drawn([3, 1], trace=trace, kind="trace", path="e.csv").tolist() == trace.tolist()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"kind": "counts", "counts": [0, 0]}, "must not all be 0"),
        ({"kind": "counts", "counts": []}, "at least 1 item|must not be empty"),
        ({"kind": "counts", "counts": [-1, 2]}, "must be at least 0"),
        ({"kind": "counts", "counts": [10_000_000, 1]}, "use shares"),
        ({"kind": "counts", "counts": [1.5]}, "must be a whole number"),
        ({"kind": "shares", "shares": [0.5, 0.4]}, "must add up to 1, not 0.9"),
        ({"kind": "shares", "shares": [1.5, -0.5]}, "negative|limit"),
        ({"kind": "fixed", "exit": 0}, "must be at least 1"),
        ({"kind": "counts", "counts": [1], "accuracy": [1.5]}, "limit"),
        ({"kind": "counts", "counts": [1], "shares": [1]}, "unknown key"),
    ],
)
def test_exits_that_make_no_sense(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        model(**written)
