"""What all searches have in common: a memo, a budget of new evaluations, steps, and a state to go on from.

A search is a sequence of steps; each claims genomes, evaluates the new ones in one batch and writes a row of history.
A step that fails or is interrupted leaves the search as it was. The state between two steps is made of arrays and
of values that JSON can hold; a search restored from it goes on exactly as the one it was taken from: same genomes in
the same order, same counts, same result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Required, TypedDict

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.explore.archive import Archive
from eesim.explore.memo import Memo, Visited
from eesim.explore.outcome import Found, Progress, Status
from eesim.explore.problem import BoolArray, Problem
from eesim.explore.sampling import Sampler

PATIENCE = 10
"""Steps in a row without a new genome after which a search gives up."""

_USUAL_TRIES = 64
_LONG_WALK = 1 << 20
_CHUNK = 1 << 13


class SearchOptions(TypedDict, total=False):
    """Options of every search; see `Search`."""

    budget: Required[int]
    seed: Required[int]
    start: IntArray | None
    memo: Memo | None
    reference: FloatArray | None


class Search(ABC):
    """Base of the searches.

    Parameters
    ----------
    problem
        What to minimise.
    settings
        The search's own choices, as plain values; a state is only restored to a search with the same ones.
    budget
        New evaluations it may make.
    seed
        Of all its random numbers.
    start
        Genomes to evaluate first, (n, G).
    memo
        What is known of the problem already, shared with other searches; None starts a new one.
    reference
        Reference point of the hypervolume, (M,); None takes the worst values of the first step.

    Attributes
    ----------
    memo
        Every genome evaluated, with its values.
    archive
        The best of the memo.
    history
        One row per step.
    evaluations
        New evaluations so far.

    Raises
    ------
    ValueError
        If start genomes are outside the space, not allowed or more than the budget, or the memo is of another problem.
    """

    def __init__(
        self,
        problem: Problem,
        settings: Mapping[str, Any],
        *,
        budget: int,
        seed: int,
        start: IntArray | None = None,
        memo: Memo | None = None,
        reference: FloatArray | None = None,
    ) -> None:
        if budget < 1:
            raise ValueError(f"a budget of {budget} evaluations is not enough for anything")
        if memo is not None and memo.problem is not problem:
            raise ValueError("the memo is of another problem")
        self.problem = problem
        self.budget = budget
        self.memo = Memo(problem) if memo is None else memo
        self.archive = Archive(self.memo, reference)
        self.history: list[Progress] = []
        self.evaluations = 0
        self._n_alleles = np.array(problem.n_alleles, np.int64)
        self._identity = {
            "algorithm": type(self).__name__,
            "n_alleles": self._n_alleles.tolist(),
            "objectives": list(problem.objective_names),
            "constraints": list(problem.constraint_names),
            **settings,
        }
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._sampler = Sampler(self._n_alleles, self._rng)
        self._start = self._checked_start(start)
        self._hits = 0
        self._idle = 0

    def _checked_start(self, start: IntArray | None) -> IntArray:
        genomes = np.array([] if start is None else start, np.int64).reshape(-1, len(self._n_alleles))
        outside = ((genomes < 0) | (genomes >= self._n_alleles)).any(axis=1)
        if outside.any():
            raise ValueError(f"start genome {int(outside.argmax())} is outside the space")
        allowed = self.problem.is_allowed(genomes)
        if not allowed.all():
            raise ValueError(f"start genome {int(allowed.argmin())} is not allowed")
        if len(np.unique(genomes[self.memo.find(genomes) < 0], axis=0)) > self.budget:
            raise ValueError(f"more start genomes than the budget of {self.budget} evaluations")
        return genomes

    @property
    def status(self) -> Status:
        """Whether the search goes on, and if not, why."""
        if self.evaluations >= self.budget:
            return Status.BUDGET
        if self._sampler.exhausted or self.memo.evaluated == self.memo.size:
            return Status.EXHAUSTED
        return Status.STALLED if self._idle >= PATIENCE else Status.RUNNING

    def run(self) -> Found:
        """Take all steps that are left."""
        while self.status is Status.RUNNING or not self.history:
            self.step()
        return self.found()

    def step(self) -> Progress:
        """Take one step: evaluate a batch of new genomes and go on from them."""
        memo = self.memo
        known, hits = memo.evaluated, memo.hits
        rng, position = self._rng.bit_generator.state, self._sampler.position
        try:
            self._advance()
        except BaseException:
            self._rng.bit_generator.state, self._sampler.position = rng, position
            memo.rewind(known, hits)
            raise
        self._hits += memo.hits - hits
        self.evaluations += memo.evaluated - known
        self._idle = 0 if memo.evaluated > known else self._idle + 1
        if not self.history:
            self.archive.refer(memo.visited.objectives[: self.evaluations])
        self.archive.update()
        self.history.append(self._progress())
        return self.history[-1]

    @abstractmethod
    def _advance(self) -> None:
        """Claim genomes, evaluate them, and only then change what the next step starts from."""

    def _progress(self) -> Progress:
        archive, objectives = self.archive, self.memo.visited.objectives
        single = objectives.shape[1] == 1 and len(archive.rows)
        return Progress(
            generation=len(self.history),
            evaluations=self.evaluations,
            feasible=archive.feasible,
            violation=archive.violation,
            best=float(objectives[archive.rows[0], 0]) if single else float("nan"),
            front=len(archive.rows) if archive.feasible else 0,
            hypervolume=archive.hypervolume,
        )

    def found(self) -> Found:
        """Return the best of all that is known by now."""
        self.archive.update()
        best, visited = self.archive.rows, self.memo.visited
        return Found(
            status=self.status,
            evaluations=self.evaluations,
            hits=self._hits,
            is_feasible=self.archive.feasible > 0,
            genomes=self.memo.genomes(best),
            objectives=visited.objectives[best],
            violations=visited.violations[best],
        )

    @property
    def _left(self) -> int:
        """Genomes that may still be claimed."""
        return self.budget - self.evaluations - self.memo.pending

    def _claim(self, genomes: IntArray, limit: int) -> tuple[IntArray, BoolArray]:
        """Rows of genomes, -1 where one is not allowed or beyond the limit, and which are new, (n,) each."""
        allowed = self.problem.is_allowed(genomes)
        if allowed.all():
            return self.memo.claim(genomes, limit)
        rows, fresh = np.full(len(genomes), -1, np.int64), np.zeros(len(genomes), np.bool_)
        rows[allowed], fresh[allowed] = self.memo.claim(genomes[allowed], limit)
        return rows, fresh

    def _claim_random(self, wanted: int) -> IntArray:
        """Rows of at most ``wanted`` random new genomes; fewer if they are hard to find."""
        sampler, parts = self._sampler, [np.empty(0, np.int64)]
        wanted = min(wanted, self._left)
        tries = _USUAL_TRIES * wanted if self.memo.pending else _LONG_WALK
        chunk = wanted
        while wanted > 0 and tries > 0 and not sampler.exhausted:
            genomes = sampler.peek(min(chunk, tries))
            rows, fresh = self._claim(genomes, wanted)
            (places,) = fresh.nonzero()
            # What lies beyond the last genome that was wanted stays in the sequence.
            sampler.take(int(places[-1]) + 1 if len(places) == wanted else len(genomes))
            parts.append(rows[places])
            wanted, tries, chunk = wanted - len(places), tries - len(genomes), min(2 * chunk, _CHUNK)
        return np.concatenate(parts)

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on: arrays, and values that JSON can hold."""
        visited = self.memo.visited
        return {
            "identity": self._identity,
            "rng": self._rng.bit_generator.state,
            "sampler_key": self._sampler.key,
            "sampler_position": self._sampler.position,
            "start": self._start,
            "evaluations": self.evaluations,
            "hits": self._hits,
            "idle": self._idle,
            "history": np.array(self.history, np.float64).reshape(-1, len(Progress._fields)),
            "memo_hits": self.memo.hits,
            **{f"memo_{name}": array for name, array in visited._asdict().items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back, or on, to where ``state`` was taken; the memo is part of it.

        Raises
        ------
        ValueError
            If the state is of another search, other settings or another space.
        """
        for name in sorted({*self._identity, *state["identity"]}):
            mine, theirs = self._identity.get(name), state["identity"].get(name)
            if mine != theirs:
                raise ValueError(f"the state is of another search: {name} is {theirs!r} there and {mine!r} here")
        self._rng.bit_generator.state = state["rng"]
        self._sampler.key = np.array(state["sampler_key"], np.int64)
        self._sampler.position = int(state["sampler_position"])
        self._start = np.array(state["start"], np.int64)
        self.evaluations, self._hits, self._idle = (int(state[key]) for key in ("evaluations", "hits", "idle"))
        kinds = (int, int, int, float, float, int, float)
        self.history = [Progress(*(f(x) for f, x in zip(kinds, row, strict=True))) for row in state["history"]]
        self.memo.restore(Visited(*(state[f"memo_{name}"] for name in Visited._fields)), int(state["memo_hits"]))
        self.archive.clear()
        if self.history:
            self.archive.refer(self.memo.visited.objectives[: self.history[0].evaluations])
        self.archive.update()
