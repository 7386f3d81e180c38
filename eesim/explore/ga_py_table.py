"""What GA.py's rules (`eesim.explore.ga_py`) are applied to: a table of times, exit counts, order strings as genes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError, Problem
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import Scenario, load
from eesim.workload.exits import ExitCounts

PES = "BLG"
"""Letters of the genes, in the order of the table's rows."""

N_GENES = 7
"""b1 e1 b2 e2 b3 e3 b4."""

NS_PER_MS = 1_000_000

SHIPPED = scenario_folder() / "ee_resnet18_camera.yaml"
"""EE-ResNet18 on the RK3399Pro: holds the numbers that stand in GA.py."""

_SOURCES = (-1, 0, 0, 2, 2, 4, 4)
"""What feeds each segment in a network that the rules are made for."""


class Table(NamedTuple):
    """What GA.py's rules are applied to."""

    times_ms: FloatArray
    """(3, 7) time of each segment on B, L and G, ms."""
    counts: IntArray
    """(4,) frames that take each exit."""


def table_of(scenario: Scenario) -> Table:
    """Take the table from a scenario: the profile's times at the scenario's clocks, the stream's exit counts.

    Raises
    ------
    InputError
        If the network does not have three early exits of one segment each, a time is missing, or exits are not
        counted.
    """
    network, source = scenario.network, scenario.files.get("scenario", "<python>")
    if network.sources != _SOURCES:
        message = f"GA.py's rules are for four blocks with three exits between them; {network.name} has another shape"
        raise InputError([Problem(source, 0, "network", message)])
    problems, rows = [], []
    for pe in PES:
        clock = scenario.mapping.pe_opp_hz.get(pe)
        for name in network.segment_names:
            time = scenario.profile.time_ns(scenario.board, name, pe, clock) if clock is not None else None
            if time is None:
                problems.append(Problem(source, 0, f"profile.times.{name}.{pe}", "GA.py's rules need this time"))
            rows.append(time or 0)
    exits = scenario.spec.stream.exits
    if not isinstance(exits, ExitCounts):
        problems.append(Problem(source, 0, "stream.exits", "GA.py's rules need counts of frames per exit"))
    if problems or not isinstance(exits, ExitCounts):
        raise InputError(problems)
    times_ms = np.array(rows, np.float64).reshape(len(PES), N_GENES) / NS_PER_MS
    return Table(times_ms, np.array(exits.counts, np.int64))


@cache
def shipped_table() -> Table:
    """Return the table of EE-ResNet18 on the RK3399Pro, as shipped: GA.py's own numbers, read-only."""
    table = table_of(load(SHIPPED))
    for array in table:
        array.flags.writeable = False
    return table


def genes_of(orders: Sequence[str]) -> IntArray:
    """Return order strings as genes, (n, 7): row of the table for each segment.

    Raises
    ------
    InputError
        Every string that is not seven letters out of B, L and G.
    """
    row = np.full(256, -1, np.int64)
    row[list(PES.encode())] = np.arange(len(PES))
    if all(len(order) == N_GENES for order in orders):
        letters = np.frombuffer("".join(orders).encode("ascii", "replace"), np.uint8)
        genes: IntArray = row[letters].reshape(-1, N_GENES)
        if (genes >= 0).all():
            return genes
    raise InputError(_bad_orders(orders))


def _bad_orders(orders: Sequence[str]) -> Iterator[Problem]:
    for i, order in enumerate(orders):
        unknown = sorted(set(order) - set(PES))
        if len(order) != N_GENES:
            yield Problem("<python>", 0, f"orders[{i}]", f"{order!r} does not have {N_GENES} letters")
        if unknown:
            yield Problem("<python>", 0, f"orders[{i}]", f"{order!r}: GA.py does not know {', '.join(unknown)}")


def all_orders() -> list[str]:
    """Return every string that GA.py searches, in alphabetical order of B, L, G."""
    return ["".join(letters) for letters in product(PES, repeat=N_GENES)]
