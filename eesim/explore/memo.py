"""Every genome is evaluated at most once: the memory that all searches of a problem share.

A genome is first *claimed*, which reserves its row, and evaluated with the other claimed ones in one batch. Rows stay
in the order in which they were claimed. A batch that fails is forgotten, as if it had never been asked for.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray
from eesim.explore import keys
from eesim.explore.problem import BoolArray, Evaluations, Problem

Number = TypeVar("Number", np.int16, np.int64, np.float64)
CompactArray = npt.NDArray[np.int16]

MAX_ALLELES = 1 << 15

_FIRST_CAPACITY = 1 << 10


class Visited(NamedTuple):
    """Everything evaluated so far, in the order of evaluation.

    Attributes
    ----------
    genomes
        (n, G), 16 bits per gene.
    objectives
        (n, M).
    violations
        (n, C).
    """

    genomes: CompactArray
    objectives: FloatArray
    violations: FloatArray


def _grown(array: npt.NDArray[Number], rows: int) -> npt.NDArray[Number]:
    """Copy with room for more rows."""
    out = np.zeros((rows, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out


class Memo:
    """Genomes that were evaluated, with their values.

    Parameters
    ----------
    problem
        What is evaluated; a memo serves one problem.

    Attributes
    ----------
    problem
        What is evaluated.
    size
        Number of genomes in the space, allowed or not.
    evaluated
        Genomes evaluated so far.
    hits
        Genomes that were asked for again.
    """

    def __init__(self, problem: Problem) -> None:
        n_alleles = np.array(problem.n_alleles, np.int64)
        if n_alleles.ndim != 1 or not len(n_alleles) or n_alleles.min() < 1:
            raise ValueError("a problem needs genes, and each gene an allele")
        if n_alleles.max() > MAX_ALLELES:
            raise ValueError(f"a gene has {n_alleles.max()} alleles; at most {MAX_ALLELES} are supported")
        self.problem = problem
        self.size = prod(int(n) for n in n_alleles)
        self._weights, self._exact = keys.key_weights(n_alleles)
        shape = len(n_alleles), len(problem.objective_names), len(problem.constraint_names)
        self.restore(Visited(np.empty((0, shape[0]), np.int16), np.empty((0, shape[1])), np.empty((0, shape[2]))), 0)

    def restore(self, visited: Visited, hits: int) -> None:
        """Replace all that is known by what was known when ``visited`` was taken."""
        n = len(visited.genomes)
        self.evaluated = self._claimed = n
        self.hits = hits
        capacity = max(_FIRST_CAPACITY, 1 << n.bit_length())
        self._genomes: CompactArray = _grown(np.asarray(visited.genomes, np.int16), capacity)
        self._objectives: FloatArray = _grown(np.asarray(visited.objectives, np.float64), capacity)
        self._violations: FloatArray = _grown(np.asarray(visited.violations, np.float64), capacity)
        self._keys: IntArray = self._genomes @ self._weights
        self._total: FloatArray = self._violations.sum(axis=1)
        self._index()

    def _index(self) -> None:
        self._table = np.full(2 * len(self._keys), -1, np.int64)
        self._shift = keys.home_shift(self._table)
        keys.fill(self._table, self._keys[: self._claimed], self._shift)

    def _reserve(self, rows: int) -> None:
        if rows <= len(self._keys):
            return
        capacity = 1 << rows.bit_length()
        self._keys, self._total = _grown(self._keys, capacity), _grown(self._total, capacity)
        self._genomes = _grown(self._genomes, capacity)
        self._objectives, self._violations = (_grown(a, capacity) for a in (self._objectives, self._violations))
        self._index()

    def claim(self, genomes: IntArray, limit: int) -> tuple[IntArray, BoolArray]:
        """Look genomes of the space up, and reserve a row for each of at most ``limit`` that were never seen.

        Returns
        -------
        rows : (n,)
            Row of each genome; -1 for unseen ones beyond the limit.
        fresh : (n,)
            Whether the row was reserved by this call, for this genome.
        """
        asked = np.ascontiguousarray(genomes, np.int64)
        self._reserve(self._claimed + min(limit, len(asked)))
        rows, fresh = np.empty(len(asked), np.int64), np.empty(len(asked), np.bool_)
        store = self._table, self._keys, self._genomes, self._weights, self._exact, self._shift
        claimed, found = keys.claim(*store, self._claimed, limit, asked, rows, fresh)
        self._claimed = int(claimed)
        self.hits += int(found) if limit else 0
        return rows, fresh

    def find(self, genomes: IntArray) -> IntArray:
        """Row of each genome, -1 where it was never seen; counts no hits, (n,)."""
        return self.claim(genomes, 0)[0]

    def evaluate(self) -> int:
        """Evaluate what is claimed, in one batch; returns how many genomes that were.

        Raises
        ------
        ValueError
            If the problem answers with wrong shapes, NaN or negative violations.
        """
        first, last = self.evaluated, self._claimed
        if first == last:
            return 0
        try:
            found = self.problem.evaluate(self.genomes(np.arange(first, last)))
            self._keep(first, last, Evaluations(*(np.asarray(array, np.float64) for array in found)))
        except BaseException:
            self.rewind(first, self.hits)
            raise
        self.evaluated = last
        return last - first

    def _keep(self, first: int, last: int, found: Evaluations) -> None:
        for name, array, store in zip(found._fields, found, (self._objectives, self._violations), strict=True):
            if array.shape != (last - first, store.shape[1]):
                raise ValueError(f"{name} have shape {array.shape}, not {(last - first, store.shape[1])}")
            if np.isnan(array).any():
                raise ValueError(f"{name} have no value (NaN); infinity is the way to say so")
            store[first:last] = array
        if not self._violations.shape[1]:
            self._total[first:last] = 0.0
            return
        if (found.violations < 0).any():
            raise ValueError("violations are below 0; a constraint that is met has violation 0")
        self._total[first:last] = self._violations[first:last].sum(axis=1)

    @property
    def pending(self) -> int:
        """Genomes that are claimed and not evaluated."""
        return self._claimed - self.evaluated

    def rewind(self, evaluated: int, hits: int) -> None:
        """Go back to the first ``evaluated`` genomes, as if nothing had been asked for since."""
        self.hits = hits
        if self._claimed > evaluated:
            self.evaluated = self._claimed = evaluated
            self._index()

    @property
    def visited(self) -> Visited:
        """All evaluated genomes as views that never change, however the memo grows."""
        n = self.evaluated
        return Visited(self._genomes[:n], self._objectives[:n], self._violations[:n])

    def genomes(self, rows: IntArray) -> IntArray:
        """Copy of the genomes in some rows, (n, G)."""
        return self._genomes[rows].astype(np.int64)

    @property
    def violation(self) -> FloatArray:
        """Sum of the violations of each evaluated genome, (n,); 0 where it is feasible."""
        return self._total[: self.evaluated]
