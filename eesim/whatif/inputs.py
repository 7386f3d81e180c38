"""What a scenario's inputs say, value by value: numbers that can be varied, and where two scenarios differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from eesim.evaluate import trace_digests
from eesim.plan.lower import Lowered
from eesim.provenance import canonical
from eesim.scenario.load import Scenario
from eesim.units import format_frequency
from eesim.wording import DataPath, dotted

TEXTS = frozenset({"eesim", "title", "origin", "power_origin", "charge_origin", "sources"})
"""Keys for people (and the version of the format)."""

SECTIONS = ("stream", "physics", "policy", "requirements")
"""Sections of a scenario that are compared as they are written; board, network, profile and mapping as they resolve."""


class Leaf(NamedTuple):
    """One value of the inputs."""

    path: DataPath
    """As ``--set`` takes it."""
    value: Any
    """As the simulation reads it: quantities in their base units."""
    written: Any
    """As it stands in the file, or its default."""


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
    (seed, replications, confidence).
    """
    parts = (("board", scenario.board), ("network", scenario.network), ("profile", scenario.profile))
    for name, model in parts:
        yield from _walk(model, scenario.documents[name], (name,))
    document = scenario.documents["scenario"]
    yield from _walk(_mapping(scenario), None, ("mapping",))
    for name in SECTIONS:
        section = scenario.policy if name == "policy" else getattr(scenario.spec, name)
        yield from _walk(section, document.get(name), (name,))
    # The others (seed, replications, confidence) are made equal by a comparison.
    measured = {"frames": scenario.n_frames, "warmup": scenario.spec.run.warmup}
    yield from _walk(measured, document.get("run"), ("run",))
    for name, digest in trace_digests(scenario).items():
        yield Leaf((name,), digest, f"sha256 {digest[:12]}")


def _mapping(scenario: Scenario) -> dict[str, Any]:
    """Return a mapping resolved: order, clock of every PE, clocks of segments that differ from their PE's, exits."""
    mapping, names = scenario.mapping, scenario.network.segment_names
    clocks = {pe: format_frequency(hz) for pe, hz in mapping.pe_opp_hz.items()}
    for name, pe, hz in zip(names, mapping.pes, mapping.segment_opp_hz, strict=True):
        if hz != mapping.pe_opp_hz[pe]:
            clocks[name] = format_frequency(hz)
    exits = zip(scenario.network.exit_names, mapping.enabled_exits, strict=True)
    return {"segments": mapping.order, "opp": clocks, "exits": " ".join(name for name, on in exits if on)}


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
        yield Leaf(path, value, _plain(value) if written is None or isinstance(written, Mapping | list) else written)


def _plain(value: Any) -> Any:
    """Return a checked value as JSON can say it."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return str(value) if isinstance(value, Path) else value


def changes(a: Scenario, b: Scenario) -> list[Change]:
    """Where the resolved inputs of two scenarios differ, in the order of the files.

    Two ways to write the same value (``1800 MHz`` and ``1.8 GHz``, a default and the same value written out) do not
    differ.
    """
    first = {leaf.path: leaf for leaf in leaves(a)}
    second = {leaf.path: leaf for leaf in leaves(b)}
    found = []
    for path in dict.fromkeys([*first, *second]):
        x, y = first.get(path), second.get(path)
        if x is None or y is None or (type(x.value) is bool, x.value) != (type(y.value) is bool, y.value):
            found.append(Change(dotted(path), x and x.written, y and y.written))
    return found


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
        "labels": [lowered.labels.node_segment, lowered.labels.resources, lowered.labels.exits],
        "exits": lowered.labels.exit_number,
        "stream": scenario.spec.stream.model_dump_json(),
        "traces": trace_digests(scenario),
        "segments": len(scenario.network.segments),
        "frames": scenario.n_frames,
        "deadline": scenario.spec.requirements.deadline,
    }
    hashed.update(canonical(rest).encode())
    return hashed.hexdigest()
