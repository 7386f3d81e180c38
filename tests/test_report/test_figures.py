from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from eesim.report.episodes import lanes, tell
from eesim.report.figure_bars import utilisation_figure, wasted_shares
from eesim.report.figure_latency import POINTS, distribution, latency_figure
from eesim.report.figure_timeline import timeline_figure
from eesim.report.figures import write_figures
from eesim.report.style import CYCLE, ink_on, lighter
from eesim.report.timeline_layout import lay_out
from tests.test_report.runs import all_dropped, blocking, camera, wide

ALL = ["latency_cdf", "timeline", "utilisation", "energy"]


def stems(paths):
    return list(dict.fromkeys(path.stem for path in paths))


def test_files_are_there(tmp_path):
    written = write_figures(camera(), tmp_path / "new")
    assert stems(written) == ALL
    assert sorted(written) == sorted((tmp_path / "new").iterdir())
    for path in written:
        start = b"\x89PNG" if path.suffix == ".png" else b"<?xml"
        assert path.read_bytes().startswith(start)


def test_same_result_same_bytes_whatever_the_settings(tmp_path):
    result = camera()
    first = write_figures(result, tmp_path / "a")
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.hashsalt": "other"}):
        second = write_figures(result, tmp_path / "b")
        assert mpl.rcParams["font.size"] == 20
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


ODD = {
    "overloaded": ({"stream.arrivals.rate": "110 Hz"}, ALL),
    "switch mode": ({"policy": "coup-switch"}, ALL),
    "nothing cancelled": ({"policy": {"cancellation": "none"}}, ALL),
    "some dropped": (
        {"policy": {"queue": {"capacity": 0}, "frames_in_flight": 1}, "stream.arrivals.rate": "1 kHz"},
        ALL,
    ),
    "all at once": ({"stream.arrivals": {"kind": "periodic", "rate": "1000 kHz"}}, ALL),
    "far apart": ({"stream.arrivals.rate": "1/h"}, ALL),
    "exits nobody takes": ({"stream.exits": {"kind": "fixed", "exit": 3}}, ALL),
    "limits off the scale": ({"requirements": {"p50_latency": "1 s", "max_latency": "5 s", "deadline": "5 s"}}, ALL),
    "nothing required": ({"requirements": {}}, ALL),
}


@pytest.mark.parametrize(("overrides", "expected"), ODD.values(), ids=ODD.keys())
def test_odd_scenarios(overrides, expected, tmp_path):
    assert stems(write_figures(camera(overrides), tmp_path, formats=["png"])) == expected


@pytest.mark.parametrize(
    "shape",
    [
        {"n_pes": 1, "n_backbone": 1, "exits": 1},
        {"n_pes": 16, "n_backbone": 24, "exits": 20},
        {"n_pes": 3, "n_backbone": 8, "servers": 40, "charge": "link"},
        {"n_pes": 3, "n_backbone": 8, "servers": 3, "charge": "delay"},
        {"n_pes": 5, "n_backbone": 60, "exits": 3, "charge": "receiver"},
    ],
)
def test_odd_shapes(shape, tmp_path):
    assert stems(write_figures(wide(tmp_path, **shape), tmp_path / "out", formats=["png"])) == ALL


def test_blocked_servers_are_drawn(tmp_path):
    result = blocking(tmp_path)
    assert stems(write_figures(result, tmp_path / "out", formats=["png"])) == ALL
    legend = [text.get_text() for text in timeline_figure(result).legends[0].get_texts()]
    assert "blocked" in legend


def test_one_frame(tmp_path):
    assert stems(write_figures(camera(frames=1, replications=1), tmp_path, formats=["png"])) == ALL


def test_without_an_answer_there_is_no_latency_and_no_energy(tmp_path):
    assert stems(write_figures(all_dropped(), tmp_path, formats=["png"])) == ["timeline", "utilisation"]


def test_without_records_and_log_they_are_left_out(tmp_path):
    result = camera(keep_frames=False, log_frames=0)
    assert stems(write_figures(result, tmp_path, formats=["svg"])) == ["utilisation", "energy"]


def test_unknown_formats_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="gif"):
        write_figures(camera(), tmp_path, formats=["png", "gif"])
    assert list(tmp_path.iterdir()) == []


