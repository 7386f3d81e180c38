"""What the event log tells, as objects that pictures are drawn from: service episodes and the fate of each frame."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.plan.plan import EventKind

if TYPE_CHECKING:
    from eesim.metrics.result import Result
    from eesim.plan.lower import Lowered

NO_SERVER = -1
"""`Episode.server` of a pure delay."""


class Fate(NamedTuple):
    """What became of a frame until the log ends."""

    arrival_ns: int
    end_ns: int | None
    """Instant of the answer or the drop; None if neither is in the log."""
    exit: int | None
    """Plan exit that answered."""
    dropped: bool
    stream: int
    """Number of its stream; -1 where there is one."""


class Episode(NamedTuple):
    """One task being served once."""

    frame: int
    node: int
    task: str
    is_transfer: bool
    server: int
    """Index of the server, or `NO_SERVER`."""
    ready_ns: int
    start_ns: int
    end_ns: int
    """End of the service, or of the log."""
    status: str
    """``finished``, ``stopped`` or ``running`` (when the log ends)."""
    useless: bool
    """Whether the frame's answer did not need it, or the frame was dropped."""


class Blocked(NamedTuple):
    """A server that holds a task whose successor has no room."""

    server: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Story:
    """The logged frames of a run.

    Attributes
    ----------
    episodes
        By start, then frame, then node: as in `Result.tasks`.
    fates
        Fate of every frame that arrived, in the order of arrival.
    blocked
        When servers were blocked.
    end_ns
        Instant of the last event.
    """

    episodes: tuple[Episode, ...]
    fates: dict[int, Fate]
    blocked: tuple[Blocked, ...]
    end_ns: int


def tell(result: Result, *, frames: int | None = None) -> Story:
    """Read the event log of a result.

    Parameters
    ----------
    result
        A run that kept its log.
    frames
        Only so many frames, the first ones; all that are logged if None.

    Raises
    ------
    ValueError
        If the run did not keep its log.
    """
    if result.log is None:
        raise ValueError("this run did not keep its event log: run it with log_frames=N")
    log = result.log if frames is None else result.log[result.log[:, 2] < frames]
    end_ns = int(log[-1, 0]) if len(log) else 0
    fates = _fates(log)
    return Story(_episodes(log, result.lowered, fates, end_ns), fates, _blocked(log, end_ns), end_ns)


def _episodes(log: IntArray, lowered: Lowered, fates: Mapping[int, Fate], end_ns: int) -> tuple[Episode, ...]:
    from eesim.metrics.tables import task_table

    server_of = {name: i for i, name in enumerate(lowered.labels.servers)} | {"": NO_SERVER}
    need = lowered.plan.node_need.tolist()
    episodes = []
    for node, row in zip(_started_nodes(log), task_table(log, lowered).to_dict("records"), strict=True):
        fate = fates[int(row["frame"])]
        running = row["status"] == "running"
        episodes.append(
            Episode(
                frame=int(row["frame"]),
                node=node,
                task=str(row["task"]),
                is_transfer=row["kind"] == "transfer",
                server=server_of[str(row["server"])],
                ready_ns=int(row["ready_ns"]),
                start_ns=int(row["start_ns"]),
                end_ns=end_ns if running else int(row["end_ns"]),
                status=str(row["status"]),
                useless=fate.dropped or (fate.exit is not None and need[node] > fate.exit),
            )
        )
    return tuple(episodes)


def _started_nodes(log: IntArray) -> list[int]:
    """Node of each service episode, in the order of `Result.tasks` (names of transfers need not be unique)."""
    starts = log[log[:, 1] == EventKind.START]
    order = np.lexsort((starts[:, 3], starts[:, 2], starts[:, 0]))
    return [int(node) for node in starts[order, 3]]


def _fates(log: IntArray) -> dict[int, Fate]:
    fates: dict[int, Fate] = {}
    for time, kind, frame, _, place in log.tolist():
        if kind == EventKind.ARRIVE:
            fates[frame] = Fate(time, None, None, False, place)
        elif kind == EventKind.ANSWER:
            fates[frame] = fates[frame]._replace(end_ns=time, exit=place)
        elif kind == EventKind.DROP:
            fates[frame] = fates[frame]._replace(end_ns=time, dropped=True)
    return fates


def _blocked(log: IntArray, end_ns: int) -> tuple[Blocked, ...]:
    since: dict[int, int] = {}
    found = []
    for time, kind, _, _, server in log.tolist():
        if kind == EventKind.BLOCK:
            since[server] = time
        elif kind == EventKind.UNBLOCK:
            found.append(Blocked(server, since.pop(server), time))
    found += [Blocked(server, time, end_ns) for server, time in since.items()]
    return tuple(sorted(found, key=lambda b: (b.start_ns, b.server)))


def lanes(spans: Iterable[tuple[float, float]]) -> list[int]:
    """Give each span the lowest lane on which it overlaps no other; spans come by their starts."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    taken = 0
    out = []
    for start, end in spans:
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, taken = taken, taken + 1
        heapq.heappush(busy, (end, lane))
        out.append(lane)
    return out
