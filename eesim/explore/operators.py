"""Selection, crossover and mutation on whole populations of integer genomes.

The kernels draw nothing and allocate nothing: random numbers come in as arrays of uniform draws in [0, 1), results
go out through ``out``. A population is (n, G); allele g of each row lies in [0, n_alleles[g]).
"""

from __future__ import annotations

from eesim.base import FloatArray, IntArray
from eesim.engine.jit import WarmOnce, kernel


@kernel
def tournament(begin: IntArray, size: IntArray, draws: FloatArray, out: IntArray) -> None:
    """Pick the best of a few at random from groups that come best first.

    Parameters
    ----------
    begin, size
        Contestants of tournaments i, n + i, ... are individuals ``begin[i]`` up to ``begin[i] + size[i]``, (n,).
    draws
        One draw per contestant, (m, k).
    out
        Winners, (m,), m a multiple of n.
    """
    groups = len(begin)
    for i in range(len(out)):
        first, count = begin[i % groups], size[i % groups]
        winner = first + int(draws[i, 0] * count)
        for j in range(1, draws.shape[1]):
            winner = min(winner, first + int(draws[i, j] * count))
        out[i] = winner


@kernel
def uniform_crossover(
    population: IntArray, mothers: IntArray, fathers: IntArray, share: FloatArray, draws: FloatArray, out: IntArray
) -> None:
    """Take each gene from the father with probability ``share[i]``, else from the mother.

    Parameters
    ----------
    population
        (N, G).
    mothers, fathers
        Rows of the population, (n,).
    share
        (n,); 0 copies the mother.
    draws
        (n, G).
    out
        Children, (n, G).
    """
    for i in range(len(out)):
        mother, father = mothers[i], fathers[i]
        for gene in range(out.shape[1]):
            # Arithmetic, because no processor foresees the toss of a coin.
            mine, other = population[mother, gene], population[father, gene]
            out[i, gene] = mine + (other - mine) * int(draws[i, gene] < share[i])


@kernel
def one_point_crossover(
    population: IntArray, mothers: IntArray, fathers: IntArray, cuts: IntArray, out: IntArray
) -> None:
    """Take the genes before ``cuts[i]`` from the mother and the others from the father.

    Parameters
    ----------
    population
        (N, G).
    mothers, fathers
        Rows of the population, (n,).
    cuts
        (n,), 0 to G; G copies the mother.
    out
        Children, (n, G).
    """
    for i in range(len(out)):
        for gene in range(out.shape[1]):
            out[i, gene] = population[mothers[i] if gene < cuts[i] else fathers[i], gene]


@kernel
def mutate(genomes: IntArray, n_alleles: IntArray, rate: float, draws: FloatArray, out: IntArray) -> None:
    """Reset each gene, with probability ``rate``, to another of its alleles; genes with one allele stay.

    A draw below the rate is, divided by the rate, uniform again: it also chooses the allele.

    Parameters
    ----------
    genomes
        (n, G).
    n_alleles
        (G,).
    rate
        Probability per gene.
    draws
        (n, G).
    out
        (n, G); may be ``genomes``.
    """
    for i in range(len(out)):
        for gene in range(out.shape[1]):
            allele = genomes[i, gene]
            if draws[i, gene] < rate and n_alleles[gene] > 1:
                other = int(draws[i, gene] / rate * (n_alleles[gene] - 1))
                allele = other + 1 if other >= allele else other
            out[i, gene] = allele


@kernel
def reset_one(
    genomes: IntArray, which: IntArray, n_alleles: IntArray, free: IntArray, draws: FloatArray, out: IntArray
) -> None:
    """Reset one gene of each of some genomes to another of its alleles, if there is one that can be reset.

    Parameters
    ----------
    genomes
        (N, G); those that ``which`` names are changed.
    which
        (n,) rows.
    n_alleles
        (G,).
    free
        Genes with more than one allele.
    draws
        (n, 2): for the gene, for the allele.
    out
        (n, G) a copy of the changed rows.
    """
    for i in range(len(which)):
        row = which[i]
        if len(free) > 0:
            gene = free[int(draws[i, 0] * len(free))]
            other = int(draws[i, 1] * (n_alleles[gene] - 1))
            genomes[row, gene] = other + 1 if other >= genomes[row, gene] else other
        for gene in range(genomes.shape[1]):
            out[i, gene] = genomes[row, gene]


@kernel
def set_runs(genomes: IntArray, n_alleles: IntArray, rate: float, draws: FloatArray) -> None:
    """Give a run of neighbouring genes one allele, with probability ``rate``: that of the gene before it, or any.

    Parameters
    ----------
    genomes
        (n, G), changed in place.
    n_alleles
        (G,); genes that do not have the allele stay.
    rate
        Probability per genome.
    draws
        (n, 5): whether, where the run begins, how long it is, whether it goes on with what precedes it, the allele.
    """
    genes = genomes.shape[1]
    for i in range(len(genomes)):
        if draws[i, 0] >= rate:
            continue
        begin = int(draws[i, 1] * genes)
        # Short runs are more likely than long ones.
        end = begin + 1 + int(draws[i, 2] * draws[i, 2] * (genes - begin))
        allele = int(draws[i, 4] * n_alleles[begin])
        if begin > 0 and draws[i, 3] < 0.5:
            allele = genomes[i, begin - 1]
        for gene in range(begin, min(end, genes)):
            if allele < n_alleles[gene]:
                genomes[i, gene] = allele


runs_set = WarmOnce(set_runs)
reset_genes = WarmOnce(reset_one)
tournament_winners = WarmOnce(tournament)
cross_uniformly = WarmOnce(uniform_crossover)
cross_at_one_point = WarmOnce(one_point_crossover)
mutate_genes = WarmOnce(mutate)
