"""Reports of comparisons and sensitivities: numbers in words, folded paths, figures."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from eesim.metrics.paired import Paired
from eesim.metrics.statistics import Estimate
from eesim.report.comparison_table import print_comparison
from eesim.report.differences import difference_text, interval_text, sentence
from eesim.report.figure_comparison import difference_figure
from eesim.report.figure_sensitivity import tornado_figure
from eesim.report.figures import draw
from eesim.report.paths import folded
from eesim.whatif.compare import compare
from eesim.whatif.comparison import MetricDifference
from eesim.whatif.sensitivity import sensitivity
from tests.scenarios import camera

SMALL = {"run.frames": 200, "run.replications": 2}


def difference(metric: str, a: float, value: float, low: float, high: float, *, seen: bool = True) -> MetricDifference:
    p = 0.001 if seen else 0.5
    both = Paired(Estimate(a), Estimate(a + value), Estimate(value, low, high), p, 10)
    return MetricDifference(metric, both, p, seen)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (difference("latency_ms.p99", 36, 1.2, 1.0, 1.4), "B's p99 latency is 1.20 ms [1.00, 1.40] higher (+3.33 %)"),
        (difference("latency_ms.p99", 36, -1.2, -1.4, -1.0), "B's p99 latency is 1.20 ms [1.00, 1.40] lower (-3.33 %)"),
        (
            difference("utilisation.B", 0.5, 0.02, 0.01, 0.03),
            "B's utilisation of B is 2.0 points [1.0, 3.0] higher (+4 %)",
        ),
        (difference("power_mw", 0, 3.0, 3.0, 3.0), "B's power is 3.000 mW higher"),
        (
            difference("latency_ms.mean", 16, 0.1, -0.1, 0.3, seen=False),
            "no difference of mean latency is visible (+0.10 ms [-0.10, 0.30])",
        ),
    ],
)
def test_differences_in_words(found: MetricDifference, said: str) -> None:
    assert sentence(found, "B") == said


def test_the_same_and_the_unknown() -> None:
    same = MetricDifference(
        "drop_rate", Paired(Estimate(0.0), Estimate(0.0), Estimate(0.0, 0.0, 0.0), 1.0, 5), 1.0, False
    )
    assert sentence(same, "B") == "B's drop rate is the same"
    unknown = MetricDifference("accuracy", Paired(Estimate(None), Estimate(None), Estimate(None), None, 0), None, None)
    assert "cannot be compared" in sentence(unknown, "B")


def test_ends_that_look_the_same() -> None:
    assert interval_text("latency_ms.mean", Estimate(6.874, 6.87399, 6.87401)) == "± <0.001"
    assert interval_text("latency_ms.mean", Estimate(6.874, 6.874, 6.874)) == "exactly"
    assert difference_text("latency_ms.mean", Estimate(0.0, 0.0, 0.0)) == "0 ms"


STEPS = st.sampled_from(["a", "b", "c", "0", "1", "2", "3", "x->y"])


@given(st.lists(st.lists(STEPS, min_size=1, max_size=4).map(".".join), min_size=1, max_size=25, unique=True))
def test_folded_paths_multiply_out_again(paths: list[str]) -> None:
    # A path that leads through another one cannot be a value beside it.
    leaves = [path for path in paths if not any(other.startswith(f"{path}.") for other in paths)]
    assert sorted(itertools.chain.from_iterable(map(unfolded, folded(leaves)))) == sorted(leaves)


def unfolded(line: str) -> list[str]:
    choices = []
    for braced, plain in re.findall(r"\{([^}]*)\}|([^{}.]+)", line):
        choices.append(list(itertools.chain.from_iterable(map(_run, braced.split(", ")))) if braced else [plain])
    return [".".join(steps) for steps in itertools.product(*choices)]


def _run(part: str) -> list[str]:
    run = re.fullmatch(r"(\d+)-(\d+)", part)
    return [str(i) for i in range(int(run[1]), int(run[2]) + 1)] if run else [part]


def test_indices_in_a_row_are_one_range() -> None:
    assert folded([f"t.{i}.{key}" for i in range(4) for key in ("f", "p")]) == ["t.{0-3}.{f, p}"]
    assert folded(["t.0", "t.1", "t.5"]) == ["t.{0, 1, 5}"]


def printed(*overrides: dict[str, Any], ascii_only: bool = False) -> str:
    out = io.StringIO()
    base = camera(SMALL)
    comparison = compare(base, *(camera({**SMALL, **one}) for one in overrides))
    console = Console(file=out, width=100, legacy_windows=False)
    if ascii_only:
        raw = io.BytesIO()
        console = Console(file=io.TextIOWrapper(raw, encoding="ascii", write_through=True), width=100)
        print_comparison(comparison, console)
        return raw.getvalue().decode("ascii")
    print_comparison(comparison, console)
    return out.getvalue()


def test_the_table_names_everything() -> None:
    text = printed({"board.pes.G.host": "L"}, {"stream.arrivals.rate": "60 Hz"})
    for word in (
        "B against A",
        "C against A",
        "board.pes.G.host",
        "energy per frame, mJ",
        "utilisation of L, %",
        "same random numbers",
    ):
        assert word in text
    assert all(len(line) <= 95 for line in text.splitlines())


def test_terminals_without_unicode() -> None:
    assert "B - A" in printed({"board.pes.G.host": "L"}, ascii_only=True)


def test_figures_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    comparison = compare(camera(SMALL), camera({**SMALL, "board.pes.G.host": "L"}))
    found = sensitivity(
        camera(SMALL), {"profile.times.b1.B": "±10 %", "mapping.opp.B": "1608 MHz..1800 MHz"}, frames=50
    )
    make = {
        "differences": lambda: difference_figure(comparison),
        "tornado": lambda: tornado_figure(found, "latency_ms.mean"),
    }
    for folder in ("one", "two"):
        draw(tmp_path / folder, make, ["png"])
    for name in make:
        one, two = ((tmp_path / folder / f"{name}.png").read_bytes() for folder in ("one", "two"))
        assert one == two
        assert len(one) > 10_000


def test_nothing_to_draw() -> None:
    found = sensitivity(camera(SMALL), {"profile.times.b1.G": "±10 %"}, frames=50)
    assert tornado_figure(found, "latency_ms.mean") is None
