"""Damaged files: never a crash, and never a number that the undamaged file does not have."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eesim.errors import InputError
from eesim.validate.importers import importer
from eesim.validate.importers.protocol import Imported, Options
from tests.test_validate.coup_logs import Log, write_log
from tests.test_validate.mutations import damage
from tests.test_validate.oracle import wrong_rows
from tests.test_validate.shared import shared
from tests.test_validate.test_coup_power import pair
from tests.test_validate.test_pipeall_log import PIPEALL

LOGS = {
    "mixed": Log(),
    "whole": Log(mode="whole", order="LLBG", settings=("0-0-0-[0,0]", "1-5-7-[4,2]", "3-3-3-[3,3]")),
    "single": Log(order="BBBB", settings=("0-0-0-0", "7-7-7-7", "3-1-4-2")),
    "transfers": Log(mode="transfers", order="LBG", settings=("0-0-[0,0]", "1-5-[4,2]")),
    "unclosed": Log(order="LLL", settings=("0-0-0", "1-2-3"), unclosed=True),
}
READER = importer("coup-log")


def attempt(path: Path, data: bytes) -> Imported | None:
    """Import damaged bytes; None if the file is refused as a whole."""
    path.write_bytes(data)
    try:
        return READER.read(path, Options())
    except InputError:
        return None


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize("block", range(5))
def test_a_damaged_log_gives_no_wrong_row(name: str, block: int, tmp_path: Path) -> None:
    """Of the first 12,000 seeds of each log, three in all give a wrong row: docs/measurements.md says which kinds."""
    data = write_log(LOGS[name]).encode()
    path = tmp_path / "time_Tiny_X.txt"
    clean = attempt(path, data)
    assert clean is not None
    survivors = 0
    for seed in range(block * 100, (block + 1) * 100):
        how, bad = damage(seed, data)
        found = attempt(path, bad)
        if found is not None:
            wrong = wrong_rows(clean, found)
            assert not wrong, f"seed {seed}, {how}: {wrong[0]}"
            assert found.tally.lines == found.tally.understood + found.tally.noise + found.tally.unknown_lines
            survivors += bool(found.rows)
    assert survivors > 33, "the checks throw nearly everything away"


@pytest.mark.parametrize("name", ["time_MobileV1_LLLLLLLLLLLLLL.txt", "time_MobileV1_BNBNBNBNBNBNBN.txt"])
def test_a_damaged_log_of_the_board_gives_no_wrong_row(name: str, tmp_path: Path) -> None:
    data = shared(f"coup_native/profiling_data/Layers/{name}").read_bytes()
    path = tmp_path / name
    clean = attempt(path, data)
    assert clean is not None
    for seed in range(70):
        how, bad = damage(seed, data)
        found = attempt(path, bad)
        if found is not None:
            wrong = wrong_rows(clean, found)
            assert not wrong, f"seed {seed}, {how}: {wrong[0]}"


def test_the_oracle_sees_a_wrong_row(tmp_path: Path) -> None:
    """The test of the tests: a log with other numbers is all wrong."""
    log = LOGS["single"]
    clean = attempt(tmp_path / "time_Tiny_X.txt", write_log(log).encode())
    other = attempt(
        tmp_path / "time_Tiny_X.txt", write_log(Log(order=log.order, settings=log.settings, seed=9)).encode()
    )
    assert clean is not None
    assert other is not None
    assert len(wrong_rows(clean, other)) > 30


def test_a_hole_from_one_run_s_frames_to_the_last_run_s_is_not_seen(tmp_path: Path) -> None:
    """What cannot be detected, held here so that the documentation stays true."""
    log = LOGS["whole"]
    text = write_log(log)
    first = text.index("0\tLayer Name")
    last = text.rindex("0\tLayer Name: conv0 ")
    found = attempt(tmp_path / "time_Tiny_X.txt", (text[:first] + text[last:]).encode())
    assert found is not None
    (run,) = found.tables["runs"]
    assert run["freq_indices"] == "0-0-0-0:0"
    # The same hole anywhere else is seen: a run follows whose number is not the next.
    middle = text.index("0\tLayer Name: conv0 ", first + 1)
    assert middle < last
    found = attempt(tmp_path / "time_Tiny_X.txt", (text[:first] + text[middle:]).encode())
    assert found is not None
    assert [run["freq_indices"] for run in found.tables["runs"]] == ["3-3-3-3:3"]


def test_a_damaged_pipeline_gives_no_wrong_row(tmp_path: Path) -> None:
    """Times of Pipe-All's runs; the number of parts is printed once, and nothing confirms it."""
    path = tmp_path / "output.txt"
    read = importer("pipeall-log").read
    kept = 0
    for seed in range(400):
        how, bad = damage(seed, PIPEALL.encode())
        path.write_bytes(bad)
        with suppress(InputError):
            for row in read(path, Options()).tables.get("pipeline_runs", []):
                kept += 1
                assert abs(row["latency_ms"] - 260.377) < 2e-3, f"seed {seed}, {how}"
                assert abs(row["period_ms"] - 99.625) < 2e-3, f"seed {seed}, {how}"
                assert row["order"].startswith("BBBGGL"), f"seed {seed}, {how}"
    assert kept > 50


