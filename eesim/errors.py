"""What can be wrong, as values: every problem of an input is reported at once.

A `Problem` prints as ``file:line: path: what is wrong (did you mean ...)``; an `InputError` carries all of them and
makes the command line exit with status 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class EesimError(Exception):
    """Base of every error that eesim raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes
    ----------
    source
        File, or what stands for it (``--set``, ``<python>``).
    line
        1-based line in the file; 0 where there is none.
    path
        Dotted path of the value inside the document.
    message
        What is wrong.
    hint
        What was probably meant; printed as ``(did you mean ...)``.
    """

    source: str
    line: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """``file:line: path: message (did you mean hint?)``, leaving out what is empty."""
        where = f"{self.source}:{self.line}" if self.line else self.source
        parts = [part for part in (where, self.path, self.message) if part]
        return ": ".join(parts) + (f" (did you mean {self.hint}?)" if self.hint else "")


class InputError(EesimError):
    """An input is wrong; ``problems`` lists everything that is, in file order.

    Parameters
    ----------
    problems
        One or more `Problem`.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """Cross a process boundary with the problems, not with their text."""
        return type(self), (self.problems,)


class SimulationDeadlock(EesimError):
    """The run stopped before all frames had left: servers block each other, or hold each other up, in a circle.

    Parameters
    ----------
    frames_in_flight
        Number of frames that can no longer leave.
    blocked
        ``(server, frame, node)`` of every blocked server.
    held
        ``(resource, frame, node, section)`` of every resource whose next task waits for a place in a section.
    """

    def __init__(
        self,
        frames_in_flight: int,
        blocked: Sequence[tuple[int, int, int]],
        held: Sequence[tuple[int, int, int, int]] = (),
    ) -> None:
        self.frames_in_flight = frames_in_flight
        self.blocked = tuple(blocked)
        self.held = tuple(held)
        reasons = [f"server {s} holds node {n} of frame {f}" for s, f, n in blocked]
        reasons += [f"resource {r} waits with node {n} of frame {f} for a place in section {z}" for r, f, n, z in held]
        super().__init__(f"deadlock: {frames_in_flight} frames in flight cannot go on ({', '.join(reasons)})")


class InvariantViolation(EesimError):
    """The reference engine found that a run broke a law that every run must keep."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the known word nearest to ``word``, or an empty string if none is near."""
    pool = sorted(set(known))
    lowered = {item.lower(): item for item in reversed(pool)}
    if word.lower() in lowered:
        return lowered[word.lower()]
    matches = difflib.get_close_matches(word, pool, n=1, cutoff=0.6)
    return matches[0] if matches else ""
