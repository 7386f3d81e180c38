"""What both engines offer: fed with blocks of drawn frames, they hand back records, counters and a log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from eesim.plan.plan import Draws, IntArray, Plan

NO_MARKS: IntArray = np.zeros(0, np.int64)


class Counters(NamedTuple):
    """Running totals of an engine at an instant; differences of two give the totals of a window."""

    now_ns: int
    """Instant of the last event processed."""
    busy_ns: IntArray
    """(N, V) service time per node and state found, the elapsed part of tasks under way included."""
    wasted_ns: IntArray
    """(N,) service time of finished or stopped tasks whose frame did not need them."""
    blocked_ns: IntArray
    """(R,) time that servers of each resource spent blocked, the elapsed part included."""
    batches: IntArray = NO_MARKS
    """(R,) batches that each resource has begun, those of a single task included; only of nodes that have batches."""
    batched: IntArray = NO_MARKS
    """(R,) tasks in them."""


class Memory:
    """Memory of an engine that is used again by the next one; not for two at a time.

    Attributes
    ----------
    arena
        The arena.
    used
        Numbers of it that the last engine may have changed.
    begun
        What engines of a plan begin with, by the plan's id; the plan is kept, so that its id stays its own.
    sink
        Takes records at once, as views that are good until it returns; without it they are kept for `take_records`.
    engine_s
        Processor time that engines with this memory took to simulate; ``sink`` is not included.
    """

    def __init__(self) -> None:
        self.arena: IntArray = np.zeros(1 << 17, np.int64)
        self.used = 0
        self.begun: dict[tuple[int, bool], tuple[Plan, IntArray]] = {}
        self.sink: Callable[[IntArray], None] | None = None
        self.engine_s = 0.0


class Engine(Protocol):
    """A simulation of one plan that is fed with the stream block by block.

    Feeding ends at the arrival of the block's last frame, because what follows depends on when the next one arrives;
    the last block is fed with ``final=True`` and runs until nothing is left to do. How the stream is cut into blocks
    never changes a result.
    """

    def feed(self, draws: Draws, *, final: bool, marks: IntArray = NO_MARKS) -> Sequence[Counters]:
        """Simulate up to the arrival of the last frame in ``draws``, or to the end.

        Parameters
        ----------
        draws
            The next frames of the stream, in order. May be empty if ``final``.
        final
            No more frames will come.
        marks
            Counts of frames since the start of the run, ascending, above what was fed before, not beyond what is now.

        Returns
        -------
        sequence of Counters
            Totals at each mark: when that many frames had arrived.

        Raises
        ------
        SimulationDeadlock
            If ``final`` and frames are left that can never go on.
        """
        ...

    def take_records(self) -> IntArray:
        """Records of the frames that answered or were dropped since the last call, (n, 12) in that order.

        Columns: `eesim.plan.plan.RECORD_COLUMNS`; ``exit`` is -1 and the parts of the latency are 0 for dropped frames.
        """
        ...

    def take_log(self) -> IntArray:
        """Event log since the last call, (n, 5); columns: `eesim.plan.plan.LOG_COLUMNS`. Empty if not asked for."""
        ...

    def counters(self) -> Counters:
        """Totals up to now."""
        ...
