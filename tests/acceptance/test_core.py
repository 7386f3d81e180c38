"""Numbers that the simulator must give for EE-ResNet18, frames far apart, no transfers, no contention.

They are the published block times of the EDGE 2025 study, put together by the rules of each scheme; means are weighted
with the published counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eesim
from eesim.metrics.result import Result
from tests.scenarios import COUNTS, FAR_APART, MS, camera

NAMES = ("exit1", "exit2", "exit3", "final")

REQUIRED: dict[str, tuple[tuple[float, float, float, float], float]] = {
    "BGLGLGL": ((13.38, 19.34, 25.62, 33.25), 15.2767),
    "GGGGGGG": ((13.86, 25.29, 36.32, 47.75), 17.270),
    "BBBBBBB": ((16.24, 27.61, 40.33, 51.51), 19.756),
    "LLLLLLL": ((23.66, 37.70, 49.24, 59.94), 27.539),
    "BLBGLGL": ((19.72, 19.72, 30.04, 37.67), 20.865),
}
"""Latency in ms of each exit, and the mean, under the cooperative scheme."""


def simulate(order: str, engine: str = "compiled", **changes: Any) -> Result:
    scenario = camera({**FAR_APART, "mapping.segments": order, **changes})
    return eesim.run(scenario, engine=engine)  # type: ignore[arg-type]


def latencies(result: Result) -> dict[int, set[int]]:
    """All latencies that frames of each exit have, ns."""
    frames = result.frames()
    latency = frames["finish_ns"].astype("int64") - frames["arrival_ns"]
    return {int(exit_): set(values) for exit_, values in latency.groupby(frames["exit"].astype("int64"))}


@pytest.mark.parametrize("order", REQUIRED)
def test_required_latencies(order: str) -> None:
    exits, mean = REQUIRED[order]
    result = simulate(order)
    # Every frame of an exit has exactly its latency: nothing is in its way.
    assert latencies(result) == {number: {round(ms * MS)} for number, ms in enumerate(exits, 1)}
    for name, ms in zip(NAMES, exits, strict=True):
        assert result.value(f"exit_latency_ms.{name}") == pytest.approx(ms, abs=1e-9)
    # One pass of the deck: the shares are the counts.
    assert result.value("latency_ms.mean") == pytest.approx(np.dot(exits, COUNTS) / sum(COUNTS), abs=1e-9)
    digits = len(str(mean).partition(".")[2])
    assert result.value("latency_ms.mean") == pytest.approx(mean, abs=0.5 * 10**-digits)


@pytest.mark.parametrize("order", REQUIRED)
def test_required_latencies_in_the_reference_engine(order: str) -> None:
    exits, _ = REQUIRED[order]
    few = {"run.frames": 60, "stream.exits": {"kind": "counts", "counts": [3, 1, 1, 1]}}
    result = simulate(order, "reference", **few)
    assert latencies(result) == {number: {round(ms * MS)} for number, ms in enumerate(exits, 1)}


@pytest.mark.parametrize(("engine", "frames"), [("compiled", 10_000), ("reference", 60)])
def test_coup_switch_runs_everything(engine: str, frames: int) -> None:
    # b1 e1 on B, then b2 e2 on G, then b3 e3 on L, then b4 on B.
    total = (8.09 + 8.15) + (7.39 + 4.04) + (7.25 + 4.29) + 11.18
    assert total == pytest.approx(50.39)
    result = simulate("BBGGLLB", engine, **{"policy": "coup-switch", "run.frames": frames})
    # Everybody is answered by the final classifier, whatever exit the frame would have taken.
    assert latencies(result) == {len(NAMES): {round(50.39 * MS)}}


@pytest.mark.parametrize("order", REQUIRED)
def test_no_mapping_beats_its_bounds(order: str) -> None:
    result = simulate(order)
    for name, bound in zip(NAMES, result.bounds.exit_latency_ns, strict=True):
        latency = result.value(f"exit_latency_ms.{name}")
        assert latency is not None
        assert latency >= bound / MS - 1e-9


def test_the_published_ranking_of_mappings_holds() -> None:
    means = {order: simulate(order).value("latency_ms.mean") for order in REQUIRED}
    assert sorted(means, key=lambda order: means[order] or 0) == [
        "BGLGLGL",
        "GGGGGGG",
        "BBBBBBB",
        "BLBGLGL",
        "LLLLLLL",
    ]
