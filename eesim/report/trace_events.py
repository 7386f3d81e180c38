"""The events of a trace, kind by kind (Trace Event Format: ``X``, ``s t f``, ``C``, ``b n e``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from eesim.plan.lower import Labels
from eesim.plan.plan import EventKind, Plan
from eesim.report.episodes import NO_SERVER, Episode, Fate, Story, lanes

if TYPE_CHECKING:
    from eesim.metrics.result import Result

Event: TypeAlias = "dict[str, Any]"

PLATFORM, FRAMES = 1, 2
"""Process ids."""

FIRST_TID = 10
"""Thread of server 0. Not a process id: a thread whose id is its process's is taken for the main thread."""

NS_PER_US = 1000


def microseconds(ns: int) -> float:
    """Return an instant in the unit of the format; three decimals keep every nanosecond."""
    return ns / NS_PER_US


def delay_lanes(story: Story) -> dict[tuple[int, int], str]:
    """Name of the track of each pure delay, by (frame, node): the task's own, and more where several overlap."""
    by_task: dict[str, list[Episode]] = defaultdict(list)
    for episode in story.episodes:
        if episode.server == NO_SERVER:
            by_task[episode.task].append(episode)
    out = {}
    for task, episodes in sorted(by_task.items()):
        for episode, lane in zip(episodes, lanes((e.start_ns, e.end_ns) for e in episodes), strict=True):
            out[episode.frame, episode.node] = f"delay {task}" if lane == 0 else f"delay {task} ({lane + 1})"
    return out


def threads(labels: Labels, story: Story) -> dict[int, str]:
    """Threads of the platform: each server, then each track of delays."""
    tracks = dict.fromkeys(sorted(set(delay_lanes(story).values())))
    return dict(enumerate((*labels.servers, *tracks), start=FIRST_TID))


def _threads_of(labels: Labels, story: Story) -> dict[tuple[int, int], int]:
    """Thread of each episode, by (frame, node)."""
    tracks = delay_lanes(story)
    tid_of = {name: tid for tid, name in threads(labels, story).items() if tid >= FIRST_TID + len(labels.servers)}
    out = {(e.frame, e.node): FIRST_TID + e.server for e in story.episodes}
    return out | {key: tid_of[track] for key, track in tracks.items()}


def slices(result: Result, story: Story) -> Iterator[Event]:
    """Yield a complete event for each service episode."""
    labels = result.lowered.labels
    tids = _threads_of(labels, story)
    for episode in story.episodes:
        exit_ = story.fates[episode.frame].exit
        kind = "transfer" if episode.is_transfer else "segment"
        args = {
            "frame": episode.frame,
            **({} if exit_ is None else {"exit": labels.exits[exit_]}),
            "kind": kind,
            "wait_us": microseconds(episode.start_ns - episode.ready_ns),
            "status": episode.status,
            "needed": not episode.useless,
        }
        yield {
            "ph": "X",
            "name": episode.task,
            "cat": f"{kind},wasted" if episode.useless else kind,
            "pid": PLATFORM,
            "tid": tids[episode.frame, episode.node],
            "ts": microseconds(episode.start_ns),
            "dur": microseconds(episode.end_ns - episode.start_ns),
            "args": args,
        }


def chains(plan: Plan, nodes: list[int]) -> list[list[int]]:
    """Cover the edges between some nodes of the task graph with paths, each edge once.

    Parameters
    ----------
    plan
        The task graph.
    nodes
        Nodes that were served, predecessors first.
    """
    served = set(nodes)
    left = {n: [int(s) for s in plan.succ[plan.succ_ptr[n] : plan.succ_ptr[n + 1]] if int(s) in served] for n in nodes}
    found = []
    for node in nodes:
        while left[node]:
            path = [node]
            while left[path[-1]]:
                path.append(left[path[-1]].pop(0))
            found.append(path)
    return found


def flows(result: Result, story: Story) -> Iterator[Event]:
    """Yield arrows from each task of a frame to those that it made ready, from slice to slice."""
    tids = _threads_of(result.lowered.labels, story)
    by_frame: dict[int, dict[int, Episode]] = defaultdict(dict)
    for episode in story.episodes:
        by_frame[episode.frame][episode.node] = episode
    flow = 0
    for frame, served in by_frame.items():
        for path in chains(result.lowered.plan, list(served)):
            flow += 1
            for i, node in enumerate(path):
                phase = "s" if i == 0 else "f" if i == len(path) - 1 else "t"
                yield {
                    "ph": phase,
                    "name": "then",
                    "cat": "flow",
                    "id": f"{flow:#x}",
                    "pid": PLATFORM,
                    "tid": tids[frame, node],
                    "ts": microseconds(served[node].start_ns),
                    # The end binds to the slice around it, as the others do; without this, to the next one.
                    **({"bp": "e"} if phase == "f" else {}),
                }


