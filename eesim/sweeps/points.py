"""From a point's settings to a scenario: the base with a few values changed; files are read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from eesim.document import Document
from eesim.overrides import Override, steps_of
from eesim.scenario.load import Scenario, apply_changes, resolve
from eesim.yamldoc import load_document

Changes = tuple[tuple[str, Any], ...]
"""Paths and values of one point."""


@dataclass
class Base:
    """What all points of a study begin with; goes to every worker.

    Attributes
    ----------
    document
        The scenario, with what the study sets for all points.
    beside
        What names and paths in it are relative to.
    files
        Files that were read. Filled beforehand, they take the place of the files.
    """

    document: Document
    beside: Path
    files: dict[str, Document] = field(default_factory=dict)

    def read(self, path: str | PathLike[str]) -> Document:
        """Content of a file."""
        name = fspath(path)
        if name not in self.files:
            self.files[name] = load_document(name)
        return self.files[name]

    def changed(self, overrides: Iterable[Override]) -> Document:
        """Return the scenario's document with values changed.

        Raises
        ------
        InputError
            If a path leads nowhere.
        """
        return apply_changes(self.document, overrides)

    def resolved(self, document: Document) -> Scenario:
        """Return a document as a scenario.

        Raises
        ------
        InputError
            If anything is wrong with it.
        """
        return resolve(document, self.beside, self.read)

    def scenario(self, changes: Changes) -> Scenario:
        """Return the scenario of a point.

        Raises
        ------
        InputError
            If anything is wrong with it.
        """
        return self.resolved(self.changed([Override(steps_of(path), value) for path, value in changes]))
