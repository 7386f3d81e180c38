"""What became of each line and record of an import: nothing is left out without being counted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from eesim.wording import clean

EXAMPLES = 3
"""Examples kept of each kind of line or reason."""
KINDS = 20
"""Kinds of unknown lines listed in a summary; all are counted."""


class Example(NamedTuple):
    """Where something was seen, and what."""

    source: str
    line: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"source": self.source, "line": self.line, "text": self.text}


@dataclass(slots=True)
class Group:
    """Things of one kind: how many, and the first of them."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, example: Example) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"count": self.count, "examples": [example.to_dict() for example in self.examples]}


def kind_of_line(text: str) -> str:
    """Return what lines have in common that differ in their numbers only."""
    return clean(re.sub(r"[0-9]+", "#", text.strip()))


@dataclass(slots=True)
class Tally:
    """Counts of one import.

    Attributes
    ----------
    lines
        Lines read.
    understood, noise
        Lines that carry a value or mark a place; lines known to carry nothing.
    unknown
        Lines that are neither, by `kind_of_line`.
    skipped
        Records (runs, rows, frequency settings) that were left out, by reason.
    warnings
        What a user of the tables should know, each once.
    """

    lines: int = 0
    understood: int = 0
    noise: int = 0
    unknown: dict[str, Group] = field(default_factory=dict)
    skipped: dict[str, Group] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def not_understood(self, source: Path, line: int, text: str) -> None:
        """Count a line that is neither known data nor known noise."""
        group = self.unknown.setdefault(kind_of_line(text), Group())
        group.add(Example(str(source), line, clean(text)))

    def skip(self, reason: str, source: Path, line: int, detail: str = "") -> None:
        """Count a record that is left out."""
        self.skipped.setdefault(reason, Group()).add(Example(str(source), line, clean(detail)))

    def warn(self, message: str) -> None:
        """Say something once."""
        if message not in self.warnings:
            self.warnings.append(message)

    @property
    def unknown_lines(self) -> int:
        """Number of lines that were not understood."""
        return sum(group.count for group in self.unknown.values())

    @property
    def skipped_records(self) -> int:
        """Number of records that were left out."""
        return sum(group.count for group in self.skipped.values())

    def reasons(self) -> Counter[str]:
        """Return how many records were left out for each reason."""
        return Counter({reason: group.count for reason, group in self.skipped.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as plain data; kinds and reasons with most members first."""
        kinds = sorted(self.unknown.items(), key=lambda item: (-item[1].count, item[0]))
        reasons = sorted(self.skipped.items(), key=lambda item: (-item[1].count, item[0]))
        return {
            "skipped": self.unknown_lines + self.skipped_records,
            "skipped_records": [{"reason": reason, **group.to_dict()} for reason, group in reasons],
            "lines": {
                "read": self.lines,
                "understood": self.understood,
                "noise": self.noise,
                "unknown": self.unknown_lines,
            },
            "unknown_lines": [{"kind": kind, **group.to_dict()} for kind, group in kinds[:KINDS]],
            "warnings": list(self.warnings),
        }
