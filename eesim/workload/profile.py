"""How long each segment takes on each PE, where the numbers come from, and what is an estimate."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eesim.errors import suggest
from eesim.findings import SpecError
from eesim.hardware.laws import scaled_time_ns
from eesim.hardware.spec import Board, Name, Origin
from eesim.spec import Spec
from eesim.units import FrequencyHz, TimeNs


class ProfileClocks(Spec):
    """Clocks at which the times were taken."""

    at: dict[str, FrequencyHz]
    origin: Origin


class Profile(Spec):
    """Times of one network's segments on one board."""

    eesim: Literal[1]
    network: Name
    origin: Origin
    clocks: ProfileClocks
    times: Annotated[dict[str, dict[str, TimeNs]], Field(min_length=1)]

    @model_validator(mode="after")
    def _clocks_are_known(self) -> Self:
        pes = sorted({pe for row in self.times.values() for pe in row})
        missing = [pe for pe in pes if pe not in self.clocks.at]
        if missing:
            raise SpecError([(("clocks", "at", pe), "missing: at which clock were its times taken?") for pe in missing])
        return self

    def findings(
        self, board: Board, network: str, segments: tuple[str, ...]
    ) -> list[tuple[tuple[str | int, ...], str, str]]:
        """What does not fit the board and the network, as (path, message, hint)."""
        found: list[tuple[tuple[str | int, ...], str, str]] = []
        if self.network != network:
            found.append((("network",), f"this is a profile of {self.network!r}, not of {network!r}", network))
        for segment, row in self.times.items():
            if segment not in segments:
                found.append((("times", segment), "the network has no such segment", suggest(segment, segments)))
            found += [
                (("times", segment, pe), f"there is no PE {pe!r} on board {board.name}", suggest(pe, board.pes))
                for pe in row
                if pe not in board.pes
            ]
        for pe in self.clocks.at:
            if pe not in board.pes:
                message = f"there is no PE {pe!r} on board {board.name}"
                found.append((("clocks", "at", pe), message, suggest(pe, board.pes)))
        return found

    def time_ns(self, board: Board, segment: str, pe: str, clock_hz: int) -> int | None:
        """Time of a segment on a PE at a clock, ns; None where nothing is known.

        At other clocks than the profile's it is an estimate by the PE's frequency law.
        """
        known = self.times.get(segment, {}).get(pe)
        if known is None:
            return None
        element = board.pes[pe]
        return scaled_time_ns(known, element.frequency_law, element.opps.frequencies[-1], self.clocks.at[pe], clock_hz)

    def is_estimate(self, pe: str, clock_hz: int) -> bool:
        """Whether times on ``pe`` at this clock are scaled from another clock."""
        return self.clocks.at.get(pe) != clock_hz
