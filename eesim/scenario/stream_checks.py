"""Checks of a stream's models against the network and against each other."""

from __future__ import annotations

from eesim.document import Document
from eesim.errors import Problem, suggest
from eesim.wording import DataPath, count
from eesim.workload.arrivals import NS_PER_S, ClosedLoop, Superposed, mean_rate
from eesim.workload.bursts import Mmpp, OnOff
from eesim.workload.correlated import CorrelatedExits
from eesim.workload.exits import AnyExits, ExitCounts, ExitShares
from eesim.workload.network import Network
from eesim.workload.scenes import RegimeExits, ScheduledExits
from eesim.workload.stream import Lognormal, StreamSpec, Traces

HERE: DataPath = ("stream", "exits")

LONG_CORRELATION = 0.1
"""Share of a pass over the test set that correlation may last before the user is told that passes cut it."""


def entries_per_exit(exits: AnyExits) -> list[tuple[DataPath, int]]:
    """Lists that need one entry for each exit of the network, and how many they have."""
    match exits:
        case ExitCounts() | CorrelatedExits():
            found: list[tuple[DataPath, int]] = [(("counts",), len(exits.counts))]
        case ExitShares():
            found = [(("shares",), len(exits.shares))]
        case RegimeExits():
            found = [(("regimes", name, "shares"), len(regime.shares)) for name, regime in exits.regimes.items()]
        case ScheduledExits():
            found = [(("points", i, "shares"), len(point.shares)) for i, point in enumerate(exits.points)]
        case _:
            found = []
    return found if exits.accuracy is None else [*found, (("accuracy",), len(exits.accuracy))]


def wrong_lengths(document: Document, exits: AnyExits, network: Network) -> list[Problem]:
    """Lists of an exit model that do not have one entry for each exit of the network."""
    names = network.exit_names
    listed = f"network {network.name} has {count(len(names), 'exit')} ({', '.join(names)})"
    return [
        document.problem((*HERE, *path), f"has {entries} {'entry' if entries == 1 else 'entries'}, but {listed}")
        for path, entries in entries_per_exit(exits)
        if entries != len(names)
    ]


def unknown_segments(document: Document, stream: StreamSpec, network: Network) -> list[Problem]:
    """Segments whose times are said to vary, but which the network does not have."""
    noise, known = stream.noise, network.segment_names
    if not isinstance(noise, Lognormal) or not isinstance(noise.cv, dict):
        return []
    message = f"network {network.name} has no such segment"
    return [
        document.problem(("stream", "noise", "cv", name), message, suggest(name, known))
        for name in noise.cv
        if name not in known
    ]


def timeless(document: Document, stream: StreamSpec) -> list[Problem]:
    """Exits that depend on time in a stream whose instants are not known beforehand."""
    if not isinstance(stream.arrivals, ClosedLoop):
        return []
    why = "but in a closed loop nobody knows beforehand when a frame arrives"
    match stream.exits:
        case ScheduledExits():
            return [document.problem((*HERE, "kind"), f"a schedule needs instants of arrival, {why}")]
        case RegimeExits() as model if not model.in_frames:
            path = (*HERE, "regimes", next(iter(model.regimes)), "dwell")
            return [document.problem(path, f"a time needs instants of arrival, {why}: give a number of frames")]
        case CorrelatedExits() as model if model.correlation_time is not None:
            path = (*HERE, "correlation_time")
            return [document.problem(path, f"needs a rate of arrivals, {why}: give correlation_frames")]
    return []


def rateless(document: Document, stream: StreamSpec, traces: Traces) -> list[Problem]:
    """A correlation time in a stream whose trace of arrivals spans no time."""
    model = stream.exits
    if not isinstance(model, CorrelatedExits) or model.correlation_time is None:
        return []
    if isinstance(stream.arrivals, ClosedLoop) or mean_rate(stream.arrivals, traces.arrival_ns) is not None:
        return []
    message = "needs a rate of arrivals, but the trace spans no time: give correlation_frames"
    return [document.problem((*HERE, "correlation_time"), message)]


def memory_frames(stream: StreamSpec, traces: Traces) -> float:
    """Frames over which the stream's models are alike, about; 1 for models without memory (and for traces)."""
    rate = float(mean_rate(stream.arrivals, traces.arrival_ns) or 0)
    found, exits = [1.0], stream.exits
    if isinstance(exits, CorrelatedExits):
        lag_1 = abs(exits.lag_1(mean_rate(stream.arrivals, traces.arrival_ns)))
        # Sum of the autocorrelations over all lags: frames that say as much as one independent frame.
        found.append((1 + lag_1) / (1 - lag_1) if lag_1 < 1 else float("inf"))
    if isinstance(exits, RegimeExits):
        found += [law.mean * (1 if exits.in_frames else rate / NS_PER_S) for law in exits.switching.dwells]
    sources = stream.arrivals.sources if isinstance(stream.arrivals, Superposed) else (stream.arrivals,)
    for source in sources:
        if isinstance(source, Mmpp):
            found += [law.mean * rate / NS_PER_S for law in source.switching.dwells]
        if isinstance(source, OnOff):
            found.append((source.on + source.off) * rate / NS_PER_S)
    return max(found)


def stream_notes(stream: StreamSpec, traces: Traces) -> list[str]:
    """What the user should know about the stream."""
    model = stream.exits
    if not isinstance(model, CorrelatedExits):
        return []
    lasts, per_pass = memory_frames(stream, traces), sum(model.counts)
    if lasts <= LONG_CORRELATION * per_pass:
        return []
    return [
        f"difficulty is correlated over about {lasts:,.0f} frames, but every pass of {per_pass:,} frames has the "
        "counts exactly: correlation is cut short at that length"
    ]
