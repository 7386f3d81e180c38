"""Metrics that comparisons and sensitivities speak about: which ones, in which unit, and in which words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eesim.errors import InputError, Problem, suggest
from eesim.metrics.replication import QUANTILES
from eesim.metrics.requirements import RULES
from eesim.plan.lower import Lowered
from eesim.scenario.load import Scenario
from eesim.workload.exits import is_judged

_UNITS = {
    "latency_ms": "ms",
    "parts_ms": "ms",
    "exit_latency_ms": "ms",
    "exit_p99_ms": "ms",
    "period_ms": "ms",
    "wasted_ms_per_frame": "ms",
    "energy_mj_per_frame": "mJ",
    "active_energy_mj_per_frame": "mJ",
    "power_mw": "mW",
    "energy_delay_mj_ms": "mJ ms",
    "throughput_fps": "fps",
}
_WORDS = {
    "parts_ms": "time in {}",
    "exit_latency_ms": "mean latency at {}",
    "exit_p99_ms": "p99 latency at {}",
    "exit_share": "share of {}",
    "level_share": "answers at level {}",
    "utilisation": "utilisation of {}",
    "wasted_ms_per_frame": "wasted work on {}",
    "blocked_share": "blocked time of {}",
    "batch_size": "mean batch on {}",
    "period_ms": "period",
    "power_mw": "power",
    "energy_delay_mj_ms": "energy x delay",
    "active_energy_mj_per_frame": "active energy per frame",
    "throughput_fps": "throughput",
}
_LARGER_IS_BETTER = ("throughput_fps", "accuracy")

_OF_STREAM = ("latency_ms.mean", "latency_ms.p50", "latency_ms.p99", "latency_ms.max", "throughput_fps")
"""Metrics of each of several streams that are always shown."""


def split(metric: str) -> tuple[str, str]:
    """Return the stream that a metric is of (empty for all together), and the metric as one stream alone has it."""
    if not metric.startswith("stream."):
        return "", metric
    _, stream, own = metric.split(".", 2)
    return stream, own


def unit(metric: str) -> str:
    """Unit of a metric; empty for shares."""
    return _UNITS.get(split(metric)[1].partition(".")[0], "")


def is_larger_better(metric: str) -> bool:
    """Whether a larger value of a metric is the better one."""
    return split(metric)[1] in _LARGER_IS_BETTER


def words(metric: str) -> str:
    """Name of a metric as people say it: ``p99 latency``, ``energy per frame``, ``front utilisation of B``."""
    stream, own = split(metric)
    return f"{stream} {_words(own)}" if stream else _words(own)


def _words(metric: str) -> str:
    head, _, tail = metric.partition(".")
    if head == "latency_ms":
        return f"{tail} latency"
    if head == "energy_mj_per_frame":
        return "energy per frame" if tail == "total" else f"{tail} energy per frame"
    return _WORDS.get(head, head.replace("_", " ")).format(tail)


def headline(scenarios: Sequence[tuple[Scenario, Lowered]]) -> list[str]:
    """Names of the metrics that `eesim run` shows first, of PEs and links that any of the scenarios uses.

    Deadline misses and accuracy are among them where a scenario states a deadline or accuracies. Those of all streams
    together come first, then those of each of several streams.
    """
    members = [member for scenario, _ in scenarios for member in scenario.streams]
    names = [f"latency_ms.{name}" for name in ("mean", *QUANTILES, "max")]
    names += ["throughput_fps", "period_ms"]
    names += _where_stated(members)
    names += ["energy_mj_per_frame.total", "power_mw"]
    for group in ("utilisation", "wasted_ms_per_frame"):
        names += [f"{group}.{name}" for name in _used(lowered for _, lowered in scenarios)]
    for stream in dict.fromkeys(name for scenario, _ in scenarios for name in scenario.names):
        pairs = [pair for scenario, _ in scenarios for pair in zip(scenario.names, scenario.members, strict=True)]
        own = [member for name, member in pairs if name == stream]
        names += [f"stream.{stream}.{name}" for name in (*_OF_STREAM, *_where_stated(own))]
    return names


def _where_stated(members: Sequence[Scenario]) -> list[str]:
    """Rates of misses, drops and right answers, as far as these streams ask for them."""
    misses = any(member.spec.requirements.deadline is not None for member in members)
    right = any(is_judged(member.spec.stream.exits) for member in members)
    return ["deadline_miss_rate"] * misses + ["drop_rate"] + ["accuracy"] * right


def _used(plans: Iterable[Lowered]) -> list[str]:
    """Resources that a plan uses, in order."""
    found: dict[str, None] = {}
    for lowered in plans:
        used = set(lowered.plan.node_resource.tolist())
        found |= dict.fromkeys(name for r, name in enumerate(lowered.labels.resources) if r in used)
    return list(found)


def checked(written: Iterable[str], known: Iterable[str], source: str) -> list[str]:
    """Return metric names; those of requirements (``p99_latency``) stand for the metrics that they judge.

    So do those of one stream's requirements (``stream.front.p99_latency``).

    Raises
    ------
    InputError
        With everything that is no metric.
    """
    names, problems = [], []
    known = list(known)
    for name in dict.fromkeys(written):
        own = split(name)[1] if name.count(".") > 1 else name
        metric = name.removesuffix(own) + RULES[own].metric if own in RULES else name
        if metric not in known:
            hint = suggest(name, [*known, *RULES])
            problems.append(Problem(source, 0, name, "is not a metric (`eesim run --json` lists them)", hint))
        names.append(metric)
    if problems:
        raise InputError(problems)
    return list(dict.fromkeys(names))
