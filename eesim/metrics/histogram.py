"""Quantiles of any number of integer values in bounded memory.

Up to `EXACT_LIMIT` values are kept and quantiles are exact. Beyond, they are counted in bins: values below 2,048 have
bins of their own, above, each power of two is cut into 1,024 bins of equal width, so a quantile read from the middle
of its bin is off by at most 0.05 %. The sum, smallest and largest value are always exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray

_BITS = 10
_SUB = 1 << _BITS

RELATIVE_ERROR = 1 / (2 * _SUB)
"""Largest relative error of a quantile once values are binned."""

EXACT_LIMIT = 1 << 20
"""Values that are kept as they are."""


def _bins(values: IntArray) -> IntArray:
    """Bin of each value: the leading eleven bits and how many follow them."""
    shift = np.maximum(np.frexp(values.astype(np.float64))[1] - (_BITS + 1), 0).astype(np.int64)
    # frexp rounds values above 2^53 and may report one bit too many.
    shift = np.where(values >> shift < _SUB, np.maximum(shift - 1, 0), shift)
    return np.asarray((values >> shift) + shift * _SUB, np.int64)


def rank_of(share: float, n: int) -> int:
    """Rank, from 1, of the quantile of ``n`` values: the smallest that at least ``share`` of them do not exceed."""
    return max(math.ceil(share * n - 1e-9), 1)


class Summary(NamedTuple):
    """What is known of values that are not kept; offers what `Histogram` does, for some quantiles."""

    n: int
    total: int
    largest: int
    quantiles: Mapping[float, float]
    is_exact: bool = True

    @property
    def mean(self) -> float:
        """Exact mean; nan if empty."""
        return self.total / self.n if self.n else float("nan")

    def quantile(self, share: float) -> float:
        """One of the quantiles that were asked for beforehand; nan if empty."""
        return self.quantiles[share] if self.n else float("nan")


class Histogram:
    """Non-negative integers, kept or counted.

    Parameters
    ----------
    limit
        Values that are kept as they are.
    """

    def __init__(self, limit: int = EXACT_LIMIT) -> None:
        self._limit = limit
        self._kept: list[IntArray] = []
        self._sorted: IntArray | None = None
        self._counts: IntArray | None = None
        self.n = 0
        self.total = 0
        self.smallest = 0
        self.largest = 0

    @property
    def is_exact(self) -> bool:
        """Whether quantiles are exact."""
        return self._counts is None

    def add(self, values: IntArray) -> None:
        """Take more values."""
        if not len(values):
            return
        self.smallest = int(values.min()) if self.n == 0 else min(self.smallest, int(values.min()))
        self.largest = max(self.largest, int(values.max()))
        self.n += len(values)
        self.total += int(values.sum(dtype=np.int64))
        self._sorted = None
        if self._counts is None:
            self._kept.append(values)
            if self.n > self._limit:
                self._counts = np.zeros(0, np.int64)
                for kept in self._kept:
                    self._count(kept)
                self._kept = []
        else:
            self._count(values)

    def _count(self, values: IntArray) -> None:
        assert self._counts is not None
        more = np.bincount(_bins(values), minlength=len(self._counts))
        more[: len(self._counts)] += self._counts
        self._counts = more

    @property
    def mean(self) -> float:
        """Exact mean; nan if empty."""
        return self.total / self.n if self.n else float("nan")

    def quantile(self, share: float) -> float:
        """Smallest value that at least ``share`` of the values do not exceed; nan if empty."""
        if not self.n:
            return float("nan")
        rank = rank_of(share, self.n)
        if self._counts is None:
            if self._sorted is None:
                self._sorted = np.sort(np.concatenate(self._kept))
                self._kept = [self._sorted]
            return float(self._sorted[rank - 1])
        bin_ = int(np.searchsorted(np.cumsum(self._counts), rank))
        shift = max(bin_ // _SUB - 1, 0)
        middle = ((bin_ - shift * _SUB) << shift) + ((1 << shift) - 1) / 2
        return float(min(max(middle, self.smallest), self.largest))
