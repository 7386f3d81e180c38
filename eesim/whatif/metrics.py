"""Metrics that comparisons and sensitivities speak about: which ones, in which unit, and in which words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eesim.errors import InputError, Problem, suggest
from eesim.metrics.replication import QUANTILES
from eesim.metrics.requirements import RULES
from eesim.plan.lower import Lowered
from eesim.scenario.load import Scenario

_UNITS = {
    "latency_ms": "ms",
    "parts_ms": "ms",
    "exit_latency_ms": "ms",
    "exit_p99_ms": "ms",
    "period_ms": "ms",
    "wasted_ms_per_frame": "ms",
    "energy_mj_per_frame": "mJ",
    "power_mw": "mW",
    "energy_delay_mj_ms": "mJ ms",
    "throughput_fps": "fps",
}
_WORDS = {
    "parts_ms": "time in {}",
    "exit_latency_ms": "mean latency at {}",
    "exit_p99_ms": "p99 latency at {}",
    "exit_share": "share of {}",
    "utilisation": "utilisation of {}",
    "wasted_ms_per_frame": "wasted work on {}",
    "blocked_share": "blocked time of {}",
    "period_ms": "period",
    "power_mw": "power",
    "energy_delay_mj_ms": "energy x delay",
    "throughput_fps": "throughput",
}
LARGER_IS_BETTER = ("throughput_fps", "accuracy")


def unit(metric: str) -> str:
    """Unit of a metric; empty for shares."""
    return _UNITS.get(metric.partition(".")[0], "")


def words(metric: str) -> str:
    """Name of a metric as people say it: ``p99 latency``, ``energy per frame``, ``utilisation of B``."""
    head, _, tail = metric.partition(".")
    if head == "latency_ms":
        return f"{tail} latency"
    if head == "energy_mj_per_frame":
        return "energy per frame" if tail == "total" else f"{tail} energy per frame"
    return _WORDS.get(head, head.replace("_", " ")).format(tail)


def headline(scenarios: Sequence[tuple[Scenario, Lowered]]) -> list[str]:
    """Names of the metrics that `eesim run` shows first, of PEs and links that any of the scenarios uses.

    Deadline misses and accuracy are among them where a scenario states a deadline or accuracies.
    """
    names = [f"latency_ms.{name}" for name in ("mean", *QUANTILES, "max")]
    names += ["throughput_fps", "period_ms"]
    if any(scenario.spec.requirements.deadline is not None for scenario, _ in scenarios):
        names.append("deadline_miss_rate")
    names.append("drop_rate")
    if any(scenario.spec.stream.exits.accuracy is not None for scenario, _ in scenarios):
        names.append("accuracy")
    names += ["energy_mj_per_frame.total", "power_mw"]
    for group in ("utilisation", "wasted_ms_per_frame"):
        names += [f"{group}.{name}" for name in _used(lowered for _, lowered in scenarios)]
    return names


def _used(plans: Iterable[Lowered]) -> list[str]:
    """Resources that a plan uses, in order."""
    found: dict[str, None] = {}
    for lowered in plans:
        used = set(lowered.plan.node_resource.tolist())
        found |= dict.fromkeys(name for r, name in enumerate(lowered.labels.resources) if r in used)
    return list(found)


def checked(written: Iterable[str], known: Iterable[str], source: str) -> list[str]:
    """Return metric names; those of requirements (``p99_latency``) stand for the metrics that they judge.

    Raises
    ------
    InputError
        With everything that is no metric.
    """
    names, problems = [], []
    known = list(known)
    for name in dict.fromkeys(written):
        metric = RULES[name].metric if name in RULES else name
        if metric not in known:
            hint = suggest(name, [*known, *RULES])
            problems.append(Problem(source, 0, name, "is not a metric (`eesim run --json` lists them)", hint))
        names.append(metric)
    if problems:
        raise InputError(problems)
    return list(dict.fromkeys(names))
