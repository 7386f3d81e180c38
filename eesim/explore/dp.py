"""Exact layer switching: the least time of a chain, and the least energy within a time limit.

All answers come with a `Certificate`: proven, or within a stated gap. A limit that cannot be met is answered by a
value that says how far it is off. The whole front between the two is in `eesim.explore.dp_front`.

`min_energy` solves the Lagrangian dual first (Handler and Zang, Networks 10(4), 1980, doi:10.1002/net.3230100403):
the corners of the hull on either side of the limit give a path that meets it and a lower bound of the energy. What
lies between is searched by label setting (`eesim.explore.dp_search`).
"""

from __future__ import annotations

from dataclasses import dataclass

from eesim.explore.chain import Chain
from eesim.explore.dp_front import Front, front
from eesim.explore.dp_lattice import TIME_ONLY, Lattice, Point, corner, ends, slope_of
from eesim.explore.dp_search import MAX_LABELS, NO_WORK, BoxSearch, Work

__all__ = ["Certificate", "Front", "Infeasible", "Solution", "front", "min_energy", "min_time"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """How good an answer is, and what it took to know.

    Attributes
    ----------
    bound
        No path that meets the limit has less: nJ, or ns for `min_time`.
    gap
        Share of the answer by which it exceeds the bound; 0.0 if it is proven to be optimal.
    work
        Labels and arcs of the search.
    """

    bound: int
    gap: float = 0.0
    work: Work = NO_WORK

    @property
    def proven(self) -> bool:
        """Whether the answer is proven to be optimal."""
        return self.gap == 0

    def __str__(self) -> str:
        """Proof or gap, and the number of labels."""
        proof = "proven optimum" if self.proven else f"at most {100 * self.gap:.3g} % above the optimum"
        return f"{proof}; {self.work}"


@dataclass(frozen=True, slots=True)
class Solution:
    """States of the layers, what they cost, and how sure it is that nothing is better.

    Attributes
    ----------
    path
        Index of each layer's state; `Chain.labels` names them.
    time_ns, energy_nj
        Costs, equal to those of `eesim.explore.chain.evaluate`.
    certificate
        Proof or gap.
    """

    path: tuple[int, ...]
    time_ns: int
    energy_nj: int
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Infeasible:
    """No path meets the limit.

    Attributes
    ----------
    limit_ns
        The limit, ns.
    fastest
        A path of least time; None if the chain has no path at all.
    """

    limit_ns: int
    fastest: Solution | None

    @property
    def excess_ns(self) -> int | None:
        """By how much the least time exceeds the limit, ns."""
        return None if self.fastest is None else self.fastest.time_ns - self.limit_ns


def min_time(chain: Chain) -> Solution | None:
    """Return a path of least time, and of least energy among those; None if no path is possible."""
    found = Lattice(chain).best(TIME_ONLY)
    return None if found is None else _fastest(found[1])


def min_energy(chain: Chain, time_limit_ns: int, *, max_labels: int = MAX_LABELS) -> Solution | Infeasible:
    """Return a path of least energy among those within a time limit.

    Parameters
    ----------
    chain
        The model.
    time_limit_ns
        Most time allowed, ns.
    max_labels
        Labels kept at most; where they do not suffice, the best path found is returned with the gap that remains.
    """
    lattice = Lattice(chain)
    extremes = ends(lattice)
    if extremes is None or extremes[0].time_ns > time_limit_ns:
        return Infeasible(time_limit_ns, None if extremes is None else _fastest(extremes[0]))
    within, beyond = extremes
    if beyond.time_ns <= time_limit_ns:
        return _solution(beyond, beyond.energy_nj, NO_WORK)
    within, beyond, bound = _dual(lattice, within, beyond, time_limit_ns)
    if bound >= within.energy_nj:
        return _solution(within, within.energy_nj, NO_WORK)
    slope = slope_of(lattice, within, beyond)
    search = BoxSearch(lattice, slope, time_limit_ns, within.energy_nj - 1, max_labels)
    best = search.least_energy() or within
    return _solution(best, best.energy_nj if search.complete else bound, search.work)


def _dual(lattice: Lattice, within: Point, beyond: Point, limit: int) -> tuple[Point, Point, int]:
    """Return the corners of the hull on either side of a limit, and the least energy that the hull allows there."""
    while True:
        value, between = corner(lattice, within, beyond)
        if between is None:
            a, b = slope_of(lattice, within, beyond)
            return within, beyond, -((a * limit - value) // b)
        if between.time_ns <= limit:
            within = between
        else:
            beyond = between


def _fastest(point: Point) -> Solution:
    return Solution(point.path, point.time_ns, point.energy_nj, Certificate(point.time_ns))


def _solution(point: Point, bound: int, work: Work) -> Solution:
    """Return an answer to `min_energy` with its certificate."""
    gap = (point.energy_nj - bound) / max(abs(point.energy_nj), 1)
    return Solution(point.path, point.time_ns, point.energy_nj, Certificate(bound, gap, work))
