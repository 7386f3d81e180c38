"""``--set path=value``: values of a document replaced from the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from eesim.document import MAX_DEPTH, TOO_DEEP, Document
from eesim.errors import InputError, Problem
from eesim.wording import DataPath, clean
from eesim.yamldoc import parse_value

SOURCE = "--set"
"""What stands for the file in problems with overrides."""

Expand: TypeAlias = Callable[[DataPath, Any], "dict[str, Any] | None"]
"""Takes a path and the scalar there; returns the mapping that the scalar is short for, or None."""


@dataclass(frozen=True, slots=True)
class Override:
    """A value to be set, and where; steps of digits are indices of lists (or keys of mappings).

    ``source`` and ``line`` say where the value was written.
    """

    path: DataPath
    value: Any
    source: str = SOURCE
    line: int = 0


def steps_of(path: str) -> DataPath:
    """Split a dotted path; steps of digits are indices of lists."""
    steps = (step.strip() for step in path.split("."))
    return tuple(int(step) if re.fullmatch("[0-9]{1,9}", step) else step for step in steps)


def parse_override(text: str) -> Override:
    """Return ``path=value`` as an override.

    The path has dots between keys and indices (``opps.0.frequency``). The value is a YAML scalar or a flow
    collection: ``true``, ``5``, ``40 ms``, ``[1, 2]``, ``{kind: poisson, rate: 3 Hz}``.

    Raises
    ------
    InputError
        If it is something else.
    """
    written, equals, value = text.partition("=")
    if not equals:
        raise InputError([Problem(SOURCE, 0, clean(text), "must be path=value")])
    steps = [step.strip() for step in written.split(".")]
    if not all(steps):
        raise InputError([Problem(SOURCE, 0, clean(text), "a step of the path is empty")])
    if len(steps) > MAX_DEPTH:
        raise InputError([Problem(SOURCE, 0, clean(text), TOO_DEEP)])
    path = steps_of(written)
    return Override(path, parse_value(value, SOURCE, path))


def parse_overrides(texts: Iterable[str]) -> list[Override]:
    """Return several overrides; the problems of all of them are reported together (see `parse_override`)."""
    overrides: list[Override] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            overrides.append(parse_override(text))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return overrides


def apply_overrides(document: Document, overrides: Iterable[Override], expand: Expand | None = None) -> Document:
    """Return a document with values replaced or added, in the order given.

    Parameters
    ----------
    document
        What to start from.
    overrides
        What to set. Keys that the document does not have are added: whether they mean anything is found out
        when the result is validated.
    expand
        Says which scalars are short for a mapping, so that a path may lead through them.

    Raises
    ------
    InputError
        If paths lead through scalars or to indices that are not there; lists all of them.
    """
    problems: list[Problem] = []
    for override in overrides:
        try:
            document = _applied(document, override, expand)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return document


def _applied(document: Document, override: Override, expand: Expand | None) -> Document:
    """Return a document with one value set."""
    path: DataPath = ()
    for step in override.path:
        here = document.get(path)
        if expand and path and here is not None and not isinstance(here, (dict, list)):
            longer = expand(path, here)
            if longer is not None:
                document = document.with_value(path, longer, *document.where(path))
                here = longer
        path = (*path, step if isinstance(here, list) else str(step))
    return document.with_value(path, override.value, override.source, override.line)
