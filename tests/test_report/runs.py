"""Small runs that the tests print, draw and save."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import eesim
from tests.scenarios import CAMERA, board_data, everywhere, network_data, pe_data, scenario_data, write_world

ONE_AT_A_TIME = {"policy": {"queue": {"capacity": 0}, "frames_in_flight": 1}}
"""Frames that find another on the board are dropped."""


def camera(
    overrides: Mapping[str, Any] | None = None, *, frames: int = 120, replications: int = 2, **options: Any
) -> eesim.Result:
    """A short run of the shipped camera scenario, with something changed."""
    scenario = eesim.load(CAMERA, {"run.frames": frames, **(overrides or {})})
    return eesim.run(scenario, replications=replications, **{"log_frames": 30, **options})


def long_network(n_backbone: int, exits: int) -> dict[str, Any]:
    """A backbone of many segments; branches after the first ones."""
    segments: list[dict[str, Any]] = []
    for k in range(1, n_backbone + 1):
        segments.append({"name": f"b{k}", "kernels": 4})
        if k < exits:
            segments.append({"name": f"e{k}", "after": f"b{k}", "exit": f"exit{k}"})
    segments[-1]["exit"] = "final"
    return network_data(*segments)


def wide(
    folder: Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    n_pes: int = 16,
    n_backbone: int = 21,
    exits: int = 4,
    servers: int = 1,
    charge: str = "sender",
    **options: Any,
) -> eesim.Result:
    """A short run on a board of many PEs with long names; segments take 1, 2 and 3 ms and go round the PEs."""
    names = [f"pe_number_{i}" for i in range(n_pes)]
    pes = {name: pe_data(servers=servers if name == names[0] else 1) for name in names}
    board, network = board_data(pes, charge=charge, fixed="0.2 ms"), long_network(n_backbone, exits)
    segments = [segment["name"] for segment in network["segments"]]
    scenario = scenario_data(
        [names[i % n_pes] for i in range(len(segments))],
        stream={
            "arrivals": {"kind": "periodic", "rate": "200 Hz"},
            "exits": {"kind": "shares", "shares": [1 / exits] * exits},
        },
        run={"frames": 60, "replications": 2},
    )
    times = everywhere(board, {name: 1 + i % 3 for i, name in enumerate(segments)})
    path = write_world(folder, board, network, times, scenario)
    return eesim.run(eesim.load(path, overrides or {}), **{"log_frames": 30, **options})


def all_dropped() -> eesim.Result:
    """A run in which no frame is answered: after b1, e1 takes the only place and b2 finds none."""
    return camera(
        {
            "mapping.segments": "BBBBBBB",
            "policy": {"stage_queue": {"capacity": 0, "full": "drop_newest"}},
        }
    )


def blocking(folder: Path) -> eesim.Result:
    """A run in which servers are blocked: every stage is slower than the one before, with room for one task."""
    rules = {"policy": {"stage_queue": {"capacity": 1, "full": "block"}}, "stream.arrivals.rate": "2 kHz"}
    return wide(folder, rules, n_pes=3, n_backbone=3, exits=1)
