"""What the terms of the board were fitted and measured for, and in what a run lies outside of it.

A prediction outside is still made where the laws reach so far; it is labelled, because nothing measured backs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eesim.hardware.spec import Board
from eesim.validate.runs import HOSTED, Run, Suite

FITTED_NPU = ("yolov3", "mobilenet_v1")
"""Networks whose runs with the NPU in switch mode the terms were fitted to."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the runs of one mode cover.

    Attributes
    ----------
    networks
        Networks whose runs the terms were fitted to.
    hosts
        Hosted PEs with the cluster of their driver thread.
    stages
        Most subgraphs of a frame, by network.
    """

    networks: frozenset[str]
    hosts: frozenset[tuple[str, str]]
    stages: dict[str, int]


MEASURED: dict[Suite, Envelope] = {
    "switch": Envelope(
        networks=frozenset({"alexnet", "googlenet", "mobilenet_v1", "resnet50_v1", "squeezenet_v1", "yolov3"}),
        hosts=frozenset({("G", "B"), ("N", "B"), ("N", "L")}),
        stages={
            "alexnet": 7,
            "googlenet": 11,
            "mobilenet_v1": 12,
            "resnet50_v1": 16,
            "squeezenet_v1": 10,
            "yolov3": 67,
        },
    ),
    "pipeline": Envelope(
        networks=frozenset({"googlenet"}),
        hosts=frozenset({("G", "B"), ("G", "L"), ("N", "B"), ("N", "L")}),
        stages={"googlenet": 4},
    ),
}
"""`envelope_of` the runs that the shipped board was calibrated on."""


def envelope_of(runs: Iterable[Run], suite: Suite) -> Envelope:
    """Return what runs cover; fronts, which state no latency, are not fitted to."""
    fitted = [run for run in runs if run.suite == suite and (suite == "switch" or "latency" in run.measured)]
    most: dict[str, int] = {}
    for run in fitted:
        most[run.graph] = max(most.get(run.graph, 0), run.changes + 1)
    return Envelope(
        networks=frozenset(run.graph for run in fitted),
        hosts=frozenset(pair for run in fitted for pair in run.used_hosts),
        stages=most,
    )


def outside(run: Run, board: Board) -> tuple[str, ...]:
    """Say in what a run lies outside; empty inside."""
    known, found = MEASURED[run.suite], []
    if run.graph not in known.networks:
        found.append(f"the {run.suite} runtime's terms were fitted to other networks")
    elif run.changes + 1 > known.stages[run.graph]:
        found.append(f"more subgraphs than measured ({known.stages[run.graph]})")
    if run.suite == "switch" and "N" in run.order and run.graph not in FITTED_NPU:
        found.append("NPU laws of another network")
    found += [
        f"{pe} was never measured with its host on {at}" for pe, at in run.used_hosts if (pe, at) not in known.hosts
    ]
    found += [f"{pe} at a clock that the board does not state" for pe in _unknown_clocks(run, board)]
    return tuple(found)


def _unknown_clocks(run: Run, board: Board) -> list[str]:
    clocks = {pe: frozenset(element.opps.frequencies) for pe, element in board.pes.items()}
    hosts = dict(run.hosts)
    used = {(pe, clock.own_hz) for pe, clock in zip(run.order, run.clocks, strict=True)}
    used |= {(hosts[pe], clock.host_hz) for pe, clock in zip(run.order, run.clocks, strict=True) if pe in HOSTED}
    used |= set(run.pe_hz)
    return sorted({pe for pe, hz in used if hz and pe in clocks and hz not in clocks[pe]})
