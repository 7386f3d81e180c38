from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from eesim.metrics.statistics import Estimate
from eesim.report.layout import columns, paragraph
from eesim.report.numbers import decimals, duration, limit, measured, number, percent, with_unit
from eesim.report.tables import print_result
from tests.test_report.runs import all_dropped, blocking, camera, wide

NAN = float("nan")


def printed(result, *, terminal: bool = False, width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    colors = "standard" if terminal else "auto"
    print_result(result, Console(file=file, width=width, force_terminal=terminal, color_system=colors))
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def full():
    """The shipped scenario with all of its frames."""
    return camera(frames=20_000, replications=10, log_frames=0)


def test_one_screen_of_80_columns(full):
    lines = printed(full).splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)


def test_key_lines(full):
    text = printed(full)
    for line in (
        r"ee_resnet18 on rk3399pro",
        r"  mapping BGLGLGL at B 1800 MHz, L 1416 MHz, G 800 MHz",
        r"  policy  cooperative",
        r"  stream  a frame every 33\.33 ms \(30 fps\), up to 2 ms late; exits dealt from",
        r"  run     20,000 frames × 10 replications; warm-up left out: 0 to 312 of each",
        r"Latency +95 % interval +Where the mean goes",
        r"  mean   16\.35 ms  ± <0\.01 +queueing +0\.223 +ms +1\.4 %",
        r"  p99    36\.00 ms  ± 0",
        r"  max    36\.00 ms  ± 0",
        r"Exits +share +mean latency +p99 +lower bound",
        r"  exit1  82\.2\d +%  ± 0\.01 +14\.17 ms  ± 0  14\.17 ms +14\.17 ms",
        r"  final   4\.6\d+ %  ± 0\.0\d+ +36\.00 ms  ± 0  36\.00 ms +33\.83 ms",
        r"PEs +busy +needed per frame +wasted per frame",
        r"  L  28\.\d %  ± <0\.1 +2\.5\d+ ms +6\.97\d +ms",
        r"  not used by this mapping: N",
        r"Energy per frame +167\.4 mJ  ± <0\.1    Rates and power",
        r"  base +117\.9 +mJ  70\.4 % +throughput +30\.00 fps  ± <0\.01",
        r"  host .* deadline missed +0 % +± 0",
        r"  throughput +111\.3 +fps  B is the bottleneck",
        r"  met +p99 latency +36\.00 ms  ≤ 40 ms +3\.998 ms  on one side",
        r"  met +throughput +30\.00 fps  ≥ 29\.9 fps  0\.1000 fps  on one side",
        r"  - the profile's clocks are assumed.*",
    ):
        assert re.search(f"^{line}$", text, re.MULTILINE), line


def test_no_escape_codes_and_no_boxes_when_piped(full):
    text = printed(full)
    assert "\x1b" not in text
    assert not set(text) & set("│┃─━┌┐└┘╭╮")


def test_a_terminal_gets_the_same_text_with_styles(full):
    text = printed(full, terminal=True)
    assert "\x1b[1mLatency" in text
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == printed(full)


def test_a_narrow_console_does_not_break_the_tables(full):
    assert printed(full, width=40) == printed(full)


def test_where_only_ascii_can_be_written(full):
    text = printed(full, encoding="ascii")
    assert "+- 0" in text
    assert "<= 40 ms" in text


def test_what_is_not_met_stands_out():
    result = camera({"stream.arrivals.rate": "110 Hz"}, frames=300)
    assert re.search(r"^  NOT MET +p99 latency .*≤ 40 ms +-", printed(result), re.MULTILINE)
    assert "\x1b[1;31m  NOT MET" in printed(result, terminal=True)
    assert "overload" not in printed(result) or "110" in printed(result)


def test_all_dropped():
    text = printed(all_dropped())
    assert re.search(r"mean +n/a", text)
    assert re.search(r"frames dropped +100 %", text)
    assert "nan" not in text
    assert "None" not in text
    # Bounds are for exits that answered.
    assert "No schedule" not in text


