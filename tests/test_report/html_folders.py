"""Folders of results, small: what each command writes, made by hand where running the command would take long."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PROVENANCE = {
    "inputs_sha256": "1" * 64,
    "parts_sha256": {"scenario": "2" * 64, "board": "3" * 64},
    "files": {"scenario": "scenarios/camera.yaml", "board": "hw_models/rk3399pro/board.yaml"},
    "seed": 1,
    "eesim": "0.1.0",
    "python": "3.11.7",
    "packages": {"numpy": "2.4.6"},
}

HOSTILE = "<script>hostile()</script><img src=x onerror=hostile()>\"'&]]>--></style>"

MEANT = ("metric", "unit", "status", "suite", "kind", "name", "command")
"""Keys whose texts say how the rest is to be read."""


def hostile(data: Any, key: str = "") -> Any:
    """Return the same data with markup in every text that is free."""
    if isinstance(data, dict):
        return {name: hostile(value, name) for name, value in data.items()}
    if isinstance(data, list):
        return [hostile(value, key) for value in data]
    return data + HOSTILE if isinstance(data, str) and key not in MEANT else data


def write_json(folder: Path, name: str, data: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(data), encoding="utf-8")


def write_csv(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def estimate(value: float | None, half: float = 0.0) -> dict[str, float | None]:
    ends = (None, None) if value is None else (value - half, value + half)
    return {"value": value, "ci_low": ends[0], "ci_high": ends[1]}


def verdict(met: bool = True) -> dict[str, Any]:
    value = 36.0 if met else 43.0
    return {
        "name": "p99_latency", "metric": "latency_ms.p99", "limit": 40.0, "value": value, "unit": "ms",
        "is_ceiling": True, "met": met, "sure": True, "stream": "", "margin": 40.0 - value,
    }  # fmt: skip


def difference(metric: str, a: float, b: float, half: float, *, seen: bool = True) -> dict[str, Any]:
    return {
        "metric": metric, "unit": "ms", "a": estimate(a, 0.1), "b": estimate(b, 0.1),
        "difference": estimate(b - a, half), "relative": (b - a) / a if a else None,
        "p_value": 0.01, "adjusted_p": 0.02, "significant": seen, "pairs": 5,
    }  # fmt: skip


def comparison_data() -> dict[str, Any]:
    metrics = [
        difference("latency_ms.mean", 16.0, 17.0, 0.1),
        difference("throughput_fps", 30.0, 30.001, 0.01, seen=False),
        difference("wasted_ms_per_frame.B", 0.5, 6.0, 0.1),
        difference("drop_rate", 0.0, 0.0, 0.0, seen=False),
    ]
    variant = {
        "label": "A with mapping.opp.L=1008MHz",
        "verdict": "2 of 4 metrics differ",
        "identical": False,
        "inputs": [{"path": "mapping.opp.L", "a": "1416 MHz", "b": None}],
        "pairing": {
            "frames": True,
            "arrivals": "same",
            "exits": "same",
            "noise": "none",
            "streams": [],
            "complete": True,
        },
        "metrics": {one["metric"]: one for one in metrics},
        "requirements": [verdict(met=False)],
        "notes": ["estimated, not measured"],
        "provenance": PROVENANCE,
    }
    return {
        "schema_version": 1, "a": "scenarios/camera.yaml", "b": [variant["label"]], "variants": [variant],
        "frames": 2000, "replications": 5, "confidence": 0.95, "adjustment": "Holm", "tests": 4,
        "precision": {"asked": "1%", "of": [], "reached": False}, "engine": "compiled", "seed": 1,
        "requirements": [verdict()], "notes": ["the clocks are assumed"], "provenance": PROVENANCE,
    }  # fmt: skip


def comparison_folder(folder: Path) -> None:
    data = comparison_data()
    write_json(folder, "comparison.json", data)
    rows = []
    for one in data["variants"][0]["metrics"].values():
        told = {"variant": "B", "label": data["b"][0], "metric": one["metric"], "unit": one["unit"]}
        told |= {"a": one["a"]["value"], "b": one["b"]["value"], "difference": one["difference"]["value"]}
        told |= {key: one["difference"][key] for key in ("ci_low", "ci_high")}
        rows.append(told | {key: one[key] for key in ("relative", "p_value", "adjusted_p", "significant", "pairs")})
    write_csv(folder, "differences.csv", rows)
    replications = [
        {"scenario": who, "replication": r, "warmup_frames": 0, "latency_ms.mean": 16 + r / 10}
        for who in "AB"
        for r in range(5)
    ]
    write_csv(folder, "replications.csv", replications)


def effect(low: float | None, high: float, base: float, *, sure: bool = True) -> dict[str, Any]:
    swing = max(high, base, low if low is not None else base) - min(high, base, low if low is not None else base)
    return {
        "at_low": low, "at_high": high, "effect": high - (base if low is None else low), "ci_low": 0.1, "ci_high": 2.0,
        "swing": swing, "adjusted_p": 0.01, "significant": sure,
    }  # fmt: skip


def sensitivity_data() -> dict[str, Any]:
    def parameter(
        path: str, status: str, found: dict[str, Any] | None = None, problems: list[str] | None = None
    ) -> Any:
        metrics = {"latency_ms.mean": found} if found else {}
        head = {"path": path, "status": status, "base": "8 ms", "low": "7 ms", "high": "9 ms"}
        return {**head, **(found or {}), "metrics": metrics, "problems": problems or []}

    index = {"path": "profile.times.b1.B", "first_order": estimate(0.7, 0.1), "total_order": estimate(0.8, 0.1)}
    return {
        "schema_version": 1,
        "metric": "latency_ms.mean",
        "metrics": {"latency_ms.mean": {"unit": "ms", **estimate(16.0, 0.2)}},
        "parameters": [
            parameter("profile.times.b1.B", "effect", effect(15.0, 17.0, 16.0)),
            parameter("board.pes.G.hosts.B.slows_self.factor", "effect", effect(None, 16.5, 16.0, sure=False)),
            parameter("network.segments.0.kernels", "no effect", effect(16.0, 16.0, 16.0)),
            parameter("board.pes.B.idle_power.value", "invalid", None, ["must be positive"]),
        ],
        "no_effect": ["network.segments.0.kernels"],
        "invalid": ["board.pes.B.idle_power.value"],
        "sobol": {
            "points": 64, "evaluations": 256,
            "metrics": {"latency_ms.mean": {"standard_deviation": 0.4, "indices": [index]}},
        },
        "frames": 500, "replications": 2, "simulated": 9, "confidence": 0.95, "adjustment": "Holm",
        "provenance": PROVENANCE,
    }  # fmt: skip


def sensitivity_folder(folder: Path) -> None:
    data = sensitivity_data()
    write_json(folder, "sensitivity.json", data)
    keys = ("path", "status", "base", "low", "high")
    empty = dict.fromkeys(("metric", *effect(1, 1, 1)))
    rows = []
    for one in data["parameters"]:
        told = one["metrics"].get("latency_ms.mean")
        rest = {"metric": "latency_ms.mean", **told} if told else empty
        rows.append({key: one[key] for key in keys} | rest | {"problems": "; ".join(one["problems"])})
    write_csv(folder, "parameters.csv", rows)


def candidates_data() -> dict[str, Any]:
    def candidate(mapping: str, share: float) -> dict[str, Any]:
        return {
            "mapping": mapping, "best": estimate(share, 0.1), "wins": 4, "failures": 0,
            "regret_pct": {"mean": 0.1, "p95": 0.4, "max": 0.5},
            "value": {"mean": 16.0, "min": 15.5, "max": 17.0}, "meets_requirements": None,
        }  # fmt: skip

    return {
        "schema_version": 1, "metric": "latency_ms.mean", "unit": "ms",
        "candidates": [candidate("BGBBLBL", 0.8), candidate("BGLGLGL", 0.2)],
        "boards": 5, "rejected": 0, "ties": 0,
        "influences": [{"path": "board.contention.pairs.B.G", "correlation": 0.8}],
        "plausible": {"source": "plausible.yaml", "paths": ["board.contention.pairs.B.G"]},
        "frames": 300, "replications": 5, "confidence": 0.95, "provenance": PROVENANCE,
    }  # fmt: skip


def candidates_folder(folder: Path) -> None:
    write_json(folder, "candidates.json", candidates_data())
    rows = [
        {
            "board.contention.pairs.B.G": 1 + i / 10,
            "latency_ms.mean BGBBLBL": 16 + i / 10,
            "latency_ms.mean BGLGLGL": 17.0,
        }
        for i in range(5)
    ]
    write_csv(folder, "boards.csv", rows)


def exploration_data(*objectives: str) -> dict[str, Any]:
    def design(i: int) -> dict[str, Any]:
        changes = {
            "mapping.segments": "BGLGLG" + "BLG"[i],
            "mapping.opp": {"B": "1800 MHz"},
            "mapping.exits": ["exit1", "final"],
            "policy": {"preset": "cooperative", "queue": {"capacity": 2, "full": "drop_oldest"}},
        }
        # Lower in one objective, higher in the other.
        values = {name: 100.0 + (10 * i if k % 2 == 0 else -10 * i) for k, name in enumerate(objectives)}
        return {
            "mapping": changes["mapping.segments"],
            "changes": changes,
            **values,
            "violations": {"p99_latency": 0.0},
        }

    front = [design(i) for i in range(3 if len(objectives) > 1 else 1)]
    proof = {
        "kind": "within gap", "proven_optimal": False, "lower_bound": 71.2, "gap": 0.35, "space_size": 16796160,
        "evaluated": 50, "pruned": 14,
    }  # fmt: skip
    latency = {name: estimate(20.0 + i, 0.1) for i, name in enumerate(("mean", "p50", "p90", "p95", "p99", "max"))}
    confirmation = {
        "latency_ms": latency, "throughput_fps": 60.0, "deadline_miss_rate": 0.0, "drop_rate": 0.001,
        "energy_mj_per_frame": {"total": 110.6, "base": 52.7}, "requirements": [verdict()], "seed": 1000004,
        "frames": 20000,
    }  # fmt: skip
    return {
        "best": front[0], "feasible": True, "front": front, "certificate": proof, "algorithm": "nsga2",
        "why": "asked for",
        "rejected": {"p99_latency": 25, "runs": 0}, "evaluations": 50, "by_single_frames": 0, "simulated": 50,
        "confirmation": confirmation, "engines_agree": True, "wall_s": 1.5, "provenance": PROVENANCE,
    }  # fmt: skip


def exploration_folder(folder: Path, *objectives: str, designs: int = 50) -> None:
    """Every second design misses the constraint; the front's designs are among the rest."""
    data = exploration_data(*objectives)
    write_json(folder, "certificate.json", data)
    columns: dict[str, Any] = {"b1": pa.array(["B"] * designs).dictionary_encode()}
    for k, name in enumerate(objectives):
        columns[name] = [150.0 - (i * (k + 1) % 40) for i in range(designs - len(data["front"]))]
        columns[name] = [*columns[name], *(one[name] for one in data["front"])]
    columns["violation_p99_latency"] = [
        0.5 if i % 2 and i < designs - len(data["front"]) else 0.0 for i in range(designs)
    ]
    metadata = {b"eesim.provenance": json.dumps(PROVENANCE).encode()}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), folder / "evaluations.parquet")
    rows = [{**{name: one[name] for name in objectives}, "b1": "B"} for one in data["front"]]
    write_csv(folder, "front.csv", rows)
    (folder / "best.yaml").write_text("eesim: 1\n# <b> & more\n", encoding="utf-8")


