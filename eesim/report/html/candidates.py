"""Pages of candidates on plausible boards: ``eesim sensitivity --candidates ... -o DIR``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eesim.report.html.folder import Folder
from eesim.report.html.forest import Interval, forest
from eesim.report.html.kind import Kind, scenario_command
from eesim.report.html.metrics import between, titled, unit, value_text, words
from eesim.report.html.parts import Chart, Facts, Part, Row, Section, Table, fold_long
from eesim.report.html.plot import row_plot
from eesim.report.html.svg import widened
from eesim.report.numbers import number, percent
from eesim.report.style import BLACK, SKY

MAIN = "candidates.json"
TABLE = "boards.csv"


def claims(folder: Folder) -> bool:
    """Whether the folder holds candidates on plausible boards."""
    return folder.has(MAIN) or folder.has(TABLE)


def _title(folder: Folder) -> str:
    found = folder.json(MAIN)
    return f"Which mapping is best on {found['boards']:,} plausible boards" if found else ""


def _ranking(folder: Folder) -> Section | None:
    found = folder.json(MAIN)
    if not found:
        return None
    metric = found["metric"]
    head = [
        "mapping",
        "best on",
        "interval",
        "mean regret",
        "95 % regret at most",
        words(metric),
        "from",
        "to",
        "meets requirements",
        "failed",
    ]
    rows, shares = [], []
    for one in found["candidates"]:
        best, meets = one["best"], one["meets_requirements"]
        interval = between(best["ci_low"], best["ci_high"], 100, 3)
        rows.append(
            [
                one["mapping"],
                percent(best["value"]),
                f"{interval} %" if interval else "",
                *(_percent(one["regret_pct"][key]) for key in ("mean", "p95")),
                *(value_text(one["value"][key], metric) for key in ("mean", "min", "max")),
                percent(meets["value"]) if meets else "",
                str(one["failures"]),
            ]
        )  # fmt: skip
        if best["value"] is not None and best["ci_low"] is not None:
            hint = f"{one['mapping']}: best on {percent(best['value'])} of boards [{interval} %]"
            shares.append(
                Interval(one["mapping"], 100 * best["value"], 100 * best["ci_low"], 100 * best["ci_high"], hint)
            )
    facts = [
        (
            "plausible boards",
            f"{found['boards']:,} drawn from {found['plausible']['source']}; {found['rejected']:,} draws rejected",
        ),
        ("each point", f"{found['frames']:,} frames × {found['replications']} replications"),
        ("ties", f"{found['ties']:,}"),
    ]
    charts: list[Chart] = []
    if shares:
        charts.append(
            forest(shares, "best on, % of plausible boards", "How often each mapping is best, with interval", zero=True)
        )
    spread = _spread(folder, metric, [one["mapping"] for one in found["candidates"]])
    charts += [spread] if spread else []
    parts: list[Part] = [Facts(facts), Row(charts), Table("Candidates, best first", head, rows, "lrlrrrrrrr")]
    return Section("Ranking", parts)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{number(value, 3)} %"


def _spread(folder: Folder, metric: str, mappings: Sequence[str]) -> Chart | None:
    """Return how the metric spreads over the boards, a box for each mapping; None without the boards."""
    scale, rows = unit(metric).scale, folder.csv(TABLE)
    values = {name: [row.get(f"{metric} {name}") for row in rows] for name in mappings}
    known = {name: np.array([v for v in mine if isinstance(v, float)]) * scale for name, mine in values.items()}
    known = {name: mine for name, mine in known.items() if len(mine)}
    if not known:
        return None
    cuts = {name: np.quantile(mine, [0.025, 0.25, 0.5, 0.75, 0.975]).tolist() for name, mine in known.items()}
    reach = widened(min(cut[0] for cut in cuts.values()), max(cut[4] for cut in cuts.values()))
    told = "; ".join(f"{name}: median {number(cut[2])}" for name, cut in cuts.items())
    plot = row_plot(f"Boxes of {words(metric)} over the boards. {told}", list(cuts), reach, x_title=titled(metric))
    for i, (name, cut) in enumerate(cuts.items()):
        plot.line([(cut[0], i + 0.5), (cut[4], i + 0.5)], BLACK, width=1.2)
        low, first, _, third, high = map(number, cut)
        hint = f"{name}: half of the boards {first} to {third}, 95 % {low} to {high}"
        plot.bar(cut[1], cut[3], i + 0.2, i + 0.8, SKY, hint)
        plot.line([(cut[2], i + 0.2), (cut[2], i + 0.8)], BLACK)
    return Chart(plot.svg(), f"How {words(metric)} spreads over the boards (box: half of them, line: 95 %)")


def _influences(folder: Folder) -> Section | None:
    found = folder.json(MAIN).get("influences")
    if not found:
        return None
    rows = [[str(one["path"]), number(one["correlation"], 3)] for one in found]
    table = Table("Rank correlation of each term of the board with who is best", ["term", "correlation"], rows, "lr")
    return Section("What decides", fold_long(table, 15, "terms"))


def _provenance(folder: Folder) -> Mapping[str, Any]:
    return dict(folder.json(MAIN).get("provenance") or {})


def _rerun(folder: Folder) -> Sequence[str]:
    found = folder.json(MAIN)
    command = scenario_command("sensitivity", _provenance(folder))
    if not command:
        return []
    listed = ",".join(sorted(str(one["mapping"]) for one in found["candidates"]))
    return [
        *command,
        "--candidates",
        listed,
        "--plausible",
        str(found["plausible"]["source"]),
        "-n",
        str(found["boards"]),
    ]


KIND = Kind(
    name="candidates",
    command="eesim sensitivity --candidates",
    claims=claims,
    files={MAIN: "the ranking, provenance", TABLE: "how the metric spreads over the boards"},
    title=_title,
    sections=(_ranking, _influences),
    provenance=_provenance,
    rerun=_rerun,
)
