"""Traces: files of arrivals and exits, and every bad row with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eesim.errors import InputError
from eesim.workload.stream import StreamSpec, Traces
from eesim.workload.traces import MAX_REPORTED, read_traces

NAMES = ("exit1", "exit2", "final")
PERIODIC = {"kind": "periodic", "rate": "1 Hz"}


def read(folder: Path, *, confident: bool = False, **stream: Any) -> Traces:
    spec = StreamSpec.model_validate({"arrivals": PERIODIC, "exits": {"kind": "fixed", "exit": 1}} | stream)
    return read_traces(spec, folder, NAMES, need_confident=confident)


def arrivals(folder: Path, text: str) -> list[int]:
    (folder / "a.csv").write_text(text)
    return read(folder, arrivals={"kind": "trace", "path": "a.csv"}).arrival_ns.tolist()


def exits(folder: Path, text: str, *, confident: bool = False) -> Traces:
    (folder / "e.csv").write_text(text)
    return read(folder, confident=confident, exits={"kind": "trace", "path": "e.csv"})


def problems(caught: pytest.ExceptionInfo[InputError], folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


# -- good files ---------------------------------------------------------------------------------------------


def test_instants_are_milliseconds_to_the_nanosecond(tmp_path: Path) -> None:
    assert arrivals(tmp_path, "arrival_ms\n0\n0.000001\n33.333333\n33.333333\n") == [0, 1, 33_333_333, 33_333_333]


def test_other_columns_are_not_read(tmp_path: Path) -> None:
    assert arrivals(tmp_path, "frame,arrival_ms,label\n1,5,cat\n2,6,\n") == [5_000_000, 6_000_000]


def test_exits_are_numbered_from_one(tmp_path: Path) -> None:
    assert exits(tmp_path, "exit\n1\n3\n2\n").exit.tolist() == [0, 2, 1]


def test_a_parquet_file_says_the_same_as_a_csv_file(tmp_path: Path) -> None:
    table = pd.DataFrame({"arrival_ms": [0.0, 1.5, 2.25]})
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv", index=False)
    both = [read(tmp_path, arrivals={"kind": "trace", "path": f"a.{kind}"}).arrival_ns for kind in ("csv", "parquet")]
    assert both[0].tolist() == both[1].tolist() == [0, 1_500_000, 2_250_000]


def test_confident_exits_become_a_bit_mask(tmp_path: Path) -> None:
    text = "exit,confident_1,confident_2,confident_3\n1,1,0,1\n2,0,1,1\n3,0,0,1\n3,0,0,0\n"
    # The last exit always counts as confident: somebody has to answer.
    assert exits(tmp_path, text, confident=True).confident.tolist() == [0b101, 0b110, 0b100, 0b100]
    assert exits(tmp_path, text).confident.tolist() == []


# -- bad files ----------------------------------------------------------------------------------------------


def test_every_bad_instant_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        arrivals(tmp_path, "arrival_ms\n0\nx\n2\n-1\nnan\ninf\n9e9\n9.1e9\n")
    message = "arrival_ms: must be a time in ms, 0 or later"
    assert problems(caught, tmp_path) == [f"a.csv:{line}: {message}" for line in (3, 5, 6, 7, 9)]


def test_instants_that_go_back_are_reported_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        arrivals(tmp_path, "arrival_ms\n0\n5\n4\n6\n5.999999\n")
    message = "arrival_ms: is earlier than the row before"
    assert problems(caught, tmp_path) == [f"a.csv:4: {message}", f"a.csv:6: {message}"]


def test_lines_are_those_of_the_file_where_it_has_blank_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        arrivals(tmp_path, "arrival_ms\n0\n\n5\nx\n")
    assert problems(caught, tmp_path) == ["a.csv:5: arrival_ms: must be a time in ms, 0 or later"]


def test_rows_with_more_cells_than_the_header_are_refused(tmp_path: Path) -> None:
    # A decimal comma makes two cells of one number: 0,5 ms must not be read as 5 ms.
    with pytest.raises(InputError):
        arrivals(tmp_path, "arrival_ms\n0,5\n33,6\n66,9\n")


def test_every_bad_exit_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        exits(tmp_path, "exit\n1\n0\n4\n1.5\n\nx\n3\n".replace("\n\n", '\n""\n'))
    message = "exit: must be a whole number from 1 to 3"
    assert problems(caught, tmp_path) == [f"e.csv:{line}: {message}" for line in (3, 4, 5, 6, 7)]


def test_long_lists_of_bad_rows_are_cut_and_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        exits(tmp_path, "exit\n" + "0\n" * 100)
    found = problems(caught, tmp_path)
    assert len(found) == MAX_REPORTED + 1
    assert found[0].startswith("e.csv:2:")
    assert found[-1] == "e.csv:101: exit: must be a whole number from 1 to 3 (100 rows in all)"


def test_problems_of_both_files_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arrival_ms\nx\n")
    (tmp_path / "e.csv").write_text("exit\n1\n9\n")
    with pytest.raises(InputError) as caught:
        read(tmp_path, arrivals={"kind": "trace", "path": "a.csv"}, exits={"kind": "trace", "path": "e.csv"})
    assert [problem.partition(" ")[0] for problem in problems(caught, tmp_path)] == ["a.csv:2:", "e.csv:3:"]


def test_a_missing_column_is_reported_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        arrivals(tmp_path, "arrivals_ms\n1\n")
    assert problems(caught, tmp_path) == ["a.csv:1: arrival_ms: there is no such column (did you mean arrivals_ms?)"]


def test_all_columns_of_confident_exits_are_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        exits(tmp_path, "exit,confident_1,confident3\n1,1,1\n", confident=True)
    assert [problem.partition(" (")[0] for problem in problems(caught, tmp_path)] == [
        "e.csv:1: confident_2: there is no such column",
        "e.csv:1: confident_3: there is no such column",
    ]


def test_a_missing_file_is_reported_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "arrivals.csv").write_text("arrival_ms\n1\n")
    with pytest.raises(InputError) as caught:
        read(tmp_path, arrivals={"kind": "trace", "path": "arivals.csv"})
    assert problems(caught, tmp_path) == ["arivals.csv: there is no such file (did you mean arrivals.csv?)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.csv: cannot be read as a table"),
        ("arrival_ms\n", "a.csv:1: arrival_ms: the table has no rows"),
        ("arrival_ms\n1\n2,3,4\n", "a.csv: cannot be read as a table"),
        ("arrival_ms\n\xff\n", "a.csv"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read(tmp_path, arrivals={"kind": "trace", "path": "a.csv"})
    assert problems(caught, tmp_path)[0].startswith(expected)


def test_a_folder_and_a_broken_parquet_file_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    for name in ("folder", "a.parquet"):
        with pytest.raises(InputError) as caught:
            read(tmp_path, arrivals={"kind": "trace", "path": name})
        assert problems(caught, tmp_path)[0].startswith(f"{name}: cannot be read")
