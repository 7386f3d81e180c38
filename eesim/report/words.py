"""A scenario in words: mapping, policy and stream, for people who did not write the file."""

from __future__ import annotations

from eesim.mapping.batching import Batching
from eesim.mapping.budget import Budget
from eesim.mapping.policy import Adaptive, Policy, Queue, StageQueue, resolve_policy
from eesim.mapping.reuse import BLIND, INPUT, Reuse
from eesim.metrics.statistics import Estimate
from eesim.report.numbers import duration, measured, number
from eesim.scenario.load import Scenario
from eesim.units import format_frequency, format_rate
from eesim.workload.arrivals import AnyArrivals, ArrivalTrace, ClosedLoop, Periodic, Poisson, Superposed, mean_rate
from eesim.workload.bursts import Mmpp, OnOff
from eesim.workload.confidences import ExitConfidences
from eesim.workload.correlated import CorrelatedExits
from eesim.workload.exits import AnyExits, ExitCounts, ExitShares, ExitTrace, FixedExit
from eesim.workload.scenes import RegimeExits, ScheduledExits
from eesim.workload.schedules import RateSchedule
from eesim.workload.stream import Exponential, Lognormal

NS_PER_S = 1_000_000_000

MANY = 60
"""Letters of an order string beyond which it is cut."""

FEW = 8
"""Shares that are listed one by one."""


def shortened(text: str, length: int) -> str:
    """Return a text, or its beginning and ``...``."""
    return text if len(text) <= length else text[: length - 3] + "..."


def mapping_words(scenario: Scenario) -> str:
    """``BGLGLGL at B 1800 MHz, L 1416 MHz, G 800 MHz``."""
    mapping = scenario.mapping
    clocks: dict[str, set[int]] = {name: set() for name in scenario.board.pes}
    for pe, clock in zip(mapping.pes, mapping.segment_opp_hz, strict=True):
        clocks[pe].add(clock)
    used = {pe: " and ".join(format_frequency(hz) for hz in sorted(at)) for pe, at in clocks.items() if at}
    if len(used) > 1 and len(set(used.values())) == 1:
        text = f"{shortened(mapping.order, MANY)}, all at {next(iter(used.values()))}"
    else:
        text = f"{shortened(mapping.order, MANY)} at {', '.join(f'{pe} {at}' for pe, at in used.items())}"
    if not all(mapping.enabled_exits):
        names = zip(scenario.network.exit_names, mapping.enabled_exits, strict=True)
        text += f"; exits in use: {', '.join(name for name, on in names if on)}"
    if isinstance(scenario.spec.stream.exits, ExitConfidences):
        used_exits = zip(scenario.network.exit_names, mapping.thresholds, mapping.enabled_exits, strict=False)
        listed = [f"{name} {threshold:.6g}" for name, threshold, on in used_exits if on]
        text += f"; thresholds: {', '.join(listed)}" if listed else ""
    return text


def policy_words(policy: Policy) -> str:
    """Name of the preset, and the switches that differ from it: ``cooperative, but cancellation: none``."""
    preset = resolve_policy(policy.preset)
    changed = [
        f"{name.replace('_', ' ')}: {switch_words(getattr(policy, name))}"
        for name in Policy.model_fields
        if getattr(policy, name) != getattr(preset, name)
    ]
    return policy.preset if not changed else f"{policy.preset}, but {', '.join(changed)}"


def switch_words(value: object) -> str:
    """Value of a policy switch."""
    if isinstance(value, Queue):
        full = value.full.replace("_", " ")
        if not isinstance(value, StageQueue):
            return f"{value.capacity}, {full} when full"
        own = [f"{_limits(*value.limits(name))} at {name}" for name in value.pes]
        return ", ".join([_limits(value.capacity, value.bytes), *own, f"{full} when full"])
    if isinstance(value, Adaptive):
        limits = " and ".join(map(str, value.above))
        fall = f", hysteresis {value.hysteresis}" if value.hysteresis else ""
        lost = " and ".join(name or "none" for name in value.give_up_after)
        dropped = f", given up after {lost}" if lost else ""
        return f"above {limits} frames in the system{fall}, read at each {value.read_at}{dropped}"
    if isinstance(value, Budget):
        comes = [f"{n:g} per {what}" for n, what in ((value.per_frame, "frame"), (value.per_second, "second")) if n]
        costs = ", ".join(f"{cost:g} beyond {name}" for name, cost in value.costs.items())
        return f"{' and '.join(comes)}, up to {value.burst:g}; {costs}"
    if isinstance(value, Batching):
        waits = {name: f" after {duration(own.wait)} at most" if own.wait else "" for name, own in value.pes.items()}
        return ", ".join(f"up to {own.size} on {name}{waits[name]}" for name, own in value.pes.items())
    if isinstance(value, Reuse):
        return _reuse(value)
    return "off" if value is None else str(value).replace("_", " ")


def _reuse(value: Reuse) -> str:
    """When answers are used again."""
    text = {BLIND: "without looking", INPUT: "if inputs are alike"}.get(
        value.at, f"if what {value.at} puts out is alike"
    )
    if value.detector is not None:
        text += f" ({duration(value.detector.time)}{f' on {value.detector.pe}' if value.detector.pe else ''})"
    text += f", after {value.patience} answers in a row" if value.patience > 1 else ""
    text += f", at most {value.at_most} in a row" if value.at_most != "unbounded" else ""
    errors = zip(("missed", "false alarms"), (value.misses, value.false_alarms), strict=True)
    return ", ".join(
        [f"answers used again {text}", *(f"{100 * float(share):.4g} % {name}" for name, share in errors if share)]
    )


