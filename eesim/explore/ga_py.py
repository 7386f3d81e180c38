"""The objective of EEDNN_on_HMPSoCs ``python/GA.py``: the published closed form for early-exit mappings, exactly.

It estimates the latency of each exit of a network with three early exits from a table of segment times. Genes
x0..x6 are the PEs of b1 e1 b2 e2 b3 e3 b4; l_i is the time of segment i on its PE; exits count from 1:

======== ===========================================================================================
path     E1 = l0 + l1, E2 = l0 + l2 + l3, E3 = l0 + l2 + l4 + l5, E4 = l0 + l2 + l4 + l6
S        an exit runs before the next block on its PE: x1 = x2 adds l1 to E2 E3 E4; x3 = x4 adds l3
         to E3 E4; x5 = x6 adds l5 to E4
W        the next exit waits for its PE: x1 = x3 and l2 < l1 adds l1 - l2 to E2 E3 E4; x3 = x5 and
         l4 < l3 adds l3 - l4 to E3 E4
C        B beside a busy GPU is 60 % slower: an exit on B beside its next block on G adds 0.6 of the
         exit to that exit's E; a block on B beside its previous exit on G adds 0.6 of the block to
         all deeper E
T        0.05 ms where a block and its exit share a PE: x0 = x1 to all E, x2 = x3 to E2 E3 E4,
         x4 = x5 to E3 E4
======== ===========================================================================================

The fitness is the sum of n_k E_k over the n_k frames that take exit k. GA.py replaces it by infinity where E4 is
above a deadline (40 ms unless told otherwise); here the deadline is left to the caller. Where these rules and the
event-driven simulator part: `eesim.explore.disagreement`.

Sums are taken in whole nanoseconds, so that a latency on the deadline is on it, not beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.explore.ga_py_table import N_GENES, NS_PER_MS, PES, Table, genes_of, shipped_table

B, G = PES.index("B"), PES.index("G")

PATHS = ((0, 1), (0, 2, 3), (0, 2, 4, 5), (0, 2, 4, 6))
"""Segments that lead to each exit."""

B_OVERHEAD = 0.6
"""Share by which GA.py lengthens B beside a busy GPU; its origin is not documented there."""

TIE_BREAK_MS = 0.05
"""What GA.py adds where a block and its exit share a PE, to favour strings that change PEs."""


class Terms(NamedTuple):
    """What GA.py's latency of one exit consists of, ms; the letters are those of the rules above."""

    path: float
    serial: float
    """S."""
    wait: float
    """W."""
    contention: float
    """C."""
    tie_breaker: float
    """T."""

    @property
    def total(self) -> float:
        """GA.py's latency of the exit, ms."""
        return round(sum(self), 6)


class Charge(NamedTuple):
    """One rule applied to all strings."""

    term: str
    """S, W, C or T."""
    segment: int
    """S, W: the exit branch that is waited for; C: the segment that is slowed; T: the block."""
    exits: slice
    """Exits that pay (0-based)."""
    amount_ns: IntArray
    """(n,) what they pay, ns; 0 where the rule does not apply."""


def path_ns(times_ns: IntArray, genes: IntArray) -> IntArray:
    """Return the bare path sums, (4, n) in ns."""
    own = times_ns[genes.T, np.arange(N_GENES)[:, None]]
    return np.array([own[list(path)].sum(axis=0) for path in PATHS])


def charges(times_ns: IntArray, genes: IntArray) -> Iterator[Charge]:
    """Apply GA.py's rules beyond the bare path, each to all strings.

    Parameters
    ----------
    times_ns
        (3, 7) table, ns.
    genes
        (n, 7) rows of the table.
    """
    x = genes.T
    own = times_ns[x, np.arange(N_GENES)[:, None]]
    slowed = np.rint(B_OVERHEAD * times_ns[B]).astype(np.int64)
    tie_break = round(TIE_BREAK_MS * NS_PER_MS)
    for k in range(3):
        block, branch, beside = 2 * k, 2 * k + 1, 2 * k + 2
        deeper = slice(k + 1, 4)
        yield Charge("S", branch, deeper, np.where(x[branch] == x[beside], own[branch], 0))
        if k < 2:
            excess = np.maximum(own[branch] - own[beside], 0)
            yield Charge("W", branch, deeper, np.where(x[branch] == x[branch + 2], excess, 0))
        yield Charge("C", branch, slice(k, k + 1), ((x[branch] == B) & (x[beside] == G)) * slowed[branch])
        yield Charge("C", beside, deeper, ((x[branch] == G) & (x[beside] == B)) * slowed[beside])
        yield Charge("T", block, slice(k, 4), (x[block] == x[branch]) * tie_break)


