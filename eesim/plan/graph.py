"""The task graph of one frame: which segments and transfers, in which order, under a policy.

Works on names and indices only; times come later (`eesim.plan.lower`). Rules: docs/semantics.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

from eesim.mapping.policy import Policy
from eesim.mapping.reuse import BLIND, INPUT
from eesim.workload.network import Network


@dataclass(slots=True)
class Node:
    """A segment or a transfer of one frame.

    Attributes
    ----------
    name
        ``b1``, or ``b1>G`` for the transfer of b1's output to G.
    segment
        Index of the segment, or of the segment whose output is transferred; -1 for a detector.
    target
        PE that the tensor goes to; empty for a segment.
    consumer
        Index of the first segment that reads the transferred tensor; -1 for a segment.
    unit
        Serial unit it belongs to: its subgraph, or the segment alone.
    """

    name: str
    segment: int
    unit: int
    target: str = ""
    consumer: int = -1
    before: set[int] = field(default_factory=set)

    @property
    def is_transfer(self) -> bool:
        """Whether this is a transfer."""
        return self.consumer >= 0

    @property
    def is_detector(self) -> bool:
        """Whether this compares the frame's input with an earlier one's."""
        return self.segment < 0


@dataclass(frozen=True, slots=True)
class TaskGraph:
    """Nodes in dispatch order (node 0 is the root), and what the engines need to know about each.

    Attributes
    ----------
    nodes
        ``node.before`` holds the predecessors.
    exit_nodes
        For each exit of the plan, the nodes that must be done before it is known.
    exit_of
        Plan exit for each exit of the network.
    exit_labels
        For each exit of the plan, the index of the network's exit that it stands for.
    need
        For each node, the lowest plan exit that needs it; the number of exits if none does.
    gate
        For each node, whether the next frame waits for it.
    detects
        For each node, whether it is known after it if the frame shows what another one did.
    """

    nodes: tuple[Node, ...]
    exit_nodes: tuple[frozenset[int], ...]
    exit_of: tuple[int, ...]
    exit_labels: tuple[int, ...]
    need: tuple[int, ...]
    gate: tuple[bool, ...]
    detects: tuple[bool, ...]


def active_segments(network: Network, enabled: tuple[bool, ...]) -> list[int]:
    """Segments from which an enabled exit can be reached, in construction order."""
    keep: set[int] = set()
    sources = network.sources
    for segment, on in zip(network.exit_segments, enabled, strict=True):
        while on and segment >= 0 and segment not in keep:
            keep.add(segment)
            segment = sources[segment]
    return sorted(keep)


def subgraphs(active: list[int], pes: tuple[str, ...]) -> list[list[int]]:
    """Maximal runs of segments on one PE, in construction order."""
    runs: list[list[int]] = []
    for segment in active:
        if runs and pes[runs[-1][-1]] == pes[segment]:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs


def coup_order(run: list[int], sources: tuple[int, ...]) -> list[int]:
    """Order inside a subgraph that is fed by receivers: consumers of received tensors in reverse, each depth first."""
    inside = set(run)
    fed = [segment for segment in run if sources[segment] not in inside]
    if any(sources[segment] < 0 for segment in fed):
        return list(run)
    order: list[int] = []
    stack = list(fed)
    while stack:
        segment = stack.pop()
        order.append(segment)
        stack += [s for s in reversed(run) if sources[s] == segment]
    return order


class _Builder:
    """Collects nodes and edges; see `build_graph`."""

    def __init__(
        self, network: Network, pes: tuple[str, ...], enabled: tuple[bool, ...], policy: Policy, charge: str
    ) -> None:
        self.network = network
        self.pes = pes
        self.policy = policy
        self.charge = charge
        self.sources = network.sources
        self.active = active_segments(network, enabled)
        self.enabled = enabled
        self.runs = subgraphs(self.active, pes)
        if policy.merge_order == "coup_dfs":
            self.runs = [coup_order(run, self.sources) for run in self.runs]
        self.serial = policy.send_policy == "after_subgraph"
        self.unit_of = {s: (u if self.serial else s) for u, run in enumerate(self.runs) for s in run}
        self.nodes: list[Node] = []
        self.place: dict[int, int] = {}

    def consumers(self, segment: int) -> list[int]:
        return [s for s in self.active if self.sources[s] == segment]

    def transfers_of(self, segment: int) -> list[tuple[str, list[int]]]:
        """Copies of a segment's output: (target PE, consuming segments), the first consumer's first."""
        copies: dict[tuple[str, int], list[int]] = {}
        for consumer in self.consumers(segment):
            if self.pes[consumer] != self.pes[segment]:
                unit = self.unit_of[consumer] if self.serial else -1
                copies.setdefault((self.pes[consumer], unit), []).append(consumer)
        return [(target, consumers) for (target, _), consumers in copies.items()]

    def add_nodes(self) -> None:
        """Lay out nodes in dispatch order: each unit's segments, then what it sends."""
        pending: dict[int, list[Node]] = {}
        for unit in self.runs if self.serial else [[s] for run in self.runs for s in run]:
            sent: list[Node] = []
            for segment in unit:
                self.nodes += pending.pop(segment, [])
                self.place[segment] = len(self.nodes)
                self.nodes.append(Node(self.network.segments[segment].name, segment, self.unit_of[segment]))
            for segment in sorted(unit):
                for target, consumers in self.transfers_of(segment) if self.charge else []:
                    name = f"{self.network.segments[segment].name}>{target}"
                    copies = sum(n.name.partition("#")[0] == name for n in (*self.nodes, *sent))
                    name += f"#{copies + 1}" if copies else ""
                    node = Node(name, segment, self.unit_of[segment], target, consumers[0])
                    if self.charge == "receiver":
                        # Its place in the dispatch order is just before its consumer's unit.
                        first = self.entry(consumers[0])
                        pending.setdefault(first, []).append(node)
                    else:
                        sent.append(node)
            self.nodes += sent

    def entry(self, segment: int) -> int:
        """Segment at which a unit begins: where what it receives is waited for."""
        if not self.serial:
            return segment
        return self.runs[self.unit_of[segment]][0]

    def last(self, segment: int) -> int:
        """Segment after which a unit sends."""
        return self.runs[self.unit_of[segment]][-1] if self.serial else segment

    def add_edges(self) -> None:
        copies = {(n.segment, n.target, n.consumer): i for i, n in enumerate(self.nodes) if n.is_transfer}
        for segment in self.active:
            done = self.place[self.last(segment)]
            via: dict[int, int] = {}
            for target, consumers in self.transfers_of(segment) if self.charge else []:
                node = copies[segment, target, consumers[0]]
                self.nodes[node].before.add(done)
                via |= dict.fromkeys(consumers, node)
            for consumer in self.consumers(segment):
                if self.serial and self.unit_of[consumer] == self.unit_of[segment]:
                    continue
                self.nodes[self.place[self.entry(consumer)]].before.add(via.get(consumer, done))
        if self.serial:
            self.chain_units()

    def chain_units(self) -> None:
        """A subgraph is one thread: its segments run, and its copies are sent, one after the other."""
        for run in self.runs:
            for before, after in pairwise(run):
                self.nodes[self.place[after]].before.add(self.place[before])
        if self.charge != "sender":
            return
        last: dict[int, int] = {}
        for i, node in enumerate(self.nodes):
            if node.is_transfer:
                if node.unit in last:
                    self.nodes[i].before.add(last[node.unit])
                last[node.unit] = i

    def exits(self) -> tuple[list[frozenset[int]], list[int], list[int]]:
        """Nodes of each plan exit, plan exit of each network exit, network exit of each plan exit."""
        n = len(self.enabled)
        if self.policy.exit_decision == "none":
            final = self.network.exit_segments[-1]
            answering = self.runs[self.unit_of[final]] if self.serial else [final]
            return [frozenset(self.place[s] for s in answering)], [0] * n, [n - 1]
        labels = [k for k in range(n) if self.enabled[k]]
        nodes = [frozenset([self.place[self.network.exit_segments[k]]]) for k in labels]
        return nodes, [next(i for i, k in enumerate(labels) if k >= exit_) for exit_ in range(n)], labels

    def needs(self, exit_nodes: list[frozenset[int]]) -> list[int]:
        """Lowest exit that can be reached from each node; the number of exits where there is none."""
        need = [len(exit_nodes)] * len(self.nodes)
        for k in reversed(range(len(exit_nodes))):
            stack = list(exit_nodes[k])
            while stack:
                node = stack.pop()
                if need[node] > k:
                    need[node] = k
                    stack += self.nodes[node].before
        return need

    def block_speculation(self, exit_nodes: list[frozenset[int]], need: list[int]) -> None:
        """What lies past exit k waits for it: the first nodes that only later exits need."""
        for k, nodes in enumerate(exit_nodes[:-1]):
            for i, node in enumerate(self.nodes):
                if need[i] == k + 1 and not any(need[b] > k for b in node.before):
                    node.before |= nodes

    def gate(self) -> list[bool]:
        rule = self.policy.frame_gate
        if rule in ("open", "all"):
            return [rule == "all"] * len(self.nodes)
        run = set(self.runs[0] if rule == "first_subgraph" else self.runs[-1])
        # A copy that the receiver pays for is not part of the sender's thread.
        return [n.segment in run and not (n.is_transfer and self.charge == "receiver") for n in self.nodes]


