"""From a scenario file to a `Scenario`: names found, overrides applied, everything checked, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.findings import SpecError
from eesim.hardware.spec import Board
from eesim.mapping.mapping import Mapping as SegmentMapping
from eesim.mapping.mapping import resolve_mapping
from eesim.mapping.policy import Policy, resolve_policy
from eesim.overrides import apply_overrides, parse_overrides
from eesim.scenario.library import find_board, find_network
from eesim.scenario.spec import ScenarioSpec
from eesim.spec import validate_document
from eesim.wording import DataPath, dotted
from eesim.workload.arrivals import ArrivalTrace
from eesim.workload.exits import ExitCounts, ExitShares, ExitTrace, FixedExit
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.stream import Stream, Traces
from eesim.yamldoc import load_document

T = TypeVar("T")

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


def at(document: Document, path: DataPath, message: str, hint: str = "") -> Problem:
    """Return a problem with the value at ``path`` of a document."""
    source, line = document.where(path)
    return Problem(source, line, dotted(path), message, hint)


def located(document: Document, prefix: DataPath, check: Callable[[], T]) -> T:
    """Run a check whose findings are relative to ``prefix``, and say where in the document they are."""
    try:
        return check()
    except SpecError as error:
        raise InputError(
            at(document, (*prefix, *found.path), found.message, found.hint) for found in error.findings
        ) from None


_SHORT_FOR = {("board",): "extends", ("network",): "extends", ("policy",): "preset"}


def _expand(path: DataPath, value: Any) -> dict[str, Any] | None:
    """``board: NAME`` is short for ``{extends: NAME}``, ``policy: NAME`` for ``{preset: NAME}``."""
    key = _SHORT_FOR.get(tuple(path))
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
        for key, value in overrides.items():
            steps = tuple(int(step) if step.isdigit() else step for step in key.split("."))
            document = _set(document, steps, value)
    else:
        document = apply_overrides(document, parse_overrides(overrides), _expand)
    return resolve(document, beside)


def _set(document: Document, path: DataPath, value: Any) -> Document:
    from eesim.overrides import Override

    return apply_overrides(document, [Override(path, value)], _expand)


def resolve(document: Document, beside: Path) -> Scenario:
    """Check a scenario document and everything that it refers to.

    Raises
    ------
    InputError
        If anything is wrong, with everything that is.
    """
    collect = Collector()
    spec = collect.attempt(lambda: validate_document(ScenarioSpec, document))
    board_file, board_doc = _referenced(document, "board", find_board, beside, collect)
    network_file, network_doc = _referenced(document, "network", find_network, beside, collect)
    board = collect.attempt(lambda: validate_document(Board, board_doc)) if board_doc else None
    network = collect.attempt(lambda: validate_document(Network, network_doc)) if network_doc else None
    if spec is None or board is None or network is None or board_file is None or network_file is None:
        collect.raise_any()
        raise AssertionError("a missing part without a problem")
    profile_file = beside / spec.profile if spec.profile else board_file.parent / "profiles" / f"{network.name}.yaml"
    profile_doc = collect.attempt(lambda: _profile_document(document, profile_file, board, network))
    profile = collect.attempt(lambda: _profile(profile_doc, board, network)) if profile_doc else None
    mapping = collect.attempt(
        lambda: located(document, ("mapping",), lambda: resolve_mapping(spec.mapping, board, network))
    )
    policy = collect.attempt(lambda: located(document, ("policy",), lambda: resolve_policy(spec.policy)))
    collect.problems += _stream_problems(document, spec, network, policy)
    if profile is not None and mapping is not None:
        collect.problems += _unprofiled(document, spec, board, network, profile, mapping)
    if mapping is not None:
        collect.problems += _unroutable(document, spec, board, network, mapping)
    traces = collect.attempt(lambda: _traces(spec, beside, network, policy))
    if traces is not None:
        collect.problems += _short_traces(document, spec, traces)
    collect.raise_any()
    assert profile is not None
    assert mapping is not None
    assert policy is not None
    assert traces is not None
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
            "board": board_doc.data if board_doc else {},
            "network": network_doc.data if network_doc else {},
            "profile": profile_doc.data if profile_doc else {},
        },
        files={
            "scenario": document.source,
            "board": str(board_file),
            "network": str(network_file),
            "profile": str(profile_file),
        },
        notes=_notes(spec, profile, mapping, network),
    )


def _referenced(
    document: Document,
    key: str,
    find: Callable[[str, Path, Problem], Path],
    beside: Path,
    collect: Collector,
) -> tuple[Path | None, Document | None]:
    """Return file and document of a board or network that is named, or named with changes."""
    written = document.get((key,))
    name = written.get("extends") if isinstance(written, dict) else written
    if not isinstance(name, str):
        return None, None
    path = (key, "extends") if isinstance(written, dict) else (key,)
    file = collect.attempt(lambda: find(name, beside, at(document, path, "")))
    if file is None:
        return None, None
    base = collect.attempt(lambda: load_document(file))
    if base is None:
        return file, None
    if isinstance(written, dict):
        base = base.merged(document.sub((key,)).without("extends"))
    return file, base


def _profile_document(document: Document, file: Path, board: Board, network: Network) -> Document:
    if not file.is_file():
        source, line = document.where(("network",))
        message = f"board {board.name} has no profile of network {network.name} ({file})"
        raise InputError([Problem(source, line, "network", message)])
    return load_document(file)


def _profile(document: Document, board: Board, network: Network) -> Profile:
    profile = validate_document(Profile, document)
    found = profile.findings(board, network.segment_names)
    if found:
        raise InputError(at(document, *finding) for finding in found)
    return profile


def _traces(spec: ScenarioSpec, beside: Path, network: Network, policy: Policy | None) -> Traces:
    # Imported here: reading tables needs pandas, and most scenarios have no files to read.
    from eesim.workload.traces import read_traces

    confident = policy is not None and policy.exit_order == "first_confident"
    return read_traces(spec.stream, beside, network.exit_names, need_confident=confident)


def _stream_problems(
    document: Document, spec: ScenarioSpec, network: Network, policy: Policy | None
) -> list[Problem]:
    """What the stream says against the network's exits and the policy."""
    found: list[Problem] = []
    names, exits, here = network.exit_names, spec.stream.exits, ("stream", "exits")
    listed = f"network {network.name} has {len(names)} exits ({', '.join(names)})"
    if isinstance(exits, ExitCounts) and len(exits.counts) != len(names):
        found.append(at(document, (*here, "counts"), f"has {len(exits.counts)} entries, but {listed}"))
    if isinstance(exits, ExitShares) and len(exits.shares) != len(names):
        found.append(at(document, (*here, "shares"), f"has {len(exits.shares)} entries, but {listed}"))
    if isinstance(exits, FixedExit) and exits.exit > len(names):
        found.append(at(document, (*here, "exit"), f"there is no exit {exits.exit}: {listed}"))
    if exits.accuracy is not None and len(exits.accuracy) != len(names):
        found.append(at(document, (*here, "accuracy"), f"has {len(exits.accuracy)} entries, but {listed}"))
    if exits.accuracy is None and spec.requirements.accuracy is not None:
        message = "cannot be judged: stream.exits.accuracy is not given"
        found.append(at(document, ("requirements", "accuracy"), message))
    if policy is not None and policy.exit_order == "first_confident" and not isinstance(exits, ExitTrace):
        message = "first_confident needs the set of confident exits of every frame: a trace with columns confident_k"
        found.append(at(document, (*here, "kind"), message))
    rules = spec.requirements
    if rules.deadline_miss_rate is not None and rules.deadline is None:
        found.append(at(document, ("requirements", "deadline_miss_rate"), "needs a deadline"))
    return found