def counters(result: Result) -> Iterator[Event]:
    """Yield tasks that wait for each PE and link, and frames in flight, whenever they change."""
    labels, server_resource = result.lowered.labels, result.lowered.plan.server_resource.tolist()
    steps: dict[str, dict[int, int]] = {f"waiting for {name}": defaultdict(int) for name in labels.resources}
    steps["frames in flight"] = defaultdict(int)
    assert result.log is not None, "the story was told from it"
    for time, kind, _, _, place in result.log.tolist():
        if kind in (EventKind.READY, EventKind.CANCEL):
            steps[f"waiting for {labels.resources[place]}"][time] += 1 if kind == EventKind.READY else -1
        elif kind == EventKind.START and place >= 0:
            steps[f"waiting for {labels.resources[server_resource[place]]}"][time] -= 1
        elif kind in (EventKind.ADMIT, EventKind.LEAVE):
            steps["frames in flight"][time] += 1 if kind == EventKind.ADMIT else -1
    yield from _levels(result)
    for name, changes in steps.items():
        yield from _staircase(name, "frames" if name == "frames in flight" else "tasks", changes)


def _levels(result: Result) -> Iterator[Event]:
    """Yield the level of each stream that has levels, whenever it changes."""
    labels, plan = result.lowered.labels, result.lowered.plan
    assert result.log is not None, "the story was told from it"
    streams: dict[int, int] = {}
    for time, kind, frame, _, place in result.log.tolist():
        if kind == EventKind.ARRIVE:
            streams[frame] = max(place, 0)
        elif kind == EventKind.LEVEL:
            name = f"level of {labels.streams[streams[frame]]}" if plan.n_streams > 1 else "level"
            yield {"ph": "C", "name": name, "pid": PLATFORM, "ts": microseconds(time), "args": {"level": place}}


def _staircase(name: str, unit: str, changes: Mapping[int, int]) -> Iterator[Event]:
    level = 0
    yield {"ph": "C", "name": name, "pid": PLATFORM, "ts": 0.0, "args": {unit: 0}}
    for time, change in sorted(changes.items()):
        if change:
            level += change
            yield {"ph": "C", "name": name, "pid": PLATFORM, "ts": microseconds(time), "args": {unit: level}}


def frame_events(result: Result, story: Story) -> Iterator[Event]:
    """Yield each frame from arrival to answer, in slots: frames of one slot do not overlap.

    A track takes the name of its first event, so each slot begins with an instant that names it.
    """
    spans = [(fate.arrival_ns, story.end_ns if fate.end_ns is None else fate.end_ns) for fate in story.fates.values()]
    steps = _steps_of_frames(result)
    named: set[int] = set()
    for (frame, fate), slot, (start, end) in zip(story.fates.items(), lanes(spans), spans, strict=True):
        common = {"cat": "frame", "id": f"{slot + 1:#x}", "pid": FRAMES, "tid": FIRST_TID}
        if slot not in named:
            named.add(slot)
            yield {"ph": "n", "name": f"slot {slot + 1}", **common, "ts": 0.0}
        of = f" ({result.lowered.labels.streams[fate.stream]})" if fate.stream >= 0 else ""
        name = f"frame {frame}{of}: {_ending(fate, result.lowered.labels)}"
        yield {"ph": "b", "name": name, **common, "ts": microseconds(start), "args": _frame_args(result, frame, fate)}
        for time, what in steps.get(frame, ()):
            if time <= end:
                yield {"ph": "n", "name": what, **common, "ts": microseconds(time)}
        yield {"ph": "e", "name": name, **common, "ts": microseconds(end)}


def _ending(fate: Fate, labels: Labels) -> str:
    if fate.dropped:
        return "dropped"
    return "no answer yet" if fate.exit is None else labels.exits[fate.exit]


def _steps_of_frames(result: Result) -> dict[int, list[tuple[int, str]]]:
    """What happens to each frame on the way: admission, outputs of exits."""
    exits = result.lowered.labels.exits
    steps: dict[int, list[tuple[int, str]]] = defaultdict(list)
    assert result.log is not None, "the story was told from it"
    for time, kind, frame, _, place in result.log.tolist():
        if kind == EventKind.ADMIT:
            steps[frame].append((time, "admitted"))
        elif kind == EventKind.EXIT:
            steps[frame].append((time, f"{exits[place]} known"))
    return steps


def _frame_args(result: Result, frame: int, fate: Fate) -> Event:
    args: Event = {"frame": frame, "status": "dropped" if fate.dropped else "answered"}
    if fate.stream >= 0:
        args["stream"] = result.lowered.labels.streams[fate.stream]
    if fate.end_ns is None:
        return args | {"status": "no answer yet"}
    if fate.exit is not None:
        labels = result.lowered.labels
        args |= {"exit": labels.exits[fate.exit], "exit_number": labels.exit_number[fate.exit]}
        args["latency_us"] = microseconds(fate.end_ns - fate.arrival_ns)
    return args
