"""Whether the answers that frames got are right, where that is known sample by sample."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from eesim.base import IntArray
from eesim.plan.plan import RECORD_COLUMNS, Basis, Status
from eesim.workload.multiplex import UNKNOWN

__all__ = ["UNKNOWN", "AnswerKey"]

FRAME, EXIT, STATUS, STREAM, BASIS = (
    RECORD_COLUMNS.index(name) for name in ("frame", "exit", "status", "stream", "basis")
)


class AnswerKey:
    """Knows which exits are right about each frame; forgets a block of frames when all of them have ended.

    Parameters
    ----------
    exit_number
        1-based number, among its network's exits, of each exit that can answer.
    again
        Whether frames can get the answers of others.
    """

    def __init__(self, exit_number: Sequence[int], *, again: bool = False) -> None:
        self._uses_again = again
        self._shift = np.array(exit_number, np.int64) - 1
        self._begins: list[int] = []
        """First frame of each block of which frames are left, in order."""
        self._blocks: dict[int, IntArray] = {}
        self._left: dict[int, int] = {}
        self._size = 0
        self._reference: dict[int, tuple[int, int]] = {}
        """Frame and correctness of the latest frame of each stream that was answered by itself."""

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
        if self._uses_again:
            self._again(records, right)
        return right

    def _again(self, records: IntArray, right: IntArray) -> None:
        """Answers that were used again are as right as they were, in the same scene, and wrong in another one.

        They are those of the latest frame of the stream that had been answered by itself.
        """
        for stream in np.unique(records[:, STREAM]).tolist():
            mine = np.flatnonzero(records[:, STREAM] == stream)
            rows, known = records[mine], right[mine]
            before, was_right = self._reference.get(stream, (-1, UNKNOWN))
            own = (rows[:, STATUS] == Status.ANSWERED) & (rows[:, BASIS] == Basis.OWN)
            latest = np.maximum.accumulate(np.append(before, np.where(own, rows[:, FRAME], -1)))
            teaches = own & (rows[:, FRAME] > latest[:-1])
            last = np.maximum.accumulate(np.where(teaches, np.arange(len(rows)), -1))
            answer = np.where(last >= 0, known[last], was_right)
            right[mine[rows[:, BASIS] == Basis.SAME_SCENE]] = answer[rows[:, BASIS] == Basis.SAME_SCENE]
            stale = mine[rows[:, BASIS] == Basis.STALE]
            right[stale] = np.where(right[stale] == UNKNOWN, UNKNOWN, 0)
            self._reference[stream] = int(latest[-1]), int(answer[-1])

    def _forget(self, begin: int) -> None:
        del self._blocks[begin], self._left[begin], self._begins[bisect_right(self._begins, begin) - 1]
