"""What a runtime adds to the times of single layers, on one board: named terms, each with its value and interval.

The terms apply to profiles that were taken layer by layer (`Profile.basis`): a frame that moves between PEs, changes
clocks or runs beside other frames takes longer than the sum of its layers. Every term can be switched off
(``physics:`` of a scenario). docs/board-model.md says what each of them means physically, and how sure that is.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eesim.hardware.origin import Origin
from eesim.spec import Spec
from eesim.units import Cycles, CyclesPerByte, NsPerByte, PowerUw, TimeNs

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Ratio = Annotated[float, Field(ge=0, le=1000)]


class TimeTerm(Spec):
    """A time with its 95 % interval."""

    value: TimeNs
    low: TimeNs | None = None
    high: TimeNs | None = None


class RatioTerm(Spec):
    """A plain number with its 95 % interval."""

    value: Ratio
    low: Ratio | None = None
    high: Ratio | None = None


class CyclesTerm(Spec):
    """A number of clock cycles with its 95 % interval."""

    value: Cycles
    low: Cycles | None = None
    high: Cycles | None = None


class PerByteTerm(Spec):
    """A time per byte with its 95 % interval."""

    value: NsPerByte
    low: NsPerByte | None = None
    high: NsPerByte | None = None


class CyclesPerByteTerm(Spec):
    """Clock cycles per byte with their 95 % interval."""

    value: CyclesPerByte
    low: CyclesPerByte | None = None
    high: CyclesPerByte | None = None


NO_TIME = TimeTerm(value="0 ms")
NO_CYCLES = CyclesTerm(value="0 cycles")
NO_BYTES = PerByteTerm(value="0 ms/MB")
NO_BYTE_CYCLES = CyclesPerByteTerm(value="0 cycles/B")
NOTHING = RatioTerm(value=0)


class SwitchPe(Spec):
    """What switching adds on one PE, one frame at a time.

    The *first* layer of a subgraph starts cold: ``cold`` times its time up to ``cold_window`` (caches, TLB, DRAM
    pages), and ``kernel`` per kernel (first call of each). A *following* layer whose clock differs from the one before
    pays ``reclock``, and runs the share ``ramp`` of the ramp window at the old clock. ``copy_out`` is per byte that
    this PE hands to another that maps it, ``copy_in`` per byte that enters it, in cycles of its host.
    """

    cold: RatioTerm = NOTHING
    cold_window: TimeNs = 0
    kernel: CyclesTerm = NO_CYCLES
    reclock: CyclesTerm = NO_CYCLES
    ramp: RatioTerm = NOTHING
    copy_out: PerByteTerm = NO_BYTES
    copy_in: CyclesPerByteTerm = NO_BYTE_CYCLES


class SwitchNpu(Spec):
    """An NPU that runs a subgraph as one compiled model, one frame at a time.

    ``load`` and ``unload`` are per byte that crosses the subgraph's border, in cycles of the host (``unload_fixed``
    is the part that no clock changes). Of a layer's own time, the share of its bytes that cross the border is paid in
    full, the rest ``interior`` times (a fused run), or ``interior_repeated`` times where a frame has several
    subgraphs on the NPU; each of these then pays ``context``. Every subgraph pays ``call``.
    """

    load: CyclesPerByteTerm
    unload: CyclesPerByteTerm
    unload_fixed: PerByteTerm = NO_BYTES
    call: TimeTerm = NO_TIME
    context: CyclesTerm = NO_CYCLES
    interior: RatioTerm
    interior_repeated: RatioTerm
    power: RatioTerm = RatioTerm(value=1)


class Profiling(Spec):
    """What measuring layer by layer itself adds to the times of a campaign; it is subtracted."""

    per_kernel: TimeTerm = NO_TIME
    per_layer: TimeTerm = NO_TIME
    per_following_layer: TimeTerm = NO_TIME


class Campaign(Spec):
    """How the profiles of one campaign were taken: excess by PE, and the sleep in its input's mean power."""

    pes: dict[Name, Profiling] = {}
    input_gap: TimeNs = 0


