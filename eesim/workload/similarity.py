"""Which frames show the same: runs of similar frames, called scenes, in which an answer may be used again.

Scenes are numbered in the order in which they begin; a frame differs from another one if its scene does. What happens
inside a scene (who detects it, what is done with it) is the policy's (`eesim.mapping.reuse`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eesim.base import IntArray
from eesim.findings import SpecError
from eesim.oneof import OneOf
from eesim.spec import Spec
from eesim.workload.switching import Dwell, dwell_findings, dwell_law

_AT_A_TIME = 1024
"""Lengths drawn at a time; part of the definition of what a seed means."""

_LONGEST = 8 * 10**15
"""Lengths in ns are cut here (92 days), so that any number drawn at a time adds up within 64 bits."""


class SceneLengths(Spec):
    """Scenes follow each other; how long each lasts is drawn.

    A dwell is the mean of a memoryless one (geometric in frames, exponential in time), or a list to draw from. The
    stream begins somewhere in a scene, as it is found at a random moment.
    """

    kind: Literal["lengths"]
    dwell: Dwell

    @model_validator(mode="after")
    def _possible(self) -> Self:
        found = dwell_findings(self.dwell)
        if found:
            raise SpecError([(path, message) for path, message in found])
        return self

    @property
    def in_frames(self) -> bool:
        """Whether scenes last for frames, not for times."""
        return dwell_law(self.dwell).in_frames


class SceneRegimes(Spec):
    """A scene is a stay in one regime of the stream's exits (which must be of kind ``regimes``)."""

    kind: Literal["regimes"]


class SceneTrace(Spec):
    """Scenes from a CSV or Parquet file: its column ``scene``, or, with a threshold, its column ``difference``.

    A row's ``difference`` is how much the frame differs from the one before it; a new scene begins where it is above
    the threshold.
    """

    kind: Literal["trace"]
    path: Path
    threshold: Annotated[float, Field(ge=0)] | None = None


Scenes = Annotated[SceneLengths | SceneRegimes | SceneTrace, OneOf()]


class SceneSampler:
    """Numbers the scenes of one replication, block after block.

    Parameters
    ----------
    model
        Where they come from.
    rng
        Random stream of this replication's scenes.
    trace
        (F,) scenes of a trace.
    """

    def __init__(
        self, model: SceneLengths | SceneRegimes | SceneTrace, rng: np.random.Generator, trace: IntArray
    ) -> None:
        self._trace = trace
        self._drawn = 0
        self._lengths = _Lengths(model, rng) if isinstance(model, SceneLengths) else None
        self._in_frames = isinstance(model, SceneLengths) and model.in_frames
        self._last_regime = -1
        self._scene = -1

    def draw(self, arrival_ns: IntArray, regimes: IntArray) -> IntArray:
        """Return the scenes of the next frames, (F,).

        Parameters
        ----------
        arrival_ns
            Their instants of arrival.
        regimes
            Regime of each of them, where the exits have regimes.
        """
        begin, count = self._drawn, len(arrival_ns)
        self._drawn += count
        if self._lengths is not None:
            positions = np.arange(begin, begin + count, dtype=np.int64) if self._in_frames else arrival_ns
            return self._lengths.at(positions)
        if len(self._trace):
            return self._trace[begin : begin + count]
        changes = np.diff(regimes, prepend=self._last_regime) != 0
        out: IntArray = self._scene + np.cumsum(changes, dtype=np.int64)
        if count:
            self._last_regime, self._scene = int(regimes[-1]), int(out[-1])
        return out


class _Lengths:
    """Ends of scenes, drawn as far as they are asked for."""

    def __init__(self, model: SceneLengths, rng: np.random.Generator) -> None:
        self._law = dwell_law(model.dwell)
        self._rng = rng
        self._passed = 0
        self._ends = np.array([self._law.remaining(rng.random(2))], np.int64)

    def at(self, positions: IntArray) -> IntArray:
        """Return the scene at each position; positions never decrease from call to call."""
        while len(positions) and self._ends[-1] <= positions[-1]:
            lengths = np.minimum(self._law.draw(self._rng.random(_AT_A_TIME)), _LONGEST)
            self._ends = np.concatenate([self._ends, self._ends[-1] + np.cumsum(lengths)])
        index = np.searchsorted(self._ends, positions, side="right")
        out = np.asarray(self._passed + index, np.int64)
        if len(positions):
            self._passed += int(index[-1])
            self._ends = self._ends[index[-1] :]
        return out


def scenes_of_differences(difference: np.ndarray[tuple[int], np.dtype[np.float64]], threshold: float) -> IntArray:
    """Number the scenes of a trace: a new one begins where a frame differs from the one before by more than this."""
    return np.cumsum(np.append(False, difference[1:] > threshold), dtype=np.int64)
