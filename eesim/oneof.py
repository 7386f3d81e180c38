"""Unions in which the shape of a value says which branch is meant.

pydantic tries every branch of a union and reports the failures of all of them. `OneOf` looks at the value
first (is it text, a number, a list, a mapping, and of which ``kind``?), and only the branch that was meant is
tried:

>>> Board = Annotated[str | BoardChange, OneOf()]                   # a name or a mapping
>>> Arrivals = Annotated[Periodic | Poisson | Trace, OneOf()]       # mappings with different `kind`
>>> WarmUp = Annotated[Literal["auto", "none"] | TimeNs | int, OneOf()]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from eesim.document import TAG
from eesim.errors import suggest
from eesim.findings import BRANCH, SpecError, not_one_of
from eesim.wording import listing, show

_TYPES: tuple[tuple[type, str, str], ...] = (
    (str, "text", "text"),
    (Path, "text", "text"),
    (bool, "boolean", "true or false"),
    (int, "number", "a whole number"),
    (float, "number", "a number"),
    (Fraction, "number", "a number"),
    (NoneType, "empty", "null"),
    (BaseModel, "mapping", "a mapping"),
    (Mapping, "mapping", "a mapping"),
    (list, "list", "a list"),
    (tuple, "list", "a list"),
    (set, "list", "a list"),
    (frozenset, "list", "a list"),
)
"""Python type, the shape of its values and how messages name them."""


class Written(NamedTuple):
    """Metadata of an annotated type: how its values are written in YAML, if not as the type says.

    Attributes
    ----------
    words
        How messages name such a value (``a time such as 8.09 ms``).
    shapes
        Shapes that the value can have: ``text``, ``number``, ``boolean``, ``list``, ``mapping``, ``empty``.
    quantity
        Whether its text begins with a number.
    """

    words: str
    shapes: frozenset[str] = frozenset({"text"})
    quantity: bool = False


class OneOf:
    """Metadata of a union: choose the branch by the shape of the value.

    Among several mappings the entry ``tag`` chooses, a field of type ``Literal[...]`` in each of them. Among
    several branches that are text, fixed words go before quantities and names, of which there can be one.

    Parameters
    ----------
    tag
        Key that tells mappings apart.
    """

    def __init__(self, tag: str = TAG) -> None:
        self.tag = tag

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return a schema that tries only the branch that fits."""
        members = _members(source)
        branches = [_branch(member, f"{BRANCH}{index}", self.tag) for index, member in enumerate(members)]
        chooser = _Chooser(branches, self.tag)
        schemas = {b.label: handler.generate_schema(m) for b, m in zip(branches, members, strict=True)}
        union = core_schema.tagged_union_schema(schemas, lambda value: chooser.choose(value).label)
        return core_schema.no_info_before_validator_function(chooser.check, union)


@dataclass(frozen=True, slots=True)
class _Branch:
    """One member of a union."""

    label: str
    words: tuple[str, ...]
    shapes: frozenset[str]
    literals: frozenset[object] = frozenset()
    quantity: bool = False
    type: type | None = None
    tags: tuple[str, ...] = ()


class _Chooser:
    """Finds the branch for a value.

    Raises
    ------
    TypeError
        If the branches cannot be told apart.
    """

    def __init__(self, branches: list[_Branch], tag: str) -> None:
        self._branches = branches
        self._tag = tag
        for shape in {shape for branch in branches for shape in branch.shapes}:
            rivals = [b for b in branches if shape in b.shapes and not b.literals]
            tags = [tag for branch in rivals for tag in branch.tags]
            told_apart = shape == "mapping" and all(b.tags for b in rivals) and len(set(tags)) == len(tags)
            if len(rivals) > 1 and not told_apart:
                raise TypeError(f"OneOf cannot tell apart: {', '.join(b.words[0] for b in rivals)}")

    def check(self, value: object) -> object:
        """Return ``value`` if there is a branch for it."""
        self.choose(value)
        return value

    def choose(self, value: object) -> _Branch:
        """Return the branch for ``value``; raise `SpecError` if there is none."""
        for branch in self._branches:
            if branch.type and isinstance(value, branch.type):
                return branch
        shape = _shape(type(value))[0]
        fitting = [branch for branch in self._branches if shape in branch.shapes]
        for branch in fitting:
            if branch.literals and value in branch.literals:
                return branch
        free = [branch for branch in fitting if not branch.literals]
        if len(free) > 1 and isinstance(value, Mapping):
            return self._by_tag(value, free)
        no_number = isinstance(value, str) and not re.match(r"\s*[-+.]*[0-9]", value)
        if not free or (no_number and free[0].quantity and len(fitting) > 1):
            expected = listing(dict.fromkeys(word for b in self._branches for word in b.words))
            texts = [item for b in self._branches for item in b.literals if isinstance(item, str)]
            raise SpecError([((), f"must be {expected}, not {show(value)}", suggest(str(value), texts))])
        return free[0]

    def _by_tag(self, value: Mapping[str, object], branches: list[_Branch]) -> _Branch:
        """Return the branch of a mapping that the tag names."""
        kinds = [tag for branch in branches for tag in branch.tags]
        if self._tag not in value:
            raise SpecError([((self._tag,), f"missing: must be one of {', '.join(kinds)}")])
        kind = value[self._tag]
        for branch in branches:
            if kind in branch.tags:
                return branch
        raise SpecError([((self._tag,), *not_one_of(kind, kinds))])


def _members(source: Any) -> list[Any]:
    """Return the members of a union, those of unions in it included."""
    if get_origin(source) in (Union, UnionType):
        return [member for part in get_args(source) for member in _members(part)]
    if get_origin(source) is Annotated and any(isinstance(extra, OneOf) for extra in source.__metadata__):
        return _members(get_args(source)[0])
    return [source]


def _shape(kind: type) -> tuple[str, str]:
    """Return the shape of a type's values and how messages name them."""
    for base, shape, words in _TYPES:
        if issubclass(kind, base):
            return shape, words
    return "other", kind.__name__


def _branch(member: Any, label: str, tag: str) -> _Branch:
    """Describe one member of a union."""
    origin, arguments = get_origin(member), get_args(member)
    if origin is Annotated:
        for extra in member.__metadata__:
            if isinstance(extra, Written):
                return _Branch(label, (extra.words,), extra.shapes, quantity=extra.quantity)
        return _branch(arguments[0], label, tag)
    if origin is Literal:
        return _fixed(label, arguments)
    kind = origin or member
    if not isinstance(kind, type):
        raise TypeError(f"OneOf cannot tell the shape of {member}")
    if issubclass(kind, Enum):
        return replace(_fixed(label, tuple(item.value for item in kind)), type=kind)
    shape, words = _shape(kind)
    if shape == "other":
        raise TypeError(f"OneOf cannot tell the shape of {member}")
    if not issubclass(kind, BaseModel):
        return _Branch(label, (words,), frozenset({shape}))
    field = kind.model_fields.get(tag)
    return _Branch(label, (words,), frozenset({shape}), type=kind, tags=get_args(field.annotation) if field else ())


def _fixed(label: str, values: tuple[object, ...]) -> _Branch:
    """Describe a member of a union that consists of fixed values."""
    words = tuple(item if isinstance(item, str) else show(item) for item in values)
    return _Branch(label, words, frozenset(_shape(type(item))[0] for item in values), frozenset(values))
