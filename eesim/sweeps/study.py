"""A study, checked: its scenario, its design, its metrics; every problem at once, each where it was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eesim.document import Document
from eesim.errors import InputError, Problem, suggest
from eesim.overrides import Override, parse_overrides, steps_of
from eesim.plan.lower import lower
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import Collector, resolve
from eesim.spec import validate_document
from eesim.sweeps.build import Builder
from eesim.sweeps.columns import metrics_of
from eesim.sweeps.design import Level, Node, Setting
from eesim.sweeps.points import Base
from eesim.sweeps.spec import StudySpec
from eesim.wording import DataPath
from eesim.yamldoc import load_document


@dataclass(frozen=True)
class Study:
    """A study that can be run.

    Attributes
    ----------
    spec
        What its file says.
    base
        What its points begin with.
    design
        Its points.
    metrics
        Metrics that its table shows; empty for all.
    source
        Its file.
    """

    spec: StudySpec
    base: Base
    design: Node
    metrics: tuple[str, ...]
    source: str


def load_study(
    source: str | Path | Mapping[str, Any], overrides: Sequence[str] = (), *, folder: str | Path = "."
) -> Study:
    """Load a study.

    Parameters
    ----------
    source
        Path of a study file, or its content as a dictionary.
    overrides
        ``["run.frames=1000"]``: changes of its scenario, for all points.
    folder
        What relative paths in a dictionary are relative to.

    Raises
    ------
    InputError
        If anything is wrong: with the study, its scenario, or a value of an axis in every point that has it.
    """
    if isinstance(source, Mapping):
        document, beside = Document.of(dict(source)), Path(folder)
    else:
        document, beside = load_document(source), Path(source).parent
    collect = Collector()
    spec = collect.attempt(lambda: validate_document(StudySpec, document))
    changes = collect.attempt(lambda: parse_overrides(overrides)) or []
    base = collect.attempt(lambda: _base(document, beside, changes))
    if spec is None:
        collect.raise_any()
        raise AssertionError("a part is missing, but nothing is wrong")
    builder = Builder(document)
    design = builder.build(spec.design, ("design",))
    collect.problems += builder.problems
    if design is not None:
        collect.problems += _swept_and_set(document, spec, changes, design)
    if base is not None:
        for part in [design] if design is not None else builder.sound:
            _try_levels(document, base, part, spec, collect)
        if design is None and not builder.sound:
            collect.attempt(lambda: resolve(base.document, base.beside, base.shared))
    collect.raise_any()
    assert base is not None
    assert design is not None
    metrics = spec.metrics if isinstance(spec.metrics, tuple) else ()
    return Study(spec, base, design, tuple(dict.fromkeys(metrics)), document.source)


def _base(document: Document, beside: Path, changes: Sequence[Override]) -> Base:
    """Return the scenario of a study with what the study, then the command line, sets for all points."""
    written = document.get(("scenario",))
    if isinstance(written, Mapping):
        base = Base(document.sub(("scenario",)), beside)
    else:
        file = _scenario_file(str(written), beside, document)
        base = Base(load_document(file), file.parent)
    said = document.get(("set",), {})
    settings = [
        _override(document, Setting(path, value, ("set", path)))
        for path, value in (said.items() if isinstance(said, Mapping) else ())
    ]
    base.document = base.changed([*settings, *changes])
    return base


def _scenario_file(name: str, beside: Path, document: Document) -> Path:
    """Path of a scenario: relative to the study, or one that ships, by its name."""
    shipped = scenario_folder()
    for file in (beside / name, shipped / name, shipped / f"{name}.yaml"):
        if file.is_file():
            return file
    near = [path.name for path in (beside / name).parent.glob("*.yaml")] + [
        path.stem for path in shipped.glob("*.yaml")
    ]
    raise InputError([document.problem(("scenario",), f"there is no scenario {name!r}", suggest(name, near))])


def _override(document: Document, setting: Setting) -> Override:
    source, line = document.where(setting.where)
    return Override(steps_of(setting.path), setting.value, source, line)


def _swept_and_set(document: Document, spec: StudySpec, changes: Sequence[Override], design: Node) -> list[Problem]:
    """What is set for all points cannot be swept, too."""
    found = [document.problem(("set", path), "is swept by the design") for path in spec.set if path in design.paths]
    swept = {steps_of(path) for path in design.paths}
    return found + [
        Problem(change.source, change.line, ".".join(map(str, change.path)), "is swept by the study")
        for change in changes
        if change.path in swept
    ]


def _try_levels(document: Document, base: Base, design: Node, spec: StudySpec, collect: Collector) -> None:
    """Try every value of every axis: one that is wrong in all points tried is a problem of the study."""
    known: set[str] = set()
    by_axis: dict[DataPath, list[Sequence[Problem]]] = {}
    for level in design.levels():
        problems = _always_wrong(document, base, design, level, known, named=isinstance(spec.metrics, tuple))
        others = [path for path in design.paths if path != level.setting.path]
        mine = [
            problem
            for problem in problems
            if _overlap(problem.path, level.setting.path) or not any(_overlap(problem.path, path) for path in others)
        ]
        by_axis.setdefault(level.axis, []).append(mine)
    for axis, of_levels in by_axis.items():
        collect.problems += _told_once(document, axis, of_levels)
    for i, name in enumerate(spec.metrics if isinstance(spec.metrics, tuple) else ()):
        if known and name not in known:
            collect.problems.append(
                document.problem(("metrics", i), f"there is no metric {name!r}", suggest(name, known))
            )


def _overlap(one: str, other: str) -> bool:
    """Whether one path leads to, or through, the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _always_wrong(
    document: Document, base: Base, design: Node, level: Level, known: set[str], *, named: bool
) -> list[Problem]:
    """Problems that every point tried with this value has; none if one of the points is good."""
    first: list[Problem] = []
    common: set[tuple[str, str]] | None = None
    for point in level.points:
        try:
            overrides = [_override(document, setting) for setting in design.at(point)]
            scenario = resolve(base.changed(overrides), base.beside, base.shared)
        except InputError as error:
            told = {(problem.path, problem.message) for problem in error.problems}
            first = first or list(error.problems)
            common = told if common is None else common & told
            if not common:
                return []
        else:
            if named:
                known.update(metrics_of(lower(scenario)))
            return []
    return [problem for problem in first if common and (problem.path, problem.message) in common]


def _told_once(document: Document, axis: DataPath, of_levels: Sequence[Sequence[Problem]]) -> list[Problem]:
    """Problems of an axis's values; what all of them have is told once, where the axis is written."""
    counts: dict[tuple[str, str], int] = {}
    for problems in of_levels:
        for told in {(problem.path, problem.message) for problem in problems}:
            counts[told] = counts.get(told, 0) + 1
    found: dict[tuple[str, str] | Problem, Problem] = {}
    for problem in (problem for problems in of_levels for problem in problems):
        told = problem.path, problem.message
        if len(of_levels) > 1 and counts[told] == len(of_levels) and problem.source == document.source:
            found.setdefault(told, Problem(*document.where(axis), *told, problem.hint))
        else:
            found[problem] = problem
    return list(found.values())
