"""Random boards, networks, mappings, policies and streams, as a user would write them.

Times are few and small, so that many things happen at the same instant: there the order is hardest to get right.
Networks, boards and streams are never trivial, because small examples say nothing about queues, cancellation and
contention.
"""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ASSUMED = {"kind": "assumed"}
CLOCKS = ("500 MHz", "1000 MHz", "2000 MHz")

Document = dict[str, Any]


@st.composite
def elements(draw: st.DrawFn, names: list[str], name: str) -> Document:
    """One processing element."""
    clocks = CLOCKS[-draw(st.integers(1, 3)) :]
    opps = [
        {"frequency": clock, "voltage": "1 V", "active_power": f"{100 * (i + 1)} mW"} for i, clock in enumerate(clocks)
    ]
    pe: Document = {
        "kind": "cpu",
        "servers": draw(st.sampled_from([1, 1, 1, 2, 3])),
        "opps": {"origin": ASSUMED, "power_origin": ASSUMED, "table": opps},
        "frequency_law": {"fixed_share": 0.5, "origin": ASSUMED},
        "idle_power": {"value": "10 mW", "origin": ASSUMED},
    }
    law = draw(st.sampled_from([{"fixed_share": 0.6}, None, {"factors": [1, 1, 1.7, 1.75]}]))
    if law is not None:
        pe["batch_law"] = {**law, "origin": ASSUMED}
    if draw(st.booleans()):
        delay = draw(st.integers(0, 8))
        pe["dvfs"] = {"up": f"{delay} us", "down": "1 us", "same_voltage": f"{delay // 2} us", "origin": ASSUMED}
    hosts = [other for other in names if other != name]
    if hosts and draw(st.booleans()):
        host = draw(st.sampled_from(hosts))
        effect = {
            "slows_host": {"factor": 1.5},
            "slows_self": {"factor": 1.25},
            "host_power": "50 mW/GHz",
            "origin": ASSUMED,
        }
        pe |= {"host": host, "hosts": {host: effect}}
    return pe


@st.composite
def boards(draw: st.DrawFn) -> Document:
    """A board of two to five PEs, some of which slow each other."""
    names = list("ABCDE"[: draw(st.sampled_from([3, 2, 4, 5]))])
    factor = st.sampled_from([1.0, 1.25, 1.6, 3.0])
    pairs = {v: {a: draw(factor) for a in names if a != v and draw(st.booleans())} for v in names}
    routes = {
        f"{a}->{b}": {
            "fixed": f"{draw(st.integers(0, 4))} us",
            "per_byte": "1 us/kB",
            "link": draw(st.sampled_from(["bus", "lane"])),
            "origin": ASSUMED,
        }
        for a, b in permutations(names, 2)
    }
    exclusive = [draw(st.permutations(names))[:2]] if len(names) > 1 and draw(st.integers(0, 3)) == 0 else []
    return {
        "eesim": 1,
        "name": "toy",
        "base_power": {"value": "1 W", "origin": ASSUMED},
        "pes": {name: draw(elements(names, name)) for name in names},
        "contention": {"pairs": pairs, "origin": ASSUMED},
        "transfers": {
            "charge": draw(st.sampled_from(["sender", "receiver", "link", "delay"])),
            "charge_origin": ASSUMED,
            "routes": routes,
        },
        "exclusive": exclusive,
    }


@st.composite
def networks(draw: st.DrawFn) -> Document:
    """A backbone of three to six segments with branches of one or two."""
    segments: list[Document] = []
    for k in range(1, draw(st.integers(3, 6)) + 1):
        size, kernels = f"{draw(st.integers(0, 4))} kB", draw(st.integers(1, 4))
        segments.append({"name": f"b{k}", "output": size, "kernels": kernels})
        for part in range(draw(st.sampled_from([1, 2, 1, 0] if k > 1 else [1, 2]))):
            after = f"e{k}_{part - 1}" if part else f"b{k}"
            segments.append({"name": f"e{k}_{part}", "after": after, "output": size, "kernels": kernels})
        if segments[-1]["name"] != f"b{k}":
            segments[-1]["exit"] = f"exit{k}"
    # What follows the last backbone segment would follow the final exit.
    while segments[-1]["name"][0] != "b":
        segments.pop()
    segments[-1]["exit"] = "final"
    return {"eesim": 1, "name": "net", "origin": ASSUMED, "input": "1 kB", "segments": segments}


