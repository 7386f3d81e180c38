"""Checks of a scenario's parts against each other: what no single file can know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eesim.document import Document
from eesim.errors import Problem, suggest
from eesim.hardware.spec import Board
from eesim.mapping.mapping import Mapping, MappingSpec
from eesim.mapping.policy import Policy, Queue
from eesim.scenario.runtimes import measured_runtime
from eesim.scenario.spec import ScenarioSpec
from eesim.scenario.stream_checks import rateless, stream_notes, timeless, unknown_segments, wrong_lengths
from eesim.wording import DataPath
from eesim.workload.arrivals import ArrivalTrace, ClosedLoop
from eesim.workload.confidences import MAX_EXITS, ExitConfidences
from eesim.workload.exits import Alternative, ExitCounts, ExitShares, ExitTrace, FixedExit, alternatives_of, is_judged
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.similarity import SceneTrace
from eesim.workload.stream import Traces

MAX_CONFIDENT_EXITS = MAX_EXITS


def stream_problems(document: Document, spec: ScenarioSpec, network: Network, policy: Policy | None) -> list[Problem]:
    """What the stream says against the network's exits and the policy."""
    found: list[Problem] = []
    names, exits, here = network.exit_names, spec.stream.exits, ("stream", "exits")
    found += wrong_lengths(document, exits, network) + timeless(document, spec.stream)
    found += unknown_segments(document, spec.stream, network)
    if isinstance(exits, FixedExit) and exits.exit > len(names):
        listed = f"network {network.name} has {len(names)} exits ({', '.join(names)})"
        found.append(document.problem((*here, "exit"), f"there is no exit {exits.exit}: {listed}"))
    if isinstance(exits, ExitConfidences):
        found += _threshold_problems(document, spec, network)
    if not is_judged(exits) and spec.requirements.accuracy is not None:
        message = "cannot be judged: stream.exits.accuracy is not given"
        found.append(document.problem(("requirements", "accuracy"), message))
    knows_sets = isinstance(exits, ExitTrace | ExitConfidences)
    if policy is not None and policy.exit_order == "first_confident" and not knows_sets:
        message = "first_confident needs the set of confident exits of every frame: a trace with columns confident_k"
        found.append(document.problem((*here, "kind"), message))
    if policy is not None and policy.exit_order == "first_confident" and len(names) > MAX_CONFIDENT_EXITS:
        found.append(document.problem(("policy",), f"first_confident takes at most {MAX_CONFIDENT_EXITS} exits"))
    found += _level_problems(document, spec, network, policy)
    rules = spec.requirements
    if rules.deadline_miss_rate is not None and rules.deadline is None:
        found.append(document.problem(("requirements", "deadline_miss_rate"), "needs a deadline"))
    return found


def _level_problems(
    document: Document, spec: ScenarioSpec, network: Network, policy: Policy | None
) -> Iterator[Problem]:
    """Find what alternatives of the exits, and the levels of the policy that choose among them, say of each other."""
    exits, here, n = spec.stream.exits, ("stream", "exits", "alternatives"), len(network.exit_names)
    alternatives = alternatives_of(exits)
    for i, other in enumerate(alternatives):
        for name in ("counts", "shares", "accuracy"):
            entries = getattr(other, name, None)
            if entries is not None and len(entries) != n:
                message = f"has {len(entries)} entries, but network {network.name} has {n} exits"
                yield document.problem((*here, i, name), message)
        if exits.accuracy is not None and other.accuracy is None:
            message = "missing: the exits state their accuracy, so its alternatives must, too"
            yield document.problem((*here, i, "accuracy"), message)
    if policy is None:
        return
    levels = 0 if policy.adaptive is None else len(policy.adaptive.above)
    if policy.adaptive is not None and isinstance(exits, ExitConfidences):
        # Thresholds of the mapping hold at every level.
        if not policy.adaptive.give_up_after:
            message = "confidences have no alternatives: with them, levels can only give frames up (give_up_after)"
            yield document.problem(("policy", "adaptive"), message)
    elif policy.adaptive is not None and not isinstance(exits, ExitCounts | ExitShares | ExitTrace):
        message = "adaptive needs exits that depend on thresholds: counts, shares or a trace, with alternatives"
        yield document.problem(("stream", "exits", "kind"), message, "counts")
    elif policy.adaptive is not None and len(alternatives) != levels and not _only_gives_up(policy, alternatives):
        message = f"policy.adaptive has {levels} levels above level 0, but there are {len(alternatives)} alternatives"
        yield document.problem(here, message)
    for i, last in enumerate(() if policy.adaptive is None else policy.adaptive.give_up_after):
        if last is not None and last not in network.exit_names[:-1]:
            message = f"network {network.name} has no early exit {last!r}"
            hint = suggest(last, network.exit_names[:-1])
            yield document.problem(("policy", "adaptive", "give_up_after", i), message, hint)
    if levels and n > MAX_CONFIDENT_EXITS:
        yield document.problem(("policy", "adaptive"), f"takes at most {MAX_CONFIDENT_EXITS} exits")


def _only_gives_up(policy: Policy, alternatives: Sequence[Alternative]) -> bool:
    """Whether levels change no threshold: they only say which frames are given up."""
    return policy.adaptive is not None and bool(policy.adaptive.give_up_after) and not alternatives


