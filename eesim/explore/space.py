"""The design space: genes, alleles, and how a genome becomes a scenario.

A genome is a row of small integers: the PE of each segment (with its clock, where segments have clocks of their own),
the operating point of each PE, each switchable exit, its
threshold (where exits come from a table of confidences), the limit of frames in flight, the capacity of the queue, the
policy. Genes with one allele are kept: positions never move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.document import Document
from eesim.errors import InputError, Problem, suggest
from eesim.mapping.mapping import MappingSpec, resolve_mapping
from eesim.mapping.policy import Policy, PolicyChange, resolve_policy
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.load import Scenario
from eesim.units import format_frequency
from eesim.workload.confidences import ExitConfidences

UNLIMITED = "unbounded"

Combinations = tuple[tuple[tuple[int, tuple[int, ...]], ...], ...]
"""Of each combination, the genes that it names and the alleles of theirs that it means."""


class Placement(NamedTuple):
    """A PE and the clock that a segment asks of it."""

    pe: str
    clock_hz: int

    def __str__(self) -> str:
        """Write it as ``B@1.8 GHz``."""
        return f"{self.pe}@{format_frequency(self.clock_hz)}"


def pe_of(allele: str | Placement) -> str:
    """Return the PE that an allele of a segment's gene stands for."""
    return allele.pe if isinstance(allele, Placement) else allele


@dataclass(frozen=True)
class Gene:
    """One decision: its name and what it can be."""

    name: str
    alleles: tuple[Any, ...]


