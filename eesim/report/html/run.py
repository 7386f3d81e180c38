"""Pages of runs: ``eesim run -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eesim.metrics.energy import TERMS
from eesim.report.html.bars import energy_chart, load_chart, parts_chart
from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind, scenario_command
from eesim.report.html.latency import latency_charts
from eesim.report.html.metrics import between, cells, value_text
from eesim.report.html.parts import Bullets, Facts, Part, Row, Section, Table, Text
from eesim.report.html.requirements import requirement_table
from eesim.report.html.timeline import timeline
from eesim.report.numbers import percent, with_unit

SUMMARY = "summary.json"
PAGE = "report.json"
FRAMES = "frames.parquet"


def claims(folder: Folder) -> bool:
    """Whether the folder holds a run."""
    if "latency_ms" in folder.json(SUMMARY) or folder.has(FRAMES) or folder.has("tasks.parquet"):
        return True
    return "streams" in folder.json(PAGE)


def _title(folder: Folder) -> str:
    page = folder.json(PAGE)
    if page.get("title"):
        return str(page["title"])
    networks = dict.fromkeys(str(stream["network"]) for stream in page.get("streams", ()))
    return f"{' and '.join(networks)} on {page['board']}" if networks else ""


def _in_short(folder: Folder) -> Section | None:
    summary, page = folder.json(SUMMARY), folder.json(PAGE)
    if not (summary or page):
        return None
    parts: list[Part] = [Facts(_scenario_facts(summary, page))]
    if not summary:
        return Section("In short", parts)
    verdicts = summary.get("requirements", [])
    if verdicts:
        failed = [verdict["name"].replace("_", " ") for verdict in verdicts if not verdict["met"]]
        text = f"Requirements not met: {', '.join(failed)}." if failed else "All requirements are met."
        parts.insert(0, Text(text, "bad" if failed else "good"))
    parts.append(_headline(summary, page))
    return Section("In short", parts)


def _scenario_facts(summary: Mapping[str, Any], page: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    streams = page.get("streams", [])
    for stream in streams:
        name = f"{stream['name']}: " if stream["name"] else ""
        facts += [(f"{name}{key}", str(stream[key])) for key in ("network", "mapping", "policy", "stream")]
    if page:
        facts.append(("board", str(page["board"])))
    if page.get("without"):
        facts.append(("without", str(page["without"])))
    if summary:
        count = summary["replications"]
        run = f"{summary['frames']:,} frames" + (f" × {count} replications" if count > 1 else ", one replication")
        facts += [("run", run), ("warm-up left out", _warmup(summary, page))]
        facts += [("engine, seed", f"{summary['engine']}, {summary['seed']}")]
    return facts


def _warmup(summary: Mapping[str, Any], page: Mapping[str, Any]) -> str:
    cuts = page.get("warmup_frames") or [summary["warmup_frames"]]
    low, high = min(cuts), max(cuts)
    return f"{low:,} frames" if low == high else f"{low:,} to {high:,} frames of each replication"


def _level(page: Mapping[str, Any]) -> str:
    return f"{100 * page['confidence']:g} % interval" if "confidence" in page else "interval"


def _headline(summary: Mapping[str, Any], page: Mapping[str, Any]) -> Table:
    intervals = summary.get("intervals", {})
    latency = summary["latency_ms"]
    rows: list[list[str]] = [
        [f"{name} latency" if name != "mean" else "mean latency", *cells(found, "latency_ms.mean")]
        for name, found in latency.items()
    ]
    if summary["latency_ms"]["max"]["ci_low"] is not None:
        # The interval of the largest value is the range of the replications' maxima.
        worst = latency["max"]
        reach = between(worst["ci_low"], worst["ci_high"])
        rows[-1] = ["max latency", value_text(worst["value"], "latency_ms.max"), reach if " to " in reach else "± 0"]
    deadlines = any(stream["deadline_ms"] is not None for stream in page.get("streams", ()))
    names = ["throughput_fps", "period_ms", "drop_rate"]
    names += ["deadline_miss_rate"] if deadlines or not page else []
    names += ["accuracy"] if summary.get("accuracy") is not None else []
    names += ["energy_mj_per_frame.total", "power_mw"]
    labels = {"drop_rate": "frames dropped", "deadline_miss_rate": "deadline missed"}
    labels["energy_mj_per_frame.total"] = "energy per answered frame"
    for name in names:
        label = labels.get(name, name.removesuffix("_fps").removesuffix("_ms").removesuffix("_mw"))
        rows.append([label, *cells(intervals.get(name), name)])
    for level, share in enumerate(summary.get("levels", [])[1:], start=1):
        rows.append([f"answers at level {level}", percent(share), ""])
    return Table("Headline metrics", ["metric", "value", _level(page)], rows, "lrl")


def _requirements(folder: Folder) -> Section | None:
    verdicts = folder.json(SUMMARY).get("requirements", [])
    return Section("Requirements", [requirement_table(verdicts)]) if verdicts else None


def _streams(folder: Folder) -> Section | None:
    streams = folder.json(SUMMARY).get("streams", [])
    head = [
        "stream",
        "network",
        "mapping",
        "priority",
        "mean latency",
        "interval",
        "p99",
        "max",
        "missed",
        "dropped",
        "throughput",
    ]
    rows = [
        [
            stream["name"],
            stream["network"],
            stream["mapping"],
            str(stream["priority"]),
            *cells(stream["latency_ms"]["mean"], "latency_ms.mean"),
            *(value_text(stream["latency_ms"][key]["value"], "latency_ms.p99") for key in ("p99", "max")),
            *(percent(stream[key]) for key in ("deadline_miss_rate", "drop_rate")),
            with_unit(stream["throughput_fps"], "fps"),
        ]
        for stream in streams
    ]
    return Section("Streams", [Table("Streams that share the platform", head, rows, "lllrrlrrrrr")]) if rows else None


def _latency(folder: Folder) -> Section | None:
    summary = folder.json(SUMMARY)
    parts: list[Part] = list(latency_charts(folder))
    if summary:
        parts.append(_exit_table(summary))
        parts += [Row([chart])] if (chart := parts_chart(summary)) else []
    return Section("Latency by exit", parts) if parts else None


def _exit_table(summary: Mapping[str, Any]) -> Table:
    intervals, floor = summary.get("intervals", {}), summary["bounds"]["exit_latency_ms"]
    rows = [
        [
            exit_["name"],
            *cells(intervals.get(f"exit_share.{exit_['name']}", exit_["share"]), "exit_share"),
            *cells(intervals.get(f"exit_latency_ms.{exit_['name']}", exit_["latency_ms"]), "exit_latency_ms"),
            with_unit(exit_["p99_ms"], "ms"),
            with_unit(floor.get(exit_["name"]), "ms"),
        ]
        for exit_ in summary["exits"]
    ]
    head = ["exit", "share", "interval", "mean latency", "interval", "p99", "lower bound"]
    return Table("Answers by exit; no schedule answers faster than the lower bound", head, rows, "lrlrlrr")


def _timeline(folder: Folder) -> Section | None:
    data = folder.json(PAGE).get("timeline")
    if data is None:
        return None
    return Section("Timeline", [timeline(data)])


def _load(folder: Folder) -> Section | None:
    summary = folder.json(SUMMARY)
    if not summary:
        return None
    intervals, bounds = summary.get("intervals", {}), summary["bounds"]
    blocked = any(summary["blocked_share"].values())
    head = ["PE", "busy", "interval", "needed per frame", "wasted per frame", *(["blocked"] if blocked else [])]
    rows = [
        [
            name,
            *cells(intervals.get(f"utilisation.{name}", share), "utilisation"),
            with_unit(bounds["demand_ms_per_frame"].get(name), "ms"),
            with_unit(summary["wasted_ms_per_frame"].get(name), "ms"),
            *([percent(summary["blocked_share"].get(name))] if blocked else []),
        ]
        for name, share in summary["utilisation"].items()
    ]
    table = Table("Load of processing elements and links", head, rows, "lrlrr" + "r" * blocked)
    limit = _limit_words(bounds)
    return Section("Utilisation", [Row([load_chart(summary, folder.json(PAGE))]), table, *limit])


def _limit_words(bounds: Mapping[str, Any]) -> list[Part]:
    rate, mean = bounds.get("throughput_fps"), bounds.get("mean_latency_ms")
    if rate is None or mean is None:
        return []
    why = f"{bounds['bottleneck']} is the bottleneck"
    told = f"No schedule of this mapping does better than {with_unit(rate, 'fps')} ({why})"
    return [Text(f"{told} and a mean latency of {with_unit(mean, 'ms')} (nothing waits or slows down).")]


def _energy(folder: Folder) -> Section | None:
    summary = folder.json(SUMMARY)
    found = summary.get("energy_mj_per_frame", {})
    total = found.get("total")
    if not total:
        return None
    intervals = summary.get("intervals", {})
    rows = [
        [
            term,
            *cells(intervals.get(f"energy_mj_per_frame.{term}", value), "energy_mj_per_frame"),
            percent(value / total),
        ]
        for term, value in found.items()
        if value is not None
    ]
    rows.sort(key=lambda row: (row[0] == "total", list(TERMS).index(row[0]) if row[0] in TERMS else 0))
    table = Table("Energy per answered frame by term", ["term", "energy", "interval", "share"], rows, "lrlr")
    return Section("Energy", [Row([energy_chart(found)]), table])


def _notes(folder: Folder) -> Section | None:
    notes = folder.json(SUMMARY).get("notes", [])
    return Section("Notes", [Bullets([str(note) for note in notes])]) if notes else None


def _provenance(folder: Folder) -> Mapping[str, Any]:
    told = folder.json(SUMMARY).get("provenance")
    if told:
        return dict(told)
    return folder.embedded(FRAMES, b"eesim.provenance") or folder.embedded("tasks.parquet", b"eesim.provenance")


def _rerun(folder: Folder) -> Sequence[str]:
    told = _provenance(folder)
    words = scenario_command("run", told)
    return [*words, "--seed", str(told["seed"])] if words and "seed" in told else words


KIND = Kind(
    name="run",
    command="eesim run",
    claims=claims,
    files={
        SUMMARY: "every metric, the requirements, energy",
        PAGE: "the scenario in words and the timeline (written by eesim run -o)",
        FRAMES: "the distribution of latency (not kept with --no-frames)",
    },
    title=_title,
    sections=(_in_short, _requirements, _streams, _latency, _timeline, _load, _energy, _notes),
    provenance=_provenance,
    rerun=_rerun,
)