@st.composite
def stage_limits(draw: st.DrawFn, pes: list[str]) -> Document:
    """Limits in bytes, and of single PEs. No tensor is larger than 4 kB, and none may never fit."""
    sizes = st.sampled_from(["unbounded", "4 kB", "7 kB", "12 kB"])
    if draw(st.sampled_from([True, False, False])):
        return {}
    own = st.fixed_dictionaries({}, optional={"capacity": st.sampled_from([0, 1, 3, "unbounded"]), "bytes": sizes})
    return {"bytes": draw(sizes), "pes": {pe: draw(own) for pe in pes if draw(st.booleans())}}


@st.composite
def budgets(draw: st.DrawFn, exits: list[str]) -> Document:
    """Tokens for going deeper, in a quarter of the policies."""
    if len(exits) < 2 or draw(st.integers(0, 3)):
        return {}
    costs = {name: draw(st.sampled_from([0.0, 0.3, 1.0, 1.5])) for name in exits[:-1] if draw(st.integers(0, 3))}
    income = draw(
        st.sampled_from([{"per_frame": 0.4}, {"per_second": 30000.0}, {"per_frame": 0.1, "per_second": 7777.7}])
    )
    return {"budget": {"costs": costs or {exits[0]: 1.0}, "burst": draw(st.sampled_from([1.5, 3.0, 40.0])), **income}}


@st.composite
def reuses(draw: st.DrawFn, exits: list[str], pes: list[str]) -> Document:
    """Answers that are used again, in a third of the policies."""
    if draw(st.sampled_from([True, True, False])):
        return {}
    at = draw(st.sampled_from([*exits[-1:], *exits, "input", "input", "blind"]))
    reuse = {
        "at": at,
        "patience": draw(st.sampled_from([1, 1, 2, 3])),
        "at_most": draw(st.sampled_from(["unbounded", 1, 2, 5])),
    }
    if at == "input":
        reuse["detector"] = {"time": f"{draw(st.integers(0, 4))} us", "pe": draw(st.sampled_from([None, *pes]))}
    if at != "blind":
        reuse |= {
            "misses": draw(st.sampled_from(["0 %", "20 %"])),
            "false_alarms": draw(st.sampled_from(["0 %", "30 %"])),
        }
    return {"reuse": reuse}


@st.composite
def batchings(draw: st.DrawFn, board: Document) -> Document:
    """PEs that serve tasks together, in half of the policies where there can be some."""
    if draw(st.booleans()):
        return {}
    alone = {name for group in board["exclusive"] for name in group}
    able = [
        name
        for name, pe in board["pes"].items()
        if pe["servers"] == 1 and "batch_law" in pe and name not in alone and draw(st.sampled_from([True, True, False]))
    ]
    own = st.fixed_dictionaries(
        {"size": st.sampled_from([4, 2, 3, 1])}, optional={"wait": st.sampled_from(["20 us", "3 us", "0 us", "90 us"])}
    )
    return {"batching": {"pes": {name: draw(own) for name in able}}} if able else {}


@st.composite
def policies(draw: st.DrawFn, exits: list[str], board: Document) -> Document:
    """Every switch, except what contradicts itself or needs a trace."""
    pes = list(board["pes"])
    policy = draw(unbatched(exits, pes))
    batching = draw(batchings(board))
    if batching:
        # Frames that meet make batches; nothing that runs is stopped, and no queue blocks.
        policy["frame_gate"] = draw(st.sampled_from(["open", "open", "open", policy["frame_gate"]]))
        policy["frames_in_flight"] = draw(st.sampled_from(["unbounded", "unbounded", policy["frames_in_flight"]]))
        policy["cancellation"] = draw(st.sampled_from(["queued", "none"]))
        if draw(st.booleans()):
            policy["stage_queue"]["full"] = draw(st.sampled_from(["drop_newest", "drop_oldest"]))
        else:
            policy["stage_queue"] = {}
    return {**policy, **batching}


