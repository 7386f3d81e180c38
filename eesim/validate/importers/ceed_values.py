"""CEED profiles, value by value: which keys there are, and which numbers can be believed (docs/measurements.md)."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from eesim.document import Document
from eesim.errors import Problem
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import is_pickle, refuse
from eesim.wording import DataPath, show
from eesim.yamldoc import load_document

STATS = ("mean", "std", "var", "min", "max", "log_mean", "log_std", "log_var")
TIMES = ("layers_execution_time", "backbone_execution_time", "gate_execution_time")
MEMORY = ("layers_output_memory", "backbone_output_memory", "gate_output_memory")
CUMULATIVE = re.compile(r"execution_time_gate_(\d{1,6})_layer_(\d{1,6})")

MOST_S = 9000.0
"""Longest time that eesim counts, in seconds."""
MOST_BYTES = 10**15
_CLOSE = 1e-6
"""Relative tolerance of what must be equal: the file has 15 digits."""


class Stats(NamedTuple):
    """A measured time: mean and standard deviation in seconds, and the standard deviation of its logarithm."""

    mean: float
    std: float = 0.0
    log_std: float | None = None

    @property
    def cv(self) -> float:
        """Coefficient of variation of a lognormal with this ``log_std``; without one, standard deviation over mean.

        CEED's own simulator draws from the logarithms. They also feel the rare extreme samples less: one slow start
        among thousands can make ``std`` larger than the mean.
        """
        if self.log_std is not None:
            return math.sqrt(math.expm1(min(self.log_std, 10.0) ** 2))
        return self.std / self.mean if self.mean > 0 else 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of that lognormal, seconds."""
        return self.mean * self.cv


@dataclass(slots=True)
class Values:
    """What a profile states, by the file's own keys; times in seconds.

    Attributes
    ----------
    times, memory
        ``{"backbone_execution_time": {"layer_0_Conv_1": Stats}}``; bytes likewise.
    cumulative
        Time of inference that stops at a gate, by (gate, layer).
    whole
        Time of the whole model.
    bad
        What is wrong with times that cannot be used, by (key, name).
    """

    times: dict[str, dict[str, Stats]] = field(default_factory=dict)
    memory: dict[str, dict[str, int]] = field(default_factory=dict)
    cumulative: dict[tuple[int, int], Stats] = field(default_factory=dict)
    whole: Stats | None = None
    bad: dict[tuple[str, str], Problem] = field(default_factory=dict)