def itemised_ns(times_ns: IntArray, order: str) -> dict[str, IntArray]:
    """Return what GA.py charges one order string, by rule (S, W, C, T): (7, 4) segments x exits, ns.

    The segment is the one that `Charge` names.
    """
    paid = {term: np.zeros((N_GENES, len(PATHS)), np.int64) for term in "SWCT"}
    for charge in charges(times_ns, genes_of([order])):
        paid[charge.term][charge.segment, charge.exits] += charge.amount_ns
    return paid


def whole_ns(times_ms: FloatArray) -> IntArray:
    """Round milliseconds to whole nanoseconds."""
    return np.rint(np.asarray(times_ms, np.float64) * NS_PER_MS).astype(np.int64)


@kernel
def add_up(times_ns: IntArray, slowed_ns: IntArray, tie_break_ns: int, genes: IntArray, out: IntArray) -> None:
    """Sum path and charges of each string into ``out``, (n, 4) ns: `path_ns` and `charges` for speed."""
    for i in range(len(genes)):
        x = genes[i]
        deep = times_ns[x[0], 0]
        for k in range(3):
            block, branch, beside = 2 * k, 2 * k + 1, 2 * k + 2
            own, after = times_ns[x[branch], branch], times_ns[x[beside], beside]
            if x[block] == x[branch]:
                deep += tie_break_ns
            out[i, k] = deep + own
            if x[branch] == B and x[beside] == G:
                out[i, k] += slowed_ns[branch]
            deep += after
            if x[branch] == x[beside]:
                deep += own
            if k < 2 and x[branch] == x[branch + 2] and own > after:
                deep += own - after
            if x[branch] == G and x[beside] == B:
                deep += slowed_ns[beside]
        out[i, 3] = deep


_add_up = WarmOnce(add_up)


def _exits_ns(times_ns: IntArray, genes: IntArray) -> IntArray:
    out = np.empty((len(genes), len(PATHS)), np.int64)
    slowed = np.rint(B_OVERHEAD * times_ns[B]).astype(np.int64)
    _add_up(times_ns, slowed, round(TIE_BREAK_MS * NS_PER_MS), np.ascontiguousarray(genes), out)
    return out


def ga_py_exits(times_ms: FloatArray, genes: IntArray) -> FloatArray:
    """Estimate the latency of each exit as GA.py does.

    Parameters
    ----------
    times_ms
        (3, 7) time of each segment on B, L and G, ms; taken to the nanosecond.
    genes
        (n, 7) row of the table for each segment.

    Returns
    -------
    (n, 4) array
        E1..E4 in ms.
    """
    times, genes = np.asarray(times_ms), np.asarray(genes)
    if times.shape != (len(PES), N_GENES) or genes.ndim != 2 or genes.shape[1] != N_GENES:
        raise ValueError(f"times must be (3, 7) and genes (n, 7), not {times.shape} and {genes.shape}")
    if genes.size and not 0 <= genes.min() <= genes.max() < len(PES):
        raise ValueError("genes must be 0, 1 or 2")
    return _exits_ns(whole_ns(times), genes) / NS_PER_MS


def ga_py_fitness(orders: Sequence[str], table: Table | None = None) -> FloatArray:
    """Return GA.py's fitness of order strings without its deadline, (n,): the sum of n_k E_k, frames x ms.

    With the shipped 10,000 frames that is the mean latency in units of 1e-4 ms.

    Raises
    ------
    InputError
        Every string that is not seven letters out of B, L and G.
    """
    times_ms, counts = table or shipped_table()
    return _exits_ns(whole_ns(times_ms), genes_of(orders)) @ counts / NS_PER_MS


def ga_py_printed(orders: Sequence[str], table: Table | None = None) -> FloatArray:
    """Return what GA.py prints as "Best Avg" and "Worst Case Latency", (n, 2) in ms: path sums without S, W, C, T.

    Raises
    ------
    InputError
        Every string that is not seven letters out of B, L and G.
    """
    times_ms, counts = table or shipped_table()
    path = path_ns(whole_ns(times_ms), genes_of(orders))
    return np.stack([counts @ path / counts.sum(), path[-1]], axis=1) / NS_PER_MS


def ga_py_terms(order: str, table: Table | None = None) -> tuple[Terms, ...]:
    """Return what GA.py's latency of each exit consists of, for one order string.

    Raises
    ------
    InputError
        If it is not seven letters out of B, L and G.
    """
    times_ns = whole_ns((table or shipped_table()).times_ms)
    path = path_ns(times_ns, genes_of([order]))[:, 0]
    added = [paid.sum(axis=0) for paid in itemised_ns(times_ns, order).values()]
    return tuple(Terms(*(int(ns) / NS_PER_MS for ns in exit_)) for exit_ in zip(path, *added, strict=True))
