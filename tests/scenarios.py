"""Boards, networks and scenarios for tests: the shipped ones with changes, and small ones made of plain data."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from eesim.hardware.spec import Board
from eesim.scenario.library import scenario_folder
from eesim.scenario.load import Scenario, load
from eesim.workload.network import Network

MS = 1_000_000
"""Nanoseconds in a millisecond."""

ORIGIN = {"kind": "assumed"}

CAMERA = scenario_folder() / "ee_resnet18_camera.yaml"
"""EE-ResNet18 on the RK3399Pro under a 30 fps camera, as shipped."""

CAMERAS = scenario_folder() / "two_cameras.yaml"
"""Two streams of EE-ResNet18 on one RK3399Pro, as shipped: front and rear."""

COUNTS = (8222, 1015, 294, 469)
"""Frames of the CIFAR test set that take each exit [EDGE25]."""

NO_PHYSICS = {"physics.transfers": False, "physics.contention": False}

FAR_APART = {
    **NO_PHYSICS,
    "stream.arrivals": {"kind": "periodic", "rate": "1 Hz"},
    "run": {"frames": 10_000, "warmup": "none", "replications": 1},
    "requirements": {},
}
"""Every frame finds the board empty, nothing costs anything but the segments."""


def camera(overrides: Mapping[str, Any] | Iterable[str] = ()) -> Scenario:
    """Return the shipped camera scenario with changes."""
    return load(CAMERA, overrides)


def cameras(overrides: Mapping[str, Any] | Iterable[str] = ()) -> Scenario:
    """Return the shipped scenario of two cameras with changes."""
    return load(CAMERAS, overrides)


def digits(overrides: Mapping[str, Any] | Iterable[str] = ()) -> Scenario:
    """Return the shipped scenario whose exits follow from confidences and thresholds, with changes."""
    return load(scenario_folder() / "digits_psoc6.yaml", overrides)


def pe_data(mhz: Sequence[int] = (1000,), **changes: Any) -> dict[str, Any]:
    """Return a processing element with these clocks; 1 mW of active power per MHz, nothing when idle."""
    table = [{"frequency": f"{clock} MHz", "active_power": f"{clock} mW"} for clock in mhz]
    opps = {"origin": ORIGIN, "power_origin": ORIGIN, "table": table}
    return {"kind": "cpu", "opps": opps, "idle_power": {"value": "0 mW", "origin": ORIGIN}} | changes


def board_data(
    pes: Mapping[str, Any] | str = "BLG", *, charge: str = "sender", fixed: str = "1 ms", **changes: Any
) -> dict[str, Any]:
    """Return a board; PEs given as letters have one clock, and a transfer between any two takes ``fixed``."""
    elements = {name: pe_data() for name in pes} if isinstance(pes, str) else dict(pes)
    route = {"fixed": fixed, "per_byte": "0 ns/B", "origin": ORIGIN}
    return {
        "eesim": 1,
        "name": "board",
        "base_power": {"value": "0 mW", "origin": ORIGIN},
        "pes": elements,
        "contention": {"pairs": {}, "origin": ORIGIN},
        "transfers": {
            "charge": charge,
            "charge_origin": ORIGIN,
            "routes": {f"{a}->{b}": route for a, b in permutations(elements, 2)},
        },
    } | changes


def board_of(pes: Mapping[str, Any] | str = "BLG", **changes: Any) -> Board:
    """Return a board as a model; see `board_data`."""
    return Board.model_validate(board_data(pes, **changes))


def network_data(*segments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network of segments that put out 1 kB unless they say otherwise."""
    listed = [{"output": "1 kB", **segment} for segment in segments]
    return {"eesim": 1, "name": "net", "origin": ORIGIN, "input": "1 kB", "segments": listed}


def network_of(*segments: Mapping[str, Any]) -> Network:
    """Return a network as a model; see `network_data`."""
    return Network.model_validate(network_data(*segments))


