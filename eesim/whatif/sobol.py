"""Sobol's indices: which share of a metric's variance each input explains, alone and with all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from eesim.base import FloatArray
from eesim.errors import InputError, Problem
from eesim.metrics.statistics import Estimate
from eesim.whatif.amounts import between
from eesim.whatif.points import Laboratory, Point, StartProgress, evaluate_points
from eesim.whatif.ranges import Span

RESAMPLES = 1000
LEAST_POINTS = 8


class Index(NamedTuple):
    """One input's indices for one metric."""

    path: str
    first: Estimate
    """Share of the variance that goes if this input alone becomes known."""
    total: Estimate
    """Share that is left if all others become known: 0 only for an input without any effect."""

    def as_dict(self) -> dict[str, Any]:
        """Return the indices as plain data."""
        return {"path": self.path, "first_order": self.first.as_dict(), "total_order": self.total.as_dict()}


@dataclass(frozen=True)
class Sobol:
    """Indices of every input, by metric, those with the largest total index first.

    ``points`` is the number of base samples, ``evaluations`` how many points were evaluated, ``standard_deviation``
    what the inputs together make each metric vary by.
    """

    indices: Mapping[str, tuple[Index, ...]]
    standard_deviation: Mapping[str, float]
    points: int
    evaluations: int

    def as_dict(self) -> dict[str, Any]:
        """Return the indices as plain data."""
        return {
            "points": self.points,
            "evaluations": self.evaluations,
            "metrics": {
                name: {"standard_deviation": self.standard_deviation[name], "indices": [i.as_dict() for i in found]}
                for name, found in self.indices.items()
            },
        }


def estimates(f_A: FloatArray, f_B: FloatArray, f_AB: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: N803
    """First-order and total indices from function values.

    Saltelli et al. (2010), Computer Physics Communications 181, table 2: first order (b), total order (f, Jansen).

    Parameters
    ----------
    f_A, f_B
        (s, n) values at two independent samples, of s metrics.
    f_AB
        (d, s, n) values at A with input d from B.

    Returns
    -------
    first, total : (s, d) arrays
    """
    both = np.concatenate([f_A, f_B], axis=-1)
    # Measured from the mean: products of large numbers would drown the differences (Sobol' and Levitan 1999).
    f_B = f_B - both.mean(axis=-1, keepdims=True)  # noqa: N806
    variance = both.var(axis=-1)
    # What does not vary has no variance to share out.
    scale = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    first = np.mean(f_B * (f_AB - f_A), axis=-1) * scale
    total = 0.5 * np.mean((f_A - f_AB) ** 2, axis=-1) * scale
    return first.T, total.T


def sobol(
    laboratory: Laboratory,
    spans: Sequence[Span],
    names: Sequence[str],
    points: int,
    progress: StartProgress | None = None,
) -> Sobol:
    """Estimate Sobol's indices of inputs that vary evenly and independently between their ends.

    Parameters
    ----------
    laboratory
        What simulates.
    spans
        Inputs with both ends.
    names
        Metrics; their values are means over replications.
    points
        Base samples, a power of two of at least `LEAST_POINTS`.
    progress
        As in `eesim.sensitivity`.

    Raises
    ------
    InputError
        If ``points`` is no power of two, or some combination of inputs is invalid or gives a metric no value.
    """
    if points < LEAST_POINTS or points & (points - 1):
        message = f"must be a power of two of at least {LEAST_POINTS}, not {points}"
        raise InputError([Problem("--sobol", 0, "", message)])
    evaluations = points * (len(spans) + 2)
    step = progress("Sobol", evaluations) if progress else None
    rng = np.random.default_rng(np.random.SeedSequence(laboratory.seed, spawn_key=(0, 3)))
    values = _values(laboratory, spans, names, _design(len(spans), points, rng), step)
    f_A, f_B, f_AB = values[:, 0], values[:, 1], np.moveaxis(values[:, 2:], 0, 1)  # noqa: N806
    return _summary(f_A, f_B, f_AB, spans, names, laboratory.base.spec.run.confidence, rng)


def _design(inputs: int, points: int, rng: np.random.Generator) -> FloatArray:
    """Return the samples A, B and, for each input, A with that input from B, (2 + d, n, d), from 0 to 1."""
    both = stats.qmc.Sobol(2 * inputs, rng=rng).random(points)
    a, b = both[:, :inputs], both[:, inputs:]
    mixed = [np.where(np.arange(inputs) == d, b, a) for d in range(inputs)]
    return np.stack([a, b, *mixed])


def _values(
    laboratory: Laboratory,
    spans: Sequence[Span],
    names: Sequence[str],
    design: FloatArray,
    step: Callable[[int], None] | None,
) -> FloatArray:
    """Means of metrics over replications, (s, 2 + d, n)."""
    wanted = [
        Point(
            tuple(
                (span.path, between(span.low, span.high, float(share)).written())
                for span, share in zip(spans, row, strict=True)
                if span.low is not None and span.high is not None
            )
        )
        for row in design.reshape(-1, len(spans))
    ]
    outcomes = evaluate_points(laboratory, wanted, step)
    _refuse([outcome.problem for outcome in outcomes if outcome.values is None], len(wanted))
    table = np.array([[np.mean((outcome.values or {})[name]) for outcome in outcomes] for name in names])
    _refuse(["a metric has no value there"] * int((~np.isfinite(table)).any(axis=0).sum()), len(wanted))
    return table.reshape(len(names), *design.shape[:2])


def _refuse(problems: Sequence[str], among: int) -> None:
    if problems:
        message = f"{len(problems)} of {among} combinations cannot be used, the first: {problems[0]}"
        raise InputError([Problem("--sobol", 0, "", message)])


def _summary(
    f_A: FloatArray,  # noqa: N803
    f_B: FloatArray,  # noqa: N803
    f_AB: FloatArray,  # noqa: N803
    spans: Sequence[Span],
    names: Sequence[str],
    confidence: float,
    rng: np.random.Generator,
) -> Sobol:
    """Point estimates with percentile bootstrap intervals over the base samples."""
    points = f_A.shape[1]
    found = estimates(f_A, f_B, f_AB)
    draws = [rng.integers(0, points, points) for _ in range(RESAMPLES)]
    resampled = np.array([estimates(f_A[:, i], f_B[:, i], f_AB[..., i]) for i in draws])
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    indices = {}
    for s, name in enumerate(names):
        rows = []
        for d, span in enumerate(spans):
            pair = [Estimate(float(found[k][s, d]), float(low[k, s, d]), float(high[k, s, d])) for k in (0, 1)]
            rows.append(Index(span.name, *pair))
        indices[name] = tuple(sorted(rows, key=lambda row: -(row.total.value or 0.0)))
    deviation = np.std(np.concatenate([f_A, f_B], axis=-1), axis=-1)
    evaluations = points * (len(spans) + 2)
    return Sobol(indices, dict(zip(names, map(float, deviation), strict=True)), points, evaluations)
