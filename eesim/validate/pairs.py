"""Matched pairs of pipeline runs: what one PE does to another, with everything else equal.

Two measured runs of one network that differ in one thing (the cluster of a driver thread, or one clock) share
their layers, stages and clocks, and with them whatever a model of single stages gets wrong. Where one stage is the
slowest in both, the ratio of the two periods is what the change did to that stage. The simulator says which stage is
the slowest, by how much, and how long the others worked beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.plan.chain import Missing
from eesim.plan.chain_pipeline import COPY, Pipeline
from eesim.plan.plan import EventKind, Plan
from eesim.validate.harness import event_times
from eesim.validate.predict import Predictor
from eesim.validate.runs import Run


class Witness(NamedTuple):
    """What the simulator says about a run.

    Attributes
    ----------
    bottleneck
        PE of the stage with the most work per frame; waiting does not count.
    margin
        By how much its work exceeds that of the next stage, relative; infinite where it is alone.
    beside
        Share of the time in which the bottleneck worked that each other resource worked, too: a PE that computes, or
        ``PE.copy``, its driver thread that copies.
    """

    bottleneck: str
    margin: float
    beside: Mapping[str, float]

    def load(self, pe: str) -> float:
        """Share of the time that a PE computes or copies; both are its stage's, and never at once."""
        return self.beside.get(pe, 0.0) + self.beside.get(pe + COPY, 0.0)


class Pair(NamedTuple):
    """Two runs, as indices: in ``more``, what is looked for is present, or larger."""

    less: int
    more: int


def witness(predictor: Predictor, run: Run) -> Witness | None:
    """Simulate a pipeline run; None where something that it needs was never measured."""
    try:
        chain = predictor.chain(run)
        pipeline, plan, log = predictor.simulate_pipeline(chain)
    except Missing:
        return None
    return read_witness([stage.pe for stage in chain.stages], pipeline, plan, log)


def read_witness(pes: Sequence[str], pipeline: Pipeline, plan: Plan, log: IntArray) -> Witness:
    """Read a witness off an event log of the harness's frames; the warm-up frame does not count.

    Parameters
    ----------
    pes
        PE of each stage.
    """
    start, finish = (event_times(log, kind, plan.n_nodes) for kind in (EventKind.START, EventKind.FINISH))
    stage = np.array(pipeline.stage)
    work = np.bincount(stage, (finish - start)[1:].mean(axis=0), minlength=len(pes))
    slowest = int(work.argmax())
    next_to = float(np.delete(work, slowest).max(initial=0.0))
    own = np.flatnonzero(stage == slowest)
    begin, end = start[1:, own].ravel(), finish[1:, own].ravel()
    total = max(float((end - begin).sum()), 1.0)
    beside: dict[str, float] = {}
    for name in dict.fromkeys(task.pe for task in pipeline.tasks):
        its = [i for i, task in enumerate(pipeline.tasks) if task.pe == name and stage[i] != slowest]
        if its:
            beside[name] = _overlap(begin, end, start[:, its].ravel(), finish[:, its].ravel()) / total
    return Witness(pes[slowest], work[slowest] / next_to - 1 if next_to else float("inf"), beside)


def _overlap(begin: IntArray, end: IntArray, start: IntArray, finish: IntArray) -> float:
    """Time within ``[begin, end)`` in which intervals that do not overlap each other are on, ns."""
    order = np.argsort(start, kind="stable")
    length = (finish - start)[order]
    corners = np.stack([start[order], finish[order]], axis=1).ravel()
    done = np.stack([np.cumsum(length) - length, np.cumsum(length)], axis=1).ravel()
    return float((np.interp(end, corners, done) - np.interp(begin, corners, done)).sum())


def configurations(runs: Sequence[Run]) -> list[Run]:
    """Pipeline runs that were timed by the harness, repeats of a configuration as one with their mean period."""
    found: dict[object, list[Run]] = {}
    for run in runs:
        if run.suite == "pipeline" and "latency" in run.measured:
            found.setdefault((run.graph, run.order, run.pe_hz, run.hosts), []).append(run)
    means = ([run.measured["period"] for run in same] for same in found.values())
    return [
        replace(same[0], measured={"period": float(np.mean(periods))})
        for same, periods in zip(found.values(), means, strict=True)
    ]


def host_pairs(runs: Sequence[Run], pe: str, host: str) -> list[Pair]:
    """Pairs that differ in where the driver thread of a PE sits: on ``host`` in ``more``.

    Runs that do not use the PE at all are paired, too: they are a placebo.
    """
    found: dict[object, dict[bool, int]] = {}
    for i, run in enumerate(runs):
        others = tuple(item for item in run.hosts if item[0] != pe)
        found.setdefault((run.graph, run.order, run.pe_hz, others), {})[dict(run.hosts)[pe] == host] = i
    return [Pair(two[False], two[True]) for two in found.values() if len(two) == 2]


def clock_pairs(runs: Sequence[Run], pe: str, witnesses: Sequence[Witness | None], above: float) -> list[Pair]:
    """Pairs that differ in the clock of a PE: in ``more`` it works longer beside the bottleneck.

    Parameters
    ----------
    witnesses
        Of each run.
    above
        By how much its share of the bottleneck's time must differ, at least.
    """
    found: dict[object, list[int]] = {}
    for i, run in enumerate(runs):
        if pe in run.order and witnesses[i] is not None:
            others = tuple(item for item in run.pe_hz if item[0] != pe)
            found.setdefault((run.graph, run.order, run.hosts, others), []).append(i)
    return list(_busier(found.values(), pe, witnesses, above))


def _busier(groups: Iterable[list[int]], pe: str, witnesses: Sequence[Witness | None], above: float) -> Iterator[Pair]:
    for same in groups:
        for i, j in combinations(same, 2):
            a, b = witnesses[i], witnesses[j]
            assert a is not None
            assert b is not None
            longer = b.load(pe) - a.load(pe)
            if abs(longer) >= above:
                yield Pair(i, j) if longer > 0 else Pair(j, i)


def slowest_in_both(
    pairs: Sequence[Pair], witnesses: Sequence[Witness | None], victim: str, margin: float
) -> list[Pair]:
    """Pairs in which a PE is the bottleneck of both runs, by a margin."""

    def is_slowest(i: int) -> bool:
        seen = witnesses[i]
        return seen is not None and seen.bottleneck == victim and seen.margin >= margin

    return [pair for pair in pairs if is_slowest(pair.less) and is_slowest(pair.more)]


def ratios(pairs: Sequence[Pair], periods: FloatArray) -> FloatArray:
    """Period of ``more`` over that of ``less``, (n,)."""
    return periods[[p.more for p in pairs]] / periods[[p.less for p in pairs]]