RESNET = (
    {"name": "b1"},
    {"name": "e1", "after": "b1", "exit": "exit1"},
    {"name": "b2"},
    {"name": "e2", "after": "b2", "exit": "exit2"},
    {"name": "b3"},
    {"name": "e3", "after": "b3", "exit": "exit3"},
    {"name": "b4", "exit": "final"},
)
"""Shape of the early-exit ResNets: four backbone segments, three branches of one segment."""

PAIR = (
    {"name": "b1"},
    {"name": "e1", "after": "b1", "exit": "early"},
    {"name": "b2", "exit": "final"},
)
"""The smallest network with an early exit."""


def profile_data(board: Mapping[str, Any], times: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a profile taken at the highest clocks."""
    at = {name: pe["opps"]["table"][-1]["frequency"] for name, pe in board["pes"].items()}
    return {
        "eesim": 1,
        "network": "net",
        "origin": ORIGIN,
        "clocks": {"at": at, "origin": ORIGIN},
        "times": times,
    }


def everywhere(board: Mapping[str, Any], ms: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """Return times that are the same on every PE of a board."""
    return {segment: dict.fromkeys(board["pes"], f"{time} ms") for segment, time in ms.items()}


STREAM = {"arrivals": {"kind": "periodic", "rate": "1 Hz"}, "exits": {"kind": "fixed", "exit": 1}}


def scenario_data(segments: Any, **sections: Any) -> dict[str, Any]:
    """Return a scenario of the board and network called ``board`` and ``net``: one run of ten frames."""
    return {
        "eesim": 1,
        "board": "board",
        "network": "net",
        "mapping": {"segments": segments},
        "stream": STREAM,
        "run": {"frames": 10, "warmup": "none", "replications": 1},
    } | sections


def scenario_of(
    board: Mapping[str, Any],
    network: Mapping[str, Any],
    times: Mapping[str, Mapping[str, str]],
    segments: Any,
    **sections: Any,
) -> Scenario:
    """Return a scenario of plain data; see `scenario_data`."""
    with tempfile.TemporaryDirectory() as folder:
        return load(write_world(Path(folder), board, network, times, scenario_data(segments, **sections)))


def write_world(
    folder: Path,
    board: Mapping[str, Any],
    network: Mapping[str, Any],
    times: Mapping[str, Mapping[str, str]],
    scenario: Mapping[str, Any] | None = None,
) -> Path:
    """Write board, network, profile and scenario as files (JSON is YAML); return the scenario's path."""
    profiles = folder / "board" / "profiles"
    profiles.mkdir(parents=True)
    (folder / "board" / "board.yaml").write_text(json.dumps(board))
    (folder / "net.yaml").write_text(json.dumps(network))
    (profiles / "net.yaml").write_text(json.dumps(profile_data(board, times)))
    path = folder / "scenario.yaml"
    if scenario is not None:
        path.write_text(json.dumps(scenario))
    return path


# -- at random ----------------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Networks of up to four backbone segments, with branches (forked ones, too) declared in any possible order."""
    length = draw(st.integers(1, 4))
    source: dict[str, str] = {f"b{k}": f"b{k - 1}" if k else "" for k in range(length)}
    for branch in range(draw(st.integers(0, 4)) if length > 1 else 0):
        # The last backbone segment ends in the final exit: nothing can follow it.
        at = draw(st.sampled_from([name for name in source if name != f"b{length - 1}"]))
        for part in range(draw(st.integers(1, 2))):
            name = f"e{branch}_{part}"
            source[name], at = at, name
    order: list[str] = []
    while len(order) < len(source):
        ready = [name for name in source if name not in order and source[name] in ("", *order)]
        order.append(draw(st.sampled_from(ready)))
    segments = []
    for name in order:
        segment: dict[str, Any] = {"name": name, "kernels": draw(st.integers(1, 3))}
        if not name.startswith("b"):
            segment["after"] = source[name]
        if name not in source.values():
            segment["exit"] = f"x_{name}"
        segments.append(segment)
    return network_data(*segments)


CHARGES = ("sender", "receiver", "link", "delay")


@st.composite
def boards(draw: st.DrawFn) -> dict[str, Any]:
    """Boards of three PEs with two clocks each, DVFS delays, contention and any way to pay for transfers."""
    pes = {
        name: pe_data(
            (500, 1000),
            servers=draw(st.sampled_from([1, 1, 2])),
            frequency_law={"fixed_share": 0.25, "origin": ORIGIN},
            dvfs={"up": "2 us", "down": "1 us", "same_voltage": "0 us", "origin": ORIGIN},
        )
        for name in "BLG"
    }
    factors = st.sampled_from([1.0, 1.25, 2.0])
    pairs = {victim: {other: draw(factors) for other in "BLG" if other != victim} for victim in "BLG"}
    exclusive = draw(st.sampled_from([(), (("B", "L"),)]))
    return board_data(
        pes,
        charge=draw(st.sampled_from(CHARGES)),
        fixed=draw(st.sampled_from(["0 us", "1 us", "3 us"])),
        contention={"pairs": pairs, "origin": ORIGIN},
        exclusive=exclusive,
    )


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Policies whose switches do not contradict each other, without limits on queues."""
    decision = draw(st.sampled_from(["none", "decide"]))
    speculation = draw(st.sampled_from(["parallel", "blocking"])) if decision == "decide" else "parallel"
    return {
        "exit_decision": decision,
        "speculation": speculation,
        "merge_order": "exit_first" if speculation == "blocking" else draw(st.sampled_from(["exit_first", "coup_dfs"])),
        "cancellation": draw(st.sampled_from(["none", "queued", "running"])),
        "abort_at": draw(st.sampled_from(["kernel", "once"])),
        "send_policy": draw(st.sampled_from(["after_segment", "after_subgraph"])),
        "frame_gate": draw(st.sampled_from(["open", "first_subgraph", "last_subgraph", "all"])),
        "frames_in_flight": draw(st.sampled_from(["unbounded", 1, 3])),
        "dispatch": draw(st.sampled_from(["oldest_frame", "fifo"])),
    }


@st.composite
def scenarios(draw: st.DrawFn, frames: int = 40) -> Scenario:
    """Scenarios of random boards, networks, mappings and policies, at a load from idle to overloaded."""
    board, network = draw(boards()), draw(networks())
    names = [segment["name"] for segment in network["segments"]]
    times = {name: {pe: f"{draw(st.integers(1, 8))} us" for pe in "BLG"} for name in names}
    final = next(s["exit"] for s in reversed(network["segments"]) if "exit" in s and "after" not in s)
    early = [s["exit"] for s in network["segments"] if "exit" in s and s["exit"] != final]
    clocks = st.sampled_from(["500 MHz", "1000 MHz"])
    clocked = draw(st.lists(st.sampled_from(["B", "L", "G", *names]), max_size=3, unique=True))
    period = draw(st.integers(1, 60))
    return scenario_of(
        board,
        network,
        times,
        draw(st.lists(st.sampled_from("BLG"), min_size=len(names), max_size=len(names))),
        mapping={
            "segments": draw(st.lists(st.sampled_from("BLG"), min_size=len(names), max_size=len(names))),
            "opp": {key: draw(clocks) for key in clocked},
            "exits": [final, *(name for name in early if draw(st.booleans()))],
        },
        policy=draw(policies()),
        physics={key: draw(st.booleans()) for key in ("transfers", "contention", "dvfs_delay")},
        stream={
            "arrivals": {"kind": "periodic", "period": f"{period} us", "jitter": f"{period} us"},
            "exits": {"kind": "counts", "counts": [draw(st.integers(0, 3)) for _ in early] + [1]},
        },
        run={"frames": frames, "warmup": "none", "replications": 1, "seed": draw(st.integers(0, 99))},
    )