@dataclass(frozen=True)
class Space:
    """All genomes of an exploration.

    Attributes
    ----------
    scenario
        What does not vary.
    genes
        Segments, then PEs' clocks, then early exits, then their thresholds (if there are any), then
        ``frames_in_flight``, ``queue_capacity``, ``policy``.
    forbid, require
        Combinations of gene index and those of its alleles that are meant.
    """

    scenario: Scenario
    genes: tuple[Gene, ...]
    forbid: Combinations
    require: Combinations

    @cached_property
    def n_alleles(self) -> IntArray:
        """Number of alleles of each gene, (G,)."""
        return np.array([len(gene.alleles) for gene in self.genes], np.int64)

    @property
    def size(self) -> int:
        """Number of genomes, allowed or not."""
        return prod(int(n) for n in self.n_alleles)

    @cached_property
    def n_segments(self) -> int:
        """Number of segments: the first genes."""
        return len(self.scenario.network.segments)

    @cached_property
    def n_pes(self) -> int:
        """Number of PEs: the genes that follow the segments."""
        return len(self.scenario.board.pes)

    @cached_property
    def exit_genes(self) -> slice:
        """Genes of the early exits."""
        first = self.n_segments + self.n_pes
        return slice(first, first + len(self.scenario.network.exit_names) - 1)

    @cached_property
    def threshold_genes(self) -> slice:
        """Genes of the early exits' thresholds; none where exits do not come from a table of confidences."""
        return slice(self.exit_genes.stop, len(self.genes) - 3)

    @cached_property
    def exit_and_threshold_genes(self) -> IntArray:
        """Places of the genes that decide which exit a sample takes."""
        return np.arange(self.exit_genes.start, self.threshold_genes.stop)

    def is_allowed(self, genomes: IntArray) -> npt.NDArray[np.bool_]:
        """Whether genomes keep the forbidden and required combinations, (n,)."""
        good = np.ones(len(genomes), bool)
        for combination in self.forbid:
            good &= ~np.all([np.isin(genomes[:, gene], alleles) for gene, alleles in combination], axis=0)
        for combination in self.require:
            good &= np.all([np.isin(genomes[:, gene], alleles) for gene, alleles in combination], axis=0)
        return good

    def batches(self, size: int) -> Iterator[IntArray]:
        """Enumerate all genomes in blocks of at most ``size``, the last gene varying fastest."""
        for begin in range(0, self.size, size):
            yield self.at(np.arange(begin, min(begin + size, self.size)))

    def at(self, numbers: IntArray) -> IntArray:
        """Return the genomes with these numbers in the enumeration, (n, G)."""
        out = np.zeros((len(numbers), len(self.genes)), np.int64)
        rest = numbers.astype(object) if self.size >= 2**62 else numbers.astype(np.int64)
        for gene in range(len(self.genes) - 1, -1, -1):
            out[:, gene] = rest % int(self.n_alleles[gene])
            rest = rest // int(self.n_alleles[gene])
        return out

    def genome_of(self, scenario: Scenario) -> IntArray | None:
        """Return the genome of the scenario's own mapping, or None if it lies outside the space."""
        mapping, policy = scenario.mapping, scenario.policy
        placed = zip(mapping.pes, mapping.segment_opp_hz, self.own_clocks, strict=True)
        wanted: list[Any] = [Placement(pe, clock) if own else pe for pe, clock, own in placed]
        if any(
            clock != mapping.pe_opp_hz[pe]
            for pe, clock, own in zip(mapping.pes, mapping.segment_opp_hz, self.own_clocks, strict=True)
            if not own
        ):
            return None
        wanted += mapping.pe_opp_hz.values()
        wanted += [mapping.enabled_exits[i] for i in range(len(scenario.network.exit_names) - 1)]
        wanted += mapping.thresholds if self.genes[self.threshold_genes] else ()
        wanted += [policy.frames_in_flight, policy.queue.capacity, self._written_policy(policy)]
        if any(value not in gene.alleles for value, gene in zip(wanted, self.genes, strict=True)):
            return None
        return np.array([g.alleles.index(v) for v, g in zip(wanted, self.genes, strict=True)], np.int64)

    def _written_policy(self, policy: Policy) -> Any:
        """Return the policy allele that stands for ``policy``, limits aside; None if there is none."""
        limits = {"frames_in_flight": policy.frames_in_flight, "queue": policy.queue}
        for written in self.genes[-1].alleles:
            if resolve_policy(written).model_copy(update=limits) == policy:
                return written
        return None

    def choice(self, genome: IntArray) -> dict[str, Any]:
        """Return what a genome says, gene by gene, as plain values."""
        return {gene.name: gene.alleles[int(allele)] for gene, allele in zip(self.genes, genome, strict=True)}

    def changes(self, genome: IntArray) -> dict[tuple[str, ...], Any]:
        """Return a genome as values of a scenario document, by path."""
        names, board = self.scenario.network.segment_names, self.scenario.board
        picked = [gene.alleles[int(allele)] for gene, allele in zip(self.genes, genome, strict=True)]
        pes = [pe_of(allele) for allele in picked[: self.n_segments]]
        own = {
            name: format_frequency(a.clock_hz)
            for name, a in zip(names, picked, strict=False)
            if isinstance(a, Placement)
        }
        clocks = picked[self.n_segments : self.n_segments + self.n_pes]
        exits, thresholds = picked[self.exit_genes], picked[self.threshold_genes]
        in_flight, queue, policy = picked[-3:]
        single = all(len(pe) == 1 for pe in board.pes)
        segments: Any = "".join(pes) if single else dict(zip(names, pes, strict=True))
        on = [name for name, enabled in zip(self.scenario.network.exit_names, exits, strict=False) if enabled]
        written = policy.model_dump(exclude_none=True) if isinstance(policy, PolicyChange) else {"preset": policy}
        full = self.scenario.policy.queue.full
        limits = zip(self.scenario.network.exit_names, thresholds, strict=False)
        known = {name: threshold for name, threshold in limits if isfinite(threshold)}
        return {
            ("mapping", "segments"): segments,
            # All of them: a PE that runs nothing may still host a driver thread or clock a transfer.
            ("mapping", "opp"): {pe: format_frequency(clock) for pe, clock in zip(board.pes, clocks, strict=True)}
            | own,
            ("mapping", "exits"): [*on, self.scenario.network.exit_names[-1]],
            **({("mapping", "thresholds"): known} if known else {}),
            ("policy",): {
                **written,
                "frames_in_flight": in_flight,
                "queue": {"capacity": queue, "full": full},
            },
        }

    def scenario_of(self, genome: IntArray) -> Scenario:
        """Return the scenario with a genome's choices, without reading its files again; unchecked."""
        changes, scenario = self.changes(genome), self.scenario
        written = {path[1]: value for path, value in changes.items() if path[0] == "mapping"}
        spec = MappingSpec.model_validate(written)
        mapping = resolve_mapping(spec, scenario.board, scenario.network)
        policy = resolve_policy(PolicyChange.model_validate(changes["policy",]))
        mapped = scenario.spec.model_copy(update={"mapping": spec})
        return replace(scenario, spec=mapped, mapping=mapping, policy=policy)

    @cached_property
    def own_clocks(self) -> tuple[bool, ...]:
        """Whether each segment has a clock of its own."""
        return tuple(isinstance(gene.alleles[0], Placement) for gene in self.genes[: self.n_segments])

    def document(self, genome: IntArray) -> Document:
        """Return the scenario's document with a genome's choices, ready for `eesim run`."""
        document = self.scenario.document
        for path, value in self.changes(genome).items():
            document = document.with_value(path, value, source="explore")
        return document.without("explore")


