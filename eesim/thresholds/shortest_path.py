"""The published baseline: thresholds as a shortest path, with exits that are taken to be independent.

Following M. Sponner and others, *Efficient Post-Training Augmentation for Adaptive Inference in Heterogeneous and
Distributed IoT Environments*, arXiv 2403.07957, section 3: a layered graph with one node for each exit and threshold,
an input node and one for the final classifier (28 nodes for two exits of 13 thresholds); Bellman-Ford, because edges
may have negative costs; a scalar cost of weighted efficiency and accuracy.

The paper does not spell out the edges' costs. Here an edge into (exit, threshold) costs what the samples add that
answer there, relative to the final classifier answering them, and passes on the share of samples that go further; an
exit's rate and accuracy are those on all samples, whatever the exits before it let through. For up to two early exits
(the paper's most) this is the same as adding up the changes along the path; for more it stays exact under independence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.thresholds.cascade import Cascade
from eesim.thresholds.levels import Levels

LEVELS = 13
"""Thresholds per exit in the published search."""

CORRECTIONS = (1.0, 2 / 3, 0.5)
"""Factors that the paper multiplies thresholds with which were found on training data."""


class Prediction(NamedTuple):
    """What independence predicts for a setting."""

    shares: FloatArray
    """(E + 1,) share of samples at each exit."""
    accuracy: float
    cost: float
    """Per sample."""


@dataclass(frozen=True)
class Path:
    """The shortest path.

    Attributes
    ----------
    index
        (E,) level of each exit.
    prediction
        What the search believes about it.
    length
        Weighted cost of the path, relative to the final classifier answering everything.
    nodes, edges, rounds
        Size of the graph, and rounds of relaxation until nothing changed.
    """

    index: IntArray
    prediction: Prediction
    length: float
    nodes: int
    edges: int
    rounds: int


class Independent:
    """Rates and accuracies of single exits, put together as if they were independent."""

    def __init__(self, cascade: Cascade, levels: Levels) -> None:
        self.cost = cascade.cost.astype(np.float64)
        self.final = float(cascade.correct[:, -1].mean())
        self.rate: list[FloatArray] = []
        self.right: list[FloatArray] = []
        for k, values in enumerate(levels.values):
            answers = levels.passed[:, k][:, None] > np.arange(len(values))[None]
            taken = answers.sum(axis=0)
            right = (answers & cascade.correct[:, k][:, None]).sum(axis=0)
            self.rate.append(taken / cascade.n_samples)
            self.right.append(right / np.maximum(taken, 1))

    def predict(self, index: IntArray) -> Prediction:
        """Predict a setting."""
        shares, right, left = [], 0.0, 1.0
        for k, g in enumerate(index):
            here = left * float(self.rate[k][g])
            shares.append(here)
            right += here * float(self.right[k][g])
            left -= here
        spread = np.array([*shares, left])
        return Prediction(spread, right + left * self.final, float(spread @ self.cost))


class _Edge(NamedTuple):
    """From a node to a later one: what it costs, and the share of samples that go further."""

    source: int
    target: int
    cost: float
    passes: float


def _edges(model: Independent, levels: Levels, weights: tuple[float, float], original: int) -> list[_Edge]:
    """Edges of the layered graph; node 0 is the input, the last one the final classifier."""
    efficiency, accuracy = weights
    out: list[_Edge] = []
    before, number = [0], 1
    for k, values in enumerate(levels.values):
        layer = [number + g for g in range(len(values))]
        number += len(values)
        for g, node in enumerate(layer):
            rate = float(model.rate[k][g])
            gain = efficiency * (model.cost[k] - model.cost[-1]) / original
            loss = accuracy * (model.final - float(model.right[k][g]))
            out += [_Edge(source, node, rate * (gain + loss), 1 - rate) for source in before]
        before = layer
    return out + [_Edge(source, number, 0.0, 0.0) for source in before]


def shortest_path(cascade: Cascade, levels: Levels, weights: tuple[float, float], original: int) -> Path:
    """Find the setting that the published formulation finds.

    Parameters
    ----------
    cascade
        The samples.
    levels
        Thresholds of each exit: the nodes of its layer.
    weights
        Of efficiency and of accuracy (0.9 and 0.1 in the paper).
    original
        Cost of a sample without early exits, to which savings are relative.
    """
    model = Independent(cascade, levels)
    edges = _edges(model, levels, weights, max(original, 1))
    nodes = sum(map(len, levels.values)) + 2
    ahead = np.full(nodes, np.inf)
    follows = np.full(nodes, -1, np.int64)
    ahead[-1] = 0.0
    rounds = 0
    changed = True
    while changed and rounds < nodes:
        changed = False
        rounds += 1
        for edge in edges:
            value = edge.cost + (edge.passes * ahead[edge.target] if edge.passes else 0.0)
            if np.isfinite(ahead[edge.target]) and value < ahead[edge.source]:
                ahead[edge.source], follows[edge.source] = value, edge.target
                changed = True
    index, node, begin = [], int(follows[0]), 1
    for values in levels.values:
        index.append(node - begin)
        begin += len(values)
        node = int(follows[node])
    found = np.array(index, np.int64)
    return Path(found, model.predict(found), float(ahead[0]), nodes, len(edges), rounds)
