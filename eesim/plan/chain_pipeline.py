"""A chain in pipeline mode: a stage for each PE, all stages at once, an NPU without a queue.

Rules (docs/board-model.md; the harness's source is named there): a stage's thread reads (the image, or the output of
the NPU), computes, and, before an NPU, loads it. Between other stages there is a queue without bound. Around the NPU
there is none: the thread before it waits until the NPU's thread stands at its receive, and the NPU's thread hands over
when the stage behind it is free. The device itself runs while both go on, so two frames can be between the load and
the end of the stage behind: a section of two places (`Plan.section_places`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eesim.hardware.runtime import PipelineRuntime, StagePe
from eesim.plan.chain import Chain, Missing, Stage, Task

NS = 10**9
COPY = ".copy"
"""``G.copy`` is G's driver thread while it copies: it occupies G, and works on its host."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Tasks of one frame, in order, and the section around the NPU.

    Attributes
    ----------
    tasks
        In the order in which a frame goes through them.
    stage
        Stage of each task.
    enter, leave
        Tasks between which the section lies; -1 without an NPU.
    places
        Frames that may be between them.
    """

    tasks: tuple[Task, ...]
    stage: tuple[int, ...]
    enter: int
    leave: int
    places: int


def pipeline_tasks(chain: Chain) -> Pipeline:
    """Return the tasks of one frame.

    Raises
    ------
    Missing
        If the source knows nothing about a layer on its PE, the board nothing about the stage, or two stages share a
        PE.
    """
    runtime = chain.board.runtimes.pipeline
    if runtime is None:
        raise Missing(f"board {chain.board.name} states no pipeline runtime")
    stages = chain.stages
    if len({stage.pe for stage in stages}) < len(stages):
        raise Missing("a PE serves two stages")
    build = _Builder(chain, runtime, stages)
    parts = [build.stage(k) for k in range(len(stages))]
    npu = next((k for k, stage in enumerate(stages) if stage.pe in runtime.npus), -1)
    ends = [sum(len(part) for part in parts[: k + 1]) - 1 for k in range(len(parts))]
    tasks = tuple(task for part in parts for task in part)
    stage_of = tuple(k for k, part in enumerate(parts) for _ in part)
    if npu < 0:
        return Pipeline(tasks, stage_of, -1, -1, 0)
    # The last task of the stage before loads the NPU; where the NPU is first, its own thread reads and loads.
    enter = ends[npu - 1] if npu else 0
    is_last = npu == len(stages) - 1
    return Pipeline(tasks, stage_of, enter, ends[npu if is_last else npu + 1], 1 if is_last else 2)


@dataclass(slots=True)
class _Builder:
    chain: Chain
    runtime: PipelineRuntime
    stages: list[Stage]

    def stage(self, k: int) -> list[Task]:
        """Tasks of one stage."""
        if self.stages[k].pe in self.runtime.npus:
            return self._npu(k)
        return [*self._reads(k), *self._computes(k), *self._loads(k)]

    def _thread(self, pe: str) -> tuple[str, str, int]:
        """Resource, cluster and clock of the thread that serves a stage."""
        host = self.chain.hosts.get(pe)
        return (pe, pe, self.chain.pe_hz[pe]) if host is None else (pe + COPY, host, self.chain.pe_hz[host])

    def _entering(self, k: int) -> int:
        layers, first = self.chain.layers, self.stages[k].first
        return layers.output_bytes[first - 1] if first else layers.input_bytes

    def _reads(self, k: int) -> list[Task]:
        """Read the image, or what the NPU left."""
        resource, cluster, hz = self._thread(self.stages[k].pe)
        before = self.stages[k - 1].pe if k else ""
        if k == 0 and self.chain.on("input"):
            if cluster not in self.runtime.read:
                raise Missing(f"nobody measured how long {cluster} reads the image")
            return [Task("read", -1, resource, {"input": self.runtime.read[cluster].value * NS / hz})]
        if before in self.runtime.npus and self.chain.on("transfers"):
            npu = self.runtime.npus[before]
            time = npu.unload_fixed.value + float(npu.unload[cluster].value) * self._entering(k) * NS / hz
            return [Task(f"unload {before}", self.stages[k].first, resource, {"transfers": time})]
        return []

    def _loads(self, k: int) -> list[Task]:
        """Load the NPU; a task even if it takes no time, because it waits."""
        after = self.stages[k + 1].pe if k + 1 < len(self.stages) else ""
        if after not in self.runtime.npus:
            return []
        resource, cluster, hz = self._thread(self.stages[k].pe)
        npu, size = self.runtime.npus[after], self._entering(k + 1)
        time = npu.load_fixed.value + float(npu.load[cluster].value) * size * NS / hz
        return [
            Task(f"load {after}", self.stages[k].end - 1, resource, {"transfers": time * self.chain.on("transfers")})
        ]

    def _computes(self, k: int) -> list[Task]:
        chain, (pe, first, end) = self.chain, self.stages[k]
        law = self.runtime.stages.get(pe, StagePe())
        scale = law.scale.value if chain.on("profiling") else 1.0
        tasks = []
        for i in range(first, end):
            cost = chain.source.layer(i, pe, chain.own_hz[i], chain.host_hz[i])
            if cost is None:
                raise Missing(f"no time of {chain.layers.names[i]} on {pe}")
            terms = {"layers": cost.time_ns, "profiling": (scale - 1) * cost.time_ns}
            tasks.append(Task(chain.layers.names[i], i, pe, terms))
        if len(self.stages) > 1 and chain.on("stage_overhead"):
            host = chain.hosts.get(pe)
            cycles = law.host.value * NS / chain.pe_hz[host] if host else 0.0
            tasks[0].terms_ns["stage_overhead"] = law.fixed.value + cycles
        if k == 0 and pe in self.runtime.first_stage and chain.on("first_stage"):
            self._misplaced(tasks, pe)
        return tasks

    def _misplaced(self, tasks: list[Task], pe: str) -> None:
        """Work of a first stage that is done elsewhere."""
        chain, law = self.chain, self.runtime.first_stage[pe]
        at_hz = chain.pe_hz[law.follows]
        known = chain.board.pes[law.follows].opps.frequencies
        near_hz = min(known, key=lambda hz: abs(hz - NS))
        for task in tasks:
            there = chain.source.layer(task.layer, law.follows, near_hz, 0)
            if there is None:
                raise Missing(f"no time of {task.name} on {law.follows}")
            time = law.share.value * there.time_ns * NS / at_hz
            if task.layer in chain.layers.early:
                time += law.early.value * there.time_ns
            task.terms_ns["first_stage"] = time

    def _npu(self, k: int) -> list[Task]:
        chain, (pe, first, end) = self.chain, self.stages[k]
        law = self.runtime.npus[pe]
        _, cluster, hz = self._thread(pe)
        tasks = []
        if k == 0:
            if cluster not in law.read:
                raise Missing(f"nobody measured how long {pe}'s thread on {cluster} reads the image")
            time = law.read[cluster].value * NS / hz * chain.on("input")
            tasks.append(Task("read", -1, pe + COPY, {"input": time}))
        for i in range(first, end):
            cost = chain.source.layer(i, pe, 0, chain.host_hz[i])
            if cost is None:
                raise Missing(f"no time of {chain.layers.names[i]} on {pe} in this build")
            tasks.append(Task(chain.layers.names[i], i, pe, {"layers": cost.time_ns}))
        if chain.on("transfers"):
            run = tasks[-(end - first)].terms_ns
            run["transfers"] = float(law.run_in.value) * self._entering(k) if k else 0.0
            if k + 1 < len(self.stages):
                leaves = float(law.run_out.value) * chain.layers.output_bytes[end - 1]
                tasks[-1].terms_ns["transfers"] = tasks[-1].terms_ns.get("transfers", 0.0) + leaves
        return tasks


def slowdowns(chain: Chain, runtime: PipelineRuntime, resources: list[str], busy: Mapping[str, bool]) -> list[float]:
    """How much longer each resource takes while some are busy.

    Parameters
    ----------
    resources
        PEs and copying threads.
    busy
        Whether each works.
    """
    return [_slowdown(chain, runtime, name, busy) for name in resources]


def _slowdown(chain: Chain, runtime: PipelineRuntime, name: str, busy: Mapping[str, bool]) -> float:
    if name.endswith(COPY):
        cluster = chain.hosts[name.removesuffix(COPY)]
        law = runtime.copies_slowed.get(cluster)
        return 1 + law.value if law is not None and busy.get(cluster, False) else 1.0
    own = runtime.slowdowns.get(name)
    if own is None:
        return 1.0
    longer = sum(term.value for other, term in own.by.items() if busy.get(other, False))
    here = [pe for pe, cluster in chain.hosts.items() if cluster == name]
    longer += sum(term.value for pe, term in own.hosted.items() if pe in here and busy.get(pe, False))
    return 1 + longer + (own.copies.value if any(busy.get(pe + COPY, False) for pe in here) else 0.0)
