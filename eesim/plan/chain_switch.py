"""A chain in switch mode: one frame at a time, clocks set for each layer, subgraphs that hand over between PEs.

Equations and what they mean physically: docs/board-model.md. Times in ns, powers in uW, bytes, cycles; every term is a
parameter of the board's `SwitchRuntime`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eesim.hardware.runtime import SwitchNpu, SwitchPe, SwitchRuntime
from eesim.plan.chain import Chain, Cost, Missing, Task, crossing, leaving

NS = 10**9
NO_PE = SwitchPe()


def switch_tasks(chain: Chain) -> list[Task]:
    """Return the tasks of one frame in the steady state, where the frame before has just left.

    Raises
    ------
    Missing
        If the source knows nothing about a layer on its PE at its clocks, or the board nothing about its NPU.
    """
    runtime = chain.board.runtimes.switch
    if runtime is None:
        raise Missing(f"board {chain.board.name} states no switch runtime")
    return list(_Frame(chain, runtime).tasks())


@dataclass(slots=True)
class _Frame:
    """One frame on its way through the chain."""

    chain: Chain
    runtime: SwitchRuntime

    def tasks(self) -> Iterator[Task]:
        chain = self.chain
        stages = chain.stages
        self_stage = [k for k, stage in enumerate(stages) for _ in range(stage.first, stage.end)]
        npu_stages = sum(stage.pe in self.runtime.npus for stage in stages)
        last = len(chain.pes) - 1
        found = self._clocks_after(last)
        yield self._input(found)
        found = self._clocks_after(0)
        for i, pe in enumerate(chain.pes):
            is_first = i == 0 or chain.pes[i - 1] != pe
            if pe in self.runtime.npus:
                yield self._npu(i, self_stage, is_first=is_first, several=npu_stages > 1)
            else:
                yield self._layer(i, self_stage, found, is_first=is_first, mixed=len(stages) > 1)
            found = self._clocks_after(i)

    def _clocks_after(self, i: int) -> dict[str, int]:
        """Clocks that a layer leaves behind: a PE that it does not name drops to its lowest."""
        chain = self.chain
        clocks = {pe: element.opps.frequencies[0] for pe, element in chain.board.pes.items()}
        if chain.own_hz[i]:
            clocks[chain.pes[i]] = chain.own_hz[i]
        if chain.host_hz[i]:
            clocks[chain.hosts[chain.pes[i]]] = chain.host_hz[i]
        return clocks

    def _known(self, cost: Cost | None, what: str, pe: str) -> Cost:
        if cost is None:
            raise Missing(f"no time of {what} on {pe}")
        return cost

    def _input(self, found: Mapping[str, int]) -> Task:
        chain, runtime = self.chain, self.runtime
        pe, own, host = chain.pes[0], chain.own_hz[0], chain.host_hz[0]
        now = self._known(chain.source.input(pe, own, host), "the input", pe)
        clocks = (own, found[chain.hosts[pe]]) if host else (found[pe], 0)
        old = chain.source.input(pe, *clocks) or now
        terms = {"input": now.time_ns}
        slower = 1 - now.time_ns / old.time_ns if old.time_ns else 0.0
        if chain.on("dvfs_delay"):
            rise = min(runtime.input_rise.value, old.time_ns) * slower
            fall = runtime.input_fall.value * min(runtime.ramp_window, old.time_ns) * slower
            terms["dvfs_delay"] = max(rise, 0.0) + min(fall, 0.0)
        gap = runtime.campaigns[chain.source.campaign].input_gap if chain.source.campaign in runtime.campaigns else 0
        # The tables average the input's power over a sleep at idle power, too.
        power = now.board_uw + (now.board_uw - runtime.idle_power) * gap / now.time_ns
        return Task("input", -1, pe, terms, power * sum(terms.values()))

    def _layer(self, i: int, stage_of: list[int], found: Mapping[str, int], *, is_first: bool, mixed: bool) -> Task:
        chain, name = self.chain, self.chain.layers.names[i]
        pe, own, host = chain.pes[i], chain.own_hz[i], chain.host_hz[i]
        cost = self._known(chain.source.layer(i, pe, own, host), name, pe)
        law = self.runtime.pes.get(pe, NO_PE)
        terms = {"layers": cost.time_ns}
        if is_first and mixed and chain.on("cold_start"):
            terms["cold_start"] = self._cold(i, law, cost, own)
        if mixed and chain.on("transfers"):
            terms["transfers"] = self._copies(i, stage_of, law, host)
        if not is_first and chain.on("dvfs_delay"):
            terms["dvfs_delay"] = self._reclock(i, law, cost, found) if mixed else 0.0
        taken = self._profiling(i, pe, is_following=not is_first) if chain.on("profiling") else 0.0
        terms["profiling"] = -min(taken, cost.time_ns)
        return Task(name, i, pe, terms, self._energy(cost, terms))

    def _cold(self, i: int, law: SwitchPe, cost: Cost, own: int) -> float:
        """What the first layer of a subgraph waits for."""
        chain = self.chain
        pe, time = chain.pes[i], cost.time_ns
        if not chain.host_hz[i]:
            # The part that no clock changes, as seen at the highest clock.
            top = chain.source.layer(i, pe, chain.board.pes[pe].opps.frequencies[-1], 0)
            time = min(time, top.time_ns) if top is not None else time
        kernels = chain.layers.kernels[i] * law.kernel.value * NS / own if own else 0.0
        return law.cold.value * min(time, law.cold_window) + kernels

    def _copies(self, i: int, stage_of: list[int], law: SwitchPe, host_hz: int) -> float:
        """Maps and copies of the tensors that enter a subgraph at this layer."""
        chain = self.chain
        entering = crossing(chain.layers, stage_of, i)
        total = sum(entering.values()) + (chain.layers.input_bytes if i == 0 else 0)
        time = float(law.copy_in.value) * total * NS / host_hz if host_hz else 0.0
        for maker, size in entering.items():
            time += float(self.runtime.pes.get(chain.pes[maker], NO_PE).copy_out.value) * size
        return time

    def _reclock(self, i: int, law: SwitchPe, cost: Cost, found: Mapping[str, int]) -> float:
        """A following layer at another clock than the layer before."""
        chain = self.chain
        pe, own, host = chain.pes[i], chain.own_hz[i], chain.host_hz[i]
        if not own or (own == found[pe] and (not host or host == found[chain.hosts[pe]])):
            return 0.0
        time = law.reclock.value * NS / own if own != found[pe] else 0.0
        old = chain.source.layer(i, pe, found[pe], found[chain.hosts[pe]] if host else 0)
        if law.ramp.value and old is not None and old.time_ns > 0:
            window = min(self.runtime.ramp_window, old.time_ns)
            time += law.ramp.value * window * (1 - cost.time_ns / old.time_ns)
        return time

    def _profiling(self, i: int, pe: str, *, is_following: bool) -> float:
        """What profiling layer by layer had added to this layer's time."""
        campaign = self.runtime.campaigns.get(self.chain.source.campaign)
        law = campaign.pes.get(pe) if campaign else None
        if law is None:
            return 0.0
        time = law.per_layer.value + law.per_kernel.value * self.chain.layers.kernels[i]
        return time + (law.per_following_layer.value if is_following else 0.0)

    def _energy(self, cost: Cost, terms: Mapping[str, float]) -> float:
        """Energy of the whole board: the layer at its own power, what was added at idle power, the meter's lag."""
        idle = self.runtime.idle_power
        own = terms["layers"] + terms.get("profiling", 0.0)
        added = sum(terms.values()) - own
        lag = self.runtime.meter_lag.value if self.chain.on("profiling") else 0
        return own * cost.board_uw + added * idle + lag * (cost.board_uw - idle)

    def _npu(self, i: int, stage_of: list[int], *, is_first: bool, several: bool) -> Task:
        chain, name = self.chain, self.chain.layers.names[i]
        pe, host = chain.pes[i], chain.host_hz[i]
        law: SwitchNpu = self.runtime.npus[pe]
        cost = self._known(chain.source.layer(i, pe, 0, host), name, pe)
        enters = sum(crossing(chain.layers, stage_of, i).values()) + (chain.layers.input_bytes if i == 0 else 0)
        leaves = leaving(chain.layers, stage_of, i)
        border = (enters + leaves) / (chain.layers.read_bytes(i) + chain.layers.output_bytes[i])
        border = min(border, 1.0) if chain.on("npu_fusing") else 1.0
        interior = law.interior_repeated.value if several else law.interior.value
        terms = {"layers": cost.time_ns * border, "npu_fusing": cost.time_ns * (1 - border) * interior}
        if chain.on("transfers"):
            per_byte = float(law.unload_fixed.value) + float(law.unload.value) * NS / host
            terms["transfers"] = float(law.load.value) * NS / host * enters + per_byte * leaves
        if is_first and chain.on("cold_start"):
            terms["cold_start"] = law.call.value + (law.context.value * NS / host if several else 0.0)
        power = cost.board_uw if not math.isnan(cost.board_uw) else self.runtime.idle_power
        drawn = self.runtime.idle_power + law.power.value * (power - self.runtime.idle_power)
        return Task(name, i, pe, terms, drawn * sum(terms.values()))
