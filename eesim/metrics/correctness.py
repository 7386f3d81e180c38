"""Whether the answers that frames got are right, where that is known sample by sample."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from eesim.base import IntArray
from eesim.plan.plan import RECORD_COLUMNS, Status
from eesim.workload.multiplex import UNKNOWN

__all__ = ["UNKNOWN", "AnswerKey"]

FRAME, EXIT, STATUS = (RECORD_COLUMNS.index(name) for name in ("frame", "exit", "status"))


class AnswerKey:
    """Knows which exits are right about each frame; forgets a block of frames when all of them have ended.

    Parameters
    ----------
    exit_number
        1-based number, among its network's exits, of each exit that can answer.
    """

    def __init__(self, exit_number: Sequence[int]) -> None:
        self._shift = np.array(exit_number, np.int64) - 1
        self._begins: list[int] = []
        """First frame of each block of which frames are left, in order."""
        self._blocks: dict[int, IntArray] = {}
        self._left: dict[int, int] = {}
        self._size = 0

    def add(self, correct: IntArray) -> None:
        """Take the bit masks of the next block of frames, `UNKNOWN` where a frame's stream has none."""
        self._begins.append(self._size)
        self._blocks[self._size] = correct
        self._left[self._size] = len(correct)
        self._size += len(correct)

    def check(self, records: IntArray) -> IntArray:
        """Say which of these frames got a right answer, (F,): 1 or 0, or `UNKNOWN`; each may be asked for once."""
        right = np.zeros(len(records), np.int64)
        block = np.searchsorted(self._begins, records[:, FRAME], side="right") - 1
        for begin, number in [(self._begins[b], b) for b in np.unique(block)]:
            mine = np.flatnonzero(block == number)
            masks = self._blocks[begin][records[mine, FRAME] - begin]
            answered = records[mine, STATUS] == Status.ANSWERED
            shift = self._shift[np.where(answered, records[mine, EXIT], 0)]
            right[mine] = np.where(masks == UNKNOWN, UNKNOWN, answered & (masks >> shift & 1))
            self._left[begin] -= len(mine)
            if not self._left[begin]:
                self._forget(begin)
        return right

    def _forget(self, begin: int) -> None:
        del self._blocks[begin], self._left[begin], self._begins[bisect_right(self._begins, begin) - 1]
