"""Where the closed form of GA.py (`eesim.explore.ga_py`) and the simulator part, for one mapping, and why.

The simulator runs the same segment times, one frame at a time, without transfers: once without contention, and once
with B slowed by GA.py's own factor while G is busy. Its latency of an exit is taken apart along the path of segments
that leads there,

    simulated = path + waits for branches that hold the PE + stretch by contention + decisions still to come,

and each part is set against what GA.py charges for it. So the causes add up to the difference, to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from eesim.base import IntArray
from eesim.explore.ga_py import B_OVERHEAD, PATHS, itemised_ns, path_ns, whole_ns
from eesim.explore.ga_py_table import NS_PER_MS, genes_of, shipped_table
from eesim.explore.single_frames import SingleFrames, single_frame_scenario, single_frames
from eesim.scenario.load import Scenario

KINDS = {
    "tie breaker": "GA.py adds 0.05 ms where a block shares its PE with its exit; nothing takes that time",
    "counted twice": "GA.py lets the next block wait for a branch and then the next branch wait for it again",
    "needless wait": "GA.py charges a wait, or a part of one, that nothing on the way to this exit meets",
    "missing wait": "a segment waits for a branch that still holds its PE; GA.py has no rule for it",
    "short wait": "the branch is slowed or starts late, so the wait for it is longer than GA.py says",
    "contention overcharged": "GA.py charges 60 % of a whole segment on B, however long G is busy beside it",
    "contention missed": "B is slowed where GA.py does not look: it knows an exit beside the next block only",
    "undecided": "the answer waits until this earlier exit has declined; in GA.py it does not",
}
"""Why the two can differ."""

BRANCHES = tuple(path[-1] for path in PATHS[:-1])


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why the simulator's latency of an exit is not GA.py's.

    Attributes
    ----------
    kind
        One of `KINDS`.
    segment
        What is waited for, slowed or still undecided; empty for tie-breakers.
    ga_py_ns, simulated_ns
        What it costs in each.
    """

    kind: str
    segment: str
    ga_py_ns: int
    simulated_ns: int


