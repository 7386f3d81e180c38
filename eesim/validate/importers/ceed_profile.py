"""A CEED profile as a backbone with gates: what the simulator needs to know of it, and how its times fit together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eesim.document import Document
from eesim.errors import InputError, Problem
from eesim.validate.importers.ceed_values import Stats, Values
from eesim.validate.importers.tally import Tally

BACKBONE = "backbone_execution_time"
GATES = "gate_execution_time"
LAYER = re.compile(r"layer_(\d{1,6})_(.+)")
GATE = re.compile(r"gate_(\d{1,6})_layer_(\d{1,6})_(.+)")
_LONGEST = 4000
"""Layers and gates together; a network has at most 4,096 segments."""


class Layer(NamedTuple):
    """One layer of the backbone (or all that lie between two gates); ``output`` in bytes, None where it is not said."""

    name: str
    number: int
    time: Stats
    output: int | None


class Gate(NamedTuple):
    """An exit after a layer of the backbone.

    ``parts`` are the times of its own layers, ``total`` that of inference which stops here, if it was measured.
    """

    number: int
    layer: int
    parts: tuple[Stats, ...]
    output: int | None
    total: Stats | None

    @property
    def time(self) -> Stats:
        """Time of the gate alone: a lognormal with mean and variance of the sum of its independent layers."""
        return total_of(self.parts)


class CeedProfile(NamedTuple):
    """Backbone in order, gates in order of their layers."""

    layers: tuple[Layer, ...]
    gates: tuple[Gate, ...]

    def up_to(self, gate: Gate) -> Stats:
        """Time to a gate's answer, as its layers add up: backbone and the gate, but no other gate."""
        return total_of([layer.time for layer in self.layers if layer.number <= gate.layer] + list(gate.parts))


def total_of(parts: Sequence[Stats]) -> Stats:
    """Mean of a sum of independent lognormal times, and its spread."""
    mean = math.fsum(part.mean for part in parts)
    std = math.sqrt(math.fsum(part.spread**2 for part in parts))
    return Stats(mean, std, math.sqrt(math.log1p((std / mean) ** 2)) if mean > 0 else 0.0)


def structure(values: Values, document: Document, tally: Tally) -> CeedProfile:
    """Find the layers and gates of a profile.

    Raises
    ------
    InputError
        If a time of the backbone or of a gate is missing or cannot be used, or nothing says how long anything takes.
    """
    problems = [problem for (key, _), problem in values.bad.items() if key in (BACKBONE, GATES)]
    layers = list(_backbone(values, document, problems))
    gates = list(_gates(values, document, problems))
    if problems:
        raise InputError(problems)
    if not layers:
        layers, gates = _without_backbone(values, gates, document, tally)
    numbers = {layer.number for layer in layers}
    problems += [
        _of_gate(document, gate, f"follows layer {gate.layer}, which the backbone does not have")
        for gate in gates
        if gate.layer not in numbers
    ]
    if len(layers) + len(gates) > _LONGEST:
        problems.append(document.problem((), f"more than {_LONGEST:,} layers and gates"))
    if problems:
        raise InputError(problems)
    return CeedProfile(tuple(layers), tuple(gates))


def _of_gate(document: Document, gate: Gate, message: str) -> Problem:
    """Return a problem with a gate, at the first key that names it."""
    begin = f"gate_{gate.number}_layer_{gate.layer}"
    parts = document.get((GATES,)) or {}
    name = next((name for name in parts if name.startswith(f"{begin}_")), None)
    path = (GATES, name) if name else (f"execution_time_{begin}",)
    return document.problem(path, f"gate {gate.number} {message}")


def _backbone(values: Values, document: Document, problems: list[Problem]) -> Iterator[Layer]:
    """Find the layers of the backbone in order; a number that is missing or taken twice is a problem."""
    found: dict[int, tuple[str, Stats]] = {}
    for name, time in values.times.get(BACKBONE, {}).items():
        match = LAYER.fullmatch(name)
        if match is None:
            message = "is no layer: layer_NUMBER_TYPE_NUMBER is expected"
            problems.append(document.problem((BACKBONE, name), message))
        elif int(match[1]) in found:
            problems.append(document.problem((BACKBONE, name), f"layer {int(match[1])} appears twice"))
        else:
            found[int(match[1])] = name, time
    unusable = {int(match[1]) for key, name in values.bad if key == BACKBONE and (match := LAYER.match(name))}
    missing = sorted(set(range(max(found, default=-1) + 1)) - set(found) - unusable)[:5]
    problems += [document.problem((BACKBONE,), f"layer {number} is missing") for number in missing]
    sizes = values.memory.get("backbone_output_memory", {})
    others = values.memory.get("layers_output_memory", {})
    for number, (name, time) in sorted(found.items()):
        kind = LAYER.fullmatch(name)
        yield Layer(name, number, time, sizes.get(name, others.get(kind[2] if kind else "")))


