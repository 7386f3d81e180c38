"""Power per phase: a run log's phases laid over the GPIO marks of a power log, and checked against their lengths.

Origin: CO-UP-Profiling, commit 22005a9 (Profiling/parse_power.py:6-129).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from eesim.validate.importers.coup_checks import WARM_UP
from eesim.validate.importers.coup_reports import SLEEP_MS, Refused
from eesim.validate.importers.measured import MeasuredRun
from eesim.validate.importers.power_samples import Interval

STEP_MS = 10
"""Samples come every 1 to 3 ms; a longer step means that some are missing."""
LENGTH_SLACK = (2.5, 0.05)
"""A phase may differ by so many ms, and this share, from the log's time (observed: 1.0 ms): two samples and jitter."""


@dataclass(frozen=True, slots=True)
class RunPower:
    """Mean power of the phases of a run, mW, whole board.

    Attributes
    ----------
    input_mw
        Input, with the output of the frame before (and the sleep between, in mode ``layers``).
    layers_mw
        Each layer; in mode ``whole`` one value for all of them.
    """

    input_mw: float
    layers_mw: tuple[float, ...]


def intervals_per_run(n_layers: int, frames: int) -> int:
    """Return how many intervals a run has: a gap and a layer, for each layer and frame, and two at the end."""
    return 2 * n_layers * (frames + WARM_UP) + 2


def power_of(run: MeasuredRun, found: Sequence[Interval]) -> RunPower:
    """Return the power of a run's phases.

    The mean of an interval's samples, then the mean over all frames, those of the warm-up included.

    Parameters
    ----------
    run
        The run.
    found
        Its `intervals_per_run` intervals.

    Raises
    ------
    Refused
        If the intervals do not look like this run.
    """
    n_layers = 1 if run.mode == "whole" else len(run.layers)
    line = found[0].samples[0].line
    if found[0].gpio != 1:
        raise Refused("power left out: the marks begin with the wrong level", line)
    if run.receivers is not None and any(len(targets) > 1 for targets in run.receivers):
        raise Refused("power left out: branches overlap, and their marks with them", line)
    times = [sample.time_ms for interval in found for sample in interval.samples if sample.time_ms is not None]
    if any(not 0 < later - earlier <= STEP_MS for earlier, later in itertools.pairwise(times)):
        raise Refused("power left out: samples are missing, twice or out of order", line)
    phases = found[:-2]
    if times:
        _check_lengths(run, phases, found[-2], n_layers)
    means = [interval.mean_mw for interval in phases]
    by_phase = [means[phase :: 2 * n_layers] for phase in range(2 * n_layers)]
    averages = [sum(values) / len(values) for values in by_phase]
    return RunPower(averages[0], tuple(averages[1::2]))


def _check_lengths(run: MeasuredRun, phases: Sequence[Interval], after: Interval, n_layers: int) -> None:
    """Compare the length of each phase, over the frames that the log averages, with the log's time."""
    begins = [interval.samples[0].time_ms or 0 for interval in (*phases, after)]
    lengths = [later - earlier for earlier, later in itertools.pairwise(begins)]
    skip = 2 * n_layers * WARM_UP
    of_phase = [lengths[skip + phase :: 2 * n_layers] for phase in range(2 * n_layers)]
    means = [sum(values) / len(values) for values in of_phase]
    slack, share = LENGTH_SLACK
    for layer, expected in enumerate(_expected(run)):
        if abs(means[2 * layer + 1] - expected) > slack + share * expected:
            detail = f"layer {layer}: {means[2 * layer + 1]:.1f} ms between marks, {expected:.1f} ms in the log"
            raise Refused("power left out: the marks do not fit the log's times", phases[0].samples[0].line, detail)
    for gap in means[2::2]:
        if not SLEEP_MS - slack <= gap <= SLEEP_MS + 2 * slack:
            detail = f"{gap:.1f} ms between two layers instead of {SLEEP_MS:g}"
            raise Refused("power left out: the marks do not fit the log's times", phases[0].samples[0].line, detail)


def _expected(run: MeasuredRun) -> list[float]:
    """Times between marks that the log leads one to expect, ms."""
    if run.mode == "whole":
        # From the first task of the first subgraph to the last task of the last.
        outside = run.subgraphs[0].input_ms + run.subgraphs[-1].output_ms
        return [run.latency_ms - outside]
    return [layer.time_ms for _, layer in run.layers]
