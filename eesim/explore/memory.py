"""Memory of each PE as a constraint: what the segments that may run there keep resident.

A segment keeps its weights and its output tensor (`Segment.weights`, `Segment.output`), whether or not a frame takes
it; segments that no enabled exit needs keep nothing. Tensors inside a segment, and copies for further frames in
flight, are not counted.
"""

from __future__ import annotations

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.errors import InputError, Problem, suggest
from eesim.explore.genes import Genes
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.load import Scenario
from eesim.workload.network import Network


class MemoryLimits:
    """Limits of the memory of PEs.

    Parameters
    ----------
    scenario, spec
        What is explored, and its limits by PE, bytes.

    Attributes
    ----------
    names
        Of the constraints, ``memory.PE``.

    Raises
    ------
    InputError
        If a PE does not exist, or the network does not say what a segment that may run there needs.
    """

    def __init__(self, scenario: Scenario, spec: ExploreSpec) -> None:
        self.names = tuple(f"memory.{pe}" for pe in spec.memory)
        board, network = scenario.board, scenario.network
        found: list[Problem] = []
        for pe in spec.memory:
            if pe not in board.pes:
                message = f"there is no PE {pe!r} on board {board.name}"
                found.append(scenario.document.problem(("explore", "memory", pe), message, suggest(pe, board.pes)))
        unknown = [segment.name for segment in network.segments if segment.weights is None]
        if spec.memory and unknown:
            message = f"network {network.name} does not say how large the weights of {', '.join(unknown)} are"
            found.append(scenario.document.problem(("explore", "memory"), message))
        if found:
            raise InputError(found)
        self._limits = [(list(board.pes).index(pe), limit) for pe, limit in spec.memory.items()]
        self._bytes = np.array([(segment.weights or 0) + segment.output for segment in network.segments], np.int64)
        self._reaches = reaches(network)

    def violations(self, genes: Genes) -> FloatArray:
        """Relative excess over each limit, (n, limits)."""
        active = (genes.enabled.astype(np.bool_)[:, None, :] & self._reaches[None]).any(axis=2)
        out = np.zeros((len(genes.pes), len(self._limits)))
        for i, (pe, limit) in enumerate(self._limits):
            used: IntArray = np.where(active & (genes.pes == pe), self._bytes, 0).sum(axis=1)
            out[:, i] = np.maximum(used - limit, 0) / max(limit, 1)
        return out


def reaches(network: Network) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Whether each exit lies at or after each segment, (S, K)."""
    out = np.zeros((len(network.segments), len(network.exit_names)), np.bool_)
    for exit_, segment in enumerate(network.exit_segments):
        at = segment
        while at >= 0:
            out[at, exit_] = True
            at = network.sources[at]
    return out
