"""Checks of a policy against board, network, mapping and stream: what no switch can know of the others."""

from __future__ import annotations

from collections.abc import Iterator

from eesim.document import Document
from eesim.errors import Problem, suggest
from eesim.hardware.spec import Board
from eesim.mapping.mapping import Mapping
from eesim.mapping.policy import Policy, StageQueue
from eesim.mapping.reuse import BLIND, INPUT
from eesim.scenario.runtimes import measured_runtime
from eesim.scenario.spec import ScenarioSpec
from eesim.wording import DataPath
from eesim.workload.arrivals import ClosedLoop
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.workload.scenes import RegimeExits
from eesim.workload.similarity import SceneLengths, SceneRegimes


def stage_problems(
    document: Document, spec: ScenarioSpec, board: Board, network: Network, mapping: Mapping, policy: Policy
) -> Iterator[Problem]:
    """Find limits of the queues of PEs that are of no PE, and tensors that are too large for the memory of theirs."""
    queue, here = policy.stage_queue, ("policy", "stage_queue")
    charge = board.transfers.charge if spec.physics.transfers else ""
    links = {route.link for route in board.transfers.routes.values()} if charge == "link" else set()
    known = [*board.pe_names, *sorted(links)]
    for name in queue.pes:
        if name not in known:
            listed = f"board {board.name} has no PE {name!r} (it has {' '.join(known)})"
            yield document.problem((*here, "pes", name), listed, suggest(name, known))
    reads: dict[str, list[tuple[int, str]]] = {}
    for i, (source, pe) in enumerate(zip(network.sources, mapping.pes, strict=True)):
        size = network.segments[source].output if source >= 0 else network.input
        reads.setdefault(pe, []).append((size, f"what segment {network.segment_names[i]} reads"))
        if source >= 0 and mapping.pes[source] != pe and charge in ("sender", "receiver", "link"):
            route = board.transfers.route(mapping.pes[source], pe)
            at = {"sender": mapping.pes[source], "receiver": pe, "link": route.link if route is not None else ""}[
                charge
            ]
            reads.setdefault(at, []).append((size, f"the output of segment {network.segment_names[source]}"))
    for name, sizes in reads.items():
        limit = queue.limits(name)[1]
        size, what = max(sizes)
        if isinstance(limit, int) and size > limit:
            own = name in queue.pes and queue.pes[name].bytes is not None
            path: DataPath = (*here, "pes", name, "bytes") if own else (*here, "bytes")
            yield document.problem(path, f"{what} ({size:,} B) never fits on {name}: no frame could pass")


def reuse_problems(
    document: Document, spec: ScenarioSpec, board: Board, network: Network, mapping: Mapping, policy: Policy
) -> Iterator[Problem]:
    """Find what the scenes of a stream, and the policy that uses answers again, say of each other and of the rest."""
    scenes, reuse = spec.stream.scenes, policy.reuse
    if isinstance(scenes, SceneRegimes) and not isinstance(spec.stream.exits, RegimeExits):
        message = f"are stays in regimes, but stream.exits is of kind {spec.stream.exits.kind}"
        yield document.problem(("stream", "scenes", "kind"), message, "lengths")
    if isinstance(scenes, SceneLengths) and not scenes.in_frames and isinstance(spec.stream.arrivals, ClosedLoop):
        message = "a time needs instants of arrival, but in a closed loop nobody knows them: give a number of frames"
        yield document.problem(("stream", "scenes", "dwell"), message)
    if reuse is None:
        return
    if scenes is None:
        message = "missing: which frames show the same, so that an answer can be used again? (policy.reuse)"
        yield document.problem(("stream", "scenes"), message)
    if reuse.detector is not None and reuse.detector.pe is not None and reuse.detector.pe not in board.pes:
        message = f"board {board.name} has no PE {reuse.detector.pe!r} (it has {' '.join(board.pe_names)})"
        path: DataPath = ("policy", "reuse", "detector", "pe")
        yield document.problem(path, message, suggest(reuse.detector.pe, board.pe_names))
    if reuse.at in (INPUT, BLIND):
        return
    if reuse.at not in network.exit_names:
        listed = f"network {network.name} has no exit {reuse.at!r} (or write {INPUT} or {BLIND})"
        known = [*network.exit_names, INPUT, BLIND]
        yield document.problem(("policy", "reuse", "at"), listed, suggest(reuse.at, known))
    elif not mapping.enabled_exits[network.exit_names.index(reuse.at)]:
        message = f"exit {reuse.at} is disabled: nothing can be compared there"
        yield document.problem(("policy", "reuse", "at"), message)


def budget_problems(document: Document, network: Network, policy: Policy) -> Iterator[Problem]:
    """Find costs of declining exits that cannot be declined."""
    early = network.exit_names[:-1]
    for name in () if policy.budget is None else policy.budget.costs:
        if name not in early:
            path: DataPath = ("policy", "budget", "costs", name)
            yield document.problem(path, f"network {network.name} has no early exit {name!r}", suggest(name, early))


def batching_problems(document: Document, board: Board, policy: Policy) -> Iterator[Problem]:
    """Find PEs that cannot serve tasks together, or of which nobody knows how long that takes."""
    for name, own in ({} if policy.batching is None else policy.batching.pes).items():
        here: DataPath = ("policy", "batching", "pes", name)
        if name not in board.pes:
            listed = f"board {board.name} has no PE {name!r} (it has {' '.join(board.pe_names)})"
            yield document.problem(here, listed, suggest(name, board.pe_names))
            continue
        pe, law = board.pes[name], board.pes[name].batch_law
        if own.size == 1:
            continue
        if pe.servers > 1:
            yield document.problem(here, f"PE {name} has {pe.servers} servers: only one with one serves tasks together")
        if any(name in group for group in board.exclusive):
            yield document.problem(here, f"PE {name} is in an exclusive group: batches would hold the others up")
        if law is None:
            message = (
                f"board {board.name} does not say how long a batch takes on {name}: give board.pes.{name}.batch_law"
            )
            yield document.problem(here, message)
        elif law.largest is not None and own.size > law.largest:
            message = f"is {own.size}, but the batch_law of PE {name} has factors for up to {law.largest}"
            yield document.problem((*here, "size"), message)


def runtime_problems(
    document: Document, board: Board, network: Network, profile: Profile, policy: Policy
) -> Iterator[Problem]:
    """Find switches that a measured runtime of the board does not have."""
    mode = measured_runtime(board, network, profile, policy)
    changed = {
        "stage_queue": policy.stage_queue != StageQueue(),
        "reuse": policy.reuse is not None,
        "budget": policy.budget is not None,
        "batching": policy.batching is not None,
    }
    for switch in [name for name, is_set in changed.items() if is_set and mode]:
        message = f"the measured {mode} runtime of board {board.name} has no such thing: use a preset without one"
        yield document.problem(("policy", switch), message, "cooperative")
