"""Small problems with known answers that notice when a genome is evaluated twice."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import numpy as np

from eesim.base import FloatArray, IntArray
from eesim.explore.problem import BoolArray, Evaluations


class Toy:
    """A problem that keeps what it evaluated, in order."""

    objective_names: tuple[str, ...] = ("cost",)
    constraint_names: tuple[str, ...] = ()

    def __init__(self, n_alleles: list[int]) -> None:
        self.n_alleles = np.array(n_alleles, np.int64)
        self.log: list[tuple[int, ...]] = []

    def objectives(self, genomes: IntArray) -> Any:
        raise NotImplementedError

    def violations(self, genomes: IntArray) -> Any:
        return np.zeros((len(genomes), 0))

    def is_allowed(self, genomes: IntArray) -> BoolArray:
        return np.ones(len(genomes), np.bool_)

    def evaluate(self, genomes: IntArray) -> Evaluations:
        assert genomes.dtype == np.int64
        assert ((genomes >= 0) & (genomes < self.n_alleles)).all()
        assert self.is_allowed(genomes).all()
        self.log += map(tuple, genomes.tolist())
        shape = len(genomes), -1
        values = np.asarray(self.objectives(genomes), np.float64).reshape(shape)
        return Evaluations(values, np.asarray(self.violations(genomes), np.float64).reshape(len(genomes), -1))

    def everything(self) -> IntArray:
        every = np.array(list(itertools.product(*map(range, self.n_alleles))), np.int64)
        return every[self.is_allowed(every)]

    def assert_nothing_twice(self) -> None:
        assert len(set(self.log)) == len(self.log)


class OneMax(Toy):
    """Genes that are not at their last allele."""

    def objectives(self, genomes: IntArray) -> Any:
        return (genomes != self.n_alleles - 1).sum(axis=1)


class Trap(Toy):
    """Blocks of four bits that pay for zeros, but most for all ones."""

    def __init__(self, blocks: int) -> None:
        super().__init__([2] * (4 * blocks))

    def objectives(self, genomes: IntArray) -> Any:
        ones = genomes.reshape(len(genomes), -1, 4).sum(axis=2)
        return np.where(ones == 4, 0, 1 + ones).sum(axis=1)


class Knapsack(Toy):
    """The most valuable load within a weight."""

    constraint_names = ("weight",)

    def __init__(self, items: int) -> None:
        super().__init__([2] * items)
        rng = np.random.default_rng(5)
        self.weight = rng.integers(10, 60, items)
        self.value = self.weight + rng.integers(-5, 15, items)
        self.capacity = self.weight.sum() // 2

    def objectives(self, genomes: IntArray) -> Any:
        return -(genomes @ self.value)

    def violations(self, genomes: IntArray) -> Any:
        return np.maximum(0, genomes @ self.weight - self.capacity) / self.capacity


class Barred(OneMax):
    """Neighbouring genes may not be equal."""

    def is_allowed(self, genomes: IntArray) -> BoolArray:
        return (genomes[:, 1:] != genomes[:, :-1]).all(axis=1)


class Hopeless(OneMax):
    """Two limits that cannot both be met: the genes should sum up to less than 4 and to more than 9."""

    constraint_names = ("low", "high")

    def violations(self, genomes: IntArray) -> Any:
        total = genomes.sum(axis=1)
        return np.stack([np.maximum(0, total - 4) / 4, np.maximum(0, 9 - total) / 9], axis=1)


class Tradeoff(Toy):
    """Each allele has a random price per objective; what is cheap in one is dear in the other. With a limit."""

    constraint_names = ("limit",)

    def __init__(self, n_alleles: list[int], n_objectives: int = 2, limit: float = np.inf) -> None:
        super().__init__(n_alleles)
        self.objective_names = ("time", "energy", "loss")[:n_objectives]
        rng = np.random.default_rng(11)
        self.price = rng.integers(0, 40, (n_objectives, len(n_alleles), max(n_alleles)))
        if n_objectives > 1:
            self.price[1] = 40 - self.price[0] + rng.integers(0, 6, self.price[0].shape)
        self.limit = limit

    def objectives(self, genomes: IntArray) -> Any:
        return self.price[:, np.arange(genomes.shape[1]), genomes].sum(axis=2).T

    def violations(self, genomes: IntArray) -> Any:
        return np.maximum(0, genomes.sum(axis=1) / self.limit - 1)


def dominates(a: FloatArray, b: FloatArray) -> bool:
    return bool((a <= b).all() and (a < b).any())


def front_of(values: FloatArray) -> set[tuple[float, ...]]:
    front = np.empty((0, values.shape[1]))
    for value in np.unique(values, axis=0):
        # In lexicographic order nobody is dominated by who comes later.
        if not (front <= value).all(axis=1).any():
            front = np.concatenate([front, value[None]])
    return set(map(tuple, front.tolist()))


def through_files(state: dict[str, Any]) -> dict[str, Any]:
    """What is left of a state after JSON and npz."""
    file = io.BytesIO()
    np.savez(file, **{key: value for key, value in state.items() if isinstance(value, np.ndarray)})
    plain = json.dumps({key: value for key, value in state.items() if not isinstance(value, np.ndarray)})
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return {**json.loads(plain), **dict(arrays)}
