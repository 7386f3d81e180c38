"""Exit-threshold search on per-sample confidences: exact, and the published shortest-path formulation beside it.

The module can be called: ``eesim.thresholds(scenario)`` is `eesim.thresholds.search.find_thresholds`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eesim.thresholds.outcome import ThresholdSearch


class _Callable(ModuleType):
    """A module that is also the function that it is named after."""

    def __call__(self, *args: Any, **options: Any) -> ThresholdSearch:
        from eesim.thresholds.search import find_thresholds

        return find_thresholds(*args, **options)


sys.modules[__name__].__class__ = _Callable
