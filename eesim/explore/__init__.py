"""Design-space exploration: the best mapping, with the proof or the gap.

The module can be called: ``eesim.explore(scenario)`` is `eesim.explore.exploration.explore`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eesim.explore.exploration import Exploration
    from eesim.explore.ga_py import ga_py_fitness

__all__ = ["ga_py_fitness"]


class _Callable(ModuleType):
    """A module that is also the function that it is named after."""

    def __call__(self, *args: Any, **options: Any) -> Exploration:
        from eesim.explore.exploration import explore

        return explore(*args, **options)


sys.modules[__name__].__class__ = _Callable


def __getattr__(name: str) -> Any:
    """Import public names when they are first used."""
    if name == "ga_py_fitness":
        from eesim.explore.ga_py import ga_py_fitness

        return ga_py_fitness
    raise AttributeError(f"module 'eesim.explore' has no attribute {name!r}")
