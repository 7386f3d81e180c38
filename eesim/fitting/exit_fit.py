"""What a fit of exits found: the candidates, the best of them, and both in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from eesim.metrics.statistics import Estimate
from eesim.workload.exits import AnyExits, Exits


@dataclass(frozen=True)
class Candidate:
    """One model fitted to a trace.

    Attributes
    ----------
    name
        ``independent``, ``correlated`` or ``regimes (2)``, ``regimes (3)``.
    written
        The model as ``stream.exits`` of a scenario.
    log_likelihood, n_parameters
        Natural logarithm; free parameters.
    bic
        ``n_parameters ln n - 2 log_likelihood``: less is better.
    parameters
        What the model has besides shares, with intervals.
    goodness
        P-values of shares, autocorrelation and run lengths (`eesim.fitting.goodness.goodness`).
    """

    name: str
    written: dict[str, Any]
    log_likelihood: float
    n_parameters: int
    bic: float
    parameters: dict[str, Estimate]
    goodness: dict[str, float]

    @property
    def model(self) -> AnyExits:
        """The model, ready to be drawn."""
        return TypeAdapter[AnyExits](Exits).validate_python(self.written)


@dataclass(frozen=True)
class ExitFit:
    """What a trace of exits says about how they come about.

    Attributes
    ----------
    n_frames
        Length of the trace.
    counts
        Frames per exit.
    shares
        Their shares, with intervals that know the trace's dependence (stationary block bootstrap).
    candidates
        The models, best (least BIC) first.
    """

    n_frames: int
    counts: tuple[int, ...]
    shares: tuple[Estimate, ...]
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate:
        """The model with the least BIC."""
        return self.candidates[0]

    @property
    def model(self) -> AnyExits:
        """The best model, ready to be drawn."""
        return self.best.model

    @property
    def written(self) -> dict[str, Any]:
        """The best model as ``stream.exits`` of a scenario."""
        return self.best.written

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "n_frames": self.n_frames,
            "counts": list(self.counts),
            "shares": [share.as_dict() for share in self.shares],
            "candidates": [
                {
                    "name": c.name,
                    "bic": c.bic,
                    "log_likelihood": c.log_likelihood,
                    "n_parameters": c.n_parameters,
                    "parameters": {name: value.as_dict() for name, value in c.parameters.items()},
                    "goodness": c.goodness,
                    "exits": c.written,
                }
                for c in self.candidates
            ],
        }

    def __str__(self) -> str:
        """Say which model was chosen and why, in words."""
        best, others = self.best, self.candidates[1:]
        lead = f" ({others[0].bic - best.bic:.1f} less than {others[0].name})" if others else ""
        lines = [f"{self.n_frames:,} frames, best model by BIC: {best.name}{lead}"]
        for number, share in enumerate(self.shares, 1):
            lines.append(f"  share of exit {number}: {estimate_words(share)}")
        lines += [f"  {name}: {estimate_words(value)}" for name, value in best.parameters.items()]
        for c in self.candidates:
            tests = ", ".join(f"{name} p = {p:.3g}" for name, p in c.goodness.items())
            lines.append(f"  {c.name}: BIC {c.bic:.1f}, {c.n_parameters} parameters; {tests}")
        poor = [name for name, p in best.goodness.items() if p < 0.05]
        if poor:
            lines.append(f"  even the best model does not explain: {', '.join(poor).replace('_', ' ')}")
        return "\n".join(lines)


def estimate_words(value: Estimate) -> str:
    """``0.9 [0.88, 0.92]``."""
    if value.value is None:
        return "unknown"
    interval = "" if value.ci_low is None else f" [{value.ci_low:.4g}, {value.ci_high:.4g}]"
    return f"{value.value:.4g}{interval}"
