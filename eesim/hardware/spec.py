"""What a board file says: PEs, operating points, transfers, contention, power; each number with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from eesim.findings import SpecError
from eesim.hardware.names import Finding, contradictions, unknown_names
from eesim.hardware.origin import Origin
from eesim.hardware.runtime import Runtimes
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import FrequencyHz, NsPerByte, OpsPerSecond, PowerUw, TimeNs, UwPerMHz, VoltageUv

Charge = Literal["sender", "receiver", "link", "delay"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Factor = Annotated[float, Field(ge=1, le=1000)]

MAX_PES = 16
"""The busy-set table has 2^n rows for n PEs that slow another."""


class Power(Spec):
    """A power with its origin."""

    value: PowerUw
    origin: Origin


class PeakRate(Spec):
    """A peak rate of operations with its origin."""

    value: OpsPerSecond
    origin: Origin


class Opp(Spec):
    """One operating point; ``active_power`` is what the busy PE adds to the board's power."""

    frequency: FrequencyHz
    voltage: VoltageUv | None = None
    active_power: PowerUw


class OppTable(Spec):
    """Operating points, slowest first."""

    origin: Origin
    power_origin: Origin
    table: Annotated[tuple[Opp, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        frequencies = [opp.frequency for opp in self.table]
        wrong = [i for i in range(1, len(frequencies)) if frequencies[i] <= frequencies[i - 1]]
        if wrong:
            raise SpecError([(("table", i, "frequency"), "must be above the one before") for i in wrong])
        return self

    @property
    def frequencies(self) -> tuple[int, ...]:
        """Frequencies in Hz, ascending."""
        return tuple(opp.frequency for opp in self.table)


class FrequencyLaw(Spec):
    """``t(f) = t(fmax) x (fixed_share + (1 - fixed_share) x fmax / f)``."""

    fixed_share: Annotated[float, Field(ge=0, le=1)]
    origin: Origin


class BatchLaw(Spec):
    """How long tasks of one segment take that are served together, as a multiple of one alone.

    ``b`` tasks: ``fixed_share + (1 - fixed_share) x b``, or what a table says for 1, 2, 3, ... of them.
    """

    fixed_share: Annotated[float, Field(ge=0, le=1)] | None = None
    factors: Annotated[tuple[Factor, ...], Field(min_length=1)] | None = None
    origin: Origin

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        if (self.fixed_share is None) == (self.factors is None):
            raise SpecError([((), "needs either fixed_share or factors")])
        factors = self.factors or (1.0,)
        if factors[0] != 1:
            raise SpecError([(("factors", 0), "must be 1: that is a task alone")])
        wrong = [i for i in range(1, len(factors)) if factors[i] < factors[i - 1]]
        if wrong:
            raise SpecError([(("factors", i), "must not be below the one before") for i in wrong])
        return self

    @property
    def largest(self) -> int | None:
        """Size of the largest batch that it knows; None: it knows all."""
        return None if self.factors is None else len(self.factors)


class Dvfs(Spec):
    """Delay until a requested operating point is effective."""

    up: TimeNs
    down: TimeNs
    same_voltage: TimeNs
    origin: Origin


class FactorEstimate(Spec):
    """A slowdown with its interval, where one is known."""

    factor: Factor
    low: Factor | None = None
    high: Factor | None = None


class HostEffect(Spec):
    """What happens if the driver thread of a GPU or NPU sits on a given CPU cluster."""

    slows_host: FactorEstimate
    slows_self: FactorEstimate
    host_power: UwPerMHz
    origin: Origin


class ProcessingElement(Spec):
    """A processing element (PE): a CPU cluster, GPU, NPU or the like."""

    title: str = ""
    kind: Literal["cpu", "gpu", "npu", "dsp", "mcu", "accelerator"]
    cores: Annotated[int, Field(ge=1)] = 1
    servers: Annotated[int, Field(ge=1, le=64)] = 1
    host: str | None = None
    hosts: dict[str, HostEffect] = {}
    peak: PeakRate | None = None
    opps: OppTable
    frequency_law: FrequencyLaw | None = None
    batch_law: BatchLaw | None = None
    idle_power: Power
    dvfs: Dvfs | None = None

    @property
    def host_effect(self) -> HostEffect | None:
        """Effect of the host that is chosen, if any."""
        return self.hosts.get(self.host) if self.host else None


class Contention(Spec):
    """``pairs[victim][aggressor]``: factor by which the victim takes longer while the aggressor is busy."""

    pairs: dict[str, dict[str, Factor]] = {}
    origin: Origin


class RouteClock(Spec):
    """``scale = max(1, offset + slope / f)`` with ``f`` the clock of ``pe`` in GHz."""

    pe: str
    offset: Annotated[float, Field(ge=0, le=10)]
    slope: Annotated[float, Field(ge=0, le=10)]


class Route(Spec):
    """Cost of moving a tensor from one PE to another at maximum clocks."""

    fixed: TimeNs
    per_byte: NsPerByte
    clock: RouteClock | None = None
    link: Name = "link"
    origin: Origin


class Transfers(Spec):
    """Who pays for a transfer, and what each direction costs."""

    charge: Charge
    charge_origin: Origin
    routes: dict[str, Route] = {}

    def route(self, source: str, target: str) -> Route | None:
        """Route from one PE to another, if the board states one."""
        return self.routes.get(f"{source}->{target}")


class Board(Spec):
    """A whole board file."""

    eesim: Literal[1]
    name: Name
    title: str = ""
    sources: dict[str, str] = {}
    base_power: Power
    pes: Annotated[dict[Name, ProcessingElement], Field(min_length=1, max_length=MAX_PES)]
    contention: Contention
    transfers: Transfers
    runtimes: Runtimes = Runtimes()
    exclusive: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()

    @property
    def pe_names(self) -> tuple[str, ...]:
        """Names of the PEs, in the order of the file."""
        return tuple(self.pes)

    @classmethod
    def across(cls, data: Mapping[str, Any]) -> Iterator[Finding]:
        """Names that do not exist, and parts that contradict each other."""
        yield from unknown_names(data)
        yield from contradictions(data)


class BoardChange(Spec):
    """Not validated by itself: ``{extends: NAME, ...}`` is merged into the named board's document first."""

    model_config = {"extra": "allow"}

    extends: str


BoardReference = Annotated[str | BoardChange, OneOf()]
