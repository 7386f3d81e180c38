"""How parents become children: tournament, crossover, mutation, with what was chosen for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from eesim.base import IntArray
from eesim.explore.operators import (
    cross_at_one_point,
    cross_uniformly,
    mutate_genes,
    reset_genes,
    runs_set,
    tournament_winners,
)


@dataclass(frozen=True)
class Variation:
    """Choices of the operators.

    Attributes
    ----------
    tournament
        Contestants of each tournament, at least 1.
    crossover
        ``uniform`` takes each gene from either parent; ``one-point`` keeps neighbouring genes together.
    crossover_rate
        Share of children with two parents; the others start as a copy of one.
    mutation_rate
        Probability that a gene is reset; None resets one gene per child on average.
    run_rate
        Probability that a run of neighbouring genes of a child gets one allele: for chains, whose good designs stay
        where they are for many layers.
    """

    tournament: int = 2
    crossover: Literal["uniform", "one-point"] = "uniform"
    crossover_rate: float = 0.9
    mutation_rate: float | None = None
    run_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.tournament < 1:
            raise ValueError(f"a tournament needs a contestant, not {self.tournament}")
        if self.crossover not in ("uniform", "one-point"):
            raise ValueError(f"crossover is 'uniform' or 'one-point', not {self.crossover!r}")
        rates = ("crossover_rate", "mutation_rate", "run_rate")
        for name, rate in ((name, getattr(self, name)) for name in rates):
            if rate is not None and not 0 <= rate <= 1:
                raise ValueError(f"{name} is a probability, not {rate}")


class Breeder:
    """Makes children with the random numbers of one generator.

    Parameters
    ----------
    n_alleles
        Number of alleles of each gene, (G,).
    variation
        Choices of the operators.
    rng
        Source of all draws.
    """

    def __init__(self, n_alleles: IntArray, variation: Variation, rng: np.random.Generator) -> None:
        self._n_alleles = n_alleles
        self._free = np.flatnonzero(n_alleles > 1)
        self._variation = variation
        self._rng = rng
        rate = variation.mutation_rate
        self._rate = 1 / max(1, len(self._free)) if rate is None else rate

    def breed(self, parents: IntArray, begin: IntArray, size: IntArray) -> tuple[IntArray, IntArray]:
        """Breed one child for each group of parents.

        Parameters
        ----------
        parents
            Genomes, (N, G), the best of each group first.
        begin, size
            The parents of child i are those from ``begin[i]`` up to ``begin[i] + size[i]``, (n,).

        Returns
        -------
        children : (n, G)
        mothers : (n,)
            Row of the parent that the child takes after.
        """
        n, variation = len(begin), self._variation
        draws = self._rng.random((2 * n, variation.tournament))
        winners = np.empty(2 * n, np.int64)
        tournament_winners(begin, size, draws, winners)
        mothers, fathers = winners[:n], winners[n:]
        children = np.empty((n, parents.shape[1]), np.int64)
        crossed = self._rng.random(n) < variation.crossover_rate
        if variation.crossover == "uniform":
            genes = self._rng.random(children.shape)
            cross_uniformly(parents, mothers, fathers, np.where(crossed, 0.5, 0.0), genes, children)
        else:
            cuts = self._rng.integers(1, max(2, parents.shape[1]), n)
            cross_at_one_point(parents, mothers, fathers, np.where(crossed, cuts, parents.shape[1]), children)
        mutate_genes(children, self._n_alleles, self._rate, self._rng.random(children.shape), children)
        if variation.run_rate:
            runs_set(children, self._n_alleles, variation.run_rate, self._rng.random((n, 5)))
        return children, mothers

    def step_aside(self, genomes: IntArray, which: IntArray) -> IntArray:
        """Reset exactly one gene of some genomes in place, if there is one to reset; returns them, (n, G)."""
        out = np.empty((len(which), genomes.shape[1]), np.int64)
        reset_genes(genomes, which, self._n_alleles, self._free, self._rng.random((len(which), 2)), out)
        return out
