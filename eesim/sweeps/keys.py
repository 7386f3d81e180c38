"""Keys of points: a digest of everything that a point's numbers follow from, and of nothing else.

Equal keys mean equal numbers, whatever study asks and however it is written: units, order strings, presets and defaults
are resolved first. The engine is part of the key: the source of every room that has a part in the numbers, and the
version of numpy, whose generators draw the streams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from eesim.evaluate import trace_digests
from eesim.provenance import package_version
from eesim.scenario.load import Scenario
from eesim.workload.arrivals import ArrivalTrace
from eesim.workload.confidences import ExitConfidences
from eesim.workload.exits import ExitTrace

KEY_BYTES = 16

_ROOMS = ("hardware", "workload", "mapping", "scenario", "plan", "engine", "metrics")
_FILES = ("base.py", "evaluate.py", "quantity.py", "units.py")


@cache
def engine_version() -> str:
    """Digest of what turns a resolved scenario into numbers."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(f"numpy {package_version('numpy')}".encode())
    for file in [*(package / name for name in _FILES), *sorted(f for r in _ROOMS for f in (package / r).glob("*.py"))]:
        digest.update(f"{file.parent.name}/{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


class Keys:
    """Computes keys; digests of boards, networks and profiles are kept."""

    def __init__(self) -> None:
        self._parts: dict[int, tuple[Any, str]] = {}

    def part(self, model: Any, told: Callable[[Any], Any] = lambda model: model) -> str:
        """Digest of a resolved part, or of what it has ``told``."""
        known = self._parts.get(id(model))
        if known is None:
            known = model, hashlib.sha256(repr(told(model)).encode()).hexdigest()
            if len(self._parts) > 10_000:
                self._parts.clear()
            self._parts[id(model)] = known
        return known[1]

    def key(self, scenario: Scenario) -> bytes:
        """Key of a scenario, `KEY_BYTES` bytes."""
        told = (
            engine_version(),
            scenario.names,
            tuple(entry.priority for entry in scenario.spec.streams),
            tuple(self._stream(member) for member in scenario.streams),
            trace_digests(scenario),
            scenario.n_frames,
            self.part(scenario.spec.run, lambda run: _without(run, "frames")),
            self.part(scenario.spec.requirements),
        )
        return hashlib.sha256(repr(told).encode()).digest()[:KEY_BYTES]

    def _stream(self, scenario: Scenario) -> tuple[Any, ...]:
        """What one stream's numbers follow from."""
        spec = scenario.spec
        return (
            self.part(scenario.board),
            self.part(scenario.network),
            self.part(scenario.profile),
            self.part(scenario.mapping),
            # The preset counts by its name: it chooses among the board's measured runtimes.
            self.part(scenario.policy),
            self.part(spec.physics),
            _without_path(spec.stream.arrivals),
            _without_path(spec.stream.exits),
            spec.stream.noise,
            self.part(spec.requirements),
        )


def _without_path(model: Any) -> Any:
    """A stream's model; of a file, what counts is what it holds."""
    return _without(model, "path") if isinstance(model, (ArrivalTrace, ExitTrace, ExitConfidences)) else model


def _without(model: Any, key: str) -> dict[str, Any]:
    return {name: value for name, value in model if name != key}