@st.composite
def unbatched(draw: st.DrawFn, exits: list[str], pes: list[str]) -> Document:
    """Every switch but batching."""
    decide = draw(st.sampled_from([True, True, True, False]))
    blocking = decide and draw(st.sampled_from([False, False, True]))
    capacity = st.sampled_from([1, 0, 2, "unbounded", "unbounded"])
    full = st.sampled_from(["block", "drop_newest", "drop_oldest"])
    queues = st.fixed_dictionaries({"capacity": capacity, "full": full})
    levels = draw(st.sampled_from([(), (1,), (2,), (1, 2), (1, 3, 4)])) if decide else ()
    adaptive = {
        "above": list(levels),
        "hysteresis": draw(st.integers(0, levels[0] - 1)) if levels else 0,
        "read_at": draw(st.sampled_from(["exit", "frame"])),
        "give_up_after": draw(st.sampled_from([[], [draw(st.sampled_from([None, *exits[:-1]])) for _ in levels]])),
    }
    return {
        **({"adaptive": adaptive} if levels else {}),
        **((decide and draw(budgets(exits))) or draw(reuses(exits if decide else [], pes))),
        "exit_decision": "decide" if decide else "none",
        "speculation": "blocking" if blocking else "parallel",
        "cancellation": draw(st.sampled_from(["running", "queued", "none"])),
        "abort_at": draw(st.sampled_from(["kernel", "once"])),
        "send_policy": draw(st.sampled_from(["after_segment", "after_subgraph"])),
        "merge_order": "exit_first" if blocking else draw(st.sampled_from(["exit_first", "coup_dfs"])),
        "frame_gate": draw(st.sampled_from(["open", "open", "first_subgraph", "last_subgraph", "all"])),
        "frames_in_flight": draw(st.sampled_from(["unbounded", 3, 2, 1])),
        "queue": draw(queues),
        "stage_queue": {**draw(queues), **draw(stage_limits(pes))},
        "dispatch": draw(st.sampled_from(["oldest_frame", "fifo"])),
    }


@st.composite
def streams(draw: st.DrawFn, n_exits: int, policy: Document, *, closed_loops: bool = True) -> Document:
    """Arrivals that load the platform, exits that are all taken (at each of the policy's levels), sometimes noise."""
    period = draw(st.integers(4, 12) | st.integers(1, 40))
    arrivals = draw(
        st.sampled_from(
            [
                {"kind": "periodic", "period": f"{period} us"},
                {"kind": "periodic", "period": f"{period} us", "jitter": f"{period} us"},
                {"kind": "poisson", "rate": f"{1000 / period:.3f} kHz"},
                {
                    "kind": "on_off",
                    "rate": f"{2000 / period:.3f} kHz",
                    "on": f"{9 * period} us",
                    "off": f"{5 * period} us",
                },
                {
                    "kind": "superposed",
                    "sources": [
                        {"kind": "periodic", "period": f"{2 * period} us"},
                        {"kind": "periodic", "period": f"{3 * period} us", "phase": "1 us"},
                    ],
                },
                *([{"kind": "closed_loop"}] if closed_loops else []),
            ]
        )
    )
    easy, hard = [[*[0] * k, 1, *[0] * (n_exits - k - 1)] for k in (0, n_exits - 1)]
    counts = list(range(n_exits, 0, -1))
    if levels := (policy.get("adaptive") or {}).get("above", []):
        # Not always easier: nothing in the engines relies on it.
        exits: Document = {"kind": "counts", "counts": counts}
        exits["alternatives"] = [{"counts": draw(st.permutations(counts))} for _ in levels]
    else:
        exits = draw(
            st.sampled_from(
                [
                    {"kind": "counts", "counts": counts},
                    {"kind": "fixed", "exit": draw(st.integers(1, n_exits))},
                    {"kind": "correlated", "counts": counts, "autocorrelation": 0.7},
                    {
                        "kind": "regimes",
                        "regimes": {"easy": {"shares": easy, "dwell": 4}, "hard": {"shares": hard, "dwell": [2, 3]}},
                    },
                ]
            )
        )
    stream: Document = {"arrivals": arrivals, "exits": exits}
    noise = draw(st.sampled_from([None, None, {"kind": "exponential"}, {"kind": "lognormal", "cv": 0.5}]))
    dwells = [1, 3, [2, 5], *([f"{4 * period} us"] if arrivals["kind"] != "closed_loop" else [])]
    scenes = [{"kind": "lengths", "dwell": draw(st.sampled_from(dwells))}]
    if exits["kind"] == "regimes":
        scenes.append({"kind": "regimes"})
    if policy.get("reuse") or draw(st.sampled_from([True, False, False])):
        stream["scenes"] = draw(st.sampled_from(scenes))
    return stream if noise is None else {**stream, "noise": noise}


@st.composite
def mappings(draw: st.DrawFn, board: Document, network: Document) -> Document:
    """A mapping of a network to a board."""
    names = [segment["name"] for segment in network["segments"]]
    pes = list(board["pes"])
    # Neighbours on different PEs run side by side: start from that and let the draw move segments.
    mapping = {name: pes[(i + draw(st.sampled_from([0, 0, 1, 2]))) % len(pes)] for i, name in enumerate(names)}
    opp = {
        key: draw(st.sampled_from(board["pes"][pe]["opps"]["table"]))["frequency"]
        for key, pe in [*((pe, pe) for pe in pes), *mapping.items()]
        if draw(st.integers(0, 2)) == 0
    }
    exits = exits_of(network)
    enabled = [name for name in exits if name == "final" or draw(st.sampled_from([True, True, True, False]))]
    return {"segments": mapping, "opp": opp, "exits": enabled}


