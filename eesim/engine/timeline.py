"""The event list of the reference engine: SimPy's, with the order inside one instant written as priorities.

SimPy orders what it holds by (time, priority, insertion). The contract's order inside an instant is: finishes
by server number, ends of pure delays by (frame, node), the arrival, and the settle when nothing else is left.
"""

from __future__ import annotations

from collections.abc import Callable

import simpy
from simpy.core import EmptySchedule
from simpy.events import EventPriority

ARRIVAL = 1 << 62
"""Priority of the arrival: after every finish and delay end that 64-bit frame numbers allow."""

SETTLE = ARRIVAL + 1
"""Priority of the settle: last of everything in its instant."""


class Happening(simpy.Event):
    """Something that will happen at the instant ``at``, unless it is made void before."""

    def __init__(self, environment: simpy.Environment, at: int, action: Callable[[simpy.Event], None]) -> None:
        super().__init__(environment)
        self.at = at
        # Triggered from birth, as `simpy.Timeout` is: SimPy fails on events without an outcome.
        self._ok = True
        self._value = None
        self.callbacks.append(action)

    def void(self) -> None:
        """Let it pass without effect; SimPy cannot take it out of its list."""
        self.callbacks.clear()


class Timeline:
    """What is scheduled, and the present instant.

    Parameters
    ----------
    n_servers, n_nodes
        Sizes of the plan: they space the priorities.

    Attributes
    ----------
    now
        Instant of the last thing that happened. SimPy's own clock also moves for what was made void.
    """

    def __init__(self, n_servers: int, n_nodes: int) -> None:
        self._environment = simpy.Environment()
        self._n_servers = n_servers
        self._n_nodes = n_nodes
        self.now = 0

    def finish(self, at: int, server: int, action: Callable[[], None]) -> Happening:
        """Schedule the finish of the task on a server."""
        return self._schedule(at, server, action)

    def delay_end(self, at: int, frame: int, node: int, action: Callable[[], None]) -> Happening:
        """Schedule the end of a pure delay."""
        return self._schedule(at, self._n_servers + frame * self._n_nodes + node, action)

    def arrival(self, at: int, action: Callable[[], None]) -> Happening:
        """Schedule the arrival of the next frame."""
        return self._schedule(at, ARRIVAL, action)

    def settle(self, action: Callable[[], None]) -> Happening:
        """Schedule the end of the present instant."""
        return self._schedule(self.now, SETTLE, action)

    def step(self) -> bool:
        """Let the next thing happen; False if nothing is scheduled."""
        try:
            self._environment.step()
        except EmptySchedule:
            return False
        return True

    def _schedule(self, at: int, priority: int, action: Callable[[], None]) -> Happening:
        def happen(_: simpy.Event) -> None:
            self.now = at
            action()

        happening = Happening(self._environment, at, happen)
        self._environment.schedule(happening, EventPriority(priority), at - self._environment.now)
        return happening