def _limits(capacity: int | str, size: int | str) -> str:
    """Limits of the queue of a PE."""
    if size == "unbounded":
        return str(capacity)
    return f"{size:,} B" if capacity == "unbounded" else f"{capacity} and {size:,} B"


def physics_words(scenario: Scenario) -> str:
    """Terms of the board that are switched off; empty if none is."""
    off = [name.replace("_", " ") for name, on in scenario.spec.physics.model_dump().items() if not on]
    return ", ".join(off)


def stream_words(scenario: Scenario) -> str:
    """When frames arrive, how exits are drawn, how service times vary."""
    stream = scenario.spec.stream
    parts = [_arrivals(stream.arrivals), _exits(stream.exits, scenario)]
    match stream.noise:
        case Exponential():
            parts.append("exponential service times")
        case Lognormal(cv=dict() as each):
            low, high = min(each.values(), default=0.0), max(each.values(), default=0.0)
            parts.append(f"lognormal service times, spread {low * 100:.4g} to {high * 100:.4g} % of the mean")
        case Lognormal(cv=float() as cv):
            parts.append(f"lognormal service times, spread {cv * 100:.4g} % of the mean")
    return "; ".join(parts)


def _arrivals(model: AnyArrivals) -> str:
    match model:
        case Periodic():
            rate = model.exact_rate
            text = f"a frame every {duration(float(NS_PER_S / rate))} ({format_rate(rate)})"
            return f"{text}, up to {duration(model.jitter)} late" if model.jitter else text
        case Poisson():
            return f"frames at random, {format_rate(model.rate)} on average (Poisson)"
        case ClosedLoop():
            return "the next frame as soon as it is let in (closed loop)"
        case ArrivalTrace():
            return f"frames as in {model.path.name}"
        case Superposed():
            return f"{len(model.sources)} sources in one stream: {' + '.join(map(_arrivals, model.sources))}"
        case Mmpp() | OnOff() | RateSchedule():
            return _changing(model)


def _changing(model: Mmpp | OnOff | RateSchedule) -> str:
    """Arrivals at a rate that changes."""
    on_average = f"{format_rate(model.mean_rate)} on average"
    at_random = "at random" if isinstance(model, Mmpp) or model.process == "poisson" else "evenly spaced"
    match model:
        case Mmpp():
            states = ", ".join(
                f"{name} {'silent' if state.rate is None else format_rate(state.rate)} for {duration(state.dwell)}"
                for name, state in list(model.states.items())[:FEW]
            )
            return f"frames in bursts, {on_average} (Markov-modulated Poisson: {states})"
        case OnOff():
            phases = f"{duration(model.on)} on, {duration(model.off)} off"
            phases += "" if model.phases == "fixed" else " on average"
            return f"frames {at_random} at {format_rate(model.rate)} while on ({phases}), {on_average}"
        case RateSchedule():
            often = f"every {duration(model.period)}" if model.period is not None else "once"
            ends_at = f"{on_average}" if model.period is not None else f"{format_rate(model.mean_rate)} in the end"
            return f"frames {at_random} at a rate that follows {len(model.points)} points {often}, {ends_at}"


def _exits(model: AnyExits, scenario: Scenario) -> str:
    match model:
        case ExitCounts():
            return f"exits dealt from {sum(model.counts):,} counted frames"
        case ExitShares():
            if len(model.shares) > FEW:
                return f"exits drawn with {len(model.shares)} given shares"
            listed = ", ".join(f"{100 * float(share):.4g}" for share in model.shares)
            return f"exits drawn with shares of {listed} %"
        case FixedExit():
            return f"every frame takes {scenario.network.exit_names[model.exit - 1]}"
        case ExitTrace():
            return f"exits as in {model.path.name}"
        case ExitConfidences():
            part = f" ({model.split})" if model.split else ""
            order = "in its order" if model.order == "table" else "in random order"
            return f"{len(scenario.traces.samples.correct):,} samples of {model.path.name}{part} {order}"
        case CorrelatedExits():
            lag_1 = model.lag_1(mean_rate(scenario.spec.stream.arrivals, scenario.traces.arrival_ns))
            return (
                f"exits dealt from {sum(model.counts):,} counted frames in an order of correlated difficulty "
                f"(latent autocorrelation {lag_1:.4g} from frame to frame)"
            )
        case RegimeExits():
            stay = model.switching.shares
            listed = ", ".join(f"{name} {100 * share:.4g} %" for name, share in zip(model.regimes, stay, strict=True))
            return f"exits drawn with the shares of a regime that switches ({shortened(listed, MANY)} of the stream)"
        case ScheduledExits():
            often = f"every {duration(model.period)}" if model.period is not None else "once"
            return f"exits drawn with shares that follow {len(model.points)} points {often}"


def certainty_words(sure: bool | None) -> str:
    """Where the interval lies with respect to a limit."""
    return {True: "on one side", False: "on both sides", None: "none"}[sure]


def spread_words(worst: Estimate, unit: str) -> str:
    """Smallest and largest of the replications' worst values; empty for a single replication."""
    if worst.ci_low is None or worst.ci_high is None:
        return ""
    low, high = number(worst.ci_low), number(worst.ci_high)
    return measured(worst, unit)[1] if low == high else f"{low} to {high}"
