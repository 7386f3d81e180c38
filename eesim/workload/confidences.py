"""Per-sample confidences: thresholds decide which exit each sample takes, and so whether its answer is right."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import FloatArray, IntArray
from eesim.spec import Spec
from eesim.units import Share

BoolArray = npt.NDArray[np.bool_]

MAX_EXITS = 62
"""Sets of exits are bit masks in 64-bit integers."""


class ExitConfidences(Spec):
    """A test set with the confidence and the correctness of every exit for every sample, from CSV or Parquet.

    An exit is confident about a sample whose ``confidence_k`` is at least its threshold (``mapping.thresholds``). The
    samples are replayed in random order, each pass taking every sample once (``shuffled``), or in the ``table``'s.
    """

    kind: Literal["confidences"]
    path: Path
    split: str | None = None
    order: Literal["shuffled", "table"] = "shuffled"

    @property
    def accuracy(self) -> tuple[Share, ...] | None:
        """No share of right answers per exit: whether an answer is right is known sample by sample."""
        return None


class Samples(NamedTuple):
    """A table of N samples and K exits; empty where a stream has none."""

    confidence: FloatArray = np.zeros((0, 0))
    """(N, K - 1) confidence of each early exit; the final exit always answers."""
    correct: BoolArray = np.zeros((0, 0), np.bool_)
    """(N, K) whether the answer of each exit is right."""


class Decisions(NamedTuple):
    """What thresholds make of a table's samples."""

    exit: IntArray = np.zeros(0, np.int64)
    """(N,) first enabled exit that is confident, 0-based."""
    confident: IntArray = np.zeros(0, np.int64)
    """(N,) bit masks of the enabled exits that are confident; the final one always is."""
    correct: IntArray = np.zeros(0, np.int64)
    """(N,) bit masks of the exits whose answer is right."""


def decide(samples: Samples, thresholds: npt.ArrayLike, enabled: npt.ArrayLike) -> Decisions:
    """Apply thresholds to a table.

    Parameters
    ----------
    samples
        The table.
    thresholds
        (K - 1,) least confidence at which each early exit answers; not read where the exit is disabled.
    enabled
        (K - 1,) or (K,) whether each exit is enabled.
    """
    n, n_exits = samples.correct.shape
    able = np.ones((n, n_exits), np.bool_)
    limits = np.asarray(thresholds, np.float64)
    able[:, :-1] = (samples.confidence >= limits) & np.asarray(enabled, np.bool_)[: n_exits - 1]
    bits = np.int64(1) << np.arange(n_exits, dtype=np.int64)
    return Decisions(np.argmax(able, axis=1).astype(np.int64), able @ bits, samples.correct @ bits)


class RowSampler:
    """Draws the samples that one replication replays, block after block.

    Parameters
    ----------
    model
        In which order.
    rng
        Random stream of this replication's exits.
    n_rows
        Samples in the table.
    """

    def __init__(self, model: ExitConfidences, rng: np.random.Generator, n_rows: int) -> None:
        self._shuffled = model.order == "shuffled"
        self._rng = rng
        self._n_rows = n_rows
        self._deck = np.zeros(0, np.int64)

    def draw(self, count: int) -> IntArray:
        """Return the rows of the next ``count`` frames; a pass that is used up is followed by another one."""
        parts, have = [self._deck], len(self._deck)
        while have < count:
            deck = np.arange(self._n_rows, dtype=np.int64)
            if self._shuffled:
                self._rng.shuffle(deck)
            parts.append(deck)
            have += len(deck)
        rows = np.concatenate(parts)
        self._deck = rows[count:].copy()
        return rows[:count]
