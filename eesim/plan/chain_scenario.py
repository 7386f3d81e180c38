"""Scenarios that are chains under a measured runtime: a network without early exits, its layers timed one by one.

Policy ``coup-switch`` takes the board's switch runtime, ``coup-pipeline`` its pipeline runtime. Everything else about
such a scenario (stream, queue, frames in flight) is as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from eesim.hardware.spec import Board
from eesim.plan.chain import Chain, Cost, Layers, Missing
from eesim.plan.chain_pipeline import COPY, pipeline_tasks
from eesim.plan.chain_plan import pipeline_plan, switch_plan
from eesim.plan.chain_switch import switch_tasks
from eesim.plan.plan import Plan
from eesim.scenario.load import Scenario
from eesim.scenario.runtimes import measured_runtime
from eesim.workload.profile import Profile


@dataclass(frozen=True, slots=True)
class ProfileSource:
    """Laws of a profile as a `eesim.plan.chain.Source`; powers are the board's."""

    profile: Profile
    board: Board
    names: tuple[str, ...]

    @property
    def campaign(self) -> str:
        """Campaign in which they were measured."""
        return self.profile.campaign

    def layer(self, layer: int, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of a layer."""
        name = self.names[layer]
        # A PE without a clock of its own has one operating point.
        at_hz = clock_hz or self.board.pes[pe].opps.frequencies[-1]
        time = self.profile.time_ns(self.board, name, pe, at_hz, host_hz or None)
        return (
            None if time is None else Cost(time, self._board_uw(pe, at_hz, host_hz, self.profile.power_ratio(name, pe)))
        )

    def input(self, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of reading the image; nothing where the profile does not state it."""
        at_hz = clock_hz or self.board.pes[pe].opps.frequencies[-1]
        law = self.profile.input.get(pe)
        ratio = law.power if law is not None else 1.0
        return Cost(self.profile.input_ns(pe, at_hz, host_hz or None), self._board_uw(pe, at_hz, host_hz, ratio))

    def _board_uw(self, pe: str, clock_hz: int, host_hz: int, ratio: float) -> float:
        element = self.board.pes[pe]
        active = next((opp.active_power for opp in element.opps.table if opp.frequency == clock_hz), 0)
        host = float(element.host_effect.host_power) * host_hz / 1e6 if element.host_effect and host_hz else 0.0
        return self.board.base_power.value + ratio * active + host


def runtime_of(scenario: Scenario) -> str:
    """Measured runtime that a scenario is lowered under; see `eesim.scenario.runtimes.measured_runtime`."""
    if scenario.members:
        return ""
    return measured_runtime(scenario.board, scenario.network, scenario.profile, scenario.policy)


def chain_of(scenario: Scenario) -> Chain:
    """Return a scenario as a chain."""
    board, network, mapping = scenario.board, scenario.network, scenario.mapping
    segments = network.segments
    hosts = {name: pe.host for name, pe in board.pes.items() if pe.host is not None}
    npus = set(board.runtimes.switch.npus if board.runtimes.switch else ()) | set(
        board.runtimes.pipeline.npus if board.runtimes.pipeline else ()
    )
    physics = scenario.spec.physics
    return Chain(
        board=board,
        layers=Layers(
            names=network.segment_names,
            input_bytes=network.input,
            output_bytes=tuple(segment.output for segment in segments),
            producers=((), *((i,) for i in range(len(segments) - 1))),
            kernels=tuple(segment.kernels for segment in segments),
            outputs=frozenset(),
        ),
        source=ProfileSource(scenario.profile, board, network.segment_names),
        pes=mapping.pes,
        own_hz=tuple(0 if pe in npus else hz for pe, hz in zip(mapping.pes, mapping.segment_opp_hz, strict=True)),
        host_hz=tuple(mapping.host_hz(board, pe) or 0 for pe in mapping.pes),
        hosts=hosts,
        pe_hz=mapping.pe_opp_hz,
        off=frozenset(name for name, on in physics.model_dump().items() if not on),
    )


@dataclass(frozen=True, slots=True)
class LoweredChain:
    """A plan and what its numbers stand for."""

    plan: Plan
    nodes: tuple[str, ...]
    node_segment: tuple[int, ...]
    resources: tuple[str, ...]


def lower_chain(scenario: Scenario, mode: str) -> LoweredChain:
    """Lower a scenario under a measured runtime.

    Raises
    ------
    Missing
        If the board's runtime does not state what the mapping needs.
    """
    chain = chain_of(scenario)
    runtime = scenario.board.runtimes.pipeline
    if mode == "switch":
        tasks = tuple(switch_tasks(chain))
        resources = list(scenario.board.pe_names)
        plan = switch_plan(chain, tasks, resources)
    else:
        pipeline = pipeline_tasks(chain)
        tasks = pipeline.tasks
        copies = sorted({task.pe for task in tasks if task.pe.endswith(COPY)})
        resources = [*scenario.board.pe_names, *copies]
        if runtime is None:
            raise Missing("no pipeline runtime")
        plan = pipeline_plan(chain, runtime, pipeline, resources=resources)
    segments = tuple(max(task.layer, 0) for task in tasks)
    return LoweredChain(plan, tuple(task.name for task in tasks), segments, tuple(resources))