def sweep_folder(folder: Path, *, failed: bool = True, title: str = "rates and mappings") -> None:
    """Five rates by two mappings; of the last rate, one point failed."""
    rates, orders = [f"{10 * (i + 1)} Hz" for i in range(5)], ["BGLGLGL", "GGGGGGG"]
    rows = []
    for i, rate in enumerate(rates):
        for k, order in enumerate(orders):
            bad = failed and i == 4 and k == 1
            told: dict[str, Any] = {"point": len(rows), "stream.arrivals.rate": rate, "mapping.segments": order}
            told |= {"status": "failed" if bad else "ok", "reason": "deadlock" if bad else None}
            told |= {"requirements_met": None if bad else k == 0, "frames": 300, "replications": 1}
            for name, value in (("latency_ms.p99", 20.0 * (i + 1) ** (2 + k)), ("throughput_fps", 10.0 * (i + 1))):
                known = None if bad else value
                told |= {name: known, f"{name}.ci_low": known, f"{name}.ci_high": known}
            rows.append(told)
    told = {
        "axes": ["stream.arrivals.rate", "mapping.segments"], "metrics": ["latency_ms.p99", "throughput_fps"],
        "engine": "e" * 16, "title": title,
    }  # fmt: skip
    table = pa.Table.from_pylist(rows)
    for name in told["axes"]:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].combine_chunks().dictionary_encode())
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({b"eesim.sweep": json.dumps(told).encode()}), folder / "table.parquet")
    study = {
        "schema_version": 1, "study": "studies/rates.yaml", "points": 10, "paths": told["axes"], "metrics": [],
        "design_sha256": "4" * 64, "engine": "e" * 16, "eesim": "0.1.0", "numpy": "2.4.6",
        "scenario": {"eesim": 1, "board": "rk3399pro"}, "files_sha256": {"board.yaml": "5" * 64},
    }  # fmt: skip
    write_json(folder, "study.json", study)