def test_a_damaged_power_log_gives_no_power_that_is_far_off(tmp_path: Path) -> None:
    path, text = pair(tmp_path)
    clean = importer("coup-power").read(path, Options()).tables["layer_times"]
    kept = 0
    for seed in range(150):
        how, bad = damage(seed, text.encode())
        path.write_bytes(bad)
        with suppress(InputError):
            found = importer("coup-power").read(path, Options()).tables["layer_times"]
            for row, undamaged in zip(found, clean, strict=True):
                assert row["time_ms"] == undamaged["time_ms"]
                if row["power_mw"] is not None:
                    kept += 1
                    # One sample of at least seven frames' shortest phase.
                    assert abs(row["power_mw"] - undamaged["power_mw"]) < 50_000 / 7, f"seed {seed}, {how}"
    assert kept > 100


LINE_PARTS = st.sampled_from(
    [
        *(
            "0 Running Graph with 0-0 LW DVFS",
            "AVG Latency: 12.5",
            "Profiling these DVFS settings finised",
            "Test passed",
        ),
        *("Order is : BL", "Adding Graph0 target 1 PE: B Host PE: B num threads: 2 Layers: 0-0", "Order is : "),
        *("Adding Graph1 target 1 PE: L Host PE: L num threads: 4 Layers: 1-1", "power_profile_mode : whole"),
        *("0\tLayer Name: a \t Layer time: 1.0000 \t number of inputs: 1 \t input shape: 1 \t output shape: 1",),
        *("Layer Number: 0 \t time: 1.0000", " Sum of Layers time: 1.0000", "NPU NPU_a_0_0\tAVG_input_time:nan"),
        *("Graph0   Input: 1   Task: 9.5   send: 1   Out: 1   Process: 12.5", "governor 0 task:a freqs:0,0,0"),
        *("Graph1   Input: nan   Task: inf   send: 1e309   Out: 1   Process: 1", "Run network for 4 times."),
        *(
            "Graph 0 input size: 1 receiver size: 0 tasks size: 1 senders size: 0 output size: 1",
            "Photo_index:1\tFrame Index:3",
        ),
        *("Number of little cores is : 4", "Number of big cores is : 99999999999999999999", "Data path : /x//tiny/"),
        *("Adding Sender_a to graph 0 with target 1", "Adding Receiver_a to graph 7 with target 1", "GPU host is: L"),
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(st.lists(st.one_of(LINE_PARTS, st.text(max_size=30)), max_size=40))
def test_any_lines_in_any_order_are_read_or_refused(tmp_path: Path, lines: list[str]) -> None:
    found = attempt(tmp_path / "x.txt", "\n".join(lines).encode("utf-8", errors="replace"))
    if found is not None:
        for row in found.tables.get("runs", []):
            assert row["graph"] == "tiny"


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(st.sampled_from(["coup-log", "coup-power", "coup-tables", "pipeall-log"]), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, name: str, data: bytes) -> None:
    log = tmp_path / "time_Tiny_X.txt"
    log.write_text(write_log(LOGS["single"]), encoding="utf-8")
    path = tmp_path / ("power_Tiny_X.csv" if name == "coup-power" else "x.csv")
    path.write_bytes(data)
    with suppress(InputError):
        importer(name).read(path, Options())
