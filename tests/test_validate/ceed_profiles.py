"""Profiles as CEED's profiler writes them, made of samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

KINDS = ("Conv", "BatchNorm2d", "Residual", "Residual", "Residual", "Residual")
GATES = {0: 1, 1: 3, 2: 5}
"""Gate to the layer that it follows; the last one ends the network."""
PARTS = ("Pool", "Linear")


def stats(mean_s: float, cv: float, seed: int) -> dict[str, float]:
    """Statistics of 500 lognormal samples, scaled to the mean."""
    sigma = np.sqrt(np.log1p(cv * cv))
    samples = np.random.default_rng(seed).lognormal(0.0, sigma, 500)
    samples *= mean_s / samples.mean()
    logs = np.log(samples)
    return {
        "mean": float(samples.mean()),
        "std": float(samples.std()),
        "var": float(samples.var()),
        "min": float(samples.min()),
        "max": float(samples.max()),
        "log_mean": float(logs.mean()),
        "log_std": float(logs.std()),
        "log_var": float(logs.var()),
    }


def profile(*, slower: float = 1.05) -> dict[str, Any]:
    """Six layers and three gates; runs that stop at a gate take ``slower`` times what their layers add up to."""
    layers = {f"layer_{i}_{kind}_{i}": stats(0.01 * (i + 1), 0.1 * (i + 1), i) for i, kind in enumerate(KINDS)}
    gates = {
        f"gate_{g}_layer_{layer}_{part}_{g}": stats(0.001 * (g + 1), 0.2, 10 * g + j)
        for g, layer in GATES.items()
        for j, part in enumerate(PARTS)
    }
    data: dict[str, Any] = {
        "execution_time": stats(0.22, 0.1, 77),
        "memory": {"model": 1e6, "output": 500.0},
        "layers_execution_time": {f"{kind}_{i}": layers[f"layer_{i}_{kind}_{i}"] for i, kind in enumerate(KINDS)},
        "layers_output_memory": {f"{kind}_{i}": 1000.0 * (i + 1) for i, kind in enumerate(KINDS)},
        "backbone_execution_time": layers,
        "backbone_output_memory": {name: 1000.0 * (i + 1) for i, name in enumerate(layers)},
        "gate_execution_time": gates,
        "gate_output_memory": {name: 40.0 if "Linear" in name else 200.0 for name in gates},
    }
    for g, layer in GATES.items():
        backbone = sum([s["mean"] for s in layers.values()][: layer + 1])
        own = sum(s["mean"] for name, s in gates.items() if name.startswith(f"gate_{g}_"))
        data[f"execution_time_gate_{g}_layer_{layer}"] = stats(slower * backbone + own, 0.1, 50 + g)
    return data


def write(folder: Path, data: dict[str, Any], name: str = "profile_summary.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(data, indent=4), encoding="utf-8")
    return path
