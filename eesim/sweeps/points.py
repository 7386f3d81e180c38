"""From a point's settings to a scenario: the base with a few values changed, resolved with what points share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eesim.document import Document
from eesim.overrides import Override, apply_overrides, steps_of
from eesim.plan.lower import Lowered, lower
from eesim.scenario.load import Scenario, expand_short, resolve
from eesim.scenario.shared import Shared
from eesim.workload.arrivals import ClosedLoop

Changes = tuple[tuple[str, Any], ...]
"""Paths and values of one point."""

MAX_PLANS = 512


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


class Plans:
    """Lowers scenarios; those that differ in their streams or runs only share a plan."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Scenario, Lowered]] = {}

    def lower(self, scenario: Scenario) -> Lowered:
        """Return the plan of a scenario."""
        key = (
            id(scenario.board),
            id(scenario.network),
            id(scenario.profile),
            repr(scenario.mapping),
            scenario.policy.model_dump_json(),
            repr(scenario.spec.physics),
            isinstance(scenario.spec.stream.arrivals, ClosedLoop),
        )
        known = self._kept.get(key)
        if known is None:
            if len(self._kept) >= MAX_PLANS:
                self._kept.pop(next(iter(self._kept)))
            # The scenario is kept with its plan, so that the ids stay its parts'.
            known = self._kept[key] = scenario, lower(scenario)
        return known[1]