class SwitchRuntime(Spec):
    """One frame at a time, a PE and clocks for each layer (ARM-CO-UP's switch mode).

    PEs that a layer does not name sit at their lowest clock. While the input is read, a clock that was raised takes
    ``input_rise`` to come up, and one that was lowered still runs the share ``input_fall`` of the ramp window.
    Added waits draw ``idle_power`` of the whole board. The power meter lags by ``meter_lag``: a layer profiled after an
    idle gap loses that much of its energy in the tables.
    """

    origin: Origin
    pes: dict[Name, SwitchPe]
    npus: dict[Name, SwitchNpu] = {}
    ramp_window: TimeNs = 0
    input_rise: TimeTerm = NO_TIME
    input_fall: RatioTerm = NOTHING
    idle_power: PowerUw
    meter_lag: TimeTerm = NO_TIME
    campaigns: dict[Name, Campaign] = {}


class StagePe(Spec):
    """A pipeline stage on one PE.

    Its layers take ``scale`` times their profile, and each frame ``fixed``, and ``host`` cycles of the host's clock,
    more, if there are other stages.
    """

    scale: RatioTerm = RatioTerm(value=1)
    fixed: TimeTerm = NO_TIME
    host: CyclesTerm = NO_CYCLES


class StageNpu(Spec):
    """An NPU as a pipeline stage: it has no queue, its neighbours' threads load and unload it.

    ``load`` and ``unload`` are by cluster of the thread that copies, in its cycles; ``read`` reads and loads the
    image where the NPU is the first stage. The device takes ``parts`` for each part of a network, and ``run_in`` and
    ``run_out`` per byte that enters and leaves.
    """

    read: dict[Name, CyclesTerm]
    load_fixed: TimeTerm = NO_TIME
    load: dict[Name, CyclesPerByteTerm]
    unload_fixed: TimeTerm = NO_TIME
    unload: dict[Name, CyclesPerByteTerm]
    parts: dict[Name, tuple[TimeTerm, ...]] = {}
    run_in: PerByteTerm = NO_BYTES
    run_out: PerByteTerm = NO_BYTES


class FirstStage(Spec):
    """A first stage whose setup thread is not bound to its cluster: part of its work follows another PE.

    ``share`` of the time that its layers take on ``follows`` at that PE's clock is added, and ``early`` of the time of
    the first convolutions there at 1 GHz.
    """

    follows: Name
    share: RatioTerm
    early: RatioTerm = NOTHING


class Slowdowns(Spec):
    """How much longer a PE takes while others are busy, as an addition to 1.

    ``by`` is by PE that computes; ``hosted`` is by a hosted PE (a GPU) that computes while its driver thread sits here;
    ``copies`` is while the thread of a hosted PE copies here.
    """

    by: dict[Name, RatioTerm] = {}
    hosted: dict[Name, RatioTerm] = {}
    copies: RatioTerm = NOTHING


class PipelineRuntime(Spec):
    """A stage for each PE, all at once (Pipe-All with an NPU).

    ``read`` reads and decodes the image, by cluster, in its cycles. ``slowdowns`` are by CPU cluster;
    ``copies_slowed`` is how much longer a hosted PE's thread copies while the cluster that it sits on computes. The
    first frame takes ``warm_up`` times as long. A thread that copies draws ``copy_power`` of its cluster's active
    power.

    The board draws ``base_power``, and a PE that computes ``active_power`` at each of its operating points (slowest
    first) per unit of work at full speed: one that is held up draws no more for it.
    """

    origin: Origin
    stages: dict[Name, StagePe]
    npus: dict[Name, StageNpu] = {}
    read: dict[Name, CyclesTerm]
    first_stage: dict[Name, FirstStage] = {}
    slowdowns: dict[Name, Slowdowns] = {}
    copies_slowed: dict[Name, RatioTerm] = {}
    warm_up: Annotated[float, Field(ge=1, le=100)] = 1.0
    base_power: PowerUw = 0
    active_power: dict[Name, tuple[PowerUw, ...]] = {}
    copy_power: dict[Name, RatioTerm] = {}


class Runtimes(Spec):
    """Runtimes by mode."""

    switch: SwitchRuntime | None = None
    pipeline: PipelineRuntime | None = None
