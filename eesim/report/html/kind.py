"""What a module for one kind of result offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eesim.report.html.folder import Folder
from eesim.report.html.parts import Section


@dataclass(frozen=True)
class Kind:
    """One kind of result folder.

    Attributes
    ----------
    name
        In a word, as in ``--json``.
    command
        What writes such folders.
    claims
        Whether a folder holds such a result, whole or in part.
    files
        Files that belong to a whole one, and what is missing from the page without each.
    title
        Heading of the page.
    sections
        Each makes a section of the page, or returns None where there is nothing to show.
    provenance
        Where the result comes from, as it is saved; empty if that is not known.
    rerun
        The command that made it, as far as the provenance tells, for folders without ``command.json``.
    """

    name: str
    command: str
    claims: Callable[[Folder], bool]
    files: Mapping[str, str]
    title: Callable[[Folder], str]
    sections: Sequence[Callable[[Folder], Section | None]]
    provenance: Callable[[Folder], Mapping[str, Any]]
    rerun: Callable[[Folder], Sequence[str]]


def scenario_command(command: str, provenance: Mapping[str, Any]) -> list[str]:
    """Return a command on the scenario that a provenance names; empty if it names none."""
    scenario = (provenance.get("files") or {}).get("scenario")
    return ["eesim", command, str(scenario)] if scenario else []
