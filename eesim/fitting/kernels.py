"""Likelihoods of hidden Markov chains, in compiled code."""

from __future__ import annotations

import math

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.jit import kernel


@kernel
def banded_log_likelihood(
    start: FloatArray, step: FloatArray, low: IntArray, high: IntArray, first: IntArray, exits: IntArray
) -> float:
    """Log likelihood of exits that a latent chain on a grid of cells decides; each cell belongs to one exit.

    Parameters
    ----------
    start
        (C,) probability of each cell.
    step
        (C, C) probability of going from a cell to another.
    low, high
        (C,) cells that a cell leads to with more than negligible probability.
    first
        (K + 1,) first cell of each exit.
    exits
        (n,) what was seen.
    """
    now, then = np.zeros(len(start)), np.zeros(len(start))
    total = 0.0
    e = exits[0]
    for i in range(first[e], first[e + 1]):
        total += start[i]
    for i in range(first[e], first[e + 1]):
        now[i] = start[i] / total
    found = math.log(total)
    for t in range(1, len(exits)):
        d = exits[t]
        a, b = first[d], first[d + 1]
        for j in range(a, b):
            then[j] = 0.0
        for i in range(first[e], first[e + 1]):
            value = now[i]
            for j in range(max(a, low[i]), min(b, high[i])):
                then[j] += value * step[i, j]
        total = 0.0
        for j in range(a, b):
            total += then[j]
        if total <= 0.0:
            return -math.inf
        for j in range(a, b):
            now[j] = then[j] / total
        found += math.log(total)
        e = d
    return found


@kernel
def expected_counts(
    start: FloatArray, step: FloatArray, emission: FloatArray, exits: IntArray, moves: FloatArray, seen: FloatArray
) -> float:
    """Log likelihood of a hidden Markov model; adds the expected moves and sights given what was seen.

    The scaled forward-backward recursions (Rabiner, *A tutorial on hidden Markov models*, Proc. IEEE 77, 1989).

    Parameters
    ----------
    start
        (R,) probability of each regime at the first frame.
    step
        (R, R) transition probabilities.
    emission
        (R, K) exit shares in each regime.
    exits
        (n,) what was seen.
    moves, seen
        (R, R) and (R, K), to be added to.
    """
    n, count = len(exits), len(start)
    forward, scale = np.empty((n, count)), np.empty(n)
    for t in range(n):
        total = 0.0
        for j in range(count):
            value = start[j]
            if t > 0:
                value = 0.0
                for i in range(count):
                    value += forward[t - 1, i] * step[i, j]
            forward[t, j] = value * emission[j, exits[t]]
            total += forward[t, j]
        if total <= 0.0:
            return -math.inf
        scale[t] = total
        for j in range(count):
            forward[t, j] /= total
    backward, before = np.ones(count), np.empty(count)
    found = 0.0
    for t in range(n - 1, -1, -1):
        found += math.log(scale[t])
        for i in range(count):
            seen[i, exits[t]] += forward[t, i] * backward[i]
        if t == 0:
            break
        for i in range(count):
            before[i] = 0.0
            for j in range(count):
                value = step[i, j] * emission[j, exits[t]] * backward[j] / scale[t]
                before[i] += value
                moves[i, j] += forward[t - 1, i] * value
        for i in range(count):
            backward[i] = before[i]
    return found
