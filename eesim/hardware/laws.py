"""The board's physical laws: how long, how fast and how much power, from the numbers in its file.

All results are exact integers (ns, ppm, uW), rounded half to even once.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from eesim.base import FULL_SPEED, IntArray
from eesim.hardware.spec import BatchLaw, Board, Dvfs, FrequencyLaw, ProcessingElement, Route


def scaled_time_ns(time_ns: int, law: FrequencyLaw | None, f_max_hz: int, at_hz: int, to_hz: int) -> int | None:
    """Scale a time known at one clock to another.

    With ``a`` the share of the time at the maximum clock that does not depend on it,
    ``t(f) = t(fmax) x (a + (1 - a) x fmax / f)``: one third of the time is fixed on every PE of the RK3399Pro
    (CO-UP-Profiling's layer tables).

    Returns
    -------
    int or None
        Time at ``to_hz`` in ns; None if the clocks differ and the PE has no law.
    """
    if at_hz == to_hz:
        return time_ns
    if law is None:
        return None
    share = Fraction(str(law.fixed_share))

    def relative(f_hz: int) -> Fraction:
        return share + (1 - share) * Fraction(f_max_hz, f_hz)

    return round(time_ns * relative(to_hz) / relative(at_hz))


def batch_factor(law: BatchLaw, size: int) -> Fraction:
    """Time of ``size`` tasks of one segment together, as a multiple of one alone; the law must know that size."""
    if law.factors is not None:
        return Fraction(str(law.factors[size - 1]))
    share = Fraction(str(law.fixed_share))
    return share + (1 - share) * size


def transfer_ns(route: Route, size_bytes: int, clock_hz: int | None) -> int:
    """Return ``(fixed + bytes x per_byte) x max(1, offset + slope / f_GHz)`` in ns."""
    time = route.fixed + size_bytes * route.per_byte
    if route.clock is not None and clock_hz is not None:
        f_ghz = Fraction(clock_hz, 10**9)
        time *= max(Fraction(1), Fraction(str(route.clock.offset)) + Fraction(str(route.clock.slope)) / f_ghz)
    return round(time)


def dvfs_delay_ns(pe: ProcessingElement, from_hz: int, to_hz: int) -> int:
    """Delay until a change of the operating point is effective, ns."""
    dvfs: Dvfs | None = pe.dvfs
    if dvfs is None or from_hz == to_hz:
        return 0
    voltage = {opp.frequency: opp.voltage for opp in pe.opps.table}
    if voltage[from_hz] is not None and voltage[from_hz] == voltage[to_hz]:
        return dvfs.same_voltage
    return dvfs.up if to_hz > from_hz else dvfs.down


def time_across_change_ns(old_ns: int, new_ns: int, delay_ns: int) -> int:
    """Time of a task that starts at the old clock and gets the new one after ``delay_ns``.

    ``t = t_old if t_old <= d else d + t_new x (1 - d / t_old)`` (CO-UP-Profiling, Profiling/predict_cost.py).
    """
    if old_ns <= delay_ns:
        return old_ns
    return round(delay_ns + new_ns * (1 - Fraction(delay_ns, old_ns)))


def power_across_change_uw(old_uw: int, new_uw: int, delay_ns: int, time_ns: int) -> int:
    """Mean power of a task of ``time_ns`` whose first ``delay_ns`` run at the old clock."""
    if time_ns == 0:
        return new_uw
    before = min(delay_ns, time_ns)
    return round(Fraction(old_uw * before + new_uw * (time_ns - before), time_ns))


def slowdown(board: Board, victim: str, aggressor: str) -> float:
    """Factor by which ``victim`` takes longer while ``aggressor`` is busy.

    A declared pair counts; else what the aggressor's host thread does to the cluster that it sits on.
    """
    declared = board.contention.pairs.get(victim, {}).get(aggressor)
    if declared is not None:
        return declared
    effect = board.pes[aggressor].host_effect
    if effect is not None and board.pes[aggressor].host == victim:
        return effect.slows_host.factor
    return 1.0


def speed_table(board: Board, *, contention: bool) -> tuple[IntArray, IntArray]:
    """Tabulate speeds for every set of busy PEs; several busy PEs multiply their factors.

    Returns
    -------
    bits : (P,) array
        What each PE adds to the busy mask; 0 for one that slows nobody.
    speed_ppm : (M, P) array
        Speed of each PE for each mask, ppm.
    """
    names = board.pe_names
    factors = np.array(
        [[slowdown(board, v, a) if contention and v != a else 1.0 for a in names] for v in names], np.float64
    )
    aggressors = np.flatnonzero((factors != 1).any(axis=0))
    bits = np.zeros(len(names), np.int64)
    bits[aggressors] = 1 << np.arange(len(aggressors))
    stretch = np.ones((1, len(names)))
    for a in aggressors:
        stretch = np.concatenate([stretch, stretch * factors[:, a]])
    return bits, np.maximum(np.rint(FULL_SPEED / stretch), 1).astype(np.int64)
