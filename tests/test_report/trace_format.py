"""What the Trace Event Format asks of a file, checked: an independent reader of what `eesim.report.perfetto` writes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

REQUIRED = {
    "X": {"name", "cat", "pid", "tid", "ts", "dur"},
    "M": {"name", "pid", "args"},
    "C": {"name", "pid", "ts", "args"},
    "b": {"name", "cat", "id", "pid", "ts"},
    "n": {"name", "cat", "id", "pid", "ts"},
    "e": {"name", "cat", "id", "pid", "ts"},
    "s": {"name", "cat", "id", "pid", "tid", "ts"},
    "t": {"name", "cat", "id", "pid", "tid", "ts"},
    "f": {"name", "cat", "id", "pid", "tid", "ts"},
}
METADATA = {
    "process_name": "name",
    "process_sort_index": "sort_index",
    "thread_name": "name",
    "thread_sort_index": "sort_index",
}

Event = Mapping[str, Any]


def nanoseconds(us: float) -> int:
    """Microseconds with three decimals as whole nanoseconds."""
    return round(us * 1000)


def validate_trace(data: Any) -> list[str]:
    """Return everything that is wrong with a trace; nothing if it is well-formed."""
    if not isinstance(data, dict) or not isinstance(data.get("traceEvents"), list):
        return ["not an object with a list of traceEvents"]
    problems = []
    if data.get("displayTimeUnit") not in ("ms", "ns"):
        problems.append("displayTimeUnit is neither ms nor ns")
    events = data["traceEvents"]
    problems += [problem for event in events for problem in _field_problems(event)]
    if problems:
        return problems
    return [*_nesting_problems(events), *_async_problems(events), *_flow_problems(events), *_name_problems(events)]


def _field_problems(event: Event) -> Iterator[str]:
    phase = event.get("ph")
    if phase not in REQUIRED:
        yield f"unknown phase {phase!r}"
        return
    missing = REQUIRED[phase] - set(event)
    if missing:
        yield f"{phase}: lacks {', '.join(sorted(missing))}"
    for key in ("ts", "dur"):
        value = event.get(key, 0)
        if not isinstance(value, int | float) or value < 0:
            yield f"{phase}: {key} is {value!r}"
    for key in ("pid", "tid"):
        if not isinstance(event.get(key, 0), int):
            yield f"{phase}: {key} is not a whole number"
    if phase == "M" and METADATA.get(str(event.get("name"))) not in event.get("args", {}):
        yield f"M: {event.get('name')} without its argument"
    if phase == "C" and not all(isinstance(value, int | float) for value in event.get("args", {}).values()):
        yield f"C: {event.get('name')} counts something that is not a number"
    if "id" in event and not str(event["id"]).startswith("0x"):
        yield f"{phase}: id {event['id']!r} is not written in hexadecimal"


def _nesting_problems(events: Sequence[Event]) -> Iterator[str]:
    """Complete events of one thread lie beside or inside each other, and none overlaps another in part."""
    by_thread = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            start = nanoseconds(event["ts"])
            by_thread[event["pid"], event["tid"]].append((start, start + nanoseconds(event["dur"]), event["name"]))
    for thread, spans in by_thread.items():
        open_until: list[int] = []
        for start, end, name in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_until and open_until[-1] <= start:
                open_until.pop()
            if open_until and end > open_until[-1]:
                yield f"thread {thread}: {name} at {start} ns overlaps the one before in part"
            open_until.append(end)


def _async_problems(events: Sequence[Event]) -> Iterator[str]:
    """Events of one category and id are a tree: every end closes the begin before, in order of time."""
    stacks: dict[tuple[str, str], list[str]] = defaultdict(list)
    last: dict[tuple[str, str], float] = {}
    for event in events:
        if event["ph"] not in "bne":
            continue
        key = event["cat"], event["id"]
        if event["ts"] < last.get(key, 0):
            yield f"async {key}: goes back in time"
        last[key] = event["ts"]
        if event["ph"] == "b":
            stacks[key].append(event["name"])
        elif event["ph"] == "e" and (not stacks[key] or stacks[key].pop() != event["name"]):
            yield f"async {key}: {event['name']} ends, but did not begin"
    yield from (f"async {key}: {stack} never ends" for key, stack in stacks.items() if stack)


def _flow_problems(events: Sequence[Event]) -> Iterator[str]:
    """A flow has one start, then any steps, then one end, each inside a slice of its thread."""
    flows = defaultdict(list)
    starts = Counter((e["pid"], e["tid"], e["ts"]) for e in events if e["ph"] == "X")
    for event in events:
        if event["ph"] in "stf":
            flows[event["cat"], event["name"], event["id"]].append(event)
            if not starts[event["pid"], event["tid"], event["ts"]]:
                yield f"flow {event['id']}: no slice begins there"
    for key, found in flows.items():
        phases = "".join(event["ph"] for event in found)
        if len(phases) < 2 or phases != "s" + "t" * (len(phases) - 2) + "f":
            yield f"flow {key}: {phases}"
        if any(before["ts"] > after["ts"] for before, after in pairwise(found)):
            yield f"flow {key}: goes back in time"
        if found[-1].get("bp") != "e":
            yield f"flow {key}: its end binds to the next slice"


def _name_problems(events: Sequence[Event]) -> Iterator[str]:
    """Every thread with slices has a name, and every process has one."""
    named = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    used = {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"}
    yield from (f"thread {thread} has no name" for thread in sorted(used - named))
    processes = {e["pid"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    yield from (f"process {pid} has no name" for pid in sorted({e["pid"] for e in events} - processes))