def test_work_that_was_not_needed_is_told_apart():
    result = camera({"policy": {"cancellation": "running"}, "stream.arrivals.rate": "90 Hz"})
    legend = [text.get_text() for text in timeline_figure(result).legends[0].get_texts()]
    assert {"transfer", "not needed for the answer", "stopped early"} <= set(legend)
    wasted = {(e.frame, e.task) for e in tell(result).episodes if e.useless}
    assert {(0, "b2"), (0, "b1>L")} <= wasted
    assert (0, "e1") not in wasted


def test_timeline_of_a_long_log_looks_at_its_beginning_only():
    short, long = camera(frames=300, log_frames=30), camera(frames=300, log_frames=300)
    views = [lay_out(tell(result), result.lowered.labels.servers, 600.0) for result in (short, long)]
    assert views[0].begin_ns == views[1].begin_ns
    assert views[0].end_ns == views[1].end_ns
    assert [e for _, e in views[0].bars] == [e for _, e in views[1].bars]


def test_bars_on_one_row_do_not_overlap(tmp_path):
    result = wide(tmp_path, n_pes=3, n_backbone=8, servers=3, charge="delay")
    view = lay_out(tell(result), result.lowered.labels.servers, 600.0)
    rows: dict[int, list[tuple[int, int]]] = {}
    for row, episode in view.bars:
        rows.setdefault(row, []).append((episode.start_ns, episode.end_ns))
    for spans in rows.values():
        assert all(before[1] <= after[0] for before, after in zip(sorted(spans), sorted(spans)[1:], strict=False))


def test_lanes():
    assert lanes([]) == []
    assert lanes([(0, 2), (1, 3), (2, 4), (2, 2), (5, 6)]) == [0, 1, 0, 2, 0]


def test_distribution_is_exact_and_thinned_when_long():
    x, at_most, at_least = distribution(np.array([3.0, 1.0, 1.0, 2.0]))
    assert x.tolist() == [1, 2, 3]
    assert at_most.tolist() == [0.5, 0.75, 1]
    assert at_least.tolist() == [1, 0.5, 0.25]
    long = np.random.default_rng(1).exponential(size=200_000)
    x, at_most, at_least = distribution(long)
    assert len(x) <= POINTS
    assert x[-1] == long.max()
    # The tail keeps its last points, the bulk is even.
    assert at_least[-1] == at_least[-2] / 2 == 1 / len(long)
    assert np.diff(at_most).max() < 0.003
    assert np.allclose(at_most, [(long <= value).mean() for value in x])


def test_curves_are_those_of_the_measured_frames():
    result = camera()
    figure = latency_figure(result)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    frames = result.frames()
    first = frames[frames["frame"] >= [result.replications[r].warmup_frames for r in frames["replication"]]]
    latency = (first["finish_ns"] - first["arrival_ns"]) / 1e6
    assert lines["all answers"].get_xdata()[-1] == latency.max()
    assert figure.get_suptitle() == f"Latency of {len(first)} answered frames"
    assert any(label.startswith("required: p99, deadline at most 40 ms") for label in lines)


def test_useful_and_wasted_time_add_up_to_the_utilisation():
    result = camera({"policy": {"cancellation": "none"}}, frames=300)
    shares = wasted_shares(result)
    log_free = [result.value(f"utilisation.{name}") for name in "BLG"]
    assert (shares[:3] <= log_free).all()
    # Per replication, exactly: wasted time over the time of the window.
    for name, share in zip("BLG", shares, strict=False):
        exact = [
            r.values[f"wasted_ms_per_frame.{name}"]
            * r.values["power_mw"]
            / r.values["energy_mj_per_frame.total"]
            / 1000
            for r in result.replications
        ]
        assert share == pytest.approx(np.mean(exact), rel=1e-3)


def test_all_work_for_dropped_frames_is_wasted():
    result = all_dropped()
    assert wasted_shares(result)[0] == result.value("utilisation.B") > 0
    assert "wasted work" in [text.get_text() for text in utilisation_figure(result).legends[0].get_texts()]


def test_palette():
    assert len(set(CYCLE)) == len(CYCLE)
    assert lighter("#000000", 0.5) == "#808080"
    assert lighter(CYCLE[0], 0) == CYCLE[0]
    for color in CYCLE:
        ink, paper = (sum(to_rgb(c)) / 3 for c in (ink_on(color), color))
        assert abs(ink - paper) > 0.3


def test_nothing_else_loads_matplotlib():
    code = (
        "import sys, eesim.report.tables, eesim.report.save, eesim.report.perfetto;"
        "sys.exit(' '.join(m for m in ('matplotlib', 'pandas', 'pyarrow') if m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stderr == "\n"
