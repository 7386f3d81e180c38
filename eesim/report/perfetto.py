"""The event log as a trace that ui.perfetto.dev and chrome://tracing open: Trace Event Format, JSON.

Process ``platform`` has a thread per server (and per lane of pure delays) with a complete event for each service
episode, arrows along the edges of each frame's task graph, and counters. Process ``frames`` has a track per slot with
each frame from its arrival to its answer. With a measured run there is a third process, and the names say which is
simulated and which is measured.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from eesim.report.episodes import Story, tell
from eesim.report.files import replacing
from eesim.report.measured_track import MeasuredTrack, origin_of
from eesim.report.trace_events import FIRST_TID, FRAMES, PLATFORM, Event, counters, flows, frame_events, slices, threads

if TYPE_CHECKING:
    from eesim.metrics.result import Result
    from eesim.validate.importers.measured import MeasuredRun


def write_trace(result: Result, path: Path, measured: MeasuredRun | None = None) -> None:
    """Write the logged frames as a trace.

    Parameters
    ----------
    result
        A run that kept its event log.
    path
        Where to; compressed if the name ends in ``.gz``. Times are in microseconds with three decimals (the format's
        unit), counted from the start of the run.
    measured
        A measured run to show beside it, from the arrival of the first simulated frame on.

    Raises
    ------
    ValueError
        If the run did not keep its log.
    """
    story = tell(result)
    with replacing(path) as temporary, temporary.open("wb") as file, _packed(file, path) as target:
        for line in _lines(result, story, measured):
            target.write(f"{line}\n".encode())


def _packed(file: BinaryIO, path: Path) -> AbstractContextManager[BinaryIO | gzip.GzipFile]:
    """Compress what goes into a file if its name says so."""
    # No name and no time in the header: the same result gives the same bytes.
    return gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else nullcontext(file)


def _lines(result: Result, story: Story, measured: MeasuredRun | None) -> Iterator[str]:
    """Yield the file, an event a line. The unit comes first: some readers want to know it before they read on."""
    shown = None if measured is None else MeasuredTrack(measured, result, origin_of(story))
    prefix = "" if shown is None else "simulated "
    events = [*_metadata(result, story, prefix), *_timed(result, story, shown)]
    origin = _origin(result)
    if shown is not None:
        events = [*shown.metadata(), *events]
        origin |= shown.origin()
    yield '{"displayTimeUnit": "ms", "traceEvents": ['
    for i, event in enumerate(events):
        yield json.dumps(event, allow_nan=False) + ("," if i + 1 < len(events) else "")
    yield f'], "otherData": {json.dumps(origin)}}}'


def _timed(result: Result, story: Story, shown: MeasuredTrack | None) -> list[Event]:
    """Events in the order of time; what belongs together at one instant keeps the order in which it is made."""
    events = [*slices(result, story), *flows(result, story), *counters(result), *frame_events(result, story)]
    if shown is not None:
        events += shown.slices()
    return sorted(events, key=lambda event: float(event["ts"]))


def _metadata(result: Result, story: Story, prefix: str) -> Iterator[Event]:
    scenario = result.scenario
    networks = dict.fromkeys(member.network.name for member in scenario.streams)
    names = {
        PLATFORM: f"{prefix}platform: {scenario.board.name}",
        FRAMES: f"{prefix}frames: {', '.join(networks)}",
    }
    for pid, name in names.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}
        yield {"ph": "M", "name": "process_sort_index", "pid": pid, "args": {"sort_index": pid}}
    yield {"ph": "M", "name": "thread_name", "pid": FRAMES, "tid": FIRST_TID, "args": {"name": "frames by slot"}}
    for order, (tid, name) in enumerate(threads(result.lowered.labels, story).items()):
        where = {"pid": PLATFORM, "tid": tid}
        yield {"ph": "M", "name": "thread_name", **where, "args": {"name": name}}
        yield {"ph": "M", "name": "thread_sort_index", **where, "args": {"sort_index": order}}


def _origin(result: Result) -> dict[str, str]:
    """Where the trace comes from, as flat text."""
    known = result.provenance
    out = {"engine": result.engine, "seed": str(result.seed), "replication": "0"}
    out |= {key: str(known[key]) for key in ("inputs_sha256", "eesim", "python") if key in known}
    out |= {f"package {name}": str(version) for name, version in known.get("packages", {}).items()}
    return out | {f"file {name}": str(file) for name, file in known.get("files", {}).items()}
