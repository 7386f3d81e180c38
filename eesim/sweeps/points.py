"""From a point's settings to a scenario: the base with a few values changed, resolved with what points share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from eesim.document import Document
from eesim.errors import InputError
from eesim.overrides import Override, apply_overrides, steps_of
from eesim.plan.lower import Lowered, lower
from eesim.scenario.load import STREAM_SECTIONS, Scenario, expand_short, resolve, with_stream
from eesim.scenario.shared import Shared, keep
from eesim.scenario.spec import ScenarioSpec
from eesim.workload.arrivals import ClosedLoop

Changes = tuple[tuple[str, Any], ...]
"""Paths and values of one point."""

MAX_KEPT = 2048
"""Sections, scenarios and plans that are kept of each kind."""


@dataclass
class Base:
    """What all points of a study begin with; goes to every worker.

    Attributes
    ----------
    document
        The scenario, with what the study sets for all points.
    beside
        What names and paths in it are relative to.
    shared
        Files that were read.
    """

    document: Document
    beside: Path
    shared: Shared = field(default_factory=Shared)

    def changed(self, overrides: Iterable[Override]) -> Document:
        """Return the scenario's document with values changed.

        Raises
        ------
        InputError
            If a path leads nowhere.
        """
        return apply_overrides(self.document, overrides, expand_short)

    def scenario(self, changes: Changes) -> Scenario:
        """Return the scenario of a point.

        Raises
        ------
        InputError
            If anything is wrong with it.
        """
        overrides = [Override(steps_of(path), value) for path, value in changes]
        return resolve(self.changed(overrides), self.beside, self.shared)


class Sections:
    """Scenarios of points, section by section: what one point says about its stream, others often say, too.

    Parameters
    ----------
    base
        What all points begin with; nothing is wrong with it that its points do not change.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        top = base.document.data
        self._parts = {key: base.document.sub((key,)) for key in top}
        self._spec: ScenarioSpec | None = None
        self._kept: dict[tuple[str, str], tuple[Document, Any]] = {}
        self._like: dict[str, Scenario] = {}

    def scenario(self, changes: Changes) -> Scenario:
        """Return the scenario of a point; see `Base.scenario`."""
        if "streams" in self._parts or any(path.partition(".")[0].strip() == "streams" for path, _ in changes):
            # Each of several streams has sections of its own, made of these.
            return self._base.scenario(changes)
        if self._spec is None:
            return self._first(changes)
        by_section: dict[str, list[tuple[str, Any]]] = {}
        for path, value in changes:
            by_section.setdefault(path.partition(".")[0].strip(), []).append((path, value))
        try:
            found = {key: self._section(key, those) for key, those in by_section.items()}
        except (InputError, ValidationError):
            # Said again with the whole document, for the words and positions of what is wrong.
            return self._base.scenario(changes)
        parts = self._parts | {key: part for key, (part, _) in found.items()}
        document = Document.assembled(parts, self._base.document)
        spec = self._spec.model_copy(update={key: value for key, (_, value) in found.items()})
        others = repr([those for key, those in by_section.items() if key not in STREAM_SECTIONS])
        like = self._like.get(others)
        scenario = None if like is None else with_stream(like, document, spec)
        if scenario is None:
            scenario = resolve(document, self._base.beside, self._base.shared, spec)
            if like is None:
                keep(self._like, others, scenario, MAX_KEPT)
        return scenario

    def _first(self, changes: Changes) -> Scenario:
        """Resolve as a whole until it is known that the sections that no point changes are right."""
        scenario = self._base.scenario(changes)
        self._spec = scenario.spec
        touched = {path.partition(".")[0].strip() for path, _ in changes}
        # The sections that this point changes are as the base says for points that do not.
        for key in touched & self._parts.keys():
            try:
                self._spec = self._spec.model_copy(update={key: self._section(key, [])[1]})
            except ValidationError:
                self._spec = None
                break
        else:
            for key in touched - self._parts.keys():
                field = ScenarioSpec.model_fields[key]
                self._spec = self._spec.model_copy(update={key: field.get_default(call_default_factory=True)})
        return scenario

    def _section(self, key: str, changes: list[tuple[str, Any]]) -> tuple[Document, Any]:
        """Document and validated value of one section with changes."""
        name = key, repr(changes)
        known = self._kept.get(name)
        if known is None:
            whole = Document.assembled({key: self._parts[key]} if key in self._parts else {}, self._base.document)
            overrides = [Override(steps_of(path), value) for path, value in changes]
            part = apply_overrides(whole, overrides, expand_short).sub((key,))
            known = part, _adapter(key).validate_python(part.data)
            keep(self._kept, name, known, MAX_KEPT)
        return known


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    """What validates one section of a scenario."""
    field = ScenarioSpec.model_fields[key]
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(annotation)


RESOLVED = ("board", "network", "profile", "mapping", "policy")
"""Sections that a scenario holds resolved, each of them."""

OTHERS = [
    name
    for name in ScenarioSpec.model_fields
    if name not in {*RESOLVED, *STREAM_SECTIONS, "eesim", "streams", "explore", "thresholds", "sensitivity"}
]
"""Sections of one stream's scenario that a plan follows from, besides the resolved ones."""


class Plans:
    """Lowers scenarios; those that differ in their streams or runs only share a plan."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Scenario, Lowered]] = {}

    def lower(self, scenario: Scenario) -> Lowered:
        """Return the plan of a scenario."""
        if scenario.members:
            return lower(scenario)
        is_closed = isinstance(scenario.spec.stream.arrivals, ClosedLoop)
        parts = (id(getattr(scenario, name)) for name in RESOLVED)
        key = (*parts, *(repr(getattr(scenario.spec, name)) for name in OTHERS), is_closed)
        known = self._kept.get(key)
        if known is None:
            # The scenario is kept with its plan, so that the ids stay its parts'.
            known = scenario, lower(scenario)
            keep(self._kept, key, known, MAX_KEPT)
        return known[1]
