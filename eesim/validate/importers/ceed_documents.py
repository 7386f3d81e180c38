"""A CEED profile as eesim's own files: network, profile, and a scenario to start from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from eesim.validate.importers.ceed_profile import CeedProfile, Gate, Layer
from eesim.validate.importers.ceed_values import Stats

CLOCK = "1 GHz"
"""What the one operating point of a tier is called: profiles of this kind do not state clocks."""
MOST_CV = 10.0
LOAD = 0.5
"""Load of the first tier in the scenario to start from, if every frame ran the whole network."""

_SCENARIO = """\
# {title}: to start from. Everything runs on `{pe}`, and frames arrive so that
# it would be busy half of the time if every frame ran the whole network. What the profile does not say is
# marked as assumed.
eesim: 1
title: {quoted}
board: tiers
network: {name}
profile: {name}_profile.yaml
# `eesim run {name}.scenario.yaml --set mapping.segments.{last}={other}` moves a segment.
mapping:
  segments:
{mapping}
# A frame goes on to the next layer when the gate in front of it has declined.
policy: sequential
stream:
  arrivals: {{kind: poisson, rate: {rate} Hz}}  # assumed
  exits: {{kind: counts, counts: [{counts}]{accuracy}}}  # {exits_origin}
{noise}run: {{frames: 10000, warmup: auto, replications: 10, seed: 1}}
"""


class Segment(NamedTuple):
    """A segment of the network: its entry in the file, and its time."""

    name: str
    after: str
    exit: str
    output: int
    kernels: int
    time: Stats


class Naming(NamedTuple):
    """What the files are called, and what they say of their source."""

    name: str
    source: str
    note: str
    input_bytes: int
    accuracy: tuple[float, ...] = ()


def segments_of(profile: CeedProfile) -> list[Segment]:
    """Put layers and gates in construction order; the gate after the last layer is the original classifier."""
    found: list[Segment] = []
    final = profile.gates[-1] if profile.gates and profile.gates[-1].layer == profile.layers[-1].number else None
    for i, layer in enumerate(profile.layers):
        is_last = i == len(profile.layers) - 1
        found.append(_layer(layer, exit_="final" if is_last and final is None else ""))
        for gate in profile.gates:
            if gate.layer == layer.number and gate is not final:
                found.append(_gate(gate, found_after=_name(layer.name)))
    return found if final is None else [*found, _gate(final, found_after="")]


def _name(written: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", written)
    return name if name[:1].isalpha() and name.isascii() else f"layer_{name}"


def _layer(layer: Layer, exit_: str) -> Segment:
    return Segment(_name(layer.name), "", exit_, layer.output or 0, 1, layer.time)


def _gate(gate: Gate, found_after: str) -> Segment:
    name = f"gate_{gate.number}"
    return Segment(name, found_after, name, gate.output or 0, max(len(gate.parts), 1), gate.time)


def documents(profile: CeedProfile, naming: Naming, tiers: Mapping[str, float]) -> dict[str, str]:
    """Write network, profile and scenario, by the names of their files.

    Parameters
    ----------
    profile
        What was measured.
    naming
        Names and origin.
    tiers
        PE to how many times as fast it is as the machine that was measured.
    """
    segments = segments_of(profile)
    return {
        f"{naming.name}.yaml": _network(segments, naming),
        f"{naming.name}_profile.yaml": _profile(segments, naming, tiers),
        f"{naming.name}.scenario.yaml": _scenario(segments, naming, next(iter(tiers))),
    }


def _head(naming: Naming) -> Iterator[str]:
    yield f"# Written by `eesim import ceed` from {_one_line(naming.source)}."
    yield "eesim: 1"


def _one_line(text: str) -> str:
    return json.dumps(text)[1:-1]


def _origin(naming: Naming, note: str) -> str:
    return f"origin: {{kind: measured, source: {json.dumps(naming.source)}, note: {json.dumps(note)}}}"


def _network(segments: list[Segment], naming: Naming) -> str:
    lines = [
        *_head(naming),
        f"name: {naming.name}",
        _origin(naming, "layers of the backbone and gates as they were profiled; bytes of their serialised outputs"),
        f"input: {naming.input_bytes} B",
        "segments:",
    ]
    for segment in segments:
        entry = [f"name: {segment.name}"]
        entry += [f"after: {segment.after}"] if segment.after else []
        entry += [f"exit: {segment.exit}"] if segment.exit else []
        entry.append(f"output: {segment.output} B")
        entry += [f"kernels: {segment.kernels}"] if segment.kernels > 1 else []
        lines.append(f"  - {{{', '.join(entry)}}}")
    return "\n".join(lines) + "\n"


def _profile(segments: list[Segment], naming: Naming, tiers: Mapping[str, float]) -> str:
    scaled = [f"{pe}: as measured / {speed:g}" for pe, speed in tiers.items() if speed != 1]
    note = "; ".join([naming.note, *(["assumed, not measured: " + ", ".join(scaled)] if scaled else [])])
    clocks = ", ".join(f"{pe}: {CLOCK}" for pe in tiers)
    lines = [
        *_head(naming),
        f"network: {naming.name}",
        _origin(naming, note),
        f"clocks: {{at: {{{clocks}}}, origin: {{kind: assumed, note: the profile states no clock}}}}",
        "times:",
    ]
    for segment in segments:
        row = ", ".join(f"{pe}: {_time(segment.time.mean / speed)}" for pe, speed in tiers.items())
        lines.append(f"  {segment.name}: {{{row}}}")
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    return f"{round(seconds * 1e9)} ns"


def _scenario(segments: list[Segment], naming: Naming, pe: str) -> str:
    exits = sum(1 for segment in segments if segment.exit)
    total = sum(segment.time.mean for segment in segments)
    accuracy = f", accuracy: [{', '.join(f'{share:g}' for share in naming.accuracy)}]" if naming.accuracy else ""
    return _SCENARIO.format(
        title=f"{naming.name} from {_one_line(naming.source)}",
        quoted=json.dumps(f"{naming.name} on {pe}"),
        name=naming.name,
        pe=pe,
        last=segments[-1].name,
        other="edge",
        mapping="\n".join(f"    {segment.name}: {pe}" for segment in segments),
        rate=format(Decimal(f"{LOAD / max(total, 1e-6):.4g}"), "f"),
        counts=", ".join(["1"] * exits),
        accuracy=accuracy,
        exits_origin="assumed: as many frames at each exit" + ("; accuracies over all inputs" if accuracy else ""),
        noise=_noise(segments),
    )


def _noise(segments: list[Segment]) -> str:
    """Lognormal spreads of the segments, as part of the section ``stream``; nothing where nothing varies."""
    cvs = {segment.name: min(segment.time.cv, MOST_CV) for segment in segments if segment.time.cv > 0}
    if not cvs:
        return ""
    head = "  # Standard deviation over mean of each segment's time, from the standard deviation of its logarithm.\n"
    rows = "".join(f"      {name}: {cv:.4g}\n" for name, cv in cvs.items())
    return f"{head}  noise:\n    kind: lognormal\n    cv:\n{rows}"
