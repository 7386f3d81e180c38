"""Compare scenarios, replication by replication, on the same random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from eesim.engine.simulate import EngineName
from eesim.errors import InputError, Problem
from eesim.evaluate import Replications
from eesim.metrics.paired import Paired, holm, paired
from eesim.metrics.replication import NAN
from eesim.scenario.load import Scenario
from eesim.whatif.comparison import Comparison, MetricDifference, Variant
from eesim.whatif.inputs import changes, simulation_key
from eesim.whatif.metrics import checked, headline, split
from eesim.whatif.pairing import pairing
from eesim.whatif.precision import Precision, parse_precision, replications_for

LEAST = 2
"""Replications below which no paired difference has an interval."""

MAX_REPLICATIONS = 1000
"""Replications at which the search for a precision ends unless told otherwise."""

DEFAULT_PRECISION_OF = ("latency_ms.mean", "latency_ms.p99")
"""Metrics that a precision is asked of if none are named; those of each of several streams, too."""


def compare(
    scenario: Scenario,
    *others: Scenario,
    labels: Sequence[str] = (),
    metrics: Sequence[str] = (),
    precision: str | None = None,
    replications: int | None = None,
    max_replications: int = MAX_REPLICATIONS,
    seed: int | None = None,
    engine: EngineName = "compiled",
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Compare scenarios with the first one, replication by replication, on the same random numbers.

    Parameters
    ----------
    scenario, others
        What to compare; seed, number of replications and confidence are the first one's for all.
    labels
        Names of all of them; ``A``, ``B``, ... by default.
    metrics
        Flat names (``latency_ms.p99``) or requirements (``p99_latency``); ``["all"]`` for every one that all have. By
        default what `eesim run` shows first.
    precision
        ``"1 %"`` (of the first scenario's value) or an amount (``"0.1 ms"``): replications are added until the
        intervals of the differences of ``metrics`` (by default of mean and p99 latency) are at most so far to each
        side.
    replications, max_replications
        To begin with (at least 2), and at most.
    seed, engine, progress
        As in `eesim.run`.

    Raises
    ------
    InputError
        If there is nothing to compare with, or metrics or the precision make no sense.
    """
    if not others:
        raise InputError([Problem("compare", 0, "", "needs a second scenario")])
    chosen = scenario.spec.run.seed if seed is None else seed
    runs = [Replications(one, engine=engine, seed=chosen, progress=progress) for one in (scenario, *others)]
    begin = max(LEAST, replications or scenario.spec.run.replications)
    _simulate(runs, range(begin))
    names = _names(runs, metrics)
    watched = [name for name in names if metrics or split(name)[1] in DEFAULT_PRECISION_OF]
    target = parse_precision(precision, watched) if precision else None
    count = begin
    while target and (more := _wanted(runs, watched, target, count)) > count < max_replications:
        more = min(more, max_replications)
        _simulate(runs, range(count, more))
        count = more
    names_of_all = list(labels) or [_letter(i) for i in range(len(runs))]
    return Comparison(
        label=names_of_all[0],
        result=runs[0].result(),
        variants=tuple(_variants(runs, names_of_all, names)),
        replications=count,
        confidence=scenario.spec.run.confidence,
        precision=target,
        precision_of=tuple(watched) if target else (),
        precise=target is None or _wanted(runs, watched, target, count) <= count,
    )


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"variant {index}"


def _simulate(runs: Sequence[Replications], numbers: range) -> None:
    """Run replications of all scenarios, and leave the same frames out of each where warm-ups are found by rule.

    Every scenario finds its own warm-up; the longest one counts for all of them.
    """
    for run in runs:
        run.simulate(numbers)
    automatic = all(run.scenario.spec.run.warmup == "auto" for run in runs)
    if not automatic or len({run.scenario.n_frames for run in runs}) > 1:
        return
    cuts = {r: max(run.done[r].warmup_frames for run in runs) for r in numbers}
    for run in runs:
        short = [r for r in numbers if run.done[r].warmup_frames < cuts[r]]
        if short:
            run.simulate(short, cuts)


def _names(runs: Sequence[Replications], metrics: Sequence[str]) -> list[str]:
    """Return the metrics to compare, all of which every scenario has."""
    known = [name for name in runs[0].done[0].values if all(name in run.done[0].values for run in runs)]
    if list(metrics) == ["all"]:
        return known
    if metrics:
        return checked(metrics, known, "--metric")
    return [name for name in headline([(run.scenario, run.lowered) for run in runs]) if name in known]


def _values(run: Replications, metric: str) -> list[float]:
    return [replication.values.get(metric, NAN) for replication in run.done]


def _differences(runs: Sequence[Replications], metrics: Sequence[str]) -> Iterator[list[Paired]]:
    """Differences of every metric, scenario by scenario."""
    confidence = runs[0].scenario.spec.run.confidence
    for run in runs[1:]:
        yield [paired(_values(runs[0], name), _values(run, name), confidence) for name in metrics]


def _wanted(runs: Sequence[Replications], metrics: Sequence[str], target: Precision, now: int) -> int:
    """Replications that the widest of the intervals asks for."""
    return max(
        replications_for(found.difference, target.half_width(name, found.a.value), now)
        for row in _differences(runs, metrics)
        for name, found in zip(metrics, row, strict=True)
    )


def _variants(runs: Sequence[Replications], labels: Sequence[str], metrics: Sequence[str]) -> Iterator[Variant]:
    table = list(_differences(runs, metrics))
    adjusted = iter(holm([found.p_value for row in table for found in row]))
    base = runs[0].scenario
    alpha = 1 - base.spec.run.confidence
    first = _identity(runs[0])
    for run, label, row in zip(runs[1:], labels[1:], table, strict=True):
        found = []
        for name, both in zip(metrics, row, strict=True):
            p = next(adjusted)
            found.append(MetricDifference(name, both, p, None if p is None else p < alpha))
        yield Variant(
            label=label,
            result=run.result(),
            changes=tuple(changes(base, run.scenario)),
            pairing=pairing(base, run.scenario),
            same_simulation=_identity(run) == first,
            metrics=tuple(found),
        )


def _identity(run: Replications) -> tuple[str, str | int]:
    return simulation_key(run.scenario, run.lowered), run.scenario.spec.run.warmup
