"""The two engines give the same event log, records and counters, to the bit, for any scenario."""

from __future__ import annotations

import dataclasses
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from eesim.engine.simulate import EngineName, make_engine
from eesim.errors import SimulationDeadlock
from eesim.plan.lower import Lowered, lower
from eesim.plan.plan import Draws
from eesim.scenario.load import Scenario, load
from tests.plans import blocks
from tests.properties.documents import Document, worlds, write_world
from tests.properties.sections import keeping_worlds, seeds, with_sections


def load_world(world: dict[str, Document]) -> Scenario:
    with tempfile.TemporaryDirectory() as folder:
        return load(write_world(world, Path(folder)))


def history(scenario: Scenario, lowered: Lowered, engine_name: EngineName, size: int) -> tuple[list[Any], str]:
    """Everything that an engine tells, with the stream cut into blocks of ``size`` frames."""
    engine = make_engine(engine_name, lowered.plan, log=True)
    told: list[Any] = []
    stopped = ""
    for frames in scenario.blocks(scenario.n_frames, seed=scenario.spec.run.seed, replication=0):
        try:
            for part in blocks(lowered.draws(frames), size):
                engine.feed(part, final=False)
                told += [*engine.counters()]
            empty = np.zeros(0, np.int64)
            engine.feed(Draws(empty, empty, np.zeros((0, lowered.plan.n_nodes), np.int64)), final=True)
        except SimulationDeadlock as deadlock:
            stopped = str(deadlock)
    told += [engine.take_log(), engine.take_records(), *engine.counters()]
    return told, stopped


def assert_same(scenario: Scenario, size: int, lowered: Lowered | None = None) -> None:
    lowered = lowered or lower(scenario)
    reference, stopped = history(scenario, lowered, "reference", size)
    compiled, stopped_too = history(scenario, lowered, "compiled", size)
    assert stopped == stopped_too
    assert len(reference) == len(compiled)
    for expected, got in zip(reference, compiled, strict=True):
        np.testing.assert_array_equal(got, expected)


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=300, **COMMON)
@given(worlds())
def test_engines_agree_to_the_bit(world: dict[str, Document]) -> None:
    assert_same(load_world(world), 7)


@pytest.mark.slow
@settings(max_examples=3000, **COMMON)
@given(worlds())
def test_engines_agree_to_the_bit_on_many_worlds(world: dict[str, Document]) -> None:
    assert_same(load_world(world), 5)


def assert_same_with_sections(world: dict[str, Document], first_seed: int, tries: int) -> None:
    """Put ``tries`` times other sections into one world's plan."""
    scenario = load_world(world)
    lowered = lower(scenario)
    for seed in range(first_seed, first_seed + tries):
        plan = with_sections(lowered.plan, np.random.default_rng(seed))
        assert_same(scenario, 6, dataclasses.replace(lowered, plan=plan))


@settings(max_examples=150, **COMMON)
@given(keeping_worlds(), seeds())
def test_engines_agree_to_the_bit_where_there_are_sections(world: dict[str, Document], seed: int) -> None:
    assert_same_with_sections(world, seed, 2)


@pytest.mark.slow
@settings(max_examples=2500, **COMMON)
@given(keeping_worlds(), seeds())
def test_engines_agree_to_the_bit_on_many_worlds_with_sections(world: dict[str, Document], seed: int) -> None:
    assert_same_with_sections(world, seed, 8)


# -- totals at marks ----------------------------------------------------------------------------------------


def drawn(scenario: Scenario, lowered: Lowered) -> Draws:
    """All frames of a short scenario, in one block."""
    frames = next(iter(scenario.blocks(scenario.n_frames, seed=scenario.spec.run.seed, replication=0)))
    return lowered.draws(frames)


def marked(scenario: Scenario, engine_name: EngineName, marks: list[int]) -> list[list[Any]]:
    """Totals at marks; nothing if the run gets stuck."""
    lowered = lower(scenario)
    engine = make_engine(engine_name, lowered.plan)
    try:
        found = engine.feed(drawn(scenario, lowered), final=True, marks=np.array(marks, np.int64))
    except SimulationDeadlock:
        return []
    return [[counters.now_ns, *(array.tolist() for array in counters[1:])] for counters in found]


def in_parts(scenario: Scenario, marks: list[int]) -> list[list[Any]]:
    """Totals of the compiled engine between feeds that end at the marks."""
    lowered = lower(scenario)
    engine = make_engine("compiled", lowered.plan)
    all_draws = drawn(scenario, lowered)
    told: list[list[Any]] = []
    try:
        for begin, end in pairwise([0, *marks, scenario.n_frames]):
            engine.feed(Draws(*(array[begin:end] for array in all_draws)), final=end == scenario.n_frames)
            told.append([engine.counters().now_ns, *(array.tolist() for array in engine.counters()[1:])])
    except SimulationDeadlock:
        return []
    return told[:-1]


@settings(max_examples=100, **COMMON)
@given(worlds())
def test_totals_at_marks_are_those_between_two_feeds(world: dict[str, Document]) -> None:
    scenario = load_world(world)
    marks = [m for m in (1, 2, 5, 9) if m < scenario.n_frames]
    compiled = marked(scenario, "compiled", marks)
    assert compiled == marked(scenario, "reference", marks) == in_parts(scenario, marks)
