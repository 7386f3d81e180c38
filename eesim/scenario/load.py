"""From a scenario file to a `Scenario`: names found, overrides applied, everything checked, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
from eesim.scenario.policy_checks import (
    batching_problems,
    budget_problems,
    reuse_problems,
    runtime_problems,
    stage_problems,
)
from eesim.scenario.requirements import Requirements
from eesim.scenario.shared import Part, Shared, has_files
from eesim.scenario.spec import ProfileChange, ScenarioSpec, StreamEntries
from eesim.scenario.streams import (
    notes_together,
    only,
    problems_between,
    problems_of_all,
    stream_documents,
    stream_names,
)
from eesim.spec import Spec, validate_document
from eesim.wording import DataPath
from eesim.workload.confidences import Decisions, ExitConfidences, decide
from eesim.workload.multiplex import Multiplexed, multiplexed
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.stream import NOTHING, DrawnBefore, Frames, Stream, Traces
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
    folder
        What relative paths in the document are relative to.
    members
        Where several streams share the platform, a scenario of each alone; network, profile, mapping, policy and traces
        above are then the first one's.
    names
        Name of each of them.
    number
        Which of the streams this scenario is of.
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
    folder: Path = Path()
    members: tuple[Scenario, ...] = ()
    names: tuple[str, ...] = ()
    number: int = 0

    @property
    def streams(self) -> tuple[Scenario, ...]:
        """A scenario of each stream: itself, if there are not several."""
        return self.members or (self,)

    @property
    def stream(self) -> Stream:
        """The stream, ready to be drawn; the first one, if there are several."""
        return Stream(self.spec.stream, self.traces, self.network.segment_names, self.number, self.decisions)

    @cached_property
    def decisions(self) -> Decisions:
        """What the mapping's thresholds make of the samples, where the stream has any."""
        if not isinstance(self.spec.stream.exits, ExitConfidences):
            return Decisions()
        return decide(self.traces.samples, self.mapping.thresholds, self.mapping.enabled_exits)

    @property
    def trace_frames(self) -> int:
        """Frames after which the stream ends with its (shorter) trace; 0 if it has none."""
        return min(
            (len(trace) for trace in (self.traces.arrival_ns, self.traces.exit, self.traces.scene) if len(trace)),
            default=0,
        )

    @cached_property
    def n_frames(self) -> int:
        """Frames of one replication, of all streams together."""
        if self.spec.run.frames is not None:
            return self.spec.run.frames
        lengths = [member.trace_frames for member in self.streams]
        if not self.members:
            # A table of confidences starts again at its end: one pass is what a stream alone takes of it.
            lengths = [min((n for n in (*lengths, len(self.traces.samples.correct)) if n), default=0)]
        return sum(lengths) if all(lengths) else DEFAULT_FRAMES

    def blocks(
        self, n_frames: int, *, seed: int, replication: int, drawn: DrawnBefore | None = None
    ) -> Iterator[Frames | Multiplexed]:
        """Draw the first ``n_frames`` frames of one replication, of all streams together, in blocks.

        Parts of a stream that were ``drawn`` before are taken from there.
        """
        if not self.members:
            return self.stream.blocks(n_frames, seed=seed, replication=replication, drawn=drawn)
        limits = [member.trace_frames or n_frames for member in self.members]
        streams = [member.stream for member in self.members]
        return multiplexed(streams, limits, n_frames, seed=seed, replication=replication, drawn=drawn)


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


_SHORT_FOR: dict[DataPath, str] = {
    ("board",): "extends",
    ("network",): "extends",
    ("profile",): "extends",
    ("policy",): "preset",
}


def expand_short(path: DataPath, value: Any) -> dict[str, Any] | None:
    """``board: NAME`` is short for ``{extends: NAME}`` (so are network and profile), ``policy: NAME`` for a preset."""
    if len(path) == 3 and path[0] == "streams":
        path = path[2:]
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


def apply_changes(document: Document, changes: Iterable[Override]) -> Document:
    """Return a scenario's document with overrides applied; `InputError` if a path leads nowhere."""
    return apply_overrides(document, changes, expand_short)


def changed(scenario: Scenario, changes: Iterable[Override], shared: Shared | None = None) -> Scenario:
    """Return a scenario with more overrides applied; `InputError` says everything that they make wrong."""
    return resolve(apply_changes(scenario.document, changes), scenario.folder, shared)


def resolve(
    document: Document, beside: Path, shared: Shared | None = None, spec: ScenarioSpec | None = None
) -> Scenario:
    """Check a scenario document and everything that it refers to.

    Parameters
    ----------
    document
        The scenario.
    beside
        What its relative paths are relative to.
    shared
        What scenarios that were resolved before have in common with this one.
    spec
        What the document says, if it has been validated already; not for several streams.

    Raises
    ------
    InputError
        If anything is wrong, with everything that is.
    """
    if isinstance(document.data, dict) and document.get(("streams",)):
        return _resolve_streams(document, beside, shared or Shared())
    return _resolve_one(document, beside, shared or Shared(), spec=spec)


