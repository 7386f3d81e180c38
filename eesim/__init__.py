"""eesim: how will this early-exit network behave on this heterogeneous SoC under this stream of inputs?

>>> import eesim
>>> scenario = eesim.load("scenarios/ee_resnet18_camera.yaml", {"stream.arrivals.rate": "60 Hz"})
>>> eesim.run(scenario).to_dict()["latency_ms"]["p99"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eesim import explore, thresholds
    from eesim.errors import InputError, Problem, SimulationDeadlock
    from eesim.evaluate import run
    from eesim.fitting.exit_fit import ExitFit
    from eesim.fitting.exits import fit_exits
    from eesim.fitting.shared import SharedDifficulty, fit_shared_difficulty, shared_difficulty_of
    from eesim.metrics.result import Result
    from eesim.plan.lower import lower
    from eesim.scenario.load import Scenario, load
    from eesim.sweeps.sweep import sweep
    from eesim.validate.validation import Validation, validate_runs
    from eesim.whatif.candidates import rank_candidates
    from eesim.whatif.compare import compare
    from eesim.whatif.sensitivity import sensitivity

__all__ = [
    "ExitFit",
    "InputError",
    "Problem",
    "Result",
    "Scenario",
    "SharedDifficulty",
    "SimulationDeadlock",
    "Validation",
    "compare",
    "explore",
    "fit_exits",
    "fit_shared_difficulty",
    "load",
    "lower",
    "rank_candidates",
    "run",
    "sensitivity",
    "shared_difficulty_of",
    "sweep",
    "thresholds",
    "validate_runs",
]

_MODULES = ("explore", "thresholds")
"""Modules that are also functions."""

_HOMES = {
    "ExitFit": "eesim.fitting.exit_fit",
    "InputError": "eesim.errors",
    "Problem": "eesim.errors",
    "SimulationDeadlock": "eesim.errors",
    "Result": "eesim.metrics.result",
    "Scenario": "eesim.scenario.load",
    "SharedDifficulty": "eesim.fitting.shared",
    "fit_exits": "eesim.fitting.exits",
    "fit_shared_difficulty": "eesim.fitting.shared",
    "shared_difficulty_of": "eesim.fitting.shared",
    "load": "eesim.scenario.load",
    "lower": "eesim.plan.lower",
    "run": "eesim.evaluate",
    "sweep": "eesim.sweeps.sweep",
    "compare": "eesim.whatif.compare",
    "rank_candidates": "eesim.whatif.candidates",
    "sensitivity": "eesim.whatif.sensitivity",
    "Validation": "eesim.validate.validation",
    "validate_runs": "eesim.validate.validation",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: the command line must start without numba and pandas."""
    if name not in _MODULES and name not in _HOMES:
        raise AttributeError(f"module 'eesim' has no attribute {name!r}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"eesim.{name}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
