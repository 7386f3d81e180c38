"""Several streams on one platform: from ``streams:`` to a scenario of each stream alone, and back to one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eesim.document import Document, Tree
from eesim.errors import Problem
from eesim.units import format_frequency
from eesim.wording import DataPath
from eesim.workload.arrivals import ClosedLoop
from eesim.workload.exits import is_judged

if TYPE_CHECKING:
    from eesim.scenario.load import Scenario
    from eesim.scenario.requirements import Requirements

SHARED_SWITCHES = ("dispatch", "stage_queue", "batching")
"""Switches of the PEs, which serve all streams alike."""

PLATFORM = ("throughput", "period", "energy", "power")
"""Requirements that are of the platform, not of one of its streams."""

_STREAM = ("arrivals", "exits", "noise", "scenes")
_KEY_BY_KEY = ("mapping", "policy", "requirements")
_WHOLE = ("network", "profile")
"""Keys of a stream: those of the section `stream`, those laid over the scenario's key by key, those that replace it."""


Expand = Callable[[DataPath, Any], "dict[str, Any] | None"]


def stream_documents(document: Document, expand: Expand) -> list[Document]:
    """Return the document of each stream alone: its own keys laid over the scenario's.

    What a stream writes takes the place of what the scenario says; of `mapping` and `policy`, key by key. Positions are
    kept, so that problems point at the line where a value was written. Requirements are not handed down, except for the
    deadline: the scenario's are those of all streams together.

    Parameters
    ----------
    document
        The scenario; ``streams`` must be a list of mappings.
    expand
        Says which text is short for a mapping (``policy: NAME``).
    """
    shared = {key: document.sub((key,)).tree for key in document.data if key not in ("streams", "requirements")}
    if document.get(("requirements", "deadline")) is not None:
        section = document.sub(("requirements",))
        shared["requirements"] = only(section, "deadline").tree
    found = []
    for i in range(len(document.get(("streams",)))):
        entry = document.sub(("streams", i))
        own = {key: entry.sub((key,)).tree for key in entry.data if entry.data[key] is not None}
        parts = {key: tree for key, tree in own.items() if key in (*_WHOLE, *_KEY_BY_KEY)}
        for key in _KEY_BY_KEY:
            if key in parts and key in shared:
                parts[key] = _laid_over(_mapping(key, shared[key], expand), _mapping(key, parts[key], expand))
        stream = {key: tree for key, tree in own.items() if key in _STREAM}
        if stream:
            tree = Tree(dict(stream), entry.origin(()))
            parts["stream"] = _laid_over(shared["stream"], tree) if "stream" in shared else tree
        found.append(Document(Tree({**shared, **parts}, entry.origin(()))))
    return found


def place_of(scenario: Mapping[str, Any], number: int, path: DataPath) -> DataPath:
    """Return where a scenario of several streams says what stands at a path of one of them alone.

    What a stream writes itself is set there (``streams.1.mapping.segments``); what it inherits, where all streams
    inherit it from (``mapping.opp.B``). It is the way back from `stream_documents`.

    Parameters
    ----------
    scenario
        The whole scenario's document, as plain data.
    number
        Which of its streams.
    path
        Path in that stream's own document.
    """
    entry, here = scenario["streams"][number], ("streams", number)
    head, rest = path[0], path[1:]
    if head == "stream":
        return (*here, *rest) if rest and entry.get(str(rest[0])) is not None else path
    if head in _WHOLE:
        # A profile that nobody names is the board's own one of the network.
        named = ("profile", "network") if head == "profile" and scenario.get("profile") is None else (head,)
        return (*here, *path) if any(entry.get(key) is not None for key in named) else path
    if head not in _KEY_BY_KEY:
        return path
    own = entry.get(str(head))
    given = own if isinstance(own, Mapping) else {"preset"} if own is not None else {}
    inherits = head != "requirements" or (
        rest[:1] == ("deadline",) and (scenario.get("requirements") or {}).get("deadline") is not None
    )
    return path if inherits and rest and rest[0] not in given else (*here, *path)


def only(document: Document, key: str) -> Document:
    """Return a document with nothing but one of its keys."""
    return Document(Tree({key: document.sub((key,)).tree}, document.origin(())))


def _mapping(key: str, tree: Tree, expand: Expand) -> Tree:
    """Write out what is short for a mapping."""
    document = Document(Tree({key: tree}, tree.origin))
    longer = expand((key,), tree.plain())
    return tree if longer is None else document.with_value((key,), longer, *tree.origin[:2]).sub((key,)).tree


