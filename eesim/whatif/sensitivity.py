"""Which numbers of the inputs move a metric, how much, and which move nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eesim.engine.simulate import EngineName
from eesim.errors import InputError, Problem
from eesim.evaluate import trace_digests
from eesim.metrics.statistics import Estimate, t_interval
from eesim.provenance import provenance
from eesim.scenario.load import Scenario
from eesim.scenario.sensitivity import RangeSpec, SensitivitySpec
from eesim.whatif.amounts import Amount, amount
from eesim.whatif.metrics import checked, unit
from eesim.whatif.plausible import own_plausible, read_plausible, spans_of
from eesim.whatif.points import Laboratory, Point, StartProgress
from eesim.whatif.ranges import Span, declared, every_number
from eesim.whatif.sobol import Sobol, sobol
from eesim.whatif.tornado import Effect, Parameter, Status, tornado


@dataclass(frozen=True)
class Sensitivity:
    """What every varied input does.

    Attributes
    ----------
    scenario
        The base, with as many frames as its points have.
    metrics
        What was looked at; parameters are sorted by their swing in the first.
    base
        The base's estimate of each metric.
    parameters
        All inputs that were varied, those with the largest swing first.
    sobol
        Global indices, if they were asked for.
    frames, replications, simulated
        Of each point, and how many points differed enough to be simulated.
    confidence
        Level of intervals and significance.
    provenance
        Hashes, versions, seed.
    """

    scenario: Scenario
    metrics: tuple[str, ...]
    base: Mapping[str, Estimate]
    parameters: tuple[Parameter, ...]
    sobol: Sobol | None
    frames: int
    replications: int
    simulated: int
    confidence: float
    provenance: Mapping[str, Any]

    def with_status(self, *status: Status) -> list[Parameter]:
        """Return the parameters that ended like that."""
        return [parameter for parameter in self.parameters if parameter.status in status]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that ``eesim sensitivity --json`` prints (docs/what-if.md)."""
        return {
            "schema_version": 1,
            "metric": self.metrics[0],
            "metrics": {name: {"unit": unit(name), **self.base[name].as_dict()} for name in self.metrics},
            "parameters": [parameter.as_dict(self.metrics[0]) for parameter in self.parameters],
            "no_effect": [parameter.path for parameter in self.with_status("no effect", "not read")],
            "invalid": [parameter.path for parameter in self.with_status("invalid", "not varied")],
            "sobol": self.sobol.as_dict() if self.sobol else None,
            "frames": self.frames,
            "replications": self.replications,
            "simulated": self.simulated,
            "confidence": self.confidence,
            "adjustment": "Holm",
            "provenance": dict(self.provenance),
        }


