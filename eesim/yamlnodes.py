"""YAML text to a graph of nodes: the syntax, and which plain scalar means what.

The dialect is what people mean by YAML, which is nearer to version 1.2 than to 1.1. Of the plain scalars,

* ``true`` and ``false`` are the booleans (``no``, ``off``, ``Y`` and ``True`` are text),
* ``null``, ``~`` and nothing at all are null,
* decimal digits without leading zeros are whole numbers (``0x10``, ``010``, ``1_000``, ``12:30`` are text),
* ``1.5``, ``.5``, ``1e-3`` are floats; so are ``.inf`` and ``.nan``, which `eesim.yamldoc` refuses,
* everything else, dates included, is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.nodes import Node
from yaml.reader import ReaderError

from eesim.document import MAX_DEPTH, TOO_DEEP
from eesim.errors import InputError, Problem
from eesim.wording import clean

MAX_NODES = 100_000
"""A document may hold this many keys and values, every alias written out."""

TOO_MANY = f"more than {MAX_NODES:,} keys and values"

YAML_TAG = "tag:yaml.org,2002:"
"""What the tags of the standard types begin with."""

_NO_COLON = "could not find expected ':'"
_ADVICE = (
    (r"found character '\\t'", "a tab cannot be used here: indent with spaces"),
    (r"found character '(.)' that cannot start", r"a plain value cannot start with \1: put it in quotes"),
    (r"mapping values are not allowed", "a ': ' where none can be: mend the indentation, or quote the value"),
    (_NO_COLON, "a line that is not 'key: value' (a space must follow the colon)"),
)


class _Loader(yaml.SafeLoader):
    """PyYAML's loader as far as the node graph, with this dialect's scalars and limits."""

    yaml_implicit_resolvers: dict[Any, Any] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Compose one node, unless there are too many."""
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH + 1 or self._count > MAX_NODES:
            limit = TOO_MANY if self._count > MAX_NODES else TOO_DEEP
            raise ComposerError(None, None, limit, self.get_mark())
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _name, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("merge", r"<<", "<"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(YAML_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def compose(text: str, source: str) -> Node | None:
    """Return the node graph of the one document in ``text``, or None if there is nothing in it.

    Raises
    ------
    InputError
        If the text is not YAML, holds more than one document, or is too large.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_node() if loader.check_node() else None
            if not loader.check_node():
                return node
            line, message = loader.get_mark().line, "a second document: a file holds one"
        except (ValueError, OverflowError):
            # PyYAML lets chr() fail on an escape sequence that is beyond Unicode.
            line, message = loader.get_mark().line, "not valid YAML: an escape sequence that is no character"
        finally:
            loader.dispose()
    except ReaderError as error:
        line = text.count("\n", 0, error.position)
        message = f"not valid YAML: the character {text[error.position]!a} is not allowed"
    except yaml.MarkedYAMLError as error:
        # A line without a colon is noticed on the next one.
        mark = error.context_mark if error.problem == _NO_COLON else error.problem_mark or error.context_mark
        line = mark.line if mark else -1
        message = _explain(error)
    raise InputError([Problem(source, line + 1, "", message)])


def _explain(error: yaml.MarkedYAMLError) -> str:
    """Put a syntax error into plain English."""
    what = clean((error.problem or error.context or "syntax error").replace(r"'\x00'", "the end"))
    if what in (TOO_DEEP, TOO_MANY):
        return what
    for pattern, advice in _ADVICE:
        found = re.match(pattern, what)
        if found:
            return f"not valid YAML: {found.expand(advice)}"
    begun = f" {error.context} that begins on line {error.context_mark.line + 1}" if error.context_mark else ""
    return f"not valid YAML: {what}{begun if error.context else ''}"
