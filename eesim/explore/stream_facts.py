"""What a scenario's stream says without being drawn: exit shares, and how close two frames can come."""

from __future__ import annotations

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import Periodic
from eesim.workload.correlated import CorrelatedExits
from eesim.workload.exits import ExitCounts, ExitShares, FixedExit
from eesim.workload.scenes import RegimeExits


def exit_shares(scenario: Scenario, drawn: IntArray) -> FloatArray:
    """Share of frames that would take each exit of the network: from the model, or else as drawn."""
    match scenario.spec.stream.exits:
        case ExitCounts(counts=counts):
            return np.array(counts, np.float64) / sum(counts)
        case ExitShares(shares=shares):
            return np.array([float(share) for share in shares], np.float64)
        case CorrelatedExits(counts=counts):
            return np.array(counts, np.float64) / sum(counts)
        case RegimeExits() as model:
            return model.shares
        case FixedExit(exit=number):
            return np.asarray(np.eye(len(scenario.network.exit_names))[number - 1], np.float64)
        case _:
            return np.asarray(np.bincount(drawn, minlength=len(scenario.network.exit_names)) / len(drawn), np.float64)


def least_gap_ns(scenario: Scenario) -> int:
    """Least time between two arrivals that the stream can have, ns."""
    arrivals = scenario.spec.stream.arrivals
    if isinstance(arrivals, Periodic):
        return int(1e9 / arrivals.exact_rate) - arrivals.jitter
    trace = scenario.traces.arrival_ns
    return int(np.diff(trace).min()) if len(trace) > 1 else 0
