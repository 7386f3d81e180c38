"""Where the measured data lie that do not ship; tests that need them skip without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("EESIM_SHARED", Path(__file__).parents[3] / "shared"))


def shared(name: str) -> Path:
    """Return a path in the shared folder, or skip the test."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"there is no {path} (set EESIM_SHARED)")
    return path