def _resolve_streams(document: Document, beside: Path, shared: Shared) -> Scenario:
    """Check a scenario of several streams: each as if it were alone, then all together."""
    collect = Collector()
    written = document.get(("streams",))
    section = collect.attempt(lambda: validate_document(StreamEntries, only(document, "streams")))
    if not isinstance(written, list) or not all(isinstance(entry, dict) for entry in written):
        collect.raise_any()
    found = []
    for i, part in enumerate(stream_documents(document, expand_short)):
        one = partial(_resolve_one, part, beside, shared, number=i, alone=False)
        found.append(collect.attempt(one))
    requirements: Requirements | None = Requirements()
    if document.get(("requirements",)) is not None:
        requirements = collect.attempt(lambda: validate_document(Requirements, document.sub(("requirements",))))
    names = stream_names(document)
    collect.problems += problems_between(document, names, found)
    members = tuple(member for member in found if member is not None)
    if requirements is not None and len(members) == len(found):
        frames = members[0].spec.run.frames
        collect.problems += problems_of_all(document, requirements, members, frames)
    collect.raise_any()
    if section is None or requirements is None:
        raise AssertionError("a part is missing, but nothing is wrong")
    first = members[0]
    own = ("network", "profile")
    return replace(
        first,
        spec=first.spec.model_copy(update={"streams": section.streams, "requirements": requirements}),
        documents={
            "scenario": document.data,
            "board": first.documents["board"],
            **{f"{key}.{name}": m.documents[key] for name, m in zip(names, members, strict=True) for key in own},
        },
        files={
            "scenario": document.source,
            "board": first.files["board"],
            **{f"{key}.{name}": m.files[key] for name, m in zip(names, members, strict=True) for key in own},
        },
        notes=notes_together(names, members),
        document=document,
        members=members,
        names=names,
    )


def _resolve_one(
    document: Document,
    beside: Path,
    shared: Shared,
    *,
    number: int = 0,
    alone: bool = True,
    spec: ScenarioSpec | None = None,
) -> Scenario:
    """Check a scenario of one stream; ``run.frames`` are its own only if it is ``alone``."""
    collect = Collector()
    spec = spec or collect.attempt(lambda: validate_document(ScenarioSpec, document))
    board_file, board_part = _referenced(document, "board", find_board, beside, collect, shared)
    network_file, network_part = _referenced(document, "network", find_network, beside, collect, shared)
    board = collect.attempt(lambda: shared.checked(Board, board_part)) if board_part else None
    network = collect.attempt(lambda: shared.checked(Network, network_part)) if network_part else None
    policy = _policy(document, spec, collect)
    # A board that is wrong only in what the scenario changes still tells which PEs there are.
    stand_in = board or (_quietly(Board, shared.document(board_file)) if board_file and board_part else None)
    mapping = _mapping(document, spec, stand_in, network, collect)
    if spec is None or board is None or network is None or board_file is None or network_file is None:
        collect.raise_any()
        raise AssertionError("a part is missing, but nothing is wrong")
    name = spec.profile.extends if isinstance(spec.profile, ProfileChange) else spec.profile
    profile_file = beside / name if name else board_file.parent / "profiles" / f"{network.name}.yaml"
    profile_part = collect.attempt(lambda: _profile_part(document, profile_file, board, network, shared))
    profile = collect.attempt(lambda: shared.profile(profile_part, board, network)) if profile_part else None
    collect.problems += stream_problems(document, spec, network, policy)
    if mapping is not None:
        if policy is not None:
            collect.problems += stage_problems(document, spec, board, network, mapping, policy)
            collect.problems += batching_problems(document, board, policy)
            collect.problems += budget_problems(document, network, policy)
            collect.problems += reuse_problems(document, spec, board, network, mapping, policy)
            if profile is not None:
                collect.problems += runtime_problems(document, board, network, profile, policy)
        if profile is not None:
            collect.problems += unprofiled(document, spec.mapping, board, network, profile, mapping)
        if spec.physics.transfers:
            collect.problems += unroutable(document, board, network, mapping)
    traces = collect.attempt(lambda: _traces(spec, beside, network, policy, shared))
    if traces is not None and alone:
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
            "scenario": document.data,
            **{
                key: part.document.data if part else {}
                for key, part in (("board", board_part), ("network", network_part), ("profile", profile_part))
            },
        },
        files={
            "scenario": document.source,
            "board": shown(board_file),
            "network": shown(network_file),
            "profile": shown(profile_file),
        },
        notes=notes_of(spec, board, profile, mapping, network, policy, traces),
        document=document,
        folder=beside,
        number=number,
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
    return file, collect.attempt(lambda: shared.part(file, _changes(document, key)))


def _changes(document: Document, key: str) -> Document | None:
    """What a scenario changes about a board, network or profile."""
    return document.sub((key,)).without("extends") if isinstance(document.get((key,)), dict) else None


def _profile_part(document: Document, file: Path, board: Board, network: Network, shared: Shared) -> Part:
    if shared.is_missing(file):
        message = f"board {board.name} has no profile of network {network.name} ({file})"
        raise InputError([document.problem(("network",), message)])
    return shared.part(file, _changes(document, "profile"))


STREAM_SECTIONS = frozenset({"stream", "run", "requirements", "title"})
"""Sections of a scenario on which nothing else depends than what `with_stream` does again."""


def with_stream(like: Scenario, document: Document, spec: ScenarioSpec) -> Scenario | None:
    """Return a scenario that differs from another in `STREAM_SECTIONS` only, for less than `resolve` takes.

    Parameters
    ----------
    like
        The other one; of one stream.
    document, spec
        What the new one says.

    Returns
    -------
    Scenario or None
        None where `resolve` has to look: at traces, or at what is wrong.
    """
    if like.members or has_files(spec.stream) or stream_problems(document, spec, like.network, like.policy):
        return None
    traces = Traces(NOTHING, NOTHING, NOTHING)
    return replace(
        like,
        spec=spec,
        document=document,
        documents={**like.documents, "scenario": document.data},
        traces=traces,
        notes=notes_of(spec, like.board, like.profile, like.mapping, like.network, like.policy, traces),
    )


def _traces(spec: ScenarioSpec, beside: Path, network: Network, policy: Policy | None, shared: Shared) -> Traces:
    confident = policy is not None and policy.exit_order == "first_confident"
    return shared.traces(spec.stream, beside, network.exit_names, need_confident=confident)