def _gates(values: Values, document: Document, problems: list[Problem]) -> Iterator[Gate]:
    """Find the gates in the order of their layers."""
    parts: dict[tuple[int, int], list[str]] = {place: [] for place in values.cumulative}
    times = values.times.get(GATES, {})
    for name in times:
        match = GATE.fullmatch(name)
        if match is None:
            message = "is no part of a gate: gate_NUMBER_layer_NUMBER_TYPE_NUMBER is expected"
            problems.append(document.problem((GATES, name), message))
        else:
            parts.setdefault((int(match[1]), int(match[2])), []).append(name)
    sizes = values.memory.get("gate_output_memory", {})
    others = values.memory.get("layers_output_memory", {})
    seen: set[int] = set()
    for (number, layer), names in sorted(parts.items(), key=lambda item: (item[0][1], item[0][0])):
        last = GATE.fullmatch(names[-1]) if names else None
        output = sizes.get(names[-1], others.get(last[3])) if last else None
        own = tuple(times[name] for name in names)
        gate = Gate(number, layer, own, output, values.cumulative.get((number, layer)))
        if number in seen:
            problems.append(_of_gate(document, gate, "follows several layers"))
        seen.add(number)
        yield gate


def _without_backbone(
    values: Values, gates: list[Gate], document: Document, tally: Tally
) -> tuple[list[Layer], list[Gate]]:
    """Make a backbone of what else there is: times up to each gate, single layers, or the whole model."""
    measured = [gate for gate in gates if gate.total is not None]
    if measured:
        return _between_gates(gates, measured, document, tally)
    if gates:
        message = "has times of gates, but none of the backbone in front of them"
        raise InputError([document.problem((), message)])
    sizes = values.memory.get("layers_output_memory", {})
    times = values.times.get("layers_execution_time", {})
    wrong = [problem for (key, _), problem in values.bad.items() if key == "layers_execution_time"]
    if times and not wrong:
        tally.warn("layers in the order of the file, without exits: nothing says which of them belong to gates")
        return [Layer(f"layer_{i}_{n}", i, time, sizes.get(n)) for i, (n, time) in enumerate(times.items())], []
    if values.whole is not None:
        tally.warn("one segment: the profile has the time of the whole model only")
        return [Layer("model", 0, values.whole, None)], []
    raise InputError(wrong or [document.problem((), "has no time that can be used")])


def _between_gates(
    gates: list[Gate], measured: list[Gate], document: Document, tally: Tally
) -> tuple[list[Layer], list[Gate]]:
    """Take the time between two gates as one layer: the difference of the times up to them."""
    if len(measured) < len(gates):
        raise InputError([document.problem((), "has no backbone, and not the time up to every gate")])
    tally.warn("no times of the backbone's layers: what lies between two gates is one segment")
    layers: list[Layer] = []
    reached, variance = 0.0, 0.0
    for gate in measured:
        total = gate.total or Stats(0.0)
        if layers and gate.layer == layers[-1].number:
            continue
        mean = total.mean - gate.time.mean
        if mean < reached:
            raise InputError([_of_gate(document, gate, "is reached before the one in front of it")])
        time = Stats(mean - reached, math.sqrt(max(total.spread**2 - variance, 0.0)))
        begin = layers[-1].number + 1 if layers else 0
        layers.append(Layer(f"layers_{begin}_to_{gate.layer}", gate.layer, time, None))
        reached, variance = mean, total.spread**2
    return layers, gates


def anchored(profile: CeedProfile, tally: Tally) -> tuple[CeedProfile, dict[int, float]]:
    """Scale the layers between measured gates, so that the time up to each gate is the measured one.

    Layers are timed one by one, with a clock around each; a run that stops at a gate is timed as a whole. Where both
    are known, the run is what is to be reproduced.

    Returns
    -------
    profile
        With scaled times; spreads in per cent of the mean stay.
    factors
        By gate: on the layers since the gate before that was reached.
    """
    layers = list(profile.layers)
    factors: dict[int, float] = {}
    reached, first = 0.0, 0
    for gate in profile.gates:
        end = next(i for i, layer in enumerate(layers) if layer.number == gate.layer) + 1
        if gate.total is None or end <= first:
            continue
        goal = gate.total.mean - gate.time.mean
        timed = math.fsum(layer.time.mean for layer in layers[first:end])
        if goal <= reached or timed <= 0:
            tally.warn(f"gate_{gate.number}: its measured time leaves nothing for the layers in front of it; not used")
            continue
        factor = (goal - reached) / timed
        for i in range(first, end):
            layers[i] = layers[i]._replace(time=_scaled(layers[i].time, factor))
        factors[gate.number] = factor
        reached, first = goal, end
    return profile._replace(layers=tuple(layers)), factors


def _scaled(time: Stats, factor: float) -> Stats:
    return time._replace(mean=time.mean * factor, std=time.std * factor)
