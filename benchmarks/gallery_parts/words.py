"""How answers of docs/gallery.md are written: differences with intervals, tables, claims that must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
import yaml

from eesim.metrics.statistics import Estimate
from eesim.report.differences import difference_text, interval_text

Output = Mapping[str, Any]
MEAN, P99, ENERGY = "latency_ms.mean", "latency_ms.p99", "energy_mj_per_frame.total"
LIMIT_MS = 40.0
PROFILE = Path(__file__).parents[2] / "hw_models" / "rk3399pro" / "profiles" / "ee_resnet18.yaml"


class StaleAnswer(Exception):
    """The words of an answer contradict what was computed."""


def must(holds: bool, words: str) -> None:
    """Stop if what an answer says is no longer so."""
    if not holds:
        raise StaleAnswer(words)


def table(heading: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    align = ["---"] * text_columns + ["---:"] * (len(heading) - text_columns)
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (heading, align, *rows))


def paragraph(text: str) -> str:
    """Return a paragraph in lines of a page."""
    words = " ".join(text.split())
    return "\n" + fill(words, 130, break_long_words=False, break_on_hyphens=False) + "\n\n"


def estimate(found: Output) -> Estimate:
    return Estimate(found["value"], found["ci_low"], found["ci_high"])


def delta(metric: str, variant: Output) -> str:
    """Return the difference of a variant with its interval: ``+0.4685 ms [0.4684, 0.4686]``."""
    found = estimate(variant["metrics"][metric]["difference"])
    return f"{difference_text(metric, found)} {interval_text(metric, found)}".replace("-", "−").strip()


def size(metric: str, variant: Output) -> str:
    """Return the same without its sign: ``0.4685 ms [0.4684, 0.4686]``."""
    found = change(metric, variant)
    if found.value is not None and found.value < 0:
        found = Estimate(*(None if end is None else -end for end in (found.value, found.ci_high, found.ci_low)))
    return f"{difference_text(metric, found).lstrip('+')} {interval_text(metric, found)}".strip()


def percent(metric: str, variant: Output) -> float:
    """Return a difference in per cent of A's value, to a tenth."""
    return round(100 * change(metric, variant).value / value(metric, variant, "a"), 1)


def value(metric: str, variant: Output, side: str = "b") -> float:
    return float(variant["metrics"][metric][side]["value"])


def change(metric: str, variant: Output) -> Estimate:
    return estimate(variant["metrics"][metric]["difference"])


def best(found: Output, what: str) -> float:
    """Return the best design's objective."""
    return float(found["best"][what])


def confirmed(found: Output, *path: str) -> float:
    at: Any = found["confirmation"]
    for key in path:
        at = at[key]
    return float(at["value"] if isinstance(at, dict) else at)


def proven(*found: Output) -> None:
    must(all(one["certificate"]["proven_optimal"] for one in found), "every search ends with a proof")


def highest(rates: pd.Series, good: pd.Series) -> str:
    """Return the highest rate up to which every rate is good."""
    kept, last = set(good), "none"
    for rate in sorted(set(rates), key=lambda text: float(text.split()[0])):
        if rate not in kept:
            break
        last = rate.replace("Hz", "fps")
    return last


def block_ms(segment: str, pe: str) -> float:
    """Return the published time of a segment of EE-ResNet18, ms."""
    return float(yaml.safe_load(PROFILE.read_text(encoding="utf-8"))["times"][segment][pe].removesuffix(" ms"))
