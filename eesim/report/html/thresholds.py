"""Pages of threshold searches: ``eesim thresholds -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind, scenario_command
from eesim.report.html.parts import Chart, Code, Facts, Key, Part, Row, Section, Table, Text
from eesim.report.html.plot import Plot
from eesim.report.html.requirements import requirement_table
from eesim.report.numbers import number, percent, with_unit
from eesim.report.style import BLUE, GREEN, ORANGE, VERMILLION

MAIN = "thresholds.json"
FRONT = "front.csv"
BEST = "best.yaml"


def claims(folder: Folder) -> bool:
    """Whether the folder holds a threshold search."""
    return folder.has(MAIN)


def _title(folder: Folder) -> str:
    scenario = str((_provenance(folder).get("files") or {}).get("scenario", "")).rpartition("/")[2]
    return f"Thresholds: {scenario}" if scenario else "Thresholds"


def _settings(thresholds: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['exit']} {one['threshold']:g}" for one in thresholds)


def _in_short(folder: Folder) -> Section:
    found = folder.json(MAIN)
    cost, proof = found["cost"], found["certificate"]
    parts: list[Part] = []
    if not found["feasible"]:
        parts.append(Text("No setting keeps everything that was wanted; the nearest one is shown.", "bad"))
    name = str(cost["kind"]).replace("_", " ")
    facts = [("thresholds", _settings(found["thresholds"])), ("accuracy", percent(found["accuracy"]))]
    facts += [(f"{name} per sample", with_unit(cost["value"], cost["unit"]))]
    facts += [("without early exits", with_unit(cost["without_early_exits"], cost["unit"]))]
    facts += [(f"misses {key}", f"by {percent(excess)} of its limit") for key, excess in found["violations"].items()]
    told = f"{proof['kind']} ({proof['evaluated']:,} of {proof['space_size']:,} settings evaluated)"
    facts += [("wanted", str(found["goal"])), ("method", str(found["method"])), ("proof", told)]
    return Section("In short", [*parts, Facts([*facts, ("time", with_unit(found["wall_s"], "s"))])])


def _front(folder: Folder) -> Section | None:
    """Accuracy against cost: the front, the choice, and what the published search promised and got."""
    found = folder.json(MAIN)
    if not found["front"]:
        return None
    cost, baseline = found["cost"], found["baseline"]
    points = sorted((float(one["cost"]), float(one["accuracy"])) for one in found["front"])
    marks = [("the choice", BLUE, found["calibration"]), ("the choice on test samples", GREEN, found["test"])]
    if baseline:
        promised = ("the published search's promise", ORANGE, baseline["predicted"])
        marks += [promised, ("what it truly gets", VERMILLION, baseline["actual"])]
    shown = [(name, color, float(one["cost"]), float(one["accuracy"])) for name, color, one in marks if one]
    xs = [x for x, _ in points] + [x for *_, x, _ in shown]
    ys = [y for _, y in points] + [y for *_, y in shown]
    axis = f"{str(cost['kind']).replace('_', ' ')}, {cost['unit']}".removesuffix(", ")
    alt = f"accuracy against {axis}: {len(points):,} settings that no other beats in both"
    spread = (max(xs) - min(xs) or max(xs) or 1.0) / 20, (max(ys) - min(ys) or 0.01) / 20
    plot = Plot(
        alt, (max(min(xs) - spread[0], 0.0), max(xs) + spread[0]), (min(ys) - spread[1], max(ys) + spread[1]),
        x_title=axis, y_title="accuracy", left=66, percent="y",
    )  # fmt: skip
    plot.steps(points, BLUE)
    for name, color, x, y in shown:
        plot.dot(x, y, color, f"{name}\naccuracy {percent(y)}\n{with_unit(x, cost['unit'])}", radius=5)
    legend = [
        Key("front of the samples searched", BLUE, "solid"),
        *(Key(name, color, "dot") for name, color, *_ in shown),
    ]
    return Section("Front", [Row([Chart(plot.svg(), alt, legend)])])


def _exits(folder: Folder) -> Section:
    """Which exit answers how many samples, and how well."""
    found = folder.json(MAIN)
    halves = [(name, found[key]) for name, key in (("searched", "calibration"), ("tested", "test")) if found[key]]
    thresholds = {one["exit"]: f"{one['threshold']:g}" for one in found["thresholds"]}
    head = ["exit", "threshold"]
    rows = [[one["exit"], thresholds.get(one["exit"], "")] for one in found["exit_shares"]]
    for name, half in halves:
        head += [f"share, {name}", f"right, {name}"]
        for row, one in zip(rows, half["exit_shares"], strict=True):
            row += [percent(one["share"]), percent(one["accuracy"])]
    told = "; ".join(f"{name}: {half['samples']:,} samples, {percent(half['accuracy'])} right" for name, half in halves)
    return Section("Exits", [Table(f"Answers of each exit. {told}", head, rows, "lr" + "rr" * len(halves))])


def _baseline(folder: Folder) -> Section | None:
    """The published search: what it promises, and what comes of it."""
    found = folder.json(MAIN)
    baseline, unit = found["baseline"], found["cost"]["unit"]
    if not baseline:
        return None
    lines = [("promised", "predicted"), ("true", "actual"), ("true of test samples", "test")]
    lines.append(("exact search on the same levels", "exact_on_same_levels"))
    rows = [
        [name, percent(baseline[key]["accuracy"]), with_unit(baseline[key]["cost"], unit)]
        for name, key in lines
        if baseline[key]
    ]
    text = "A shortest path through thresholds, with exits taken to be independent, chooses "
    table = Table("What it promises, and what is so", ["", "accuracy", "cost per sample"], rows, "lrr")
    return Section("Published search", [Text(f"{text}{_settings(baseline['thresholds'])}."), table])


def _simulation(folder: Folder) -> Section | None:
    """The scenario's own stream with these thresholds."""
    found = folder.json(MAIN)["simulation"]
    if not found:
        return None
    facts = [(f"{key} latency", with_unit(one["value"], "ms")) for key, one in found["latency_ms"].items()]
    facts += [("throughput", f"{number(found['throughput_fps'])} fps"), ("frames dropped", percent(found["drop_rate"]))]
    facts += [("energy per answered frame", with_unit(found["energy_mj_per_frame"]["total"], "mJ"))]
    parts: list[Part] = [Text("The scenario's own stream with these thresholds."), Facts(facts)]
    if found["requirements"]:
        parts.append(requirement_table(found["requirements"]))
    return Section("Under load", parts)


def _scenario(folder: Folder) -> Section | None:
    if not folder.has(BEST):
        return None
    text = (folder.path / BEST).read_text(encoding="utf-8")
    return Section(
        "The thresholds as a scenario", [Text(f"{BEST}, which eesim run takes as it is:"), Code(text.rstrip())]
    )


def _provenance(folder: Folder) -> Mapping[str, Any]:
    return dict(folder.json(MAIN).get("provenance") or {})


def _rerun(folder: Folder) -> Sequence[str]:
    return scenario_command("thresholds", _provenance(folder))


KIND = Kind(
    name="thresholds",
    command="eesim thresholds",
    claims=claims,
    files={
        MAIN: "the thresholds, the proof, the front",
        FRONT: "the front for other programs",
        BEST: "the thresholds as a scenario",
    },
    title=_title,
    sections=(_in_short, _front, _exits, _baseline, _simulation, _scenario),
    provenance=_provenance,
    rerun=_rerun,
)
