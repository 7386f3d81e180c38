"""Several sources merged into one stream, in order of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from eesim.base import IntArray

_AT_A_TIME = 1024
"""Instants drawn from a source at a time. What is merged does not depend on it."""


class Merger:
    """Merges the instants of sources; at one instant, lower-numbered sources go first.

    Parameters
    ----------
    draws
        For each source, a function that returns its next so many instants, ns, never decreasing.
    """

    def __init__(self, draws: Sequence[Callable[[int], IntArray]]) -> None:
        self._draws = draws
        self._instants = np.zeros(0, np.int64)
        self._sources = np.zeros(0, np.int64)
        self._last = np.array([-1] * len(draws), np.int64)
        self.sources = np.zeros(0, np.int64)
        """Source of each frame drawn last, 0-based."""

    def draw(self, count: int) -> IntArray:
        """Return the next ``count`` instants of all sources together."""
        instants, sources = [self._instants], [self._sources]
        while self._ready(instants) < count:
            behind = int(np.argmin(self._last))
            new = self._draws[behind](_AT_A_TIME)
            self._last[behind] = new[-1]
            instants.append(new)
            sources.append(np.full(len(new), behind, np.int64))
        merged, owner = np.concatenate(instants), np.concatenate(sources)
        order = np.lexsort((owner, merged))
        merged, owner = merged[order], owner[order]
        self._instants, self._sources = merged[count:], owner[count:]
        self.sources = owner[:count]
        return merged[:count]

    def _ready(self, parts: list[IntArray]) -> int:
        """Frames that nothing can come before any more: those before the source that is known the least far."""
        horizon = int(self._last.min())
        return sum(int(np.searchsorted(part, horizon, side="left")) for part in parts)
