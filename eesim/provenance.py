"""Where a result comes from: hashes of the inputs, versions, seed; stamped on everything that is written."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("numpy", "numba", "simpy", "scipy", "pandas")


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: equal data give equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(data: Any) -> str:
    """SHA-256 of `canonical` data, in hexadecimal."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


@cache
def package_version(name: str) -> str:
    """Version of an installed package, or ``unknown``."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def provenance(
    inputs: Mapping[str, Any],
    files: Mapping[str, str],
    extra_digests: Mapping[str, str],
    *,
    seed: int,
    replications: int,
) -> dict[str, Any]:
    """Return what a reader needs to get the same result again.

    Parameters
    ----------
    inputs
        Resolved data of each input.
    files
        Where each came from.
    extra_digests
        Digests of other inputs (traces).
    seed, replications
        Of the run, whatever the scenario says.
    """
    parts = {name: digest(data) for name, data in inputs.items()} | dict(extra_digests)
    return {
        "inputs_sha256": digest({**parts, "seed": seed, "replications": replications}),
        "parts_sha256": parts,
        "files": dict(files),
        "seed": seed,
        "eesim": package_version("eesim"),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
    }