def _laid_over(below: Tree, above: Tree) -> Tree:
    """Lay the keys of one mapping over those of another, each as a whole."""
    if not isinstance(below.content, dict) or not isinstance(above.content, dict):
        return above
    return Tree({**below.content, **above.content}, above.origin)


def stream_names(document: Document) -> tuple[str, ...]:
    """Name of each stream: its own, or ``stream1`` and so on."""
    return tuple(entry.get("name") or f"stream{i + 1}" for i, entry in enumerate(document.get(("streams",))))


def problems_between(document: Document, names: Sequence[str], members: Sequence[Scenario | None]) -> Iterable[Problem]:
    """Find what no stream can know of the others."""
    for i, name in enumerate(names):
        if name in names[:i]:
            yield document.problem(("streams", i, "name"), f"there are two streams {name!r}: name them apart")
    known = [member for member in members if member is not None]
    for member in known:
        yield from _held_back(member)
        for switch in SHARED_SWITCHES:
            if getattr(member.policy, switch) != getattr(known[0].policy, switch):
                message = "is a switch of the PEs, which serve all streams alike: set it in the scenario's policy"
                yield member.document.problem(("policy", switch), message)
        yield from _unknown_times(member, known)
        for name in PLATFORM:
            if getattr(member.spec.requirements, name) is not None:
                message = "is of the platform, not of one stream: state it under the scenario's requirements"
                yield member.document.problem(("requirements", name), message)


def _held_back(member: Scenario) -> Iterable[Problem]:
    """A source that waits for the system cannot be drawn beforehand beside others."""
    why = "a source that waits for the system cannot be simulated beside other streams"
    if isinstance(member.spec.stream.arrivals, ClosedLoop):
        message = f"{why}: give the rate at which frames arrive, and a queue that drops what is too much"
        yield member.document.problem(("stream", "arrivals", "kind"), message, "periodic")
    elif member.policy.queue.full == "block" and member.policy.queue.capacity != "unbounded":
        yield member.document.problem(("policy", "queue", "full"), why, "drop_newest")


def _unknown_times(member: Scenario, others: Sequence[Scenario]) -> Iterable[Problem]:
    """A PE may be found at a clock that another stream has set: how long would a segment take there?"""
    board, mapping = member.board, member.mapping
    names = member.network.segment_names
    for i, (segment, pe) in enumerate(zip(names, mapping.pes, strict=True)):
        clocks = {c for o in others for p, c in zip(o.mapping.pes, o.mapping.segment_opp_hz, strict=True) if p == pe}
        clocks |= {others[0].mapping.pe_opp_hz[pe]}
        unknown = [c for c in sorted(clocks) if member.profile.time_ns(board, segment, pe, c) is None]
        if unknown and mapping.segment_opp_hz[i] not in unknown:
            at = ", ".join(format_frequency(clock) for clock in unknown)
            message = f"segment {segment} has no time on {pe} at {at}, where other streams leave it"
            yield member.document.problem(("mapping", "opp"), message)


def problems_of_all(
    document: Document, requirements: Requirements, members: Sequence[Scenario], frames: int | None
) -> Iterable[Problem]:
    """Find what is wrong with the requirements of all streams together, and with the number of frames."""
    if requirements.accuracy is not None and not all(is_judged(m.spec.stream.exits) for m in members):
        message = "cannot be judged: not every stream's exits.accuracy is given"
        yield document.problem(("requirements", "accuracy"), message)
    if requirements.deadline_miss_rate is not None and all(m.spec.requirements.deadline is None for m in members):
        yield document.problem(("requirements", "deadline_miss_rate"), "needs a deadline")
    lengths = [member.trace_frames for member in members]
    if frames is not None and all(lengths) and frames > sum(lengths):
        message = f"{frames} frames are asked for, but the traces of all streams have {sum(lengths)} rows"
        yield document.problem(("run", "frames"), message, str(sum(lengths)))


def notes_together(names: Sequence[str], members: Sequence[Scenario]) -> tuple[str, ...]:
    """Notes of all streams: those of every stream once, the others with the stream's name."""
    shared = [note for note in members[0].notes if all(note in member.notes for member in members)]
    own = [
        f"{name}: {note}"
        for name, member in zip(names, members, strict=True)
        for note in member.notes
        if note not in shared
    ]
    return (*shared, *own)