def validation_data() -> dict[str, Any]:
    def score(suite: str, quantity: str) -> dict[str, Any]:
        return {
            "suite": suite, "graph": "alexnet", "quantity": quantity, "n": 700, "mape_pct": 2.2, "mape_ci_low": 1.9,
            "mape_ci_high": 2.6, "median_ape_pct": 1.7, "p95_ape_pct": 5.6, "bias_pct": 0.4, "r2": 0.98,
            "spearman": None, "top1_regret_pct": 2.5,
        }  # fmt: skip

    term = {
        "suite": "switch", "graph": "cnn", "quantity": "time", "term": "cold_start", "n": 101, "n_touched": 91,
        "mape_pct": 1.7, "mape_off_pct": 9.3, "share_pct": 8.8, "scale": 1.0, "scale_low": 0.6, "scale_high": 1.2,
    }  # fmt: skip
    decision = {
        "suite": "switch", "graph": "alexnet", "quantity": "time", "choice": "clocks_of_an_order", "choices": 56,
        "alternatives": 9.9, "mean_regret_pct": 1.0, "p95_regret_pct": 1.7, "worst_regret_pct": 42.7,
        "random_regret_pct": 28.0,
    }  # fmt: skip
    counted = {"suite": "pipeline", "graph": "alexnet", "reason": "no time of layer1 on N in this build", "n": 15}
    return {
        "schema_version": 1, "runs": 720, "predicted": 705, "off": [],
        "suites": [score("switch", "time"), score("pipeline", "period")],
        "single_pe": [score("switch", "time")], "npu": [],
        "bottlenecks": [{"slowest_pe": "B", **score("pipeline", "period")}],
        "not_predicted": [counted], "outside": [{**counted, "mape_pct": 3.2}],
        "error_budget": [term, {**term, "term": "transfers", "mape_off_pct": 2.4}], "error_budget_runs": 60,
        "residuals": [], "decisions": [decision], "repeats": [],
        "provenance": {**PROVENANCE, "measurements": {"runs.csv": "6" * 64}},
    }  # fmt: skip


