"""Charts of pages: scales, curves, bars where they must be, nothing drawn twice or left out."""

from __future__ import annotations

import math
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eesim.report.episodes import tell
from eesim.report.figure_bars import wasted_shares as drawn_shares
from eesim.report.html.bars import wasted_shares
from eesim.report.html.explore import KIND as EXPLORE
from eesim.report.html.folder import Folder
from eesim.report.html.forest import Interval, forest
from eesim.report.html.latency import POINTS, thinned
from eesim.report.html.metrics import split, titled, words
from eesim.report.html.plot import Plot, shortened, text_width
from eesim.report.html.scatter import BINS, FEW, cloud
from eesim.report.html.sensitivity import tornado
from eesim.report.html.svg import Scale, log_ticks, plain, tag, tick_label, ticks
from eesim.report.html.timeline import timeline
from eesim.report.save_page import TIMELINE_FRAMES, page_data
from tests.test_report import html_folders
from tests.test_report.html_check import Element, Page
from tests.test_report.runs import blocking, camera, wide

finite = st.floats(-1e9, 1e9)


def parsed(svg: Any) -> Element:
    return Page(f"<!DOCTYPE html>\n<html>{svg}</html>").root.inside[0].inside[0]


def hints(svg: Any) -> list[str]:
    return [one.text for one in parsed(svg).all("title")]


# -- elements, scales, ticks ---------------------------------------------------------------------------


def test_tags_escape_text_and_attributes() -> None:
    assert tag("a", "<&>", class_="x\"'<") == '<a class="x&#34;&#39;&lt;">&lt;&amp;&gt;</a>'
    assert tag("g", tag("b", "c"), stroke_width=1.0, left=None) == '<g stroke-width="1"><b>c</b></g>'


@given(finite)
def test_coordinates_are_short_and_right(value: float) -> None:
    assert re.fullmatch(r"-?\d+(\.\d{1,2})?", plain(value))
    assert float(plain(value)) == pytest.approx(value, abs=0.0051)
    assert plain(value) != "-0"


@given(low=finite, size=st.floats(1e-6, 1e9), most=st.integers(2, 12))
def test_ticks_are_round_few_and_inside(low: float, size: float, most: int) -> None:
    high = low + size
    found = ticks(low, high, most)
    assert 1 <= len(found) <= 2 * most + 1 or size < 1e-9 * abs(low)
    assert found == sorted(set(found))
    slack = 1e-6 * max(size, abs(low) * 1e-6)
    assert all(low - slack <= tick <= high + slack for tick in found)


def test_ticks_as_people_write_them() -> None:
    assert ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(-3, 12, 4) == [0, 5, 10]
    assert ticks(5, 5, 4) == [5]
    assert log_ticks(1, 1000, 4) == [1, 10, 100, 1000]
    assert log_ticks(0.9, 6, 6) == [1, 2, 3, 5]
    assert tick_label(1500) == "1,500"
    assert tick_label(0.25) == "0.25"


@given(low=st.floats(1e-6, 1e6), factor=st.floats(1.01, 1e9), most=st.integers(2, 9))
def test_logarithmic_ticks_stay_inside(low: float, factor: float, most: int) -> None:
    found = log_ticks(low, low * factor, most)
    assert 2 <= len(found) <= max(most, 2)
    assert all(low * (1 - 1e-12) <= tick <= low * factor * (1 + 1e-12) for tick in found)


@given(st.floats(0.001, 0.999))
def test_scales_put_values_where_they_belong(share: float) -> None:
    assert Scale(10, 20, 100, 300)(10 + 10 * share) == pytest.approx(100 + 200 * share)
    assert Scale(1, 1000, 300, 0, log=True)(1000**share) == pytest.approx(300 - 300 * share)


@given(st.text(min_size=1), st.floats(30, 400))
def test_labels_fit(text: str, room: float) -> None:
    short = shortened(text, room)
    assert text_width(short) <= room or len(short) <= 4
    assert short == text or "…" in short


