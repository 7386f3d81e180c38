"""Closed forms for one server with Poisson arrivals and a finite queue: what the simulator is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from eesim.base import FloatArray

_NODES = 100
"""Nodes of the Gauss-Hermite rule for lognormal service."""


def loss_ratio(load: float, capacity: float, scv: float = 1.0) -> float:
    """Estimate the share of Poisson arrivals that find an M/G/1/K system full, from two moments of its service.

    With ``rho`` the load offered, ``K`` the capacity and ``c2`` the squared coefficient of variation of service,

    ``K' = (2 K + sqrt(rho) (c2 - 1)) / (2 + sqrt(rho) (c2 - 1))``,
    ``P = rho^K' (1 - rho) / (1 - rho^(K' + 1))``:

    the loss of an M/M/1/K' system with another, fractional capacity. It is exact for exponential service (``c2 = 1``)
    and, whatever the service is, without a queue (``K = 1``: Erlang's formula, which depends on the mean only); else it
    is an approximation. In the limit ``rho -> 1``, ``P = 1 / (K' + 1) = (1 + c2) / (2 (K + c2))``.

    Parameters
    ----------
    load
        Arrival rate times mean service time, 0 or more; above 1, too.
    capacity
        Places in the system, the one in service among them: those of the queue plus 1.
    scv
        Squared coefficient of variation of service times: 0 for deterministic ones.

    Raises
    ------
    ValueError
        If an argument is out of range, or the load is so high that the formula has no value
        (``sqrt(rho) (1 - c2) >= 2``, so at least 4).

    Notes
    -----
    The form in which the code of CEED (imperial-qore/CEED, commit 572db40) has it, with ``r = sqrt(rho)``:
    ``rho^((r c2 - r + 2K) / (2 + r c2 - r)) (rho - 1) / (rho^(2 (1 + r c2 - r + K) / (2 + r c2 - r)) - 1)``. The second
    exponent is the first one plus 1. It goes back to J. MacGregor Smith, Optimal design and performance modelling of
    M/G/1/K queueing systems, Mathematical and Computer Modelling 39 (2004), on an approximation of T. Kimura.
    """
    if not (0 <= load < math.inf and 1 <= capacity < math.inf and 0 <= scv < math.inf):
        raise ValueError(f"load {load:g}, capacity {capacity:g} or scv {scv:g} is out of range")
    shift = math.sqrt(load) * (scv - 1)
    if shift <= -2:
        raise ValueError(f"the formula has no value at load {load:g} with scv {scv:g}")
    return _mm1k((shift + 2 * capacity) / (2 + shift), load)


def _mm1k(capacity: float, load: float) -> float:
    """Loss of an M/M/1/K system; ``capacity`` need not be whole."""
    if load == 0:
        return 0.0
    log = math.log(load)
    if log == 0:
        return 1 / (capacity + 1)
    # (1 - rho) / (1 - rho^(K+1)), without loss of digits near 1, and without overflow above it.
    if log < 0:
        return math.exp(capacity * log) * math.expm1(log) / math.expm1((capacity + 1) * log)
    return math.expm1(-log) / math.expm1(-(capacity + 1) * log)


def exact_loss_ratio(load: float, capacity: int, arrivals: Sequence[float] | FloatArray) -> float:
    """Compute the loss of an M/G/1/K system from the chain embedded at departures.

    Parameters
    ----------
    load
        Arrival rate times mean service time, above 0.
    capacity
        Places in the system, the one in service among them.
    arrivals
        Probability of 0, 1, ..., K - 2 arrivals during one service (`during_deterministic`, `during_lognormal`).

    Notes
    -----
    With ``pi_0`` the share of departures that leave the system empty, ``P = 1 - 1 / (pi_0 + rho)``: to about 1e-12, so
    a loss far below that comes out as 0. As often as the chain goes up from at most ``k``, it comes down from
    ``k + 1``; all terms of that equation are positive, and it gives one state after the other.
    """
    if capacity < 1 or len(arrivals) < capacity - 1 or load <= 0:
        raise ValueError("needs a load above 0, a place, and the probabilities of up to K - 2 arrivals")
    more = np.maximum(1 - np.cumsum(arrivals), 0.0)
    pi = np.ones(capacity)
    for k in range(capacity - 1):
        up = more[k] + sum(pi[i] * more[k - i + 1] for i in range(1, k + 1))
        pi[k + 1] = up / arrivals[0]
    return max(0.0, 1 - 1 / (1 / float(pi.sum()) + load))


def during_deterministic(load: float, count: int) -> FloatArray:
    """Probability of 0, 1, ..., count - 1 Poisson arrivals during a service that always takes the same time."""
    found: FloatArray = stats.poisson.pmf(np.arange(count), load)
    return found


def during_lognormal(load: float, cv: float, count: int) -> FloatArray:
    """Probability of 0, 1, ..., count - 1 Poisson arrivals during a lognormal service with mean ``load`` (in gaps)."""
    sigma = math.sqrt(math.log1p(cv * cv))
    x, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    means = load * np.exp(sigma * x - sigma * sigma / 2)
    found: FloatArray = stats.poisson.pmf(np.arange(count)[:, None], means) @ (weight / weight.sum())
    return found
