"""Which inputs a sensitivity varies, and how far: as declared, or every number by so many per cent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from eesim.errors import InputError, Problem
from eesim.overrides import steps_of
from eesim.scenario.load import Scenario
from eesim.units import format_frequency
from eesim.whatif.amounts import Amount, amount, as_counted, parse_range
from eesim.whatif.inputs import Leaf, leaves, place
from eesim.wording import DataPath, dotted

NOT_VARIED = ("run", "requirements", "physics")
"""Sections whose numbers say nothing about the system."""


class Span(NamedTuple):
    """An input and the two values that it is set to; ``low`` and ``high`` are None if it cannot be varied."""

    path: DataPath
    base: Any
    """As it is written now; None if it is not."""
    low: Amount | None
    high: Amount | None
    reason: str = ""
    """Why it cannot be varied."""

    @property
    def name(self) -> str:
        """Dotted path."""
        return dotted(self.path)


def known_leaves(scenario: Scenario) -> dict[DataPath, Leaf]:
    """All values of a scenario's inputs by their path."""
    return {leaf.path: leaf for leaf in leaves(scenario)}


def declared(scenario: Scenario, ranges: Mapping[str, Any], where: Callable[[str], Problem]) -> list[Span]:
    """Return ranges as declared: path to ``LOW..HIGH``, ``±10 %`` or a pair of ends.

    Parameters
    ----------
    scenario
        What the inputs are those of.
    ranges
        What is declared.
    where
        Problem that says where the range of a path was written.

    Raises
    ------
    InputError
        With everything that is no range, and every relative one without a number to be relative to.
    """
    there = {_loose(path): leaf for path, leaf in known_leaves(scenario).items()}
    spans, problems = [], []
    for name, written in ranges.items():
        path = steps_of(name)
        leaf = there.get(_loose(path))
        try:
            spans.append(_span(path, leaf, written))
        except ValueError as error:
            problems.append(replace(where(name), message=str(error)))
    if problems:
        raise InputError(problems)
    return spans


def _loose(path: DataPath) -> tuple[str, ...]:
    """Steps as text: whether digits are an index or a key is for the document to say."""
    return tuple(map(str, path))


def _span(path: DataPath, leaf: Leaf | None, written: Any) -> Span:
    found = parse_range(written)
    base = leaf.written if leaf else None
    if isinstance(found, Fraction):
        now = amount(base)
        if now is None:
            raise ValueError("has no number that a share could be taken of: give LOW..HIGH")
        return _relative(path, as_counted(now, leaf.value if leaf else None), base, found)
    low, high = (as_counted(end, leaf.value if leaf else None) for end in found)
    return Span(path, base, low, high)


def _relative(path: DataPath, now: Amount, base: Any, share: Fraction) -> Span:
    if now.number == 0:
        return Span(path, base, None, None, "is 0: a share of it is nothing, give it a range")
    return Span(path, base, now.times(max(1 - share, Fraction(0))), now.times(1 + share))


def every_number(scenario: Scenario, share: Fraction) -> list[Span]:
    """Every number that stands in board, profile, network and scenario, a share to each side.

    Whole numbers move by at least one, clocks of the mapping to the next operating point. Numbers that are not written
    (defaults) are not varied, nor are those that concern the simulation (``run``) or limits (``requirements``).
    """
    spans = []
    for leaf in leaves(scenario):
        if (
            not leaf.is_written
            or leaf.section in NOT_VARIED
            or isinstance(leaf.value, bool)
            or not isinstance(leaf.value, int | float | Fraction)
        ):
            continue
        now = amount(leaf.written)
        if now is not None:
            spans.append(_relative(leaf.path, as_counted(now, leaf.value), leaf.written, share))
    spans += _clocks(scenario)
    return spans


def _clocks(scenario: Scenario) -> Iterable[Span]:
    """Clocks that the mapping asks for: to the neighbouring operating points."""
    found: dict[DataPath, Span] = {}
    for number, member in enumerate(scenario.streams):
        written = member.documents["scenario"].get("mapping", {}).get("opp", {})
        names = member.network.segment_names
        for key, clock in written.items():
            pe = key if key in member.board.pes else member.mapping.pes[names.index(key)]
            table = member.board.pes[pe].opps.frequencies
            at = table.index(member.spec.mapping.opp[key])
            path = place(scenario, number, ("mapping", "opp", key))
            below, above = table[max(at - 1, 0)], table[min(at + 1, len(table) - 1)]
            if below == above:
                found[path] = Span(path, clock, None, None, "is the only operating point")
            else:
                found[path] = Span(path, clock, _hertz(below), _hertz(above))
    return found.values()


def _hertz(hz: int) -> Amount | None:
    return amount(format_frequency(hz))