@pytest.mark.parametrize(
    ("metric", "parts", "said"),
    [
        ("latency_ms.p99", ("", "latency_ms", "p99"), "p99 latency, ms"),
        ("stream.front.latency_ms.mean", ("front", "latency_ms", "mean"), "front: mean latency, ms"),
        ("stream.a.b.utilisation.B", ("a.b", "utilisation", "B"), "a.b: utilisation of B, %"),
        ("energy_mj_per_frame.total", ("", "energy_mj_per_frame", "total"), "energy per frame, mJ"),
        ("energy_mj_per_frame.host", ("", "energy_mj_per_frame", "host"), "energy per frame, host, mJ"),
        ("throughput_fps", ("", "throughput_fps", ""), "throughput, fps"),
        ("something_new", ("", "something_new", ""), "something new"),
    ],
)
def test_metrics_in_words(metric: str, parts: tuple[str, str, str], said: str) -> None:
    assert split(metric) == parts
    assert titled(metric) == said
    assert words(metric) in said


# -- latency -------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
def test_distribution_is_the_share(values: list[int]) -> None:
    mine = np.sort(np.array(values, dtype=float))
    x, at_most, at_least = thinned(mine)
    for at, below, above in zip(x, at_most, at_least, strict=True):
        assert below == pytest.approx((mine <= at).mean())
        assert above == pytest.approx((mine >= at).mean())
    assert set(x) == set(values)


def test_long_distributions_are_thinned_and_keep_their_ends() -> None:
    mine = np.arange(100_000, dtype=float)
    x, at_most, at_least = thinned(mine)
    assert len(x) <= POINTS
    assert (x[0], x[-1], at_most[-1], at_least[0]) == (0, 99_999, 1, 1)
    # The tail has its own points: the last hundred values are not skipped.
    assert (x > 99_900).sum() > 20


# -- bars ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [camera, lambda: wide(Path("unused"), servers=2)], ids=["camera", "two servers"])
def test_wasted_time_is_that_of_the_figures(make: Any, tmp_path: Path) -> None:
    result = camera() if make is camera else wide(tmp_path, servers=2)
    summary, page = result.to_dict(), page_data(result)
    found = wasted_shares(summary, page)
    expected = dict(zip(result.lowered.labels.resources, drawn_shares(result), strict=True))
    assert found == pytest.approx({name: min(share, summary["utilisation"][name]) for name, share in expected.items()})
    assert max(found.values()) > 0


# -- timeline ------------------------------------------------------------------------------------------


def test_report_json_holds_the_story() -> None:
    result = camera()
    data = page_data(result)["timeline"]
    story = tell(result, frames=TIMELINE_FRAMES)
    assert data["episodes"]["start_ns"] == [e.start_ns for e in story.episodes]
    assert data["episodes"]["needed"] == [not e.useless for e in story.episodes]
    assert data["frames"]["frame"] == list(story.fates) == list(range(30))
    assert data["end_ns"] == story.end_ns
    assert page_data(camera(log_frames=0))["timeline"] is None


def test_every_episode_is_on_both_timelines() -> None:
    result = camera()
    story = tell(result)
    by_server, by_frame = (parsed(chart.svg) for chart in timeline(page_data(result)["timeline"]).charts)
    stops = sum(e.status == "stopped" for e in story.episodes)
    assert len(by_server.all("rect")) == len(story.episodes) + stops
    # One bar more for each frame: from arrival to answer.
    assert len(by_frame.all("rect")) == len(story.episodes) + len(story.fates)
    for end, expected in (("s", [e.start_ns for e in story.episodes]), ("e", [e.end_ns for e in story.episodes])):
        found = sorted(float(rect.attributes[f"data-{end}"] or 0) for rect in by_server.all("rect"))
        assert found == pytest.approx([ns / 1e6 for ns in sorted(expected)])
    answers = [g for g in by_server.all("g") if g.all("circle")]
    assert len(answers) == sum(f.exit is not None for f in story.fates.values())


def test_static_places_are_those_of_the_times() -> None:
    (svg, *_) = (chart.svg for chart in timeline(page_data(camera())["timeline"]).charts)
    root = parsed(svg)
    low, high = (float(root.attributes[f"data-{end}"] or 0) for end in ("from", "to"))
    left = float(root.attributes["data-left"] or 0)
    for rect in root.all("rect"):
        s, x = float(rect.attributes["data-s"] or 0), float(rect.attributes["x"] or 0)
        assert x == pytest.approx(left + (s - low) / (high - low) * (1070 - left), abs=0.02)


def test_blocked_and_stopped_are_told(tmp_path: Path) -> None:
    result = blocking(tmp_path)
    svg = timeline(page_data(result)["timeline"]).charts[0].svg
    assert any("blocked for" in hint for hint in hints(svg))
    legend = [key.label for key in timeline(page_data(result)["timeline"]).charts[0].legend]
    assert "blocked" in legend