def test_one_frame_has_no_intervals():
    text = printed(camera(frames=1, replications=1))
    assert "1 frame, one replication, no warm-up removed" in text
    assert "±" not in text
    assert re.search(r"throughput +n/a", text)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"n_pes": 4, "servers": 64, "charge": "link"},
        {"n_backbone": 24, "exits": 20},
        {"n_pes": 1, "n_backbone": 1, "exits": 1},
    ],
)
def test_long_names_fit(shape, tmp_path):
    lines = printed(wide(tmp_path, **shape)).splitlines()
    assert max(map(len, lines)) <= 80


def test_blocked_time_has_a_column_only_if_there_is_any(tmp_path, full):
    assert re.search(r"^PEs .* blocked$", printed(blocking(tmp_path)), re.MULTILINE)
    assert "blocked" not in printed(full)


def test_notes_are_not_markup():
    result = camera({"title": "[bold]night[/bold] :camera:"})
    assert "[bold]night[/bold] :camera:" in printed(result)


def test_switches_and_physics_in_words():
    result = camera(
        {
            "policy": {"preset": "sequential", "queue": {"capacity": 3}},
            "physics.contention": False,
            "stream.arrivals": {"kind": "poisson", "rate": "12.5 Hz"},
            "stream.exits": {"kind": "shares", "shares": [0.5, 0.5, 0, 0]},
            "stream.noise": {"kind": "lognormal", "cv": 0.1},
            "mapping.exits": ["exit1"],
        }
    )
    text = " ".join(printed(result).split())
    assert "sequential, but queue: 3, drop newest when full" in text
    assert "without contention" in text
    assert "frames at random, 12.5 fps on average (Poisson)" in text
    assert "shares of 50, 50, 0, 0 %" in text
    assert "spread 10 % of the mean" in text
    assert "exits in use: exit1, final" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (16.35019, "16.35"),
        (0.222905, "0.2229"),
        (1650.4, "1,650"),
        (1234567.0, "1,234,567"),
        (0, "0"),
        (-2513.2, "-2,513"),
        (9.9999, "10.000"),
        (None, "n/a"),
        (NAN, "n/a"),
        (float("inf"), "n/a"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_units_and_limits():
    assert with_unit(3.5, "ms") == "3.500 ms"
    assert with_unit(None, "ms") == "n/a"
    assert percent(0.8222) == "82.2 %"
    assert limit(40.0, "ms") == "40 ms"
    assert limit(0.01, "") == "1 %"
    assert decimals(1e-12, 4) == 6


@pytest.mark.parametrize(
    ("estimate", "texts"),
    [
        (Estimate(16.35, 16.348, 16.352), ["16.35 ms", "± <0.01"]),
        (Estimate(16.42, 14.31, 18.53), ["16.4 ms", "± 2.1"]),
        (Estimate(9.0, -40.0, 58.0), ["9 ms", "± 49"]),
        (Estimate(14.17, 14.17, 14.17), ["14.17 ms", "± 0"]),
        (Estimate(0.0, 0.0, 0.0), ["0 ms", "± 0"]),
        (Estimate(14.17), ["14.17 ms", ""]),
        (Estimate(None), ["n/a", ""]),
    ],
)
def test_measured_shows_no_digits_that_the_interval_takes_back(estimate, texts):
    assert measured(estimate, "ms") == texts


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0 ns"), (500, "500 ns"), (2e6, "2 ms"), (33333333.3, "33.33 ms"), (3.6e12, "3600 s"), (3.6e13, "36,000 s")],
)
def test_duration(ns, text):
    assert duration(ns) == text


def test_columns_align_decimal_points_and_leave_out_what_is_empty():
    rows = [["what", "", "size"], ["  a", "", "1.5 ms"], ["  bb", "", "12 ms"], ["  c", "", "n/a"]]
    lines = [line for line, _ in columns(rows, "<<.")]
    assert lines == ["what      size", "  a     1.5 ms", "  bb   12   ms", "  c   n/a"]


def test_paragraphs_hang_behind_their_label():
    lines = paragraph("policy", "word " * 40)
    assert lines[0][0].startswith("  policy  word")
    assert all(line.startswith(" " * 10 + "word") for line, _ in lines[1:])
    assert all(len(line) <= 80 for line, _ in lines)
