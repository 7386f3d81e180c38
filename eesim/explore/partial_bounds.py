"""Bounds of our own on partly decided genomes: what no completion can beat, queueing and contention left out.

For every exit, the critical path of the decided segments at the fastest clock that is still open, undecided segments
at their best PE; for every PE, the work that answers need from it; for energy, base power over the stream's own time
plus the cheapest way to do the needed work. Vectorised over genomes; -1 marks an undecided gene.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.engine.candidate_tables import CHARGE_NOTHING, CandidateTables
from eesim.explore.decision_bank import Deal
from eesim.explore.evaluator import FJ_PER_MJ, NS_PER_MS, Evaluator, Metrics
from eesim.metrics.replication import QUANTILES

OPEN = -1
FAR = 2**61
PRICES = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 5.0)
"""Prices of latency that the energy bound tries, relative to the typical power of a segment."""


BOUNDED_METRICS = (
    "latency_ms.mean",
    *(f"latency_ms.{name}" for name in QUANTILES),
    "latency_ms.max",
    "energy_mj_per_frame.total",
    "energy_delay_mj_ms",
)


class PartialBounds:
    """Lower bounds of metrics over all completions of partial genomes.

    Parameters
    ----------
    evaluator
        What leaves are evaluated with; the bounds hold for its values.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        space = evaluator.space
        self._space = space
        tables = evaluator.tables
        self._source = tables[0].source
        self._exit = tables[0].exit
        self._reach = _exits_reached(tables[0])
        columns = evaluator.columns
        self._pe_of = columns.pe_alleles
        self._opps_of = columns.opp_alleles
        self._time = _open_clock_last(tables[0].time_ns.astype(float), self._opps_of, FAR)
        self._cost = _open_clock_last(self._active_energy(tables[0]), self._opps_of, np.inf)
        self._transfer = self._transfers(tables)
        self._path = [s for s in range(space.n_segments) if evaluator.n_exits - 1 in self._reach[s]]
        self._servers = np.bincount(tables[0].server_resource)[: space.n_pes]
        self._shares: list[FloatArray] = []
        self._quiet_uw = float(tables[0].base_uw) + float(tables[0].idle_uw.sum())

    def _choices(self, genomes: IntArray) -> Iterator[tuple[IntArray, Deal]]:
        """Genomes that share thresholds and enabled exits, and what these deal; none that leave them open.

        Where exits do not come from a table of confidences, all genomes share the same exits.
        """
        bank = self.evaluator.bank
        places = [*self._space.exit_and_threshold_genes, -1] if bank.by_sample else []
        known = np.flatnonzero((genomes[:, places] >= 0).all(axis=1))
        keys, which = np.unique(genomes[np.ix_(known, places)], axis=0, return_inverse=True)
        for number in range(len(keys) if bank.by_sample else min(len(known), 1)):
            rows = known[which.reshape(-1) == number] if bank.by_sample else known
            decide = bool(self.evaluator.tables[genomes[rows[0], -1]].decide) if bank.by_sample else True
            yield from ((rows, deal) for deal in bank.deals(genomes[rows[:1]], decide=decide))

    def _active_energy(self, t: CandidateTables) -> FloatArray:
        """Active energy of each segment on each PE at each clock, less the idle power it replaces, fJ, (S, P, O)."""
        out = np.full(t.time_ns.shape, -1.0)
        for p in range(t.time_ns.shape[1]):
            host = t.host[p]
            host_uw = t.host_uw[p, self._opps_of[host]].min() if host >= 0 else 0
            idle_uw = t.idle_uw[p] / (t.server_resource == p).sum()
            for o in range(t.time_ns.shape[2]):
                time = t.time_ns[:, p, o].astype(float)
                rate = max(t.active_uw[p, o] + host_uw - idle_uw, 0)
                out[:, p, o] = np.where(time >= 0, time * rate, -1)
        return out

    def _clocks(self, genomes: IntArray) -> IntArray:
        """Operating point of each PE, -1 where it is open, (n, P)."""
        first = self._space.n_segments
        out = np.full((len(genomes), self._space.n_pes), OPEN, np.int64)
        for p, opps in enumerate(self._opps_of):
            gene = genomes[:, first + p]
            out[:, p] = np.where(gene >= 0, opps[np.maximum(gene, 0)], OPEN)
        return out

    def _of_segment(
        self, table: FloatArray, row: int, genomes: IntArray, clocks: IntArray, segment: int | None = None
    ) -> FloatArray:
        """Value of a segment where it is mapped, or the best over the PEs it may still take, (n,)."""
        s = row if segment is None else segment
        choices = self._pe_of[s]
        # An open clock is -1: the last column holds the best over the clocks that are open.
        values = np.stack([table[row, p, clocks[:, p]] for p in choices], axis=1)
        gene = genomes[:, s]
        decided = np.take_along_axis(values, np.maximum(gene, 0)[:, None], axis=1)[:, 0]
        return np.where(gene >= 0, decided, values.min(axis=1))

    def _transfers(self, tables: list[CandidateTables]) -> FloatArray:
        """Least time to bring each segment its input from PE a to PE b, ns, (S, P, P)."""
        t = tables[0]
        n_pes = t.time_ns.shape[1]
        out = np.zeros((len(t.source), n_pes, n_pes))
        if t.charge == CHARGE_NOTHING:
            return out
        for s, source in enumerate(t.source):
            for a in range(n_pes):
                for b in range(n_pes):
                    if source >= 0 and a != b:
                        clock = t.route_clock[a, b]
                        opps = self._opps_of[clock] if clock >= 0 else np.array([0])
                        out[s, a, b] = t.transfer_ns[source, a, b, opps].min()
        return np.where(out < 0, FAR, out)

    def exit_latencies(self, genomes: IntArray) -> FloatArray:
        """Earliest possible answer at each exit for frames that would take it, ns, (n, K)."""
        n, n_segments = len(genomes), self._space.n_segments
        clocks = self._clocks(genomes)
        end = np.zeros((n, n_segments))
        pe = np.full((n, n_segments), OPEN)
        for s in range(n_segments):
            gene = genomes[:, s]
            decided = gene >= 0
            pe[decided, s] = self._pe_of[s][gene[decided]]
            time = self._of_segment(self._time, s, genomes, clocks)
            source = self._source[s]
            begin = np.zeros(n)
            if source >= 0:
                known = decided & (pe[:, source] >= 0)
                move = np.where(known, self._transfer[s, np.maximum(pe[:, source], 0), np.maximum(pe[:, s], 0)], 0)
                begin = end[:, source] + move
            end[:, s] = begin + time
        ends = np.stack([end[:, self._exit == e].max(axis=1) for e in range(self.evaluator.n_exits)], axis=1)
        return self._in_order(genomes, ends)

    def _in_order(self, genomes: IntArray, ends: FloatArray) -> FloatArray:
        """Let answers wait for earlier exits that are surely enabled, and pass over those that may be disabled."""
        first = self._space.n_segments + self._space.n_pes
        out = np.empty_like(ends)
        waited = np.zeros(len(ends))
        n_exits = ends.shape[1]
        state = []
        for e in range(n_exits):
            alleles = np.array([True]) if e == n_exits - 1 else np.array(self._space.genes[first + e].alleles)
            gene = genomes[:, first + e] if e < n_exits - 1 else np.zeros(len(ends), np.int64)
            surely = np.where(gene >= 0, alleles[np.maximum(gene, 0)], alleles.all())
            maybe = np.where(gene >= 0, alleles[np.maximum(gene, 0)], alleles.any())
            waited = np.where(surely, np.maximum(waited, ends[:, e]), waited)
            state.append((maybe.astype(bool), np.maximum(waited, ends[:, e])))
        later = np.full(len(ends), np.inf)
        for e in range(n_exits - 1, -1, -1):
            maybe, own = state[e]
            later = np.where(maybe, np.minimum(own, later), later)
            out[:, e] = later
        decides = np.array([bool(tables.decide) for tables in self.evaluator.tables])
        policy = genomes[:, -1]
        decided = decides[np.maximum(policy, 0)]
        may_decide = np.where(policy >= 0, decided, decides.any())
        must_decide = np.where(policy >= 0, decided, decides.all())
        # Where no exit decides, the answer is the final classifier's, and it waits for no branch.
        final = np.where(must_decide[:, None], np.inf, ends[:, -1:])
        return np.minimum(np.where(may_decide[:, None], out, np.inf), final)

    def metrics(self, genomes: IntArray) -> Metrics:
        """Lower bounds by flat metric name, (n,) each; metrics without a bound are missing.

        Where exits come from a table of confidences there is also ``accuracy``, an upper bound; genomes whose
        thresholds or enabled exits are open have no bound (minus infinity, and an accuracy of 1).
        """
        out: Metrics = {name: np.full(len(genomes), -np.inf) for name in BOUNDED_METRICS}
        if self.evaluator.bank.by_sample:
            out["accuracy"] = np.ones(len(genomes))
        for rows, deal in self._choices(genomes):
            drawn, accuracy = self.evaluator.bank.drawn(deal, self.evaluator.warm)
            # A leaf's value may rest on the model's shares or on those of the simulated frames.
            self._shares = [deal.shares[0], drawn[0]]
            for name, values in self._lowest(genomes[rows]).items():
                out[name][rows] = values
            if self.evaluator.bank.by_sample and not self.evaluator.droppable:
                out["accuracy"][rows] = max(deal.accuracy[0], accuracy[0])
        return out

    def _lowest(self, genomes: IntArray) -> Metrics:
        """Lower bounds of genomes that share their exits, whichever of the shares counts."""
        ends = self.exit_latencies(genomes)
        out: Metrics = {}
        for shares in self._shares:
            for name, values in self._with_shares(genomes, ends, shares).items():
                out[name] = np.minimum(out[name], values) if name in out else values
        return out

    def _with_shares(self, genomes: IntArray, ends: FloatArray, shares: FloatArray) -> Metrics:
        e = self.evaluator
        order = np.argsort(ends, axis=1, kind="stable")
        ordered = np.take_along_axis(ends, order, axis=1)
        weight = np.broadcast_to(shares, ends.shape)
        kept = _keep_best(np.take_along_axis(weight, order, axis=1), 1 - e.droppable)
        total = np.maximum(kept.sum(axis=1), 1e-12)
        out: Metrics = {"latency_ms.mean": (ordered * kept).sum(axis=1) / total / NS_PER_MS}
        below = np.cumsum(kept, axis=1) / total[:, None]
        for name, share in QUANTILES.items():
            at = np.argmax(below >= share - 1e-9, axis=1)
            out[f"latency_ms.{name}"] = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0] / NS_PER_MS
        at = np.argmax(below >= 1 - 1e-9, axis=1)
        out["latency_ms.max"] = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0] / NS_PER_MS
        needed_by = self._needed_by()
        needed = np.array([shares[list(reach)].sum() if reach else 0.0 for reach in needed_by])
        if not e.decide:
            # Every frame runs the backbone; branches may be cancelled once the final classifier has answered.
            needed = np.array([float(bool(reach)) for reach in needed_by])
        busiest_ns, energy_fj = self._loads(genomes, needed)
        if not e.droppable:
            # All needed work must fit between the first measured arrival and the last answer.
            late = busiest_ns * (len(e.arrival) - e.warm) - e.stream_span_ns
            out["latency_ms.max"] = np.maximum(out["latency_ms.max"], np.minimum(late, FAR) / NS_PER_MS)
        out["energy_mj_per_frame.total"] = (self._quiet_uw * e.least_span_ns + energy_fj) / FJ_PER_MJ
        out["energy_delay_mj_ms"] = out["energy_mj_per_frame.total"] * out["latency_ms.mean"]
        return out

    def _needed_by(self) -> list[set[int]]:
        """Network exits whose frames surely need each segment: those that it leads to, and all deeper ones."""
        n_exits = self.evaluator.n_exits
        found = []
        for s in range(self._space.n_segments):
            on_backbone = n_exits - 1 in self._reach[s]
            # A branch may be disabled, or an earlier exit disabled: count only frames that end no earlier.
            found.append(set(range(min(self._reach[s]), n_exits)) if on_backbone else set())
        return found

    def _loads(self, genomes: IntArray, needed: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Work that answers need of the busiest PE, ns per frame, and least energy of all needed work, fJ per frame."""
        n = len(genomes)
        clocks = self._clocks(genomes)
        load = np.zeros((n, self._space.n_pes))
        for s in range(self._space.n_segments):
            gene = genomes[:, s]
            decided = np.flatnonzero(gene >= 0)
            pe = self._pe_of[s][gene[decided]]
            np.add.at(load, (decided, pe), needed[s] * self._time[s, pe, clocks[decided, pe]])
        energy = self._least_energy(genomes, clocks, needed)
        return (load / self._servers).max(axis=1), energy

    def _path_limit_ns(self) -> float:
        """Time that the way to the final exit may take at most in a feasible design, ns; infinite if it is free."""
        e = self.evaluator
        deep = min(shares[-1] for shares in self._shares) if e.decide else 1.0
        limit = np.inf
        for rule in e.limits:
            share = {"latency_ms.max": 1.0, **{f"latency_ms.{k}": v for k, v in QUANTILES.items()}}.get(rule.metric)
            # More frames take the final exit than may be late or dropped: one of them is in time.
            if share is not None and deep > (1 - share) + e.droppable + 2 / max(len(e.arrival) - e.warm, 1):
                limit = min(limit, rule.limit * NS_PER_MS)
        return limit

    def _least_energy(self, genomes: IntArray, clocks: IntArray, needed: FloatArray) -> FloatArray:
        """Least active energy of needed work, fJ per frame, for designs whose way to the final exit is short enough.

        Relaxes the limit with prices: for any price per ns, ``sum(min(energy + price x time)) - price x limit``
        cannot be beaten (Lagrangian bound); the best of a few prices is taken.
        """
        limit = self._path_limit_ns()
        scale = float(np.median(self._cost[:, :, -1][np.isfinite(self._cost[:, :, -1])])) / max(
            float(np.median(self._time[:, :, -1][self._time[:, :, -1] < FAR])), 1.0
        )
        best = np.zeros(len(genomes))
        for factor in PRICES if np.isfinite(limit) else (0.0,):
            price = factor * scale
            total = np.full(len(genomes), -price * limit if price else 0.0)
            for s in range(self._space.n_segments):
                on_path = price if s in self._path else 0.0
                cost = needed[s] * np.minimum(self._cost[s], FAR) + on_path * self._time[s]
                total += self._of_segment(_cheapest_clock_last(cost, self._opps_of)[None], 0, genomes, clocks, s)
            best = np.maximum(best, total)
        return best


def _cheapest_clock_last(cost: FloatArray, opps_of: list[IntArray]) -> FloatArray:
    """Replace the last column by the least cost over the open clocks, (P, O + 1)."""
    out = cost.copy()
    out[:, -1] = [cost[p, opps].min() for p, opps in enumerate(opps_of)]
    return out


def _exits_reached(tables: CandidateTables) -> list[set[int]]:
    """Exits that each segment leads to."""
    reach: list[set[int]] = [set() for _ in tables.source]
    for s in range(len(tables.source) - 1, -1, -1):
        if tables.exit[s] >= 0:
            reach[s].add(int(tables.exit[s]))
        if tables.source[s] >= 0:
            reach[int(tables.source[s])] |= reach[s]
    return reach


def _open_clock_last(table: FloatArray, opps_of: list[IntArray], impossible: float) -> FloatArray:
    """Append a column with the least value over each PE's open clocks, (S, P, O + 1); below 0 is impossible."""
    table = np.where(table < 0, impossible, table)
    best = np.stack([table[:, p, opps].min(axis=1) for p, opps in enumerate(opps_of)], axis=1)
    return np.concatenate([table, best[:, :, None]], axis=2)


def _keep_best(weights: FloatArray, share: float) -> FloatArray:
    """Weights of the fastest ``share`` of the frames: drops may take away the slowest."""
    before = np.cumsum(weights, axis=1) - weights
    return np.clip(share - before, 0, weights) if share < 1 else weights
