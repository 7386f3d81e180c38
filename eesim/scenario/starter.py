"""The text of a scenario to start from: every section, with comments on what could stand there."""

from __future__ import annotations

from pathlib import Path

from eesim.errors import Problem
from eesim.hardware.spec import Board
from eesim.scenario.library import find_board, find_network
from eesim.spec import validate_document
from eesim.units import format_frequency
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.yamldoc import load_document

_TEXT = """\
# {title}
# `eesim check FILE` finds mistakes, `eesim show scenario FILE` says what a file resolves to, and
# docs/file-formats.md lists every key.
eesim: 1
board: {board}
network: {network}

# Where each segment runs, in this order: {segments}.
# PEs of the board: {pes}.
mapping:
  segments: {mapping}
  opp: {{{opps}}}
{clocks}
  # exits: [{last_exit}]            # the exits that are enabled; all, unless it says otherwise

# cooperative: the next segment may start beside an exit branch, and what is not needed any more is dropped.
# Others: sequential, coup-switch, coup-pipeline.
policy: cooperative

# Each term of the board can be switched off.
physics: {{transfers: true, contention: true, dvfs_delay: true}}

stream:
  # A camera. Others: {{kind: poisson, rate: 30 Hz}}, {{kind: closed_loop}}, {{kind: trace, path: arrivals.csv}}.
  arrivals: {{kind: periodic, rate: {rate}, jitter: 2 ms}}
  # Which share of the frames takes which exit: invented, put your own here. Exits: {exits}.
  exits: {{kind: counts, counts: [{counts}]}}

run: {{frames: 10000, warmup: auto, replications: 10, seed: 1}}

# What must hold; `eesim run` ends with status 1 where it does not.
requirements: {{p99_latency: {deadline}}}
"""


def starter(board_name: str, network_name: str, beside: Path) -> str:
    """Write a scenario for a board and a network: every segment on the PE that is fastest alone.

    Raises
    ------
    InputError
        If there is no such board, network, or profile, or one of them is wrong.
    """
    board_file = find_board(board_name, beside, Problem("--board", 0, "", ""))
    board = validate_document(Board, load_document(board_file))
    network = validate_document(
        Network, load_document(find_network(network_name, beside, Problem("--network", 0, "", "")))
    )
    profile = validate_document(Profile, load_document(board_file.parent / "profiles" / f"{network.name}.yaml"))
    pe, total_ns = _fastest(board, network, profile)
    period_ns = 3 * total_ns
    names = list(board.pes)
    used = (
        "".join([pe] * len(network.segments)) if len(pe) == 1 else "[" + ", ".join([pe] * len(network.segments)) + "]"
    )
    clocks = [
        f"  #   {name}: {', '.join(format_frequency(f) for f in element.opps.frequencies)}"
        for name, element in board.pes.items()
    ]
    exits = network.exit_names
    weights = [2 ** max(len(exits) - 2 - k, 0) for k in range(len(exits))]
    return _TEXT.format(
        title=f"{network.title or network.name} on {board.title or board.name}",
        board=board_name,
        network=network_name,
        segments=" ".join(network.segment_names),
        pes=", ".join(names),
        mapping=used,
        opps=", ".join(f"{name}: {format_frequency(board.pes[name].opps.frequencies[-1])}" for name in names),
        clocks="\n".join(["  # Operating points:", *clocks]),
        last_exit=exits[-1],
        rate=f"{max(1, round(10**9 / period_ns))} Hz",
        exits=", ".join(exits),
        counts=", ".join(str(1000 * weight) for weight in weights),
        deadline=f"{max(1, round(2 * total_ns / 10**6))} ms",
    )


def _fastest(board: Board, network: Network, profile: Profile) -> tuple[str, int]:
    """PE that runs the whole network fastest at its highest clock, and how long that takes, ns."""
    totals = {}
    for name, element in board.pes.items():
        host_hz = board.pes[element.host].opps.frequencies[-1] if element.host else None
        clock = element.opps.frequencies[-1]
        times = [profile.time_ns(board, segment, name, clock, host_hz) for segment in network.segment_names]
        known = [time for time in times if time is not None]
        if len(known) == len(times):
            totals[name] = sum(known)
    best = min(totals, key=lambda name: totals[name]) if totals else next(iter(board.pes))
    return best, totals.get(best, 10**7)
