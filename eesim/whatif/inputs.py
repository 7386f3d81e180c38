"""What a scenario's inputs say, value by value: numbers that can be varied, and where two scenarios differ."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from eesim.evaluate import trace_digests
from eesim.plan.lower import Lowered
from eesim.provenance import canonical
from eesim.scenario.load import Scenario
from eesim.scenario.streams import place_of
from eesim.units import format_frequency
from eesim.wording import DataPath, dotted

TEXTS = frozenset({"eesim", "title", "origin", "power_origin", "charge_origin", "sources"})
"""Keys for people (and the version of the format)."""

OF_EACH_STREAM = frozenset({"network", "profile", "mapping", "stream", "policy"})
"""Sections that each of several streams has by itself; of requirements there are both kinds."""

SECTIONS = ("board", "network", "profile", "mapping", "stream", "physics", "policy", "requirements")

THRESHOLDS: DataPath = ("mapping", "thresholds")

FILES = ("board", "network", "profile")
"""Sections that are files; the others stand in the scenario."""


class Leaf(NamedTuple):
    """One value of the inputs."""

    path: DataPath
    """As ``--set`` takes it."""
    value: Any
    """As the simulation reads it: quantities in their base units."""
    written: Any
    """As it stands in the file, or its default."""
    is_written: bool
    """Whether it stands in a file (or an override), and is no default."""

    @property
    def section(self) -> str:
        """What it belongs to: ``board``, ``mapping``, ``requirements``, ..."""
        return str(self.path[2] if self.path[0] == "streams" else self.path[0])


class Change(NamedTuple):
    """One value that differs between two scenarios; None where one does not have it."""

    path: str
    a: Any
    b: Any

    def as_dict(self) -> dict[str, Any]:
        """Return the change as plain data."""
        return self._asdict()


def leaves(scenario: Scenario) -> Iterator[Leaf]:
    """Every value of the resolved inputs, defaults included, by the path that ``--set`` takes.

    Texts for people (titles, origins) are left out, and so is what concerns the simulation and not the system
    (seed, replications, confidence). What several streams inherit comes once.
    """
    yield from {leaf.path: leaf for leaf in _resolved(scenario).values()}.values()


def _resolved(scenario: Scenario) -> dict[tuple[int | None, DataPath], Leaf]:
    """Every value of the resolved inputs, by stream (None: of all together) and by its path in that stream alone."""
    found: dict[tuple[int | None, DataPath], Leaf] = {}
    for section in SECTIONS:
        if section not in OF_EACH_STREAM:
            for leaf in _section(scenario, section):
                found[None, leaf.path] = leaf
        if section in OF_EACH_STREAM or (section == "requirements" and scenario.members):
            for i, member in enumerate(scenario.streams):
                for leaf in _section(member, section):
                    found[i, leaf.path] = leaf._replace(path=place(scenario, i, leaf.path))
    # The others (seed, replications, confidence) are made equal by a comparison.
    measured = {"frames": scenario.n_frames, "warmup": scenario.spec.run.warmup}
    for leaf in _walk(measured, scenario.documents["scenario"].get("run"), ("run",)):
        found[None, leaf.path] = leaf
    for i, member in enumerate(scenario.streams):
        for leaf in _of_stream(scenario, i, member):
            found[i, leaf.path[2:] if scenario.members else leaf.path] = leaf
    return found


def _section(scenario: Scenario, name: str) -> Iterator[Leaf]:
    """Values of one section of a stream, or of the platform."""
    if name in FILES:
        return _walk(getattr(scenario, name), scenario.documents[name], (name,))
    written = scenario.documents["scenario"].get(name)
    if name == "mapping":
        limits = _written_thresholds(scenario)
        if limits is not None and not isinstance(limits, Mapping):
            written = {**written, "thresholds": dict.fromkeys(scenario.network.exit_names, limits)}
        # Shown as it resolves: lists and tables of segments are order strings then.
        return (leaf._replace(written=leaf.value) for leaf in _walk(_mapping(scenario), written, (name,)))
    return _walk(scenario.policy if name == "policy" else getattr(scenario.spec, name), written, (name,))


def place(scenario: Scenario, number: int, path: DataPath) -> DataPath:
    """Where ``--set`` finds what stands at a path of one stream alone; the same path, if there is one stream."""
    if path[:2] == THRESHOLDS and not isinstance(_written_thresholds(scenario.streams[number]), Mapping | None):
        # One number is short for all exits.
        path = THRESHOLDS
    return place_of(scenario.documents["scenario"], number, path) if scenario.members else path


def _of_stream(scenario: Scenario, number: int, member: Scenario) -> Iterator[Leaf]:
    """What a stream has besides sections: its traces and, among others, its name and priority."""
    here: DataPath = ("streams", number) if scenario.members else ()
    if scenario.members:
        entry = scenario.documents["scenario"]["streams"][number]
        told = {"name": scenario.names[number], "priority": scenario.spec.streams[number].priority}
        yield from _walk(told, entry, here)
    for name, digest in trace_digests(member).items():
        yield Leaf((*here, name), digest, f"sha256 {digest[:12]}", is_written=False)


def _written_thresholds(scenario: Scenario) -> Any:
    return (scenario.documents["scenario"].get("mapping") or {}).get("thresholds")


def _mapping(scenario: Scenario) -> dict[str, Any]:
    """Return a mapping resolved: order, clock of every PE, clocks of segments that differ from their PE's, exits.

    And thresholds; exits without one are never confident.
    """
    mapping, names = scenario.mapping, scenario.network.segment_names
    clocks = {pe: format_frequency(hz) for pe, hz in mapping.pe_opp_hz.items()}
    for name, pe, hz in zip(names, mapping.pes, mapping.segment_opp_hz, strict=True):
        if hz != mapping.pe_opp_hz[pe]:
            clocks[name] = format_frequency(hz)
    exits = zip(scenario.network.exit_names, mapping.enabled_exits, strict=True)
    return {
        "segments": mapping.order,
        "opp": clocks,
        "exits": " ".join(name for name, on in exits if on),
        "thresholds": {
            name: limit
            for name, limit in zip(scenario.network.exit_names, mapping.thresholds, strict=False)
            if math.isfinite(limit)
        },
    }


def _walk(value: Any, written: Any, path: DataPath) -> Iterator[Leaf]:
    """Go through a model's data beside what was written for it."""
    if isinstance(value, BaseModel):
        # Not `model_dump`: that turns exact fractions into text.
        value = {key: getattr(value, key) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in TEXTS:
                yield from _walk(item, written.get(key) if isinstance(written, Mapping) else None, (*path, key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            here = written[i] if isinstance(written, list | tuple) and i < len(written) else None
            yield from _walk(item, here, (*path, i))
    elif value is not None:
        short = _plain(value) if written is None or isinstance(written, Mapping | list) else written
        yield Leaf(path, value, short, written is not None)


def _plain(value: Any) -> Any:
    """Return a checked value as JSON can say it."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return str(value) if isinstance(value, Path) else value


def changes(a: Scenario, b: Scenario) -> list[Change]:
    """Where the resolved inputs of two scenarios differ, in the order of the files.

    Two ways to write the same value (``1800 MHz`` and ``1.8 GHz``, a default and the same value written out) do not
    differ. Streams are compared by their places in the list; one that only one scenario has is one change.
    """
    first, second = _resolved(a), _resolved(b)
    both = min(len(a.streams), len(b.streams))
    found: dict[Change, None] = {}
    for key in dict.fromkeys([*first, *second]):
        x, y = first.get(key), second.get(key)
        if key[0] is not None and key[0] >= both:
            continue
        if x is None or y is None or (type(x.value) is bool, x.value) != (type(y.value) is bool, y.value):
            # What one of them inherits may be one stream's own in the other.
            path = max((leaf.path for leaf in (x, y) if leaf is not None), key=len)
            found[Change(dotted(path), x and x.written, y and y.written)] = None
    for i in range(both, max(len(a.streams), len(b.streams))):
        names = (one.names[i] if i < len(one.names) else None for one in (a, b))
        found[Change(f"streams.{i}", *names)] = None
    return list(found)


def simulation_key(scenario: Scenario, lowered: Lowered) -> str:
    """Digest of everything that a replication's metrics depend on, besides seed and warm-up.

    Two scenarios with the same key give the same metrics to the bit: what differs between them is not read.
    """
    hashed = hashlib.sha256()
    for name, part in lowered.plan._asdict().items():
        hashed.update(f"{name}={getattr(part, 'shape', '')}".encode())
        hashed.update(part.tobytes() if hasattr(part, "tobytes") else str(int(part)).encode())
    hashed.update(lowered.exit_of.tobytes())
    rest = {
        "labels": [lowered.labels.node_segment, lowered.labels.resources, lowered.labels.exits, lowered.labels.streams],
        "exits": lowered.labels.exit_number,
        "streams": [
            {
                "stream": member.spec.stream.model_dump_json(),
                "traces": trace_digests(member),
                "decisions": [hashlib.sha256(column.tobytes()).hexdigest() for column in member.decisions],
                "segments": len(member.network.segments),
                "deadline": member.spec.requirements.deadline,
            }
            for member in scenario.streams
        ],
        "frames": scenario.n_frames,
    }
    hashed.update(canonical(rest).encode())
    return hashed.hexdigest()
