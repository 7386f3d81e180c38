"""What a comparison says: every metric of every variant against the first scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from eesim.metrics.paired import Paired
from eesim.metrics.result import Result
from eesim.whatif.inputs import Change
from eesim.whatif.metrics import unit
from eesim.whatif.pairing import Pairing
from eesim.whatif.precision import Precision


class MetricDifference(NamedTuple):
    """One metric of one variant against the first scenario's."""

    metric: str
    paired: Paired
    adjusted_p: float | None
    """Holm's adjustment over all metrics and variants of the comparison."""
    significant: bool | None
    """Whether that is below 1 - confidence; None where nothing can be said."""

    def as_dict(self) -> dict[str, Any]:
        """Return the difference as plain data."""
        both = self.paired
        relative = None
        if both.difference.value is not None and both.a.value:
            relative = both.difference.value / abs(both.a.value)
        return {
            "metric": self.metric,
            "unit": unit(self.metric),
            "a": both.a.as_dict(),
            "b": both.b.as_dict(),
            "difference": both.difference.as_dict(),
            "relative": relative,
            "p_value": both.p_value,
            "adjusted_p": self.adjusted_p,
            "significant": self.significant,
            "pairs": both.pairs,
        }


@dataclass(frozen=True)
class Variant:
    """A scenario that was compared with the first one.

    Attributes
    ----------
    label
        What it is called.
    result
        Its own summary.
    changes
        Where its resolved inputs differ.
    pairing
        What its stream has in common with the first scenario's.
    same_simulation
        Whether nothing that differs is read: the runs are the same to the bit.
    metrics
        Difference of every metric.
    """

    label: str
    result: Result
    changes: tuple[Change, ...]
    pairing: Pairing
    same_simulation: bool
    metrics: tuple[MetricDifference, ...]

    @property
    def verdict(self) -> str:
        """``identical: no difference``, what differs, or that no difference is visible."""
        if self.same_simulation:
            if not self.changes:
                return "identical: no difference"
            return "no difference: the run reads nothing of what differs"
        seen = sum(bool(found.significant) for found in self.metrics)
        if not seen:
            return "no difference is visible"
        return f"{seen} of {len(self.metrics)} metrics differ"

    def as_dict(self) -> dict[str, Any]:
        """Return the variant as plain data."""
        return {
            "label": self.label,
            "verdict": self.verdict,
            "identical": self.same_simulation and not self.changes,
            "inputs": [change.as_dict() for change in self.changes],
            "pairing": self.pairing.as_dict(),
            "metrics": {found.metric: found.as_dict() for found in self.metrics},
            "requirements": [verdict.as_dict() for verdict in self.result.verdicts],
            "notes": list(self.result.notes),
            "provenance": self.result.provenance,
        }


@dataclass(frozen=True)
class Comparison:
    """Scenarios compared with the first of them.

    Attributes
    ----------
    label, result
        The first scenario's name and summary.
    variants
        The others.
    replications
        Replications of each.
    confidence
        Level of intervals and of significance.
    precision
        Half width that was asked for, of which metrics, and whether the intervals are that tight.
    """

    label: str
    result: Result
    variants: tuple[Variant, ...]
    replications: int
    confidence: float
    precision: Precision | None
    precision_of: tuple[str, ...]
    precise: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that ``eesim compare --json`` prints (docs/what-if.md).

        With one variant, its keys stand on top; ``variants`` lists it all the same.
        """
        variants = [variant.as_dict() for variant in self.variants]
        top = {key: variants[0][key] for key in ("verdict", "identical", "inputs", "pairing", "metrics")}
        return {
            "schema_version": 1,
            "a": self.label,
            "b": [variant.label for variant in self.variants],
            **(top if len(variants) == 1 else {}),
            "variants": variants,
            "frames": self.result.scenario.n_frames,
            "replications": self.replications,
            "confidence": self.confidence,
            "adjustment": "Holm",
            "tests": sum(len(variant.metrics) for variant in self.variants),
            "precision": {
                "asked": str(self.precision) if self.precision else None,
                "of": list(self.precision_of),
                "reached": self.precise,
            },
            "engine": self.result.engine,
            "seed": self.result.seed,
            "requirements": [verdict.as_dict() for verdict in self.result.verdicts],
            "notes": list(self.result.notes),
            "provenance": self.result.provenance,
        }
