"""What two scenarios' streams have in common: how far common random numbers can pair them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from eesim.scenario.load import Scenario
from eesim.workload.arrivals import ArrivalTrace, ClosedLoop, Periodic, Poisson
from eesim.workload.exits import ExitCounts, ExitShares
from eesim.workload.stream import Lognormal

Common = Literal["same", "same random numbers", "none", "different"]
"""``none``: there is nothing random to share; ``different``: drawn from unrelated numbers, or read from other files."""


class Pairing(NamedTuple):
    """What replication r of two scenarios shares."""

    frames: bool
    """Whether both simulate the same number of frames."""
    arrivals: Common
    exits: Common
    noise: Common

    @property
    def is_complete(self) -> bool:
        """Whether both see exactly the same frames."""
        return self.frames and {self.arrivals, self.exits, self.noise} <= {"same", "none"}

    def as_dict(self) -> dict[str, Any]:
        """Return the pairing as plain data."""
        return {**self._asdict(), "complete": self.is_complete}

    def words(self) -> str:
        """Say what is common, and what that means if not all is."""
        said = [
            f"{name}: {'the same' if common == 'same' else common}"
            for name, common in (("arrivals", self.arrivals), ("exits", self.exits), ("noise", self.noise))
        ]
        if not self.frames:
            said.append("different numbers of frames")
        text = "; ".join(said)
        if self.is_complete:
            return text
        return (
            f"{text}. Not frame by frame the same stream: replications are still paired and intervals hold, "
            "but what is not common does not cancel"
        )


def pairing(a: Scenario, b: Scenario) -> Pairing:
    """Say what the streams of two scenarios that run with the same seed have in common."""
    return Pairing(a.n_frames == b.n_frames, _arrivals(a, b), _exits(a, b), _noise(a, b))


def _arrivals(a: Scenario, b: Scenario) -> Common:
    first, second = a.spec.stream.arrivals, b.spec.stream.arrivals
    if isinstance(first, ArrivalTrace) and isinstance(second, ArrivalTrace):
        return "same" if np.array_equal(a.traces.arrival_ns, b.traces.arrival_ns) else "different"
    if isinstance(first, Periodic) and isinstance(second, Periodic):
        if (first.exact_rate, first.jitter, first.phase) == (second.exact_rate, second.jitter, second.phase):
            return "same"
        return "same random numbers" if first.jitter == second.jitter != 0 else "different"
    if first == second:
        # A closed loop has the same source, but who answers sooner also starts sooner.
        return "none" if isinstance(first, ClosedLoop) else "same"
    # Gaps of another rate are the same exponential draws on another scale.
    return "same random numbers" if isinstance(first, Poisson) and isinstance(second, Poisson) else "different"


def _exits(a: Scenario, b: Scenario) -> Common:
    first, second = a.spec.stream.exits, b.spec.stream.exits
    if type(first) is not type(second):
        return "different"
    if isinstance(first, ExitCounts) and isinstance(second, ExitCounts):
        return "same" if first.counts == second.counts else "different"
    if isinstance(first, ExitShares) and isinstance(second, ExitShares):
        # One uniform number decides each exit, whatever the shares.
        return "same" if first.shares == second.shares else "same random numbers"
    same = np.array_equal(a.traces.exit, b.traces.exit) and np.array_equal(a.traces.confident, b.traces.confident)
    return "same" if same and getattr(first, "exit", None) == getattr(second, "exit", None) else "different"


def _noise(a: Scenario, b: Scenario) -> Common:
    first, second = a.spec.stream.noise, b.spec.stream.noise
    if first is None and second is None:
        return "none"
    if type(first) is not type(second) or len(a.network.segments) != len(b.network.segments):
        return "different"
    return "same random numbers" if isinstance(first, Lognormal) and first != second else "same"
