"""How long each segment takes on each PE, where the numbers come from, and what is an estimate."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eesim.errors import suggest
from eesim.findings import SpecError
from eesim.hardware.laws import scaled_time_ns
from eesim.hardware.origin import Origin
from eesim.hardware.spec import Board, Name
from eesim.spec import Spec
from eesim.units import Cycles, FrequencyHz, Share, TimeNs


class ProfileClocks(Spec):
    """Clocks at which the times were taken."""

    at: dict[str, FrequencyHz]
    origin: Origin


class SegmentLaw(Spec):
    """``t = cycles / f + host_cycles / f_host + fixed``, fitted to times at several clocks.

    ``power`` is the active power of the PE while it runs the segment, relative to the board's table; ``mean_error`` is
    that of the fit, relative to the times.
    """

    cycles: Cycles
    host_cycles: Cycles = 0
    fixed: TimeNs = 0
    power: Annotated[float, Field(ge=0, le=10)] = 1.0
    mean_error: Share = Fraction(0)

    def time_ns(self, clock_hz: int, host_hz: int | None) -> int | None:
        """Time in ns; None if it depends on a host's clock and there is none."""
        time = Fraction(self.cycles, clock_hz)
        if self.host_cycles:
            if host_hz is None:
                return None
            time += Fraction(self.host_cycles, host_hz)
        return round(time * 10**9) + self.fixed


class Profile(Spec):
    """Times of one network's segments on one board: as they were taken (``times``), or fitted (``laws``).

    ``basis: layers`` says that each segment was timed alone: what the runtime adds when a frame moves between PEs is
    not in them. ``campaign`` names the campaign (`eesim.hardware.runtime.Campaign`), ``input`` is the law of reading
    the image.
    """

    eesim: Literal[1]
    network: Name
    origin: Origin
    basis: Literal["layers", "unknown"] = "unknown"
    campaign: str = ""
    clocks: ProfileClocks | None = None
    times: dict[str, dict[str, TimeNs]] = {}
    laws: dict[str, dict[str, SegmentLaw]] = {}
    input: dict[str, SegmentLaw] = {}

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.times and not self.laws:
            raise SpecError([(("times",), "missing: a profile has times or laws")])
        at = self.clocks.at if self.clocks else {}
        pes = sorted({pe for row in self.times.values() for pe in row})
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("clocks", "at", pe), "missing: at which clock were its times taken?") for pe in pes if pe not in at
        ]
        found += [
            (("laws", segment, pe), "has a time, too: which of the two?")
            for segment, row in self.laws.items()
            for pe in row
            if pe in self.times.get(segment, {})
        ]
        if found:
            raise SpecError(found)
        return self

    def findings(
        self, board: Board, network: str, segments: tuple[str, ...]
    ) -> list[tuple[tuple[str | int, ...], str, str]]:
        """What does not fit the board and the network, as (path, message, hint)."""
        found: list[tuple[tuple[str | int, ...], str, str]] = []
        if self.network != network:
            found.append((("network",), f"this is a profile of {self.network!r}, not of {network!r}", network))
        for part, rows in (("times", self.times), ("laws", self.laws)):
            for segment, row in rows.items():
                if segment not in segments:
                    found.append(((part, segment), "the network has no such segment", suggest(segment, segments)))
                found += [
                    ((part, segment, pe), f"there is no PE {pe!r} on board {board.name}", suggest(pe, board.pes))
                    for pe in row
                    if pe not in board.pes
                ]
        for pe in self.clocks.at if self.clocks else ():
            if pe not in board.pes:
                message = f"there is no PE {pe!r} on board {board.name}"
                found.append((("clocks", "at", pe), message, suggest(pe, board.pes)))
        return found

    def knows(self, segment: str) -> tuple[str, ...]:
        """PEs on which something is known about a segment, in the order of the file."""
        return (*self.times.get(segment, {}), *self.laws.get(segment, {}))

    def time_ns(self, board: Board, segment: str, pe: str, clock_hz: int, host_hz: int | None = None) -> int | None:
        """Time of a segment on a PE at its clock and its host's, ns; None where nothing is known.

        A time that was taken at another clock is scaled by the PE's frequency law: an estimate.
        """
        law = self.laws.get(segment, {}).get(pe)
        if law is not None:
            return law.time_ns(clock_hz, host_hz)
        known = self.times.get(segment, {}).get(pe)
        if known is None or self.clocks is None:
            return None
        element = board.pes[pe]
        return scaled_time_ns(known, element.frequency_law, element.opps.frequencies[-1], self.clocks.at[pe], clock_hz)

    def input_ns(self, pe: str, clock_hz: int, host_hz: int | None = None) -> int:
        """Time of reading the image where the first segment is on ``pe``, ns; 0 where the profile has no such law."""
        law = self.input.get(pe)
        return (law.time_ns(clock_hz, host_hz) or 0) if law is not None else 0

    def power_ratio(self, segment: str, pe: str) -> float:
        """Active power of a PE while it runs a segment, relative to the board's table."""
        law = self.laws.get(segment, {}).get(pe)
        return 1.0 if law is None else law.power

    def is_estimate(self, segment: str, pe: str, clock_hz: int) -> bool:
        """Whether the time of a segment at this clock is scaled from another clock."""
        return pe in self.times.get(segment, {}) and self.clocks is not None and self.clocks.at[pe] != clock_hz
