"""The simulator under the conditions of GA.py's closed form: single frames, far apart, one for each exit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.evaluate import run
from eesim.explore.ga_py import B_OVERHEAD, PATHS
from eesim.explore.ga_py_table import SHIPPED
from eesim.plan.plan import EventKind
from eesim.scenario.load import Scenario, load


class SingleFrames(NamedTuple):
    """One frame of each exit, simulated alone."""

    latency_ns: IntArray
    """(4,) latency of the frame that takes each exit."""
    ready_ns: IntArray
    """(7,) when each segment of the frame that takes the last exit is ready, ..."""
    start_ns: IntArray
    """... starts ..."""
    finish_ns: IntArray
    """... and ends."""


def single_frame_scenario(order: str, *, contention: bool) -> Scenario:
    """Load the scenario that GA.py is compared with: one frame of each exit, each finds the board empty.

    Parameters
    ----------
    order
        Order string.
    contention
        Whether B takes 1.6 times as long while G is busy.
    """
    off = dict.fromkeys(("transfers", "cold_start", "dvfs_delay"), False)
    overrides = {
        "board.contention.pairs": {"B": {"G": 1 + B_OVERHEAD}},
        "mapping.segments": order,
        "mapping.exits": "all",
        "policy": "cooperative",
        "physics": {**off, "contention": contention},
        "stream": {
            "arrivals": {"kind": "periodic", "period": "1 min"},
            "exits": {"kind": "counts", "counts": [1] * len(PATHS)},
        },
        "run": {"frames": len(PATHS), "warmup": "none", "replications": 1},
        "requirements": {},
    }
    return load(SHIPPED, overrides)


def single_frames(scenario: Scenario) -> SingleFrames:
    """Simulate a `single_frame_scenario` with the compiled engine."""
    result = run(scenario, log_frames=scenario.n_frames)
    assert result.records is not None, "so few frames are kept"
    assert result.log is not None, "it was asked for"
    records = result.records[0][np.argsort(result.records[0][:, 3])]
    frame, arrival = records[-1, :2]
    log = result.log[result.log[:, 2] == frame]
    segment = np.array(result.lowered.labels.node_segment)
    when = np.zeros((3, len(segment)), np.int64)
    for row, kind in zip(when, (EventKind.READY, EventKind.START, EventKind.FINISH), strict=True):
        events = log[log[:, 1] == kind]
        row[segment[events[:, 3]]] = events[:, 0] - arrival
    return SingleFrames(records[:, 2] - records[:, 1], *when)