def _unprofiled(
    document: Document, spec: ScenarioSpec, board: Board, network: Network, profile: Profile, mapping: SegmentMapping
) -> list[Problem]:
    """Segments that nobody measured on the PE (or at the clock) they are mapped to."""
    found = []
    for i, (name, pe, clock) in enumerate(
        zip(network.segment_names, mapping.pes, mapping.segment_opp_hz, strict=True)
    ):
        path: DataPath = ("mapping", "segments")
        if isinstance(spec.mapping.segments, dict):
            path = (*path, name)
        elif not isinstance(spec.mapping.segments, str):
            path = (*path, i)
        if pe not in profile.times.get(name, {}):
            profiled = " ".join(profile.times.get(name, {})) or "no PE"
            found.append(at(document, path, f"segment {name} has no time on {pe} (profiled on {profiled})"))
        elif profile.time_ns(board, name, pe, clock) is None:
            found.append(at(document, path, f"{pe} has no frequency law to scale segment {name} to another clock"))
    return found


def _unroutable(
    document: Document, spec: ScenarioSpec, board: Board, network: Network, mapping: SegmentMapping
) -> list[Problem]:
    """Tensors that cross between PEs without a route."""
    if not spec.physics.transfers:
        return []
    found = set()
    for i, source in enumerate(network.sources):
        if source >= 0 and mapping.pes[source] != mapping.pes[i]:
            pair = mapping.pes[source], mapping.pes[i]
            if board.transfers.route(*pair) is None:
                message = f"board {board.name} states no transfer {pair[0]}->{pair[1]}"
                found.add(at(document, ("mapping", "segments"), message))
    return sorted(found)


def _short_traces(document: Document, spec: ScenarioSpec, traces: Traces) -> list[Problem]:
    found: list[Problem] = []
    if spec.run.frames is None:
        return found
    for key, model, trace in (
        ("arrivals", spec.stream.arrivals, traces.arrival_ns),
        ("exits", spec.stream.exits, traces.exit),
    ):
        if isinstance(model, ArrivalTrace | ExitTrace) and 0 < len(trace) < spec.run.frames:
            message = f"{spec.run.frames} frames are asked for, but the {key} trace has {len(trace)} rows"
            found.append(at(document, ("run", "frames"), message, str(len(trace))))
    return found


def _notes(spec: ScenarioSpec, profile: Profile, mapping: SegmentMapping, network: Network) -> tuple[str, ...]:
    notes = []
    pairs = zip(network.segment_names, mapping.pes, mapping.segment_opp_hz, strict=True)
    scaled = [f"{name} on {pe}" for name, pe, clock in pairs if profile.is_estimate(pe, clock)]
    if scaled:
        notes.append(f"estimated, not measured at this clock: {', '.join(scaled)}")
    if profile.clocks.origin.kind == "assumed":
        notes.append("the profile's clocks are assumed: its source does not state them")
    if "cold_start" in spec.physics.model_fields_set:
        notes.append("physics.cold_start has no effect: the board states no cold-start term")
    static = len(set(zip(mapping.pes, mapping.segment_opp_hz, strict=True))) == len(set(mapping.pes))
    if not spec.physics.dvfs_delay and static:
        notes.append("physics.dvfs_delay has no effect: no PE changes its operating point")
    return tuple(notes)
