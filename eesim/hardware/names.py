"""Names in a board file: every PE and source that is referred to must exist, and nothing may contradict itself.

These checks read the file's data as written, so that they report what they can even if single values are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eesim.errors import suggest

Path = tuple[str | int, ...]
Finding = tuple[Path, str, str]


def _table(data: object, *steps: str) -> dict[str, Any]:
    """Return the mapping at a path, or an empty one."""
    for step in steps:
        data = data.get(step) if isinstance(data, Mapping) else None
    return {str(key): value for key, value in data.items()} if isinstance(data, Mapping) else {}


def _items(data: object) -> list[Any]:
    return list(data) if isinstance(data, list | tuple) else []


def _ends(route: str) -> list[str]:
    return route.split("->")


def _references(data: Mapping[str, Any]) -> Iterator[tuple[Path, object]]:
    """Every place that names a PE."""
    for name in _table(data, "pes"):
        pe = _table(data, "pes", name)
        if pe.get("host") is not None:
            yield ("pes", name, "host"), pe["host"]
        for host in _table(pe, "hosts"):
            yield ("pes", name, "hosts", host), host
    for victim in _table(data, "contention", "pairs"):
        yield ("contention", "pairs", victim), victim
        for aggressor in _table(data, "contention", "pairs", victim):
            yield ("contention", "pairs", victim, aggressor), aggressor
    for key in _table(data, "transfers", "routes"):
        for end in _ends(key) if key.count("->") == 1 else []:
            yield ("transfers", "routes", key), end
        clock = _table(data, "transfers", "routes", key, "clock")
        if "pe" in clock:
            yield ("transfers", "routes", key, "clock", "pe"), clock["pe"]
    for i, group in enumerate(_items(data.get("exclusive"))):
        for j, member in enumerate(_items(group)):
            yield ("exclusive", i, j), member


def _origins(data: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place that names a source: the ``source`` of an entry that also has a ``kind``."""
    if isinstance(data, Mapping):
        if isinstance(data.get("source"), str) and "kind" in data:
            yield (*path, "source"), data["source"]
        for key, value in data.items():
            yield from _origins(value, (*path, key))


def unknown_names(data: Mapping[str, Any]) -> Iterator[Finding]:
    """PEs and sources that are referred to but do not exist."""
    pes, sources = _table(data, "pes"), _table(data, "sources")
    for path, name in _references(data) if pes else ():
        if isinstance(name, str) and name not in pes:
            yield path, f"there is no PE {name!r} on this board", suggest(name, pes)
    for path, source in _origins(data):
        if source and source not in sources:
            yield path, f"{source!r} is not one of the board's sources", suggest(source, sources)


def contradictions(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Parts that contradict each other."""
    for name in _table(data, "pes"):
        pe = _table(data, "pes", name)
        host, hosts = pe.get("host"), _table(pe, "hosts")
        if host == name:
            yield ("pes", name, "host"), "a PE cannot be its own host", ""
        elif isinstance(host, str) and hosts and host not in hosts:
            yield ("pes", name, "host"), f"the board does not say what a host on {host!r} means", suggest(host, hosts)
    for key in _table(data, "transfers", "routes"):
        if key.count("->") != 1 or len(set(_ends(key))) != 2:
            yield ("transfers", "routes", key), "a route is written FROM->TO, two different PEs", ""
    members = [str(member) for group in _items(data.get("exclusive")) for member in _items(group)]
    for member in sorted({m for m in members if members.count(m) > 1}):
        yield ("exclusive",), f"PE {member!r} is in more than one exclusive group", ""
