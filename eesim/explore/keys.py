"""Keys of genomes, and the open-addressing hash table that finds their rows.

A genome's key is its number in the enumeration of the space, last gene fastest, where the space is smaller than
2^62; that number is exact. In a larger space the key is a weighted sum modulo 2^64, with fixed odd weights, and equal
keys have to be confirmed gene by gene. The table holds row numbers, or -1; its length is a power of two, and the
search for a key goes on from its home slot.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.engine.jit import WarmOnce, kernel
from eesim.explore.problem import BoolArray

EXACT_LIMIT = 1 << 62
"""Spaces below this size have exact keys."""

_SCATTER = np.uint64(0x9E3779B97F4A7C15)


def place_values(n_alleles: IntArray) -> IntArray:
    """Weights that turn a genome into its number, (G,); the last gene varies fastest.

    Raises
    ------
    OverflowError
        If the space has more genomes than 64-bit integers.
    """
    sizes = [int(n) for n in n_alleles]
    return np.array([prod(sizes[gene + 1 :]) for gene in range(len(sizes))], np.int64)


def key_weights(n_alleles: IntArray) -> tuple[IntArray, bool]:
    """Weights of the genes in a key, (G,), and whether keys are exact."""
    if prod(int(n) for n in n_alleles) < EXACT_LIMIT:
        return place_values(n_alleles), True
    return np.random.PCG64(0).random_raw(len(n_alleles)).view(np.int64) | 1, False


def home_shift(table: IntArray) -> np.uint64:
    """How far a multiplicative hash is shifted down so that its top bits are a slot."""
    return np.uint64(64 - (len(table).bit_length() - 1))


@kernel
def claim_rows(
    table: IntArray,
    keys: IntArray,
    genomes: npt.NDArray[np.int16],
    weights: IntArray,
    exact: bool,
    shift: np.uint64,
    row: int,
    limit: int,
    asked: IntArray,
    rows: IntArray,
    fresh: BoolArray,
) -> int:
    """Find each asked genome or give it the next row, as long as ``limit`` lasts; returns the number of rows."""
    mask, end = len(table) - 1, row + limit
    for i in range(len(asked)):
        key = 0
        for gene in range(asked.shape[1]):
            key += asked[i, gene] * weights[gene]
        slot = np.int64((np.uint64(key) * _SCATTER) >> shift)
        while table[slot] >= 0:
            seen = table[slot]
            same = keys[seen] == key
            if same and not exact:
                for gene in range(asked.shape[1]):
                    same = same and genomes[seen, gene] == asked[i, gene]
            if same:
                break
            slot = (slot + 1) & mask
        rows[i] = table[slot]
        fresh[i] = rows[i] < 0 and row < end
        if fresh[i]:
            for gene in range(asked.shape[1]):
                genomes[row, gene] = asked[i, gene]
            keys[row] = key
            table[slot] = rows[i] = row
            row += 1
    return row


@kernel
def fill_table(table: IntArray, keys: IntArray, shift: np.uint64) -> None:
    """Enter rows 0, 1, ... with these keys into an empty table."""
    mask = len(table) - 1
    for row in range(len(keys)):
        slot = np.int64((np.uint64(keys[row]) * _SCATTER) >> shift)
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = row


claim = WarmOnce(claim_rows)
fill = WarmOnce(fill_table)