def build_graph(
    network: Network, pes: tuple[str, ...], enabled: tuple[bool, ...], policy: Policy, charge: str
) -> TaskGraph:
    """Build the task graph of one frame.

    Parameters
    ----------
    network
        The segments.
    pes
        PE of each segment.
    enabled
        Whether each exit is enabled.
    policy
        The switches.
    charge
        Who pays for transfers (``sender``, ``receiver``, ``link``, ``delay``), or empty for no transfers.
    """
    builder = _Builder(network, pes, enabled, policy, charge)
    builder.add_nodes()
    builder.add_edges()
    exit_nodes, exit_of, labels = builder.exits()
    need = builder.needs(exit_nodes)
    if policy.speculation == "blocking":
        builder.block_speculation(exit_nodes, need)
    graph = TaskGraph(
        nodes=tuple(builder.nodes),
        exit_nodes=tuple(exit_nodes),
        exit_of=tuple(exit_of),
        exit_labels=tuple(labels),
        need=tuple(need),
        gate=tuple(builder.gate()),
        detects=(False,) * len(builder.nodes),
    )
    return graph if policy.reuse is None else with_detection(graph, network.exit_names, policy.reuse.at)


DETECTOR = "detect"
"""Name of the node that compares inputs."""


def with_detection(graph: TaskGraph, exit_names: tuple[str, ...], at: str) -> TaskGraph:
    """Mark the exit at which frames are compared, or put a detector before everything else."""
    if at not in (INPUT, BLIND):
        (exit_node,) = graph.exit_nodes[graph.exit_of[exit_names.index(at)]]
        return replace(graph, detects=tuple(i == exit_node for i in range(len(graph.nodes))))
    later = [replace(node, before={i + 1 for i in node.before} or {0}) for node in graph.nodes]
    return TaskGraph(
        nodes=(Node(DETECTOR, -1, -1), *later),
        exit_nodes=tuple(frozenset(i + 1 for i in nodes) for nodes in graph.exit_nodes),
        exit_of=graph.exit_of,
        exit_labels=graph.exit_labels,
        need=(0, *graph.need),
        gate=(all(graph.gate), *graph.gate),
        detects=(True, *graph.detects),
    )