def validation_folder(folder: Path, *, runs: int = 700) -> None:
    """One suite of many runs, whose density is drawn, and one of few."""
    data = validation_data()
    write_json(folder, "summary.json", data)
    write_csv(folder, "scores.csv", data["suites"])
    write_csv(folder, "error_budget.csv", data["error_budget"])
    rows = []
    for suite, quantity, count in (("switch", "time", runs), ("pipeline", "period", 20)):
        for i in range(count):
            measured = 10.0 * 1.005**i
            guess = None if i == 7 else measured * (1.02 if i % 2 else 0.97)
            told = {"run_id": f"{suite}{i}", "suite": suite, "graph": "alexnet", "order": "BGL", "quantity": quantity}
            rows.append({**told, "unit": "ms", "predicted": guess, "measured": measured})
    pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")


def all_folders(root: Path) -> dict[str, Path]:
    """One folder of each kind that is made by hand, by name."""
    made = {
        name: root / name
        for name in ("comparison", "sensitivity", "candidates", "exploration", "front", "sweep", "validation")
    }
    comparison_folder(made["comparison"])
    sensitivity_folder(made["sensitivity"])
    candidates_folder(made["candidates"])
    exploration_folder(made["exploration"], "energy")
    exploration_folder(made["front"], "p99_latency", "energy", designs=900)
    sweep_folder(made["sweep"])
    validation_folder(made["validation"])
    return made
