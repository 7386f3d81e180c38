"""Power logs: samples with a GPIO mark, cut into intervals of one level."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import refuse

_NUMBER = r"([0-9]+(?:\.[0-9]*)?)"
CURRENT = re.compile(rf"([01]),([0-9]+),{_NUMBER}")
"""gpio, time in ms (Arduino's clock), power in mW."""
OLD = re.compile(rf"([01]),{_NUMBER},{_NUMBER},{_NUMBER}")
"""gpio, V, mA, mW."""
RESOLUTION_MW = 10.0
MOST_MW = 50_000.0
"""No sample of these boards is above it: the supply gives less."""
OLD_SLACK = 0.02
"""Relative difference of V x mA and mW that rounding and drift explain."""


class Sample(NamedTuple):
    """One sample."""

    line: int
    gpio: int
    time_ms: int | None
    power_mw: float


class Interval(NamedTuple):
    """Consecutive samples of one GPIO level."""

    gpio: int
    samples: tuple[Sample, ...]

    @property
    def mean_mw(self) -> float:
        """Mean power."""
        return sum(sample.power_mw for sample in self.samples) / len(self.samples)


def read_samples(path: Path, lines: Sequence[str], tally: Tally) -> list[Sample]:
    """Return the samples from the first with the mark up; what stands before it was not meant.

    Raises
    ------
    InputError
        If the file has neither three nor four columns.
    """
    width = _width(lines)
    if width not in (3, 4):
        raise refuse(path, "is no power log: its rows have neither 3 columns (gpio,ms,mW) nor 4 (gpio,V,mA,mW)")
    samples: list[Sample] = []
    for number, line in enumerate(lines, 1):
        tally.lines += 1
        sample = _current(number, line) if width == 3 else _old(number, line)
        if sample is not None and sample.power_mw > MOST_MW:
            sample = None
        if sample is not None and (samples or sample.gpio):
            tally.understood += 1
            samples.append(sample)
        elif sample is not None or not line.strip():
            tally.noise += 1
        else:
            tally.not_understood(path, number, line)
    return samples


def _width(lines: Sequence[str]) -> int:
    """Return the number of columns that most of the first lines have."""
    counts = [line.count(",") + 1 for line in lines[:1000] if line.strip()]
    return max(set(counts), key=lambda width: (counts.count(width), width)) if counts else 0


def _current(number: int, line: str) -> Sample | None:
    match = CURRENT.fullmatch(line.strip())
    return None if match is None else Sample(number, int(match[1]), int(match[2]), float(match[3]))


def _old(number: int, line: str) -> Sample | None:
    match = OLD.fullmatch(line.strip())
    if match is None:
        return None
    product, power = float(match[2]) * float(match[3]), float(match[4])
    if abs(product - power) > RESOLUTION_MW + OLD_SLACK * power:
        return None
    return Sample(number, int(match[1]), None, power)


def intervals(samples: Sequence[Sample]) -> list[Interval]:
    """Cut the samples where the mark changes."""
    return [Interval(gpio, tuple(group)) for gpio, group in groupby(samples, key=lambda sample: sample.gpio)]