def compared(mapping: Document, policy: Document) -> Document:
    """The mapping with the exit enabled at which the policy compares frames."""
    at = (policy.get("reuse") or {}).get("at", "final")
    known = {*mapping["exits"], at} - {"input", "blind"}
    return {**mapping, "exits": sorted(known)}


@st.composite
def profiles(draw: st.DrawFn, board: Document, network: Document) -> Document:
    """Times of a network on a board."""
    pes = list(board["pes"])
    times = st.sampled_from([5, 3, 8, 2, 1, 5, 0])
    return {
        "eesim": 1,
        "network": network["name"],
        "origin": ASSUMED,
        "clocks": {"at": dict.fromkeys(pes, CLOCKS[-1]), "origin": ASSUMED},
        "times": {segment["name"]: {pe: f"{draw(times)} us" for pe in pes} for segment in network["segments"]},
    }


def exits_of(network: Document) -> list[str]:
    return [segment["exit"] for segment in network["segments"] if "exit" in segment]


@st.composite
def entries(draw: st.DrawFn, board: Document, network: Document, shared: Document) -> Document:
    """One stream of several, which must not wait for the system; switches of the PEs are ``shared``."""
    # What a stream does not say is the scenario's: without levels of its own it has to say so.
    policy = {
        "adaptive": None,
        "reuse": None,
        "budget": None,
        "batching": None,
        **draw(unbatched(exits_of(network), list(board["pes"]))),
        **shared,
    }
    if shared.get("batching"):
        policy["cancellation"] = draw(st.sampled_from(["queued", "none"]))
    policy["queue"] = {**policy["queue"], "full": draw(st.sampled_from(["drop_newest", "drop_oldest"]))}
    stream = draw(streams(len(exits_of(network)), policy, closed_loops=False))
    return {
        "priority": draw(st.integers(0, 2)),
        "network": f"{network['name']}.yaml",
        "mapping": compared(draw(mappings(board, network)), policy),
        "policy": policy,
        # Or it would have the scenario's, which may be of regimes that its own exits do not have.
        "scenes": {"kind": "lengths", "dwell": 2},
        **stream,
    }


@st.composite
def worlds(draw: st.DrawFn, several: bool | None = None) -> dict[str, Document]:
    """A scenario and everything that it refers to; of ``several`` streams or of one, or either."""
    board, network = draw(boards()), draw(networks())
    policy = draw(policies(exits_of(network), board))
    world = {
        "board": board,
        "network": network,
        "profile": draw(profiles(board, network)),
        "scenario": {
            "eesim": 1,
            "board": "toy/board.yaml",
            "network": "net.yaml",
            "mapping": compared(draw(mappings(board, network)), policy),
            "policy": policy,
            "physics": {"transfers": draw(st.booleans()), "contention": draw(st.booleans())},
            "stream": draw(streams(len(exits_of(network)), policy)),
            "run": {
                "frames": draw(st.integers(12, 40)),
                "seed": draw(st.integers(0, 3)),
                "warmup": "none",
                "replications": 1,
            },
        },
    }
    if draw(st.sampled_from([True, False, True])) if several is None else several:
        common = ("dispatch", "stage_queue", "batching")
        shared = {key: world["scenario"]["policy"][key] for key in common if key in world["scenario"]["policy"]}
        other = {**draw(networks()), "name": "net2"}
        world |= {"network2": other, "profile2": draw(profiles(board, other))}
        chosen = draw(st.lists(st.sampled_from([network, other]), min_size=1, max_size=3))
        world["scenario"]["streams"] = [draw(entries(board, which, shared)) for which in chosen]
    return world


def write_world(world: dict[str, Document], folder: Path) -> Path:
    """Write the files (JSON is YAML) and return the scenario's path."""
    (folder / "toy" / "profiles").mkdir(parents=True)
    for name, path in (
        ("board", folder / "toy" / "board.yaml"),
        ("profile", folder / "toy" / "profiles" / "net.yaml"),
        ("profile2", folder / "toy" / "profiles" / "net2.yaml"),
        ("network", folder / "net.yaml"),
        ("network2", folder / "net2.yaml"),
        ("scenario", folder / "scenario.yaml"),
    ):
        if name in world:
            path.write_text(json.dumps(world[name]))
    return folder / "scenario.yaml"
