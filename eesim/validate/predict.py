"""Predict measured runs: each one lowered to a plan under the matching runtime and simulated.

Switch mode: one frame, in the state that the frame before leaves. Pipeline mode: eleven frames that arrive at once,
read as the board's harness reads them (`eesim.validate.harness`).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from functools import cached_property
from pathlib import Path

import numpy as np

from eesim.base import FULL_SPEED, IntArray
from eesim.engine.simulate import EngineName, make_engine
from eesim.hardware.spec import Board
from eesim.metrics.energy import energy_of
from eesim.plan.chain import Chain, Layers, Missing, Source, Task
from eesim.plan.chain_pipeline import Pipeline, pipeline_tasks
from eesim.plan.chain_plan import SpeedTables, pipeline_plan, switch_plan
from eesim.plan.chain_switch import switch_tasks
from eesim.plan.plan import Draws, Plan
from eesim.validate.envelope import outside
from eesim.validate.harness import FRAMES, read_harness
from eesim.validate.layers import known_graphs
from eesim.validate.parts import PartSource, googlenet_parts, googlenet_source
from eesim.validate.runs import Run
from eesim.validate.sources import read_layers, read_sources
from eesim.validate.suites import Prediction

NS_PER_MS = 1e6
SWITCH_TABLES = {"lw": "lw", "coup": "coup"}
"""Layer table of each family of campaigns in switch mode, by the part of the name before ``_``."""
PIPELINE_TABLES = "lw"
"""Layer table for pipeline runs: the earlier framework, of which theirs is a sibling."""
QUANTIZED = ("", "quantized")


class Predictor:
    """Predicts runs of one folder on one board.

    Parameters
    ----------
    folder
        Where the layer tables are.
    board
        States the runtimes.
    off
        Physical terms that are switched off.
    engine
        Which engine simulates.
    """

    def __init__(self, folder: Path, board: Board, off: Iterable[str] = (), engine: EngineName = "compiled") -> None:
        self.folder = folder
        self.board = board
        self.off = frozenset(off)
        self.engine = engine
        self._layers: dict[str, Layers] = {}
        self._parts: dict[str, tuple[Layers, Source]] = {}
        self._speeds: SpeedTables = {}

    @cached_property
    def _sources(self) -> dict[tuple[str, str], Source]:
        return dict(read_sources(self.folder))

    @cached_property
    def _shapes(self) -> frozenset[str]:
        return known_graphs(self.folder)

    def on(self, board: Board) -> Predictor:
        """Return the same on a board with other values; what was read is shared."""
        other = copy(self)
        other.board, other._parts, other._speeds = board, {}, {}
        return other

    def layers(self, graph: str) -> Layers:
        """Return the chain of a network's layers."""
        if graph not in self._layers:
            if graph not in self._shapes:
                raise Missing(f"no layer shapes of {graph}")
            self._layers[graph] = read_layers(self.folder, graph)
        return self._layers[graph]

    def chain(self, run: Run) -> Chain:
        """Return a run as a chain.

        Raises
        ------
        Missing
            If there are no tables of its network in its campaign, or its order does not match them.
        """
        layers, source, order = self._cut(run)
        clocks = dict(zip(run.order, run.clocks, strict=True)) if len(order) != len(run.order) else None
        each = run.clocks if clocks is None else tuple(clocks[pe] for pe in order)
        return Chain(
            board=self.board,
            layers=layers,
            source=source,
            pes=tuple(order),
            own_hz=tuple(clock.own_hz for clock in each),
            host_hz=tuple(clock.host_hz for clock in each),
            hosts=dict(run.hosts),
            pe_hz=dict(run.pe_hz),
            off=self.off,
        )

    def _cut(self, run: Run) -> tuple[Layers, Source, str]:
        layers = self.layers(run.graph)
        if run.suite == "switch":
            family = SWITCH_TABLES.get(run.campaign.partition("_")[0], run.campaign)
            source = self._source(family, run.graph)
            if run.npu_model not in QUANTIZED:
                raise Missing("the NPU's tables are of quantised models")
            order = run.order
        else:
            layers, source = self._pipeline_parts(run.graph)
            # A run on one PE is the same however the network is cut.
            order = run.order if len(set(run.order)) > 1 else run.order[0] * len(layers.names)
        if len(order) != len(layers.names):
            raise Missing(f"{len(order)} parts, but the tables have {len(layers.names)} layers")
        return layers, source, order

    def _source(self, campaign: str, graph: str) -> Source:
        if (campaign, graph) not in self._sources:
            raise Missing(f"no layer table of {graph} in campaign {campaign}")
        return self._sources[campaign, graph]

    def _pipeline_parts(self, graph: str) -> tuple[Layers, Source]:
        if graph not in self._parts:
            layers, source = self.layers(graph), self._source(PIPELINE_TABLES, graph)
            npu = self._npu_parts(graph)
            if graph == "googlenet":
                layers, source = googlenet_parts(self.folder, layers), googlenet_source(self.folder, source, npu)
            else:
                source = PartSource(source, npu, tuple(range(len(layers.names))), {})
            self._parts[graph] = layers, source
        return self._parts[graph]

    def _npu_parts(self, graph: str) -> tuple[int, ...]:
        runtime = self.board.runtimes.pipeline
        npus = runtime.npus.values() if runtime else ()
        return next((tuple(term.value for term in npu.parts[graph]) for npu in npus if graph in npu.parts), ())

    def predict(self, run: Run) -> Prediction:
        """Predict a run; `Prediction.failure` says why, if it cannot be predicted."""
        try:
            return self._switch(run) if run.suite == "switch" else self._pipeline(run)
        except Missing as missing:
            return Prediction(failure=str(missing))

    def _switch(self, run: Run) -> Prediction:
        chain = self.chain(run)
        tasks = switch_tasks(chain)
        plan = switch_plan(chain, tasks)
        engine = make_engine(self.engine, plan)
        engine.feed(_draws(plan, 1, 1.0), final=True)
        time_ms = int(engine.take_records()[0, 2]) / NS_PER_MS
        energy_mj = energy_of(plan, engine.counters()).total
        values = {"time": time_ms, "energy": energy_mj, "power": energy_mj / time_ms * 1000}
        return Prediction(
            values=values,  # type: ignore[arg-type]
            terms_ms=_terms(tasks),
            outside=outside(run, self.board),
            slowest=_busiest(tasks),
        )

    def _pipeline(self, run: Run) -> Prediction:
        chain = self.chain(run)
        pipeline, plan, log = self.simulate_pipeline(chain)
        readings = read_harness(plan, pipeline, log)
        values = {
            "period": readings.period_ms,
            "latency": readings.latency_ms,
            "power": readings.power_mw,
            "energy": readings.power_mw * readings.period_ms / 1000,
        }
        return Prediction(
            values=values,  # type: ignore[arg-type]
            terms_ms=_slowest(pipeline, readings.slowest),
            outside=outside(run, self.board),
            slowest=chain.stages[readings.slowest].pe,
            utilisation=readings.utilisation,
        )

    def simulate_pipeline(self, chain: Chain) -> tuple[Pipeline, Plan, IntArray]:
        """Simulate the harness's frames; return the tasks, the plan and the event log.

        Raises
        ------
        Missing
            If something that the chain needs was never measured.
        """
        runtime = self.board.runtimes.pipeline
        pipeline = pipeline_tasks(chain)
        assert runtime is not None, "there would be no tasks"
        plan = pipeline_plan(chain, runtime, pipeline, self._speeds)
        engine = make_engine(self.engine, plan, log=True)
        engine.feed(_draws(plan, FRAMES, runtime.warm_up if chain.on("warm_up") else 1.0), final=True)
        return pipeline, plan, engine.take_log()


def _draws(plan: Plan, frames: int, warm_up: float) -> Draws:
    """Frames that arrive at once; all work of the first takes ``warm_up`` times as long."""
    nothing = np.zeros(frames, np.int64)
    noise = np.zeros((0, plan.n_nodes), np.int64)
    if warm_up != 1:
        noise = np.full((frames, plan.n_nodes), FULL_SPEED, np.int64)
        noise[0] = round(warm_up * FULL_SPEED)
    return Draws(nothing, nothing, noise)


def _terms(tasks: Iterable[Task]) -> dict[str, float]:
    found: dict[str, float] = {}
    for task in tasks:
        for name, time in task.terms_ns.items():
            found[name] = found.get(name, 0.0) + time / NS_PER_MS
    return found


def _busiest(tasks: Iterable[Task]) -> str:
    busy: dict[str, int] = {}
    for task in tasks:
        busy[task.pe] = busy.get(task.pe, 0) + task.time_ns
    return max(busy, key=lambda pe: (busy[pe], pe))


def _slowest(pipeline: Pipeline, stage: int) -> dict[str, float]:
    return _terms(task for task, own in zip(pipeline.tasks, pipeline.stage, strict=True) if own == stage)