def build_space(scenario: Scenario, spec: ExploreSpec) -> Space:
    """Build the space that a scenario declares; what it does not mention stays as the scenario says.

    Raises
    ------
    InputError
        If names do not exist, or nothing is left to choose from; lists everything.
    """
    found: list[Problem] = []

    def complain(path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        found.append(scenario.document.problem(("explore", *path), message, hint))

    genes = [
        *_segment_genes(scenario, spec, complain),
        *_clock_genes(scenario, spec, complain),
        *_exit_genes(scenario, spec, complain),
        *_threshold_genes(scenario, spec, complain),
        Gene("frames_in_flight", spec.frames_in_flight or (scenario.policy.frames_in_flight,)),
        Gene("queue_capacity", spec.queue_capacity or (scenario.policy.queue.capacity,)),
        Gene("policy", spec.policy or (scenario.spec.policy,)),
    ]
    forbid = _combinations("forbid", spec.forbid, genes, complain)
    require = _combinations("require", spec.require, genes, complain)
    if found:
        raise InputError(found)
    return Space(scenario, tuple(genes), forbid, require)


def _segment_genes(scenario: Scenario, spec: ExploreSpec, complain: Any) -> list[Gene]:
    names, board = scenario.network.segment_names, scenario.board
    written = spec.segments
    table = written if isinstance(written, dict) else dict.fromkeys(names, written)
    for name in table:
        if name not in names:
            complain(("segments", name), f"network {scenario.network.name} has no such segment", suggest(name, names))
    for pe in sorted({pe for pes in table.values() if pes for pe in pes} - set(board.pes)):
        complain(("segments",), f"there is no PE {pe!r} on board {board.name}", suggest(pe, board.pes))
    genes = []
    mapping = scenario.mapping
    for name, own, own_hz in zip(names, mapping.pes, mapping.segment_opp_hz, strict=True):
        alleles = tuple(dict.fromkeys(table.get(name) or (own,)))
        missing = [pe for pe in alleles if pe in board.pes and pe not in scenario.profile.knows(name)]
        for pe in missing:
            complain(("segments",), f"segment {name} has no time on {pe}")
        clocks = spec.opp.get(name)
        if clocks is None and name in scenario.spec.mapping.opp:
            clocks = (own_hz,)
        genes.append(Gene(name, alleles if clocks is None else _placements(scenario, name, alleles, clocks, complain)))
    return genes


def _placements(
    scenario: Scenario, name: str, pes: tuple[str, ...], clocks: Any, complain: Any
) -> tuple[str | Placement, ...]:
    """Every PE that a segment may take at every clock that it may ask for there."""
    steps = {pe: scenario.board.pes[pe].opps.frequencies for pe in pes if pe in scenario.board.pes}
    for clock in () if clocks == "all" else clocks:
        if not any(clock in known for known in steps.values()):
            complain(("opp", name), f"{format_frequency(int(clock))} is not an operating point of {', '.join(steps)}")
    found = tuple(
        Placement(pe, int(clock))
        for pe, known in steps.items()
        for clock in known
        if clocks == "all" or clock in clocks
    )
    for pe in sorted(set(steps) - {placement.pe for placement in found}):
        complain(("opp", name), f"names no operating point of {pe}, where the segment may run")
    return found or pes


def _clock_genes(scenario: Scenario, spec: ExploreSpec, complain: Any) -> list[Gene]:
    board = scenario.board
    for key in spec.opp:
        if key not in board.pes and key not in scenario.network.segment_names:
            known = [*board.pes, *scenario.network.segment_names]
            message = f"there is no PE {key!r} on board {board.name}, and no such segment"
            complain(("opp", key), message, suggest(key, known))
    genes = []
    for name, pe in board.pes.items():
        steps, wanted = pe.opps.frequencies, spec.opp.get(name)
        alleles = steps if wanted == "all" else tuple(wanted) if wanted else (scenario.mapping.pe_opp_hz[name],)
        for clock in alleles:
            if clock not in steps:
                nearest = min(steps, key=lambda step: abs(step - clock))
                message = f"{format_frequency(int(clock))} is not an operating point of {name}"
                complain(("opp", name), message, format_frequency(nearest))
        genes.append(Gene(f"opp.{name}", tuple(alleles)))
    return genes


def _exit_genes(scenario: Scenario, spec: ExploreSpec, complain: Any) -> list[Gene]:
    names = scenario.network.exit_names[:-1]
    free = set(names) if spec.exits == "any" else set(spec.exits or ())
    for name in sorted(free - set(names)):
        complain(("exits",), f"network {scenario.network.name} has no early exit {name!r}", suggest(name, names))
    own = scenario.mapping.enabled_exits
    return [
        Gene(f"exit.{name}", (True, False) if name in free else (on,)) for name, on in zip(names, own, strict=False)
    ]


def _threshold_genes(scenario: Scenario, spec: ExploreSpec, complain: Any) -> list[Gene]:
    names, written = scenario.network.exit_names[:-1], spec.thresholds
    if not isinstance(scenario.spec.stream.exits, ExitConfidences):
        if written is not None:
            kind = scenario.spec.stream.exits.kind
            complain(("thresholds",), f"needs stream.exits of kind confidences, not {kind}")
        return []
    table = written if isinstance(written, dict) else dict.fromkeys(names, written)
    for name in table:
        if name not in names:
            message = f"network {scenario.network.name} has no early exit {name!r}"
            complain(("thresholds", name), message, suggest(name, names))
    free = set(names) if spec.exits == "any" else set(spec.exits or ())
    genes = []
    for name, own, on in zip(names, scenario.mapping.thresholds, scenario.mapping.enabled_exits, strict=False):
        alleles = tuple(dict.fromkeys(float(value) for value in table.get(name) or (own,)))
        if (on or name in free) and not all(map(isfinite, alleles)):
            complain(("thresholds", name), "missing: the exit may be enabled, but has no threshold")
        genes.append(Gene(f"threshold.{name}", alleles))
    return genes


def _combinations(key: str, written: tuple[dict[str, str], ...], genes: list[Gene], complain: Any) -> Combinations:
    index = {gene.name: i for i, gene in enumerate(genes)}
    out = []
    for i, combination in enumerate(written):
        pairs = []
        for name, value in combination.items():
            gene = genes[index[name]] if name in index else None
            if gene is None:
                complain((key, i, name), "there is no such decision", suggest(name, index))
                continue
            # A segment with clocks of its own is named by its PE, or by PE and clock.
            meant = [a for a, allele in enumerate(gene.alleles) if value in (str(allele), getattr(allele, "pe", None))]
            if not meant:
                complain((key, i, name), f"{value!r} is not among {', '.join(map(str, gene.alleles))}")
            pairs.append((index[name], tuple(meant)))
        out.append(tuple(pairs))
    return tuple(out)
