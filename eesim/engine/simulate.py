"""Choose an engine and drive it over a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

import numpy as np

from eesim.base import IntArray
from eesim.engine.protocol import Counters, Engine
from eesim.plan.plan import Draws, Plan

EngineName = Literal["compiled", "reference"]
ENGINES: tuple[EngineName, ...] = ("compiled", "reference")


class Watcher(Protocol):
    """What follows a run (see `eesim.metrics.observe.Observer`)."""

    def snapshot(self, frame: int, counters: Counters) -> None:
        """``frame`` frames have arrived."""
        ...

    def add(self, records: IntArray) -> None:
        """More frames have ended."""
        ...


def make_engine(name: EngineName, plan: Plan, *, log: bool = False) -> Engine:
    """Return an engine for ``plan``; numba is imported only for the compiled one.

    Raises
    ------
    ValueError
        If there is no engine of this name.
    """
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name!r}: choose {' or '.join(ENGINES)}")
    if name == "reference":
        from eesim.engine.reference import ReferenceEngine

        return ReferenceEngine(plan, log=log)
    from eesim.engine.compiled import CompiledEngine

    return CompiledEngine(plan, log=log)


def drive(
    engine: Engine,
    blocks: Iterable[Draws],
    watcher: Watcher,
    *,
    step: int,
    stop_at: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Counters:
    """Feed an engine to the end of the stream and let ``watcher`` see counters and records on the way.

    Parameters
    ----------
    engine
        A fresh engine.
    blocks
        The stream.
    watcher
        Sees a snapshot before the first frame, after every ``step`` frames, and after ``stop_at`` frames.
    step
        Frames between snapshots.
    stop_at
        One more frame count at which a snapshot is wanted.
    progress
        Called with the number of frames fed since its last call.

    Returns
    -------
    Counters
        Totals at the end.
    """
    watcher.snapshot(0, engine.counters())
    fed = 0
    width = 0
    for block in blocks:
        width = block.noise_ppm.shape[1]
        begin, size = 0, len(block.arrival_ns)
        while begin < size:
            limit = fed // step * step + step
            if fed < stop_at < limit:
                limit = stop_at
            end = min(begin + limit - fed, size)
            engine.feed(Draws(*(array[begin:end] for array in block)), final=False)
            count, begin = end - begin, end
            fed += count
            watcher.add(engine.take_records())
            if fed == limit:
                watcher.snapshot(fed, engine.counters())
            if progress is not None:
                progress(count)
    empty = np.zeros(0, np.int64)
    engine.feed(Draws(empty, empty, np.zeros((0, width), np.int64)), final=True)
    watcher.add(engine.take_records())
    return engine.counters()
