"""What a worker does: simulate the points of a chunk, one after the other, and say what became of each."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import NamedTuple

from eesim.errors import EesimError
from eesim.evaluate import Measurement, Scratch, measure
from eesim.sweeps.keys import engine_version
from eesim.sweeps.points import Base, Changes, Plans, Sections


class Task(NamedTuple):
    """A point to be simulated."""

    point: int
    key: bytes
    changes: Changes


class Chunk(NamedTuple):
    """Points that a worker gets at once."""

    number: int
    tasks: tuple[Task, ...]


class Row(NamedTuple):
    """What became of a point: its metrics, or the reason why there are none.

    ``estimates`` holds value, low and high end of the interval of each of ``names``; None where there is none.
    """

    key: bytes
    status: str
    reason: str
    requirements_met: bool | None
    notes: str
    frames: int
    replications: int
    seed: int
    measured_frames: int
    warmup_frames: int
    names: tuple[str, ...]
    estimates: tuple[tuple[float | None, float | None, float | None], ...]


class Spent(NamedTuple):
    """Time that points took: on the clock, and of the processor; of that, in the engine, and drawing frames."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    engine_s: float = 0.0
    drawing_s: float = 0.0

    def plus(self, other: Spent) -> Spent:
        """Return the sums."""
        return Spent(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: Spent) -> Spent:
        """Return the differences."""
        return Spent(*(a - b for a, b in zip(self, other, strict=True)))


Outcome = tuple[tuple[Row, ...], Spent]
"""A row for each point of a chunk, and what they took."""


class Finished(NamedTuple):
    """A chunk that came back; without rows if it was lost with its worker, and why."""

    chunk: Chunk
    rows: tuple[Row, ...] | None
    spent: Spent
    reason: str = ""


@dataclass(frozen=True)
class Context:
    """What every worker needs: what the points begin with, and which engine must simulate them."""

    base: Base
    engine: str


class Simulator:
    """Simulates chunks; one per worker, because it keeps what points share.

    Parameters
    ----------
    context
        From the coordinator.

    Raises
    ------
    EesimError
        If this process has another version of the engine.
    """

    def __init__(self, context: Context) -> None:
        if engine_version() != context.engine:
            raise EesimError("a worker has another version of eesim or numpy than the process that sends the points")
        self._sections = Sections(context.base)
        self._plans = Plans()
        self._scratch = Scratch()
        self._chunks = 0

    def _clocks(self) -> Spent:
        memory, drawn = self._scratch.memory, self._scratch.drawn
        return Spent(time.perf_counter(), time.thread_time(), memory.engine_s, drawn.drawing_s)

    def run(self, chunk: Chunk) -> Outcome:
        """Return a row for each point, and the time that they took."""
        if not self._chunks:
            self._warm_up(chunk.tasks[0])
        begin = self._clocks()
        rows = tuple(self._row(task) for task in chunk.tasks)
        self._chunks += 1
        return rows, self._clocks().minus(begin)

    def _warm_up(self, task: Task) -> None:
        """Load all that simulating needs, on a few frames, before anything is timed."""
        self._row(task._replace(changes=(*task.changes, ("run.frames", 2), ("run.replications", 1))))
        self._scratch.memory.engine_s = 0.0
        # What is alive by now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()

    def _row(self, task: Task) -> Row:
        try:
            scenario = self._sections.scenario(task.changes)
            return row_of(task.key, measure(scenario, self._plans.lower(scenario), self._scratch))
        except (EesimError, ArithmeticError, ValueError, MemoryError) as error:
            return failed(task.key, f"{type(error).__name__}: {error}")


def row_of(key: bytes, found: Measurement) -> Row:
    """Return the row of a measurement."""
    run = found.scenario.spec.run
    return Row(
        key,
        "ok",
        "",
        all(verdict.met for verdict in found.verdicts) if found.verdicts else None,
        "; ".join(found.notes),
        found.scenario.n_frames,
        len(found.replications),
        run.seed,
        sum(r.measured_frames for r in found.replications),
        max(r.warmup_frames for r in found.replications),
        tuple(found.estimates),
        tuple((e.value, e.ci_low, e.ci_high) for e in found.estimates.values()),
    )


def failed(key: bytes, reason: str) -> Row:
    """Return the row of a point that has no metrics."""
    return Row(key, "failed", " ".join(reason.split()), None, "", 0, 0, 0, 0, 0, (), ())
