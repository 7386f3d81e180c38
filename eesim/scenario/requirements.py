"""What a system must achieve, as a scenario declares it."""

from __future__ import annotations

from eesim.spec import Spec
from eesim.units import EnergyNj, PowerUw, RateHz, Share, TimeNs


class Requirements(Spec):
    """What the system must achieve. ``deadline`` allows misses up to ``deadline_miss_rate`` (default none)."""

    mean_latency: TimeNs | None = None
    p50_latency: TimeNs | None = None
    p90_latency: TimeNs | None = None
    p95_latency: TimeNs | None = None
    p99_latency: TimeNs | None = None
    max_latency: TimeNs | None = None
    worst_latency: TimeNs | None = None
    deadline: TimeNs | None = None
    deadline_miss_rate: Share | None = None
    drop_rate: Share | None = None
    throughput: RateHz | None = None
    period: TimeNs | None = None
    energy: EnergyNj | None = None
    power: PowerUw | None = None
    accuracy: Share | None = None