def sensitivity(
    scenario: Scenario,
    ranges: Mapping[str, Any] | None = None,
    *,
    plausible: str | None = None,
    metrics: Sequence[str] = (),
    sobol_points: int | None = None,
    frames: int | None = None,
    replications: int | None = None,
    seed: int | None = None,
    engine: EngineName = "compiled",
    progress: StartProgress | None = None,
) -> Sensitivity:
    """Vary one input after the other, on the same frames.

    Parameters
    ----------
    scenario
        The base; its ``sensitivity:`` section counts where an argument is left out.
    ranges
        Path to ``"LOW..HIGH"``, ``"±10 %"`` or ``(low, high)``. Without any (here, in the scenario and in
        ``plausible``), every number of board, profile, network and scenario by ``spread`` (10 %) to each side.
    plausible
        File of plausible inputs (YAML, or CSV of draws): ranges from there.
    metrics
        Flat names (``latency_ms.mean``) or requirements (``p99_latency``).
    sobol_points
        Also Sobol's indices, from so many base samples (a power of two); costs (inputs + 2) times as many runs.
    frames, replications
        Of each point; by default the scenario's, at most 5 replications and 50,000 frames together.
    seed, engine
        As in `eesim.run`.
    progress
        Called with a label and the number of points; returns what is called with 1 after each.

    Raises
    ------
    InputError
        If ranges or metrics make no sense.
    """
    spec = scenario.spec.sensitivity or SensitivitySpec()
    spans = _spans(scenario, spec, ranges, plausible)
    laboratory = Laboratory(
        scenario,
        frames=frames or spec.frames,
        replications=replications or spec.replications,
        seed=seed,
        engine=engine,
    )
    assert laboratory.outcome.values is not None, "a laboratory has a base"
    if not _is_default(spec, ranges, plausible):
        _refuse_typos(laboratory, spans)
    names = checked(metrics or spec.metrics, laboratory.outcome.values, "--metric")
    found = tornado(laboratory, spans, names, progress)
    indices = None
    if sobol_points is not None:
        moved = [parameter for parameter in found if parameter.status == "effect"]
        indices = sobol(laboratory, _usable(moved), names, sobol_points, progress)
    return Sensitivity(
        scenario=laboratory.base,
        metrics=tuple(names),
        base={name: t_interval(laboratory.outcome.values[name], scenario.spec.run.confidence) for name in names},
        parameters=tuple(found),
        sobol=indices,
        frames=laboratory.frames,
        replications=laboratory.replications,
        simulated=laboratory.simulated,
        confidence=scenario.spec.run.confidence,
        provenance=provenance(
            scenario.documents,
            scenario.files,
            trace_digests(scenario),
            seed=laboratory.seed,
            replications=laboratory.replications,
        ),
    )


def _spans(
    scenario: Scenario, spec: SensitivitySpec, ranges: Mapping[str, Any] | None, plausible: str | None
) -> list[Span]:
    """Return what to vary: the argument's ranges over the scenario's, over what is plausible; else everything."""
    section = {
        path: (one.low, one.high) if isinstance(one, RangeSpec) else one
        for path, one in spec.ranges.items()
        if path not in (ranges or {})
    }
    source = plausible if plausible is not None else None if section or ranges else own_plausible(scenario)
    spans = {span.name: span for span in spans_of(scenario, read_plausible(scenario, source))} if source else {}
    written = declared(scenario, section, lambda path: scenario.document.problem(("sensitivity", "ranges", path), ""))
    written += declared(scenario, ranges or {}, lambda path: Problem("--range", 0, path, ""))
    spans |= {span.name: span for span in written}
    return list(spans.values()) or every_number(scenario, spec.spread)


def _is_default(spec: SensitivitySpec, ranges: Mapping[str, Any] | None, plausible: str | None) -> bool:
    return not (ranges or plausible or spec.ranges or spec.plausible)


def _refuse_typos(laboratory: Laboratory, spans: Sequence[Span]) -> None:
    """Refuse declared inputs neither end of which makes a valid scenario: most likely the path is wrong.

    Raises
    ------
    InputError
        With what is wrong with every one of them.
    """
    problems: dict[Problem, None] = {}
    for span in spans:
        found = [_problems(laboratory, span, end) for end in (span.low, span.high) if end is not None]
        if found and all(found):
            problems |= dict.fromkeys(found[0])
    if problems:
        raise InputError(problems)


def _problems(laboratory: Laboratory, span: Span, end: Amount) -> tuple[Problem, ...]:
    try:
        laboratory.variant(Point(((span.path, end.written()),)))
    except InputError as error:
        return tuple(replace(problem, source="sensitivity range") for problem in error.problems)
    return ()


def _usable(parameters: Sequence[Parameter]) -> list[Span]:
    """Return the spans that Sobol's samples may come from: from the base where one side is invalid."""
    if not parameters:
        raise InputError([Problem("--sobol", 0, "", "no input has an effect: there is no variance to share out")])
    spans = []
    for parameter in parameters:
        effect = next(iter(parameter.effects.values()))
        spans.append(parameter.span._replace(**_ends(parameter.span, effect)))
    return spans


def _ends(span: Span, effect: Effect) -> dict[str, Any]:
    base = amount(span.base)
    return {
        "low": span.low if effect.at_low is not None else base,
        "high": span.high if effect.at_high is not None else base,
    }
