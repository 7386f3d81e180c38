"""Strict YAML files as documents with positions.

Which plain scalar means what is said in `eesim.yamlnodes`. On top of that, keys are text and occur once,
numbers are finite and fit in 64 bits, there are no merge keys and no tags beyond the standard ones, and
aliases may not contain themselves. Everything that is wrong with a file is reported together, as one
`InputError`.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from eesim.document import MAX_DEPTH, MAX_INT, TOO_DEEP, Document, Origin, Scalar, Tree
from eesim.errors import InputError, Problem, suggest
from eesim.wording import DataPath, clean, dotted, show
from eesim.yamlnodes import MAX_NODES, TOO_MANY, YAML_TAG, compose

__all__ = ["MAX_BYTES", "Document", "load_document", "parse_document", "parse_value"]

MAX_BYTES = 10_000_000
"""Longer files are refused."""

_STANDARD = {YAML_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}
_NOT_A_CHARACTER = re.compile("[\ud800-\udfff]")


def load_document(path: str | os.PathLike[str]) -> Document:
    """Return the YAML file at ``path`` as a document.

    Raises
    ------
    InputError
        If the file cannot be read or is not strict YAML with a mapping on top; lists every problem.
    """
    source = os.fspath(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError([_unreadable(source, error)]) from None
    if len(raw) > MAX_BYTES:
        raise InputError([Problem(source, 0, "", f"larger than {MAX_BYTES // 1_000_000} MB")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"not a text file in UTF-8 (byte 0x{error.object[error.start]:02x})"
        raise InputError([Problem(source, line, "", message)]) from None
    return parse_document(text, source)


def parse_document(text: str, source: str) -> Document:
    """Return YAML text as a document; ``source`` stands for its file in problems.

    Raises
    ------
    InputError
        If the text is not strict YAML with a mapping on top; lists every problem.
    """
    node = compose(text, source)
    if node is None or (isinstance(node, ScalarNode) and node.value == "" and node.style is None):
        raise InputError([Problem(source, 0, "", "the file is empty")])
    builder = _Builder(source)
    root = builder.build(node, (), node.start_mark.line + 1)
    if not isinstance(root.content, dict):
        what = show(root.plain())
        builder.complain(root.origin.line, (), f"must be a mapping ('key: value' lines), not {what}")
    if builder.problems:
        raise InputError(sorted(builder.problems, key=lambda problem: problem.line))
    return Document(root)


def parse_value(text: str, source: str, path: DataPath) -> Any:
    """Return a scalar or a flow collection (``[1, 2]``, ``{rate: 3 Hz}``) that was written outside a file.

    Raises
    ------
    InputError
        If the text is something else; its problems have no line, and paths that start with ``path``.
    """
    try:
        node = compose(text, source)
    except InputError as error:
        raise InputError(Problem(source, 0, dotted(path), p.message) for p in error.problems) from None
    builder = _Builder(source, in_file=False)
    if node is None or not text.strip():
        builder.complain(0, path, "the value is empty", "null")
    elif isinstance(node, (MappingNode, SequenceNode)) and not node.flow_style:
        inner = clean(text.strip().removeprefix("- "))
        written = f"{{{inner}}}" if isinstance(node, MappingNode) else f"[{inner}]"
        builder.complain(0, path, "a mapping or a list needs brackets here", written)
    else:
        tree = builder.build(node, path, 0)
        if not builder.problems:
            return tree.plain()
    raise InputError(builder.problems)


def _unreadable(source: str, error: Exception) -> Problem:
    """Say why a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        path = Path(source)
        try:
            near = suggest(path.name, os.listdir(path.parent))
        except (OSError, ValueError):
            near = ""
        return Problem(source, 0, "", "no such file", str(path.with_name(near)) if near else "")
    if isinstance(error, IsADirectoryError):
        return Problem(source, 0, "", "is a directory, not a file")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Problem(source, 0, "", f"cannot be read: {reason}")


