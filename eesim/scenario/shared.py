"""What scenarios that are resolved one after the other have in common: files are read, and parts checked, once.

Only what is good is kept. What is wrong is checked again with the document at hand, so that its problems say where
*that* one was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from eesim.base import IntArray
from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.hardware.spec import Board
from eesim.spec import Spec, validate_document
from eesim.workload.arrivals import ArrivalTrace
from eesim.workload.exits import ExitTrace
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.stream import StreamSpec, Traces
from eesim.yamldoc import load_document

S = TypeVar("S", bound=Spec)

NOTHING: IntArray = np.zeros(0, np.int64)

MAX_KEPT = 4096
"""Parts kept of each kind; beyond, the first to come is the first to go."""


class Part(NamedTuple):
    """A board or a network with a scenario's changes, and what tells it from others."""

    key: tuple[str, str]
    document: Document


class Shared:
    """Files and checked parts by what was written.

    Attributes
    ----------
    documents
        Each file that was read. Filled beforehand, they take the place of the files.
    traces_read
        Content of the streams' files, likewise.
    """

    def __init__(self) -> None:
        self.documents: dict[Path, Document] = {}
        self.traces_read: dict[str, Traces] = {}
        self._files: dict[tuple[str, str, Path], Path] = {}
        self._parts: dict[tuple[str, str], Part] = {}
        self._checked: dict[tuple[str, tuple[str, str]], Any] = {}
        self._profiles: dict[tuple[int, int, int], tuple[Profile, Document, Board, Network]] = {}

    def file(self, find: Callable[[str, Path, Problem], Path], name: str, beside: Path, where: Problem) -> Path:
        """Path of a board or network by its name; see `eesim.scenario.library`."""
        key = find.__name__, name, beside
        if key not in self._files:
            self._files[key] = find(name, beside, where)
        return self._files[key]

    def is_missing(self, file: Path) -> bool:
        """Whether there is no such file."""
        return file not in self.documents and not file.is_file()

    def document(self, file: Path) -> Document:
        """Content of a file."""
        if file not in self.documents:
            self.documents[file] = load_document(file)
        return self.documents[file]

    def part(self, file: Path, changes: Document | None) -> Part:
        """Content of a file with changes laid over it."""
        base = self.document(file)
        if changes is None:
            return Part((str(file), ""), base)
        key = str(file), repr(changes.data)
        known = self._parts.get(key)
        return known if known is not None else Part(key, base.merged(changes))

    def checked(self, model: type[S], part: Part) -> S:
        """Return a part as a model; parts with the same content are the same object.

        Raises
        ------
        InputError
            If it does not fit.
        """
        key = model.__name__, part.key
        found: S | None = self._checked.get(key)
        if found is None:
            found = validate_document(model, part.document)
            _keep(self._checked, key, found)
            _keep(self._parts, part.key, part)
        return found

    def profile(self, document: Document, board: Board, network: Network) -> Profile:
        """Return a profile that fits board and network.

        Raises
        ------
        InputError
            If it does not.
        """
        key = id(document), id(board), id(network)
        known = self._profiles.get(key)
        if known is not None:
            return known[0]
        profile = validate_document(Profile, document)
        found = profile.findings(board, network.name, network.segment_names)
        if found:
            raise InputError(document.problem(*finding) for finding in found)
        # The objects are kept with it: their ids stay theirs.
        _keep(self._profiles, key, (profile, document, board, network))
        return profile

    def traces(self, spec: StreamSpec, folder: Path, exits: Sequence[str], *, need_confident: bool) -> Traces:
        """Content of a stream's files; see `eesim.workload.traces.read_traces`."""
        paths = [
            str(model.path) if isinstance(model, (ArrivalTrace, ExitTrace)) else ""
            for model in (spec.arrivals, spec.exits)
        ]
        if not any(paths):
            return Traces(NOTHING, NOTHING, NOTHING)
        key = repr((str(folder), paths, list(exits) if paths[1] else [], need_confident))
        if key not in self.traces_read:
            # Imported here: reading tables needs pandas, and most scenarios have no files to read.
            from eesim.workload.traces import read_traces

            self.traces_read[key] = read_traces(spec, folder, exits, need_confident=need_confident)
        return self.traces_read[key]


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    if len(kept) >= MAX_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = value