@dataclass(frozen=True, slots=True)
class ExitDisagreement:
    """Latency of one exit in both; the differences of the causes add up to the whole one."""

    exit: str
    ga_py_ns: int
    simulated_ns: int
    causes: tuple[Cause, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, times in ms."""
        causes = [{"kind": c.kind, "segment": c.segment} | _ms(c.ga_py_ns, c.simulated_ns) for c in self.causes]
        return {"exit": self.exit} | _ms(self.ga_py_ns, self.simulated_ns) | {"causes": causes}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """GA.py and the simulator on one order string.

    Attributes
    ----------
    order
        The mapping.
    counts
        Frames that take each exit.
    uncontended, contended
        Each exit, simulated without contention, and with B slowed while G is busy.
    """

    order: str
    counts: tuple[int, ...]
    uncontended: tuple[ExitDisagreement, ...]
    contended: tuple[ExitDisagreement, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, times in ms."""
        sides = {"uncontended": self.uncontended, "contended": self.contended}
        return {
            "order": self.order,
            **{
                name: {"mean": _ms(*self._means_ns(exits)), "exits": [e.to_dict() for e in exits]}
                for name, exits in sides.items()
            },
        }

    def to_text(self) -> str:
        """Return a table for each simulation, and below them what the causes mean."""
        slowed = f"B takes {1 + B_OVERHEAD:g} times as long while G is busy"
        lines = [f"{self.order}: GA.py and the simulator, one frame at a time, no transfers; ms"]
        for title, exits in (("no contention", self.uncontended), (slowed, self.contended)):
            lines += ["", f"{title:46}{'GA.py':>9}{'simulated':>11}{'difference':>12}"]
            for e in exits:
                lines.append(_row(f"  {e.exit}", e.ga_py_ns, e.simulated_ns))
                lines += [_row(f"    {c.kind} {c.segment}", c.ga_py_ns, c.simulated_ns) for c in e.causes]
            lines.append(_row("  mean", *self._means_ns(exits)))
        met = {c.kind for e in (*self.uncontended, *self.contended) for c in e.causes}
        meanings = [f"{kind}: {meaning}" for kind, meaning in KINDS.items() if kind in met]
        return "\n".join([*lines, *([""] if met else []), *meanings]) + "\n"

    def _means_ns(self, exits: tuple[ExitDisagreement, ...]) -> tuple[float, float]:
        """Return mean latencies over the counted frames, GA.py's and the simulator's."""
        values = np.array([[e.ga_py_ns, e.simulated_ns] for e in exits])
        ga_py, simulated = np.array(self.counts) @ values / sum(self.counts)
        return float(ga_py), float(simulated)


def _ms(ga_py_ns: float, simulated_ns: float) -> dict[str, float]:
    return {
        "ga_py_ms": ga_py_ns / NS_PER_MS,
        "simulated_ms": simulated_ns / NS_PER_MS,
        "difference_ms": (simulated_ns - ga_py_ns) / NS_PER_MS,
    }


def _row(label: str, ga_py_ns: float, simulated_ns: float) -> str:
    ga_py, simulated, difference = _ms(ga_py_ns, simulated_ns).values()
    return f"{label:46}{ga_py:9.3f}{simulated:11.3f}" + (f"{difference:+12.3f}" if difference else f"{'none':>12}")


def compare(scenario: Scenario) -> tuple[ExitDisagreement, ...]:
    """Set GA.py's closed form against a `single_frame_scenario`, exit by exit."""
    order, times_ns = scenario.mapping.order, whole_ns(shipped_table().times_ms)
    genes, paid, frames = genes_of([order]), itemised_ns(times_ns, order), single_frames(scenario)
    own_ns = times_ns[genes[0], np.arange(genes.shape[1])]
    charged = path_ns(times_ns, genes)[:, 0] + sum(table.sum(axis=0) for table in paid.values())
    found = []
    for k, name in enumerate(scenario.network.exit_names):
        causes = []
        for kind, segment, ga_py, simulated in _parts(k, order, own_ns, paid, frames):
            if ga_py != simulated:
                label = scenario.network.segment_names[segment] if segment >= 0 else ""
                causes.append(Cause(kind, label, int(ga_py), int(simulated)))
        found.append(ExitDisagreement(name, int(charged[k]), int(frames.latency_ns[k]), tuple(causes)))
    return tuple(found)


def _parts(
    k: int, order: str, own_ns: IntArray, paid: dict[str, IntArray], frames: SingleFrames
) -> Iterator[tuple[str, int, int, int]]:
    """Yield what is added to the path of exit ``k``: kind, segment, GA.py's and the simulator's ns."""
    _, ready, start, finish = frames
    yield "tie breaker", -1, paid["T"][:, k].sum(), 0
    for branch in BRANCHES:
        serial, wait = paid["S"][branch, k], paid["W"][branch, k]
        if serial and wait:
            yield "counted twice", branch, wait, 0
            wait = 0
        waiters = [i for i in PATHS[k] if order[i] == order[branch] and i != branch]
        # The part of each segment's time in the queue during which the branch is served.
        met = sum(max(min(start[i], finish[branch]) - max(ready[i], start[branch]), 0) for i in waiters)
        charged = serial + wait
        yield "needless wait" if met < charged else "short wait" if charged else "missing wait", branch, charged, met
    for segment in PATHS[k]:
        stretch, charged = finish[segment] - start[segment] - own_ns[segment], paid["C"][segment, k]
        yield "contention " + ("missed" if stretch > charged else "overcharged"), segment, charged, stretch
    ends = [path[-1] for path in PATHS[: k + 1]]
    latest = max(ends, key=lambda end: finish[end])
    yield "undecided", latest, 0, finish[latest] - finish[ends[-1]]


def disagreement(order: str) -> Disagreement:
    """Compare GA.py's closed form with the simulator for one order string of EE-ResNet18 on the RK3399Pro.

    Parameters
    ----------
    order
        Seven letters out of B, L and G.

    Raises
    ------
    InputError
        If it is no such string.
    """
    genes_of([order])
    uncontended, contended = (compare(single_frame_scenario(order, contention=on)) for on in (False, True))
    return Disagreement(order, tuple(shipped_table().counts.tolist()), uncontended, contended)
