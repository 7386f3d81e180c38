"""Which exit every frame takes, for each choice of thresholds and enabled exits that a batch of candidates holds.

Where exits come from counts, shares or a trace they are the same for all candidates. Where they come from a table of
confidences, thresholds and enabled exits decide: candidates that agree in these share one row of the bank. Banks are
made batch by batch and never hold more than `MOST_ENTRIES` exits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray
from eesim.explore.space import Space
from eesim.explore.stream_facts import exit_shares
from eesim.scenario.load import Scenario
from eesim.workload.confidences import ExitConfidences

MOST_ENTRIES = 1 << 25


class Deal(NamedTuple):
    """Exits for ``n`` candidates that share ``C`` choices of thresholds and enabled exits.

    Sizes: ``F`` frames, ``N`` samples, ``K`` exits of the network.
    """

    rows: IntArray
    """(n,) candidates of the batch that this is for."""
    choice: IntArray
    """(n,) row of ``exits`` of each of them."""
    exits: npt.NDArray[np.int16]
    """(C, F) exit of each frame."""
    shares: FloatArray
    """(C, K) share of frames at each exit, as the model says."""
    accuracy: FloatArray
    """(C,) share of right answers, as the model says; nan where it is not known sample by sample."""


class DecisionBank:
    """Deals exits to batches of genomes.

    Parameters
    ----------
    space
        What varies.
    exits, samples
        (F,) exits and rows of samples of the frames that every candidate is simulated on.
    """

    def __init__(self, space: Space, exits: IntArray, samples: IntArray) -> None:
        scenario = space.scenario
        self._space = space
        self.by_sample = isinstance(scenario.spec.stream.exits, ExitConfidences)
        self.samples = samples
        self.correct = np.zeros(0, np.int64)
        self._fixed = Deal(
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            exits[None].astype(np.int16),
            exit_shares(scenario, exits)[None],
            np.full(1, np.nan),
        )
        if self.by_sample:
            self._read_table(scenario)

    def _read_table(self, scenario: Scenario) -> None:
        table, model = scenario.traces.samples, scenario.spec.stream.exits
        self._table = table
        self._bits = np.int64(1) << np.arange(table.correct.shape[1], dtype=np.int64)
        self.correct = (table.correct @ self._bits)[self.samples]
        # In the table's order the frames are its first rows; in random order every pass takes each sample once.
        in_order = isinstance(model, ExitConfidences) and model.order == "table"
        self._counted = self.samples if in_order else np.arange(len(table.correct))

    def deals(self, genomes: IntArray, *, decide: bool) -> Iterator[Deal]:
        """Deal exits to a batch.

        Parameters
        ----------
        genomes
            (n, G); only the genes of exits and thresholds are read.
        decide
            Whether exits decide; if not, every frame answers at the final one.
        """
        if not self.by_sample:
            n = len(genomes)
            yield self._fixed._replace(rows=np.arange(n), choice=np.zeros(n, np.int64))
            return
        keys, choice = np.unique(genomes[:, self._space.exit_and_threshold_genes], axis=0, return_inverse=True)
        choice = choice.reshape(-1)
        entries = max(len(self.samples), self._table.confidence.size, 1)
        size = max(MOST_ENTRIES // entries, 1)
        for begin in range(0, len(keys), size):
            rows = np.flatnonzero((choice >= begin) & (choice < begin + size))
            yield self._deal(keys[begin : begin + size], rows, choice[rows] - begin, decide)

    def _deal(self, keys: IntArray, rows: IntArray, choice: IntArray, decide: bool) -> Deal:
        enabled, thresholds = self._choices(keys)
        sure = self._table.confidence[None] >= thresholds[:, None, :]
        sure &= (enabled if decide else np.zeros_like(enabled))[:, None, :]
        last = np.ones((*sure.shape[:2], 1), np.bool_)
        exit_ = np.argmax(np.concatenate([sure, last], axis=2), axis=2).astype(np.int16)
        right = self._table.correct[np.arange(exit_.shape[1]), exit_]
        counted = exit_[:, self._counted]
        shares = np.stack([(counted == k).mean(axis=1) for k in range(len(self._bits))], axis=1)
        return Deal(rows, choice, exit_[:, self.samples], shares, right[:, self._counted].mean(axis=1))

    def _choices(self, keys: IntArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Enabled early exits and thresholds, (C, K - 1) each."""
        genes = [self._space.genes[i] for i in self._space.exit_and_threshold_genes]
        values = np.stack([np.array(g.alleles, np.float64)[keys[:, i]] for i, g in enumerate(genes)], axis=1)
        half = len(genes) // 2
        return values[:, :half].astype(np.bool_), values[:, half:]

    def drawn(self, deal: Deal, warm: int) -> tuple[FloatArray, FloatArray]:
        """Shares, (C, K), and accuracy, (C,), of the frames after the warm-up."""
        exits = deal.exits[:, warm:].astype(np.int64)
        n_exits = deal.shares.shape[1]
        shares = np.stack([(exits == k).mean(axis=1) for k in range(n_exits)], axis=1)
        if not self.by_sample:
            return shares, np.full(len(exits), np.nan)
        return shares, (self.correct[warm:] >> exits & 1).mean(axis=1)
