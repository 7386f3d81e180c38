"""What a model finds wrong with its data, in plain English and with paths as a user writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from eesim.errors import suggest
from eesim.wording import DataPath, count, dotted, show

BRANCH = "\0"
"""Steps of a pydantic location that begin like this name a branch of a union and are no part of the path."""

_KEY = "[key]"
_EXACT = 2**53

_MUST_BE = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "text",
    "path": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
    "none": "null",
}
"""What a value must be, by the first word of pydantic's error type."""

_BOUNDS = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_pattern_mismatch": "must match the pattern {pattern}",
}


class Finding(NamedTuple):
    """One thing that is wrong, its path relative to the model that found it."""

    path: DataPath
    message: str
    hint: str = ""


class SpecError(ValueError):
    """Several things are wrong with the data of a model; validators raise it to report them all.

    Parameters
    ----------
    findings
        ``(path, message)`` or ``(path, message, hint)``, the paths relative to the model (to the field, in a
        validator of a field); the path of an entry that is missing is where it would be.
    """

    def __init__(self, findings: Iterable[tuple[DataPath, str] | tuple[DataPath, str, str]]) -> None:
        self.findings = [Finding(*finding) for finding in findings]
        super().__init__("; ".join(f"{dotted(path)}: {message}" for path, message, _ in self.findings))


def findings_of(error: ValidationError, known: Iterable[str] = ()) -> list[Finding]:
    """Return what a pydantic error says, one finding for each thing that is wrong.

    Parameters
    ----------
    error
        The error of one model; those of models inside it are already `SpecError`.
    known
        Keys that the model knows, for suggestions.
    """
    known = list(known)
    found: list[Finding] = []
    items = error.errors(include_url=False)
    for item in items:
        steps = item["loc"]
        if item["type"] == "too_short" and any(len(i["loc"]) > len(steps) == _common(i["loc"], steps) for i in items):
            # Items that are wrong are not counted: the list is not short, they are wrong.
            continue
        path = tuple(step for step in steps if not (isinstance(step, str) and step.startswith(BRANCH)))
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, SpecError):
            found += [Finding(path + inner.path, inner.message, inner.hint) for inner in cause.findings]
        elif isinstance(cause, Exception):
            found.append(Finding(path, str(cause), getattr(cause, "hint", "")))
        elif path and path[-1] == _KEY:
            found.append(Finding(path[:-1], *_about_key(item)))
        elif item["type"] == "extra_forbidden":
            found.append(Finding(path, "unknown key", suggest(str(path[-1]), known)))
        else:
            found.append(Finding(path, *_about(item)))
    return found


def _common(longer: tuple[int | str, ...], shorter: tuple[int | str, ...]) -> int:
    """Return how many leading steps two locations share."""
    return next((i for i, (a, b) in enumerate(zip(longer, shorter, strict=False)) if a != b), len(shorter))


def not_one_of(value: object, permitted: Iterable[str]) -> tuple[str, str]:
    """Return message and hint for a value that is none of the permitted words."""
    words = list(permitted)
    if len(words) == 1:
        return f"must be {words[0]}, not {show(value)}", suggest(str(value), words)
    if value is None:
        return f"is empty: must be one of {', '.join(words)}", ""
    return f"{show(value)} is not one of {', '.join(words)}", suggest(str(value), words)


def _about_key(item: ErrorDetails) -> tuple[str, str]:
    """Return message and hint for a key that its mapping does not allow."""
    if item["type"] in ("literal_error", "enum"):
        words = _permitted(item)
        return f"unknown key: must be one of {', '.join(words)}", suggest(str(item["input"]), words)
    message, hint = _about(item)
    return f"the key {message}", hint


def _about(item: ErrorDetails) -> tuple[str, str]:
    """Return message and hint for one pydantic error."""
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return "missing", ""
    if kind in ("literal_error", "enum"):
        return not_one_of(value, _permitted(item))
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context), ""
    if kind.endswith(("too_short", "too_long")):
        return _about_length(kind, context), ""
    expected = _MUST_BE.get(kind.partition("_")[0])
    if expected is None:
        text = item["msg"].removeprefix("Input should ")
        return (f"must {text}" if text != item["msg"] else text[:1].lower() + text[1:]), ""
    return f"must be {expected}, not {show(value)}", _meant(expected, value)


def _about_length(kind: str, context: Mapping[str, Any]) -> str:
    """Return the message for text or a list that is too short or too long."""
    noun = "character" if kind.startswith("string") else "item"
    if "min_length" in context:
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {count(least, noun)}"
    return f"must have at most {count(context['max_length'], noun)}"


def _permitted(item: ErrorDetails) -> list[str]:
    """Return the values that a literal or an enumeration permits."""
    expected = item.get("ctx", {}).get("expected", "")
    return re.findall(r"'([^']*)'", expected) or re.split(r", | or ", expected)


def _meant(expected: str, value: object) -> str:
    """Return what was probably meant by a value of the wrong type."""
    if expected == "text" and not isinstance(value, (list, Mapping, type(None))):
        return f'"{show(value)}"'
    if expected == "true or false":
        word = str(value).lower()
        return "true" if word in ("true", "yes", "on", "1") else "false" if word in ("false", "no", "off", "0") else ""
    if expected == "a list" and isinstance(value, (str, int, float)):
        return f"[{show(value).strip(chr(39))}]"
    if expected in ("a number", "a whole number") and isinstance(value, (str, float)):
        return _number(value, whole=expected == "a whole number")
    return ""


def _number(value: str | float, whole: bool) -> str:
    """Return the number that text (or a float) was probably meant to be."""
    text = str(value).replace(",", "")
    try:
        number = int(text, 16) if text.startswith("0x") else float(text)
    except ValueError:
        return ""
    if not abs(number) < _EXACT:
        return ""
    return str(int(number)) if number == int(number) else "" if whole else str(number)
