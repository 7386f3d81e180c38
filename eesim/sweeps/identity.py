"""What a folder's sweep is a sweep of, on disk, so that a changed study is noticed, and told, before it goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eesim.errors import InputError, Problem
from eesim.provenance import digest, package_version
from eesim.sweeps.keys import engine_version
from eesim.sweeps.study import Study

FILE = "study.json"
SCHEMA_VERSION = 1
MAX_TOLD = 8


def identity_of(study: Study, store: Path) -> dict[str, Any]:
    """Plain data that says what a study is."""
    documents = {str(path): document.data for path, document in sorted(study.base.shared.documents.items())}
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.source,
        "store": str(store.resolve()),
        "points": study.design.size,
        "paths": list(study.design.paths),
        "metrics": list(study.metrics),
        "design_sha256": digest(repr(study.spec.design)),
        "engine": engine_version(),
        "eesim": package_version("eesim"),
        "numpy": package_version("numpy"),
        "scenario": study.base.document.data,
        "files_sha256": {name: digest(data) for name, data in documents.items()} | _digests_of_traces(study),
    }


def _digests_of_traces(study: Study) -> dict[str, str]:
    """What the streams' files hold, by their names."""
    found: dict[str, Any] = {}
    for key, traces in sorted(study.base.shared.traces_read.items()):
        parts = [traces.arrival_ns, traces.exit, traces.confident, traces.alternatives, *traces.samples, traces.scene]
        content = found.setdefault(key.partition("\n")[0], hashlib.sha256())
        content.update(b"".join(part.tobytes() for part in parts))
    return {name: content.hexdigest() for name, content in found.items()}


def read_identity(folder: Path) -> dict[str, Any] | None:
    """Return what a folder's sweep is of; None if it has none.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = folder / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError([Problem(str(path), 0, "", f"cannot be read: {error}")]) from None
    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            [Problem(str(path), 0, "schema_version", f"is not {SCHEMA_VERSION}: another version wrote it")]
        )
    return data


def write_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    """Note what a folder's sweep is of."""
    temporary = folder / f".{FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(identity, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, folder / FILE)


def changed_inputs(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed so that points that are still in the study have to be simulated again."""
    found = []
    if before["engine"] != now["engine"]:
        versions = [f"{name} {before[name]} -> {now[name]}" for name in ("eesim", "numpy") if before[name] != now[name]]
        found.append(f"the engine ({', '.join(versions) or 'its source'})")
    found += [
        f"{name}: {_shown(old)} -> {_shown(new)}"
        for name, old, new in _differences(before["scenario"], now["scenario"])
    ]
    old_files, new_files = before["files_sha256"], now["files_sha256"]
    found += [f"file {name}" for name in new_files if old_files.get(name, new_files[name]) != new_files[name]]
    if len(found) > MAX_TOLD:
        found[MAX_TOLD:] = [f"{len(found) - MAX_TOLD} more"]
    return found


def changed_design(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How the design has changed, in words; empty if it has not."""
    if before["design_sha256"] == now["design_sha256"]:
        return ""
    return f"the design has changed since ({before['points']:,} points then, {now['points']:,} now)"


def _differences(old: Any, new: Any, path: str = "scenario") -> Iterator[tuple[str, Any, Any]]:
    """Values of two documents that differ, with their paths."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                yield from _differences(old.get(key), new.get(key), f"{path}.{key}")
    elif old != new:
        yield path, old, new


def _shown(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
