"""The text of a scenario to start from: every section, with comments on what could stand there."""

from __future__ import annotations

from pathlib import Path

from eesim.errors import InputError, Problem
from eesim.hardware.spec import Board
from eesim.scenario.library import find_board, find_network, known_boards
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
  arrivals: {{kind: periodic, rate: {rate}, jitter: {jitter}}}
  # Which share of the frames takes which exit: invented, put your own here. Exits: {exits}.
  exits: {{kind: counts, counts: [{counts}]}}

run: {{frames: 10000, warmup: auto, replications: 10, seed: 1}}

# What must hold; `eesim run` ends with status 1 where it does not.
requirements: {{p99_latency: {deadline}}}
"""


def board_of(network_name: str, beside: Path, preferred: str) -> str:
    """Name of a board that has a profile of a network: the preferred one, if it has, else the first; else preferred."""
    network = validate_document(Network, load_document(_network_file(network_name, beside)))
    able = [name for name in (preferred, *known_boards(beside)) if _profile_file(name, network, beside).is_file()]
    return able[0] if able else preferred


def starter(board_name: str, network_name: str, beside: Path) -> str:
    """Write a scenario for a board and a network: every segment on the PE that runs the whole network fastest alone.

    Where no PE can run all of it, each segment is on the PE that is fastest at it.

    Raises
    ------
    InputError
        If there is no such board, network, or profile, or one of them is wrong.
    """
    board_file = find_board(board_name, beside, Problem("--board", 0, "", ""))
    board = validate_document(Board, load_document(board_file))
    network = validate_document(Network, load_document(_network_file(network_name, beside)))
    file = _profile_file(board_name, network, beside)
    if not file.is_file():
        message = f"board {board.name} has no profile of network {network.name} ({file})"
        raise InputError([Problem("--board", 0, "", message)])
    profile = validate_document(Profile, load_document(file))
    pes, total_ns = _fastest(board, network, profile)
    names = list(board.pes)
    clocks = [
        f"  #   {name}: {', '.join(format_frequency(f) for f in element.opps.frequencies)}"
        for name, element in board.pes.items()
    ]
    exits = network.exit_names
    weights = [2 ** max(len(exits) - 2 - k, 0) for k in range(len(exits))]
    rate = 10**9 / (3 * total_ns)
    return _TEXT.format(
        title=f"{network.title or network.name} on {board.title or board.name}",
        board=board_name,
        network=network_name,
        segments=" ".join(network.segment_names),
        pes=", ".join(names),
        mapping="".join(pes) if all(len(pe) == 1 for pe in pes) else f"[{', '.join(pes)}]",
        opps=", ".join(f"{name}: {format_frequency(board.pes[name].opps.frequencies[-1])}" for name in names),
        clocks="\n".join(["  # Operating points:", *clocks]),
        last_exit=exits[-1],
        rate=f"{round(rate)} Hz" if rate >= 1 else f"{rate:.2g} Hz",
        # At most a tenth of the period: frames that bunch would wait for each other.
        jitter=_rounded(min(2 * 10**6, 3 * total_ns // 10)),
        exits=", ".join(exits),
        counts=", ".join(str(1000 * weight) for weight in weights),
        deadline=_rounded(2 * total_ns),
    )


def _network_file(name: str, beside: Path) -> Path:
    return find_network(name, beside, Problem("--network", 0, "", ""))


def _profile_file(board_name: str, network: Network, beside: Path) -> Path:
    board_file = find_board(board_name, beside, Problem("--board", 0, "", ""))
    return board_file.parent / "profiles" / f"{network.name}.yaml"


def _rounded(time_ns: int) -> str:
    """Write a time in whole ms, or in whole us where that would be coarse."""
    if time_ns >= 2 * 10**6:
        return f"{round(time_ns / 10**6)} ms"
    return f"{max(1, round(time_ns / 10**3))} us"


def _fastest(board: Board, network: Network, profile: Profile) -> tuple[list[str], int]:
    """PE of each segment, all at their highest clocks, and how long they take one after the other, ns."""
    times: dict[str, list[int | None]] = {}
    for name, element in board.pes.items():
        host_hz = board.pes[element.host].opps.frequencies[-1] if element.host else None
        clock = element.opps.frequencies[-1]
        times[name] = [profile.time_ns(board, segment, name, clock, host_hz) for segment in network.segment_names]
    totals = {name: sum(t for t in own if t is not None) for name, own in times.items() if None not in own}
    if totals:
        best = min(totals, key=lambda name: totals[name])
        return [best] * len(network.segments), totals[best]
    pes, total_ns = [], 0
    for s in range(len(network.segments)):
        known = {name: time for name, own in times.items() if (time := own[s]) is not None}
        # A segment that nobody measured is reported when the scenario is loaded.
        pes.append(min(known, key=lambda name: known[name]) if known else next(iter(times)))
        total_ns += min(known.values(), default=0)
    return pes, max(total_ns, 1)
