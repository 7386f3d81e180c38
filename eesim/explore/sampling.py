"""Random genomes without replacement, from a permutation that is never stored.

Below 2^62 genomes, the i-th genome of the sequence is number P(i) of the space, where P is a keyed permutation of
0 .. size - 1: a Feistel network on the next even number of bits, applied again while its result lies outside the
space (cycle walking; Black and Rogaway 2002). All there is to remember is the key and how far the sequence has been
read, and its end means that the whole space has been seen. Larger spaces are drawn from independently: a collision
there is a rarity, and the memo sees to it.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.explore.keys import EXACT_LIMIT

_ROUNDS = 6
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


class Sampler:
    """Reads genomes of a space in random order.

    Parameters
    ----------
    n_alleles
        Number of alleles of each gene, (G,).
    rng
        Gives the permutation's key and, in spaces too large for one, the genomes.

    Attributes
    ----------
    key
        Round keys of the permutation; with ``position``, all of the sampler's state.
    position
        How many genomes of the sequence were taken.
    """

    def __init__(self, n_alleles: IntArray, rng: np.random.Generator) -> None:
        self._n_alleles = np.array(n_alleles, np.int64)
        self._rng = rng
        self._size = prod(int(n) for n in n_alleles)
        self._exact = self._size < EXACT_LIMIT
        self._half_bits = max(1, ((self._size - 1).bit_length() + 1) // 2)
        self.key: IntArray = rng.integers(0, 1 << 62, _ROUNDS)
        self.position = 0

    @property
    def exhausted(self) -> bool:
        """Whether every genome of the space was taken."""
        return self._exact and self.position >= self._size

    def peek(self, count: int) -> IntArray:
        """Return the next genomes of the sequence, at most ``count``, without taking them, (n, G)."""
        if not self._exact:
            return self._rng.integers(0, self._n_alleles, (count, len(self._n_alleles)))
        out = np.empty((min(count, self._size - self.position), len(self._n_alleles)), np.int64)
        permuted = self._size, self._half_bits, self.key.view(np.uint64), self._n_alleles
        _genomes_at(self.position, *permuted, out)
        return out

    def take(self, count: int) -> None:
        """Move past ``count`` genomes."""
        self.position += count


@kernel
def genomes_at(
    first: int,
    size: int,
    half_bits: int,
    keys: npt.NDArray[np.uint64],
    n_alleles: IntArray,
    out: IntArray,
) -> None:
    """Write genomes number ``P(first)``, ``P(first + 1)``, ... of the space into ``out``, (n, G)."""
    half = np.uint64(half_bits)
    mask = (np.uint64(1) << half) - np.uint64(1)
    for i in range(len(out)):
        number = np.uint64(first + i)
        outside = True
        while outside:
            left, right = number >> half, number & mask
            for key in keys:
                mixed = (right ^ key) * _MIX
                mixed = (mixed ^ (mixed >> _HALF)) * _MIX
                left, right = right, left ^ ((mixed >> _HALF) & mask)
            number = (left << half) | right
            outside = bool(number >= np.uint64(size))
        for gene in range(out.shape[1] - 1, -1, -1):
            alleles = np.uint64(n_alleles[gene])
            rest = number // alleles
            out[i, gene] = np.int64(number - rest * alleles)
            number = rest


_genomes_at = WarmOnce(genomes_at)
