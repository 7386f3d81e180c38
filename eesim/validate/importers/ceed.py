"""Profiles of CEED (imperial-qore/CEED): statistics of layers and gates, in seconds and bytes, as JSON.

What comes out are files that ``eesim run`` takes: network, profile, and a scenario to start from; and the table
``gate_times``, which sets the measured time up to each gate against the sum of its layers. Keys and their meaning are
those of the profiler's code and its example; nothing of either is copied here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eesim.errors import InputError, Problem
from eesim.validate.importers.ceed_documents import Naming, documents
from eesim.validate.importers.ceed_profile import CeedProfile, anchored, structure
from eesim.validate.importers.ceed_values import MOST_S, ValueReader, is_number, leaves, load_json
from eesim.validate.importers.protocol import Imported, Options, Row
from eesim.validate.importers.tally import Tally
from eesim.validate.importers.text import files_in

OPTIONS = frozenset({"graph", "times", "pe"})

COMPANION = "model_profile.json"
"""File beside a profile that describes the model."""
PROFILES = ("profile_summary.json", "system_profile.json")
_DESCRIBES = {"dataset", "num_classes", "input_size", "early_exits_gates", "accuracy", "confidence"} | {
    "best_possible_accuracy"
}
_FP32_BYTES = 4
_FAR = 0.01
"""Relative difference between a measured time up to a gate and the sum of its layers that is worth a note."""


def read(path: Path, options: Options) -> Imported:
    """Read a profile (or the one in a folder), and the description of its model if it is there.

    Raises
    ------
    InputError
        If it cannot be read, or does not say how long the network takes.
    """
    file = _profile_file(path)
    found = Imported(files=[file])
    tiers = _tiers(options.pe)
    document = load_json(file)
    profile = structure(ValueReader(file, document, found.tally).read(), document, found.tally)
    about: dict[str, Any] = {}
    companion = file.parent / COMPANION
    if companion.is_file() and companion != file:
        found.files.append(companion)
        about = _description(companion, profile, found.tally)
    timed = profile
    factors: dict[int, float] = {}
    if options.times != "layers":
        profile, factors = anchored(profile, found.tally)
    for row in _gate_rows(timed, factors, str(file)):
        found.add("gate_times", row)
    _notes(profile, found)
    naming = Naming(
        name=_network_name(options.graph or str(about.get("dataset") or file.stem)),
        source=file.name,
        note="seconds of a profiler around each layer" + ("; scaled to the times up to the gates" if factors else ""),
        input_bytes=_input_bytes(about, found.tally),
        accuracy=_accuracies(about, profile, found.tally),
    )
    _check_times(profile, tiers)
    found.documents = documents(profile, naming, tiers)
    return found


def _profile_file(path: Path) -> Path:
    files = files_in(path, lambda file: file.name in PROFILES, f"profile ({', '.join(PROFILES)})")
    if len(files) > 1:
        listed = ", ".join(str(file.relative_to(path)) for file in files)
        raise InputError([Problem(str(path), 0, "", f"holds several profiles, name one: {listed}")])
    return files[0]


def _tiers(written: tuple[str, ...]) -> dict[str, float]:
    """Read ``NAME`` or ``NAME=SPEED``, once or more; by default the times are those of the worker."""
    tiers: dict[str, float] = {}
    problems = []
    for text in written or ("worker",):
        name, equals, speed = text.partition("=")
        try:
            factor = float(speed) if equals else 1.0
        except ValueError:
            factor = math.nan
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or not 1e-6 <= factor <= 1e6:
            problems.append(Problem("--pe", 0, "", f"must be NAME or NAME=SPEED, such as edge=4, not {text!r}"))
        elif name in tiers:
            problems.append(Problem("--pe", 0, "", f"{name} appears twice"))
        tiers[name] = factor
    if problems:
        raise InputError(problems)
    return tiers


def _check_times(profile: CeedProfile, tiers: dict[str, float]) -> None:
    times = [layer.time.mean for layer in profile.layers] + [gate.time.mean for gate in profile.gates]
    longest = max(times)
    slow = [pe for pe, speed in tiers.items() if longest / speed > MOST_S]
    if slow:
        raise InputError([Problem("--pe", 0, pe, f"a segment would take more than {MOST_S:g} s") for pe in slow])


def _description(path: Path, profile: CeedProfile, tally: Tally) -> dict[str, Any]:
    """Read what describes the model; keys that say nothing to eesim are counted."""
    document = load_json(path)
    about: dict[str, Any] = document.data
    for key, value in about.items():
        tally.lines += leaves(value)
        if key in _DESCRIBES:
            tally.understood += leaves(value)
            continue
        for _ in range(leaves(value)):
            tally.not_understood(path, document.line((key,)), key)
    placed = about.get("early_exits_gates")
    if placed is not None and placed != [gate.layer for gate in profile.gates]:
        tally.warn(f"{path.name} places gates elsewhere than the profile has them (early_exits_gates)")
    return about


def _network_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)
    return name if re.match(r"[A-Za-z]", name) else f"ceed_{name}"


def _input_bytes(about: dict[str, Any], tally: Tally) -> int:
    """Bytes of an fp32 image of the stated size; 0 where no size is stated."""
    size = about.get("input_size")
    if isinstance(size, list) and 1 <= len(size) <= 4 and all(is_number(n) and 1 <= n <= 4096 for n in size):
        return math.prod(int(n) for n in size) * _FP32_BYTES
    tally.warn("the bytes of the input are not known: 0 is written")
    return 0


def _accuracies(about: dict[str, Any], profile: CeedProfile, tally: Tally) -> tuple[float, ...]:
    """Accuracy of each gate, where the description has one for each and the last gate ends the network."""
    given = about.get("accuracy")
    if not isinstance(given, dict) or not given:
        return ()
    found = [given.get(f"gate_{gate.number}") for gate in profile.gates]
    shares = [float(share) for share in found if is_number(share)]
    most = 1.0 if max(shares, default=0.0) <= 1 else 100.0
    ends = bool(profile.gates) and profile.gates[-1].layer == profile.layers[-1].number
    if not ends or len(shares) < len(found) or not all(0 <= share <= most for share in shares):
        tally.warn("accuracies are not used: there is not one between 0 and 1 (or 100) for every gate")
        return ()
    tally.warn("an accuracy is that of the gate over all inputs; inputs that leave there are the easier ones")
    return tuple(share / most for share in shares)


def _gate_rows(profile: CeedProfile, factors: dict[int, float], source: str) -> Iterator[Row]:
    for gate in profile.gates:
        if gate.total is None:
            continue
        summed = profile.up_to(gate)
        error = 100 * (summed.mean / gate.total.mean - 1) if gate.total.mean > 0 else None
        yield {
            "gate": gate.number,
            "layer": gate.layer,
            "time_ms": 1e3 * gate.total.mean,
            "std_ms": 1e3 * gate.total.std,
            "gate_ms": 1e3 * gate.time.mean,
            "layers_ms": 1e3 * summed.mean,
            "layers_std_ms": 1e3 * summed.std,
            "layers_error_pct": error,
            "scale": factors.get(gate.number),
            "source": source,
        }


def _notes(profile: CeedProfile, found: Imported) -> None:
    """Say what a user of the files should know."""
    tally = found.tally
    silent = [layer.name for layer in profile.layers if layer.output is None]
    silent += [f"gate_{gate.number}" for gate in profile.gates if gate.output is None]
    if silent:
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        tally.warn(f"0 bytes are written where the profile has no size: {', '.join(silent[:3])}{more}")
    bare = [f"gate_{gate.number}" for gate in profile.gates if not gate.parts]
    if bare:
        tally.warn(f"no time of the gate itself, 0 is written: {', '.join(bare[:5])}{' ...' if len(bare) > 5 else ''}")
    rows = found.tables.get("gate_times", [])
    far = [(abs(row["layers_error_pct"]), row) for row in rows if isinstance(row["layers_error_pct"], float)]
    far = [pair for pair in far if pair[0] > 100 * _FAR]
    if far:
        worst = max(far, key=lambda pair: pair[0])[1]
        tally.warn(
            f"layers add up to another time than was measured for {len(far)} of {len(rows)} gates, "
            f"by up to {worst['layers_error_pct']:+.1f} % (gate_{worst['gate']}): gate_times.csv"
        )