def _threshold_problems(document: Document, spec: ScenarioSpec, network: Network) -> list[Problem]:
    """Enabled early exits without a threshold, and more exits than a set can hold."""
    names, given, enabled = network.exit_names, spec.mapping.thresholds, spec.mapping.exits
    found = []
    if len(names) > MAX_EXITS:
        message = f"takes at most {MAX_EXITS} exits, but network {network.name} has {len(names)}"
        found.append(document.problem(("stream", "exits"), message))
    wanted = [name for name in names[:-1] if enabled == "all" or name in enabled]
    if given is None and wanted:
        message = f"missing: how confident must {', '.join(wanted)} be to answer? (`eesim thresholds` finds out)"
        found.append(document.problem(("mapping", "thresholds"), message))
    elif isinstance(given, dict):
        missing = [name for name in wanted if name not in given]
        found += [
            document.problem(("mapping", "thresholds", name), "missing: how confident must the exit be to answer?")
            for name in missing
        ]
    return found


def unprofiled(
    document: Document, spec: MappingSpec, board: Board, network: Network, profile: Profile, mapping: Mapping
) -> list[Problem]:
    """Segments that nobody measured on the PE (or at the clock) they are mapped to."""
    found = []
    for i, (name, pe, clock) in enumerate(zip(network.segment_names, mapping.pes, mapping.segment_opp_hz, strict=True)):
        path: DataPath = ("mapping", "segments")
        if isinstance(spec.segments, dict):
            path = (*path, name)
        elif not isinstance(spec.segments, str):
            path = (*path, i)
        if pe not in profile.knows(name):
            profiled = " ".join(profile.knows(name)) or "no PE"
            found.append(document.problem(path, f"segment {name} has no time on {pe} (profiled on {profiled})"))
        elif profile.time_ns(board, name, pe, clock, mapping.host_hz(board, pe)) is None:
            found.append(document.problem(path, f"{pe} has no frequency law to scale segment {name} to another clock"))
    return found


def unroutable(document: Document, board: Board, network: Network, mapping: Mapping) -> list[Problem]:
    """Tensors that cross between PEs without a route."""
    found = set()
    for i, source in enumerate(network.sources):
        if source >= 0 and mapping.pes[source] != mapping.pes[i]:
            pair = mapping.pes[source], mapping.pes[i]
            if board.transfers.route(*pair) is None:
                message = f"board {board.name} states no transfer {pair[0]}->{pair[1]}"
                found.add(document.problem(("mapping", "segments"), message))
    return sorted(found)


def short_traces(document: Document, spec: ScenarioSpec, traces: Traces) -> list[Problem]:
    """Traces with fewer rows than frames are asked for."""
    found = rateless(document, spec.stream, traces)
    if spec.run.frames is None:
        return found
    for key, model, trace in (
        ("arrivals", spec.stream.arrivals, traces.arrival_ns),
        ("exits", spec.stream.exits, traces.exit),
        ("scenes", spec.stream.scenes, traces.scene),
    ):
        if isinstance(model, ArrivalTrace | ExitTrace | SceneTrace) and 0 < len(trace) < spec.run.frames:
            message = f"{spec.run.frames} frames are asked for, but the {key} trace has {len(trace)} rows"
            found.append(document.problem(("run", "frames"), message, str(len(trace))))
    return found


RUNTIME_TERMS = {"cold_start", "input", "profiling", "npu_fusing", "stage_overhead", "first_stage"}
"""Physical terms that only plans under a measured runtime have."""


def notes_of(
    spec: ScenarioSpec,
    board: Board,
    profile: Profile,
    mapping: Mapping,
    network: Network,
    policy: Policy,
    traces: Traces,
) -> tuple[str, ...]:
    """What the user should know: estimates, assumptions, inputs without effect."""
    notes = []
    pairs = zip(network.segment_names, mapping.pes, mapping.segment_opp_hz, strict=True)
    scaled = [f"{name} on {pe}" for name, pe, clock in pairs if profile.is_estimate(name, pe, clock)]
    if scaled:
        notes.append(f"estimated, not measured at this clock: {', '.join(scaled)}")
    if profile.clocks is not None and profile.clocks.origin.kind == "assumed":
        notes.append("the profile's clocks are assumed: its source does not state them")
    silent = sorted(spec.physics.model_fields_set & RUNTIME_TERMS)
    if silent and not measured_runtime(board, network, profile, policy):
        named = ", ".join(f"physics.{name}" for name in silent)
        notes.append(
            f"{named}: no effect; these terms are of measured runtimes (policy coup-switch or coup-pipeline, a network "
            "without early exits, a profile taken layer by layer)"
        )
    if spec.mapping.thresholds is not None and not isinstance(spec.stream.exits, ExitConfidences):
        notes.append(f"mapping.thresholds has no effect: stream.exits is of kind {spec.stream.exits.kind}")
    static = len(set(zip(mapping.pes, mapping.segment_opp_hz, strict=True))) == len(set(mapping.pes))
    if not spec.physics.dvfs_delay and static:
        notes.append("physics.dvfs_delay has no effect: no PE changes its operating point")
    if alternatives_of(spec.stream.exits) and policy.adaptive is None:
        notes.append("stream.exits.alternatives have no effect: policy.adaptive, which would choose them, is not set")
    if spec.stream.scenes is not None and policy.reuse is None:
        notes.append("stream.scenes has no effect: policy.reuse, which would use answers again, is not set")
    if policy.budget is not None and spec.stream.exits.accuracy is not None:
        notes.append(
            "accuracy is a lower bound: nobody knows how right answers are that a budget forces, they count as wrong"
        )
    if isinstance(spec.stream.arrivals, ClosedLoop):
        if policy.frame_gate == "open" and policy.frames_in_flight == "unbounded":
            notes.append("closed loop: one frame in flight at a time, because the policy sets no other limit")
        if policy.queue != Queue():
            notes.append("policy.queue has no effect: a closed loop makes no frame that would have to wait")
    notes += stream_notes(spec.stream, traces)
    return tuple(notes)
