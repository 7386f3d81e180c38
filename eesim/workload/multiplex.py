"""Several streams as one: frames in the order in which they arrive, whatever stream they are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.workload.stream import BLOCK_FRAMES, DrawnBefore, Frames, Stream

FOREVER = int(np.iinfo(np.int64).max)

UNKNOWN = -1
"""Of a frame about which nobody knows which exits are right; a set of exits is never negative."""


class Multiplexed(NamedTuple):
    """A block of frames of several streams, before any mapping."""

    parts: tuple[Frames, ...]
    """The frames of each stream, in their own order."""
    order: IntArray
    """(F,) where each frame of the block stands in the streams' frames, one stream's after the other."""

    @property
    def stream(self) -> IntArray:
        """(F,) stream of each frame."""
        sizes = [len(part.arrival_ns) for part in self.parts]
        return np.repeat(np.arange(len(sizes)), sizes)[self.order]

    @property
    def correct(self) -> IntArray:
        """(F,) bit masks of the exits whose answer would be right, `UNKNOWN` in streams that have none."""
        nothing = [np.full(len(part.arrival_ns), UNKNOWN, np.int64) for part in self.parts]
        known = [p.correct if len(p.correct) else none for p, none in zip(self.parts, nothing, strict=True)]
        return np.concatenate(known)[self.order]


class _Source:
    """The frames of one stream that were drawn and not handed out."""

    def __init__(self, blocks: Iterator[Frames]) -> None:
        self._blocks = blocks
        self._chunks: list[Frames] = []
        self.ended = False
        self.draw()

    def draw(self) -> None:
        """Draw one block more, if there is one."""
        block = next(self._blocks, None)
        if block is None:
            self.ended = True
        else:
            self._chunks = [joined([*self._chunks, block])]

    @property
    def frames(self) -> Frames:
        """What was drawn and not handed out."""
        return self._chunks[0]

    @property
    def horizon(self) -> int:
        """Instant before which nothing more can come."""
        return FOREVER if self.ended else int(self.frames.arrival_ns[-1])

    def take(self, count: int) -> Frames:
        """Hand out the first ``count`` frames."""
        taken, self._chunks = cut(self.frames, 0, count), [cut(self.frames, count, None)]
        return taken


def cut(frames: Frames, begin: int, end: int | None) -> Frames:
    """Return some frames of a block; columns that are absent stay so."""
    return Frames._make(column[begin:end] for column in frames)


def joined(chunks: Sequence[Frames]) -> Frames:
    """Return blocks of one stream as one."""
    return Frames._make(np.concatenate(columns) for columns in zip(*chunks, strict=True))


def multiplexed(
    streams: Sequence[Stream],
    limits: Sequence[int],
    n_frames: int,
    *,
    seed: int,
    replication: int,
    drawn: DrawnBefore | None = None,
) -> Iterator[Multiplexed]:
    """Draw the first ``n_frames`` frames of several streams together, in blocks.

    Frames go by their drawn instants; those of one instant by the order of the streams. What is drawn for a stream does
    not depend on the others.

    Parameters
    ----------
    streams
        At least one.
    limits
        Frames after which each stream ends (the length of its traces).
    n_frames
        Frames of all streams together; fewer if all of them end.
    seed, replication, drawn
        See `Stream.blocks`.
    """
    sources = [
        _Source(stream.blocks(min(limit, n_frames), seed=seed, replication=replication, drawn=drawn))
        for stream, limit in zip(streams, limits, strict=True)
    ]
    left = n_frames
    while left:
        horizon = min(source.horizon for source in sources)
        known = [int(np.searchsorted(source.frames.arrival_ns, horizon, side="left")) for source in sources]
        if not any(known):
            if all(source.ended for source in sources):
                return
            # Nothing is certain to be next: look further ahead where least is known.
            next(source for source in sources if source.horizon == horizon).draw()
            continue
        stream = np.repeat(np.arange(len(sources)), known)
        instants = [source.frames.arrival_ns[:count] for source, count in zip(sources, known, strict=True)]
        order = np.lexsort((stream, np.concatenate(instants)))[: min(left, BLOCK_FRAMES)]
        sizes = np.bincount(stream[order], minlength=len(sources))
        # The frames taken are the first of each stream: renumber them as if there were no others.
        before = np.cumsum(known) - known
        begin = np.cumsum(sizes) - sizes
        order = order - (before - begin)[stream[order]]
        parts = tuple(source.take(int(size)) for source, size in zip(sources, sizes, strict=True))
        left -= len(order)
        yield Multiplexed(parts, order)
