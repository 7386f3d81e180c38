"""What a board file says: PEs, operating points, transfers, contention, power; each number with its origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eesim.errors import suggest
from eesim.findings import SpecError
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import FrequencyHz, NsPerByte, OpsPerSecond, PowerUw, TimeNs, UwPerMHz, VoltageUv

OriginKind = Literal["measured", "published", "fitted", "derived", "assumed"]
Charge = Literal["sender", "receiver", "link", "delay"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Factor = Annotated[float, Field(ge=1, le=1000)]

MAX_PES = 16
"""The busy-set table has 2^n rows for n PEs that slow another."""


class Origin(Spec):
    """Where a number comes from."""

    kind: OriginKind
    source: str = ""
    note: str = ""

    def __str__(self) -> str:
        """Kind, source and note on one line."""
        return ", ".join(part for part in (self.kind, self.source, self.note) if part)


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
    exclusive: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()

    @property
    def pe_names(self) -> tuple[str, ...]:
        """Names of the PEs, in the order of the file."""
        return tuple(self.pes)

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        findings = [
            (path, f"there is no PE {name!r} on this board", suggest(name, self.pes))
            for path, name in self._pe_references()
            if name not in self.pes
        ]
        findings += [
            (path, f"{origin.source!r} is not one of the board's sources", suggest(origin.source, self.sources))
            for path, origin in self._origins()
            if origin.source and origin.source not in self.sources
        ]
        findings += self._contradictions()
        if findings:
            raise SpecError(findings)
        return self

    def _pe_references(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for name, pe in self.pes.items():
            if pe.host is not None:
                yield ("pes", name, "host"), pe.host
            for host in pe.hosts:
                yield ("pes", name, "hosts", host), host
        for victim, aggressors in self.contention.pairs.items():
            yield ("contention", "pairs", victim), victim
            for aggressor in aggressors:
                yield ("contention", "pairs", victim, aggressor), aggressor
        for key, route in self.transfers.routes.items():
            for end in key.split("->") if key.count("->") == 1 else []:
                yield ("transfers", "routes", key), end
            if route.clock is not None:
                yield ("transfers", "routes", key, "clock", "pe"), route.clock.pe
        for i, group in enumerate(self.exclusive):
            for j, member in enumerate(group):
                yield ("exclusive", i, j), member

    def _origins(self) -> Iterator[tuple[tuple[str | int, ...], Origin]]:
        yield ("base_power", "origin"), self.base_power.origin
        for name, pe in self.pes.items():
            at = ("pes", name)
            yield (*at, "opps", "origin"), pe.opps.origin
            yield (*at, "opps", "power_origin"), pe.opps.power_origin
            yield (*at, "idle_power", "origin"), pe.idle_power.origin
            for key in ("peak", "frequency_law", "dvfs"):
                part = getattr(pe, key)
                if part is not None:
                    yield (*at, key, "origin"), part.origin
            for host, effect in pe.hosts.items():
                yield (*at, "hosts", host, "origin"), effect.origin
        yield ("contention", "origin"), self.contention.origin
        yield ("transfers", "charge_origin"), self.transfers.charge_origin
        for key, route in self.transfers.routes.items():
            yield ("transfers", "routes", key, "origin"), route.origin

    def _contradictions(self) -> list[tuple[tuple[str | int, ...], str, str]]:
        found: list[tuple[tuple[str | int, ...], str, str]] = []
        for name, pe in self.pes.items():
            if pe.host == name:
                found.append((("pes", name, "host"), "a PE cannot be its own host", ""))
            elif pe.host is not None and pe.hosts and pe.host not in pe.hosts:
                message = f"the board does not say what a host on {pe.host!r} means"
                found.append((("pes", name, "host"), message, suggest(pe.host, pe.hosts)))
        for key in self.transfers.routes:
            if key.count("->") != 1 or len(set(key.split("->"))) != 2:
                found.append((("transfers", "routes", key), "a route is written FROM->TO, two different PEs", ""))
        members = [member for group in self.exclusive for member in group]
        for member in sorted({m for m in members if members.count(m) > 1}):
            found.append((("exclusive",), f"PE {member!r} is in more than one exclusive group", ""))
        return found


class BoardChange(Spec):
    """Not validated by itself: ``{extends: NAME, ...}`` is merged into the named board's document first."""

    model_config = {"extra": "allow"}

    extends: str


BoardReference = Annotated[str | BoardChange, OneOf()]
