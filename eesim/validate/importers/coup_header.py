"""What a run log says about all of its runs: board, network, order, hosts. Most is printed twice, and must agree."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from eesim.errors import InputError, Problem
from eesim.validate.importers.coup_clocks import subgraph_ranges
from eesim.validate.importers.coup_grammar import Line
from eesim.validate.importers.coup_runs import RawLog
from eesim.validate.importers.names import FOREIGN_BOARDS, RK3399PRO, board_of_cores, graph_name
from eesim.validate.importers.protocol import Options
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import refuse
from eesim.wording import listing

_FILE_NAME = re.compile(r"(?:time|power)_(.+)_([BLGN]+)")


@dataclass(frozen=True, slots=True)
class Header:
    """What holds for every run of a log; see `MeasuredRun` for the fields."""

    board: str
    graph: str
    order: str
    gpu_host: str
    npu_host: str
    mode: str | None
    frames: int | None
    threads_big: int | None
    threads_little: int | None
    n_tasks: dict[int, int]
    """Tasks of each subgraph, where the log says it."""
    receivers: tuple[tuple[int, ...], ...] | None

    @property
    def ranges(self) -> list[tuple[str, int, int]]:
        """PE, first and last layer of each subgraph."""
        return subgraph_ranges(self.order)


def read_header(log: RawLog, options: Options, tally: Tally) -> Header:
    """Return what a log says about all of its runs.

    Raises
    ------
    InputError
        If it contradicts itself, does not say the order, or comes from a board that is not let in.
    """
    order = _order(log)
    hosts = {pe: _host(log, pe) for pe in "GN"}
    sizes = {int(line.groups[0] or 0): line.groups for line in log.header["sizes"]}
    if len({line.groups for line in log.header["sizes"]}) > len(sizes):
        tally.warn(f"{log.source}: sizes of subgraphs are printed twice and differ; they are not used")
        sizes = {}
    return Header(
        board=check_board(log, _one(log, "little"), _one(log, "big"), options, tally),
        graph=_graph(log, options, order, tally),
        order=order,
        gpu_host=hosts["G"],
        npu_host=hosts["N"],
        mode=_one(log, "mode"),
        frames=_number(log, "frames", tally),
        threads_big=_number(log, "threads_big", tally),
        threads_little=_number(log, "threads_little", tally),
        n_tasks={number: int(groups[2] or 0) for number, groups in sizes.items()},
        receivers=_receivers(log, len(subgraph_ranges(order)), sizes),
    )


def _disagree(log: RawLog, lines: Iterable[Line], what: str) -> InputError:
    seen = {line.groups: line for line in reversed(list(lines))}
    said = [f"line {line.number} says {'-'.join(filter(None, line.groups)) or 'nothing'}" for line in seen.values()]
    return InputError(
        [Problem(str(log.source), 0, "", f"contradicts itself about {what}: {listing(sorted(said), 'and')}")]
    )


def _one(log: RawLog, kind: str) -> str | None:
    """Return what the lines of a kind say; None if there are none."""
    lines = log.header[kind]
    if len({line.groups for line in lines}) > 1:
        raise _disagree(log, lines, f"`{kind}`")
    return (lines[0].groups[0] or "") if lines else None


def _number(log: RawLog, kind: str, tally: Tally) -> int | None:
    """Return a number that nothing else depends on: a contradiction leaves it open."""
    try:
        value = _one(log, kind)
    except InputError as error:
        tally.warn(f"{error}; left empty")
        return None
    return int(value) if value else None


def check_board(log: RawLog, little: str | None, big: str | None, options: Options, tally: Tally) -> str:
    """Return the board's name, empty if the log does not say it.

    Raises
    ------
    InputError
        If it is not an RK3399Pro and was not let in.
    """
    if little is None or big is None:
        tally.warn(f"{log.source}: the log does not say how many cores the board has: which board it was is not known")
        return ""
    board = board_of_cores(int(little), int(big))
    if board == RK3399PRO or (board is not None and board == options.allow_board):
        return board
    found = f"was written on a board with {big} big and {little} little cores"
    if board in FOREIGN_BOARDS:
        message = (
            f"{found} ({board}): the RK3399Pro has 2 big and 4 little ones, and other clocks. "
            f"`--allow-board {board}` imports it all the same, with its rows labelled"
        )
    else:
        message = f"{found}: that is neither the RK3399Pro (2 and 4) nor a board that can be let in"
    raise refuse(log.source, message)


def _order(log: RawLog) -> str:
    """Return the order, which the order lines and the graphs that are added must agree on."""
    added: dict[int, tuple[str, int, int]] = {}
    for line in log.header["add_graph"]:
        number, _, pe, _, _, first, last = line.groups
        graph = (pe or "", int(first or 0), int(last or 0))
        if added.setdefault(int(number or 0), graph) != graph:
            raise _disagree(log, log.header["add_graph"], f"graph {number}")
    said = {line.groups[0] for line in log.header["order"] if line.groups[0]}
    fitting = [order for order in said if order and _agree(subgraph_ranges(order), added)]
    if len(fitting) == 1:
        return fitting[0]
    if said:
        raise _disagree(log, [*log.header["order"], *log.header["add_graph"]], "the order")
    graphs = [added[number] for number in sorted(added)]
    built = "".join(pe * max(last - first + 1, 0) for pe, first, last in graphs)
    if graphs and set(added) == set(range(len(graphs))) and subgraph_ranges(built) == graphs:
        return built
    raise refuse(log.source, "does not say which layers ran on which PE (no `Order is`, no complete `Adding Graph`)")


def _agree(ranges: list[tuple[str, int, int]], added: dict[int, tuple[str, int, int]]) -> bool:
    return all(number < len(ranges) and ranges[number] == graph for number, graph in added.items())


def _host(log: RawLog, pe: str) -> str:
    """Return the cluster of a PE's driver thread, empty if nothing says it."""
    kind = "gpu_host" if pe == "G" else "npu_host"
    said = {line.groups[0] for line in log.header[kind]}
    # A graph's line carries its host, too (which says B for G and N even where the option said L).
    added = {line.groups[3] for line in log.header["add_graph"] if line.groups[2] == pe}
    if len(said) > 1 and len(said & added) == 1:
        said &= added
    if len(said) > 1:
        raise _disagree(log, log.header[kind], f"`{kind}`")
    return next(iter(said or (added if len(added) == 1 else set())), "") or ""


