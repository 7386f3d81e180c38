"""Whether the answers that frames got are right, where that is known sample by sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.plan.plan import RECORD_COLUMNS, Status

FRAME, EXIT, STATUS = (RECORD_COLUMNS.index(name) for name in ("frame", "exit", "status"))


class AnswerKey:
    """Knows which exits are right about each frame; forgets a block of frames when all of them have ended.

    Parameters
    ----------
    exit_number
        1-based number, among the network's exits, of each exit that can answer.
    """

    def __init__(self, exit_number: Sequence[int]) -> None:
        self._shift = np.array(exit_number, np.int64) - 1
        self._blocks: dict[int, IntArray] = {}
        self._left: dict[int, int] = {}
        self._size = 0

    def add(self, correct: IntArray) -> None:
        """Take the bit masks of the next block of frames; all blocks but the last have the same size."""
        self._size = self._size or len(correct)
        number = max(self._left, default=-1) + 1
        self._blocks[number] = correct
        self._left[number] = len(correct)

    def check(self, records: IntArray) -> npt.NDArray[np.bool_]:
        """Say which of these frames got a right answer, (F,); each frame may be asked for once."""
        right = np.zeros(len(records), np.bool_)
        block = records[:, FRAME] // max(self._size, 1)
        for number in np.unique(block):
            mine = np.flatnonzero(block == number)
            masks = self._blocks[int(number)][records[mine, FRAME] - number * self._size]
            answered = records[mine, STATUS] == Status.ANSWERED
            shift = self._shift[np.where(answered, records[mine, EXIT], 0)]
            right[mine] = answered & (masks >> shift & 1).astype(np.bool_)
            self._left[int(number)] -= len(mine)
            if not self._left[int(number)]:
                del self._blocks[int(number)]
        return right