def test_bars_of_one_frame_do_not_cover_each_other() -> None:
    root = parsed(timeline(page_data(camera())["timeline"]).charts[1].svg)
    boxes = [{k: float(one.attributes[k] or 0) for k in ("x", "y", "width", "height")} for one in root.all("rect")]
    boxes = [box for box in boxes if box["width"] > 1]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a["x"] + a["width"] <= b["x"] + 0.05 or b["x"] + b["width"] <= a["x"] + 0.05
            assert apart or a["y"] + a["height"] <= b["y"] + 0.01 or b["y"] + b["height"] <= a["y"] + 0.01


# -- clouds, forests, tornados -------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
def test_dense_clouds_count_every_point(log: bool) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.lognormal(3, 1, 5000), rng.lognormal(3, 1, 5000)
    reach = (min(x.min(), y.min()) * 0.99, max(x.max(), y.max()) * 1.01)
    plot = Plot("cloud", reach, reach, x_log=log, y_log=log)
    cloud(plot, x, y, "#0072B2", what="runs")
    counts = [int(hint.split()[0].replace(",", "")) for hint in hints(plot.svg())]
    assert sum(counts) == 5000
    assert len(counts) < BINS * BINS


def test_few_points_say_what_they_are() -> None:
    plot = Plot("cloud", (0, 1), (0, 1))
    cloud(plot, np.array([0.5] * FEW), np.array([0.5] * FEW), "#0072B2", [f"point {i}" for i in range(FEW)])
    assert hints(plot.svg()) == [f"point {i}" for i in range(FEW)]


def test_forest_cuts_off_what_is_far_outside() -> None:
    rows = [Interval(f"metric {i}", i, i - 0.5, i + 0.5, f"hint {i}") for i in range(1, 8)]
    chart = forest([*rows, Interval("outlier", 1018, 1000, 1030, "far", hollow=True)], "%", "caption", zero=True)
    dots = parsed(chart.svg).all("circle")
    assert len(dots) == 7
    texts = [one.text for one in parsed(chart.svg).all("text")]
    assert "1,018 →" in texts
    xs = [float(dot.attributes["cx"] or 0) for dot in dots]
    assert np.diff(xs).min() > 10
    assert forest(rows[:1], "%", "caption").svg.count("<circle") == 1


def test_tornado_starts_from_the_base_widest_first() -> None:
    found = html_folders.sensitivity_data()
    svg = tornado(found["parameters"], "latency_ms.mean", 16.0)
    assert svg is not None
    bars = parsed(svg.svg).all("rect")
    assert [hint.partition(":")[0] for hint in (bar.text for bar in bars)] == [
        "profile.times.b1.B at 7 ms",
        "profile.times.b1.B at 9 ms",
        "board.pes.G.hosts.B.slows_self.factor at 9 ms",
    ]
    low, high, other = ((float(b.attributes["x"] or 0), float(b.attributes["width"] or 0)) for b in bars)
    assert low[0] + low[1] == pytest.approx(high[0], abs=0.02) == pytest.approx(other[0], abs=0.02)
    assert low[1] == pytest.approx(high[1], abs=0.02)
    assert other[1] == pytest.approx(high[1] / 2, abs=0.02)
    assert "may be chance" in bars[2].text
    assert tornado(found["parameters"], "power_mw", 1.0) is None


def test_every_design_of_the_front_is_there(tmp_path: Path) -> None:
    html_folders.exploration_folder(tmp_path, "p99_latency", "energy", "accuracy", designs=900)
    (front,) = [s for make in EXPLORE.sections if (s := make(Folder(tmp_path))) and s.title == "Pareto front"]
    charts = front.parts[0].charts  # type: ignore[union-attr]
    assert len(charts) == 3
    for chart in charts:
        named = [unescape(hint) for hint in hints(chart.svg) if hint.startswith("BGLGLG")]
        assert len(named) == 3


def test_axes_of_shares_are_in_per_cent() -> None:
    texts = [one.text for one in parsed(Plot("p", (0, 10), (0, 1), percent="y").svg()).all("text")]
    assert "100 %" in texts
    assert math.isclose(Scale(0, 1, 0, 100)(0.5), 50)