def _graph(log: RawLog, options: Options, order: str, tally: Tally) -> str:
    if options.graph:
        return graph_name(options.graph)
    named = _FILE_NAME.fullmatch(log.source.stem)
    if named:
        if named[2] != order:
            tally.warn(f"{log.source}: the file's name says {named[2]}, the log {order}; the log counts")
        return graph_name(named[1])
    folders = {(line.groups[0] or "").strip("/").rpartition("/")[2] for line in log.header["data_path"]} - {""}
    if len(folders) == 1:
        return graph_name(folders.pop())
    raise refuse(log.source, "neither the log nor its name says which network ran: use --graph NAME")


def _receivers(
    log: RawLog, n_subgraphs: int, sizes: dict[int, tuple[str | None, ...]]
) -> tuple[tuple[int, ...], ...] | None:
    """Return which subgraphs each one sends to; None unless the log says it completely."""
    if set(sizes) != set(range(n_subgraphs)):
        return None
    sender_of = {line.groups[0]: int(line.groups[1] or 0) for line in log.header["sender"]}
    sent: dict[int, list[int]] = defaultdict(list)
    received: dict[int, int] = defaultdict(int)
    for line in log.header["receiver"]:
        tensor, target = line.groups[0], int(line.groups[1] or 0)
        if tensor not in sender_of or sender_of[tensor] >= target:
            return None
        sent[sender_of[tensor]].append(target)
        received[target] += 1
    complete = len(sender_of) == len(log.header["sender"]) and all(
        received[number] == int(groups[1] or 0)
        and sum(sender == number for sender in sender_of.values()) == int(groups[3] or 0)
        for number, groups in sizes.items()
    )
    return tuple(tuple(sent[number]) for number in range(n_subgraphs)) if complete else None