def load_json(path: Path) -> Document:
    """Read a JSON file with the position of each value.

    Raises
    ------
    InputError
        If it cannot be read, or is not JSON with an object on top.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise refuse(path, f"cannot be read: {error.strerror or error}") from None
    if is_pickle(path, head):
        raise refuse(path, "is a pickle, and loading a pickle runs whatever code is in it: it is not read")
    if not head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        raise refuse(path, "is no JSON object")
    return load_document(path)


def leaves(data: Any) -> int:
    """Count the values that are neither objects nor lists; an empty one counts as a value."""
    items = list(data.values()) if isinstance(data, dict) else data if isinstance(data, list) else None
    return sum(map(leaves, items)) if items else 1


class ValueReader:
    """Reads one profile, and counts what becomes of each of its values."""

    def __init__(self, path: Path, document: Document, tally: Tally) -> None:
        self.path = path
        self.document = document
        self.tally = tally
        self.values = Values()

    def read(self) -> Values:
        """Go over all keys once."""
        for key, value in self.document.data.items():
            self.tally.lines += leaves(value)
            cumulative = CUMULATIVE.fullmatch(key)
            if key in TIMES:
                self.values.times[key] = dict(self._records(key, value))
            elif key in MEMORY:
                self.values.memory[key] = dict(self._sizes(key, value))
            elif key == "memory":
                dict(self._sizes(key, value))
            elif key == "execution_time":
                self.values.whole = self._stats((key,), value)
            elif cumulative:
                stats = self._stats((key,), value)
                if stats is not None:
                    self.values.cumulative[int(cumulative[1]), int(cumulative[2])] = stats
            else:
                self._unknown((key,), value)
        return self.values

    def _unknown(self, path: DataPath, value: Any) -> None:
        """Count all values under a key that says nothing to eesim."""
        line = self.document.line(path)
        for _ in range(leaves(value)):
            self.tally.not_understood(self.path, line, ".".join(map(str, path)))

    def _group(self, key: str, value: Any) -> Mapping[str, Any]:
        if isinstance(value, dict):
            # An empty object is a value, too: one that says nothing.
            self.tally.understood += not value
            return value
        self.tally.understood += leaves(value)
        self.tally.skip(f"{key} is not an object", self.path, self.document.line((key,)), show(value))
        return {}

    def _records(self, key: str, value: Any) -> Iterator[tuple[str, Stats]]:
        for name, stats in self._group(key, value).items():
            found = self._stats((key, name), stats)
            if found is not None:
                yield name, found

    def _sizes(self, key: str, value: Any) -> Iterator[tuple[str, int]]:
        for name, size in self._group(key, value).items():
            self.tally.understood += leaves(size)
            if is_number(size) and 0 <= size <= MOST_BYTES:
                yield name, round(size)
            else:
                line = self.document.line((key, name))
                self.tally.skip("a size that is no number of bytes", self.path, line, f"{name}: {show(size)}")

    def _stats(self, path: DataPath, value: Any) -> Stats | None:
        """Return the statistics at a place; None if they are none, or contradict themselves."""
        if not isinstance(value, dict):
            self.tally.understood += leaves(value)
            self._bad(path, f"must be statistics, not {show(value)}")
            return None
        known = {name: value[name] for name in STATS if name in value}
        for name in value.keys() - known.keys():
            self._unknown((*path, name), value[name])
        self.tally.understood += sum(map(leaves, known.values())) if value else 1
        try:
            return stats_of(known)
        except ValueError as error:
            self._bad(path, str(error))
            return None

    def _bad(self, path: DataPath, reason: str) -> None:
        key, name = str(path[0]), str(path[-1])
        self.values.bad[key, name] = self.document.problem(path, reason)
        self.tally.skip(f"a time that cannot be used: {reason}", self.path, self.document.line(path), name)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def stats_of(known: Mapping[str, Any]) -> Stats:
    """Return a time from its statistics, checked against each other as far as they are there.

    Raises
    ------
    ValueError
        If they say no mean, or contradict each other.
    """
    for name, value in known.items():
        if not is_number(value):
            raise ValueError(f"{name} must be a number, not {show(value)}")
    get = known.get
    mean, std, log_mean = get("mean"), _deviation(known, "std", "var"), get("log_mean")
    log_std = _deviation(known, "log_std", "log_var")
    if mean is None and log_mean is not None:
        mean = math.exp(min(log_mean + (log_std or 0.0) ** 2 / 2, 100.0))
    if mean is None:
        raise ValueError("there is no mean")
    if not 0 <= mean <= MOST_S:
        raise ValueError(f"the mean is not between 0 and {MOST_S:g} s")
    low, high = get("min", mean), get("max", mean)
    slack = _CLOSE * abs(mean)
    if not low - slack <= mean <= high + slack:
        raise ValueError("the mean is not between min and max")
    least = _log(low) - _CLOSE if "min" in known else -math.inf
    if log_mean is not None and not least <= log_mean <= _log(mean) + _CLOSE:
        raise ValueError("log_mean does not belong to the mean")
    return Stats(float(mean), float(std or 0.0), log_std)


def _deviation(known: Mapping[str, Any], std: str, var: str) -> float | None:
    """Return a standard deviation, or the root of the variance where that is all there is."""
    deviation, variance = known.get(std), known.get(var)
    if min(deviation or 0, variance or 0) < 0:
        raise ValueError(f"{std if (deviation or 0) < 0 else var} is negative")
    if deviation is None:
        return None if variance is None else math.sqrt(variance)
    if variance is not None and not math.isclose(deviation, math.sqrt(variance), rel_tol=1e-4, abs_tol=1e-12):
        raise ValueError(f"{var} is not the square of {std}")
    return float(deviation)


def _log(value: float) -> float:
    # What is not above 0 was replaced by 1e-20 before its logarithm was taken.
    return math.log(max(value, 1e-20))
