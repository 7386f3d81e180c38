"""From a scenario file to a `Scenario`: names found, overrides applied, everything checked, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.findings import SpecError
from eesim.hardware.spec import Board
from eesim.mapping.mapping import Mapping as SegmentMapping
from eesim.mapping.mapping import MappingSpec, resolve_mapping
from eesim.mapping.policy import PRESETS, Policy, PolicyChange, resolve_policy
from eesim.overrides import Override, apply_overrides, parse_overrides, steps_of
from eesim.scenario.checks import notes_of, short_traces, stream_problems, unprofiled, unroutable
from eesim.scenario.library import find_board, find_network, shown
from eesim.scenario.shared import NOTHING, Part, Shared
from eesim.scenario.spec import ScenarioSpec
from eesim.spec import Spec, validate_document
from eesim.wording import DataPath
from eesim.workload.arrivals import ArrivalTrace
from eesim.workload.exits import ExitTrace
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.stream import Stream, Traces
from eesim.yamldoc import load_document

T = TypeVar("T")
S = TypeVar("S", bound=Spec)

DEFAULT_FRAMES = 10_000


@dataclass(frozen=True)
class Scenario:
    """Everything that a simulation needs, checked.

    Attributes
    ----------
    spec
        The scenario as written, overrides applied.
    board, network, profile
        What it names, resolved.
    mapping, policy
        Checked against board and network; nothing left open.
    traces
        What the stream's files hold.
    documents
        Plain data of each input (``scenario``, ``board``, ``network``, ``profile``), for provenance.
    files
        Where each came from.
    notes
        What the user should know (inputs without effect, estimates).
    document
        The scenario's document, with positions.
    """

    spec: ScenarioSpec
    board: Board
    network: Network
    profile: Profile
    mapping: SegmentMapping
    policy: Policy
    traces: Traces
    documents: Mapping[str, Any]
    files: Mapping[str, str]
    notes: tuple[str, ...]
    document: Document

    @property
    def stream(self) -> Stream:
        """The stream, ready to be drawn."""
        return Stream(self.spec.stream, self.traces, len(self.network.segments))

    @cached_property
    def n_frames(self) -> int:
        """Frames of one replication."""
        if self.spec.run.frames is not None:
            return self.spec.run.frames
        lengths = [len(trace) for trace in (self.traces.arrival_ns, self.traces.exit) if len(trace)]
        return min(lengths, default=DEFAULT_FRAMES)


class Collector:
    """Runs checks one after the other and keeps the problems of all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def attempt(self, check: Callable[[], T]) -> T | None:
        """Return what a check returns, or None if it found problems."""
        try:
            return check()
        except InputError as error:
            self.problems += error.problems
        return None

    def raise_any(self) -> None:
        """Raise everything found so far, if anything was."""
        if self.problems:
            raise InputError(sorted(set(self.problems)))


def located(document: Document, prefix: DataPath, check: Callable[[], T]) -> T:
    """Run a check whose findings are relative to ``prefix``, and say where in the document they are."""
    try:
        return check()
    except SpecError as error:
        raise InputError(
            document.problem((*prefix, *found.path), found.message, found.hint) for found in error.findings
        ) from None


_SHORT_FOR: dict[DataPath, str] = {("board",): "extends", ("network",): "extends", ("policy",): "preset"}


def expand_short(path: DataPath, value: Any) -> dict[str, Any] | None:
    """``board: NAME`` is short for ``{extends: NAME}``, ``policy: NAME`` for ``{preset: NAME}``."""
    key = _SHORT_FOR.get(path)
    return {key: value} if key and isinstance(value, str) else None


def load(
    source: str | Path | Mapping[str, Any],
    overrides: Mapping[str, Any] | Iterable[str] = (),
    *,
    folder: str | Path = ".",
) -> Scenario:
    """Load a scenario.

    Parameters
    ----------
    source
        Path of a scenario file, or its content as a dictionary.
    overrides
        ``{"stream.arrivals.rate": "60 Hz"}`` or ``["stream.arrivals.rate=60 Hz"]``.
    folder
        What relative paths in a dictionary are relative to.

    Raises
    ------
    InputError
        If anything is wrong, with everything that is.
    """
    if isinstance(source, Mapping):
        document, beside = Document.of(dict(source)), Path(folder)
    else:
        document, beside = load_document(source), Path(source).parent
    if isinstance(overrides, Mapping):
        changes = [Override(steps_of(key), value) for key, value in overrides.items()]
    else:
        changes = parse_overrides(overrides)
    return resolve(apply_overrides(document, changes, expand_short), beside)


