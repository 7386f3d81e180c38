"""Frames and service episodes as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eesim.base import IntArray
from eesim.metrics.observe import (
    ARRIVAL,
    EXIT,
    FINISH,
    FRAME,
    LEVEL,
    PLACE,
    QUEUEING,
    SERVICE,
    STATUS,
    STREAM,
    TRANSFER,
)
from eesim.metrics.tally import BASIS
from eesim.plan.lower import Labels, Lowered
from eesim.plan.plan import Basis, EventKind, NodeKind, Status

STATUS_WORDS = [status.name.lower() for status in Status]
"""How frames end, in words."""

BASIS_WORDS = [basis.name.lower() for basis in Basis]
"""Whose answers they get, in words."""


def frame_table(records: Sequence[IntArray], labels: Labels) -> pd.DataFrame:
    """One row per frame and replication.

    Parameters
    ----------
    records
        Frame records of each replication, (F, 12).
    labels
        Names of exits and streams.

    Returns
    -------
    DataFrame
        ``frame, arrival_ns, finish_ns, exit, status, queueing_ns, service_ns, transfer_ns, contention_ns, stream,
        level, lost_at, basis, replication``; ``finish_ns`` and ``exit`` (1-based number in the network) are empty for
        frames without an answer, ``stream`` where there is one stream that has no name, ``lost_at`` where no full queue
        of a PE or link lost the frame. ``basis`` says whose answer it is, ``exit`` and ``level`` are then that one's.
    """
    rows = np.concatenate(records)
    answered = rows[:, STATUS] == Status.ANSWERED
    number = np.array([*labels.exit_number, 0], np.int64)[rows[:, EXIT]]
    latency = rows[:, FINISH] - rows[:, ARRIVAL]
    parts = rows[:, [QUEUEING, SERVICE, TRANSFER]]
    contention = np.where(answered, latency - parts.sum(axis=1), 0)
    return pd.DataFrame(
        {
            "frame": rows[:, FRAME],
            "arrival_ns": rows[:, ARRIVAL],
            "finish_ns": pd.array(rows[:, FINISH], dtype="Int64").copy(),
            "exit": pd.array(number, dtype="Int64").copy(),
            "status": pd.Categorical.from_codes(rows[:, STATUS], pd.Index(STATUS_WORDS)),
            "queueing_ns": parts[:, 0],
            "service_ns": parts[:, 1],
            "transfer_ns": parts[:, 2],
            "contention_ns": contention,
            "stream": pd.Categorical.from_codes(rows[:, STREAM], pd.Index(labels.streams or ("",), dtype="object")),
            "level": rows[:, LEVEL],
            "lost_at": pd.Categorical.from_codes(rows[:, PLACE] + 1, pd.Index(["", *labels.resources], dtype="object")),
            "basis": pd.Categorical.from_codes(rows[:, BASIS], pd.Index(BASIS_WORDS)),
            "replication": np.repeat(np.arange(len(records)), [len(part) for part in records]),
        }
    ).assign(
        finish_ns=lambda table: table["finish_ns"].where(answered),
        exit=lambda table: table["exit"].where(answered),
    )


def task_table(log: IntArray, lowered: Lowered) -> pd.DataFrame:
    """One row per service episode: each time that a task was served.

    Parameters
    ----------
    log
        Event log, (L, 5).
    lowered
        What was simulated.

    Returns
    -------
    DataFrame
        ``frame, task, kind, resource, server, ready_ns, start_ns, end_ns, status``, by start. ``kind`` is ``segment``
        or ``transfer``; ``server`` is empty for a pure delay; ``status`` is ``finished``, ``stopped``, or ``running``
        where the log ends first.
    """
    plan, labels = lowered.plan, lowered.labels
    rows = pd.DataFrame(log, columns=["time", "kind", "frame", "node", "place"])
    key = ["frame", "node"]

    def of(*kinds: EventKind) -> pd.DataFrame:
        return rows[rows["kind"].isin([int(kind) for kind in kinds])].set_index(key)

    table = of(EventKind.START)[["time", "place"]].rename(columns={"time": "start_ns", "place": "server"})
    ends = of(EventKind.FINISH, EventKind.ABORT)
    table = table.join(of(EventKind.READY)["time"].rename("ready_ns"))
    table = table.join(ends[["time", "kind"]].rename(columns={"time": "end_ns", "kind": "ended"}))
    table = table.reset_index().sort_values(["start_ns", "frame", "node"], kind="stable", ignore_index=True)
    node = table["node"].to_numpy()
    names = np.array([*labels.resources, "delay"], dtype=object)
    servers = np.array([*labels.servers, ""], dtype=object)
    status = table["ended"].map({int(EventKind.FINISH): "finished", int(EventKind.ABORT): "stopped"})
    return pd.DataFrame(
        {
            "frame": table["frame"],
            "task": np.array(labels.nodes, dtype=object)[node],
            "kind": np.where(plan.node_kind[node] == NodeKind.TRANSFER, "transfer", "segment"),
            "resource": names[plan.node_resource[node]],
            "server": servers[table["server"].to_numpy()],
            "ready_ns": table["ready_ns"].fillna(table["start_ns"]).astype("int64"),
            "start_ns": table["start_ns"],
            "end_ns": table["end_ns"].astype("Int64"),
            "status": status.fillna("running"),
        }
    )
