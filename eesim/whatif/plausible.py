"""Boards that may be true: intervals or draws of inputs, from a file or a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.overrides import steps_of
from eesim.scenario.load import Scenario
from eesim.scenario.sensitivity import Plausible, PlausibleSpec
from eesim.spec import validate_document
from eesim.whatif.amounts import Amount, amount, as_counted, between, parse_range
from eesim.whatif.inputs import Leaf
from eesim.whatif.ranges import Span, known_leaves
from eesim.wording import DataPath
from eesim.yamldoc import load_document, parse_value

TAILS = 0.025
"""A normal input, or one of which there are draws, is varied over the middle 95 % of what is plausible."""


@dataclass(frozen=True)
class PlausibleBoards:
    """What the inputs may be.

    Attributes
    ----------
    source
        File or section.
    terms
        Path to what may be there; empty where draws are given.
    draws
        Rows of a file of draws: value of each path.
    """

    source: str
    terms: Mapping[DataPath, Plausible]
    draws: tuple[Mapping[DataPath, Any], ...] = ()

    @property
    def paths(self) -> list[str]:
        """Names of the inputs."""
        return [".".join(map(str, path)) for path in (self.terms or (self.draws[0] if self.draws else {}))]


def read_plausible(scenario: Scenario, source: str | Path | Mapping[str, Plausible]) -> PlausibleBoards:
    """Read what is plausible: a YAML file of intervals, a CSV file of draws, or the section of a scenario.

    Parameters
    ----------
    scenario
        What the inputs are those of.
    source
        Path, or terms as in a scenario.

    Raises
    ------
    InputError
        With everything that is wrong with it.
    """
    if isinstance(source, Mapping):
        terms = {steps_of(name): term for name, term in source.items()}
        return _checked(PlausibleBoards("sensitivity.plausible", terms), scenario, Document.of({}))
    path = Path(source)
    if path.suffix == ".csv":
        return _read_draws(path)
    document = load_document(path)
    spec = validate_document(PlausibleSpec, document)
    terms = {steps_of(name): term for name, term in spec.plausible.items()}
    return _checked(PlausibleBoards(str(source), terms), scenario, document)


def own_plausible(scenario: Scenario) -> Path | Mapping[str, Plausible] | None:
    """Return what the scenario's own section says is plausible; a path is relative to the scenario's file."""
    section = scenario.spec.sensitivity
    written = section.plausible if section is not None else None
    return scenario.folder / written if isinstance(written, str) else written


def _read_draws(path: Path) -> PlausibleBoards:
    """Read a table whose columns are paths and whose rows are boards."""
    import csv

    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError([Problem(str(path), 0, "", f"cannot be read: {reason}")]) from None
    if len(table) < 2:
        raise InputError([Problem(str(path), 0, "", "needs a heading of paths and at least one row of values")])
    heading = [name.strip() for name in table[0]]
    problems = [Problem(str(path), 1, name, "is an empty path") for name in heading if not all(name.split("."))]
    problems += [
        Problem(str(path), line, "", f"has {len(row)} values, but there are {len(heading)} paths")
        for line, row in enumerate(table[1:], start=2)
        if len(row) != len(heading)
    ]
    if problems:
        raise InputError(problems[:20])
    steps = [steps_of(name) for name in heading]
    rows = [{p: parse_value(cell, str(path), p) for p, cell in zip(steps, row, strict=True)} for row in table[1:]]
    return PlausibleBoards(str(path), {}, tuple(rows))


def _checked(boards: PlausibleBoards, scenario: Scenario, document: Document) -> PlausibleBoards:
    """Refuse terms whose numbers cannot be read."""
    there = known_leaves(scenario)
    problems = []
    for path, term in boards.terms.items():
        try:
            _ends(term, there.get(path))
        except ValueError as error:
            name = ".".join(map(str, path))
            source, line = document.where(("plausible", name))
            problems.append(Problem(source if document.data else boards.source, line, name, str(error)))
    if problems:
        raise InputError(problems)
    return boards


def _ends(term: Plausible, leaf: Leaf | None) -> tuple[Amount, Amount] | None:
    """Return the two ends between which most of a term lies; None for a list of values."""
    if term.values is not None:
        return None
    example = leaf.value if leaf else None
    if term.sd is None:
        low, high = parse_range((term.low, term.high))  # type: ignore[misc]
        return as_counted(low, example), as_counted(high, example)
    middle, spread = _normal(term, leaf)
    reach = float(stats.norm.ppf(1 - TAILS))
    return _moved(middle, spread, -reach), _moved(middle, spread, reach)


def _normal(term: Plausible, leaf: Leaf | None) -> tuple[Amount, Amount]:
    """Return mean and standard deviation of a normal term."""
    middle = amount(term.value if term.value is not None else leaf.written if leaf else None)
    spread = amount(term.sd)
    if middle is None or spread is None:
        raise ValueError("value (or what the scenario says) and sd must be numbers, with their units")
    if spread.number <= 0:
        raise ValueError("sd must be above 0")
    if spread.unit == "%" != middle.unit:
        share = abs(middle.number) * spread.number / 100
        spread = middle._replace(number=share)
    if middle.unit != spread.unit:
        raise ValueError(
            f"value and sd must have the same unit, not {middle.unit or 'none'} and {spread.unit or 'none'}"
        )
    return as_counted(middle, leaf.value if leaf else None), spread


def _moved(middle: Amount, spread: Amount, deviations: float) -> Amount:
    return between(middle, middle._replace(number=middle.number + spread.number), deviations)


def spans_of(scenario: Scenario, boards: PlausibleBoards) -> list[Span]:
    """Return what is plausible as ranges for one input at a time; lists of values that are no numbers are left out."""
    there = known_leaves(scenario)
    spans = []
    for path, (low, high) in _all_ends(boards, there):
        leaf = there.get(path)
        spans.append(Span(path, leaf.written if leaf else None, low, high))
    return spans


def _all_ends(
    boards: PlausibleBoards, there: Mapping[DataPath, Leaf]
) -> Iterator[tuple[DataPath, tuple[Amount, Amount]]]:
    for path, term in boards.terms.items():
        ends = _ends(term, there.get(path)) or _extremes(term.values or ())
        if ends is not None:
            yield path, ends
    for path in boards.draws[0] if boards.draws else ():
        ends = _extremes([row[path] for row in boards.draws], TAILS)
        if ends is not None:
            yield path, ends


def _extremes(values: Sequence[Any], tails: float = 0.0) -> tuple[Amount, Amount] | None:
    """Return the ends of a list of numbers without its tails; None if they are no numbers or all the same."""
    found = sorted(one for one in map(amount, values) if one is not None)
    if len(found) != len(values) or len({one.unit for one in found}) != 1:
        return None
    low, high = found[int(tails * (len(found) - 1))], found[-1 - int(tails * (len(found) - 1))]
    return (low, high) if low.number < high.number else None


def draw(boards: PlausibleBoards, scenario: Scenario, rng: np.random.Generator) -> Iterator[dict[DataPath, Any]]:
    """Draw plausible boards without end (or, of a file of draws, its rows in order, once).

    Inputs that belong together share one uniform number; all others are independent. Normal inputs are not cut: a board
    that they make invalid is for the caller to refuse.
    """
    if boards.draws:
        yield from map(dict, boards.draws)
        return
    there = known_leaves(scenario)
    while True:
        shared: dict[str, float] = {}
        board = {}
        for path, term in boards.terms.items():
            own = float(rng.random())
            share = shared.setdefault(term.together, own) if term.together else own
            board[path] = _value(term, 1 - share if term.opposite else share, there.get(path))
        yield board


def _value(term: Plausible, share: float, leaf: Leaf | None) -> Any:
    if term.values is not None:
        return term.values[min(int(share * len(term.values)), len(term.values) - 1)]
    if term.sd is not None:
        # 0 itself, which no generator but a `together` of 1 gives, has no normal deviate.
        return _moved(*_normal(term, leaf), float(stats.norm.ppf(min(max(share, 1e-12), 1 - 1e-12)))).written()
    ends = _ends(term, leaf)
    assert ends is not None, "a term without values has ends"
    return between(*ends, share).written()
