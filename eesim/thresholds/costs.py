"""What a frame costs that answers at each exit: simulated alone in an empty system, or counted in operations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eesim.base import IntArray
from eesim.errors import InputError
from eesim.evaluate import run
from eesim.plan.lower import lower
from eesim.scenario.load import Scenario
from eesim.units import parse_energy_nj, parse_time_ns
from eesim.workload.arrivals import Periodic
from eesim.workload.exits import ExitTrace
from eesim.workload.stream import Traces

PJ_PER_MJ = 10**9
UW_MS_PER_MJ = 10**6


class Kind(NamedTuple):
    """A cost that every frame has by itself."""

    unit: str
    per_unit: int
    """Whole steps of the cost in one unit."""


KINDS = {
    "exit_latency": Kind("ms", 10**6),
    "exit_energy": Kind("mJ", PJ_PER_MJ),
    "operations": Kind("MAC", 1),
}
"""Costs that add up frame by frame; all others depend on what other frames do."""


class FrameCost(NamedTuple):
    """One frame in an empty system."""

    latency_ns: int
    energy_pj: int
    """Above what the board draws anyway (base and idle power)."""
    exit: int
    """Exit of the network that answered, 0-based."""


class ExitCosts(NamedTuple):
    """Early exits in the order in which they may answer, then the final one, with their costs."""

    exits: IntArray
    """(E + 1,) exits of the network, 0-based."""
    cost: IntArray
    """(E + 1,) in steps of the cost's kind."""
    original: int
    """Cost without early exits."""
    worst_latency_ns: int
    """Latency of a frame that answers at the slowest exit."""


def frame_cost(scenario: Scenario, exit_: int) -> FrameCost:
    """Simulate one frame that only one exit (and the final one) is confident about, in an empty system."""
    final = len(scenario.network.exit_names) - 1
    stream = scenario.spec.stream.model_copy(
        update={
            "arrivals": Periodic(kind="periodic", period="1 s"),
            "exits": ExitTrace(kind="trace", path=Path("one frame")),
            "noise": None,
        }
    )
    once = scenario.spec.run.model_copy(update={"frames": 1, "warmup": "none", "replications": 1})
    empty = np.zeros(0, np.int64)
    alone = replace(
        scenario,
        spec=scenario.spec.model_copy(update={"stream": stream, "run": once}),
        traces=Traces(empty, np.array([exit_], np.int64), np.array([1 << exit_ | 1 << final], np.int64)),
    )
    result = run(alone, replications=1, keep_frames=True)
    assert result.records is not None, "they were asked for"
    record = result.records[0][0]
    total, power = result.value("energy_mj_per_frame.total") or 0.0, result.value("power_mw") or 0.0
    plan = result.lowered.plan
    quiet_uw = plan.base_uw + int(plan.resource_idle_uw.sum())
    window_ms = total / power * 1e3 if power else 0.0
    energy = total - quiet_uw * window_ms / UW_MS_PER_MJ
    answered = result.lowered.labels.exit_number[int(record[3])] - 1
    return FrameCost(int(record[2] - record[1]), round(energy * PJ_PER_MJ), answered)


def operations_of(scenario: Scenario) -> dict[int, int]:
    """Multiply-accumulates that an answer at each exit of the network needs, branches that declined included.

    Raises
    ------
    InputError
        If segments do not state their ``macs``.
    """
    segments = scenario.network.segments
    unknown = [segment.name for segment in segments if segment.macs is None]
    if unknown:
        message = f"operations are unknown: network {scenario.network.name} states no macs of {', '.join(unknown)}"
        raise InputError([scenario.document.problem(("thresholds", "cost"), message)])
    lowered = lower(scenario)
    plan, labels = lowered.plan, lowered.labels
    out = {}
    for number, exit_ in enumerate(labels.exit_number):
        needed = {segment for segment, need in zip(labels.node_segment, plan.node_need, strict=True) if need <= number}
        out[exit_ - 1] = sum(segments[segment].macs or 0 for segment in needed if segment >= 0)
    return out


def without_early_exits(scenario: Scenario) -> Scenario:
    """Return a scenario of the same mapping with all early exits disabled."""
    n = len(scenario.network.exit_names)
    off = (*(False,) * (n - 1), True)
    return replace(scenario, mapping=replace(scenario.mapping, enabled_exits=off))


def exit_costs(scenario: Scenario, kind: str) -> ExitCosts:
    """Cost of answering at each exit that can answer.

    Parameters
    ----------
    scenario
        Mapping, clocks, board and policy.
    kind
        One of `KINDS`.

    Raises
    ------
    InputError
        If the policy makes no decisions, no early exit is enabled, or operations are not known.
    """
    names, enabled = scenario.network.exit_names, scenario.mapping.enabled_exits
    if scenario.policy.exit_decision == "none":
        message = "exit_decision none: every frame answers at the final exit, whatever the thresholds"
        raise InputError([scenario.document.problem(("policy",), message)])
    final = len(names) - 1
    alone = {exit_: frame_cost(scenario, exit_) for exit_ in range(len(names)) if enabled[exit_]}
    # First confident: an exit that ends after the final one never answers, and the others answer as they end.
    order = [exit_ for exit_ in alone if exit_ != final and alone[exit_].exit == exit_]
    if scenario.policy.exit_order == "first_confident":
        order.sort(key=lambda exit_: alone[exit_].latency_ns)
    if not order:
        raise InputError([scenario.document.problem(("mapping", "exits"), "no early exit is enabled, or in time")])
    exits = [*order, final]
    plain = without_early_exits(scenario)
    if kind == "operations":
        operations = operations_of(scenario)
        cost, original = [operations[exit_] for exit_ in exits], operations_of(plain)[final]
    else:
        field = 0 if kind == "exit_latency" else 1
        cost, original = [alone[exit_][field] for exit_ in exits], frame_cost(plain, final)[field]
    worst = max(alone[exit_].latency_ns for exit_ in exits)
    return ExitCosts(np.array(exits, np.int64), np.array(cost, np.int64), int(original), worst)


def steps_of(budget: int | str, kind: str) -> int:
    """Return a budget in steps of a cost's kind.

    Raises
    ------
    UnitError
        If it has the wrong unit.
    """
    if isinstance(budget, int):
        return budget
    return parse_time_ns(budget) if kind.endswith("latency") else parse_energy_nj(budget) * 1000
