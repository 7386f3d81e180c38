"""Run a study: every point that the store does not know is simulated once, and the study's table is written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eesim.errors import InputError, Problem
from eesim.sweeps.executors import Executor, local_executor
from eesim.sweeps.identity import changed_design, changed_inputs, identity_of, read_identity, write_identity
from eesim.sweeps.keys import engine_version
from eesim.sweeps.pipeline import Pipeline, Progress
from eesim.sweeps.store import Store, locked
from eesim.sweeps.study import Study, load_study
from eesim.sweeps.table import build_table, save_table
from eesim.sweeps.worker import Context, Spent
from eesim.wording import count

if TYPE_CHECKING:
    import pyarrow as pa

STORE = "store"
"""Folder of the store, inside that of the sweep, unless it is shared."""


@dataclass(frozen=True)
class Sweep:
    """A study that was run.

    Attributes
    ----------
    points
        Points of the study.
    done, failed
        Those with metrics, and those without.
    cached
        Those that were not simulated now: the store, or an equal point of the study, had them.
    simulated
        Those that were.
    crashed
        Failed points whose worker died; the next run tries them again.
    seconds
        How long it took.
    spent
        Time that the workers took, together.
    coordinator_s
        Processor time of the process that hands out points and stores them.
    workers
        Who simulated.
    folder, store, table_path
        Where everything is.
    """

    points: int
    done: int
    failed: int
    cached: int
    simulated: int
    crashed: int
    seconds: float
    spent: Spent
    coordinator_s: float
    workers: int
    folder: Path
    store: Path
    table_path: Path

    def table(self) -> pa.Table:
        """Return the study's table (docs/file-formats.md)."""
        import pyarrow.parquet as pq

        return pq.read_table(self.table_path, partitioning=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that ``eesim sweep --json`` prints."""
        return {
            "points": self.points,
            "done": self.done,
            "failed": self.failed,
            "cached": self.cached,
            "crashed": self.crashed,
            "simulated": self.simulated,
            "store": str(self.store),
            "table": str(self.table_path),
            "workers": self.workers,
            "wall_s": round(self.seconds, 3),
            "coordinator_s": round(self.coordinator_s, 3),
            "spent": {name: round(value, 3) for name, value in self.spent._asdict().items()},
        }


def sweep(
    study: Study | str | Path | Mapping[str, Any],
    folder: str | Path,
    *,
    resume: bool = False,
    accept_changes: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    store: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> Sweep:
    """Run a study.

    Parameters
    ----------
    study
        A study (`load_study`), the path of one, or its content as a dictionary.
    folder
        Where its table goes, and its store unless there is another.
    resume
        Go on with the sweep that is there.
    accept_changes
        Go on although the scenario, its files or the engine have changed since.
    workers
        Processes on this machine; by default one for each core.
    scheduler
        Address of a Dask scheduler, or ``"local"`` for one of its own, in place of processes.
    store
        Folder of a store that several studies share.
    progress
        Called about once a second.
    told
        Called with remarks: how large the study is, what has changed.

    Raises
    ------
    InputError
        If the study is wrong; if there is a sweep already, or another one, or another writer.
    """
    if not isinstance(study, Study):
        study = load_study(study)
    begin = time.monotonic()
    folder, say = Path(folder), told or (lambda _: None)
    where = Path(store) if store is not None else folder / STORE
    if folder.exists() and not folder.is_dir():
        raise InputError([Problem(str(folder), 0, "", "is not a directory")])
    say(f"{count(study.design.size, 'point')} ({', '.join(study.design.paths)})")
    identity = identity_of(study, where)
    _check_folder(folder, identity, say, resume=resume, accept_changes=accept_changes)
    wanted = os.cpu_count() or 1 if workers is None else workers
    context = Context(study.base, engine_version())
    with ExitStack() as stack:
        cluster = _cluster(context, scheduler, wanted, stack)
        stack.enter_context(locked(folder))
        if where.resolve() != folder.resolve():
            stack.enter_context(locked(where))
        _check_folder(folder, identity, lambda _: None, resume=resume, accept_changes=accept_changes)
        write_identity(folder, identity)
        kept = Store(where)
        kept.tidy()
        pipeline = Pipeline(study, kept, progress)
        pipeline.run(lambda: cluster or local_executor(context, wanted))
        table = build_table(study, pipeline.keys, pipeline.why, kept)
        path = save_table(table, folder)
    import pyarrow.compute as pc

    failed = pc.sum(pc.equal(table["status"], "failed")).as_py() or 0
    n = study.design.size
    return Sweep(
        points=n,
        done=n - failed,
        failed=failed,
        cached=pipeline.cached,
        simulated=pipeline.simulated,
        crashed=pipeline.crashed,
        seconds=time.monotonic() - begin,
        spent=pipeline.spent,
        coordinator_s=pipeline.coordinator_s,
        workers=pipeline.workers,
        folder=folder,
        store=where,
        table_path=path,
    )


def _check_folder(
    folder: Path, identity: Mapping[str, Any], say: Callable[[str], None], *, resume: bool, accept_changes: bool
) -> None:
    """See whether the sweep may go to this folder.

    Raises
    ------
    InputError
        If there is a sweep and nobody asked to go on with it, or it is one of other inputs.
    """
    before = read_identity(folder)
    if before is None:
        return
    if not resume:
        message = "holds a sweep already: --resume goes on with it, -o chooses another folder"
        raise InputError([Problem(str(folder), 0, "", message)])
    changed = changed_inputs(before, identity)
    if changed and not accept_changes:
        advice = (
            "the inputs have changed since: its finished points would not count. --accept-changes runs them again (the "
            "store keeps both); -o with another folder leaves this sweep as it is"
        )
        raise InputError(
            [Problem(str(folder), 0, "", advice), *(Problem(str(folder), 0, "", what) for what in changed)]
        )
    for what in filter(None, (changed_design(before, identity), *changed)):
        say(f"{what}: finished points that are still part of the study are not simulated again")


def _cluster(context: Context, scheduler: str | None, workers: int, stack: ExitStack) -> Executor | None:
    """Connect to a cluster, if one is asked for: before anything is written, because that may fail."""
    if scheduler is None:
        return None
    from eesim.sweeps.dask_executor import DaskExecutor

    executor = DaskExecutor(context, scheduler, workers)
    stack.callback(executor.close)
    return executor
