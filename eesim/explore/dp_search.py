"""Label setting on a chain inside a box: every efficient path below a time and an energy, or only the best.

Three steps, all in integers:

1. *Bounds.* For a few weights ``(a, b)``: the least ``a x time + b x energy`` from the first layer to each state, and
   from each state to the last layer. Time alone and energy alone are among the weights; the others are the slope of
   the hull where the box is, and slopes near it (Lagrangian bounds). Rounded weights still give valid bounds.
2. *Arcs* that no path through the box can use are left out: those where forward bound + arc + backward bound exceeds
   the box's limit for some weights.
3. *Labels.* For each layer and state the efficient (time, energy) of the paths that lead there, as far as their
   backward bounds still allow for the box.

If only the least energy is wanted, partial paths are completed by the paths behind the bounds all along, and each
that beats the incumbent narrows the box. The method is that of Dumitrescu and Boland (Networks 42(3), 2003,
doi:10.1002/net.10090) for general graphs; a chain needs no queue, as its layers are its order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.engine.jit import WarmOnce
from eesim.explore import dp_kernels as k
from eesim.explore.chain import MAX_TOTAL, NEVER
from eesim.explore.dp_lattice import ENERGY_ONLY, TIME_ONLY, Lattice, Point, Weights, trace_back, trace_on

NEARBY = ((1, 1), (4, 5), (5, 4))
"""Slopes whose bounds are used, as multiples of that of the hull."""

FIRST_BUFFER = 1 << 12

MAX_LABELS = 10_000_000
"""Labels kept at most by one search, unless told otherwise: some 100 MB."""

_keep_arcs, _best_joint = WarmOnce(k.keep_arcs), WarmOnce(k.best_joint)
_best_completion, _extend = WarmOnce(k.best_completion), WarmOnce(k.extend)


class Work(NamedTuple):
    """What searches did: labels looked at, labels kept, and arcs left when the labels began."""

    looked: int = 0
    labels: int = 0
    arcs: int = 0

    def plus(self, other: Work) -> Work:
        """Return the sum of two searches."""
        return Work(self.looked + other.looked, self.labels + other.labels, self.arcs + other.arcs)

    def __str__(self) -> str:
        """Return the counts in words."""
        return f"{self.labels:,} labels kept of {self.looked:,}, {self.arcs:,} arcs left"


NO_WORK = Work()


class BoxSearch:
    """Efficient paths with ``time <= time_ns`` and ``energy <= energy_nj``; one search for each instance.

    Parameters
    ----------
    lattice
        The graph.
    slope
        Weights whose best path touches the hull near the box.
    time_ns, energy_nj
        The box, on the hull or above it.
    max_labels
        Give up rather than keep more labels.

    Attributes
    ----------
    complete
        Whether the answer is proven; False if it gave up.
    work
        What was done.
    """

    def __init__(self, lattice: Lattice, slope: Weights, time_ns: int, energy_nj: int, max_labels: int) -> None:
        near = [lattice.weights(slope[0] * up, slope[1] * down) for up, down in NEARBY]
        weights = list(dict.fromkeys([TIME_ONLY, ENERGY_ONLY, *near]))
        self.complete, self.work = True, NO_WORK
        self._lattice, self._max_labels = lattice, max_labels
        self._time, self._energy = time_ns, energy_nj
        self._weights = np.array(weights, np.int64)
        self._ahead = np.stack([lattice.forward(pair) for pair in weights])
        self._behind = np.stack([lattice.backward(pair) for pair in weights])
        self._keep = np.ones(lattice.arcs.shape[1:], np.int64)
        self._parents: list[IntArray] = []
        self._offsets: list[IntArray] = []
        self._best: Point | None = None

    def least_energy(self) -> Point | None:
        """Return a path of least energy; None if there is none, or `complete` is False and none was found."""
        self._mark_arcs()
        while self._join():
            self._mark_arcs()
        self.work = self.work._replace(arcs=int(self._keep.sum()))
        labels: IntArray | None = self._first()
        for i in range(self._lattice.layers):
            if i > 0 and labels is not None:
                labels = self._next(labels, i)
            if labels is None:
                break
            if self._finish(labels, i):
                self._mark_arcs()
        return self._best

    def efficient(self) -> tuple[IntArray, IntArray]:
        """Return all efficient paths by time, one for each time and energy; none if it gave up.

        Returns
        -------
        costs : (2, n) array
            Times and energies.
        paths : (n, layers) array
            States.
        """
        self.work = self.work._replace(arcs=self._mark_arcs())
        labels: IntArray | None = self._first()
        for i in range(1, self._lattice.layers):
            if labels is not None:
                labels = self._next(labels, i)
        if labels is None:
            return np.empty((2, 0), np.int64), np.empty((0, self._lattice.layers), np.int64)
        order = np.lexsort((labels[1], labels[0]))
        least = np.minimum.accumulate(np.concatenate([[NEVER], labels[1, order]]))
        chosen = order[labels[1, order] < least[:-1]]
        return labels[:2, chosen], self._trace(self._lattice.layers - 1, chosen)

    def _limits(self) -> IntArray:
        """Largest weighted sum that a path in the box can have, for each weights."""
        return np.array([int(a) * self._time + int(b) * self._energy for a, b in self._weights], np.int64)

    def _mark_arcs(self) -> int:
        """Leave out arcs that no path through the box can use; return how many are left."""
        bounds = (self._ahead, self._behind, self._weights, self._limits())
        return int(_keep_arcs(self._lattice.arcs, *bounds, self._keep))

    def _join(self) -> bool:
        """Join forward and backward paths over every arc; whether one is better than the incumbent."""
        where = np.zeros(5, np.int64)
        paths = (self._ahead, self._behind)
        if _best_joint(self._lattice.arcs, self._keep, *paths, self._time, self._energy + 1, where) > self._energy:
            return False
        ahead, behind, i, p, s = where.tolist()
        path = (*trace_back(self._ahead[ahead], i, p), s, *trace_on(self._behind[behind], i + 1, s))
        self._narrow(path)
        return True

    def _narrow(self, path: tuple[int, ...]) -> None:
        """Take a path as incumbent; from now on only better ones are in the box."""
        self._best = self._lattice.point(path)
        self._energy = self._best.energy_nj - 1

    def _room(self, i: int) -> IntArray:
        """What bounds leave for the weighted sums of labels of layer ``i``, (weights, S)."""
        bound = self._behind[:, k.VALUE, i]
        never = bound == NEVER
        return np.where(never, -MAX_TOTAL, self._limits()[:, None] - np.where(never, 0, bound))

    def _first(self) -> IntArray:
        """Return the labels of the first layer, (3, n): time, energy, no predecessor."""
        start, room = self._lattice.start, self._room(0)
        possible = start[0] != NEVER
        known = np.where(possible, start, 0)
        possible &= (self._weights @ known <= room).all(axis=0)
        chosen = np.flatnonzero(possible)
        self._offsets.append(np.concatenate([[0], np.cumsum(possible)]).astype(np.int64))
        self._parents.append(np.full(len(chosen), -1, np.int64))
        return np.ascontiguousarray(np.stack([*known[:, chosen], self._parents[0]]))

    def _next(self, labels: IntArray, i: int) -> IntArray | None:
        """Return the labels of layer ``i`` from those of the layer before, (3, n); None if they are too many."""
        room, heap = self._room(i), np.empty((4, self._lattice.size), np.int64)
        offsets = np.empty(self._lattice.size + 1, np.int64)
        buffer = max(FIRST_BUFFER, 2 * labels.shape[1])
        looked = -1
        while looked < 0:
            left = self._max_labels - self.work.labels
            out = np.empty((3, min(buffer, left)), np.int64)
            given = (labels, self._offsets[-1], self._lattice.arcs, self._keep, i - 1, self._weights, room)
            looked = int(_extend(*given, heap, out, offsets))
            if looked < 0 and buffer >= left:
                self.complete = False
                return None
            buffer *= 4
        kept = np.ascontiguousarray(out[:, : offsets[-1]])
        self.work = self.work.plus(Work(looked, kept.shape[1]))
        self._offsets.append(offsets)
        self._parents.append(kept[2].copy())
        return kept

    def _finish(self, labels: IntArray, i: int) -> bool:
        """Complete the labels of layer ``i`` by backward paths; whether one is better than the incumbent."""
        found = np.array([self._energy + 1, 0, 0, 0], np.int64)
        if not _best_completion(labels, self._offsets[i], self._behind, i, self._time, found):
            return False
        _, n, sweep, state = found.tolist()
        begun = self._trace(i, np.array([n]))[0].tolist()
        self._narrow((*begun, *trace_on(self._behind[sweep], i, state)))
        return True

    def _trace(self, layer: int, labels: IntArray) -> IntArray:
        """Return the states of layers 0..layer of labels of that layer, (n, layer + 1)."""
        paths = np.empty((len(labels), layer + 1), np.int64)
        for i in range(layer, -1, -1):
            paths[:, i] = np.searchsorted(self._offsets[i], labels, side="right") - 1
            labels = self._parents[i][labels]
        return paths
