"""Many dotted paths in few lines: ``board.pes.{B, L}.dvfs.{up, down}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def folded(paths: Iterable[str]) -> list[str]:
    """Return paths with what they share written once: brothers with the same children in one pair of braces.

    Nothing is left out: multiplied out, the lines give the paths again.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        here = tree
        for step in path.split("."):
            here = here.setdefault(step, {})
    return _lines(tree)


def _lines(tree: Mapping[str, Any]) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for step, below in tree.items():
        groups.setdefault(tuple(_lines(below)), []).append(step)
    out = []
    for tails, steps in groups.items():
        head = steps[0] if len(steps) == 1 else "{" + ", ".join(_runs(steps)) + "}"
        out += [f"{head}.{tail}" for tail in tails] or [head]
    return out


def _runs(steps: list[str]) -> list[str]:
    """Write consecutive indices as ``0-6``."""
    if not all(step.isdecimal() for step in steps):
        return steps
    out: list[list[int]] = []
    for number in map(int, steps):
        if out and number == out[-1][-1] + 1:
            out[-1].append(number)
        else:
            out.append([number])
    return [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in out]
