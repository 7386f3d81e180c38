"""Genomes as the compiled lowering wants them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.explore.space import Placement, Space, pe_of
from eesim.hardware.spec import Board
from eesim.plan.plan import UNBOUNDED


class Genes(NamedTuple):
    """Genomes as the compiled lowering wants them."""

    pes: IntArray
    opps: IntArray
    pe_opps: IntArray
    enabled: IntArray
    in_flight: IntArray
    queue: IntArray

    def part(self, rows: npt.NDArray[np.bool_] | IntArray | slice) -> Genes:
        """Return some of the rows."""
        return Genes(*(np.ascontiguousarray(column[rows]) for column in self))


class Columns:
    """Translates genomes to the arrays of the compiled lowering."""

    def __init__(self, space: Space) -> None:
        board = space.scenario.board
        names = list(board.pes)
        self._n = space.n_segments, space.n_pes
        self.pe_alleles = [
            np.array([names.index(pe_of(allele)) for allele in gene.alleles])
            for gene in space.genes[: space.n_segments]
        ]
        self.own_opps = [
            np.array([_own_opp(board, allele) for allele in gene.alleles]) for gene in space.genes[: space.n_segments]
        ]
        # PEs on which a change of the clock takes its time.
        slow = space.scenario.spec.physics.dvfs_delay
        self._changes_slowly = np.array([slow and pe.dvfs is not None for pe in board.pes.values()])
        clocks = space.genes[space.n_segments : space.n_segments + space.n_pes]
        self.opp_alleles = [
            np.array([pe.opps.frequencies.index(clock) for clock in gene.alleles])
            for gene, pe in zip(clocks, board.pes.values(), strict=True)
        ]
        self._exit = [np.array(gene.alleles, np.int64) for gene in space.genes[space.exit_genes]]
        self._limits = [
            np.array([UNBOUNDED if limit == "unbounded" else int(limit) for limit in gene.alleles], np.int64)
            for gene in space.genes[-3:-1]
        ]
        self._has_own = np.array(space.own_clocks)
        self.bounded_queue = bool((self._limits[1] != UNBOUNDED).any())

    def genes(self, genomes: IntArray) -> Genes:
        """Translate genomes, (n, G)."""
        s, p = self._n
        pes = np.stack([table[genomes[:, i]] for i, table in enumerate(self.pe_alleles)], axis=1).astype(np.int64)
        pe_opps = np.stack([table[genomes[:, s + i]] for i, table in enumerate(self.opp_alleles)], axis=1).astype(
            np.int64
        )
        opps = np.take_along_axis(pe_opps, pes, axis=1)
        for i in np.flatnonzero(self._has_own):
            opps[:, i] = self.own_opps[i][genomes[:, i]]
        n = len(genomes)
        exits = [table[genomes[:, s + p + i]] for i, table in enumerate(self._exit)]
        enabled = np.stack([*exits, np.ones(n, np.int64)], axis=1)
        limits = [table[genomes[:, -3 + i]] for i, table in enumerate(self._limits)]
        return Genes(pes, opps, pe_opps, enabled, *limits).part(slice(None))

    def changes_clocks(self, genes: Genes) -> npt.NDArray[np.bool_]:
        """Whether some PE of a design runs segments at another clock than its own, and takes time to change, (n,)."""
        differs = genes.opps != np.take_along_axis(genes.pe_opps, genes.pes, axis=1)
        changed: npt.NDArray[np.bool_] = (differs & self._changes_slowly[genes.pes]).any(axis=1)
        return changed


def _own_opp(board: Board, allele: str | Placement) -> int:
    """Operating point that a placement asks for, -1 for one that leaves it to the PE."""
    return board.pes[allele.pe].opps.frequencies.index(allele.clock_hz) if isinstance(allele, Placement) else -1