class _Builder:
    """Turns a node graph into a `Tree`, noting everything that is wrong with it."""

    def __init__(self, source: str, in_file: bool = True) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._in_file = in_file
        self._count = 0
        self._open: set[int] = set()

    def complain(self, line: int, path: DataPath, message: str, hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(Problem(self._source, line * self._in_file, dotted(path), message, hint))

    def build(self, node: Node, path: DataPath, line: int) -> Tree:
        """Return the tree of a node; ``line`` is where it, or its key in a mapping, was written."""
        origin = Origin(self._source, line * self._in_file, path)
        if id(node) in self._open:
            self.complain(line, path, "an alias that contains itself")
            return Tree(None, origin)
        self._count += 1
        if self._count > MAX_NODES or len(path) > MAX_DEPTH:
            self.complain(line, (), f"{TOO_DEEP if len(path) > MAX_DEPTH else TOO_MANY}, with aliases written out")
            raise InputError(self.problems)
        if node.tag not in _STANDARD:
            self.complain(line, path, f"the tag {show(node.tag.replace(YAML_TAG, '!!'))} is not known here")
        self._open.add(id(node))
        content: dict[str, Tree] | list[Tree] | Scalar
        if isinstance(node, MappingNode):
            content = self._mapping(node, path)
        elif isinstance(node, SequenceNode):
            items = enumerate(node.value)
            content = [self.build(item, (*path, index), item.start_mark.line + 1) for index, item in items]
        else:
            content = self._scalar(node, path, line)
        self._open.remove(id(node))
        return Tree(content, origin)

    def _mapping(self, node: MappingNode, path: DataPath) -> dict[str, Tree]:
        """Return the entries of a mapping."""
        entries: dict[str, Tree] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, path, line)
            if key is None:
                continue
            tree = self.build(value, (*path, key), line)
            if key in entries:
                first = f" (the first is on line {entries[key].origin.line})" if self._in_file else ""
                self.complain(line, (*path, key), f"duplicate key{first}")
            entries.setdefault(key, tree)
        return entries

    def _key(self, node: Node, path: DataPath, line: int) -> str | None:
        """Return the text of a key, or None if it can be no key at all."""
        self._count += 1
        if not isinstance(node, ScalarNode):
            self.complain(line, path, "a key must be text, not a list or a mapping")
            return None
        if node.tag == YAML_TAG + "merge":
            self.complain(line, path, "merge keys (<<) are not allowed: write the values out")
            return None
        key = self._text(node, path, line)
        if node.tag != YAML_TAG + "str":
            self.complain(line, path, f"the key {clean(key) or 'of an entry'} must be text", f'"{clean(key)}"')
        return key

    def _text(self, node: Node, path: DataPath, line: int) -> str:
        """Return the text of a scalar."""
        text: str = node.value
        if _NOT_A_CHARACTER.search(text):
            self.complain(line, path, "an escape sequence that is no character")
        return text

    def _scalar(self, node: Node, path: DataPath, line: int) -> Scalar:
        """Return the value of a scalar, by the tag that it was given or that its text implies."""
        text = self._text(node, path, line)
        kind = node.tag.removeprefix(YAML_TAG)
        if kind == "bool" and text in ("true", "false"):
            return text == "true"
        if kind == "int" and re.fullmatch("[-+]?[0-9]+", text):
            # Python refuses to read thousands of digits, so length comes first.
            if len(text) <= 20 and abs(int(text)) <= MAX_INT:
                return int(text)
            self.complain(line, path, "a whole number must fit in 64 bits")
        elif kind == "float":
            return self._float(text, path, line)
        elif kind == "null":
            return None
        elif kind in ("bool", "int", "map", "seq"):
            self.complain(line, path, f"{show(text)} does not fit its tag !!{kind}")
        return text

    def _float(self, text: str, path: DataPath, line: int) -> Scalar:
        """Return a finite number."""
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.complain(line, path, f"{clean(text)} is not a finite number")
            return None
        return number
