"""A mapping: segment to PE, PE or segment to operating point, and the exits that are enabled."""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Annotated, Literal

from eesim.errors import suggest
from eesim.findings import SpecError
from eesim.hardware.spec import Board
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.units import FrequencyHz, format_frequency
from eesim.workload.network import Network

Finding = tuple[tuple[str | int, ...], str, str]


class MappingSpec(Spec):
    """A mapping as written: an order string, a list of PEs, or a table of segment to PE."""

    segments: Annotated[str | tuple[str, ...] | dict[str, str], OneOf()]
    opp: dict[str, FrequencyHz] = {}
    exits: Annotated[Literal["all"] | tuple[str, ...], OneOf()] = "all"
    thresholds: Annotated[float | dict[str, float], OneOf()] | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping that fits its board and network.

    Attributes
    ----------
    pes
        PE of each segment, in construction order.
    segment_opp_hz
        Clock of each segment.
    pe_opp_hz
        Clock of each PE of the board where no segment asks for another: as declared, else the highest.
    enabled_exits
        Whether each exit is enabled; the final one always is.
    thresholds
        Least confidence at which each early exit answers, infinite where none is given.
    """

    pes: tuple[str, ...]
    segment_opp_hz: tuple[int, ...]
    pe_opp_hz: MappingABC[str, int]
    enabled_exits: tuple[bool, ...]
    thresholds: tuple[float, ...] = ()

    def host_hz(self, board: Board, pe: str) -> int | None:
        """Clock of the CPU cluster that hosts a PE's driver thread; None where the board names none."""
        host = board.pes[pe].host
        return None if host is None else self.pe_opp_hz[host]

    @property
    def order(self) -> str:
        """The order string, or PEs separated by commas where their names have several letters."""
        return ("" if all(len(pe) == 1 for pe in self.pes) else ",").join(self.pes)


def resolve_mapping(written: MappingSpec, board: Board, network: Network) -> Mapping:
    """Check a mapping against board and network, and fill in what it leaves open.

    Raises
    ------
    SpecError
        Everything that does not fit, paths relative to ``mapping``.
    """
    findings: list[Finding] = []
    pes = _segment_pes(written, board, network, findings)
    pe_opp, segment_opp = _opps(written, board, network, pes, findings)
    enabled = _enabled(written, network, findings)
    thresholds = _thresholds(written, network, findings)
    if findings:
        raise SpecError(findings)
    return Mapping(tuple(pes), tuple(segment_opp), pe_opp, enabled, thresholds)


def _segment_pes(written: MappingSpec, board: Board, network: Network, findings: list[Finding]) -> list[str]:
    names = network.segment_names
    segments = written.segments
    if isinstance(segments, dict):
        findings += [
            (("segments", name), f"network {network.name} has no such segment", suggest(name, names))
            for name in segments
            if name not in names
        ]
        findings += [(("segments", name), "missing: on which PE?", "") for name in names if name not in segments]
        given = {("segments", name): pe for name, pe in segments.items() if name in names}
    else:
        if len(segments) != len(names):
            message = (
                f"has {len(segments)} PEs, but network {network.name} has {len(names)} segments ({' '.join(names)})"
            )
            findings.append((("segments",), message, ""))
        path_of = (lambda _: ("segments",)) if isinstance(segments, str) else (lambda i: ("segments", i))
        for letter, i in {pe: i for i, pe in reversed(list(enumerate(segments)))}.items():
            if letter not in board.pes:
                message = f"there is no PE {letter!r} on board {board.name} ({' '.join(board.pes)})"
                findings.append((path_of(i), message, suggest(letter, board.pes)))
        return list(segments)
    for path, pe in given.items():
        if pe not in board.pes:
            message = f"there is no PE {pe!r} on board {board.name} ({' '.join(board.pes)})"
            findings.append((path, message, suggest(pe, board.pes)))
    return [segments.get(name, "") for name in names]


def _opps(
    written: MappingSpec, board: Board, network: Network, pes: list[str], findings: list[Finding]
) -> tuple[dict[str, int], list[int]]:
    names = network.segment_names
    pe_opp = {name: pe.opps.frequencies[-1] for name, pe in board.pes.items()}
    for key, clock in written.opp.items():
        pe = key if key in board.pes else pes[names.index(key)] if key in names[: len(pes)] else None
        if pe is None:
            known = [*board.pes, *names]
            findings.append((("opp", key), "is neither a PE nor a segment", suggest(key, known)))
        elif pe in board.pes and clock not in board.pes[pe].opps.frequencies:
            steps = board.pes[pe].opps.frequencies
            nearest = min(steps, key=lambda step: abs(step - clock))
            listed = ", ".join(format_frequency(step) for step in steps)
            message = f"{format_frequency(clock)} is not an operating point of {pe} ({listed})"
            findings.append((("opp", key), message, format_frequency(nearest)))
        elif key in board.pes:
            pe_opp[key] = clock
    segment_opp = [written.opp.get(name, pe_opp.get(pe, 0)) for name, pe in zip(names, pes, strict=False)]
    return pe_opp, segment_opp


def _enabled(written: MappingSpec, network: Network, findings: list[Finding]) -> tuple[bool, ...]:
    names = network.exit_names
    if written.exits == "all":
        return (True,) * len(names)
    for i, name in enumerate(written.exits):
        if name not in names:
            findings.append((("exits", i), f"network {network.name} has no exit {name!r}", suggest(name, names)))
    return (*(name in written.exits for name in names[:-1]), True)


def _thresholds(written: MappingSpec, network: Network, findings: list[Finding]) -> tuple[float, ...]:
    names, given = network.exit_names, written.thresholds
    if not isinstance(given, dict):
        return (math.inf if given is None else given,) * (len(names) - 1)
    for name in given:
        if name == names[-1]:
            findings.append((("thresholds", name), "the final exit always answers: it has no threshold", ""))
        elif name not in names:
            message = f"network {network.name} has no exit {name!r}"
            findings.append((("thresholds", name), message, suggest(name, names[:-1])))
    return tuple(given.get(name, math.inf) for name in names[:-1])
