"""The whole front between least time and least energy, exact or to a stated gap.

Two phases (Ulungu and Teghem, Foundations of Computing and Decision Sciences 20(2), 1995): first the corners of the
hull, by bisection (Aneja and Nair, Management Science 25(1), 1979); then, in the box between each two neighbours, the
efficient points that no weighted sum finds. A box with too many labels is split by its best point in half the time:
the two boxes that are left hold all other points, and fewer labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from eesim.base import IntArray
from eesim.explore.chain import Chain
from eesim.explore.dp_lattice import Lattice, Point, corner, ends, slope_of
from eesim.explore.dp_search import MAX_LABELS, NO_WORK, BoxSearch, Work


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """Efficient paths by ascending time and descending energy, one for each time and energy.

    Attributes
    ----------
    time_ns, energy_nj
        (n,) arrays.
    paths
        States, (n, layers).
    gap
        0.0 if the front is proven to be complete; else every possible path has a point here of no more time and at
        most ``1 + gap`` times its energy.
    work
        Labels and arcs of all searches.
    """

    time_ns: IntArray
    energy_nj: IntArray
    paths: IntArray
    gap: float
    work: Work

    def __str__(self) -> str:
        """Number of points, proof or gap, and the number of labels."""
        proof = "complete" if self.gap == 0 else f"within {100 * self.gap:.3g} % of the energy"
        return f"{len(self.time_ns):,} points, {proof}; {self.work}"


def front(chain: Chain, *, epsilon: float = 0.0, max_labels: int = MAX_LABELS) -> Front:
    """Return the efficient paths of a chain; none if no path is possible.

    Parameters
    ----------
    chain
        The model.
    epsilon
        Points may be left out between two whose energies differ by no more than this share.
    max_labels
        Labels kept at most by one search; a box that needs more is split, and where that does not help either, the
        gap is stated.
    """
    lattice = Lattice(chain)
    filler = _Filler(lattice, epsilon, max_labels)
    extremes = ends(lattice)
    if extremes is not None:
        hull = list(_hull(lattice, *extremes, epsilon))
        filler.add(hull[0])
        for left, right in pairwise(hull):
            filler.fill(left, right)
            filler.add(right)
    return filler.front()


def _hull(lattice: Lattice, first: Point, last: Point, epsilon: float) -> Iterator[Point]:
    """Corners of the hull by time, without those between points that are near enough."""
    yield first
    left, ahead = first, [last] if last != first else []
    while ahead:
        between = None if _gap(left, ahead[-1]) <= epsilon else corner(lattice, left, ahead[-1])[1]
        if between is None:
            left = ahead.pop()
            yield left
        else:
            ahead.append(between)


def _gap(left: Point, right: Point) -> float:
    """Share by which the energy of one point exceeds that of the next."""
    return left.energy_nj / right.energy_nj - 1 if right.energy_nj > 0 else math.inf


class _Filler:
    """Collects the points of a front in order of time."""

    def __init__(self, lattice: Lattice, epsilon: float, max_labels: int) -> None:
        self._lattice, self._epsilon, self._max_labels = lattice, epsilon, max_labels
        self._costs = [np.empty((2, 0), np.int64)]
        self._paths = [np.empty((0, lattice.layers), np.int64)]
        self._gap, self._work = 0.0, NO_WORK

    def add(self, point: Point) -> None:
        """Add one point."""
        self._costs.append(np.array([[point.time_ns], [point.energy_nj]], np.int64))
        self._paths.append(np.array([point.path], np.int64))

    def fill(self, left: Point, right: Point) -> None:
        """Add the efficient points between two."""
        if _gap(left, right) <= self._epsilon:
            self._gap = max(self._gap, _gap(left, right))
            return
        search = self._search(left, right, right.time_ns - 1)
        costs, paths = search.efficient()
        self._work = self._work.plus(search.work)
        if search.complete:
            self._costs.append(costs)
            self._paths.append(paths)
            return
        middle = self._middle(left, right)
        if middle is not None:
            self.fill(left, middle)
            self.add(middle)
            self.fill(middle, right)

    def _middle(self, left: Point, right: Point) -> Point | None:
        """Return the best point in the first half of the time, or the first later one; None if there is none.

        None too if that needs too many labels; then the gap remains.
        """
        limit = (left.time_ns + right.time_ns) // 2
        while True:
            search = self._search(left, right, limit)
            found = search.least_energy()
            self._work = self._work.plus(search.work)
            if not search.complete:
                self._gap = max(self._gap, _gap(left, right))
                return None
            if found is not None or limit == right.time_ns - 1:
                return found
            limit = (limit + right.time_ns) // 2

    def _search(self, left: Point, right: Point, time_ns: int) -> BoxSearch:
        """Search the box between two points, up to a time."""
        slope = slope_of(self._lattice, left, right)
        return BoxSearch(self._lattice, slope, time_ns, left.energy_nj - 1, self._max_labels)

    def front(self) -> Front:
        """Return what was collected, without points that a later one of the same energy made needless."""
        time, energy = np.concatenate(self._costs, axis=1)
        least = np.minimum.accumulate(np.concatenate([[np.iinfo(np.int64).max], energy]))[:-1]
        chosen = energy < least
        paths = np.concatenate(self._paths)[chosen]
        return Front(time[chosen], energy[chosen], paths, self._gap, self._work)
