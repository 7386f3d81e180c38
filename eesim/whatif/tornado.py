"""One input after the other at its low and its high end: what each does to every metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from eesim.metrics.paired import Paired, differences, holm, paired
from eesim.metrics.statistics import Estimate, t_interval
from eesim.whatif.points import Laboratory, Outcome, Point, StartProgress, evaluate_points
from eesim.whatif.ranges import Span

Status = Literal["effect", "no effect", "not read", "invalid", "not varied"]


class Effect(NamedTuple):
    """What one input does to one metric."""

    at_low: float | None
    at_high: float | None
    """Means over replications; None where that value cannot be simulated."""
    effect: Estimate
    """Metric at ``high`` minus metric at ``low``, with the paired interval; against the base where one side is
    invalid."""
    swing: float
    """Largest distance between any two of low, base and high: what tornado diagrams are sorted by."""
    adjusted_p: float | None
    significant: bool | None

    def as_dict(self) -> dict[str, Any]:
        """Return the effect as plain data."""
        return {
            "at_low": self.at_low,
            "at_high": self.at_high,
            "effect": self.effect.value,
            "ci_low": self.effect.ci_low,
            "ci_high": self.effect.ci_high,
            "swing": self.swing,
            "adjusted_p": self.adjusted_p,
            "significant": self.significant,
        }


class Parameter(NamedTuple):
    """One input: where it was set to, and what came of it.

    ``status``: ``effect`` (some metric moved), ``no effect`` (it is read, but no metric moved), ``not read`` (the
    simulation is the same to the bit), ``invalid`` (neither value makes a valid scenario) or ``not varied``.
    """

    span: Span
    status: Status
    effects: Mapping[str, Effect]
    problems: tuple[str, ...]
    """Why a side could not be simulated."""

    @property
    def path(self) -> str:
        """As ``--set`` takes it."""
        return self.span.name

    def as_dict(self, metric: str) -> dict[str, Any]:
        """Return the parameter as plain data; ``metric`` is the one whose effect stands on top."""
        top = self.effects[metric].as_dict() if metric in self.effects else dict.fromkeys(EFFECT_KEYS)
        return {
            "path": self.path,
            "status": self.status,
            "base": self.span.base,
            "low": self.span.low and self.span.low.written(),
            "high": self.span.high and self.span.high.written(),
            **top,
            "metrics": {name: effect.as_dict() for name, effect in self.effects.items()},
            "problems": list(self.problems),
        }


EFFECT_KEYS = tuple(Effect(None, None, Estimate(None), 0.0, None, None).as_dict())


def tornado(
    laboratory: Laboratory,
    spans: Sequence[Span],
    names: Sequence[str],
    progress: StartProgress | None,
) -> list[Parameter]:
    """Evaluate both ends of every span; the parameter with the largest swing in the first metric comes first."""
    points = [
        Point(((span.path, end.written()),)) for span in spans for end in (span.low, span.high) if end is not None
    ]
    step = progress("one at a time", len(points)) if progress else None
    outcomes = iter(evaluate_points(laboratory, points, step))
    sides = [tuple(next(outcomes) if end is not None else None for end in (span.low, span.high)) for span in spans]
    rows = [_parameter(laboratory, span, low, high, names) for span, (low, high) in zip(spans, sides, strict=True)]
    return _judged(rows, names, 1 - laboratory.base.spec.run.confidence)


def _parameter(
    laboratory: Laboratory, span: Span, low: Outcome | None, high: Outcome | None, names: Sequence[str]
) -> Parameter:
    """Say what an input does, from the outcomes at its low and high end."""
    if low is None or high is None:
        return Parameter(span, "not varied", {}, (span.reason,))
    problems = tuple(
        f"{end.written() if end else ''}: {side.problem}"
        for end, side in ((span.low, low), (span.high, high))
        if side.values is None
    )
    valid = [side for side in (low, high) if side.values is not None]
    if not valid:
        return Parameter(span, "invalid", {}, problems)
    if not any(side.is_read for side in valid):
        return Parameter(span, "not read", {}, problems)
    effects = {name: _effect(laboratory, low, high, name) for name in names}
    moved = any(effect.swing > 0 for effect in effects.values())
    return Parameter(span, "effect" if moved else "no effect", effects, problems)


def _effect(laboratory: Laboratory, low: Outcome, high: Outcome, name: str) -> Effect:
    confidence = laboratory.base.spec.run.confidence
    base = (laboratory.outcome.values or {})[name]
    at_low, at_high = ((side.values or {}).get(name) for side in (low, high))
    first, last = at_low or base, at_high or base
    both: Paired = paired(first, last, confidence)
    apart = [paired(x, y, confidence).difference.value for x, y in ((base, first), (base, last), (first, last))]
    still = not any(any(differences(base, side)) for side in (first, last))
    swing = 0.0 if still else max((abs(value) for value in apart if value is not None), default=0.0)

    def mean(values: tuple[float, ...] | None) -> float | None:
        return t_interval(values, confidence).value if values else None

    return Effect(mean(at_low), mean(at_high), both.difference, swing, both.p_value, None)


def _judged(rows: Sequence[Parameter], names: Sequence[str], alpha: float) -> list[Parameter]:
    """Adjust p-values over the parameters of each metric, and sort by the swing in the first."""
    out = list(rows)
    for name in names:
        adjusted = holm([row.effects[name].adjusted_p if name in row.effects else None for row in out])
        for i, p in enumerate(adjusted):
            if name in out[i].effects:
                effect = out[i].effects[name]._replace(adjusted_p=p, significant=None if p is None else p < alpha)
                out[i] = out[i]._replace(effects={**out[i].effects, name: effect})
    return sorted(out, key=lambda row: -row.effects[names[0]].swing if names[0] in row.effects else 1.0)
