"""eesim: how will this early-exit network behave on this heterogeneous SoC under this stream of inputs?

>>> import eesim
>>> scenario = eesim.load("scenarios/ee_resnet18_camera.yaml", {"stream.arrivals.rate": "60 Hz"})
>>> eesim.run(scenario).to_dict()["latency_ms"]["p99"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eesim import explore
    from eesim.errors import InputError, Problem, SimulationDeadlock
    from eesim.evaluate import run
    from eesim.fitting.exit_fit import ExitFit
    from eesim.fitting.exits import fit_exits
    from eesim.fitting.shared import SharedDifficulty, fit_shared_difficulty, shared_difficulty_of
    from eesim.metrics.result import Result
    from eesim.plan.lower import lower
    from eesim.report.html.page import report_html
    from eesim.scenario.load import Scenario, load

__all__ = [
    "ExitFit",
    "InputError",
    "Problem",
    "Result",
    "Scenario",
    "SharedDifficulty",
    "SimulationDeadlock",
    "explore",
    "fit_exits",
    "fit_shared_difficulty",
    "load",
    "lower",
    "report_html",
    "run",
    "shared_difficulty_of",
]

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
    "report_html": "eesim.report.html.page",
    "run": "eesim.evaluate",
}


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: the command line must start without numba and pandas."""
    if name != "explore" and name not in _HOMES:
        raise AttributeError(f"module 'eesim' has no attribute {name!r}")
    from importlib import import_module

    if name == "explore":
        return import_module("eesim.explore")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
