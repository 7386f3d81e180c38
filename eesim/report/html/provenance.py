"""Where a result comes from: the command to make it again, hashes of the inputs, versions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind
from eesim.report.html.parts import Code, Facts, Part, Section, Table, Text

COMMAND_FILE = "command.json"
"""What `eesim.cli` writes beside results: the command as it was typed."""


def provenance_section(folder: Folder, kinds: list[Kind]) -> Section:
    """Return the last section of every page."""
    parts = _command(folder, kinds)
    for kind in kinds:
        told = kind.provenance(folder)
        if told:
            parts += _told(told, f" of the {kind.name}" if len(kinds) > 1 else "")
        else:
            parts.append(Text(f"The folder does not say where the {kind.name} comes from."))
    return Section("Provenance", parts)


def _command(folder: Folder, kinds: list[Kind]) -> list[Part]:
    words = folder.json(COMMAND_FILE).get("command")
    if isinstance(words, list) and words:
        return [
            Text("Typed in the folder that its relative paths start from, this makes the results again:"),
            Code(shlex.join(map(str, words))),
        ]
    known = [list(kind.rerun(folder)) for kind in kinds]
    lines = [shlex.join([*words, "-o", folder.name]) for words in known if words]
    if not lines:
        return [Text(f"The command is not known: there is no {COMMAND_FILE}.")]
    said = (
        f"There is no {COMMAND_FILE} (the results were saved from Python, or by an older version). "
        "From the provenance, without options such as --set that may have been given:"
    )
    return [Text(said), Code("\n".join(lines))]


def _told(told: Mapping[str, Any], whose: str) -> list[Part]:
    packages = told.get("packages") or {}
    facts = [("eesim", str(told["eesim"]))] if "eesim" in told else []
    facts += [("Python", str(told["python"]))] if "python" in told else []
    facts += [("packages", ", ".join(f"{name} {version}" for name, version in packages.items()))] if packages else []
    facts += [(str(name).replace("_", " "), _short(value)) for name, value in told.items() if _is_plain(name, value)]
    parts: list[Part] = [Facts(facts)]
    files, hashes = told.get("files") or {}, told.get("parts_sha256") or {}
    rows = [[name, str(files.get(name, "")), str(hashes.get(name, ""))] for name in dict.fromkeys([*files, *hashes])]
    head = ["part", "file", "SHA-256"]
    if rows:
        parts.append(Table(f"Inputs{whose}, with the SHA-256 of what they say", head, rows, "lll"))
    for name, value in told.items():
        if name not in ("files", "parts_sha256") and _is_hashes(value):
            listed = [[str(file), str(found)] for file, found in value.items()]
            parts.append(Table(f"{name.capitalize()}{whose}", head[1:], listed, "ll"))
    return parts


def _is_hashes(value: object) -> bool:
    """Whether something gives the SHA-256 of each of several files."""
    return isinstance(value, dict) and bool(value) and all(isinstance(v, str) and len(v) == 64 for v in value.values())


def _is_plain(name: str, value: object) -> bool:
    listed = ("eesim", "python", "packages", "files", "parts_sha256")
    if name in listed or value is None or value == {} or value == [] or _is_hashes(value):
        return False
    return isinstance(value, str | int | float | bool | list | dict)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
