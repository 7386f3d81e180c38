"""The design space: genes, alleles, and how a genome becomes a scenario.

A genome is a row of small integers: the PE of each segment, the operating point of each PE, each switchable exit, the
limit of frames in flight, the capacity of the queue, the policy. Genes with one allele are kept: positions never
move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from eesim.base import IntArray
from eesim.document import Document
from eesim.errors import InputError, Problem, suggest
from eesim.mapping.policy import Policy, PolicyChange, resolve_policy
from eesim.scenario.explore import ExploreSpec
from eesim.scenario.load import Scenario
from eesim.units import format_frequency

UNLIMITED = "unbounded"


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
        Segments, then PEs' clocks, then exits, then ``frames_in_flight``, ``queue_capacity``, ``policy``.
    forbid, require
        Combinations of gene index to allele indices.
    """

    scenario: Scenario
    genes: tuple[Gene, ...]
    forbid: tuple[tuple[tuple[int, int], ...], ...]
    require: tuple[tuple[tuple[int, int], ...], ...]

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

    def is_allowed(self, genomes: IntArray) -> npt.NDArray[np.bool_]:
        """Whether genomes keep the forbidden and required combinations, (n,)."""
        good = np.ones(len(genomes), bool)
        for combination in self.forbid:
            good &= ~np.all([genomes[:, gene] == allele for gene, allele in combination], axis=0)
        for combination in self.require:
            good &= np.all([genomes[:, gene] == allele for gene, allele in combination], axis=0)
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
        wanted: list[Any] = [*mapping.pes, *mapping.pe_opp_hz.values()]
        wanted += [mapping.enabled_exits[i] for i in range(len(scenario.network.exit_names) - 1)]
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
        pes = picked[: self.n_segments]
        clocks = picked[self.n_segments : self.n_segments + self.n_pes]
        exits = picked[self.n_segments + self.n_pes : -3]
        in_flight, queue, policy = picked[-3:]
        single = all(len(pe) == 1 for pe in board.pes)
        segments: Any = "".join(pes) if single else dict(zip(names, pes, strict=True))
        on = [name for name, enabled in zip(self.scenario.network.exit_names, exits, strict=False) if enabled]
        written = policy.model_dump(exclude_none=True) if isinstance(policy, PolicyChange) else {"preset": policy}
        full = self.scenario.policy.queue.full
        return {
            ("mapping", "segments"): segments,
            # All of them: a PE that runs nothing may still host a driver thread or clock a transfer.
            ("mapping", "opp"): {pe: format_frequency(clock) for pe, clock in zip(board.pes, clocks, strict=True)},
            ("mapping", "exits"): [*on, self.scenario.network.exit_names[-1]],
            ("policy",): {
                **written,
                "frames_in_flight": in_flight,
                "queue": {"capacity": queue, "full": full},
            },
        }

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
    for name, own in zip(names, scenario.mapping.pes, strict=True):
        alleles = tuple(dict.fromkeys(table.get(name) or (own,)))
        missing = [pe for pe in alleles if pe in board.pes and pe not in scenario.profile.knows(name)]
        for pe in missing:
            complain(("segments",), f"segment {name} has no time on {pe}")
        genes.append(Gene(name, alleles))
    return genes


def _clock_genes(scenario: Scenario, spec: ExploreSpec, complain: Any) -> list[Gene]:
    board = scenario.board
    for key in spec.opp:
        if key not in board.pes:
            complain(("opp", key), f"there is no PE {key!r} on board {board.name}", suggest(key, board.pes))
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


def _combinations(
    key: str, written: tuple[dict[str, str], ...], genes: list[Gene], complain: Any
) -> tuple[tuple[tuple[int, int], ...], ...]:
    index = {gene.name: i for i, gene in enumerate(genes)}
    out = []
    for i, combination in enumerate(written):
        pairs = []
        for name, value in combination.items():
            gene = genes[index[name]] if name in index else None
            if gene is None:
                complain((key, i, name), "there is no such decision", suggest(name, index))
            elif value not in map(str, gene.alleles):
                complain((key, i, name), f"{value!r} is not among {', '.join(map(str, gene.alleles))}")
            else:
                pairs.append((index[name], [str(a) for a in gene.alleles].index(value)))
        out.append(tuple(pairs))
    return tuple(out)
