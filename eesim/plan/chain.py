"""A chain of layers under a measured runtime: what its lowerings (`chain_switch`, `chain_pipeline`) start from.

A chain has no exit branches. Its layers may read the output of earlier layers than the one before (``producers``): that
adds no order, but bytes that cross between PEs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol

from eesim.hardware.spec import Board


class Cost(NamedTuple):
    """Time in ns, and mean power of the whole board meanwhile in uW (NaN if unknown)."""

    time_ns: float
    board_uw: float


class Source(Protocol):
    """Where times of single layers come from: a measured table, or the laws of a profile."""

    @property
    def campaign(self) -> str:
        """Campaign in which they were measured; empty if that does not matter."""
        ...

    def layer(self, layer: int, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of a layer, the output phase in the last one's; None where nothing is known."""
        ...

    def input(self, pe: str, clock_hz: int, host_hz: int) -> Cost | None:
        """Cost of reading the image before a first layer on ``pe``; None where nothing is known."""
        ...


@dataclass(frozen=True, slots=True)
class Layers:
    """The network as a chain.

    Attributes
    ----------
    names
        Of the layers.
    input_bytes
        Of the image.
    output_bytes
        Of each layer.
    producers
        Layers that each layer reads; the first reads the image.
    kernels
        Of each layer.
    outputs
        Layers whose output leaves the network.
    early
        Layers that hold the first convolutions (`eesim.hardware.runtime.FirstStage`).
    """

    names: tuple[str, ...]
    input_bytes: int
    output_bytes: tuple[int, ...]
    producers: tuple[tuple[int, ...], ...]
    kernels: tuple[int, ...]
    outputs: frozenset[int]
    early: frozenset[int] = frozenset()

    def read_bytes(self, layer: int) -> int:
        """Bytes of everything that a layer reads."""
        return sum(self.output_bytes[u] for u in self.producers[layer]) if layer else self.input_bytes


class Stage(NamedTuple):
    """A run of layers on one PE: a subgraph of the runtime."""

    pe: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Layers, each on a PE at a clock, and where their times come from.

    Attributes
    ----------
    pes
        PE of each layer.
    own_hz, host_hz
        Clock of each layer's PE and of its host; 0 where there is none.
    hosts
        CPU cluster of the driver thread of each hosted PE.
    pe_hz
        Clock of each PE of the board while the pipeline runs.
    off
        Physical terms that are switched off.
    """

    board: Board
    layers: Layers
    source: Source
    pes: tuple[str, ...]
    own_hz: tuple[int, ...]
    host_hz: tuple[int, ...]
    hosts: Mapping[str, str]
    pe_hz: Mapping[str, int]
    off: frozenset[str] = frozenset()

    @property
    def stages(self) -> list[Stage]:
        """Subgraphs, in order."""
        found, begin = [], 0
        for pe, run in groupby(self.pes):
            end = begin + len(list(run))
            found.append(Stage(pe, begin, end))
            begin = end
        return found

    def on(self, term: str) -> bool:
        """Whether a physical term is switched on."""
        return term not in self.off


class Missing(ValueError):
    """Something that a prediction needs was never measured."""


@dataclass(slots=True)
class Task:
    """A node of a chain's plan.

    Attributes
    ----------
    name
        For people.
    layer
        Its layer; -1 for the input.
    pe
        Resource that it occupies: a PE, or ``PE.copy``, the thread that copies for a hosted PE.
    terms_ns
        What its time consists of, by physical term.
    energy
        Of the whole board, uW ns; NaN where powers are the board's own.
    """

    name: str
    layer: int
    pe: str
    terms_ns: dict[str, float]
    energy: float = float("nan")

    @property
    def time_ns(self) -> int:
        """Its time; never below 0, however large what is subtracted."""
        return max(round(sum(self.terms_ns.values())), 0)


def crossing(layers: Layers, stage_of: Sequence[int], layer: int) -> dict[int, int]:
    """Bytes that enter a stage at a layer, by the layer that made them; each tensor enters a stage once."""
    here = stage_of[layer]
    found = {}
    for maker in layers.producers[layer]:
        if stage_of[maker] == here:
            continue
        known = any(stage_of[j] == here and maker in layers.producers[j] for j in range(maker + 1, layer))
        if not known:
            found[maker] = layers.output_bytes[maker]
    return found


def leaving(layers: Layers, stage_of: Sequence[int], layer: int) -> int:
    """Bytes of a layer's output that are needed outside its stage, once however many want them."""
    last = len(layers.names) - 1
    wanted = layer == last or layer in layers.outputs
    if not wanted:
        makers = range(layer + 1, last + 1)
        wanted = any(layer in layers.producers[j] and stage_of[j] != stage_of[layer] for j in makers)
    return layers.output_bytes[layer] if wanted else 0
