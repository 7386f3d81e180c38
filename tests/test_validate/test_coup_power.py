"""Power logs: phases found by the marks, and refused where marks and run log do not fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eesim.errors import InputError
from eesim.validate.importers import import_path
from eesim.validate.importers.coup_log import read_runs
from eesim.validate.importers.power_alignment import intervals_per_run
from eesim.validate.importers.protocol import Imported
from tests.test_validate.coup_logs import Log, power_log, write_log

LOG = Log(order="LLL", settings=("0-0-0", "5-5-5"))


def pair(folder: Path, log: Log = LOG, *, old: bool = False) -> tuple[Path, str]:
    """Write a run log and its power log; return the power log and its text."""
    run_log = folder / "time_Tiny_LLL.txt"
    run_log.write_text(write_log(log), encoding="utf-8")
    times = []
    for run in read_runs(run_log):
        if run.mode == "whole":
            ends = run.subgraphs[0].input_ms + run.subgraphs[-1].output_ms
            times.append([run.latency_ms - ends])
        else:
            times.append([layer.time_ms for _, layer in run.layers])
    text = power_log(log, times, old=old)
    path = folder / "power_Tiny_LLL.csv"
    path.write_text(text, encoding="utf-8")
    return path, text


def powers(found: Imported) -> list[float | None]:
    return [row["power_mw"] for row in found.tables["layer_times"] if row["metric"] == "task"]


def test_each_phase_gets_its_power(tmp_path: Path) -> None:
    path, _ = pair(tmp_path)
    found = import_path("coup-power", path).found
    assert found.tally.unknown_lines == found.tally.skipped_records == 0
    assert powers(found) == pytest.approx([4000, 4100, 4200] * 2, abs=60)
    inputs = [row["power_mw"] for row in found.tables["layer_times"] if row["metric"] == "input"]
    assert inputs == pytest.approx([3000, 3000], abs=60)
    assert [row["power_mw"] for row in found.tables["run_layer_times"]] == powers(found)
    assert {row["power_mw"] for row in found.tables["layer_times"] if row["metric"] == "output"} == {None}


def test_power_is_the_mean_of_the_means_of_intervals(tmp_path: Path) -> None:
    """By hand, from the text: intervals of one run, cut where the mark changes."""
    path, text = pair(tmp_path)
    rows = [line.split(",") for line in text.splitlines()]
    rows = rows[next(i for i, row in enumerate(rows) if row[0] == "1") :]
    means, level = [], None
    for gpio, _, mw in rows:
        if gpio != level:
            means.append([])
            level = gpio
        means[-1].append(float(mw))
    per_run = intervals_per_run(3, LOG.frames)
    assert len(means) == 2 * per_run == 2 * (2 * 3 * 7 + 2)
    second = [sum(values) / len(values) for values in means[3 : per_run - 2 : 6]]
    found = import_path("coup-power", path).found
    assert powers(found)[1] == pytest.approx(sum(second) / len(second), rel=1e-12)


def test_whole_runs_get_energy(tmp_path: Path) -> None:
    path, _ = pair(tmp_path, Log(order="LLL", settings=("0-0-0",), mode="whole"))
    (run,) = import_path("coup-power", path).found.tables["switch_runs"]
    parts = run["input_time_ms"] * run["input_power_mw"], run["task_time_ms"] * run["task_power_mw"]
    assert run["energy_mj"] == pytest.approx(sum(parts) / 1000)
    assert run["task_power_mw"] == pytest.approx(4000, abs=60)


def test_four_columns_are_volts_milliamperes_milliwatts(tmp_path: Path) -> None:
    path, _ = pair(tmp_path, old=True)
    found = import_path("coup-power", path).found
    assert powers(found) == pytest.approx([4000, 4100, 4200] * 2, abs=60)
    assert any("without a clock" in warning for warning in found.tally.warnings)


@pytest.mark.parametrize("how", ["mark flipped", "mark lost", "end cut off", "a run too many"])
def test_another_number_of_marks_is_no_alignment(how: str, tmp_path: Path) -> None:
    path, text = pair(tmp_path)
    lines = text.splitlines()
    if how == "mark flipped":
        i = next(i for i in range(200, len(lines)) if len({line[0] for line in lines[i - 2 : i + 3]}) == 1)
        lines[i] = ("1" if lines[i][0] == "0" else "0") + lines[i][1:]
    elif how == "mark lost":
        begin = next(i for i in range(100, len(lines)) if lines[i][0] != lines[i - 1][0])
        end = next(i for i in range(begin, len(lines)) if lines[i][0] != lines[begin][0])
        del lines[begin:end]
    elif how == "end cut off":
        lines = lines[: len(lines) // 2]
    else:
        lines += lines[2:]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=r"unusable alignment: .* 2 runs of time_Tiny_LLL.txt make 88 \(44 each\)"):
        import_path("coup-power", path)


def test_marks_of_another_run_are_seen_by_their_lengths(tmp_path: Path) -> None:
    path, _ = pair(tmp_path)
    other = Log(order="LLL", settings=LOG.settings, seed=5)
    (tmp_path / "time_Tiny_LLL.txt").write_text(write_log(other), encoding="utf-8")
    found = import_path("coup-power", path).found
    assert powers(found) == [None] * 6
    assert found.tally.reasons() == {"power left out: the marks do not fit the log's times": 2}


def test_lost_samples_take_the_power_of_their_run(tmp_path: Path) -> None:
    path, text = pair(tmp_path)
    lines = text.splitlines()
    inside = next(i for i in range(50, len(lines)) if len({line[0] for line in lines[i - 10 : i + 20]}) == 1)
    del lines[inside : inside + 9]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = import_path("coup-power", path).found
    assert powers(found)[:3] == [None] * 3
    assert powers(found)[3:] == pytest.approx([4000, 4100, 4200], abs=60)


def test_a_run_that_the_log_spoils_keeps_the_others_aligned(tmp_path: Path) -> None:
    path, _ = pair(tmp_path)
    clean = powers(import_path("coup-power", path).found)
    log = tmp_path / "time_Tiny_LLL.txt"
    log.write_text(re.sub(r"AVG Latency.*\n", "", log.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    assert powers(import_path("coup-power", path).found) == clean[3:]


def test_the_run_log_can_be_elsewhere_but_must_be(tmp_path: Path) -> None:
    path, _ = pair(tmp_path)
    moved = tmp_path / "elsewhere.txt"
    (tmp_path / "time_Tiny_LLL.txt").rename(moved)
    with pytest.raises(InputError, match=r"its run log is not beside it \(time_Tiny_LLL.txt\): use --log FILE"):
        import_path("coup-power", path)
    assert len(powers(import_path("coup-power", path, run_log=moved).found)) == 6


def test_what_is_no_power_log_is_refused(tmp_path: Path) -> None:
    path, _ = pair(tmp_path)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="is no power log"):
        import_path("coup-power", path)


def test_lines_that_are_no_samples_are_counted(tmp_path: Path) -> None:
    path, text = pair(tmp_path)
    lines = text.splitlines()
    inside = next(i for i in range(50, len(lines)) if len({line[0] for line in lines[i - 5 : i + 5]}) == 1)
    lines[inside] = "1,12,,"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = import_path("coup-power", path).found
    assert found.tally.unknown_lines == 1
    assert None not in powers(found)
