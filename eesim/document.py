"""Plain data that remembers where each of its values was written.

A `Document` is what a YAML file, a ``--set`` option or a Python dictionary becomes before anything is
validated: mappings, lists and scalars, each with its file, its line and its path there. Positions survive
merging and replacing, so that a problem found much later still points at the line that the user wrote.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from eesim.errors import InputError, Problem
from eesim.wording import DataPath, dotted, show

Scalar: TypeAlias = str | int | float | bool | None

MAX_DEPTH = 50
"""Mappings and lists may nest this deep."""

TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"

MAX_INT = 2**63 - 1
"""Whole numbers further from zero than this are refused: the engines count in 64 bits."""

TAG = "kind"
"""Key by which mappings of different make are told apart."""


class Origin(NamedTuple):
    """Where a value was written: file, line (0 where there is none) and path inside that file."""

    source: str
    line: int
    path: DataPath


@dataclass(frozen=True, slots=True)
class Tree:
    """A value and its origin; the items of mappings and lists are trees themselves."""

    content: dict[str, Tree] | list[Tree] | Scalar
    origin: Origin

    def plain(self) -> Any:
        """Return the value without origins."""
        if isinstance(self.content, dict):
            return {key: item.plain() for key, item in self.content.items()}
        if isinstance(self.content, list):
            return [item.plain() for item in self.content]
        return self.content

    def child(self, step: str | int) -> Tree | None:
        """Return the item at one step, or None if there is no such item."""
        if isinstance(self.content, dict):
            return self.content.get(step) if isinstance(step, str) else None
        if isinstance(self.content, list) and isinstance(step, int) and 0 <= step < len(self.content):
            return self.content[step]
        return None


class Document:
    """Plain data with positions; never changed in place.

    Parameters
    ----------
    root
        The data as a `Tree`; see `Document.of` and `eesim.yamldoc.load_document` for how to get one.
    """

    def __init__(self, root: Tree) -> None:
        self._root = root

    @classmethod
    def of(cls, data: object, source: str = "<python>") -> Document:
        """Return Python data (mappings, lists, tuples, scalars) as a document.

        Raises
        ------
        InputError
            If something in it is not plain data, listing everything that is not.
        """
        return cls(_read(data, Origin(source, 0, ())))

    @classmethod
    def assembled(cls, parts: Mapping[str, Document], like: Document) -> Document:
        """Return a mapping of documents as one, with the position of another's root; nothing is copied."""
        document = cls(Tree({key: part._root for key, part in parts.items()}, like._root.origin))
        document.__dict__["data"] = {key: part.data for key, part in parts.items()}
        return document

    @cached_property
    def data(self) -> Any:
        """The data as dict, list, str, int, float, bool and None; not to be changed."""
        return self._root.plain()

    @property
    def tree(self) -> Tree:
        """The data with the origin of each value."""
        return self._root

    @property
    def source(self) -> str:
        """File that the document's root was written in."""
        return self._root.origin.source

    def __repr__(self) -> str:
        return f"Document({self.data!r}, source={self.source!r})"

    def _nearest(self, path: DataPath) -> tuple[Tree, DataPath]:
        """Return the deepest existing value on the way to ``path`` and the steps that lead nowhere."""
        tree = self._root
        for depth, step in enumerate(path):
            child = tree.child(step)
            if child is None:
                return tree, path[depth:]
            tree = child
        return tree, ()

    def get(self, path: DataPath, default: Any = None) -> Any:
        """Return the plain value at ``path``, or ``default`` if there is none."""
        tree, rest = self._nearest(path)
        return default if rest else tree.plain()

    def origin(self, path: DataPath) -> Origin:
        """Return where ``path`` was written.

        The line of an entry of a mapping is that of its key. A path that does not exist has the file and the
        line of its nearest ancestor that does. The path is the one inside that file, which differs from
        ``path`` in a part and in a merged document.
        """
        tree, rest = self._nearest(path)
        return tree.origin._replace(path=tree.origin.path + rest)

    def where(self, path: DataPath) -> tuple[str, int]:
        """Return the file and the line of the value at ``path`` (see `origin`)."""
        return self.origin(path)[:2]

    def line(self, path: DataPath) -> int:
        """Return the line of the value at ``path`` (see `origin`)."""
        return self.origin(path).line

    def problem(self, path: DataPath, message: str, hint: str = "") -> Problem:
        """Return a problem with the value at ``path``, saying where that was written (see `origin`)."""
        source, line, written = self.origin(path)
        return Problem(source, line, dotted(written), message, hint)

    def sub(self, path: DataPath) -> Document:
        """Return the part at ``path`` as a document of its own that keeps its positions.

        Raises
        ------
        KeyError
            If there is nothing at ``path``.
        """
        tree, rest = self._nearest(path)
        if rest:
            raise KeyError(dotted(path))
        return Document(tree)

    def merged(self, overlay: Document) -> Document:
        """Return this document with another laid over it.

        Mappings merge key by key, everything else is replaced. So is a mapping whose ``kind`` changes: the
        keys of the old kind mean nothing to the new one. Over a list, a mapping of indices (``{"0": ...}``)
        changes single items.
        """
        return Document(_merge(self._root, overlay._root))

    def without(self, key: str) -> Document:
        """Return the document without one key of its top mapping."""
        content = self._root.content
        if not isinstance(content, dict):
            return self
        return Document(Tree({k: item for k, item in content.items() if k != key}, self._root.origin))

    def with_value(self, path: DataPath, value: object, source: str = "--set", line: int = 0) -> Document:
        """Return a copy in which the value at ``path`` is ``value``, adding the mappings that lead there.

        Raises
        ------
        InputError
            If the path leads through a scalar, or to an index that its list does not have.
        """
        new = _read(value, Origin(source, line, self.origin(path).path))
        return Document(_place(self._root, path, new))


