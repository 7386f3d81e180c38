"""Early-exit networks: a backbone of segments with exit branches."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eesim.errors import suggest
from eesim.findings import SpecError
from eesim.hardware.origin import Origin
from eesim.hardware.spec import Name
from eesim.spec import Spec
from eesim.units import Bytes


class Segment(Spec):
    """One segment, the unit of mapping.

    Without ``after`` it continues the backbone; with it, it belongs to a branch that starts (or goes on) there.
    ``exit`` names the classifier that it ends in. ``kernels`` is the number of runtime tasks that it consists of,
    ``macs`` that of its multiply-accumulate operations, ``weights`` the bytes of its parameters.
    """

    name: Name
    after: str | None = None
    exit: Name | None = None
    output: Bytes
    kernels: Annotated[int, Field(ge=1)] = 1
    macs: Annotated[int, Field(ge=0)] | None = None
    weights: Bytes | None = None


class Network(Spec):
    """Segments in construction order, as CO-UP order strings count them.

    ``runtime_letters`` names the segment of each letter of the runtime's own order string, where that has more letters.
    """

    eesim: Literal[1]
    name: Name
    title: str = ""
    origin: Origin
    input: Bytes
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=4096)]
    runtime_letters: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_chain_with_branches(self) -> Self:
        findings: list[tuple[tuple[str | int, ...], str, str]] = []
        names: dict[str, Segment] = {}
        exits: set[str] = set()
        for i, segment in enumerate(self.segments):
            if segment.name in names:
                findings.append((("segments", i, "name"), f"segment {segment.name!r} appears twice", ""))
            if segment.after is not None and segment.after not in names:
                message = f"{segment.after!r} is not an earlier segment"
                findings.append((("segments", i, "after"), message, suggest(segment.after, names)))
            if segment.exit is not None and segment.exit in exits:
                findings.append((("segments", i, "exit"), f"exit {segment.exit!r} appears twice", ""))
            names[segment.name] = segment
            exits |= {segment.exit} if segment.exit else set()
        for i, name in enumerate(self.runtime_letters or ()):
            if name not in names:
                findings.append((("runtime_letters", i), f"there is no segment {name!r}", suggest(name, names)))
        if not findings:
            findings = self._shape_problems()
        if findings:
            raise SpecError(findings)
        return self

    def _shape_problems(self) -> list[tuple[tuple[str | int, ...], str, str]]:
        found: list[tuple[tuple[str | int, ...], str, str]] = []
        if self.segments[0].after is not None:
            found.append((("segments", 0, "after"), "the first segment starts the backbone", ""))
        backbone = [i for i, s in enumerate(self.segments) if s.after is None]
        followed = {source for source in self.sources if source >= 0}
        for i, segment in enumerate(self.segments):
            path = ("segments", i, "exit")
            if i == backbone[-1]:
                if segment.exit is None:
                    found.append((path, "the last backbone segment must end in the final exit: name it", ""))
                if any(s.after == segment.name for s in self.segments):
                    found.append((path, "nothing can follow the final exit", ""))
            elif segment.exit is not None and i in followed:
                found.append((path, f"{segment.name!r} ends in an exit, but something follows it", ""))
            elif segment.exit is None and i not in followed:
                found.append((path, f"the branch that ends in {segment.name!r} has no exit", ""))
        return found

    @property
    def segment_names(self) -> tuple[str, ...]:
        """Names of the segments, in construction order."""
        return tuple(segment.name for segment in self.segments)

    @property
    def sources(self) -> tuple[int, ...]:
        """Index of the segment that feeds each segment; -1 for the first."""
        index = {segment.name: i for i, segment in enumerate(self.segments)}
        found, backbone = [], -1
        for i, segment in enumerate(self.segments):
            found.append(backbone if segment.after is None else index[segment.after])
            if segment.after is None:
                backbone = i
        return tuple(found)

    @property
    def exit_segments(self) -> tuple[int, ...]:
        """Index of the segment that each exit ends in, in construction order; the last is the final classifier."""
        final = max(i for i, s in enumerate(self.segments) if s.after is None)
        early = [i for i, s in enumerate(self.segments) if s.exit is not None and i != final]
        return (*early, final)

    @property
    def exit_names(self) -> tuple[str, ...]:
        """Names of the exits; the last is the final classifier."""
        return tuple(self.segments[i].exit or "" for i in self.exit_segments)
