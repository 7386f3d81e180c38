"""What scenarios that are resolved one after the other have in common: files are read, and parts checked, once.

Only what is good is kept. What is wrong is checked again with the document at hand, so that its problems say where
*that* one was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.hardware.spec import Board
from eesim.spec import Spec, validate_document
from eesim.workload.arrivals import ArrivalTrace
from eesim.workload.confidences import ExitConfidences
from eesim.workload.exits import ExitTrace
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.similarity import SceneTrace
from eesim.workload.stream import NOTHING, StreamSpec, Traces
from eesim.yamldoc import load_document

S = TypeVar("S", bound=Spec)

MAX_KEPT = 4096
"""Parts kept of each kind; beyond, the first to come is the first to go."""


class Part(NamedTuple):
    """A board, a network or a profile with a scenario's changes, and what tells it from others."""

    key: tuple[str, str]
    document: Document


class Shared:
    """Files and checked parts by what was written.

    Attributes
    ----------
    documents
        Each file that was read. Filled beforehand, they take the place of the files.
    traces_read
        Content of the streams' files, likewise; the first line of a key names the files.
    """

    def __init__(self) -> None:
        self.documents: dict[Path, Document] = {}
        self.traces_read: dict[str, Traces] = {}
        self._files: dict[tuple[str, str, Path], Path] = {}
        self._parts: dict[tuple[str, str], Part] = {}
        self._checked: dict[tuple[str, tuple[str, str]], Any] = {}
        self._profiles: dict[tuple[tuple[str, str], int, int], tuple[Profile, Board, Network]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What another process can use: files, not what is known by the identity of objects of this one."""
        kept = "documents", "traces_read", "_files"
        return {**vars(Shared()), **{name: vars(self)[name] for name in kept}}

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
            keep(self._checked, key, found, MAX_KEPT)
            keep(self._parts, part.key, part, MAX_KEPT)
        return found

    def profile(self, part: Part, board: Board, network: Network) -> Profile:
        """Return a profile that fits board and network.

        Raises
        ------
        InputError
            If it does not.
        """
        key = part.key, id(board), id(network)
        known = self._profiles.get(key)
        if known is not None:
            return known[0]
        profile = self.checked(Profile, part)
        found = profile.findings(board, network.name, network.segment_names)
        if found:
            raise InputError(part.document.problem(*finding) for finding in found)
        # Board and network are kept with it: their ids stay theirs.
        keep(self._profiles, key, (profile, board, network), MAX_KEPT)
        return profile

    def traces(self, spec: StreamSpec, folder: Path, exits: Sequence[str], *, need_confident: bool) -> Traces:
        """Content of a stream's files; see `eesim.workload.traces.read_traces`."""
        if not has_files(spec):
            return Traces(NOTHING, NOTHING, NOTHING)
        files = [model for model in _models(spec) if isinstance(model, FROM_FILES)]
        names = ", ".join(str(folder / model.path) for model in files)
        key = f"{names}\n{files!r} {list(exits)!r} {need_confident}"
        if key not in self.traces_read:
            # Imported here: reading tables needs pandas, and most scenarios have no files to read.
            from eesim.workload.traces import read_traces

            self.traces_read[key] = read_traces(spec, folder, exits, need_confident=need_confident)
        return self.traces_read[key]


FROM_FILES = (ArrivalTrace, ExitTrace, ExitConfidences, SceneTrace)


def _models(spec: StreamSpec) -> tuple[object, ...]:
    """Models of a stream that may be read from files."""
    return spec.arrivals, spec.exits, spec.scenes


def has_files(spec: StreamSpec) -> bool:
    """Whether a stream refers to files."""
    return any(isinstance(model, FROM_FILES) for model in _models(spec))


def keep(kept: dict[Any, Any], key: Any, value: Any, limit: int) -> None:
    """Keep a value; where there are too many, the first to come goes."""
    if len(kept) >= limit:
        kept.pop(next(iter(kept)))
    kept[key] = value