def resolve(
    document: Document, beside: Path, shared: Shared | None = None, spec: ScenarioSpec | None = None
) -> Scenario:
    """Check a scenario document and everything that it refers to.

    Parameters
    ----------
    document
        The scenario.
    beside
        Folder that names and paths are relative to.
    shared
        What scenarios that were resolved before had in common with this one.
    spec
        What the document says, if it has been validated already.

    Raises
    ------
    InputError
        If anything is wrong, with everything that is.
    """
    collect = Collector()
    shared = Shared() if shared is None else shared
    spec = spec or collect.attempt(lambda: validate_document(ScenarioSpec, document))
    board_file, board_part = _referenced(document, "board", find_board, beside, collect, shared)
    network_file, network_part = _referenced(document, "network", find_network, beside, collect, shared)
    board = collect.attempt(lambda: shared.checked(Board, board_part)) if board_part else None
    network = collect.attempt(lambda: shared.checked(Network, network_part)) if network_part else None
    policy = _policy(document, spec, collect)
    # A board that is wrong only in what the scenario changes still tells which PEs there are.
    stand_in = board or (_quietly(Board, load_document(board_file)) if board_file and board_part else None)
    mapping = _mapping(document, spec, stand_in, network, collect)
    if spec is None or board is None or network is None or board_file is None or network_file is None:
        collect.raise_any()
        raise AssertionError("a part is missing, but nothing is wrong")
    assert board_part is not None
    assert network_part is not None
    name = document.get(("profile",))
    profile_file = beside / name if name else board_file.parent / "profiles" / f"{network.name}.yaml"
    profile_doc = collect.attempt(lambda: _profile_document(document, profile_file, board, network, shared))
    profile = collect.attempt(lambda: shared.profile(profile_doc, board, network)) if profile_doc else None
    collect.problems += stream_problems(document, spec, network, policy)
    if mapping is not None:
        if profile is not None:
            collect.problems += unprofiled(document, spec.mapping, board, network, profile, mapping)
        if spec.physics.transfers:
            collect.problems += unroutable(document, board, network, mapping)
    traces = collect.attempt(lambda: _traces(spec, beside, network, policy, shared))
    if traces is not None:
        collect.problems += short_traces(document, spec, traces)
    collect.raise_any()
    if profile is None or mapping is None or policy is None or traces is None:
        raise AssertionError("a part is missing, but nothing is wrong")
    return Scenario(
        spec=spec,
        board=board,
        network=network,
        profile=profile,
        mapping=mapping,
        policy=policy,
        traces=traces,
        documents={
            key: part.data if part else {}
            for key, part in (
                ("scenario", document),
                ("board", board_part.document),
                ("network", network_part.document),
                ("profile", profile_doc),
            )
        },
        files={
            "scenario": document.source,
            "board": shown(board_file),
            "network": shown(network_file),
            "profile": shown(profile_file),
        },
        notes=notes_of(spec, profile, mapping, network, policy),
        document=document,
    )


STREAM_SECTIONS = frozenset({"stream", "run", "requirements", "title"})
"""Sections of a scenario on which nothing else depends than what `with_stream` does again."""


def with_stream(like: Scenario, document: Document, spec: ScenarioSpec) -> Scenario | None:
    """Return a scenario that differs from another in `STREAM_SECTIONS` only, for less than `resolve` takes.

    Parameters
    ----------
    like
        The other one.
    document, spec
        What the new one says.

    Returns
    -------
    Scenario or None
        None where `resolve` has to look: at traces, or at what is wrong.
    """
    has_files = isinstance(spec.stream.arrivals, ArrivalTrace) or isinstance(spec.stream.exits, ExitTrace)
    if has_files or stream_problems(document, spec, like.network, like.policy):
        return None
    return replace(
        like,
        spec=spec,
        document=document,
        documents={**like.documents, "scenario": document.data},
        traces=Traces(NOTHING, NOTHING, NOTHING),
        notes=notes_of(spec, like.profile, like.mapping, like.network, like.policy),
    )


def _quietly(model: type[S], document: Document) -> S | None:
    """Return a document as a model, or None: its problems are already reported."""
    try:
        return validate_document(model, document)
    except InputError:
        return None


def _part(document: Document, key: str, model: type[S]) -> S | None:
    """Return one section of a document that has problems elsewhere."""
    return _quietly(model, document.sub((key,))) if document.get((key,)) is not None else None


def _policy(document: Document, spec: ScenarioSpec | None, collect: Collector) -> Policy | None:
    written = document.get(("policy",), "cooperative")
    if spec is not None:
        written = spec.policy
    elif isinstance(written, dict):
        written = _part(document, "policy", PolicyChange)
    elif not isinstance(written, str) or written not in PRESETS:
        return None
    if written is None:
        return None
    return collect.attempt(lambda: located(document, ("policy",), lambda: resolve_policy(written)))


def _mapping(
    document: Document,
    spec: ScenarioSpec | None,
    board: Board | None,
    network: Network | None,
    collect: Collector,
) -> SegmentMapping | None:
    written = spec.mapping if spec is not None else _part(document, "mapping", MappingSpec)
    if written is None or board is None or network is None:
        return None
    return collect.attempt(lambda: located(document, ("mapping",), lambda: resolve_mapping(written, board, network)))


def _referenced(
    document: Document,
    key: str,
    find: Callable[[str, Path, Problem], Path],
    beside: Path,
    collect: Collector,
    shared: Shared,
) -> tuple[Path | None, Part | None]:
    """Return file and content of a board or network that is named, or named with changes."""
    written = document.get((key,))
    name = written.get("extends") if isinstance(written, dict) else written
    if not isinstance(name, str):
        return None, None
    path = (key, "extends") if isinstance(written, dict) else (key,)
    file = collect.attempt(lambda: shared.file(find, name, beside, document.problem(path, "")))
    if file is None:
        return None, None
    changes = document.sub((key,)).without("extends") if isinstance(written, dict) else None
    return file, collect.attempt(lambda: shared.part(file, changes))


def _profile_document(document: Document, file: Path, board: Board, network: Network, shared: Shared) -> Document:
    if shared.is_missing(file):
        message = f"board {board.name} has no profile of network {network.name} ({file})"
        raise InputError([document.problem(("network",), message)])
    return shared.document(file)


def _traces(spec: ScenarioSpec, beside: Path, network: Network, policy: Policy | None, shared: Shared) -> Traces:
    confident = policy is not None and policy.exit_order == "first_confident"
    return shared.traces(spec.stream, beside, network.exit_names, need_confident=confident)
