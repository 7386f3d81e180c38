"""Running totals of measured frames."""

from __future__ import annotations

from collections.abc import Sequence

from eesim.base import IntArray
from eesim.engine.kernel_tally import ARRIVAL, EXIT, FINISH, QUEUEING, SERVICE, STATUS, TRANSFER
from eesim.metrics.histogram import EXACT_LIMIT, Histogram, Summary
from eesim.plan.plan import Status

NEVER = (-1, -1, -1, -1)
"""Instants of a tally without answers."""

PARTS = ("queueing", "service", "transfer", "contention")


class Tally:
    """Running totals of measured frames, of one replication or of one batch of it.

    Parameters
    ----------
    n_exits
        Exits that can answer.
    deadline_ns
        Latency beyond which an answer is a miss; None if there is no deadline.
    limit
        Latencies that are kept as they are.
    """

    def __init__(self, n_exits: int, deadline_ns: int | None, limit: int = EXACT_LIMIT) -> None:
        self.latency: Histogram | Summary = Histogram(limit)
        self.by_exit: Sequence[Histogram | Summary] = [Histogram(limit) for _ in range(n_exits)]
        self.parts_ns = dict.fromkeys(PARTS, 0)
        self.answered = 0
        self.dropped = 0
        self.missed = 0
        self.first_answer_ns = -1
        self.last_answer_ns = -1
        self.first_arrival_ns = -1
        self.last_arrival_ns = -1
        self._deadline_ns = deadline_ns

    @classmethod
    def of(cls, sums: Sequence[int], latency: Summary, by_exit: Sequence[Summary]) -> Tally:
        """Return a tally of what has been counted already; nothing can be added to it.

        Parameters
        ----------
        sums
            (SUMS_WIDTH,) what `eesim.engine.kernel_tally.count_frames` counted.
        latency, by_exit
            Latencies of all answers, and of those at each exit.
        """
        tally = cls.__new__(cls)
        tally.latency, tally.by_exit = latency, by_exit
        answered, dropped, missed, queueing, service, transfer, total, *instants, _ = sums
        tally.answered, tally.dropped, tally.missed = answered, dropped, missed
        contention = total - queueing - service - transfer
        tally.parts_ns = {
            "queueing": queueing, "service": service, "transfer": transfer, "contention": contention
        }  # fmt: skip
        tally.first_answer_ns, tally.last_answer_ns, tally.first_arrival_ns, tally.last_arrival_ns = (
            instants if answered else NEVER
        )
        return tally

    def add(self, records: IntArray) -> None:
        """Count frames, in the order in which they ended."""
        answers = records[records[:, STATUS] == Status.ANSWERED]
        self.dropped += len(records) - len(answers)
        if not len(answers):
            return
        latency = answers[:, FINISH] - answers[:, ARRIVAL]
        for histogram, values in (
            (self.latency, latency),
            *((histogram, latency[answers[:, EXIT] == exit_]) for exit_, histogram in enumerate(self.by_exit)),
        ):
            assert not isinstance(histogram, Summary), "a tally that was counted elsewhere is complete"
            histogram.add(values)
        sums = answers[:, [QUEUEING, SERVICE, TRANSFER]].sum(axis=0)
        for part, value in zip(PARTS, [*sums, latency.sum() - sums.sum()], strict=True):
            self.parts_ns[part] += int(value)
        self.answered += len(answers)
        if self._deadline_ns is not None:
            self.missed += int((latency > self._deadline_ns).sum())
        if self.first_answer_ns < 0:
            self.first_answer_ns = int(answers[0, FINISH])
            self.first_arrival_ns = int(answers[0, ARRIVAL])
        self.first_arrival_ns = min(self.first_arrival_ns, int(answers[:, ARRIVAL].min()))
        self.last_answer_ns = int(answers[-1, FINISH])
        self.last_arrival_ns = max(self.last_arrival_ns, int(answers[:, ARRIVAL].max()))

    @property
    def frames(self) -> int:
        """Frames that ended, with an answer or without."""
        return self.answered + self.dropped

    @property
    def lag_ns(self) -> int:
        """How much longer the answers took than the arrivals: what latency has grown by."""
        return self.last_answer_ns - self.first_answer_ns - (self.last_arrival_ns - self.first_arrival_ns)

    @property
    def deadline_misses(self) -> int:
        """Frames without an answer in time: late or dropped."""
        return self.missed + self.dropped
