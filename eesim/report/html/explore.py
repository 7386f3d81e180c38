"""Pages of explorations: ``eesim explore -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from eesim.report.html.explore_charts import EVALUATIONS, convergence_chart, evaluations, front_chart
from eesim.report.html.folder import Folder
from eesim.report.html.kind import Kind, scenario_command
from eesim.report.html.objectives import axis_title, sign_of, value_words
from eesim.report.html.parts import Code, Facts, Part, Row, Section, Table, Text, fold_long
from eesim.report.html.requirements import requirement_table
from eesim.report.numbers import number, percent, with_unit

MAIN = "certificate.json"
FRONT = "front.csv"
BEST = "best.yaml"

NOT_OBJECTIVES = ("mapping", "changes", "violations")


def claims(folder: Folder) -> bool:
    """Whether the folder holds an exploration."""
    # A threshold search writes a front, too; its file of thresholds says so.
    front = folder.has(FRONT) and not folder.has("thresholds.json")
    return "certificate" in folder.json(MAIN) or folder.has(EVALUATIONS) or front


def _designs(folder: Folder) -> list[dict[str, Any]]:
    """Designs on the front, the best first."""
    found = folder.json(MAIN).get("front")
    if found is not None:
        return list(found)
    rows = []
    for row in folder.csv(FRONT):
        genes = {key: value for key, value in row.items() if sign_of(key) is None}
        rows.append({key: value for key, value in row.items() if key not in genes} | {"mapping": _choice(genes)})
    return rows


def _choice(genes: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.10g}" if isinstance(value, float) else f"{key} {value}" for key, value in genes.items()
    )


def _objectives(folder: Folder) -> list[str]:
    designs = _designs(folder)
    if designs:
        return [key for key in designs[0] if key not in NOT_OBJECTIVES]
    schema = folder.schema(EVALUATIONS)
    return [name for name in schema.names if sign_of(name) is not None] if schema is not None else []


def _mapping(design: Mapping[str, Any]) -> str:
    found = design["mapping"]
    return found if isinstance(found, str) else ", ".join(f"{key} {value}" for key, value in found.items())


def _title(folder: Folder) -> str:
    names = [name.replace("_", " ") for name in _objectives(folder)]
    scenario = str((_provenance(folder).get("files") or {}).get("scenario", "")).rpartition("/")[2]
    what = f"Front of {' and '.join(names)}" if len(names) > 1 else f"Least {names[0]}" if names else "Exploration"
    if len(names) == 1 and sign_of(names[0]) == -1:
        what = f"Greatest {names[0]}"
    return f"{what}: {scenario}" if scenario else what


def _in_short(folder: Folder) -> Section | None:
    found = folder.json(MAIN)
    if not found:
        return None
    proof, names = found["certificate"], _objectives(folder)
    parts: list[Part] = []
    if not found["feasible"]:
        parts.append(Text("No design that was looked at meets the constraints; the nearest one is shown.", "bad"))
    facts = [("best design", _mapping(found["best"]))]
    facts += [(name.replace("_", " "), value_words(found["best"][name], name)) for name in names]
    facts += [
        (f"misses {name}", f"by {percent(excess)} of its limit")
        for name, excess in found["best"]["violations"].items()
        if excess
    ]
    facts += [("proof", _proof(proof)), ("found by", f"{found['algorithm']}: {found['why']}")]
    facts += [("evaluated", _evaluated(found)), ("time", with_unit(found["wall_s"], "s"))]
    rejected = ", ".join(f"{count:,} by {name}" for name, count in found["rejected"].items() if count)
    facts += [("rejected", rejected)] if rejected else []
    return Section("In short", [*parts, Facts(facts)])


def _proof(proof: Mapping[str, Any]) -> str:
    text = str(proof["kind"])
    if proof.get("gap"):
        text += f": {percent(proof['gap'])} from the bound {number(proof['lower_bound'])}"
    pruned = f", {proof['pruned']:,} branches cut" if proof.get("pruned") else ""
    return f"{text} ({proof['evaluated']:,} of {proof['space_size']:,} designs evaluated{pruned})"


def _evaluated(found: Mapping[str, Any]) -> str:
    how = [f"{found['by_single_frames']:,} by single frames"] if found["by_single_frames"] else []
    how += [f"{found['simulated']:,} by simulation"] if found["simulated"] else []
    return ", ".join(how) or f"{found['evaluations']:,}"


def _front(folder: Folder) -> Section | None:
    names, designs = _objectives(folder), _designs(folder)
    if not designs:
        return None
    charts = [front_chart(folder, designs, pair, _mapping) for pair in list(combinations(names, 2))[:3]]
    head = ["design", *(axis_title(name) for name in names), "clocks", "exits in use", "policy"]
    rows = [
        [_mapping(one), *(_value(one.get(name)) for name in names), *_changes(one.get("changes") or {})]
        for one in sorted(
            designs, key=lambda one: (one.get(names[0]) is None, (sign_of(names[0]) or 1) * (one.get(names[0]) or 0))
        )
    ]
    title = "Pareto front" if len(names) > 1 else "Best design"
    caption = f"{len(designs):,} designs that no other beats in everything" if len(names) > 1 else "What was found"
    table = Table(caption, head, rows, "l" + "r" * len(names) + "lww")
    return Section(title, [*([Row(charts)] if charts else []), *fold_long(table, 20, "designs")])


def _value(value: float | None) -> str:
    return "n/a" if value is None else f"{value:,.6g}"


def _changes(changes: Mapping[str, Any]) -> list[str]:
    clocks = ", ".join(f"{pe} {clock}" for pe, clock in (changes.get("mapping.opp") or {}).items())
    policy = changes.get("policy") or {}
    told = policy if isinstance(policy, str) else ", ".join(_switch(key, value) for key, value in policy.items())
    return [clocks, ", ".join(map(str, changes.get("mapping.exits") or [])), told]


def _switch(key: str, value: object) -> str:
    if isinstance(value, Mapping):
        value = " ".join(str(item) for item in value.values())
    return str(value) if key == "preset" else f"{key} {value}".replace("_", " ")


def _search(folder: Folder) -> Section | None:
    names = _objectives(folder)
    found = evaluations(folder, names)
    if found is None or len(names) != 1 or not found.feasible.any():
        return None
    bound = folder.json(MAIN).get("certificate", {}).get("lower_bound")
    return Section("Search", [Row([convergence_chart(found, names[0], bound)])])


def _confirmation(folder: Folder) -> Section | None:
    found = folder.json(MAIN).get("confirmation")
    if not found:
        return None
    latency = found["latency_ms"]
    rows = [[f"{key} latency", with_unit(latency[key]["value"], "ms")] for key in latency]
    rows += [["throughput", with_unit(found["throughput_fps"], "fps")], ["frames dropped", percent(found["drop_rate"])]]
    rows += [["deadline missed", percent(found["deadline_miss_rate"])]]
    rows += [["energy per answered frame", with_unit(found["energy_mj_per_frame"]["total"], "mJ")]]
    agree = folder.json(MAIN).get("engines_agree")
    said = (
        {True: "Both engines give the same.", False: "The engines DISAGREE."}[bool(agree)] if agree is not None else ""
    )
    text = f"The best design, simulated again with fresh seeds ({found['seed']}), {found['frames']:,} frames. {said}"
    parts: list[Part] = [
        Text(text, "bad" if agree is False else ""),
        Table("Confirmation", ["metric", "value"], rows, "lr"),
    ]
    if found["requirements"]:
        parts.append(requirement_table(found["requirements"], " of the best design"))
    return Section("Confirmation", parts)


def _scenario(folder: Folder) -> Section | None:
    if not folder.has(BEST):
        return None
    text = (folder.path / BEST).read_text(encoding="utf-8")
    return Section("Best design as a scenario", [Text(f"{BEST}, which eesim run takes as it is:"), Code(text.rstrip())])


def _provenance(folder: Folder) -> Mapping[str, Any]:
    told = folder.json(MAIN).get("provenance")
    return dict(told) if told else folder.embedded(EVALUATIONS, b"eesim.provenance")


def _rerun(folder: Folder) -> Sequence[str]:
    words = scenario_command("explore", _provenance(folder))
    found = folder.json(MAIN)
    return [*words, "--algorithm", str(found["algorithm"])] if words and found else words


KIND = Kind(
    name="exploration",
    command="eesim explore",
    claims=claims,
    files={
        MAIN: "the proof, the confirmation, what was rejected",
        EVALUATIONS: "the designs that were evaluated: cloud and convergence",
        FRONT: "the front for other programs",
        BEST: "the best design as a scenario",
    },
    title=_title,
    sections=(_in_short, _front, _search, _confirmation, _scenario),
    provenance=_provenance,
    rerun=_rerun,
)