def _read(data: object, origin: Origin) -> Tree:
    """Return plain data as a tree, or raise all that is not plain about it."""
    problems: list[Problem] = []
    tree = _tree_of(data, origin, problems)
    if problems:
        raise InputError(problems)
    return tree


def _tree_of(data: object, origin: Origin, problems: list[Problem]) -> Tree:
    """Return plain data as a tree whose values all come from ``origin``'s line."""

    def complain(message: str) -> Tree:
        problems.append(Problem(origin.source, origin.line, dotted(origin.path), message))
        return Tree(None, origin)

    def item(step: str | int, value: object) -> Tree:
        return _tree_of(value, origin._replace(path=(*origin.path, step)), problems)

    if len(origin.path) > MAX_DEPTH:
        return complain(TOO_DEEP)
    if isinstance(data, os.PathLike):
        data = os.fspath(data)
    if data is None or isinstance(data, (bool, str)):
        return Tree(data, origin)
    if isinstance(data, numbers.Integral):
        whole = int(data)
        return Tree(whole, origin) if abs(whole) <= MAX_INT else complain("a whole number must fit in 64 bits")
    if isinstance(data, numbers.Real):
        number = float(data)
        return Tree(number, origin) if math.isfinite(number) else complain(f"{number} is not a finite number")
    if isinstance(data, Mapping):
        for key in data:
            if not isinstance(key, str):
                complain(f"the key {show(key)} must be text")
        return Tree({key: item(key, value) for key, value in data.items() if isinstance(key, str)}, origin)
    if isinstance(data, (list, tuple)):
        return Tree([item(index, value) for index, value in enumerate(data)], origin)
    return complain(f"{show(data)} is not plain data")


def _merge(base: Tree, overlay: Tree) -> Tree:
    """Lay one tree over another."""
    old, new = base.content, overlay.content
    if isinstance(old, list) and isinstance(new, dict) and new and all(_is_index(key, old) for key in new):
        return Tree(
            [_merge(item, new[str(i)]) if str(i) in new else item for i, item in enumerate(old)], overlay.origin
        )
    if not isinstance(old, dict) or not isinstance(new, dict):
        return overlay
    if TAG in old and TAG in new and old[TAG].content != new[TAG].content:
        return overlay
    both = {key: _merge(item, new[key]) if key in new else item for key, item in old.items()}
    return Tree(both | {key: item for key, item in new.items() if key not in old}, overlay.origin)


def _is_index(key: str, items: list[Tree]) -> bool:
    """Whether a key of a mapping is the index of an item, as ``--set`` writes it."""
    return key.isdecimal() and key == str(int(key)) and int(key) < len(items)


def _place(tree: Tree | None, path: DataPath, new: Tree) -> Tree:
    """Return ``tree`` with ``new`` at ``path``; ``tree`` is None where nothing has been written yet."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    content: dict[str, Tree] | list[Tree] | Scalar = {} if tree is None or tree.content is None else tree.content
    here = new.origin.path[: len(new.origin.path) - len(path)]
    origin = new.origin._replace(path=here) if tree is None else tree.origin
    if isinstance(content, dict) and isinstance(step, str):
        return Tree(content | {step: _place(content.get(step), rest, new)}, origin)
    if isinstance(content, list) and isinstance(step, int) and 0 <= step < len(content):
        item = _place(content[step], rest, new)
        return Tree([*content[:step], item, *content[step + 1 :]], origin)
    if isinstance(content, list):
        message = f"{step} is not an index of a list of {len(content)} (0 is the first)"
    elif isinstance(content, dict):
        message = f"{dotted(here) or 'the document'} is a mapping: {step} must be text"
    else:
        message = f"{dotted(here) or 'the document'} is {show(content)}, which has no parts"
    raise InputError([Problem(new.origin.source, new.origin.line, dotted(new.origin.path), message)])
